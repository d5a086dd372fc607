"""The influence of messages on made-up cars whose answers are known: deaf ones, copycats, ones that heed any warning."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from marl_lessons.envs.cars.junction_roads import LEVELS, network
from marl_lessons.evaluation.talk.channels import shuffle
from marl_lessons.evaluation.talk.influence import (
    PlaceMeans,
    TalkFrames,
    by_pair,
    by_place,
    causal_influence_of,
    donors,
    exchanged,
    heard_pairs,
    influence_of_all,
    influence_of_each,
    social_influence_of,
)

T, E, N = 3, 8, 4  # moments, worlds, slots
EASY = LEVELS["easy"]


class Cars:
    """A policy that answers ``rule(observations[R, n, d], messages[R, n, w])``; nothing else of it is asked here."""

    def __init__(self, rule):
        self.answer = rule

    def __call__(self, seen):
        raise AssertionError("not asked")

    messages = speaks = weights = __call__


def made_up(bits, speaks=None, states=None, seed=0) -> TalkFrames:
    """Frames in which the cars say ``bits[T, E, n]``, as vectors of one entry; all are there unless ``states`` differ."""
    bits = np.asarray(bits)
    rng = np.random.default_rng(seed)
    states = rng.integers(1, 15, size=bits.shape) if states is None else states
    return TalkFrames(
        level=EASY,
        observations=rng.normal(size=(*bits.shape, 2)),
        states=states,
        messages=bits[..., None].astype(float),
        speaks=states > 0 if speaks is None else speaks,
        weights=np.zeros((*bits.shape, bits.shape[-1])),
        actions=np.zeros(bits.shape, int),
        muted=np.zeros(bits.shape, int),
        collided=np.zeros(bits.shape, bool),
        failed=np.zeros(bits.shape[1], bool),
    )


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def with_gaps(seed=1):
    """Cars come and go, and some are silent."""
    rng = np.random.default_rng(seed)
    states = rng.integers(1, 15, size=(T, E, N)) * (rng.random((T, E, N)) < 0.6)
    speaks = (states > 0) & (rng.random(states.shape) < 0.7)
    return made_up(rng.integers(2, size=states.shape), speaks, states)


def some_bits(n_ones, seed=0):
    """``[T, E, N]``: every slot says 1 in ``n_ones`` of the E worlds of each moment."""
    rng = np.random.default_rng(seed)
    bits = np.zeros((T, E, N), int)
    bits[:, :n_ones] = 1
    return rng.permuted(bits, axis=1)


def heeds_everything(seen, messages):
    """An answer to what is seen and to all that the others say, without any pattern."""
    others = messages.sum(axis=1, keepdims=True) - messages
    mixed = np.sin(40 * (seen.sum(axis=-1) + (others * [1.0, 3.0][: others.shape[-1]]).sum(-1)))
    return (mixed > 0).astype(int)


def heeds(*speakers):
    """Everybody brakes if one of the slots in ``speakers`` says 1."""

    def rule(seen, messages):
        warned = messages[:, list(speakers), 0].any(axis=1)
        return np.repeat(warned[:, None], messages.shape[1], axis=1).astype(int)

    return Cars(rule)


def rng(seed=3):
    return np.random.default_rng(seed)


def test_deaf_cars_are_not_influenced_at_all():
    frames = with_gaps()
    deaf = Cars(lambda seen, messages: (seen[..., 0] > 0).astype(int))
    asked = heard_pairs(frames)
    for social in (False, True):
        each = influence_of_each(deaf, frames, 5, rng(), social)
        assert (each[asked] == 0).all() and np.isnan(each[~asked]).all() and asked.any()
    together = influence_of_all(deaf, frames, 5, rng())
    assert (together[asked.any(axis=-1)] == 0).all()
    assert np.isnan(together[~asked.any(axis=-1)]).all()


@pytest.mark.parametrize("n_ones", [1, 2, 4, 7])
@pytest.mark.parametrize("n_sets", [E, 3 * E])
def test_a_copycat_is_influenced_by_as_much_as_is_said(n_ones, n_sets):
    """All cars do what slot 2 says: H(q) bits, 1 bit at q = 1/2; the other slots have no influence."""
    bits = some_bits(n_ones)
    frames, q = made_up(bits), n_ones / E
    each = influence_of_each(heeds(2), frames, n_sets, rng())
    listeners = [0, 1, 3]
    assert each[:, :, listeners, 2] == pytest.approx(np.full((T, E, 3), entropy(q)))
    others = each[:, :, [0, 0, 1, 1, 2, 2, 2, 3, 3], [1, 3, 0, 3, 0, 1, 3, 0, 1]]
    assert (others == 0).all() and np.isnan(each[:, :, range(N), range(N)]).all()
    together = influence_of_all(heeds(2), frames, n_sets, rng())
    assert together[:, :, listeners] == pytest.approx(np.full((T, E, 3), entropy(q)))
    # What is said seldom has a greater social influence than what is said often.
    social = influence_of_each(heeds(2), frames, n_sets, rng(), social=True)
    surprise = np.where(bits[:, :, 2], -np.log2(q), -np.log2(1 - q))
    assert social[:, :, 0, 2] == pytest.approx(surprise)


def test_one_bit_is_the_highest_there_is():
    frames = made_up(some_bits(4))
    each = influence_of_each(heeds(0), frames, E, rng())
    assert each[:, :, 1, 0] == pytest.approx(np.ones((T, E)))
    assert np.nanmax(influence_of_all(Cars(heeds_everything), frames, 16, rng())) <= 1 + 1e-12


def test_one_warning_is_enough_so_two_have_no_influence_one_by_one():
    bits = np.zeros((1, 4, 3), int)
    bits[0, :, 0] = [1, 1, 0, 0]
    bits[0, :, 1] = [1, 0, 1, 0]
    each = influence_of_each(heeds(0, 1), made_up(bits), 4, rng())[0, :, 2]
    assert each[:, 0] == pytest.approx([0, 1, 0, 1])  # 0 where slot 1 warns, too
    assert each[:, 1] == pytest.approx([0, 0, 1, 1])
    # A puzzle of two parts is the other extreme: each part matters fully, and so do both together.
    xor = Cars(lambda seen, m: np.repeat((m[:, :1, 0] != m[:, 1:2, 0]), 3, axis=1).astype(int))
    each = influence_of_each(xor, made_up(bits), 4, rng())[0, :, 2]
    assert each[:, :2] == pytest.approx(np.ones((4, 2)))


def test_social_influence_averaged_over_messages_is_causal_influence():
    """Two cars: the listener sees the same in all worlds, the speaker says one of 8 things in each."""
    frames = made_up(np.arange(2 * E * T).reshape(T, E, 2))
    frames = replace(frames, observations=frames.observations[:, :1].repeat(E, axis=1))
    policy = Cars(heeds_everything)
    causal = influence_of_each(policy, frames, E, rng())
    social = influence_of_each(policy, frames, E, rng(), social=True)
    for i, j in ((0, 1), (1, 0)):
        assert np.ptp(causal[:, :, i, j], axis=1) == pytest.approx(np.zeros(T), abs=1e-12)
        assert social[:, :, i, j].mean(axis=1) == pytest.approx(causal[:, 0, i, j])
        assert (causal[:, 0, i, j] > 0.1).any()


def plain_influence(policy, frames, chosen, i, j, t, e):
    """Counterfactuals one by one, for one listener; j None: all speakers are exchanged."""
    answers = []
    for which in chosen:
        messages = frames.messages[t, e].copy()
        for speaker in range(messages.shape[0]):
            if j in (None, speaker):
                messages[speaker] = frames.messages[t, which[t, e, speaker], speaker]
        answer = policy.answer(frames.observations[t, e][None], messages[None])[0, i]
        answers.append(int(answer))
    p = sum(answers) / len(answers)
    causal = 0.0 if p in (0.0, 1.0) else entropy(p)
    return causal, -np.log2(sum(a == answers[0] for a in answers) / len(answers))


def test_all_of_it_against_counterfactuals_one_by_one():
    frames, policy = with_gaps(), Cars(heeds_everything)
    chosen = donors(frames.speaks, 5, rng())
    together = influence_of_all(policy, frames, 5, rng())
    each = influence_of_each(policy, frames, 5, rng())
    social = influence_of_each(policy, frames, 5, rng(), social=True)
    n_asked = 0
    for t, e, i in product(range(T), range(E), range(N)):
        can_hear = []
        for j in range(N):
            elsewhere = [x for x in range(E) if x != e and frames.speaks[t, x, j]]
            if i != j and frames.states[t, e, i] and frames.speaks[t, e, j] and elsewhere:
                can_hear.append(j)
                expected = plain_influence(policy, frames, chosen, i, j, t, e)
                got = each[t, e, i, j], social[t, e, i, j]
                assert got == pytest.approx(expected, abs=1e-12)
            else:
                assert np.isnan(each[t, e, i, j]) and np.isnan(social[t, e, i, j])
        if can_hear:
            n_asked += 1
            expected = plain_influence(policy, frames, chosen, i, None, t, e)[0]
            assert together[t, e, i] == pytest.approx(expected, abs=1e-12)
        else:
            assert np.isnan(together[t, e, i])
    assert n_asked > 20 and np.nanmean(together) > 0.2


def test_a_car_with_a_closed_mouth_hears_as_well_as_any():
    speaks = np.ones((T, E, N), bool)
    speaks[:, :, 1] = False
    each = influence_of_each(heeds(0), made_up(some_bits(4), speaks), E, rng())
    assert each[:, :, 1, 0] == pytest.approx(np.ones((T, E)))
    assert np.isnan(each[:, :, :, 1]).all()


def test_what_is_said_in_one_world_alone_cannot_be_exchanged():
    speaks = np.zeros((T, E, N), bool)
    speaks[:, 2, 0] = True
    frames = made_up(some_bits(4), speaks)
    assert not heard_pairs(frames).any()
    assert np.isnan(influence_of_all(heeds(0), frames, 3, rng())).all()


def test_every_world_hears_every_other_once_before_any_twice():
    speaks = with_gaps().speaks
    chosen = donors(speaks, 2 * E, rng())
    assert np.array_equal(chosen[0], np.broadcast_to(np.arange(E)[:, None], speaks.shape))
    for t, i in product(range(T), range(N)):
        circle = np.flatnonzero(speaks[t, :, i])
        for e in range(E):
            heard = chosen[:, t, e, i]
            if e in circle:
                n = len(circle)
                assert sorted(heard[:n]) == sorted(circle) == sorted(heard[n : 2 * n])
            else:
                assert (heard == e).all()
        for k in range(2 * E):
            assert sorted(chosen[k, t, circle, i]) == sorted(circle)
    assert not np.array_equal(donors(speaks, 3, rng(0)), donors(speaks, 3, rng(1)))


def test_set_1_is_what_the_channel_of_the_interventions_makes():
    frames = with_gaps()
    heard = exchanged(frames, donors(frames.speaks, 2, rng(5))[1])
    channel = shuffle(rng(5))
    expected = [channel(m, s) for m, s in zip(frames.messages, frames.speaks)]
    assert np.array_equal(heard, expected)


def test_one_speaker_alone_is_exchanged():
    frames = made_up(np.arange(T * E * N).reshape(T, E, N))
    chosen = donors(frames.speaks, 2, rng())[1]
    heard = exchanged(frames, chosen, 1)
    assert np.array_equal(np.delete(heard, 1, 2), np.delete(frames.messages, 1, 2))
    assert (heard[:, :, 1] != frames.messages[:, :, 1]).all()
    assert np.array_equal(heard[:, :, 1], exchanged(frames, chosen)[:, :, 1])


def test_influence_of_given_answers():
    actions = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0], [0, 1, 0]])
    assert causal_influence_of(actions) == pytest.approx([1, entropy(0.25), entropy(0.25)])
    assert social_influence_of(actions) == pytest.approx([1, 2, 2])
    assert social_influence_of(np.ones((6, 2), int)).tolist() == [0, 0]
    assert causal_influence_of([0, 1]).shape == ()
    for wrong in ([[0, 2]], [[0.0]], 1, [], [[]], "ab", None, [[True]], [[0], [0, 1]]):
        for ask in (causal_influence_of, social_influence_of):
            with pytest.raises(ValueError, match=r"^actions"):
                ask(wrong)


def test_means_by_place_and_by_pair_against_plain_loops():
    frames = with_gaps()
    values = rng().random((T, E, N, N))
    values[rng(4).random(values.shape) < 0.2] = np.nan
    one, two = by_place(frames, values[..., 0]), by_pair(frames, values)
    n_states = len(network(EASY).route)
    assert one.means.shape == (n_states,) and two.counts.shape == (n_states, n_states)
    lists = {}
    for t, e, i in product(range(T), range(E), range(N)):
        s = frames.states[t, e, i]
        lists.setdefault((s,), []).append(values[t, e, i, 0])
        for j in range(N):
            if i != j:
                lists.setdefault((s, frames.states[t, e, j]), []).append(values[t, e, i, j])
    for means in (one, two):
        for at in product(range(n_states), repeat=means.means.ndim):
            found = [v for v in lists.get(at, []) if not np.isnan(v)] if min(at) > 0 else []
            assert means.counts[at] == len(found)
            if found:
                assert means.means[at] == pytest.approx(np.mean(found))
            else:
                assert np.isnan(means.means[at])
    assert two.counts.sum() > 30 and isinstance(two, PlaceMeans)


def test_a_place_where_nobody_listens_stands_out():
    """Cars in state 3 do what slot 0 says, all others are deaf: all influence is there."""
    frames = made_up(some_bits(4))
    frames.observations[..., 0] = frames.states == 3

    def rule(seen, messages):
        return (messages[:, :1, 0] * (seen[..., 0] == 1)).astype(int)

    found = by_place(frames, influence_of_each(Cars(rule), frames, E, rng())[..., 0])
    assert found.means[3] == pytest.approx(1) and found.counts[3] > 0
    assert (np.delete(found.means, 3)[np.delete(found.counts, 3) > 0] == 0).all()


def of_two_seeds(policy):
    policy.n_seeds = 2
    return policy


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("policy: expected a policy", {"policy": lambda seen: seen}),
        ("policy: expected a policy", {"policy": None}),
        ("policy: it is that of 2 seeds", {"policy": of_two_seeds(heeds(0))}),
        ("policy: its answer", {"policy": Cars(lambda seen, m: np.full(m.shape[:2], 7))}),
        ("policy: its answer", {"policy": Cars(lambda seen, m: np.zeros(m.shape[:1], int))}),
        ("policy: its answer", {"policy": Cars(lambda seen, m: m[..., 0])}),
        ("policy: its answer", {"policy": Cars(lambda seen, m: None)}),
        ("frames: expected TalkFrames", {"frames": None}),
        ("frames: expected TalkFrames", {"frames": {"messages": 1}}),
        ("frames: messages are exchanged", {"frames": made_up(np.ones((T, 1, N)))}),
        ("n_sets", {"n_sets": 1}),
        ("n_sets", {"n_sets": 4.0}),
        ("n_sets", {"n_sets": True}),
        ("rng", {"rng": 0}),
        ("rng", {"rng": None}),
    ],
)
def test_bad_arguments_are_named(name, change):
    arguments = {"policy": heeds(0), "frames": made_up(some_bits(4)), "n_sets": 3, "rng": rng()}
    for ask in (influence_of_all, influence_of_each):
        with pytest.raises(ValueError, match=f"^{name}"):
            ask(**arguments | change)


def test_more_bad_arguments_are_named():
    frames = made_up(some_bits(4))
    chosen = donors(frames.speaks, 2, rng())[1]
    with pytest.raises(ValueError, match=r"^social"):
        influence_of_each(heeds(0), frames, 3, rng(), social=1)
    for wrong in (frames.speaks[0], frames.speaks.astype(int), None, "x"):
        with pytest.raises(ValueError, match=r"^speaks"):
            donors(wrong, 2, rng())
    for wrong in (chosen[:, :3], chosen + E, chosen * 1.0, None):
        with pytest.raises(ValueError, match=r"^chosen"):
            exchanged(frames, wrong)
    for wrong in (N, -1, 1.0, True, "x"):
        with pytest.raises(ValueError, match=r"^speaker"):
            exchanged(frames, chosen, wrong)
    good = np.zeros((T, E, N, N))
    for wrong in (good[..., 0], good + np.inf, good.astype(str), good * 1j, None, [[1], [2, 3]]):
        with pytest.raises(ValueError, match=r"^values"):
            by_pair(frames, wrong)
    with pytest.raises(ValueError, match=r"^values"):
        by_place(frames, good)
    for ask in (by_place, by_pair, lambda f, v: heard_pairs(f), lambda f, v: exchanged(f, chosen)):
        with pytest.raises(ValueError, match=r"^frames: expected TalkFrames"):
            ask("frames", good)
