"""Distances of tables to the optimum, against planners."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_mdp, random_terminating_mdp, seed_numbers

from marl_lessons.algorithms import TabularConfig, independent_q_learning, q_learning
from marl_lessons.envs import MarkovGame, crossroads, two_cars
from marl_lessons.evaluation import (
    distance_to_optimum,
    greedy_return,
    reachable_states,
)
from marl_lessons.solvers import greedy_policy, policy_evaluation, policy_iteration

MDP = crossroads()
OPTIMAL = policy_iteration(MDP)
HISTORY = q_learning(MDP, TabularConfig(500, n_records=5), 3)
NAN = float("nan")


def with_q(q) -> object:
    return dataclasses.replace(HISTORY, q=q)


def test_distance_is_zero_at_the_optimum_and_a_share_of_the_range_elsewhere():
    exact = np.broadcast_to(OPTIMAL.q, HISTORY.q.shape).copy()
    assert (distance_to_optimum(with_q(exact), MDP, OPTIMAL.q) == 0).all()
    width = np.ptp(OPTIMAL.q[:-2])
    exact[2, 1, 7, 1] -= 0.3 * width
    exact[2, 1, 9, 0] += 0.1 * width
    exact[:, :, -2:] = 1e6  # terminal states do not count
    distance = distance_to_optimum(with_q(exact), MDP, OPTIMAL.q)
    assert (
        distance.shape == (6, 3)
        and distance[2, 1] == pytest.approx(0.3)
        and np.count_nonzero(distance) == 1
    )


def test_distance_ignores_states_that_are_never_reached():
    frozen = crossroads(grip=0.0)
    where = reachable_states(frozen)
    table = np.arange(30).reshape(2, 3, 5)
    expected = np.ones(32, dtype=bool)
    expected[table[1, :, :-1]] = expected[-2:] = False
    assert np.array_equal(where, expected)
    exact = policy_iteration(frozen).q
    q = np.broadcast_to(exact, HISTORY.q.shape).copy()
    q[:, :, ~where] += 100
    assert (distance_to_optimum(with_q(q), frozen, exact) == 0).all()


def test_nothing_is_reached_through_the_end():
    """A start, an end, and a state that only the end's own row could lead to."""
    transition = np.zeros((3, 1, 3))
    transition[[0, 1, 2], 0, [1, 1, 1]] = 1.0
    game = MarkovGame(
        transition, np.zeros((1, 3, 1)), 0.9, [1, 0, 0], np.array([False, True, False])
    )
    assert reachable_states(game).tolist() == [True, False, False]
    assert reachable_states(two_cars()).sum() == 8


@given(seed_numbers, st.sampled_from([0.0, 0.5, 0.95]), st.booleans())
def test_greedy_return_is_the_value_of_the_greedy_policy(seed, discount, ends):
    rng = np.random.default_rng(seed)
    mdp = random_terminating_mdp(rng, 5, 3, discount) if ends else random_mdp(rng, 5, 3, discount)
    tables = rng.integers(0, 3, size=(2, 3, 5, 3)).astype(float)  # with ties
    returns = greedy_return(tables, mdp)
    assert returns.shape == (2, 3)
    for k, e in np.ndindex(2, 3):
        exact = policy_evaluation(mdp, greedy_policy(tables[k, e])).v @ mdp.initial
        assert returns[k, e] == pytest.approx(exact, abs=1e-10)


def test_greedy_return_at_the_optimum():
    assert greedy_return(OPTIMAL.q, MDP) == pytest.approx(OPTIMAL.v @ MDP.initial, abs=1e-10)
    assert (greedy_return(HISTORY.q, MDP) <= OPTIMAL.v @ MDP.initial + 1e-10).all()
    assert greedy_return(HISTORY.q, MDP).shape == (6, 3)
    with pytest.raises(ValueError, match="discount"):
        greedy_return(
            np.zeros((2, 1)),
            MarkovGame(
                [[[0, 1.0]], [[0, 1.0]]], np.zeros((1, 2, 1)), 1, terminal=np.array([False, True])
            ),
        )


TWO = two_cars()
BOTH = independent_q_learning(TWO, TabularConfig(20, n_records=2), 2)


@pytest.mark.parametrize("use, named", [
    (lambda: reachable_states("mdp"), "mdp"),
    (lambda: distance_to_optimum(HISTORY, None, OPTIMAL.q), "mdp"),
    (lambda: distance_to_optimum(HISTORY, TWO, OPTIMAL.q), "mdp"),
    (lambda: distance_to_optimum(HISTORY, crossroads(4), OPTIMAL.q), "history"),
    (lambda: distance_to_optimum(BOTH, MDP, OPTIMAL.q), "history"),
    (lambda: distance_to_optimum(None, MDP, OPTIMAL.q), "history"),
    (lambda: distance_to_optimum(HISTORY, MDP, OPTIMAL.q.T), "optimal_q"),
    (lambda: distance_to_optimum(HISTORY, MDP, OPTIMAL.q * NAN), "optimal_q"),
    (lambda: distance_to_optimum(HISTORY, MDP, np.zeros((32, 2))), "optimal_q"),
    (lambda: greedy_return(OPTIMAL.q, None), "mdp"),
    (lambda: greedy_return(np.zeros((10, 2)), TWO), "agents"),
    (lambda: greedy_return(None, MDP), "q"),
    (lambda: greedy_return(np.zeros((7, 2)), MDP), "q"),
    (lambda: greedy_return(np.full((32, 2), NAN), MDP), "q"),
])  # fmt: skip
def test_refused_by_name(use, named):
    with pytest.raises(ValueError, match=rf"\b{named}\b"):
        use()
