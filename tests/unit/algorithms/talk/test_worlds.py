"""Worlds in which agents talk: the board, what is heard at every moment, channels, gates; against plain loops."""

from types import SimpleNamespace

import numpy as np
import pytest
from corridor_worlds import CorridorWorlds
from hypothesis import given, settings
from hypothesis import strategies as st

from marl_lessons.algorithms import TabularConfig
from marl_lessons.algorithms.deep.iql import DeepIQLConfig, train_iql
from marl_lessons.algorithms.tables.independent_q_in_worlds import independent_q_learning_in_worlds
from marl_lessons.algorithms.talk.commnet import CommNet
from marl_lessons.algorithms.talk.languages import (
    crossing_language,
    junction_language,
)
from marl_lessons.algorithms.talk.worlds import (
    GatedWorlds,
    Language,
    ListeningWorlds,
    MessageBuffer,
    greedy_in_worlds,
    mark_present,
    present_after,
)
from marl_lessons.envs import two_cars
from marl_lessons.envs.cars.blind_crossing import BlindCrossing
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.stepping import BatchedStep, GameWorlds, check_batched_worlds
from marl_lessons.evaluation.talk.channels import Delay


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5), st.integers(1, 3))
def test_everybody_reads_the_others_in_their_order(seed, n_worlds, n, width):
    rng = np.random.default_rng(seed)
    buffer = MessageBuffer(n_worlds, n, width)
    messages, present = rng.normal(size=(n_worlds, n, width)), rng.random((n_worlds, n)) < 0.6
    buffer.post(messages, present)
    everything = buffer.read_all()
    assert everything.messages.shape == (n_worlds, n, n - 1, width)
    assert everything.spoke.shape == (n_worlds, n, n - 1) and everything.spoke.dtype == bool
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for e in range(n_worlds):
            for place, j in enumerate(others):
                said = messages[e, j] if present[e, j] else np.zeros(width)
                assert everything.messages[e, i, place].tolist() == said.tolist()
                assert everything.spoke[e, i, place] == present[e, j]


def test_someone_alone_hears_nobody():
    buffer = MessageBuffer(2, 1, 3)
    buffer.post(np.ones((2, 1, 3)))
    assert buffer.read_all().messages.shape == (2, 1, 0, 3)


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
    assert np.array_equal(worlds.buffer.read_all().messages[1:, 0, 0, 0], before[1:, 0])


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


@pytest.mark.parametrize("given, name", [
    ({"worlds": two_cars()}, "worlds: .* without n_worlds"),
    ({"worlds": WithoutNumbers()}, "worlds: .* got a WithoutNumbers"),
    ({"say": None}, "say"),
    ({"hear": 3}, "hear"),
    ({"n_heard": 0}, "n_heard"),
    ({"channel": "radio"}, "channel"),
])  # fmt: skip
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


def test_a_channel_that_writes_on_what_it_is_given_changes_no_speaker():
    def vandal(messages, spoke):
        spoke[:] = False
        return messages

    calm, torn = (listening_crossing(3, "distance", channel=c) for c in (None, vandal))
    for worlds in (calm, torn):
        worlds.reset(np.random.default_rng(0))
    assert calm.heard.any() and np.array_equal(calm.heard, torn.heard)


def rngs(seed):
    return np.random.default_rng(seed), np.random.default_rng(seed)


def test_the_worlds_inside_go_on_as_ever():
    """Five cars drive and talk at random for three episodes; beside them the junction without gate."""
    plain, gated = TrafficJunction("easy", 50), GatedWorlds(TrafficJunction("easy", 50), price=0.5)
    check_batched_worlds("gated", gated)
    assert gated.n_actions == (4,) * 5 and gated.observation_sizes == (18,) * 5
    one, two = rngs(3)
    choices = np.random.default_rng(4)
    seen, more = plain.reset(one), gated.reset(two)
    n_talked = n_lost = 0
    for _ in range(60):
        assert more.dtype == np.float32 and np.array_equal(more[..., :-1], seen)
        assert np.array_equal(more[..., -1], gated.talks)
        assert np.array_equal(gated.active, plain.active)
        drive, talk = choices.integers(2, size=(2, 50, 5))
        there = plain.active.copy()
        step, other = plain.step(drive, one), gated.step(drive + 2 * talk, two)
        for e in range(50):
            for i in range(5):
                # Whoever was there and has not left speaks as it chose; a new car in the slot is silent.
                wants = bool(talk[e, i] and there[e, i])
                speaks = wants and not step.terminated[e, i]
                n_talked += speaks
                n_lost += wants and not speaks
                assert gated.talks[e, i] == speaks
                assert other.rewards[e, i] == step.rewards[e, i] - 0.5 * speaks
        assert np.array_equal(other.observations[..., -1], gated.talks)
        for field in ("terminated", "truncated", "ended"):
            assert np.array_equal(getattr(other, field), getattr(step, field))
        assert np.array_equal(gated.ended, plain.ended)
        seen, more = step.observations, other.observations
        if step.ended.any():
            seen, more = plain.reset_where(step.ended, one), gated.reset_where(step.ended, two)
            assert not gated.talks[step.ended].any()
    assert n_talked > 1000 and n_lost > 100


def test_a_new_episode_begins_in_silence_and_the_others_talk_on():
    worlds = GatedWorlds(GameWorlds(two_cars(), 4, time_limit=9))
    rng = np.random.default_rng(0)
    worlds.reset(rng)
    n_inside = worlds.n_actions[0] // 2
    worlds.step(np.full((4, 2), n_inside), rng)
    talked = worlds.talks.copy()
    assert talked.any(axis=1).all()
    seen = worlds.reset_where(np.array([True, False, False, True]), rng)
    talked[[0, 3]] = False
    assert np.array_equal(worlds.talks, talked) and np.array_equal(seen[..., -1], talked)


def test_a_price_can_come_late():
    worlds = GatedWorlds(TrafficJunction("easy", 20, arrival_rate=1.0))
    rng = np.random.default_rng(0)
    worlds.reset(rng)
    worlds.step(np.zeros((20, 5), dtype=int), rng)
    for price in (0.0, 2.0):
        worlds.price = price
        rewards = worlds.step(np.full((20, 5), 2), rng).rewards
        delay = 0.01 * worlds.worlds.waited
        expected = -delay - price * worlds.talks - 10 * worlds.worlds.collided
        assert rewards == pytest.approx(expected)
    assert worlds.talks.any()


def test_agents_learn_to_be_silent_where_nothing_can_be_said():
    """One car alone: nobody hears it, a message costs .5. It learns to keep quiet.

    On its last cell it may choose to talk: it drives off, sends nothing and pays nothing.
    """
    worlds = GatedWorlds(TrafficJunction("easy", 32, max_cars=1), price=0.5)
    config = DeepIQLConfig(
        n_steps=150,
        network=CommNet((16,), gated=True),
        agent_id=False,
        learning_rate=0.01,
        batch_size=64,
        target_interval=20,
        epsilon=0.5,
        n_records=1,
    )
    policy = train_iql(worlds, config, seeds=2).policy
    worlds = GatedWorlds(TrafficJunction("easy", 40, max_cars=1))
    rng = np.random.default_rng(1)
    seen, n_quiet = worlds.reset(rng), 0
    for _ in range(20):
        n_quiet += worlds.active.sum()
        seen = worlds.step(policy(seen), rng).observations
        assert not worlds.talks.any()
    assert n_quiet > 200


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match=r"^worlds: expected batched worlds"):
        GatedWorlds("junction")
    with pytest.raises(ValueError, match=r"^worlds: they have a gate already"):
        GatedWorlds(GatedWorlds(TrafficJunction()))
    for price in (-0.1, np.nan, np.inf, True, "free", None):
        with pytest.raises(ValueError, match=r"^price"):
            GatedWorlds(TrafficJunction(), price)
    worlds = GatedWorlds(TrafficJunction())
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"^rng"):
        worlds.reset(0)
    worlds.reset(rng)
    for actions in (np.full((1, 5), 4), np.full((1, 5), -1), np.zeros((1, 4), dtype=int), None):
        with pytest.raises(ValueError, match=r"^actions"):
            worlds.step(actions, rng)
    for which in (np.ones(2, dtype=bool), np.ones(1), None):
        with pytest.raises(ValueError, match=r"^which"):
            worlds.reset_where(which, rng)


def test_a_refused_reset_silences_nobody():
    inside, rng = TrafficJunction("easy", 2, arrival_rate=1.0), np.random.default_rng(0)
    listening = ListeningWorlds(inside, *junction_language(inside, 1), channel=Delay(1))
    worlds = GatedWorlds(listening)
    worlds.reset(rng)
    for _ in range(3):
        worlds.step(np.full((2, 5), 2), rng)
    before = worlds.talks.copy()
    assert before.all(axis=0).any()
    with pytest.raises(ValueError, match=r"^channel"):  # its memory belongs to both worlds
        worlds.reset_where(np.array([True, False]), rng)
    assert np.array_equal(worlds.talks, before)


def test_a_gate_belongs_to_worlds_and_network_or_to_neither():
    for worlds, gated in ((TrafficJunction(), True), (GatedWorlds(TrafficJunction()), False)):
        config = DeepIQLConfig(n_steps=2, network=CommNet(gated=gated), agent_id=False)
        with pytest.raises(ValueError, match=f"^config: network.gated is {gated}"):
            train_iql(worlds, config, seeds=1)
    plain = train_iql(GatedWorlds(TrafficJunction()), DeepIQLConfig(n_steps=2), seeds=1)
    assert plain.policy(np.ones((1, 5, 18))).max() < 4


def test_whoever_is_left_by_the_clock_is_there_though_it_sees_zeros():
    """World 0 goes on; in world 1, cut short, agent 0 stays and sees zeros, 1 has ended, 2 arrives, 3 was never there."""
    worlds = SimpleNamespace(active=np.array([[False, True, True, False], [False] * 4]))
    seen = np.zeros((2, 4, 1))
    seen[:, 2] = 1.0
    ended = np.array([False, True])
    leaves = np.array([[True, False, False, False], [False, True, False, False]])
    step = BatchedStep(seen, np.zeros((2, 4)), leaves, ended, ended)
    before = np.array([[True, True, False, False]] * 2)
    there = present_after(worlds, before, step)
    assert there.tolist() == [[False, True, True, False], [True, False, True, False]]
    marked = mark_present(seen, there)
    assert (marked != 0).any(axis=-1).tolist() == there.tolist()
    assert marked.dtype == np.float32 and np.allclose(marked, seen * there[..., None], atol=1e-20)


FULL = np.zeros((2, 3, 4))


@pytest.mark.parametrize("call, message", [
    (lambda b: MessageBuffer(0, 2, 1), "^n_worlds is 0"),
    (lambda b: MessageBuffer(1, 2.0, 1), "^n_agents is 2.0"),
    (lambda b: MessageBuffer(1, 2, 0), "^width is 0"),
    (lambda b: b.read_all(), "^nobody has posted"),
    (lambda b: b.post(np.zeros((2, 3, 5))), r"^messages: .*\(2, 3, 4\).* shape \(2, 3, 5\)"),
    (lambda b: b.post("stop"), "^messages"),
    (lambda b: b.post(FULL + np.nan), r"^messages\[0, 0, 0\] is nan"),
    (lambda b: b.post(FULL, np.ones((2, 3))), "^present"),
    (lambda b: b.post(FULL, np.ones((3, 2), bool)), "^present"),
])  # fmt: skip
def test_messages_that_do_not_fit_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(MessageBuffer(2, 3, 4))
