"""Curves of what moves while policies learn: every value is drawn where it belongs, on axes that begin at 0."""

import numpy as np
import pytest

from marl_lessons.viz.everyone.maddpg_curves import draw_moving_parts

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


@pytest.mark.parametrize(
    "name, steps, panels",
    [
        ("env_steps", "no", PANELS),
        ("env_steps", None, PANELS),
        ("env_steps", [4000], PANELS),
        ("env_steps", [0, 8000, 4000], PANELS),
        ("env_steps", [-1, 4000, 8000], PANELS),
        ("panels", STEPS, {}),
        ("panels", STEPS, None),
        ("panels", STEPS, {"a": ("unit", {"b": np.zeros(3)})}),
        ("panels", STEPS, {"a": ("unit", {"b": np.array([0, np.nan])})}),
        (r"panels\['a'\]\['b'\]: a distance", STEPS, {"a": ("unit", {"b": np.array([0.5, -0.1])})}),
        (r"panels\['a'\]\['b'\]", STEPS, {"a": ("unit", {"b": None})}),
        (r"panels\['a'\]", STEPS, {"a": ("unit", {})}),
        (r"panels\['a'\]", STEPS, {"a": ("unit", None)}),
        (r"panels\['a'\]", STEPS, {"a": (None, {"b": np.zeros(2)})}),
        (r"panels\['a'\]", STEPS, {"a": {"b": np.zeros(2)}}),
        (r"panels\['a'\]", STEPS, {"a": None}),
    ],
)
def test_bad_input_is_named(name, steps, panels):
    with pytest.raises(ValueError, match=f"^{name}"):
        draw_moving_parts(steps, panels)


def test_no_curve_is_left_out():
    """Five can be told apart; a sixth would look like the first."""
    five = {str(k): np.full(2, float(k)) for k in range(5)}
    (ax,) = draw_moving_parts(STEPS, {"a": ("unit", five)}).axes
    assert [line.get_label() for line in ax.get_lines()] == list(five)
    with pytest.raises(ValueError, match=r"^panels\['a'\]: 5 curves at most fit, got 6"):
        draw_moving_parts(STEPS, {"a": ("unit", five | {"5": np.zeros(2)})})
