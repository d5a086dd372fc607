"""Joint policies and best responses, against chains of states followed in plain loops and against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import (
    optimum_by_enumeration,
    random_game,
    random_policies,
    seed_numbers,
    value_by_solving,
)

from marl_lessons.envs import CATALOGUE, MarkovGame, two_cars
from marl_lessons.solvers.markov_games import best_response, joint_policy_evaluation
from marl_lessons.solvers.matrix_games import expected_payoffs
from marl_lessons.solvers.planning import policy_evaluation

action_counts = st.sampled_from([(3,), (2, 3), (1, 2), (3, 1), (2, 2, 2), (2, 1, 3)])


def terminating_game(rng, n_actions, discount=1.0, n_states=3) -> MarkovGame:
    """A game that ends with probability 0.1 or more in every step, whatever is done."""
    game = random_game(rng, n_states, n_actions, 0.9)
    leave = rng.uniform(0.1, 0.9, size=(n_states, *n_actions, 1))
    transition = (1 - leave) * game.transition + leave * np.eye(n_states)[-1]
    transition[-1] = np.eye(n_states)[-1]
    return MarkovGame(transition, game.reward, discount, terminal=game.terminal)


def by_following_the_chain(game: MarkovGame, policies, steps: int) -> np.ndarray:
    """``v[n, S]``: what is paid in the first ``steps`` steps, discounted, from every state; loops over joint actions."""
    chain, paid = np.zeros((game.n_states,) * 2), np.zeros((game.n_agents, game.n_states))
    for state in range(game.n_states):
        for joint in itertools.product(*(range(count) for count in game.n_actions)):
            chance = 1.0
            for agent, action in enumerate(joint):
                chance *= policies[agent][state][action]
            chain[state] += chance * game.transition[(state, *joint)]
            paid[:, state] += chance * game.reward[(slice(None), state, *joint)]
    v, where, weight = np.zeros_like(paid), np.eye(game.n_states), 1.0
    for _ in range(steps):
        v += weight * paid @ where.T
        where, weight = where @ chain, weight * game.discount
    return v


@given(seed_numbers, action_counts, st.booleans(), st.booleans())
def test_values_of_joint_policies(seed, counts, outcomes, terminal):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, counts, 0.8, outcomes, terminal)
    policies = random_policies(rng, game)
    v = joint_policy_evaluation(game, policies)
    assert v.shape == (len(counts), 3)
    assert np.allclose(v, by_following_the_chain(game, policies, 200), atol=1e-9)
    assert (v[:, game.terminal] == 0).all()
    for agent in range(game.n_agents):
        seen = game.induced_mdp(agent, policies)
        assert np.allclose(v[agent], policy_evaluation(seen, policies[agent]).v, atol=1e-9)
        assert np.allclose(v[agent], value_by_solving(seen, policies[agent]), atol=1e-9)


@given(seed_numbers, action_counts)
def test_values_without_discount(seed, counts):
    rng = np.random.default_rng(seed)
    game = terminating_game(rng, counts)
    policies = random_policies(rng, game)
    v = joint_policy_evaluation(game, policies)
    assert np.allclose(v, by_following_the_chain(game, policies, 400), atol=1e-9)
    assert (v[:, -1] == 0).all()
    for agent in range(game.n_agents):
        best = best_response(game, agent, policies)
        optimum = optimum_by_enumeration(game.induced_mdp(agent, policies))
        assert np.allclose(best.v, optimum, atol=1e-9)


@settings(max_examples=25)
@given(seed_numbers, action_counts, st.booleans())
def test_no_other_policy_is_better_than_the_best_response(seed, counts, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, counts, 0.9, outcomes)
    policies = random_policies(rng, game)
    v = joint_policy_evaluation(game, policies)
    for agent, count in enumerate(counts):
        others = [None if j == agent else policy for j, policy in enumerate(policies)]
        best = best_response(game, agent, others)
        assert (best.v >= v[agent] - 1e-9).all() and best.v[-1] == 0
        replaced = [best.policy if j == agent else policy for j, policy in enumerate(policies)]
        assert np.allclose(joint_policy_evaluation(game, replaced)[agent], best.v, atol=1e-9)
        deterministic = [
            joint_policy_evaluation(
                game, [*policies[:agent], np.eye(count)[list(actions)], *policies[agent + 1 :]]
            )[agent]
            for actions in itertools.product(range(count), repeat=3)
        ]
        assert np.allclose(best.v, np.max(deterministic, axis=0), atol=1e-9)


@settings(max_examples=20)
@given(seed_numbers, st.sampled_from([(3,), (2, 3), (2, 1, 2)]))
def test_rewards_that_are_broadcast_change_nothing(seed, counts):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, counts, 0.9)
    shape = (len(counts), *game.transition.shape)
    places = [
        (slice(None), slice(None), *[slice(0, 1)] * (len(counts) + 1)),  # depends on the state only
        (slice(None), *[slice(0, 1)] * (len(counts) + 1), slice(None)),  # on the state reached only
        (slice(0, 1), slice(None), slice(None), *[slice(0, 1)] * len(counts)),
        (slice(None), slice(None), slice(0, 1), Ellipsis),
    ]
    for place in places:
        few = rng.normal(size=shape)[place].copy()
        if few.shape[1] == 3:  # not to be paid where nothing is paid any more
            few[:, -1] = 0.0
            terminal = game.terminal
        else:
            terminal = None
        broadcast = np.broadcast_to(few, shape)
        twins = [
            MarkovGame(game.transition, None, 0.9, None, terminal, paid)
            for paid in (broadcast, np.array(broadcast))
        ]
        lean, dense = twins
        assert 0 in lean.outcome_reward.strides and 0 not in dense.outcome_reward.strides
        assert np.array_equal(lean.outcome_reward, dense.outcome_reward)
        assert np.allclose(lean.reward, dense.reward, atol=1e-12)
        assert not lean.outcome_reward.flags.writeable
        before = lean.outcome_reward.copy()
        few += 1.0  # the game keeps its own numbers
        assert np.array_equal(lean.outcome_reward, before)
        policies = random_policies(rng, game)
        values = [joint_policy_evaluation(twin, policies) for twin in twins]
        assert np.allclose(*values, atol=1e-12)
        for agent in range(len(counts)):
            seen = [twin.induced_mdp(agent, policies) for twin in twins]
            assert np.allclose(seen[0].outcome_reward, seen[1].outcome_reward, atol=1e-12)


def test_wrong_rewards_are_found_inside_a_broadcast_array():
    transition = np.full((2, 2, 3, 2), 0.5)
    shape = (2, *transition.shape)
    for wrong in (np.nan, np.inf):
        for where in ((1, 1, 0, 0, 0), (0, 0, 0, 0, 0)):
            few = np.zeros((2, 2, 1, 1, 1))
            few[where] = wrong
            with pytest.raises(ValueError, match=r"^outcome_reward\[\d, \d, 0, 0, 0\] is "):
                MarkovGame(transition, None, 0.9, outcome_reward=np.broadcast_to(few, shape))
    for wrong in ("a", 1j, None):
        with pytest.raises(ValueError, match=r"^outcome_reward\b"):
            MarkovGame(transition, None, 0.9, outcome_reward=np.broadcast_to(wrong, shape))
    with pytest.raises(ValueError, match=r"^outcome_reward\b"):
        MarkovGame(transition, None, 0.9, outcome_reward=np.broadcast_to(1.0, shape[:-1]))
    with pytest.raises(ValueError, match="terminal"):  # pays in a state that is terminal
        terminal = transition.copy()
        terminal[1] = [0, 1]
        MarkovGame(terminal, None, 0.9, None, [False, True], np.broadcast_to(1.0, shape))


def test_policies_that_never_terminate_have_no_value_without_discount():
    transition = np.zeros((2, 2, 1, 2))
    transition[0, 0, 0, 0] = transition[0, 1, 0, 1] = 1.0
    transition[1, ..., 1] = 1.0
    reward = np.zeros((2, 2, 2, 1))
    reward[:, 0] = -1.0
    game = MarkovGame(transition, reward, 1.0, terminal=[False, True], episodic=True)
    stays, leaves, other = [[1, 0]] * 2, [[0, 1]] * 2, [[1]] * 2
    with pytest.raises(ValueError, match="never terminates from state 0"):
        joint_policy_evaluation(game, [stays, other])
    assert joint_policy_evaluation(game, [leaves, other]).tolist() == [[-1, 0], [-1, 0]]
    assert joint_policy_evaluation(game, [[[0.5, 0.5]] * 2, other])[:, 0] == pytest.approx([-2, -2])
    assert best_response(game, 0, [None, other]).v.tolist() == [-1, 0]


GAME = two_cars(1)
HALF = np.full((5, 2), 0.5)
WRONG = [
    *(None, 5, [HALF], [HALF] * 3),
    *([HALF, bad] for bad in (None, HALF[:4], 2 * HALF, HALF * np.nan, [[1, 0], [1]], "a")),
]


@pytest.mark.parametrize(
    ("use", "named"),
    [
        *((lambda g=g: joint_policy_evaluation(g, [HALF, HALF]), "game") for g in (None, "game", GAME.reward)),
        *((lambda g=g: best_response(g, 0, [None, HALF]), "game") for g in (None, "game", GAME.reward)),
        *((lambda a=a: best_response(GAME, a, [HALF, HALF]), "agent") for a in (-1, 2, 0.0, None, True)),
        *((lambda w=w: joint_policy_evaluation(GAME, w), "policies") for w in WRONG),
        *((lambda w=w: best_response(GAME, 0, w), "policies") for w in WRONG),
    ],
)  # fmt: skip
def test_refused_by_name(use, named):
    with pytest.raises(ValueError, match=rf"^{named}\b"):
        use()


def test_a_strategy_is_a_policy_where_there_is_one_state():
    game = CATALOGUE["chicken"].game
    strategies = [[0.25, 0.75], np.array([0.5, 0.5])]
    expected = expected_payoffs(game, strategies)
    assert np.allclose(joint_policy_evaluation(game, strategies)[:, 0], expected)
    assert best_response(game, 0, [None, [0.5, 0.5]]).policy.tolist() == [[0, 1]]
    for wrong in ([0.25, 0.75, 0.0], [0.5, 0.6], [], "ab"):
        with pytest.raises(ValueError, match=r"policies\[0\]"):
            joint_policy_evaluation(game, [wrong, [0.5, 0.5]])
    with pytest.raises(ValueError, match=r"policies\[0\]"):
        joint_policy_evaluation(two_cars(1), [[0.5, 0.5], [0.5, 0.5]])
