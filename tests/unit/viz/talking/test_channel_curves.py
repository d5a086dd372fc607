"""What channels are worth: bars, bits and levels are those of the numbers that were given."""

from __future__ import annotations

import numpy as np
import pytest

from marl_lessons.evaluation.statistics import Share
from marl_lessons.evaluation.talk.channels import Outcome
from marl_lessons.viz.talking.channel_curves import draw_channel, estimate
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


def test_estimates():
    assert estimate(Share(0.3, 0.1))[:2] == (0.3, 0.1)
    one = estimate(np.array([0.3]))
    assert one[:2] == (0.3, 0.0) and one.seeds.tolist() == [0.3]


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


@pytest.mark.parametrize("now", [0.1, NAN, "0.3"])
def test_a_setting_that_was_not_measured_cannot_be_marked(now):
    with pytest.raises(ValueError, match=r"^now"):
        draw_channel(SUCCESS, "noise", now=now)
