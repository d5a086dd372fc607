"""Worlds in which agents listen: against plain loops over cars, at every moment; channels, and what learners make of it."""

import numpy as np
import pytest
from corridor_worlds import CorridorWorlds
from hypothesis import given, settings
from hypothesis import strategies as st

from marl_lessons.algorithms import Linear, PerVisit, TabularConfig
from marl_lessons.algorithms.tables.independent_q_in_worlds import independent_q_learning_in_worlds
from marl_lessons.algorithms.talk.languages import (
    KINDS,
    QUESTIONS,
    crossing_language,
    hear_bits,
    junction_language,
)
from marl_lessons.algorithms.talk.worlds import (
    Language,
    ListeningWorlds,
    greedy_in_worlds,
)
from marl_lessons.envs import two_cars
from marl_lessons.envs.cars.blind_crossing import BlindCrossing
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.stepping import GameWorlds, check_batched_worlds
from marl_lessons.evaluation.statistics import play_episodes
from marl_lessons.evaluation.talk.channels import Delay, mute, shuffle
from marl_lessons.evaluation.talk.levels import best_table, pair_returns


def listening_junction(n_worlds, n_bits, channel=None, **settings):
    worlds = TrafficJunction("easy", n_worlds, **settings)
    return ListeningWorlds(worlds, *junction_language(worlds, n_bits), channel)


def listening_crossing(n_worlds, kind, rng=None, channel=None, **settings):
    worlds = BlindCrossing(n_worlds, **settings)
    return ListeningWorlds(worlds, *crossing_language(worlds, kind, rng), channel)


def sum_of_others(modulus):
    """Everyone says its local state; everyone hears the sum of the others' modulo a number."""
    return Language(
        lambda worlds: worlds.local_states[:, :, None],
        lambda worlds, messages, spoke: messages[..., 0].sum(axis=2).astype(int) % modulus,
        modulus,
    )


def play(worlds, rng, n_steps, begin_early=0.0):
    """Random actions; yields after every reset and step; now and then worlds begin anew before they have ended."""
    worlds.reset(rng)
    yield None
    for _ in range(n_steps):
        after = worlds.step(rng.integers(2, size=(worlds.n_worlds, worlds.n_agents)), rng)
        yield after
        again = after.ended | (rng.random(worlds.n_worlds) < begin_early)
        if again.any():
            worlds.reset_where(again, rng)
            yield None


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5))
@settings(max_examples=30)
def test_what_is_heard_belongs_to_the_present_moment(seed, n_worlds, n, modulus):
    inside = CorridorWorlds(n_worlds, n, arrival=0.6, time_limit=5)
    worlds = ListeningWorlds(inside, *sum_of_others(modulus))
    check_batched_worlds("worlds", worlds)
    assert worlds.n_local_states == inside.n_local_states * modulus
    for _ in play(worlds, np.random.default_rng(seed), 15, begin_early=0.2):
        cells = inside.local_states  # 0: no car
        for e, i in np.ndindex(n_worlds, n):
            total = sum(int(cells[e, j]) for j in range(n) if j != i)
            heard = total % modulus if cells[e, i] > 0 else 0
            assert worlds.heard[e, i] == heard
            assert worlds.local_states[e, i] == cells[e, i] * modulus + heard
        assert np.array_equal(worlds.active, inside.active)
        assert np.array_equal(worlds.ended, inside.ended)


def test_they_speak_once_a_moment_and_reading_changes_nothing():
    """Random words: drawn once a step; when world 0 begins anew the others keep what they have heard."""
    inside, rng, calls = (
        CorridorWorlds(3, 2, arrival=1.0, time_limit=100),
        np.random.default_rng(0),
        [],
    )

    def say(worlds):
        calls.append(1)
        return rng.integers(1, 10**6, size=(3, 2, 1))

    def hear(worlds, messages, spoke):
        return messages[..., 0, 0].astype(int)

    worlds = ListeningWorlds(inside, say, hear, 10**6)
    worlds.reset(rng)
    for t in range(5):
        first, second = worlds.local_states, worlds.local_states
        assert np.array_equal(first, second) and len(calls) == 1 + t
        worlds.step(np.ones((3, 2), dtype=int), rng)
    before, there = worlds.heard.copy(), inside.active.copy()
    assert there.all() and len(np.unique(before)) == 6
    worlds.reset_where(np.array([True, False, False]), rng)
    assert np.array_equal(worlds.heard[1:], before[1:]) and (worlds.heard[0] != before[0]).all()
    assert np.array_equal(worlds.buffer.read(0).messages[1:, 0, 0], before[1:, 0])


def test_cars_still_there_when_the_clock_stops_speak_once_more():
    inside = CorridorWorlds(1, 2, arrival=1.0, time_limit=1)
    worlds = ListeningWorlds(inside, *sum_of_others(7))
    rng = np.random.default_rng(0)
    worlds.reset(rng)
    after = worlds.step(np.zeros((1, 2), dtype=int), rng)
    assert after.truncated.all() and not worlds.active.any()
    assert worlds.heard.tolist() == [[2, 2]], "both are in their second cell now"


def test_who_hears_nothing_learns_bit_for_bit_as_without_the_worlds_around():
    config = TabularConfig(400, 0.2, 0.3, n_records=4)
    bare = independent_q_learning_in_worlds(
        TrafficJunction("easy", 3), config, np.random.default_rng(4), discount=0.9
    )
    around = independent_q_learning_in_worlds(
        listening_junction(3, 0), config, np.random.default_rng(4), discount=0.9
    )
    assert np.array_equal(bare.q, around.q) and np.array_equal(bare.visits, around.visits)


def plain_answers(junction, e, i):
    """The three questions, answered by looking at the cars' cells on the map."""
    route, progress = junction.route[e], junction.progress[e]
    if route[i] < 0:
        return 0
    others = [j for j in range(junction.n_agents) if j != i and route[j] >= 0]
    same = [j for j in others if route[j] == route[i]]
    before = {
        0: (2, 3),
        1: (3, 2),
    }  # the cells right before (3, 3), by route: from north, from west
    waits = any(tuple(junction.cells[e, j]) == before[route[j]] for j in others if j not in same)
    ahead = [progress[j] - progress[i] for j in same]
    return waits + 2 * (1 in ahead) + 4 * (2 in ahead)


@pytest.mark.parametrize("n_bits", [0, 1, 2, 3])
def test_the_bits_of_the_junction(n_bits):
    worlds, seen = listening_junction(4, n_bits, arrival_rate=0.6), set()
    for _ in play(worlds, np.random.default_rng(3), 60):
        for e, i in np.ndindex(4, 5):
            expected = plain_answers(worlds.worlds, e, i) % 2**n_bits
            assert worlds.heard[e, i] == expected
            seen.add(expected)
    assert seen == set(range(2**n_bits)) and len(QUESTIONS) == 3


def test_what_the_drivers_at_the_blind_crossing_hear():
    for kind in KINDS[:3]:
        worlds = listening_crossing(30, kind)
        for _ in play(worlds, np.random.default_rng(2), 40):
            if worlds.worlds.crashed.any():
                continue
            for e in range(30):
                own, other = worlds.worlds.distances[e]
                expected = {
                    "nothing": 0,
                    "one bit": int(0 <= other < own),
                    "distance": other + 1,
                }[kind] * (own >= 0)
                assert worlds.heard[e, 0] == expected, (kind, own, other)


def test_random_symbols_tell_nothing_and_are_heard_by_both():
    worlds, heard = listening_crossing(2_000, "random symbol", np.random.default_rng(1)), []
    for _ in play(worlds, np.random.default_rng(5), 5):
        heard.append(worlds.heard[worlds.active.all(axis=1)])
        one_left = worlds.active.sum(axis=1) == 1
        alone = worlds.heard[one_left][worlds.active[one_left]]
        assert len(alone) < 100 or abs(alone.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(alone))
    both = np.concatenate(heard)
    assert len(both) > 5_000
    table = np.histogram2d(*both.T, bins=2)[0] / len(both)
    assert np.abs(table - 0.25).max() < 0.03


def go_table(q, size, n_heard, hears):
    """``go[own, other]`` from a learned table: what is done at each place, given what a driver hears of the other."""
    best = q.reshape(size, n_heard, 2).argmax(axis=2)
    return np.array(
        [[best[own, hears(own, other)] for other in range(size)] for own in range(size)]
    )


def test_one_bit_lifts_the_blind_crossing_to_its_exact_level_and_nothing_else_does():
    n = 3_000
    config = TabularConfig(n, PerVisit(0.6), Linear(0.3, 0.02, n, per="step"), n_records=1)
    crossing = BlindCrossing(1, distance=4)
    silent, bit = best_table(crossing).pair_return, best_table(crossing, one_bit=True).pair_return
    size = crossing.n_local_states
    hears = {
        "nothing": (1, lambda own, other: 0),
        "one bit": (2, lambda own, other: int(0 < other < own)),
        "distance": (size, lambda own, other: other),
    }
    levels = {}
    for kind, (n_heard, what) in hears.items():
        worlds = listening_crossing(12, kind, distance=4)
        q = independent_q_learning_in_worlds(
            worlds, config, np.random.default_rng(0), discount=1.0
        ).q[-1]
        levels[kind] = pair_returns(crossing, [go_table(table, size, n_heard, what) for table in q])
    assert levels["nothing"].max() <= silent + 1e-9 < bit - 3
    assert (levels["one bit"] > silent + 3).all() and np.median(levels["one bit"]) >= bit - 0.2
    assert np.median(levels["distance"]) >= bit - 0.2


def successes(tables, n_bits, channel=None):
    worlds = listening_junction(200 * len(tables), n_bits, channel)
    act, rng = greedy_in_worlds(tables), np.random.default_rng(1)
    failed = play_episodes(worlds, act, 1, rng, lambda w: w.worlds.failed).measured
    return 1 - failed.reshape(len(tables), 200).mean(axis=1)


def test_bits_pay_at_the_junction_until_they_are_taken_away():
    n = 6_000
    config = TabularConfig(n, PerVisit(0.6), Linear(0.3, 0.02, n, per="step"), None, n_records=1)

    def learned(n_bits):
        worlds = listening_junction(6, n_bits)
        return independent_q_learning_in_worlds(
            worlds, config, np.random.default_rng(2), discount=0.95
        ).q[-1]

    one, three = learned(1), learned(3)
    assert successes(np.zeros_like(one[:1, ::2]), 0) < 0.4, "the yardstick: always go"
    assert successes(one, 1).min() > 0.6 and np.median(successes(three, 3)) > 0.75
    assert successes(three, 3, mute()).max() < 0.4
    assert successes(three, 3, shuffle(np.random.default_rng(0))).mean() < 0.5
    assert successes(three, 3, Delay(1)).mean() < successes(three, 3).mean() - 0.1


def test_a_channel_gets_what_was_said_and_decides_what_arrives():
    inside, asked = CorridorWorlds(2, 3, arrival=0.5, time_limit=4), []

    def channel(messages, spoke):
        asked.append((messages.copy(), spoke.copy()))
        return messages + 10

    worlds = ListeningWorlds(inside, *sum_of_others(1000), channel)
    for after in play(worlds, np.random.default_rng(0), 10):
        messages, spoke = asked[-1]
        assert np.array_equal(messages[..., 0], inside.local_states)
        assert np.array_equal(spoke, inside.local_states > 0) or after is not None
        for e, i in np.ndindex(2, 3):
            others = [j for j in range(3) if j != i and inside.local_states[e, j] > 0]
            total = sum(inside.local_states[e, j] + 10 for j in others)
            assert worlds.heard[e, i] == total * (inside.local_states[e, i] > 0)


def test_muted_cars_are_not_mistaken_for_cars_at_the_entry():
    worlds = listening_junction(20, 3, mute(), arrival_rate=0.9)
    for _ in play(worlds, np.random.default_rng(0), 20):
        assert not worlds.heard.any()


def test_a_channel_with_a_memory_forgets_when_all_begin_and_is_refused_where_some_do():
    """A delay of one second: heard now is the sum of the others a second ago; in the first second of an episode silence."""
    inside, delay = CorridorWorlds(2, 2, arrival=1.0, time_limit=3), Delay(1)
    worlds = ListeningWorlds(inside, *sum_of_others(100), delay)
    rng, going = np.random.default_rng(0), np.zeros((2, 2), dtype=int)
    for _ in range(2):
        worlds.reset(rng)
        assert not worlds.heard.any()
        before = inside.local_states.copy()
        worlds.step(going, rng)
        assert np.array_equal(worlds.heard, before[:, ::-1])
        with pytest.raises(ValueError, match=r"^channel: one with a memory"):
            worlds.reset_where(np.array([True, False]), rng)


def test_greedy_actions_of_several_tables():
    tables = np.zeros((2, 8, 2))
    tables[0, :, 1], tables[1, 3, 1] = 1.0, 1.0
    worlds = CorridorWorlds(4, 2)
    worlds.local_states[:] = [[3, 2]] * 4
    worlds.n_local_states = 8
    assert greedy_in_worlds(tables)(worlds).tolist() == [[1, 1], [1, 1], [1, 0], [1, 0]]
    for wrong in (np.zeros((3, 8, 2)), np.zeros((2, 7, 2))):
        with pytest.raises(ValueError, match=r"^worlds: 4 worlds with 8 local states"):
            greedy_in_worlds(wrong)(worlds)
    with pytest.raises(ValueError, match=r"^tables"):
        greedy_in_worlds(np.full((2, 8, 2), np.nan))


class WithoutNumbers:
    """Batched worlds that do not number what agents see."""

    def __init__(self):
        inside = CorridorWorlds(1, 2)
        for name in ("n_worlds", "n_agents", "n_actions", "observation_sizes", "active", "ended",
                     "reset", "reset_where", "step"):  # fmt: skip
            setattr(self, name, getattr(inside, name))


@pytest.mark.parametrize(
    "given, name",
    [
        ({"worlds": two_cars()}, "worlds: .* without n_worlds"),
        ({"worlds": WithoutNumbers()}, "worlds: .* got a WithoutNumbers"),
        ({"say": None}, "say"),
        ({"hear": 3}, "hear"),
        ({"n_heard": 0}, "n_heard"),
        ({"channel": "radio"}, "channel"),
    ],
)
def test_bad_arguments_are_named(given, name):
    say, hear, n_heard = sum_of_others(3)
    fine = {"worlds": CorridorWorlds(1, 2), "say": say, "hear": hear, "n_heard": n_heard}
    with pytest.raises(ValueError, match=f"^{name}"):
        ListeningWorlds(**{**fine, **given})


@pytest.mark.parametrize(
    "given, name",
    [
        ({"say": lambda w: np.zeros((2, 2))}, "what say returns"),
        ({"say": lambda w: np.full((2, 2, 1), np.nan)}, r"what say returns\[0, 0, 0\] is nan"),
        ({"say": lambda w: "stop"}, "what say returns"),
        ({"hear": lambda *_: np.full((2, 2), 3)}, r"what hear returns\[0, 0\] is 3; allowed are 0 to 2"),
        ({"hear": lambda *_: np.zeros((2, 2))}, "what hear returns"),
        ({"hear": lambda *_: None}, "what hear returns"),
        ({"channel": lambda m, s: m[:, :1]}, "what channel returns"),
        ({"channel": lambda m, s: m + np.inf}, "what channel returns"),
    ],
)  # fmt: skip
def test_what_functions_return_is_checked(given, name):
    say, hear, n_heard = sum_of_others(3)
    worlds = ListeningWorlds(
        CorridorWorlds(2, 2, arrival=1.0), **{"say": say, "hear": hear, "n_heard": n_heard, **given}
    )
    with pytest.raises(ValueError, match=f"^{name}"):
        worlds.reset(np.random.default_rng(0))


def test_messages_that_grow_wider_later_are_refused():
    inside = CorridorWorlds(1, 2, arrival=1.0)
    width = iter([2, 3])
    worlds = ListeningWorlds(
        inside, lambda w: np.zeros((1, 2, next(width))), lambda w, m, s: np.zeros((1, 2), int), 1
    )
    rng = np.random.default_rng(0)
    worlds.reset(rng)
    with pytest.raises(ValueError, match=r"^what say returns: .*\(1, 2, 2\)"):
        worlds.step(np.zeros((1, 2), dtype=int), rng)


def speak(what, worlds):
    """Other worlds than those that the language is made for."""
    language = (
        junction_language(TrafficJunction(), what)
        if isinstance(what, int)
        else crossing_language(BlindCrossing(2), what)
    )
    ListeningWorlds(worlds, *language).reset(np.random.default_rng(0))


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: junction_language(BlindCrossing(1), 1), "worlds"),
        (lambda: junction_language(TrafficJunction("medium"), 1), "worlds: level medium"),
        (lambda: junction_language(TrafficJunction(), 4), "n_bits is 4"),
        (lambda: junction_language(TrafficJunction(), -1), "n_bits"),
        (lambda: hear_bits(1.0), "n_bits"),
        (lambda: crossing_language(TrafficJunction(), "nothing"), "worlds"),
        (lambda: crossing_language(GameWorlds(two_cars(), 1), "nothing"), "worlds"),
        (lambda: crossing_language(BlindCrossing(1), "two bits"), "kind is 'two bits'; allowed"),
        (lambda: crossing_language(BlindCrossing(1), ["nothing"]), "kind"),
        (lambda: crossing_language(BlindCrossing(1), "random symbol"), "rng"),
        (lambda: crossing_language(BlindCrossing(1), "random symbol", np.random.default_rng(0), 0), "n_symbols"),
        (lambda: crossing_language(BlindCrossing(1), "random symbol", np.random.default_rng(0), 10**30), "n_symbols"),
        (lambda: speak("distance", TrafficJunction("easy", 2)), "worlds: expected a BlindCrossing"),
        (lambda: speak(1, TrafficJunction("medium", 2)), "worlds: level medium"),
        (lambda: speak(1, BlindCrossing(2)), "worlds: expected a TrafficJunction"),
        (lambda: greedy_in_worlds(np.zeros((1, 8, 2)))(None), "worlds"),
        (lambda: greedy_in_worlds(np.zeros((1, 8, 2)))(WithoutNumbers()), "worlds"),
        (lambda: listening_junction(2, 1).reset(3), "rng"),
        (lambda: listening_junction(2, 1).reset_where(np.ones(3, bool), np.random.default_rng(0)), "which"),
    ],
)  # fmt: skip
def test_languages_refuse_what_does_not_fit(call, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        call()


def test_a_refused_reset_leaves_a_memory_alone():
    channel, rng = Delay(1, before=7), np.random.default_rng(0)
    worlds = listening_junction(2, 1, channel, arrival_rate=1.0)
    worlds.reset(rng)
    worlds.step(np.zeros((2, 5), dtype=int), rng)
    before, everybody = worlds.buffer.read_all().spoke, np.ones((2, 5), dtype=bool)
    with pytest.raises(ValueError, match=r"^rng"):
        worlds.reset(None)
    assert np.array_equal(worlds.buffer.read_all().spoke, before)
    heard = channel(np.zeros((2, 5, 2)), everybody)
    assert np.array_equal(heard[..., 0] != 7, worlds.worlds.active)  # who was there is remembered


def test_a_channel_that_writes_on_what_it_is_given_changes_no_speaker():
    def vandal(messages, spoke):
        spoke[:] = False
        return messages

    calm, torn = (listening_crossing(3, "distance", channel=c) for c in (None, vandal))
    for worlds in (calm, torn):
        worlds.reset(np.random.default_rng(0))
    assert calm.heard.any() and np.array_equal(calm.heard, torn.heard)
