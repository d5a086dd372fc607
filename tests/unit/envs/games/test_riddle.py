"""Episodes of the switch riddle as arrays, against plain loops; codes read off what was said."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.envs.games.riddle import (
    RiddlePlay,
    code_table,
    every_sequence,
    riddle_days,
    riddle_outcome,
    tell_table,
)


def play_of(today, said, heard, tells, n_agents=3):
    rewards, lived = riddle_outcome(today, tells, n_agents)
    return RiddlePlay(today, said, heard, tells, lived, rewards.sum(axis=-1))


@given(
    days=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=10),
    n_agents=st.integers(3, 4),
)
def test_outcomes_are_those_of_a_plain_loop(days, n_agents):
    today = np.array([who % n_agents for who, _ in days])
    tells = np.array([tell for _, tell in days])
    rewards, lived = riddle_outcome(today, tells, n_agents)
    been, over = set(), False
    for day, (who, tell) in enumerate(zip(today.tolist(), tells)):
        been.add(who)
        assert lived[day] == (not over)
        expected = 0.0 if over or not tell else 1.0 if len(been) == n_agents else -1.0
        assert rewards[day] == expected
        over = over or tell


def test_all_sequences_are_there_once_and_give_exact_expectations():
    today = every_sequence(3)
    assert today.shape == (729, 6) and len(np.unique(today, axis=0)) == 729
    assert today.min() == 0 and today.max() == 2
    everyone = np.array([[len(set(e[: t + 1])) == 3 for t in range(6)] for e in today.tolist()])
    rewards, _ = riddle_outcome(today, everyone, 3)  # who sees all tells at once and never wrongly
    assert Fraction(int(rewards.sum()), 729) == Fraction(20, 27)
    last_day = np.broadcast_to(np.arange(6) == 5, today.shape)
    blind, _ = riddle_outcome(today, last_day, 3)
    assert Fraction(int(blind.sum()), 729) == 2 * Fraction(20, 27) - 1


def test_a_code_is_read_off_its_words():
    """A code that counts: 1 says that two have been there. Computed by a loop here, and its table known beforehand."""
    today = every_sequence(3)
    said, tells = np.zeros((1, 729, 6), dtype=int), np.zeros((1, 729, 6), dtype=bool)
    for e, visitors in enumerate(today.tolist()):
        for day in range(6):
            count = len(set(visitors[: day + 1]))
            said[0, e, day] = count >= 2
            tells[0, e, day] = count == 3 and visitors[day] not in visitors[:day]
    play = play_of(today, said, said.astype(float), tells)
    assert play.scores.tolist() == [pytest.approx(20 / 27)]
    code, tell = code_table(play)[0], tell_table(play)[0]
    assert code.shape == tell.shape == (6, 2, 2)
    np.testing.assert_array_equal(code[0], [[0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(code[1], [[1, np.nan], [0, np.nan]])
    for day in range(2, 6):
        assert code[day].tolist() == [[1, 1], [0, 1]]
        assert tell[day].tolist() == [[0, 1], [0, 0]]


def test_tables_count_only_days_that_were_lived():
    """Two episodes; in the first somebody tells on day 3, and the words after that don't count."""
    today = np.array([[0, 0, 1, 0, 2, 1], [0, 0, 1, 0, 2, 1]])
    tells = np.zeros((1, 2, 6), dtype=bool)
    tells[0, 0, 2] = True
    said = np.array([[[0, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]]])
    play = play_of(today, said, said + 0.0, tells)
    code, tell = code_table(play)[0], tell_table(play)[0]
    assert code[2, 0, 0] == 0.5 and tell[2, 0, 0] == 0.5
    assert code[3, 1, 0] == 0.0 and np.isnan(code[3, 1, 1])
    assert np.isnan(code[4, 1]).all() and code[4, 0, 0] == 0.0


def test_what_was_heard_counts_not_what_was_said():
    today = np.array([[0, 1, 2, 0, 1, 2]])
    said, tells = np.ones((1, 1, 6), dtype=int), np.zeros((1, 1, 6), dtype=bool)
    code = code_table(play_of(today, said, np.full((1, 1, 6), 0.2), tells))[0]
    assert np.isnan(code[:, :, 1]).all() and code[0, 0, 0] == 1 and code[5, 1, 0] == 1


@pytest.mark.parametrize("n_agents", [2, 0, 3.0, True, None, "3", 4, 10**9])
def test_numbers_of_prisoners_without_a_list_of_sequences_are_refused(n_agents):
    with pytest.raises(ValueError, match=r"^n_agents"):
        every_sequence(n_agents)


def test_the_days_given():
    assert [riddle_days(n) for n in (3, 4, 5, 10)] == [6, 10, 14, 34]
