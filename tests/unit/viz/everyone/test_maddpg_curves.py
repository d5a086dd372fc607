"""Curves of seeds: every seed, the median and the levels are drawn, and shares and times are counted right."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest

from marl_lessons.evaluation.recorded import Curves
from marl_lessons.viz.everyone.maddpg_curves import (
    ALL,
    count_beyond,
    draw_convergence,
    draw_moving_parts,
    draw_shares,
    explorations,
    median_time,
)
from marl_lessons.viz.style import png, use_style
from marl_lessons.viz.widgets import Interactive, choice, slider

LEVELS = {"told": -7.2, "never told": -15.4}


def made_up(seed=0, n_measured=8, n_seeds=5):
    rng = np.random.default_rng(seed)
    steps = np.arange(1, n_measured + 1) * 20_000
    seconds = rng.uniform(0.2, 2, (n_measured, n_seeds)).cumsum(axis=0)
    return Curves(steps, rng.uniform(-20, -5, (n_measured, n_seeds)), seconds, np.arange(n_seeds))


NAMES = ("MADDPG, correlated noise", "MADDPG, white noise", "independent, correlated noise", "independent, white noise")  # fmt: skip
FOUR = {name: made_up(k) for k, name in enumerate(NAMES)}


def test_times_as_a_plain_loop_counts_them():
    for seed in range(20):
        runs, threshold = made_up(seed, 6, 1 + seed % 4), -11.0
        firsts = []
        for returns in runs.returns.T:
            there = [at for at, value in zip(runs.env_steps, returns) if value > threshold]
            firsts.append(min(there, default=np.inf))
        reached = [t for t in sorted(firsts) if 2 * sum(f <= t for f in firsts) >= len(firsts)]
        assert median_time(runs, threshold) == reached[0]


def test_half_of_the_seeds_is_what_the_median_time_means():
    returns = [[-20, -20, -20, -20], [-8, -20, -20, -20], [-8, -8, -20, -20]]
    runs = Curves([10, 20, 30], returns, np.ones((3, 4)), np.arange(4))
    assert median_time(runs, -9) == 30 and count_beyond(runs, -9) == 2
    assert np.isinf(median_time(runs, -7)) and count_beyond(runs, -8) == 0
    fallen = Curves([10, 20], [[-8], [-10]], np.ones((2, 1)), [0])
    assert median_time(fallen, -9) == 10 and count_beyond(fallen, -9) == 0
    share = draw_shares({"a": fallen}).axes[0].lines[0].get_xydata()
    assert share.tolist() == [[0, 0], [10, 1], [20, 0], [20, 0]]


def test_each_panel_has_its_seeds_median_levels_and_count():
    figure = draw_convergence(FOUR, LEVELS, -9)
    assert len(figure.axes) == 4
    for ax, (label, runs) in zip(figure.axes, FOUR.items()):
        lines = {tuple(line.get_ydata()) for line in ax.lines}
        assert {tuple(seed) for seed in runs.returns.T} < lines
        assert tuple(np.median(runs.returns, axis=1)) in lines
        assert {(level, level) for level in LEVELS.values()} < lines
        solved = sum(end > -9 for end in runs.returns[-1])
        assert (
            ax.get_title(loc="left") + ax.get_title() == f"{label}\n{solved} of 5 seeds beyond -9"
        )
    names = [text.get_text() for text in figure.legends[0].texts]
    assert names == ["median of seeds", "told: -7.2", "never told: -15.4"]
    assert len({ax.get_ylim() for ax in figure.axes}) == 1


FAULTS = ("as it should be", "C: time limit taken for the end", "A: no target networks", "D: gradient into the others", "E: speaker is not paid", "F: rows mixed up")  # fmt: skip
LONG = ("independent DDPG, the other's settings", "joint critic that sees only what its own agent sees", *FAULTS)  # fmt: skip


@pytest.mark.parametrize("names", [FAULTS, LONG[:2], LONG[:3], LONG[:4], LONG[:5]])
def test_titles_stay_above_their_own_panels(names):
    """At the size and with the bold letters of the lessons, so that neighbours do not touch."""
    before = dict(matplotlib.rcParams)
    try:
        use_style()
        figure = draw_convergence({name: made_up(k) for k, name in enumerate(names)}, LEVELS)
        titles = [
            max(ax.title, ax._left_title, key=lambda t: len(t.get_text())) for ax in figure.axes
        ]
        boxes = [title.get_window_extent() for title in titles]
    finally:
        dict.update(matplotlib.rcParams, before)
    assert [title.get_text().splitlines()[0] for title in titles] == list(names)
    assert len({title.get_fontsize() for title in titles}) == 1
    for ax, box in zip(figure.axes, boxes):
        assert ax.bbox.x0 - 1 <= box.x0 and box.x1 <= ax.bbox.x1 + 1
    if names is FAULTS:
        assert titles[0].get_fontsize() == 8.5  # a letter before the name costs nothing


def test_far_below_the_lowest_level_is_cut_off():
    deep = Curves([1, 2], [[-500.0], [-8.0]], [[1], [2]], [0])
    low = draw_convergence({"a": deep}, LEVELS).axes[0].get_ylim()[0]
    assert -35 < low < -15.4
    assert draw_convergence({"a": deep}, {}).axes[0].get_ylim()[0] < -500


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_any_number_of_panels(count):
    curves = {f"method {k}": made_up(k) for k in range(count)}
    figure = draw_convergence(curves, LEVELS)
    assert len(figure.axes) == count and png(figure)


def test_the_chosen_exploration_is_shown():
    assert explorations(FOUR) == ["correlated noise", "white noise"]
    for exploration, expected in ((ALL, 4), ("white noise", 2), ("correlated noise", 2)):
        figure = draw_shares(FOUR, -11, exploration)
        names = [text.get_text() for text in figure.legends[0].texts]
        assert len(names) == expected
        assert exploration == ALL or all(exploration in name for name in names)
        lines = [line for line in figure.axes[0].lines if line.get_linewidth() > 2]
        looks = {(line.get_color(), str(line.get_linestyle())) for line in lines}
        assert len(looks) == expected and len({look[1] for look in looks}) == 2


def test_the_legend_says_when_half_are_there():
    runs = Curves(
        [10_000, 20_000, 35_500], [[-20, -20], [-8, -20], [-8, -8]], np.ones((3, 2)), [0, 1]
    )
    texts = [draw_shares({"A": runs}, at).legends[0].texts[0].get_text() for at in (-9, -7)]
    assert texts == ["A: half after 20k steps", "A: never half of them"]


def test_shares_as_a_widget():
    widget = Interactive(
        lambda threshold, exploration: draw_shares(FOUR, threshold, exploration),
        alt="Share of seeds beyond a threshold.",
        threshold=slider("threshold", range(-15, -6), -9),
        exploration=choice("exploration", [ALL, *explorations(FOUR)]),
    )
    before = widget.image.value
    widget.controls["exploration"].value = "white noise"
    assert widget.image.value != before and "alert" not in widget.image.value


STEPS = np.array([0, 4000, 8000])
PANELS = {
    "world": ("distance", {"own": np.array([0.5, 0.2]), "all": np.zeros(2)}),
    "value": ("change of Q", {"first": np.array([1.0, 3.0])}),
}


def test_values_stand_at_the_later_record_and_axes_begin_at_zero():
    figure = draw_moving_parts(STEPS, PANELS)
    for ax, (title, (unit, curves)) in zip(figure.axes, PANELS.items()):
        assert ax.get_title() == title and ax.get_ylabel() == unit and ax.get_ylim()[0] == 0
        assert ax.get_ylim()[1] > max(v.max() for v in curves.values())
        for line, (label, values) in zip(ax.get_lines(), curves.items()):
            assert line.get_label() == label
            assert line.get_xdata().tolist() == [4000, 8000]
            assert line.get_ydata().tolist() == values.tolist()
    looks = {(line.get_linestyle(), line.get_marker()) for line in figure.axes[0].get_lines()}
    assert len(looks) == 2, "told apart without colour"


def test_nothing_that_moves_is_no_error():
    figure = draw_moving_parts(STEPS, {"still": ("distance", {"all": np.zeros(2)})})
    assert figure.axes[0].get_ylim()[1] > 0
