"""Shares of time in each state: against playing, against the sum over time, and by hand."""

import numpy as np
import pytest
from hypothesis import given
from random_games import random_game, random_kernel, random_policies, seed_numbers

from marl_lessons.envs.cars.one_car import crossroads
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.games.catalogue import CATALOGUE
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.stepping import Worlds, rollout
from marl_lessons.evaluation.moving_target.induced import visit_rates


def ending_game(rng, n_states=4, n_actions=(2, 3)) -> MarkovGame:
    """A random game of which every step ends the episode with probability 0.1 or more."""
    transition = random_kernel(rng, (n_states, *n_actions), n_states)
    leave = rng.uniform(0.1, 0.9, size=(n_states, *n_actions, 1))
    transition = (1 - leave) * transition + leave * np.eye(n_states)[-1]
    transition[-1] = np.eye(n_states)[-1]
    reward = np.zeros((len(n_actions), n_states, *n_actions))
    terminal = np.arange(n_states) == n_states - 1
    initial = np.append(rng.dirichlet(np.full(n_states - 1, 0.5)), 0.0)
    return MarkovGame(transition, reward, 0.9, initial=initial, terminal=terminal)


def by_summing(game, policies, n_steps=4_000):
    """How often each state is visited in an episode, Σ_t μ P^t over non-terminal states, in plain loops."""
    n = game.n_states
    chain = np.zeros((n, n))
    for s in range(n):
        for joint in np.ndindex(game.n_actions):
            p = np.prod([policies[i][s, a] for i, a in enumerate(joint)])
            chain[s] += p * game.transition[(s, *joint)]
    now, visits = game.initial.copy(), np.zeros(n)
    for _ in range(n_steps):
        now = np.where(game.terminal, 0.0, now)
        visits += now
        now = now @ chain
    return visits / visits.sum()


@given(seed_numbers)
def test_equals_the_sum_over_time(seed):
    rng = np.random.default_rng(seed)
    actions = tuple(rng.integers(1, 4, size=rng.integers(1, 4)).tolist())
    game = ending_game(rng, int(rng.integers(2, 5)), actions)
    policies = random_policies(rng, game)
    rates = visit_rates(game, policies)
    assert rates == pytest.approx(by_summing(game, policies, 400), abs=1e-9)
    assert rates.sum() == pytest.approx(1.0) and rates[-1] == 0.0


def test_whole_histories():
    """Leading axes: every moment and seed by itself."""
    rng = np.random.default_rng(1)
    game = ending_game(rng)
    moments = [[random_policies(rng, game) for _ in range(3)] for _ in range(2)]
    stacked = [np.array([[p[i] for p in row] for row in moments]) for i in range(2)]
    rates = visit_rates(game, stacked)
    assert rates.shape == (2, 3, 4)
    for k, row in enumerate(moments):
        for e, policies in enumerate(row):
            assert rates[k, e] == pytest.approx(by_summing(game, policies, 400), abs=1e-9)


def test_two_cars_that_wait_by_chance():
    game = two_cars(slip=0.2)
    policies = [np.tile([0.4, 0.6], (10, 1)), np.tile([0.7, 0.3], (10, 1))]
    rates = visit_rates(game, policies)
    assert rates == pytest.approx(by_summing(game, policies), abs=1e-12)
    rng, steps = np.random.default_rng(0), 60_000
    worlds, seen = Worlds(game, 200), np.zeros(10)
    states = worlds.reset(rng)
    for _ in range(steps // 200):
        seen += np.bincount(states, minlength=10)
        actions = np.column_stack([rng.random(200) < p[states, 1] for p in policies]).astype(int)
        step = worlds.step(actions, rng)
        states = worlds.reset_where(step.terminated | step.truncated, rng)
    # Steps of an episode depend on each other; six times the deviation of independent ones.
    assert (np.abs(seen / steps - rates) < 6 * np.sqrt(rates * (1 - rates) / steps) + 1e-3).all()


def test_episodes_played_one_by_one():
    game, rng = crossroads(distance=2), np.random.default_rng(2)
    policies = [np.tile([0.5, 0.5], (game.n_states, 1))]
    seen = np.zeros(game.n_states)
    for _ in range(1_500):
        episode = rollout(game, policies, rng, time_limit=100_000)
        seen += np.bincount(episode.states[:-1], minlength=game.n_states)
    rates, n = visit_rates(game, policies), seen.sum()
    assert rates == pytest.approx(by_summing(game, policies), abs=1e-9)
    assert (np.abs(seen / n - rates) < 6 * np.sqrt(rates * (1 - rates) / n) + 1e-3).all()


def test_waiting_for_a_coin_by_hand():
    """From state 0 to 1 with p, then out with q: 1/p steps in 0 and 1/q in 1."""
    for p, q in ((0.5, 0.5), (0.1, 1.0), (0.9, 0.003)):
        transition = np.zeros((3, 1, 3))
        transition[:, 0] = [[1 - p, p, 0], [0, 1 - q, q], [0, 0, 1]]
        game = MarkovGame(
            transition, np.zeros((1, 3, 1)), 0.9, [1, 0, 0], np.array([False, False, True])
        )
        rates = visit_rates(game, [np.ones((3, 1))])
        assert rates == pytest.approx(np.array([q, p, 0]) / (p + q))


def test_one_state():
    game = CATALOGUE["chicken"].game
    assert visit_rates(game, [[[0.5, 0.5]], [[1.0, 0.0]]]).tolist() == [1.0]
    many = np.broadcast_to([[0.3, 0.7]], (5, 2, 1, 2))
    assert np.array_equal(visit_rates(game, [many, many]), np.ones((5, 2, 1)))


WAIT = np.tile([1.0, 0.0], (10, 1))
HALF = np.full((10, 2), 0.5)


@pytest.mark.parametrize("policies", [[WAIT, WAIT], [WAIT, HALF], [HALF, WAIT]])
def test_policies_that_never_end(policies):
    with pytest.raises(ValueError, match=r"^game: .* never ends"):
        visit_rates(two_cars(), policies)
    moments = [np.stack([HALF, policy]) for policy in policies]
    with pytest.raises(ValueError, match=r"^game: .* never ends"):
        visit_rates(two_cars(), moments)


@given(seed_numbers)
def test_games_without_an_end(seed):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, (2, 2), terminal=False)
    with pytest.raises(ValueError, match=r"^game"):
        visit_rates(game, random_policies(rng, game))


def test_a_loop_nobody_reaches_is_refused_too():
    transition = np.zeros((3, 1, 3))
    transition[:, 0] = [[0, 0, 1], [0, 1, 0], [0, 0, 1]]
    game = MarkovGame(
        transition, np.zeros((1, 3, 1)), 0.9, [1, 0, 0], np.array([False, False, True])
    )
    with pytest.raises(ValueError, match=r"^game"):
        visit_rates(game, [np.ones((3, 1))])


@pytest.mark.parametrize("game", [None, "game", 3, np.zeros((2, 2)), two_cars])
def test_wrong_games(game):
    with pytest.raises(ValueError, match=r"^game"):
        visit_rates(game, [HALF, HALF])


@pytest.mark.parametrize(
    "policies",
    [
        None,
        "policies",
        [HALF],
        [HALF] * 3,
        [HALF, None],
        [HALF, HALF[:-1]],
        [HALF, HALF * 1.1],
        [HALF, -HALF],
        [HALF, HALF * np.nan],
        [HALF, np.full((10, 3), 1 / 3)],
        [HALF, np.stack([HALF, HALF])],
        [np.zeros((0, 10, 2)), np.zeros((0, 10, 2))],
        [HALF, HALF > 0],
    ],
)
def test_wrong_policies(policies):
    with pytest.raises(ValueError, match=r"^policies"):
        visit_rates(two_cars(), policies)
