"""Exact levels of the switch riddle: by listing all sequences of visits, by integer programming, and by playing."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from marl_lessons.envs.games.riddle import SwitchRiddle
from marl_lessons.evaluation.statistics import play_episodes
from marl_lessons.evaluation.talk.levels import (
    Deed,
    best_silent_limits,
    chance_all_visited,
    counting_protocol,
    last_day_limits,
    protocol_reward,
    riddle_levels,
    visits_protocol,
)


@pytest.fixture(scope="module")
def three():
    return riddle_levels(3)


def by_listing(n, decide) -> Fraction:
    """The reward if ``decide(day, visitors so far)`` says whether today's visitor tells: every sequence of n^T one by one."""
    days, total = 4 * n - 6, 0
    for visitors in itertools.product(range(n), repeat=days):
        for day in range(1, days + 1):
            if decide(day, visitors[:day]):
                total += 1 if len(set(visitors[:day])) == n else -1
                break
    return Fraction(total, n**days)


def test_levels_of_three_prisoners(three):
    assert three.oracle == three.counting == Fraction(20, 27)
    assert three.silent == Fraction(130, 243)
    assert three.last_day == Fraction(128, 243)
    assert three.blind == Fraction(13, 27)


def test_levels_of_three_prisoners_by_listing_all_visits(three):
    own = lambda seen: seen.count(seen[-1])  # noqa: E731
    assert three.oracle == by_listing(3, lambda day, seen: len(set(seen)) == 3)
    assert three.blind == by_listing(3, lambda day, seen: day == 6)
    assert three.last_day == max(
        by_listing(3, lambda day, seen, k=k: day == 6 and own(seen) <= k) for k in range(7)
    )
    assert three.silent == by_listing(
        3, lambda day, seen: (day == 5 and own(seen) == 1) or (day == 6 and own(seen) <= 3)
    )
    assert best_silent_limits(3) == (0, 0, 0, 0, 1, 3) and last_day_limits(3) == (0,) * 5 + (3,)


def test_levels_of_four_prisoners():
    four = riddle_levels(4)
    assert four.oracle == four.counting == Fraction(102315, 131072)
    assert float(four.oracle) == pytest.approx(0.780602, abs=5e-7)
    assert four.blind == 2 * four.oracle - 1
    assert four.blind < four.last_day <= four.silent < four.oracle


def test_no_silent_prisoners_do_better_whatever_they_remember(three):
    """Integer programming over all ways to tell by the days of one's own visits, each prisoner with rules of its own.

    One 0-1 variable per prisoner and history says whether it tells; one variable per sequence of visitors, whether the
    episode goes on after it. Its bound is a proof up to rounding.
    """
    n, days, names, rows, bounds = 3, 6, {}, [], []

    def column(*name):
        return names.setdefault(name, len(names))

    cost = {}
    for day in range(1, days + 1):
        for seen in itertools.product(range(n), repeat=day):
            tell = column("tell", seen[-1], tuple(d for d in range(day) if seen[d] == seen[-1]))
            after, before = column("on", seen), column("on", seen[:-1])
            rows += [{after: 1, before: -1}, {after: 1, tell: 1}, {before: 1, tell: -1, after: -1}]
            bounds += [0, 1, 0]
            worth = (1 if len(set(seen)) == n else -1) / n**day
            cost[after] = cost.get(after, 0) + worth
            cost[before] = cost.get(before, 0) - worth
    places = [(r, c, v) for r, row in enumerate(rows) for c, v in row.items()]
    r, c, v = map(np.array, zip(*places))
    matrix = coo_array((v, (r, c)), shape=(len(rows), len(names))).tocsr()
    low = np.zeros(len(names))
    low[column("on", ())] = 1
    found = milp(
        [cost.get(k, 0) for k in range(len(names))],
        constraints=LinearConstraint(matrix, -np.inf, bounds),
        integrality=[name[0] == "tell" for name in names],
        bounds=Bounds(low, 1),
        options={"mip_rel_gap": 1e-9},
    )
    assert found.success
    assert -found.mip_dual_bound == pytest.approx(float(three.silent), abs=1e-7)


@given(st.integers(1, 4), st.integers(0, 6))
def test_chances_by_listing_all_draws(n, days):
    draws = list(itertools.product(range(n), repeat=days))
    all_there = sum(len(set(draw)) == n for draw in draws)
    assert chance_all_visited(n, days) == Fraction(all_there, len(draws))


@pytest.mark.parametrize("n", [3, 4, 5])
def test_the_counting_protocol_never_errs_and_needs_n_minus_1_words(n):
    words = set()

    def watched(day, memory, heard):
        deed = counting_protocol(n)(day, memory, heard)
        words.add(deed.say)
        return deed

    reward = protocol_reward(n, watched)
    assert reward == chance_all_visited(n, 4 * n - 6)
    assert words - {n - 1} == set(range(n - 1))


def test_a_protocol_played_day_by_day():
    """1,000 prisons follow the counting protocol by hand, with everyone's memory and yesterday's word kept outside."""
    worlds, protocol = SwitchRiddle(1000, 4), counting_protocol(4)
    memory, word = {}, {}

    def act(worlds, observations):
        actions = np.zeros((1000, 4), dtype=int)
        for e in range(1000):
            who, day = int(worlds.in_room[e]), int(worlds.days[e])
            if day == 1:
                memory[e], word[e] = [None] * 4, None
            tell, word[e], memory[e][who] = protocol(day, memory[e][who], word[e])
            actions[e, who] = tell
        return actions

    rewards = play_episodes(worlds, act, 1, np.random.default_rng(0)).returns[:, 0]
    assert set(rewards) == {0.0, 1.0}  # never wrong
    assert abs(rewards.mean() - 0.780602) < 5 * rewards.std() / np.sqrt(1000)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=8))
def test_any_limits_on_ones_visits_by_listing(limits):
    by_rule = lambda day, seen: day <= len(limits) and seen.count(seen[-1]) <= limits[day - 1]  # noqa: E731
    assert protocol_reward(3, visits_protocol(limits)) == by_listing(3, by_rule)


def test_words_that_are_forgotten_by_the_next_day():
    """Whoever hears a word hears yesterday's: telling "the word said today came from someone else" is worth what it should."""

    def protocol(day, memory, heard):
        return Deed(
            day == 3 and heard == "new" and memory is None,
            "new" if day == 2 and memory is None else "old",
            1,
        )

    # Told on day 3 by a third prisoner if the second was new: always right, probability 2/3 · 1/3.
    assert protocol_reward(3, protocol) == Fraction(2, 9)


bad = st.none() | st.text(max_size=3) | st.booleans() | st.floats() | st.integers(-5, -1)


@given(bad)
def test_bad_arguments_are_named(value):
    for n in (value, 2, 6, 3.0):
        for call in (
            riddle_levels,
            counting_protocol,
            best_silent_limits,
            last_day_limits,
            lambda n: protocol_reward(n, counting_protocol(3)),
        ):
            with pytest.raises(ValueError, match="n_agents"):
                call(n)
    with pytest.raises(ValueError, match="n_agents"):
        chance_all_visited(value, 3)
    with pytest.raises(ValueError, match="n_days"):
        chance_all_visited(3, value)
    for n_agents, n_days, name in ((10**9, 3, "n_agents"), (3, 10**9, "n_days")):
        with pytest.raises(ValueError, match=f"^{name} is 1000000000; allowed"):
            chance_all_visited(n_agents, n_days)
    for protocol in (value, lambda *_: value, lambda *_: (True, 0, None), lambda *_: (1, 0, 1),
                     lambda *_: (False, [value], 1), lambda *_: (False, 1, (1, [value]))):  # fmt: skip
        with pytest.raises(ValueError, match="protocol"):
            protocol_reward(3, protocol)
    for limits in (value, [], [value], [-1], [[0]]):
        with pytest.raises(ValueError, match="most_visits"):
            visits_protocol(limits)
