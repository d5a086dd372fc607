"""Driver and patrol: the figures of their chase and of memories show the arrays they are given."""

from __future__ import annotations

import numpy as np

from marl_lessons.evaluation import running_mean
from marl_lessons.viz.moving_target.driver_and_patrol import (
    draw_chase,
    draw_memory,
    draw_settling,
    draw_split,
)

RNG = np.random.default_rng(0)
STEPS = np.arange(0, 1001, 10)


def lines(ax):
    """Drawn lines by label."""
    return {line.get_label(): line.get_ydata() for line in ax.get_lines()}


def seeds(n=4):
    return RNG.random((len(STEPS), n))


def test_chase_draws_running_means():
    points, errors = RNG.random((60, 2)), {"learns": seeds(), "frozen": seeds()}
    square, ax = draw_chase(points, (0.2, 0.3), STEPS, errors, freeze=400).axes
    assert np.allclose(square.get_lines()[0].get_xydata(), running_mean(points, 12))
    assert np.allclose(lines(ax)["frozen"], np.median(running_mean(errors["frozen"], 50), axis=1))


def test_split_has_one_pair_of_bars_for_each_setting():
    parts = {"patrol": {"learns": (1.0, 0.3), "frozen": (0.1, 0.4)}, "size": {"0.1": (2.0, 0.2)}}
    axes = draw_split(parts).axes
    heights = [[bar.get_height() for bar in ax.patches] for ax in axes]
    assert heights == [[1.0, 0.1, 0.3, 0.4], [2.0, 0.2]]


def test_settling_and_memory():
    paths = {"gradient": RNG.random((30, 2)), "WoLF-IGA": RNG.random((30, 2))}
    distances = {"PHC": seeds(), "WoLF-PHC": seeds(), "slow PHC": seeds()}
    square, ax = draw_settling(paths, STEPS, distances).axes
    assert np.array_equal(square.get_lines()[1].get_xydata(), paths["WoLF-IGA"])
    assert np.allclose(lines(ax)["slow PHC"], np.median(distances["slow PHC"], axis=1))
    sizes = {"1": RNG.random(5), "100": RNG.random(5)}
    _, right = draw_memory(
        STEPS, seeds(), {"learns": sizes, "never": {k: v + 1 for k, v in sizes.items()}}
    ).axes
    assert np.allclose(lines(right)["never"], [np.median(v) + 1 for v in sizes.values()])
