"""What a memory returns: nothing too old, everything else with equal chance, and nobody else's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.algorithms.tables.rules import Memory


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
