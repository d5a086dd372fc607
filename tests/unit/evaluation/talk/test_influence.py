"""Recorded talk against the worlds and the policy; influence on made-up cars whose answers are known."""

from __future__ import annotations

from dataclasses import fields
from itertools import product

import numpy as np
import pytest
import torch

from marl_lessons.algorithms.talk.commnet import CommNet
from marl_lessons.algorithms.talk.worlds import GatedWorlds
from marl_lessons.envs.cars.junction import GAS, TrafficJunction
from marl_lessons.envs.cars.junction_roads import LEVELS, network
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.stepping import GameWorlds
from marl_lessons.evaluation.statistics import play_episodes
from marl_lessons.evaluation.talk.channels import Delay, mute, shuffle
from marl_lessons.evaluation.talk.influence import (
    TalkFrames,
    by_place,
    causal_influence_of,
    donors,
    influence_of_all,
    record_talk,
)

T, E, N = 3, 8, 4  # moments, worlds, slots


EASY = LEVELS["easy"]


class Cars:
    """A policy that answers ``rule(observations[R, n, d], messages[R, n, w])``; nothing else of it is asked here."""

    def __init__(self, rule, n_seeds=1):
        self.answer, self.n_seeds = rule, n_seeds

    def __call__(self, seen):
        raise AssertionError("not asked")

    act = through = __call__


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


def a_policy(n_seeds=1, n_agents=5, **settings):
    """Networks with large weights, so that what is heard changes what is done."""
    network = CommNet((16, 16), **settings)
    generators = [torch.Generator().manual_seed(seed) for seed in range(n_seeds)]
    n_actions = 4 if network.gated else 2
    parameters = network.init(17 + network.gated, n_actions, generators)
    return network.policy([3 * p.detach() for p in parameters], n_seeds, n_agents)


def test_every_field_is_what_worlds_and_policy_say():
    policy, worlds, beside = a_policy(attention=True), TrafficJunction("easy", E), None
    frames = record_talk(worlds, policy, rng())
    beside, chance = TrafficJunction("easy", E), rng()
    seen = beside.reset(chance)
    assert len(frames.states) == 20 and not frames.active[0].any()
    for t in range(20):
        assert np.array_equal(frames.observations[t], seen)
        assert np.array_equal(frames.states[t], beside.local_states)
        assert np.array_equal(frames.active[t], beside.active)
        assert np.array_equal(frames.cells[t], beside.cells)
        assert np.array_equal(frames.collided[t], beside.collided)
        assert np.array_equal(frames.messages[t], policy.messages(seen))
        assert np.array_equal(frames.speaks[t], beside.active)
        assert np.array_equal(frames.weights[t], policy.weights(seen))
        assert np.array_equal(frames.actions[t], policy(seen))
        assert np.array_equal(frames.muted[t], policy.through(mute())(seen))
        seen = beside.step(policy(seen), chance).observations
    assert np.array_equal(frames.failed, beside.failed) and frames.collided.any()
    assert (frames.actions != frames.muted)[frames.active].any()
    assert frames.observations.shape == (20, E, 5, 17)
    again = play_episodes(
        TrafficJunction("easy", E), lambda _, o: policy(o), 1, rng(), lambda w: w.failed
    )
    assert np.array_equal(again.measured, frames.failed)  # fmt: skip


def test_a_collision_in_the_last_step_counts():
    """Nobody brakes: within few steps the first have collided, some in the very last step recorded."""
    policy = a_policy()
    policy.parameters[-1][:] = torch.tensor([1e6, 0.0])
    frames = record_talk(TrafficJunction("easy", 300), policy, rng(), n_steps=5)
    assert frames.states.shape == (5, 300, 5) and (frames.actions == GAS).all()
    seen = frames.collided.any(axis=(0, 2))
    assert (frames.failed >= seen).all() and (frames.failed > seen).any()
    longer = record_talk(TrafficJunction("easy", 300), policy, rng(), n_steps=6)
    assert np.array_equal(frames.failed, longer.collided.any(axis=(0, 2)))


def test_a_channel_is_passed_once_a_moment_and_what_is_said_is_said_before_it():
    plain = a_policy(attention=True)
    late = plain.through(Delay(1))
    frames = record_talk(TrafficJunction("easy", 100), late, rng())
    messages = plain.messages(frames.observations.reshape(-1, 5, 17))
    assert np.array_equal(frames.messages.reshape(messages.shape), messages)
    same, channel = 0, Delay(1)
    for t in range(20):
        heard = channel(frames.messages[t], frames.speaks[t])
        answer = plain.answer(frames.observations[t], heard)
        assert np.array_equal(frames.actions[t], answer)
        same += np.array_equal(answer, plain(frames.observations[t]))
    assert same < 20


def test_worlds_with_a_gate():
    policy = a_policy(gated=True)
    frames = record_talk(GatedWorlds(TrafficJunction("easy", 30), 0.1), policy, rng())
    assert frames.observations.shape[-1] == 18 and set(np.unique(frames.actions)) <= {0, 1}
    assert np.array_equal(frames.speaks, frames.observations[..., -1] == 1)
    assert frames.speaks.any() and (frames.active & ~frames.speaks).any()
    rows = frames.observations.reshape(-1, 5, 18)
    assert np.array_equal(policy(rows).reshape(frames.actions.shape) % 2, frames.actions)
    # Who chooses to talk speaks at the next moment, unless it leaves.
    chose = (policy(rows).reshape(frames.actions.shape) >= 2) & frames.active
    assert (frames.speaks[1:] <= chose[:-1]).all()


def test_records_do_not_change_afterwards():
    worlds = TrafficJunction("easy", E)
    frames = record_talk(worlds, a_policy(), rng())
    before = {f.name: getattr(frames, f.name) for f in fields(frames)}
    copies = {name: np.copy(value) for name, value in before.items() if name != "level"}
    record_talk(worlds, a_policy(), rng(1))
    assert all(np.array_equal(getattr(frames, name), copy) for name, copy in copies.items())


@pytest.mark.parametrize("name, changes", [
    ("worlds: expected a TrafficJunction", [{"worlds": None}, {"worlds": GameWorlds(two_cars(), 2)},
        {"worlds": GatedWorlds(GameWorlds(two_cars(), 2))}]),
    ("policy: expected a policy that talks", [{"policy": None}, {"policy": lambda seen: seen}]),
    ("policy: it is that of 2 seeds", [{"policy": a_policy(2)}]),
    ("observations", [{"policy": a_policy(gated=True)}, {"policy": a_policy(n_agents=4)}]),
    ("n_steps is 21", [{"n_steps": 21}]),
    ("n_steps", [{"n_steps": 0}, {"n_steps": True}, {"n_steps": 2.0}]),
    ("rng", [{"rng": 0}]),
])  # fmt: skip
def test_bad_arguments_are_named(name, changes):
    for change in changes:
        given = {"worlds": TrafficJunction("easy", E), "policy": a_policy(), "rng": rng()} | change
        with pytest.raises(ValueError, match=f"^{name}"):
            record_talk(**given)


def hears_somebody(frames):
    """``[T, E, N]``: whether a car is there and anybody else's words can be exchanged for those of another world."""
    found = np.zeros((T, E, N), bool)
    for t, e, i in product(range(T), range(E), range(N)):
        for j in set(range(N)) - {i}:
            elsewhere = any(frames.speaks[t, x, j] for x in range(E) if x != e)
            found[t, e, i] |= bool(frames.states[t, e, i] and frames.speaks[t, e, j] and elsewhere)
    return found


def test_deaf_cars_are_not_influenced_and_who_hears_nobody_is_not_asked():
    frames = with_gaps()
    deaf = Cars(lambda seen, messages: (seen[..., 0] > 0).astype(int))
    found, asked = influence_of_all(deaf, frames, 5, rng()), hears_somebody(frames)
    assert asked.any() and (found[asked] == 0).all() and np.isnan(found[~asked]).all()


@pytest.mark.parametrize("n_ones", [1, 2, 4, 7])
@pytest.mark.parametrize("n_sets", [E, 3 * E])
def test_a_copycat_is_influenced_by_as_much_as_is_said(n_ones, n_sets):
    """All cars do what slot 2 says: H(q) bits, 1 bit at q = 1/2, the highest there is."""
    found = influence_of_all(heeds(2), made_up(some_bits(n_ones)), n_sets, rng())
    assert found[:, :, [0, 1, 3]] == pytest.approx(np.full((T, E, 3), entropy(n_ones / E)))
    wild = influence_of_all(Cars(heeds_everything), made_up(some_bits(4)), 16, rng())
    assert np.nanmax(wild) <= 1 + 1e-12


def test_a_car_with_a_closed_mouth_hears_as_well_as_any():
    speaks = np.zeros((T, E, N), bool)
    speaks[:, :, 0] = True
    found = influence_of_all(heeds(0), made_up(some_bits(4), speaks), E, rng())
    assert found[:, :, 1:] == pytest.approx(np.ones((T, E, 3)))
    assert np.isnan(found[:, :, 0]).all()
    speaks[:] = False
    speaks[:, 2, 0] = True  # in one world alone: nothing to exchange it for
    assert np.isnan(influence_of_all(heeds(0), made_up(some_bits(4), speaks), 3, rng())).all()


def test_all_of_it_against_counterfactuals_one_by_one():
    frames, policy = with_gaps(), Cars(heeds_everything)
    found, asked = influence_of_all(policy, frames, 5, rng()), hears_somebody(frames)
    for t, e, i in np.argwhere(asked):
        answers = []
        for which in donors(frames.speaks, 5, rng()):
            heard = np.array([frames.messages[t, which[t, e, j], j] for j in range(N)])
            answer = policy.answer(frames.observations[t, e][None], heard[None])
            answers.append(int(answer[0, i]))
        p = np.mean(answers)
        expected = 0.0 if p in (0.0, 1.0) else entropy(p)
        assert found[t, e, i] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(found[~asked]).all() and asked.sum() > 20 and np.nanmean(found) > 0.2


def test_set_1_is_what_the_channel_of_the_interventions_makes():
    frames = with_gaps()
    donor = donors(frames.speaks, 2, rng(5))[1]
    heard = np.take_along_axis(frames.messages, donor[..., None], axis=1)
    channel = shuffle(rng(5))
    assert np.array_equal(heard, [channel(m, s) for m, s in zip(frames.messages, frames.speaks)])


def test_influence_of_given_answers():
    actions = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 0], [0, 1, 0]])
    assert causal_influence_of(actions) == pytest.approx([1, entropy(0.25), entropy(0.25)])


def test_means_by_place_against_a_plain_loop():
    frames = with_gaps()
    values = rng().random((T, E, N))
    values[rng(4).random(values.shape) < 0.2] = np.nan
    found = by_place(frames, values)
    assert found.means.shape == (len(network(EASY).route),)
    for state, mean in enumerate(found.means):
        there = [
            v for s, v in zip(frames.states.flat, values.flat) if s == state and not np.isnan(v)
        ]
        assert found.counts[state] == (len(there) if state else 0)
        assert np.isnan(mean) if not found.counts[state] else mean == pytest.approx(np.mean(there))


def test_a_place_where_nobody_listens_stands_out():
    """Cars in state 3 do what slot 0 says, all others are deaf: all influence is there."""
    frames = made_up(some_bits(4))
    frames.observations[..., 0] = frames.states == 3

    def rule(seen, messages):
        return (messages[:, :1, 0] * (seen[..., 0] == 1)).astype(int)

    influence = influence_of_all(Cars(rule), frames, E, rng())
    influence[..., 0] = np.nan  # slot 0 does not hear itself
    found = by_place(frames, influence)
    assert found.means[3] == pytest.approx(1) and found.counts[3] > 0
    assert (np.delete(found.means, 3)[np.delete(found.counts, 3) > 0] == 0).all()


@pytest.mark.parametrize(("name", "change"), [
    ("policy: expected a policy", {"policy": lambda seen: seen}),
    ("policy: expected a policy", {"policy": None}),
    ("policy: it is that of 2 seeds", {"policy": Cars(None, 2)}),
    ("n_sets", {"n_sets": 1}),
    ("n_sets", {"n_sets": 4.0}),
    ("rng", {"rng": 0}),
])  # fmt: skip
def test_bad_arguments_of_an_influence_are_named(name, change):
    given = {"policy": heeds(0), "frames": made_up(some_bits(4)), "n_sets": 3, "rng": rng()}
    with pytest.raises(ValueError, match=f"^{name}"):
        influence_of_all(**given | change)
