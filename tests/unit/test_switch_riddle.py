"""The switch riddle, day by day against the words of its rules."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers

from marl_lessons.envs.games.riddle import NONE, TELL, SwitchRiddle, riddle_days
from marl_lessons.envs.stepping import BatchedWorlds, check_batched_worlds


def rng(seed=0):
    return np.random.default_rng(seed)


def test_it_follows_the_protocol():
    worlds = SwitchRiddle(4, 5)
    assert check_batched_worlds("worlds", worlds) is worlds and isinstance(worlds, BatchedWorlds)
    assert (worlds.n_agents, worlds.n_actions, worlds.observation_sizes) == (5, (2,) * 5, (2,) * 5)
    assert worlds.ended.all() and not worlds.active.any() and not worlds.inside.any()
    assert (NONE, TELL) == (0, 1)
    seen = worlds.reset(rng())
    assert worlds.active.all() and not worlds.ended.any()
    step = worlds.step(np.zeros((4, 5), dtype=int), rng())
    assert seen.shape == step.observations.shape == (4, 5, 2)
    assert seen.dtype == step.observations.dtype == np.float32
    assert step.rewards.shape == step.terminated.shape == (4, 5)
    assert step.rewards.dtype == np.float64 and step.terminated.dtype == bool
    assert step.truncated.shape == step.ended.shape == (4,)


def test_the_days_given():
    assert [riddle_days(n) for n in (3, 4, 5, 10)] == [6, 10, 14, 34]
    assert SwitchRiddle(1, 4).time_limit == 10 and SwitchRiddle().time_limit == 6


@given(seed_numbers, st.integers(3, 5), st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_every_day_is_as_the_rules_say(seed, n, telling):
    generator, n_worlds, days = rng(seed), 5, 4 * n - 6
    worlds = SwitchRiddle(n_worlds, n)
    observations = worlds.reset(generator)
    been = [[int(i)] for i in worlds.in_room]
    numbers = {}
    for _ in range(2 * days):
        for e in range(n_worlds):
            today = len(been[e])
            assert worlds.days[e] == today and worlds.in_room[e] == been[e][-1]
            assert worlds.visits[e].tolist() == [been[e].count(i) for i in range(n)]
            assert worlds.all_visited[e] == (set(been[e]) == set(range(n)))
            for i in range(n):
                inside = i == been[e][-1]
                assert worlds.inside[e, i] == inside
                assert observations[e, i].tolist() == ([0, 1] if inside else [1, 0])
                known = (today, been[e].count(i), inside)
                number = int(worlds.local_states[e, i])
                assert 0 <= number < worlds.n_local_states
                assert numbers.setdefault(number, known) == known
        actions = (generator.random((n_worlds, n)) < telling).astype(int)
        step = worlds.step(actions, generator)
        for e in range(n_worlds):
            told = actions[e, been[e][-1]] == 1
            right = set(been[e]) == set(range(n))
            wanted = (1.0 if right else -1.0) if told else 0.0
            over = told or len(been[e]) == days
            assert step.rewards[e].tolist() == [wanted] * n
            assert step.ended[e] == worlds.ended[e] == over and not step.truncated[e]
            assert step.terminated[e].tolist() == [over] * n
            assert worlds.active[e].tolist() == [not over] * n
            if over:  # the last day stays to be seen
                assert worlds.days[e] == len(been[e]) and worlds.in_room[e] == been[e][-1]
                assert worlds.visits[e].sum() == len(been[e])
                been[e] = []
        observations = worlds.reset_where(step.ended, generator)
        for e in range(n_worlds):
            been[e].append(int(worlds.in_room[e]))
    assert len(set(numbers.values())) == len(numbers)


def test_prisoners_are_drawn_fairly_and_anew_each_day():
    worlds, generator = SwitchRiddle(4000, 3), rng()
    worlds.reset(generator)
    first = worlds.in_room
    worlds.step(np.zeros((4000, 3), dtype=int), generator)
    counts = np.bincount(3 * first + worlds.in_room, minlength=9)
    assert np.abs(counts - 4000 / 9).max() < 5 * np.sqrt(4000 / 9)


def test_who_is_drawn_does_not_depend_on_what_is_done():
    quiet, loud = SwitchRiddle(200, 4), SwitchRiddle(200, 4)
    for worlds, actions in (
        (quiet, np.zeros((200, 4), dtype=int)),
        (loud, rng(5).integers(2, size=(200, 4))),
    ):
        worlds.reset(rng(3))
        worlds.step(actions, rng(4))
    assert loud.ended.any() and not loud.ended.all() and not quiet.ended.any()
    assert np.array_equal(quiet.in_room[~loud.ended], loud.in_room[~loud.ended])


def test_only_the_one_in_the_room_can_tell():
    worlds = SwitchRiddle(20)
    worlds.reset(rng())
    step = worlds.step((~worlds.inside).astype(int), rng())
    assert not step.rewards.any() and not step.ended.any() and (worlds.days == 2).all()


def test_worlds_that_go_on_are_left_alone_by_a_new_beginning():
    worlds = SwitchRiddle(30)
    worlds.reset(rng())
    worlds.step(np.zeros((30, 3), dtype=int), rng(1))
    before, which = (worlds.in_room, worlds.visits), np.arange(30) % 2 == 0
    worlds.reset_where(which, rng(2))
    assert (worlds.days == np.where(which, 1, 2)).all()
    assert np.array_equal(worlds.in_room[~which], before[0][~which])
    assert np.array_equal(worlds.visits[~which], before[1][~which])
    assert (worlds.visits[which].sum(axis=1) == 1).all()


bad_count = st.none() | st.text(max_size=3) | st.booleans() | st.floats() | st.integers(-5, 0)
bad = st.none() | st.text(max_size=3) | st.booleans() | st.floats() | st.integers()


@given(bad_count, bad)
def test_bad_arguments_are_named(count, value):
    with pytest.raises(ValueError, match="n_worlds"):
        SwitchRiddle(count)
    for n in (count, 1, 2, 3.0):
        with pytest.raises(ValueError, match="n_agents"):
            SwitchRiddle(1, n)
        with pytest.raises(ValueError, match="n_agents"):
            riddle_days(n)
    worlds = SwitchRiddle(2)
    with pytest.raises(ValueError, match="has ended"):
        worlds.step(np.zeros((2, 3), dtype=int), rng())
    worlds.reset(rng())
    for actions in (value, np.full((2, 3), 2), np.full((2, 3), -1), np.zeros((2, 2), dtype=int)):
        with pytest.raises(ValueError, match="actions"):
            worlds.step(actions, rng())
    for call in (worlds.reset, lambda r: worlds.step(np.zeros((2, 3), dtype=int), r)):
        with pytest.raises(ValueError, match="rng"):
            call(value)
    for which in (value, [1, 0], np.ones(3, dtype=bool)):
        with pytest.raises(ValueError, match="which"):
            worlds.reset_where(which, rng())
