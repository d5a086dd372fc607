"""Recorded episodes and situations of particle worlds: as they are played, and by policies in either form."""

from __future__ import annotations

import numpy as np
import pytest

from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.evaluation.particles.frames import record, record_probes
from marl_lessons.evaluation.particles.references import random_actions, told_one_step_late


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("make", [simple_speaker_listener, simple_spread, simple_tag])
def test_a_recording_is_the_episode_as_it_is_played(make, continuous):
    worlds, other = (make(4, continuous_actions=continuous) for _ in range(2))
    frames = record(worlds, random_actions(generator(1)), generator(7))
    assert frames.positions.shape == (26, 4, len(worlds.scene.sizes), 2)
    assert frames.messages.shape == (26, 4, worlds.n_agents, worlds.scene.n_words)
    other.reset(generator(7))
    assert np.array_equal(frames.goals, other.goals)
    for t in range(26):
        assert np.array_equal(frames.positions[t], other.positions)
        assert np.array_equal(frames.velocities[t], other.velocities)
        assert np.array_equal(frames.messages[t], other.messages)
        if t < 25:
            step = other.step(frames.actions[t], generator())
            assert np.array_equal(frames.rewards[t], step.rewards)
    assert other.ended.all() and worlds.ended.all()


def test_a_recording_may_begin_where_worlds_stand():
    frames = record(simple_speaker_listener(5), told_one_step_late, generator(3))
    worlds = simple_speaker_listener(5)
    seen = worlds.reset(generator(3))
    for _ in range(10):
        seen = worlds.step(told_one_step_late(worlds, seen), generator()).observations
    rest = record(worlds, told_one_step_late)
    assert len(rest.rewards) == 15 and np.array_equal(rest.positions, frames.positions[10:])


def test_actions_of_the_wrong_form_are_named_and_never_obscure():
    worlds = simple_spread(2)
    for wrong in (None, "left", [[1], [1, 2, 3]], np.zeros((2, 4), int), np.full((2, 3), 7)):
        with pytest.raises(ValueError, match=r"^actions"):
            record(worlds, lambda w, seen, wrong=wrong: wrong, generator())


class HalfPolicy:
    """A policy in both forms."""

    def __call__(self, seen):
        return np.full((len(seen), 2, 5), 0.5)

    def act(self, worlds, seen):
        return self(seen)


def test_record_takes_a_policy_or_its_act():
    worlds, policy = simple_speaker_listener(2, continuous_actions=True), HalfPolicy()
    one, other = (record(worlds, act, generator()) for act in (policy, policy.act))
    assert all(np.array_equal(a, b) for a, b in zip(one, other))
    assert record_probes(worlds, policy, generator()).actions.shape == (2, 2, 5)


@pytest.mark.parametrize(("call", "word"), [
    (lambda worlds: record(None, HalfPolicy(), generator()), "worlds"),
    (lambda worlds: record(worlds, 3, generator()), "act"),
    (lambda worlds: record(worlds, HalfPolicy(), 7), "rng"),
    (lambda worlds: record(worlds, HalfPolicy()), "worlds: expected episodes that go on"),
    (lambda worlds: record_probes(simple_spread(6), HalfPolicy(), generator()), "worlds"),
    (lambda worlds: record_probes(worlds, HalfPolicy(), 7), "rng"),
    (lambda worlds: record_probes(worlds, lambda seen: -0.1, generator()), "actions"),
])  # fmt: skip
def test_bad_input_is_refused_by_name(call, word):
    with pytest.raises(ValueError, match=f"^{word}"):
        call(simple_speaker_listener(2, continuous_actions=True))
