"""Methods beside each other: medians, seeds and the moments at which one overtakes another."""

from __future__ import annotations

import matplotlib
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.evaluation.statistics import break_even, earned_so_far
from marl_lessons.viz.style import use_style
from marl_lessons.viz.talking.method_curves import draw_methods

NAN = float("nan")


def title(ax) -> str:
    return ax.get_title(loc="left") or ax.get_title()


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
    deep = {"a": (STEPS, np.array([[-400.0], [1], [2], [3]])), "b" * 50: (STEPS, np.zeros((4, 1)))}
    assert draw_methods(deep, "return").axes[0].get_ylim()[0] < -400
    before = dict(matplotlib.rcParams)
    try:
        use_style()
        ax = draw_methods(deep, "return", against=("a", "b" * 50), floor=-1.0).axes[0]
        widths = [t.get_window_extent().width for t in (ax.title, ax._left_title)]
    finally:
        dict.update(matplotlib.rcParams, before)
    assert -1.5 < ax.get_ylim()[0] <= -1 and max(widths) <= 1.01 * ax.bbox.width


def test_the_axis_says_what_is_counted():
    assert draw_methods(methods(), "return").axes[0].get_xlabel() == "steps"
    assert draw_methods(methods(), "return", xlabel="episodes").axes[0].get_xlabel() == "episodes"
