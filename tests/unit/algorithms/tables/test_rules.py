"""The three lines of a tabular learner, optimism and memory, by hand, and single updates worked out."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.algorithms import (
    TabularConfig,
    epsilon_greedy,
    q_learning,
    q_learning_target,
    sarsa,
    sarsa_target,
    td_update,
)
from marl_lessons.algorithms.tables.rules import (
    Memory,
    changes_policy,
    cooler,
    hysteretic_step,
    leniency,
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
    ).tolist() == [1, 2, 2]


@given(st.integers(1, 400))
def test_random_actions_stay_in_range(n_actions):
    actions = epsilon_greedy(np.zeros((1, n_actions)), 1.0, np.array([[0.0], [LAST]]))
    assert actions.tolist() == [n_actions - 1]


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


def test_two_step_sizes():
    error = np.array([[-2.0, -1e-300, 0.0], [-0.0, 1e-300, 3.0]])
    assert hysteretic_step(error, 0.5, 0.125).tolist() == [[0.125, 0.125, 0.5], [0.5, 0.5, 0.5]]
    own = np.array([[0.1, 0.2, 0.3]])
    assert hysteretic_step(error, own, own / 10)[0].tolist() == [0.1 / 10, 0.2 / 10, 0.3]


def test_leniency_of_hot_and_cold_entries():
    assert leniency(np.array([1e9, 1.0, 1e-9]), 1.0) == pytest.approx([1, 1 / math.e, 0], abs=1e-8)


def test_cooling_by_hand():
    heat, mean, ends = np.array([40.0, 40.0]), np.array([10.0, 10.0]), np.array([False, True])
    assert cooler(heat, mean, 0.5, 0.25, ends) == pytest.approx([0.5 * 32.5, 20.0])
    assert cooler(heat, mean, 1.0, 0.0, ends).tolist() == [40.0, 40.0]
    assert cooler(heat, mean, 1.0, 1.0, ends).tolist() == [10.0, 40.0]


def test_policies_change_only_for_something_better():
    before = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [0.0, -np.inf]])
    after = np.array([[2.0, 2.0], [1.0, 2.5], [1.5, 2.0], [0.5, -np.inf]])
    assert changes_policy(before, after).tolist() == [False, True, False, True]


def filled(capacity, n_seeds, n_steps, uniform):
    """What is drawn at each step, when step t of seed e and agent i stores 10,000 t + 10 e + i and its negative."""
    memory = Memory(np.array(capacity), n_seeds)
    own = 10 * np.arange(n_seeds)[:, None] + np.arange(len(capacity))
    for t in range(n_steps):
        value = 10_000 * t + own
        drawn, opposite = memory.exchange(uniform(t), value, -1.0 * value)
        assert np.array_equal(drawn, -opposite) and drawn.dtype == value.dtype
        assert (drawn % 10_000 == own).all(), "somebody else's transition"
        yield t, drawn // 10_000


@given(st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_each_agent_draws_its_own_recent_transitions(capacity, seed):
    rng = np.random.default_rng(seed)
    for t, step in filled(capacity, 2, 30, lambda t: rng.random((5, 2, len(capacity)))):
        age = t - step
        assert (age >= 0).all() and (age < np.minimum(capacity, t + 1)).all()


@pytest.mark.parametrize("number, oldest", [(0.0, False), (1 - 2**-53, True)])
def test_the_smallest_and_the_largest_number(number, oldest):
    for capacity in range(1, 40):
        draw = np.full((1, 1, 1), number)
        for t, step in filled([capacity], 1, 100, lambda t: draw):  # noqa: B023
            assert step == (max(0, t - capacity + 1) if oldest else t)


def test_every_kept_transition_has_the_same_chance():
    rng, capacity = np.random.default_rng(3), (6, 10)
    for t, step in filled(capacity, 1, 26, lambda t: rng.random((20_000, 1, 2))):
        for agent, size in enumerate(capacity):
            kept = min(size, t + 1)
            seen = np.bincount(t - step[:, 0, agent], minlength=kept)
            expected = 20_000 / kept
            statistic = ((seen - expected) ** 2 / expected).sum()
            assert len(seen) == kept and statistic < kept - 1 + 6 * np.sqrt(2 * kept)


def test_draws_are_independent_of_each_other():
    """Two draws from a memory of 4: all 16 pairs are equally frequent."""
    rng = np.random.default_rng(4)
    seen = np.zeros((4, 4))
    for t, step in filled((4,), 500, 60, lambda t: rng.random((2, 500, 1))):
        if t >= 3:
            np.add.at(seen, (t - step[0, :, 0], t - step[1, :, 0]), 1)
    expected = seen.sum() / 16
    assert ((seen - expected) ** 2 / expected).sum() < 15 + 6 * np.sqrt(30)


def test_a_memory_of_one_is_the_present():
    rng = np.random.default_rng(5)
    for t, step in filled((1, 1, 1), 3, 20, lambda t: rng.random((4, 3, 3))):
        assert (step == t).all()
