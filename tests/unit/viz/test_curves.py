"""Curves: bands hold the central share of the seeds, and marked steps carry their word."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection

from marl_lessons.viz import new_figure
from marl_lessons.viz.curves import draw_band, draw_seeds, mark

STEPS = np.arange(0, 1001, 10)


def test_a_band_holds_the_central_share_and_every_seed_may_stand_behind_it():
    values, x = np.random.default_rng(0).random((len(STEPS), 21)), STEPS
    _, (plain, behind) = new_figure(1, 2)
    draw_band(plain, x, values, "b", share=0.5)
    draw_seeds(behind, x, values, "b", share=0.5)
    ranked = np.sort(values, axis=1)
    for ax in (plain, behind):
        (filled,) = (c for c in ax.collections if not isinstance(c, LineCollection))
        corners = {tuple(point) for point in filled.get_paths()[0].vertices.round(9)}
        for rank in (5, 15):  # of 21: quartiles
            assert {(float(a), float(b)) for a, b in zip(x, ranked[:, rank].round(9))} <= corners
        assert any(np.array_equal(line.get_ydata(), ranked[:, 10]) for line in ax.lines)
    assert len(plain.collections) == 1 and len(behind.collections) == 2


def test_a_mark_is_a_line_with_a_word_below_a_height():
    _, (ax,) = new_figure()
    mark(ax, 300, 0.8, "freeze")
    (line,), (text,) = ax.lines, ax.texts
    assert list(line.get_xdata()) == [300, 300] and line.get_linestyle() == "--"
    assert text.get_text().strip() == "freeze" and text.get_position() == (300, 0.8)
    assert text.get_va() == "top"
