"""Figures of lessons 05 and 06 show the arrays they are given, and the widget's slider through time stands below."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from marl_lessons.algorithms.deep.iql import DeepHistory
from marl_lessons.evaluation import Drift, running_mean
from marl_lessons.viz import Interactive, new_figure, slider, span
from marl_lessons.viz.curves import draw_band, draw_seeds, mark
from marl_lessons.viz.moving_target.chasing import (
    draw_chase,
    draw_memory,
    draw_settling,
    draw_split,
)
from marl_lessons.viz.moving_target.drift import (
    draw_drift_and_bound,
    draw_false_cause,
    draw_release,
    draw_two_gauges,
)
from marl_lessons.viz.moving_target.junction_curves import draw_junction_curves
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


@pytest.mark.parametrize("release", [0, -1, 5_000, 99_999, 2_000.0, None, True, "late"])
def test_a_release_lies_within_the_run(release):
    with pytest.raises(ValueError, match=r"^release\b"):
        draw_release(release=release)


@pytest.mark.parametrize("seed", [-1, 0.5, None, True, [1]])
def test_the_seed_of_a_release(seed):
    with pytest.raises(ValueError, match=r"^seed\b"):
        draw_release(seed)


def test_a_band_holds_the_central_share_and_every_seed_may_stand_behind_it():
    values, x = RNG.random((len(STEPS), 21)), STEPS
    _, (plain, behind) = new_figure(1, 2)
    draw_band(plain, x, values, "b", share=0.5)
    draw_seeds(behind, x, values, "b", share=0.5)
    ranked = np.sort(values, axis=1)
    for ax in (plain, behind):
        (filled,) = (c for c in ax.collections if not isinstance(c, LineCollection))
        corners = {tuple(point) for point in filled.get_paths()[0].vertices.round(9)}
        for rank in (5, 15):  # of 21: quartiles
            assert {(float(a), float(b)) for a, b in zip(x, ranked[:, rank].round(9))} <= corners
        assert np.allclose(lines(ax)["b"], ranked[:, 10])
    assert len(plain.collections) == 1 and len(behind.collections) == 2


def test_a_mark_is_a_line_with_a_word_below_a_height():
    _, (ax,) = new_figure()
    mark(ax, 300, 0.8, "freeze")
    (line,), (text,) = ax.lines, ax.texts
    assert list(line.get_xdata()) == [300, 300] and line.get_linestyle() == "--"
    assert text.get_text().strip() == "freeze" and text.get_position() == (300, 0.8)
    assert text.get_va() == "top"


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


@pytest.mark.parametrize(
    "parts",
    [
        {},
        None,
        [(1, 2)],
        {"patrol": {}},
        {"patrol": None},
        {"patrol": {"learns": 1.0}},
        {"patrol": {"learns": (1.0,)}},
        {"patrol": {"learns": (1.0, 2.0, 3.0)}},
        {"patrol": {"learns": (1.0, float("nan"))}},
        {"patrol": {"learns": (1.0, 0.2), "frozen": (-0.1, 0.2)}},
    ],
)
def test_a_split_needs_pairs_of_sizes(parts):
    with pytest.raises(ValueError, match=r"^parts\b"):
        draw_split(parts)


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


def test_false_cause_shows_drift_on_the_left_and_the_control_on_the_right():
    drift, error, frozen = seeds(), seeds(), seeds()
    figure = draw_false_cause(STEPS, drift, error, frozen)
    shown = {label: y for ax in figure.axes for label, y in lines(ax).items()}
    assert np.allclose(shown["drift"], np.median(drift, axis=1))
    assert np.allclose(shown["error, partner never learns"], np.median(frozen, axis=1))


def test_junction_curves_show_every_seed_their_median_and_the_levels():
    values = RNG.random((6, 5))
    empty = {name: None for name in DeepHistory.__dataclass_fields__}
    run = DeepHistory(**(empty | {"steps": np.arange(6), "evaluations": tuple(values)}))
    (ax,) = draw_junction_curves({"blind": run}, {"never brake": 0.27}).axes
    assert np.allclose(lines(ax)["median of seeds"], np.median(values, axis=1))
    assert {to_hex(line.get_color()) for line in ax.get_lines() if line.get_ydata()[0] == 0.27} == {
        "#000000"
    }


def history(evaluations, n_records=6):
    fields = {name: None for name in DeepHistory.__dataclass_fields__}
    return DeepHistory(**(fields | {"steps": np.arange(n_records), "evaluations": evaluations}))


SHARES = tuple(RNG.random((6, 5)))


@pytest.mark.parametrize(
    "runs",
    [
        {},
        None,
        [history(SHARES)],
        {"blind": None},
        {"blind": history(None)},
        {"blind": history(())},
        {"blind": history(SHARES), "sighted": history(SHARES[:5])},
        {"blind": history((None,) * 6)},
        {"blind": history((0.5,) * 6)},
        {"blind": history((np.full(5, np.nan),) * 6)},
        {"blind": history((np.full(5, 1.5),) * 6)},
        {"blind": history((np.full(5, -0.1),) * 6)},
    ],
)
def test_junction_curves_need_evaluated_runs(runs):
    with pytest.raises(ValueError, match=r"^runs\b"):
        draw_junction_curves(runs, {})


@pytest.mark.parametrize("level", [1.2, -0.1, None, float("nan"), "high"])
def test_levels_of_the_junction_are_shares(level):
    with pytest.raises(ValueError, match=r"^levels\['never brake'\]"):
        draw_junction_curves({"blind": history(SHARES)}, {"never brake": level})


def draw_dot(moment=0, window=(0, 1)):
    figure, (ax,) = new_figure(size=(2, 1.5))
    ax.plot([moment], [window[1] - window[0]], "o")
    ax.set(xlim=(-1, 6), ylim=(-1, 6))
    return figure


def test_the_slider_through_time_stands_below_the_picture_and_a_span_has_two_ends():
    widget = Interactive(
        draw_dot,
        "A dot that moves.",
        moment=slider("moment", range(5)),
        window=span("from … to", range(4), value=(0, 3)),
    )
    assert [type(child).__name__ for child in widget.box.children] == [
        "SelectionRangeSlider",
        "HTML",
        "SelectionSlider",
    ]
    assert widget.values == {"window": (0, 3), "moment": 0}
    first = widget.image.value
    widget.controls["moment"].value = 4
    moved = widget.image.value
    widget.controls["window"].value = (2, 2)
    assert len({first, moved, widget.image.value}) == 3


def test_a_moment_does_not_count_among_the_four_controls():
    four = {name: slider(name, range(2)) for name in "abcd"}
    Interactive(
        lambda **values: draw_dot(values["moment"]), "A dot.", moment=slider("t", [1]), **four
    )
    with pytest.raises(ValueError, match=r"^controls: 5 given"):
        Interactive(lambda **values: draw_dot(), "A dot.", e=slider("e", [1]), **four)
