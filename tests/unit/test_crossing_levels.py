"""Exact levels of the blind crossing: against chains walked state by state, played episodes, and arithmetic by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import seed_numbers

from marl_lessons.envs.cars.blind_crossing import BlindCrossing
from marl_lessons.evaluation.statistics import play_episodes
from marl_lessons.evaluation.talk.levels import (
    best_by_chance,
    best_pair_return,
    best_table,
    chance_to_go,
    crossing_levels,
    other_is_nearer,
    pair_returns,
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


@settings(max_examples=5)
@given(seed_numbers)
def test_returns_of_played_episodes(seed):
    rng = np.random.default_rng(seed)
    worlds, go = BlindCrossing(20_000), rng.random((8, 8))

    def act(worlds, observations):
        places = worlds.local_states
        return (rng.random(places.shape) < go[places, places[:, ::-1]]).astype(int)

    returns = play_episodes(worlds, act, 1, rng).returns.sum(axis=1)
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - pair_returns(worlds, go)) < 5 * error


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


bad = st.none() | st.text(max_size=3) | st.booleans() | st.floats() | st.integers()


@given(bad)
def test_bad_arguments_are_named(value):
    worlds = BlindCrossing(distance=2)
    for call in (best_table, best_by_chance, best_pair_return, crossing_levels):
        with pytest.raises(ValueError, match="worlds"):
            call(value)
    with pytest.raises(ValueError, match="worlds"):
        pair_returns(value, np.ones((4, 4)))
    for go in (
        value,
        np.ones((3, 3)),
        np.full((4, 4), 1.1),
        np.full((4, 4), np.nan),
        np.ones(4),
        np.ones((0, 4, 4)),
    ):
        with pytest.raises(ValueError, match="go"):
            pair_returns(worlds, go)
    for probabilities in (value, [], [0.0, 1.5], [[0.0, 1.0]], [np.nan]):
        with pytest.raises(ValueError, match="probabilities"):
            best_table(worlds, probabilities)
    with pytest.raises(ValueError, match="one_bit"):
        best_table(worlds, one_bit="yes")


def test_too_many_tables_are_refused_with_their_number():
    with pytest.raises(ValueError, match=r"worlds.*2\^24"):
        best_table(BlindCrossing(distance=12), one_bit=True)


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


@pytest.mark.parametrize(
    ("q", "kind", "name"),
    [
        (np.zeros((5, 2)), "loudly", "kind"),
        (np.zeros((5, 2)), None, "kind"),
        (np.zeros((5, 2)), "one bit", "q"),
        (np.zeros((5, 3)), "nothing", "q"),
        (np.full((5, 2), np.nan), "nothing", "q"),
        (np.zeros((7, 2)), "random symbol", "q"),
        (None, "nothing", "q"),
    ],
)
def test_chances_to_go_of_nonsense_are_refused(q, kind, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        chance_to_go(BlindCrossing(1, distance=3), q, kind)
