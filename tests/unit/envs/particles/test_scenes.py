"""Scenes: what is no state of one is refused by name."""

import numpy as np
import pytest

from marl_lessons.envs import simple_speaker_listener


def begun(make, n_worlds=4, **settings):
    worlds = make(n_worlds, **settings)
    worlds.reset(np.random.default_rng(0))
    return worlds


@pytest.mark.parametrize(
    "change, name",
    [
        ({"positions": np.zeros((2, 4, 2))}, "positions"), ({"positions": np.full((2, 5, 2), np.nan)}, "positions"),
        ({"positions": np.full((2, 5, 2), 1e200)}, "positions"), ({"positions": None}, "positions"),
        ({"velocities": np.zeros((2, 2))}, "velocities"), ({"velocities": np.ones((2, 2, 2))}, r"velocities\[0, 0\]"),
        ({"goals": [0, 3]}, "goals"), ({"goals": [0.0, 1.0]}, "goals"), ({"goals": 1}, "goals"), ({"goals": np.array(1)}, "goals"),
    ],
)  # fmt: skip
def test_places_are_checked(change, name):
    worlds = begun(simple_speaker_listener, 2)
    before = worlds.observe()
    with pytest.raises(ValueError, match=f"^{name}"):
        worlds.place(**{"positions": np.zeros((2, 5, 2)), **change})
    np.testing.assert_array_equal(worlds.observe(), before)
