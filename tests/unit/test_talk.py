"""Recorded talk: every field against the worlds and the policy asked step by step, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from marl_lessons.algorithms.talk.commnet import CommNet
from marl_lessons.algorithms.talk.worlds import GatedWorlds
from marl_lessons.envs.cars.junction import BRAKE, GAS, TrafficJunction, full_information_rule
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.stepping import GameWorlds
from marl_lessons.evaluation.statistics import play_episodes
from marl_lessons.evaluation.talk.channels import Delay, mute
from marl_lessons.evaluation.talk.influence import TalkFrames, record_talk

E = 6


def rng(seed=0):
    return np.random.default_rng(seed)


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


class Knowing:
    """Drives by the rule with full information; says its route, listens to the next slot alone; told nothing, it brakes."""

    def __init__(self, worlds):
        self.worlds, self.n_asked = worlds, 0

    def __call__(self, seen):
        self.n_asked += 1
        return full_information_rule(self.worlds)

    def messages(self, seen):
        return seen[..., 1:2]

    def speaks(self, seen):
        return seen.any(axis=-1)

    def weights(self, seen):
        return np.broadcast_to(np.eye(5)[[1, 2, 3, 4, 0]], (len(seen), 5, 5))

    def answer(self, seen, messages):
        return np.where(messages.any(axis=-1), GAS, BRAKE)


def test_any_policy_with_the_same_questions_will_do_and_is_asked_once_a_moment():
    worlds = TrafficJunction("easy", 50)
    policy = Knowing(worlds)
    frames = record_talk(worlds, policy, rng())
    assert policy.n_asked == 20 and not frames.failed.any()
    assert (frames.muted == BRAKE).all() and (frames.weights[..., 0, 1] == 1).all()
    there = frames.active
    assert np.array_equal(frames.messages[there][:, 0] == 1, frames.states[there] >= 8)


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


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("worlds: expected a TrafficJunction", {"worlds": None}),
        ("worlds: expected a TrafficJunction", {"worlds": GameWorlds(two_cars(), 2)}),
        ("worlds: expected a TrafficJunction", {"worlds": GatedWorlds(GameWorlds(two_cars(), 2))}),
        ("policy: expected a policy that talks", {"policy": None}),
        ("policy: expected a policy that talks", {"policy": lambda seen: seen}),
        ("policy: it is that of 2 seeds", {"policy": a_policy(2)}),
        ("observations", {"policy": a_policy(gated=True)}),
        ("observations", {"policy": a_policy(n_agents=4)}),
        ("n_steps is 21", {"n_steps": 21}),
        ("n_steps", {"n_steps": 0}),
        ("n_steps", {"n_steps": True}),
        ("n_steps", {"n_steps": 2.0}),
        ("rng", {"rng": 0}),
    ],
)
def test_bad_arguments_are_named(name, change):
    given = {"worlds": TrafficJunction("easy", E), "policy": a_policy(), "rng": rng()} | change
    with pytest.raises(ValueError, match=f"^{name}"):
        record_talk(**given)


@pytest.mark.parametrize(
    ("question", "wrong"),
    [
        ("messages", np.zeros((E, 5))),
        ("messages", np.full((E, 5, 1), np.nan)),
        ("messages", None),
        ("speaks", np.zeros((E, 5))),
        ("speaks", np.zeros((E, 4), bool)),
        ("weights", np.zeros((E, 5))),
        ("weights", np.full((E, 5, 5), np.inf)),
        ("answer", np.zeros((E, 5))),
        ("answer", np.full((E, 5), 2)),
        ("answer", None),
    ],
)
def test_answers_of_the_wrong_form_are_named(question, wrong):
    worlds = TrafficJunction("easy", E)
    policy = Knowing(worlds)
    setattr(policy, question, lambda *_: wrong)
    with pytest.raises(ValueError, match=f"^policy: its {question}"):
        record_talk(worlds, policy, rng())


def test_actions_of_the_wrong_form_are_named():
    class Lost(Knowing):
        def __call__(self, seen):
            return np.full((E, 5), 2)

    worlds = TrafficJunction("easy", E)
    with pytest.raises(ValueError, match=r"^policy: its actions"):
        record_talk(worlds, Lost(worlds), rng())


@pytest.mark.parametrize("name", [f.name for f in fields(TalkFrames)])
def test_frames_that_do_not_fit_are_named(name):
    frames = record_talk(TrafficJunction("easy", E), a_policy(), rng(), n_steps=4)
    value = getattr(frames, name)
    wrong = [None, "easy"]
    if name != "level":
        wrong += [value[:, :-1] if value.ndim > 1 else value[:-1], value[..., None], value * 1j]
        wrong += [value[..., 0]]
        wrong += [value * np.nan if value.dtype.kind == "f" else value + 100]
    for broken in wrong:
        # With other states or fewer worlds in them it is a neighbour that no longer fits.
        named = name if name != "states" or not hasattr(broken, "shape") else r"\w+"
        with pytest.raises(ValueError, match=f"^{named}"):
            replace(frames, **{name: broken})
