"""Drift and error over training: bounds, medians and the control run are drawn as they were measured."""

from __future__ import annotations

import numpy as np

from marl_lessons.evaluation import Drift
from marl_lessons.viz.moving_target.drift import (
    draw_drift_and_bound,
    draw_false_cause,
    draw_release,
    draw_two_gauges,
)
from marl_lessons.viz.style import png

RNG = np.random.default_rng(0)
STEPS = np.arange(0, 1001, 10)


def lines(ax):
    """Drawn lines by label."""
    return {line.get_label(): line.get_ydata() for line in ax.get_lines()}


def seeds(n=4):
    return RNG.random((len(STEPS), n))


def test_release_shows_the_run_until_the_end_and_the_twin_from_the_release_on():
    figure = draw_release(seed=1, release=2000)
    ax = figure.axes[0]
    twin = next(line for line in ax.get_lines() if "never learns" in line.get_label())
    assert twin.get_xdata()[0] == 2000 and twin.get_xdata()[-1] == 5000
    assert png(figure) != png(draw_release(seed=2, release=2000))


def test_drift_stands_below_its_bound_and_ticks_where_the_best_response_changes():
    bound = RNG.random(100)
    changes = RNG.random(100) < 0.1
    drift = Drift(0.9 * bound, bound, bound, bound, bound)
    ax = draw_drift_and_bound(STEPS[1:], drift, changes, slip=0.1).axes[0]
    shown = lines(ax)
    assert np.array_equal(shown["drift of my world"], 0.9 * bound)
    ticks = next(line for line in ax.get_lines() if "best response" in line.get_label())
    assert np.array_equal(ticks.get_xdata(), STEPS[1:][changes])


def test_gauges_show_medians():
    exact, seen = ({"learns": seeds(), "never learns": seeds()} for _ in range(2))
    left, right = draw_two_gauges(STEPS, exact, seen, release=500).axes
    for ax, curves in ((left, exact), (right, seen)):
        for name, values in curves.items():
            assert np.allclose(lines(ax)[name], np.median(values, axis=1))


def test_false_cause_shows_drift_on_the_left_and_the_control_on_the_right():
    drift, error, frozen = seeds(), seeds(), seeds()
    figure = draw_false_cause(STEPS, drift, error, frozen)
    shown = {label: y for ax in figure.axes for label, y in lines(ax).items()}
    assert np.allclose(shown["drift"], np.median(drift, axis=1))
    assert np.allclose(shown["error, partner never learns"], np.median(frozen, axis=1))
