"""Episodes of the switch riddle as arrays: against plain loops, and against the worlds played step by step."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.envs.games.riddle import (
    NONE,
    TELL,
    RiddlePlay,
    SwitchRiddle,
    been_before,
    code_table,
    every_sequence,
    riddle_outcome,
    tell_table,
    visited,
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
        assert visited(today, n_agents)[day].tolist() == [i in been for i in range(n_agents)]
        assert lived[day] == (not over)
        expected = 0.0 if over or not tell else 1.0 if len(been) == n_agents else -1.0
        assert rewards[day] == expected
        over = over or tell
    before = been_before(today[None])[0]
    assert before.tolist() == [who in today[:day] for day, who in enumerate(today)]


@pytest.mark.parametrize("n_agents", [3, 4])
def test_outcomes_are_those_of_the_worlds(n_agents):
    """The same visitors and the same deeds, in the worlds and in arrays."""
    worlds, rng = SwitchRiddle(300, n_agents), np.random.default_rng(0)
    worlds.reset(rng)
    visitors, deeds, paid = [], [], np.zeros(300)
    for _ in range(worlds.time_limit):
        going = ~worlds.ended
        visitors.append(worlds.in_room.copy())
        deeds.append(rng.random(300) < 0.15)
        before = worlds.ended
        worlds.ended = np.zeros(
            300, dtype=bool
        )  # let those that ended go on; their rewards are left out
        step = worlds.step(np.where(deeds[-1], TELL, NONE)[:, None].repeat(n_agents, 1), rng)
        paid += step.rewards[:, 0] * going
        worlds.ended = worlds.ended | before
    rewards, _ = riddle_outcome(np.stack(visitors, 1), np.stack(deeds, 1), n_agents)
    over = np.stack(deeds, 1).any(axis=1)
    assert 0.5 < over.mean() < 1
    assert (rewards.sum(axis=1) == paid).all()


def test_all_sequences_are_there_once_and_give_exact_expectations():
    today = every_sequence(3)
    assert today.shape == (729, 6) and len(np.unique(today, axis=0)) == 729
    assert today.min() == 0 and today.max() == 2
    everyone = visited(today, 3).all(axis=2)
    rewards, _ = riddle_outcome(today, everyone, 3)  # who sees all tells at once and never wrongly
    assert Fraction(int(rewards.sum()), 729) == Fraction(20, 27)
    last_day = np.broadcast_to(np.arange(6) == 5, today.shape)
    blind, _ = riddle_outcome(today, last_day, 3)
    assert Fraction(int(blind.sum()), 729) == 2 * Fraction(20, 27) - 1


@pytest.mark.parametrize("wrong", [2, 0, 3.0, True, None, "3"])
def test_impossible_numbers_of_prisoners_are_refused(wrong):
    with pytest.raises(ValueError, match="n_agents"):
        every_sequence(wrong)


def test_too_many_sequences_are_refused():
    with pytest.raises(ValueError, match=r"n_agents is 4; 10 days have 4\^10 sequences"):
        every_sequence(4)
    with pytest.raises(ValueError, match=r"n_agents is 1000000000;"):
        every_sequence(10**9)


@pytest.mark.parametrize("wrong", [None, 3, "play", (1, 2, 3, 4, 5, 6)])
def test_tables_are_made_of_plays(wrong):
    for table in (code_table, tell_table):
        with pytest.raises(ValueError, match=r"^play"):
            table(wrong)


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
