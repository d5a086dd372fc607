"""What channels are worth: bars, bits and break-even points are those of the numbers that were given."""

from __future__ import annotations

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.patches import Rectangle

from marl_lessons.evaluation.statistics import Share, break_even, earned_so_far
from marl_lessons.evaluation.talk.channels import Outcome
from marl_lessons.viz.style import png, use_style
from marl_lessons.viz.talking.channel_curves import draw_channel, draw_tampering, estimate
from marl_lessons.viz.talking.method_curves import draw_methods
from marl_lessons.viz.widgets import Interactive, choice, slider

NAN = float("nan")


def outcome(value: float, n: int = 400) -> Outcome:
    return Outcome(Share(value, float(np.sqrt(value * (1 - value) / n))), -1.0, 0.1)


NOISY = {0.0: outcome(0.98), 0.3: outcome(0.5), 3.0: outcome(0.0)}
SEEDS = {0.0: np.array([0.9, 1.0, 0.95]), 0.3: np.array([0.2, 0.7, 0.3])}
SUCCESS = {"CommNet": NOISY, "RIAL": SEEDS}
BITS = {"CommNet": {0.0: 3.5, 0.3: 2.0, 3.0: 0.0}, "RIAL": {0.0: 1.0, 0.3: 0.75}}


def curve(ax, colour_of: str):
    """The line with a label in the legend that begins so, and its error bars' ends ``[K, 2]`` where it has some."""
    for container in ax.containers:
        if container.get_label().startswith(colour_of):
            line, _, (bars,) = container
            return line, np.array([segment[:, 1] for segment in bars.get_segments()])
    return next(line for line in ax.lines if str(line.get_label()).startswith(colour_of)), None


def names(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().texts]


def title(ax) -> str:
    return ax.get_title(loc="left") or ax.get_title()


def test_shares_and_bars_are_those_of_the_outcomes():
    left, right = draw_channel(SUCCESS, "noise", BITS, {"silence": 0.28}).axes
    line, bars = curve(left, "CommNet")
    assert np.allclose(line.get_xydata(), [[0, 0.98], [0.3, 0.5], [3, 0]])
    reach = 1.96 * np.sqrt(0.25 / 400)
    assert np.allclose(bars[1], [0.5 - reach, 0.5 + reach])
    assert np.allclose(bars[0], [0.98 - 1.96 * 0.007, 0.98 + 1.96 * 0.007], atol=1e-3)
    assert np.allclose(bars[2], 0)
    line, bars = curve(left, "RIAL")
    assert np.allclose(line.get_xydata(), [[0, 0.95], [0.3, 0.4]])
    error = np.sqrt(((0.2 - 0.4) ** 2 + (0.7 - 0.4) ** 2 + (0.3 - 0.4) ** 2) / 2 / 3)
    assert np.allclose(bars[1], [0.4 - 1.96 * error, 0.4 + 1.96 * error])
    assert bars[0].max() == pytest.approx(1.0), "cut off at 1"
    dots = {tuple(xy) for line in left.lines if line.get_marker() == "o" for xy in line.get_xydata()}  # fmt: skip
    assert {(0.3, 0.2), (0.3, 0.7), (0.0, 0.9)} < dots
    assert "silence: 0.28" in names(left)
    assert {(0.28, 0.28)} <= {tuple(line.get_ydata()) for line in left.lines}
    for label, row in BITS.items():
        drawn = curve(right, label)[0]
        assert dict(map(tuple, drawn.get_xydata())) == row
        assert drawn.get_color() == curve(left, label)[0].get_color()


def test_the_marked_setting_stands_in_the_legend_and_all_may_be_equally_far_apart():
    left, right = draw_channel(SUCCESS, "noise", BITS, now=0.3, even=True).axes
    assert names(left) == ["CommNet: 0.50", "RIAL: 0.40"]
    assert names(right) == ["CommNet: 2.00", "RIAL: 0.75"]
    assert curve(left, "CommNet")[0].get_xdata().tolist() == [0, 1, 2]
    assert [t.get_text() for t in left.get_xticklabels()] == ["0", "0.3", "3"]
    for ax in (left, right):
        assert [1, 1] in [list(line.get_xdata()) for line in ax.lines]
    assert names(draw_channel(SUCCESS, "noise", now=3.0).axes[0]) == ["CommNet: 0.00", "RIAL"]


def test_unordered_settings_are_drawn_in_order():
    shuffled = {x: NOISY[x] for x in (3.0, 0.0, 0.3)}
    assert curve(draw_channel({"a": shuffled}, "noise").axes[0], "a")[0].get_xdata().tolist() == [0, 0.3, 3]  # fmt: skip


def test_tampering_has_a_bar_for_each_name():
    rows = {"as trained": NOISY[0.0], "late": SEEDS[0.3], "muted": NOISY[3.0]}
    figure = draw_tampering(rows, {"without": 0.28})
    (ax,) = figure.axes
    bars = [p.get_width() for p in ax.patches if isinstance(p, Rectangle)]
    assert bars == pytest.approx([0.98, 0.4, 0.0])
    assert [t.get_text() for t in ax.get_yticklabels()] == list(rows)
    assert [t.get_text() for t in ax.texts] == ["0.98", "0.40", "0.00"]
    assert ax.get_ylim()[0] > ax.get_ylim()[1], "the first on top"
    assert [t.get_text() for t in figure.legends[0].texts] == ["without: 0.28"]
    assert png(draw_tampering(rows))


def test_estimates():
    assert estimate("x", Share(0.3, 0.1))[:2] == (0.3, 0.1)
    one = estimate("x", np.array([0.3]))
    assert one[:2] == (0.3, 0.0) and one.seeds.tolist() == [0.3]


STEPS = np.array([0.0, 10.0, 20.0, 30.0])


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=7),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_break_even_as_its_words_say(pairs, margin):
    first, second = np.array(pairs, dtype=float).T
    steps = np.arange(len(pairs)) * 10.0 + 5
    expected = NAN
    for k in reversed(range(len(pairs))):
        if first[k] < second[k] - margin:
            break
        if first[k] > second[k] + margin:
            expected = steps[k]
    assert np.array_equal(break_even(steps, first, second, margin), expected, equal_nan=True)


def test_break_even_and_loss_made_good_of_curves_that_one_can_add_up():
    slow, quick = np.array([0.0, 0.0, 3.0, 6.0]), np.array([0.0, 2.0, 2.0, 2.0])
    assert break_even(STEPS, slow, quick) == 20 and break_even(STEPS, quick, slow) != 20
    totals = earned_so_far(STEPS, slow), earned_so_far(STEPS, quick)
    assert totals[0].tolist() == [0, 0, 15, 60] and totals[1].tolist() == [0, 10, 30, 50]
    assert break_even(STEPS, *totals) == 30
    assert np.isnan(break_even(STEPS, quick, slow))
    assert break_even(STEPS, quick + 9, slow) == 0
    many = np.random.default_rng(0).normal(size=(4, 3, 2))
    areas = [sum(10 * (many[j] + many[j + 1]) / 2 for j in range(k)) for k in (1, 2, 3)]
    assert np.allclose(earned_so_far(STEPS, many), [np.zeros((3, 2)), *areas])


def methods(n_seeds=3):
    slow, quick = np.array([0.0, 0.0, 3.0, 6.0]), np.array([0.0, 2.0, 2.0, 2.0])
    spread = np.linspace(-0.1, 0.1, n_seeds)
    return {"talks": (STEPS, slow[:, None] + spread), "silent": (STEPS, quick[:, None] + spread)}


def test_methods_have_their_seeds_medians_and_marks():
    curves = methods()
    ax = draw_methods(curves, "return", {"best": 7.0}, ("talks", "silent")).axes[0]
    for label, (_, values) in curves.items():
        (line,) = [line for line in ax.lines if line.get_label() == label]
        assert np.allclose(line.get_ydata(), np.median(values, axis=1))
    thin = [segment[:, 1] for c in ax.collections if hasattr(c, "get_segments") for segment in c.get_segments()]  # fmt: skip
    assert len(thin) == 6 and any(np.allclose(t, curves["talks"][1][:, 0]) for t in thin)
    upright = [line.get_xdata()[0] for line in ax.lines if len(set(line.get_xdata())) == 1]
    assert sorted(upright) == [20, 30]
    assert title(ax) == "talks: ahead for good from 20, its loss made good at 30"
    assert ax.get_ylim()[1] > 7


def test_titles_say_who_never_gets_ahead_has_lost_nothing_or_not_enough_time():
    curves = methods()
    words = lambda *a, **k: title(draw_methods(curves, "return", None, *a, **k).axes[0])  # noqa: E731
    assert words(("silent", "talks")) == "silent never gets ahead of talks for good"
    assert words(("talks", "silent"), margin=4.0) == "talks never gets ahead of silent for good"
    assert words().startswith("Thin")
    curves = {"talks": (STEPS[:3], methods()["talks"][1][:3]), "silent": (STEPS[:3], methods()["silent"][1][:3])}  # fmt: skip
    assert words(("talks", "silent")) == "talks: ahead for good from 20, its loss not made good"
    curves = {"talks": (STEPS, np.full((4, 1), 5.0)), "silent": (STEPS, np.zeros((4, 2)))}
    assert words(("talks", "silent")) == "talks: ahead for good from 0"


def test_what_is_below_the_floor_is_cut_off_and_long_titles_fit():
    deep = {"a": (STEPS, [[-400.0], [1], [2], [3]]), "b" * 50: (STEPS, np.zeros((4, 1)))}
    assert draw_methods(deep, "return").axes[0].get_ylim()[0] < -400
    before = dict(matplotlib.rcParams)
    try:
        use_style()
        ax = draw_methods(deep, "return", against=("a", "b" * 50), floor=-1.0).axes[0]
        widths = [t.get_window_extent().width for t in (ax.title, ax._left_title)]
    finally:
        dict.update(matplotlib.rcParams, before)
    assert -1.5 < ax.get_ylim()[0] <= -1 and max(widths) <= 1.01 * ax.bbox.width


def test_as_a_widget():
    widget = Interactive(
        lambda now, even: draw_channel(SUCCESS, "noise", BITS, {"silence": 0.28}, now, even),
        alt="Success and bits against noise.",
        now=slider("noise", [0.0, 0.3, 3.0]),
        even=choice("equal distances", [False, True]),
    )
    pictures = {widget.image.value}
    for name, value in (("now", 3.0), ("even", True)):
        widget.controls[name].value = value
        assert "alert" not in widget.image.value
        pictures.add(widget.image.value)
    assert len(pictures) == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        *(({"success": s}, "success") for s in (None, {}, [NOISY], 0.5)),
        *(({"success": {"a": row}}, r"success\['a'\]") for row in (None, {}, 0.5, outcome(0.5))),
        *(({"success": {"a": {0.1: v}}}, r"success\['a'\]\[0.1\]") for v in (0.5, None, [0.5, 1.2], [-0.1], [NAN], [[0.5]], "x", [], Share(1.2, 0.0), Share(0.5, -1.0), Share(0.5, NAN))),
        *(({"success": {"a": {x: [0.5]}}}, r"success\['a'\]: a key") for x in ("0.1", NAN, float("inf"), None, True)),
        ({"success": {str(k): NOISY for k in range(6)}}, "success, bits: 5 labels"),
        ({"bits": {str(k): {0.0: 1.0} for k in range(4)}}, "success, bits: 5 labels"),
        *(({"bits": b}, "bits") for b in ({}, 3, {"a": {}}, {"a": {0.0: -1.0}}, {"a": {0.0: NAN}}, {"a": {0.0: float("inf")}}, {"a": {0.0: "x"}})),
        *(({"levels": v}, "levels") for v in ([1], {"a": NAN}, {"a": float("inf")}, {"a": "x"}, 0.3)),
        *(({"setting": x}, "setting") for x in (None, 3)),
        *(({"now": x}, "now") for x in (0.1, NAN, "0.3", True, [0.3])),
        *(({"even": v}, "even") for v in (1, None, "yes")),
    ],
)  # fmt: skip
def test_bad_input_of_a_channel_is_refused(change, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        draw_channel(**({"success": SUCCESS, "setting": "noise"} | change))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        *(({"curves": c}, "curves") for c in (None, {}, [methods()], {"a": STEPS}, {"a": (STEPS,)}, {"a": (STEPS, STEPS)}, {"a": (STEPS[::-1], np.zeros((4, 1)))}, {"a": (STEPS, np.zeros((3, 1)))}, {"a": (STEPS, np.full((4, 1), NAN))}, {str(k): methods()["talks"] for k in range(6)})),
        ({"curves": {"a": ([1, 2], [[1e308], [-1e308]])}}, r"curves\['a'\]: its values"),
        *(({"ylabel": y}, "ylabel") for y in (None, 3)),
        *(({"levels": v}, "levels") for v in ([1], {"a": NAN}, 0.3)),
        *(({"against": a}, "against") for a in ("talks", ("talks",), ("talks", "talks"), ("talks", "x"), (0, 1), 3, ["talks", None])),
        *(({"margin": m}, "margin") for m in (-0.1, NAN, "1", True, None)),
        *(({"floor": m}, "floor") for m in (9.0, NAN, "1", True)),
    ],
)  # fmt: skip
def test_bad_input_of_methods_is_refused(change, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        draw_methods(**({"curves": methods(), "ylabel": "return"} | change))


def test_curves_with_other_steps_cannot_be_compared():
    curves = methods() | {"other": (STEPS + 1, np.zeros((4, 1)))}
    with pytest.raises(ValueError, match=r"^against: expected two curves with the same steps"):
        draw_methods(curves, "return", against=("talks", "other"))
    with pytest.raises(ValueError, match=r"^steps"):
        break_even([1, 1], [0, 0], [0, 0])
    with pytest.raises(ValueError, match=r"^first"):
        break_even([1, 2], [0], [0, 0])
    with pytest.raises(ValueError, match=r"^second"):
        break_even([1, 2], [0, 1], [0, NAN])
    with pytest.raises(ValueError, match=r"^margin"):
        break_even([1, 2], [0, 1], [0, 1], -1)
    for bad in (3.0, [1.0], [[1], [2], [3]], "x", [1, NAN]):
        with pytest.raises(ValueError, match=r"^values"):
            earned_so_far([1, 2], bad)
    with pytest.raises(ValueError, match=r"^success\['a'\]"):
        draw_tampering({"a": None})


def test_the_axis_says_what_is_counted():
    assert draw_methods(methods(), "return").axes[0].get_xlabel() == "steps"
    assert draw_methods(methods(), "return", xlabel="episodes").axes[0].get_xlabel() == "episodes"
    with pytest.raises(ValueError, match=r"^xlabel"):
        draw_methods(methods(), "return", xlabel=3)
