"""Cars drawn from above: positions between steps."""

from __future__ import annotations

import numpy as np

from marl_lessons.viz.cars import glide


def test_glide_passes_through_every_position_at_even_pace() -> None:
    positions = np.array([[3.0, 3.0], [2.0, 3.0], [2.0, 2.0]])
    path = glide(positions, 4)
    assert len(path) == 9
    np.testing.assert_allclose(path[::4], positions)
    np.testing.assert_allclose(path[1], [2.75, 3.0])
