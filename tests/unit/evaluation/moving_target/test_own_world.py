"""An agent's own world at each moment of a history: against the induced MDP, solved and followed moment by moment."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from random_games import random_game

from marl_lessons.algorithms.tables.independent_q import IndependentConfig, independent_q_learning
from marl_lessons.envs.cars.two_cars import two_cars, two_cars_state
from marl_lessons.envs.games.catalogue import speed_check
from marl_lessons.evaluation.moving_target.own_world import OwnWorld, own_world
from marl_lessons.solvers.planning import value_iteration

LAG = 3
CASES = {
    "crossing": (two_cars(distance=2), two_cars_state(1, 1), None, (0.05, 0.03), (0.2, 0.3)),
    "speeding": (speed_check().game, 0, 0, (0.02, 0.05), (0.5, 0.1)),
    "speed check": (speed_check().game, 0, None, (0.02, 0.05), (0.5, 0.1)),
    "unequal": (random_game(np.random.default_rng(5), 4, (3, 2)), 1, None, (0.1, 0.1), (3.0, 2.0)),
    "one action": (random_game(np.random.default_rng(5), 4, (3, 2)), 1, 2, (0.1, 0.1), (3.0, 2.0)),
}
ALL = pytest.mark.parametrize("name", CASES)


@functools.cache
def run(name):
    game, state, action, step_size, temperature = CASES[name]
    config = IndependentConfig(
        n_steps=1500, step_size=step_size, temperature=temperature, time_limit=None, n_records=15
    )
    history = independent_q_learning(game, config, 2)
    return game, state, config, history, own_world(game, history, config, LAG, state, action)


def plain_policies(game, config, q):
    """Boltzmann policies of all agents for tables ``q[n, S, A]``, written out."""
    policies = []
    for i, tau in enumerate(config.temperature):
        own = q[i, :, : game.n_actions[i]]
        weight = np.exp((own - own.max(axis=1, keepdims=True)) / tau)
        policies.append(weight / weight.sum(axis=1, keepdims=True))
    return policies


def plain_weights(game, policies, action):
    """``[S, A]``: shares of agent 0's steps, by following the chain of states until nothing changes."""
    mine = policies[0].copy()
    if action is not None:
        mine[:] = 0
        mine[:, action] = 1
    if game.is_matrix_game:
        return mine
    chain = np.einsum("sa,sb,sabt->st", *policies, game.transition)
    there = game.initial.copy()
    visits = np.zeros(game.n_states)
    for _ in range(3000):
        visits += there
        there = (there * ~game.terminal) @ chain * ~game.terminal
    return (visits / visits.sum())[:, None] * mine


def plain_moment(name, k, seed):
    """The induced MDP at record k, the weights, the mean size of errors, and the set of best actions."""
    game, state, config, history, _ = run(name)
    policies = plain_policies(game, config, history.q[k, seed])
    world = game.induced_mdp(0, policies)
    q, error = history.q[k, seed, 0, :, : game.n_actions[0]], 0.0
    weights = plain_weights(game, policies, CASES[name][2])
    for s, a in itertools.product(np.flatnonzero(~game.terminal), range(game.n_actions[0])):
        follows = sum(p * q[t].max() for t, p in enumerate(world.transition[s, a]) if not game.terminal[t])  # fmt: skip
        error += weights[s, a] * abs(world.reward[0, s, a] + game.discount * follows - q[s, a])
    best = value_iteration(world, 1e-11).q[state]
    return policies, world, weights, error, set(np.flatnonzero(best >= best.max() - 1e-9))


@ALL
@pytest.mark.parametrize("seed", [0, 1])
def test_every_moment_against_the_induced_mdp(name, seed):
    game, _, _, history, got = run(name)
    moments = [plain_moment(name, k, seed) for k in range(len(history.steps))]
    assert np.array_equal(got.steps, history.steps) and len(moments) == 16
    assert np.isnan(got.drift[:LAG]).all()
    for k, (policies, world, weights, error, best) in enumerate(moments):
        for mine, plain in zip(got.policies, policies, strict=True):
            assert np.allclose(mine[k, seed], plain, atol=1e-12)
        assert np.allclose(got.transition[k, seed], world.transition, atol=1e-12)
        assert np.allclose(got.reward[k, seed], world.reward[0], atol=1e-12)
        assert np.allclose(got.weights[k, seed], weights, atol=1e-7)
        assert got.error[k, seed] == pytest.approx(error, rel=1e-6)
        assert got.switches[k, seed] == (k > 0 and best != moments[k - 1][-1])
        if k >= LAG:
            then = moments[k - LAG][1]
            if game.is_matrix_game:
                moved = np.abs(world.reward[0] - then.reward[0])
            else:
                moved = np.abs(world.transition - then.transition).sum(axis=-1) / 2
            assert got.drift[k, seed] == pytest.approx((weights * moved).sum(), rel=1e-6, abs=1e-12)


def test_the_histories_show_something():
    for name in CASES:
        got = run(name)[-1]
        assert isinstance(got, OwnWorld)
        assert got.drift[LAG:].max() > 1e-3 and got.error.max() > 1e-2
    assert any(run(name)[-1].switches.any() for name in CASES)
    weights, over = run("crossing")[-1].weights, run("crossing")[0].terminal
    assert np.allclose(weights.sum(axis=(-2, -1)), 1) and not weights[..., over, :].any()
