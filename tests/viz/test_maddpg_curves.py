"""Curves of seeds: every seed, the median and the levels are drawn, and shares and times are counted right."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from marl_lessons.evaluation.recorded import Curves
from marl_lessons.viz.everyone.maddpg_curves import (
    ALL,
    count_beyond,
    draw_convergence,
    draw_shares,
    explorations,
    median_time,
    share_beyond,
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


@pytest.mark.parametrize("x", ["env steps", "seconds"])
def test_shares_and_times_as_a_plain_loop_counts_them(x):
    for seed in range(20):
        runs, threshold = made_up(seed, 6, 1 + seed % 4), -11.0
        at, share = share_beyond(runs, threshold, x)
        clock = (
            runs.seconds if x == "seconds" else np.tile(runs.env_steps[:, None], len(runs.seeds))
        )
        assert set(at) == set(clock.ravel()) and (np.diff(at) > 0).all()
        for place, value in zip(at, share):
            now = []
            for s in range(len(runs.seeds)):
                latest = [runs.returns[k, s] for k in range(6) if clock[k, s] <= place]
                now.append(bool(latest) and latest[-1] > threshold)
            assert value == pytest.approx(sum(now) / len(now))
        firsts = []
        for s in range(len(runs.seeds)):
            there = [clock[k, s] for k in range(6) if runs.returns[k, s] > threshold]
            firsts.append(min(there, default=np.inf))
        reached = [t for t in sorted(firsts) if 2 * sum(f <= t for f in firsts) >= len(firsts)]
        assert median_time(runs, threshold, x) == reached[0]


def test_half_of_the_seeds_is_what_the_median_time_means():
    returns = [[-20, -20, -20, -20], [-8, -20, -20, -20], [-8, -8, -20, -20]]
    runs = Curves([10, 20, 30], returns, np.ones((3, 4)), np.arange(4))
    assert median_time(runs, -9) == 30 and count_beyond(runs, -9) == 2
    assert np.isinf(median_time(runs, -7)) and count_beyond(runs, -8) == 0
    fallen = Curves([10, 20], [[-8], [-10]], np.ones((2, 1)), [0])
    assert median_time(fallen, -9) == 10 and count_beyond(fallen, -9) == 0
    assert share_beyond(fallen, -9)[1].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("x", ["env steps", "seconds"])
def test_each_panel_has_its_seeds_median_levels_and_count(x):
    figure = draw_convergence(FOUR, LEVELS, -9, x)
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


def test_all_labels_in_one_panel():
    figure = draw_convergence(FOUR, LEVELS, overlaid=True)
    (ax,) = figure.axes
    bold = [line for line in ax.lines if line.get_linewidth() > 2]
    assert len(bold) == 4 and len({(b.get_color(), str(b.get_linestyle())) for b in bold}) == 4
    assert len({str(b.get_linestyle()) for b in bold}) == 4


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
    pictures = set()
    for exploration, expected in ((ALL, 4), ("white noise", 2), ("correlated noise", 2)):
        for x in ("env steps", "seconds"):
            figure = draw_shares(FOUR, -11, x, exploration)
            names = [text.get_text() for text in figure.legends[0].texts]
            assert len(names) == expected
            if exploration != ALL:
                assert all(exploration in name for name in names)
            lines = [line for line in figure.axes[0].lines if line.get_linewidth() > 2]
            looks = {(line.get_color(), str(line.get_linestyle())) for line in lines}
            assert len(looks) == expected and len({look[1] for look in looks}) == 2
            pictures.add(png(figure))
    assert len(pictures) == 6


def test_the_legend_says_when_half_are_there():
    returns = [[-20, -20], [-8, -20], [-8, -8]]
    runs = Curves([10_000, 20_000, 35_500], returns, [[1, 1], [2, 2], [3, 4.25]], [0, 1])
    text = lambda *a: draw_shares({"A": runs}, *a).legends[0].texts[0].get_text()  # noqa: E731
    assert text(-9) == "A: half after 20k steps"
    assert text(-9, "seconds") == "A: half after 2.0 s"
    assert text(-7) == "A: never half of them"


def test_shares_as_a_widget():
    widget = Interactive(
        lambda threshold, x, exploration: draw_shares(FOUR, threshold, x, exploration),
        alt="Share of seeds beyond a threshold.",
        threshold=slider("threshold", range(-15, -6), -9),
        x=choice("axis", ["env steps", "seconds"]),
        exploration=choice("exploration", [ALL, *explorations(FOUR)]),
    )
    before = widget.image.value
    widget.controls["x"].value = "seconds"
    widget.controls["exploration"].value = "white noise"
    assert widget.image.value != before and "alert" not in widget.image.value


def test_bad_input_is_refused():
    for bad in ({}, None, {"a": np.zeros(3)}):
        with pytest.raises(ValueError, match=r"^curves"):
            draw_convergence(bad, LEVELS)
        with pytest.raises(ValueError, match=r"^curves_by_label"):
            draw_shares(bad)
    with pytest.raises(ValueError, match=r"^levels"):
        draw_convergence(FOUR, [1])
    with pytest.raises(ValueError, match=r"^levels\['a'\]"):
        draw_convergence(FOUR, {"a": np.nan})
    with pytest.raises(ValueError, match=r"^overlaid"):
        draw_convergence(FOUR, LEVELS, overlaid=1)
    with pytest.raises(ValueError, match=r"^overlaid: 5 labels at most"):
        draw_convergence({str(k): made_up(k) for k in range(6)}, {}, overlaid=True)
    for draw in (
        lambda **k: draw_convergence(FOUR, LEVELS, **k),
        lambda **k: draw_shares(FOUR, **k),
    ):
        for wrong in ({"threshold": np.nan}, {"threshold": True}, {"x": "hours"}, {"x": []}):
            with pytest.raises(ValueError, match=f"^{next(iter(wrong))}"):
                draw(**wrong)
        assert isinstance(draw(), Figure)
    for wrong in ("pink noise", None, ""):
        with pytest.raises(ValueError, match=r"^exploration"):
            draw_shares(FOUR, exploration=wrong)


@pytest.mark.parametrize("count", [share_beyond, median_time])
def test_only_axes_that_exist_are_counted_on(count):
    runs = made_up()
    for wrong in ("hours", "env_steps", None, [], np.array("seconds"), np.array(["seconds", "x"])):
        with pytest.raises(ValueError, match=r"^x is .*; allowed are env steps, seconds$"):
            count(runs, -9.0, wrong)


@pytest.mark.parametrize("count", [share_beyond, median_time, count_beyond])
def test_counting_refuses_by_name(count):
    for wrong in (None, {}, np.zeros((3, 2)), FOUR):
        with pytest.raises(ValueError, match=r"^curves: expected Curves"):
            count(wrong, -9.0)
    for wrong in (None, "x", np.nan, True, [-9.0]):
        with pytest.raises(ValueError, match=r"^threshold"):
            count(made_up(), wrong)


def test_explorations_and_choices_of_the_wrong_type_are_refused():
    for wrong in (None, {}, [NAMES], {1: made_up()}, {"a": None}):
        with pytest.raises(ValueError, match=r"^curves_by_label"):
            explorations(wrong)
    for wrong in ([], np.array(["all", "x"]), 3):
        with pytest.raises(ValueError, match=r"^exploration"):
            draw_shares(FOUR, exploration=wrong)
