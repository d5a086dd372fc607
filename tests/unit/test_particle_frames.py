"""Recorded episodes: every field is checked, and what plays them must take worlds and observations."""

from __future__ import annotations

import numpy as np
import pytest

from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.evaluation.particles.drift import bootstrap_drift, own_law_drift
from marl_lessons.evaluation.particles.frames import (
    Frames,
    check_frames,
    check_function,
    record,
    record_probes,
)
from marl_lessons.evaluation.particles.references import random_actions


def generator(seed=0):
    return np.random.default_rng(seed)


def recorded(make=simple_speaker_listener, continuous=True, n_worlds=3):
    worlds = make(n_worlds, continuous_actions=continuous, time_limit=4)
    return worlds.scene, record(worlds, random_actions(generator(1)), generator(2))


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("make", [simple_speaker_listener, simple_spread, simple_tag])
def test_what_was_recorded_is_returned_as_it_is(make, continuous):
    scene, frames = recorded(make, continuous)
    assert check_frames("frames", frames, scene) is frames


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("field", Frames._fields)
def test_every_field_is_checked_and_named(field, continuous):
    scene, frames = recorded(continuous=continuous)
    array = getattr(frames, field)
    broken = [None, array.tolist(), array[..., None], array[:-1], array.astype(object), array + 1j]
    if field != "goals":
        broken += [array[:, :-1], np.full(array.shape, np.nan), np.full(array.shape, np.inf)]
    if field == "goals" or (field == "actions" and not continuous):
        broken += [array + 5, array - 5, array + 0.5]
    if field == "messages":
        broken += [array + 1.5, array - 0.5]
    for wrong in broken:
        # A number of steps or worlds that differs may show first at a neighbour, whose length no longer fits.
        length = wrong is not None and not isinstance(wrong, list) and wrong.ndim == array.ndim
        length = length and wrong.shape != array.shape
        named = r"\w+" if length and field == "positions" else field
        with pytest.raises(ValueError, match=rf"^frames\.{named}(\[|:)"):
            check_frames("frames", frames._replace(**{field: wrong}), scene)


def test_episodes_of_another_scene_are_refused():
    scene, _ = recorded(simple_spread)
    with pytest.raises(ValueError, match=r"^f\.positions: expected .* of simple_spread"):
        check_frames("f", recorded()[1], scene)


def test_actions_of_the_wrong_form_are_named_and_never_obscure():
    worlds = simple_spread(2)
    for wrong in (None, "left", [[1], [1, 2, 3]], np.zeros((2, 4), int), np.full((2, 3), 7)):
        with pytest.raises(ValueError, match=r"^actions"):
            record(worlds, lambda w, seen, wrong=wrong: wrong, generator())


def one(seen):
    """A policy: a function of observations alone."""
    return np.full((len(seen), 2, 5), 0.5)


def test_record_takes_act_and_record_probes_the_policy_itself():
    """The mistake that is easily made, with ``policy`` and ``policy.act``, is named."""
    worlds = simple_speaker_listener(2, continuous_actions=True)
    with pytest.raises(ValueError, match=r"^act: expected a function of worlds and observations"):
        record(worlds, one, generator())
    with pytest.raises(ValueError, match=r"^policy: expected a function of observations"):
        record_probes(worlds, lambda w, seen: one(seen), generator())
    probes = record_probes(worlds, one, generator())
    assert record(worlds, lambda w, seen: one(seen), generator()).rewards.shape == (25, 2, 2)
    for wrong in (None, 3, "x", lambda: 0):
        with pytest.raises(ValueError, match=r"^critic: expected a function of observations and a"):
            bootstrap_drift(wrong, probes.observations, [one, one])
        with pytest.raises(
            ValueError, match=r"^policies\[1\]: expected a function of observations"
        ):
            bootstrap_drift(lambda x, a: x[..., 0], probes.observations, [one, wrong])
        with pytest.raises(ValueError, match=r"^policies\[0\]"):
            own_law_drift(worlds, probes, [wrong, one], 0)


def test_functions_are_known_by_what_they_take():
    for fits in (lambda a, b: 0, lambda *a: 0, lambda a, b, c=1: 0, random_actions(generator())):
        assert check_function("f", fits, "x", "y") is fits
    for wrong in (None, 3, lambda: 0, lambda a: 0, lambda a, b, c: 0, lambda a, b, *, c: 0):
        with pytest.raises(ValueError, match=r"^f: expected a function of x and y, got"):
            check_function("f", wrong, "x", "y")
