"""Deep learners at the Traffic Junction: every seed, their median and the levels are drawn."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_hex

from marl_lessons.algorithms.deep.iql import DeepHistory
from marl_lessons.viz.moving_target.junction_curves import draw_junction_curves


def test_junction_curves_show_every_seed_their_median_and_the_levels():
    values = np.random.default_rng(0).random((6, 5))
    empty = {name: None for name in DeepHistory.__dataclass_fields__}
    run = DeepHistory(**(empty | {"steps": np.arange(6), "evaluations": tuple(values)}))
    (ax,) = draw_junction_curves({"blind": run}, {"never brake": 0.27}).axes
    shown = {line.get_label(): line for line in ax.get_lines()}
    assert np.allclose(shown["median of seeds"].get_ydata(), np.median(values, axis=1))
    drawn = [list(line.get_ydata()) for line in ax.get_lines()]
    assert all(list(seed) in drawn for seed in values.T)
    level = shown["never brake: 0.27"]
    assert set(level.get_ydata()) == {0.27} and to_hex(level.get_color()) == "#000000"
