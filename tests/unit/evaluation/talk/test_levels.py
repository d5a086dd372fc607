"""Exact levels: of the blind crossing by walking state by state, of the switch riddle by listing and integer programming."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import seed_numbers
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from marl_lessons.envs.cars.blind_crossing import BlindCrossing
from marl_lessons.evaluation.talk.levels import (
    Deed,
    best_by_chance,
    best_pair_return,
    best_silent_limits,
    best_table,
    chance_all_visited,
    chance_to_go,
    counting_protocol,
    crossing_levels,
    last_day_limits,
    other_is_nearer,
    pair_returns,
    protocol_reward,
    riddle_levels,
    visits_protocol,
)


@pytest.fixture(scope="module")
def levels():
    return crossing_levels(BlindCrossing())


def walked(go, distance, limit, crash=-10.0, passing=10.0, step=-1.0):
    """The pair's expected return of ``go[L, L]``, by following each start's ways through the rules, without the game."""

    def value(cells, entered, left, second):
        if second == limit or all(left):
            return 0.0
        total = 0.0
        for moves in itertools.product((False, True), repeat=2):
            chance, reward, now, when = 1.0, 0.0, list(cells), list(entered)
            for i in (0, 1):
                if entered[i] is None:
                    place = [0 if left[j] else 1 + cells[j] for j in (i, 1 - i)]
                    chance *= go[place[0], place[1]] if moves[i] else 1 - go[place[0], place[1]]
                    reward += step
                    now[i] -= moves[i]
                    when[i] = second if now[i] == 0 else None
                elif not moves[i]:
                    chance = 0.0
            if chance == 0:
                continue
            new = [i for i in (0, 1) if when[i] == second]
            if new and None not in when and abs(when[0] - when[1]) < 2:
                total += chance * (reward + 2 * crash)
                continue
            after = [when[i] is not None and when[i] < second for i in (0, 1)]
            total += chance * (
                reward + passing * len(new) + value(tuple(now), tuple(when), after, second + 1)
            )
        return total

    starts = [(a, b) for a in range(1, distance + 1) for b in range(1, distance + 1) if a != b]
    return np.mean([value(start, (None, None), [False, False], 0) for start in starts])


@settings(max_examples=15)
@given(seed_numbers, st.integers(2, 3), st.integers(1, 5))
def test_returns_of_any_tables_by_walking_through_the_rules(seed, distance, limit):
    rng = np.random.default_rng(seed)
    rewards = rng.normal(size=3).round(2)
    worlds = BlindCrossing(distance=distance, time_limit=limit, crash_reward=rewards[0],
                           pass_reward=rewards[1], step_reward=rewards[2])  # fmt: skip
    go = rng.choice([0.0, 0.3, 0.8, 1.0], size=(2, 1, distance + 2, distance + 2))
    returns = pair_returns(worlds, go)
    assert returns.shape == (2, 1)
    for k in range(2):
        assert returns[k, 0] == pytest.approx(walked(go[k, 0], distance, limit, *rewards), abs=1e-9)


def test_silent_by_hand(levels):
    """Nobody waits. Of 30 starts 10 are one cell apart: +10, then -10 each; the others +20; the cells to go cost 7."""
    by_hand = 20 / 30 * 20 + 10 / 30 * (10 - 20) - 7
    assert levels.silent.pair_return == pytest.approx(by_hand) == pytest.approx(3.0)
    assert (levels.silent.go[2:] == 1).all()


def test_one_bit_by_hand_is_as_good_as_seeing_all(levels):
    """Nobody crashes, and whoever starts one cell behind loses one second: 20 - 7 - 1/3."""
    assert levels.one_bit.pair_return == pytest.approx(20 - 7 - 10 / 30)
    assert levels.all_seeing == pytest.approx(levels.one_bit.pair_return)
    assert levels.one_bit.go[2, 1] == 0  # one cell to go, the other on the crossing: wait
    assert levels.one_bit.go[2, 0] == levels.one_bit.go[2, 3] == 1


def test_chance_breaks_some_of_the_symmetry_and_no_more(levels):
    assert levels.coin.pair_return == pytest.approx(4.1474, abs=1e-4)
    assert levels.any_chance.pair_return == pytest.approx(4.2705, abs=1e-4)
    ordered = [levels.silent, levels.coin, levels.any_chance, levels.one_bit]
    values = [level.pair_return for level in ordered]
    assert all(b > a + 0.1 for a, b in itertools.pairwise(values))
    worlds = BlindCrossing()
    for level in ordered:
        assert pair_returns(worlds, level.go) == pytest.approx(level.pair_return, abs=1e-12)


def test_no_random_start_finds_a_better_chance(levels):
    rng, worlds = np.random.default_rng(0), BlindCrossing()
    chances = rng.random((3000, 6)) ** rng.choice([0.3, 1.0], size=(3000, 1))
    near = np.clip(levels.any_chance.go[2:, 0] + 0.05 * rng.normal(size=(3000, 6)), 0, 1)
    tables = np.ones((6000, 8, 8))
    tables[:, 2:] = np.concatenate([chances, near])[:, :, None]
    assert pair_returns(worlds, tables).max() <= levels.any_chance.pair_return + 1e-9


def test_two_cells_by_hand():
    """Starts (1, 2) and (2, 1) only. A silent pair that never waits gets 10 - 20 - 3; waiting for ever costs the limit."""
    worlds = BlindCrossing(distance=2, time_limit=20)
    assert pair_returns(worlds, np.ones((4, 4))) == pytest.approx(-13)
    assert pair_returns(worlds, np.zeros((4, 4))) == pytest.approx(-40)
    stays = np.ones((4, 4))
    stays[3] = 0  # two cells to go: for ever
    assert pair_returns(worlds, stays) == pytest.approx(10 - 1 - 20)
    assert best_table(worlds).pair_return == pytest.approx(-11)
    assert best_pair_return(worlds) == pytest.approx(20 - 1 - 3)
    assert best_table(worlds, one_bit=True).pair_return == pytest.approx(16)


@settings(max_examples=8)
@given(seed_numbers)
def test_levels_are_ordered_whatever_the_rewards(seed):
    rng = np.random.default_rng(seed)
    crash, passing, step = rng.normal(scale=5, size=3)
    worlds = BlindCrossing(distance=3, time_limit=6, crash_reward=crash, pass_reward=passing, step_reward=step)  # fmt: skip
    levels = crossing_levels(worlds)
    silent, coin, chance, bit = (
        level.pair_return for level in (levels.silent, levels.coin, levels.any_chance, levels.one_bit)
    )  # fmt: skip
    assert silent <= coin + 1e-12 and coin <= chance + 1e-9
    assert silent <= bit + 1e-12 and max(chance, bit) <= levels.all_seeing + 1e-9
    tables = rng.random((50, 5, 5))
    assert (pair_returns(worlds, tables) <= levels.all_seeing + 1e-9).all()


def test_more_symbols_to_toss_are_worth_more():
    worlds = BlindCrossing(distance=5)
    two, four = (best_table(worlds, np.linspace(0, 1, k + 1)).pair_return for k in (2, 4))
    assert two < four < best_by_chance(worlds).pair_return + 1e-9


def test_nearer_means_strictly_and_not_away():
    own, other = np.indices((4, 4))
    nearer = [(a, b) for a, b in np.argwhere(other_is_nearer(own, other))]
    assert nearer == [(2, 1), (3, 1), (3, 2)]


@pytest.mark.parametrize(("kind", "n_heard"), [("nothing", 1), ("one bit", 2), ("distance", 5)])
def test_the_chance_to_go_is_looked_up_row_by_row(kind, n_heard):
    """Against a plain loop over both cars' places, for learned tables of any leading axes."""
    worlds = BlindCrossing(1, distance=3)
    size = worlds.n_local_states
    q = np.random.default_rng(0).random((2, 3, size * n_heard, 2))
    found = chance_to_go(worlds, q, kind)
    assert found.shape == (2, 3, size, size)
    for own in range(size):
        for other in range(size):
            heard = {"nothing": 0, "one bit": int(0 < other < own), "distance": other}[kind]
            row = q[:, :, own * n_heard + heard]
            assert (found[:, :, own, other] == (row[..., 1] > row[..., 0])).all()


def test_the_chance_to_go_at_random_symbols_is_a_mean_over_them():
    worlds = BlindCrossing(1, distance=3)
    q = np.zeros((worlds.n_local_states * 2, 2))
    q[::2, 1] = 1.0  # goes on symbol 0 alone
    assert (chance_to_go(worlds, q, "random symbol") == 0.5).all()


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

    def follow(day, memory, heard):
        deed = counting_protocol(n)(day, memory, heard)
        words.add(deed.say)
        return deed

    reward = protocol_reward(n, follow)
    assert reward == chance_all_visited(n, 4 * n - 6)
    assert words - {n - 1} == set(range(n - 1))


@given(st.lists(st.integers(0, 4), min_size=6, max_size=6))
def test_any_limits_on_ones_visits_by_listing(limits):
    by_rule = lambda day, seen: seen.count(seen[-1]) <= limits[day - 1]  # noqa: E731
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


NEAR = BlindCrossing(1, distance=3)  # 5 places


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: crossing_levels("crossing"), "worlds"),
        (lambda: crossing_levels(BlindCrossing(distance=12)), r"worlds.*3\^12"),
        (lambda: best_table(BlindCrossing(distance=12), one_bit=True), r"worlds.*2\^24"),
        (lambda: pair_returns(None, np.ones((4, 4))), "worlds"),
        (lambda: pair_returns(NEAR, np.ones((3, 3))), "go"),
        (lambda: pair_returns(NEAR, np.full((5, 5), np.nan)), "go"),
        (lambda: chance_to_go(NEAR, np.zeros((5, 2)), "loudly"), "kind"),
        (lambda: chance_to_go(NEAR, np.zeros((5, 2)), "one bit"), "q"),
        (lambda: chance_to_go(NEAR, np.zeros((5, 3)), "nothing"), "q"),
        (lambda: chance_to_go(NEAR, np.zeros((7, 2)), "random symbol"), "q"),
        *((lambda n=n: riddle_levels(n), "n_agents") for n in (2, 6, 3.0, None, "3", True)),
    ],
)  # fmt: skip
def test_bad_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        call()
