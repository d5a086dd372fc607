"""What drivers say and hear at the blind crossing and at the junction: by looking at the map, and by what it is worth."""

import numpy as np
import pytest

from marl_lessons.algorithms import Linear, PerVisit, TabularConfig
from marl_lessons.algorithms.tables.independent_q_in_worlds import independent_q_learning_in_worlds
from marl_lessons.algorithms.talk.languages import (
    KINDS,
    QUESTIONS,
    crossing_language,
    junction_language,
)
from marl_lessons.algorithms.talk.worlds import (
    ListeningWorlds,
    greedy_in_worlds,
)
from marl_lessons.envs.cars.blind_crossing import BlindCrossing
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.evaluation.statistics import play_episodes
from marl_lessons.evaluation.talk.channels import Delay, mute, shuffle
from marl_lessons.evaluation.talk.levels import best_table, pair_returns


def listening_junction(n_worlds, n_bits, channel=None, **settings):
    worlds = TrafficJunction("easy", n_worlds, **settings)
    return ListeningWorlds(worlds, *junction_language(worlds, n_bits), channel)


def listening_crossing(n_worlds, kind, rng=None, channel=None, **settings):
    worlds = BlindCrossing(n_worlds, **settings)
    return ListeningWorlds(worlds, *crossing_language(worlds, kind, rng), channel)


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


def test_muted_cars_are_not_mistaken_for_cars_at_the_entry():
    worlds = listening_junction(20, 3, mute(), arrival_rate=0.9)
    for _ in play(worlds, np.random.default_rng(0), 20):
        assert not worlds.heard.any()


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: junction_language(BlindCrossing(1), 1), "worlds"),
        (lambda: junction_language(TrafficJunction("medium"), 1), "worlds: level medium"),
        (lambda: junction_language(TrafficJunction(), 4), "n_bits is 4"),
        (lambda: junction_language(TrafficJunction(), 1.0), "n_bits"),
        (lambda: crossing_language(TrafficJunction(), "nothing"), "worlds"),
        (lambda: crossing_language(BlindCrossing(1), "two bits"), "kind is 'two bits'; allowed"),
        (lambda: crossing_language(BlindCrossing(1), ["nothing"]), "kind"),
        (lambda: crossing_language(BlindCrossing(1), "random symbol"), "rng"),
    ],
)  # fmt: skip
def test_languages_refuse_what_does_not_fit(call, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        call()
