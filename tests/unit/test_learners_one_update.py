"""The three lines of a tabular learner, and single updates worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers

from marl_lessons.algorithms import (
    TabularConfig,
    epsilon_greedy,
    q_learning,
    q_learning_target,
    sarsa,
    sarsa_target,
    td_update,
)
from marl_lessons.envs import MarkovGame

LAST = np.nextafter(1.0, 0.0)


def test_targets_by_hand():
    reward, next_q = np.array([1.0, 1.0, -2.0]), np.array([[3.0, 5.0], [3.0, 5.0], [0.5, -1.0]])
    ended = np.array([False, True, False])
    assert q_learning_target(reward, next_q, ended, 0.5).tolist() == [3.5, 1.0, -1.75]
    assert sarsa_target(reward, next_q, np.array([0, 1, 1]), ended, 0.5).tolist() == [
        2.5,
        1.0,
        -2.5,
    ]


def test_update_moves_by_a_fraction_and_returns_the_errors():
    table = np.array([1.0, 2.0, 3.0])
    error = td_update(table, np.array([2, 0]), np.array([5.0, 0.0]), np.array([0.5, 0.1]))
    assert error.tolist() == [2.0, -1.0] and table.tolist() == [0.9, 2.0, 4.0]


def test_epsilon_greedy_by_hand():
    q = np.array([[0.0, 2.0, 2.0], [5.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
    assert epsilon_greedy(q, 0.0, np.zeros((2, 3))).tolist() == [
        1,
        0,
        2,
    ]  # the lowest index wins a tie
    assert epsilon_greedy(q, 1.0, np.array([[LAST] * 3, [0.0, 0.4, LAST]])).tolist() == [0, 1, 2]
    assert epsilon_greedy(q, 0.5, np.array([[0.5, 0.49, 0.5], [0.99, 0.99, 0.0]])).tolist() == [
        1,
        2,
        2,
    ]
    assert epsilon_greedy(
        q, np.array([0.0, 1.0, 1.0]), np.array([[0.3] * 3, [0.99] * 3])
    ).tolist() == [
        1,
        2,
        2,
    ]


@given(st.integers(1, 400))
def test_random_actions_stay_in_range(n_actions):
    actions = epsilon_greedy(np.zeros((1, n_actions)), 1.0, np.array([[0.0], [LAST]]))
    assert actions.tolist() == [n_actions - 1]


@given(seed_numbers, st.floats(0, 1))
def test_frequency_of_random_actions(seed, epsilon):
    uniform = np.random.default_rng(seed).random((2, 4_000))
    actions = epsilon_greedy(np.broadcast_to([0.0, 1.0, 0.5], (4_000, 3)), epsilon, uniform)
    frequency = np.bincount(actions, minlength=3) / 4_000
    assert np.abs(
        frequency - [epsilon / 3, 1 - 2 * epsilon / 3, epsilon / 3]
    ).max() < 5 * 0.5 / np.sqrt(4_000)


def line(last_is_terminal: bool) -> MarkovGame:
    """0 -> 1 -> 2 with rewards 1 and 10; state 2 ends or pays 100 for ever."""
    transition = np.zeros((3, 1, 3))
    transition[[0, 1, 2], 0, [1, 2, 2]] = 1.0
    reward = [[[1.0], [10.0], [0.0 if last_is_terminal else 100.0]]]
    return MarkovGame(
        transition, reward, 0.5, [1, 0, 0], np.array([False, False, last_is_terminal])
    )


@pytest.mark.parametrize("learner", [q_learning, sarsa])
def test_the_first_updates_by_hand(learner):
    """α = 1/2, γ = 1/2, all values begin at 4. Termination counts nothing; truncation counts the next
    state."""

    def table(game, limit, bootstrap, n_steps):
        config = TabularConfig(n_steps, 0.5, 0.0, limit, bootstrap, 4.0, n_records=1)
        return learner(game, config, 1).q[-1, 0, :, 0].tolist()

    # step 1: Q(0) = 4 + (1 + 2 - 4)/2 = 3.5;  step 2, ends: Q(1) = 4 + (10 - 4)/2 = 7
    assert table(line(True), None, True, 1) == [3.5, 4, 0]
    assert table(line(True), None, True, 2) == [3.5, 7, 0]
    assert table(line(True), 2, False, 2) == [3.5, 7, 0]
    # step 3, a new episode: Q(0) = 3.5 + (1 + 3.5 - 3.5)/2 = 4
    assert table(line(True), None, True, 3) == [4, 7, 0]
    # truncated after two steps in a world that would go on: the target is 10 + 4/2, or 10 alone
    assert table(line(False), 2, True, 2) == [3.5, 8, 4]
    assert table(line(False), 2, False, 2) == [3.5, 7, 4]
    # not truncated: step 3 is in state 2, Q(2) = 4 + (100 + 2 - 4)/2
    assert table(line(False), 3, True, 3) == [3.5, 8, 53]
