"""Recorded episodes and situations of particle worlds: of the right scene, and by policies in either form."""

from __future__ import annotations

import numpy as np
import pytest

from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.evaluation.particles.frames import check_frames, record, record_probes
from marl_lessons.evaluation.particles.references import random_actions


def generator(seed=0):
    return np.random.default_rng(seed)


def recorded(make=simple_speaker_listener, continuous=True, n_worlds=3):
    worlds = make(n_worlds, continuous_actions=continuous, time_limit=4)
    return worlds.scene, record(worlds, random_actions(generator(1)), generator(2))


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("make", [simple_speaker_listener, simple_spread, simple_tag])
def test_what_was_recorded_belongs_to_its_scene(make, continuous):
    scene, frames = recorded(make, continuous)
    assert check_frames("frames", frames, scene) is frames
    other = recorded(simple_spread if make is simple_speaker_listener else simple_speaker_listener)[
        0
    ]
    with pytest.raises(ValueError, match=r"^f\.positions: expected .* of simple_"):
        check_frames("f", frames, other)
    with pytest.raises(ValueError, match=r"^f: expected Frames"):
        check_frames("f", tuple(frames), scene)
    with pytest.raises(ValueError, match=r"^scene"):
        check_frames("f", frames, None)


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
