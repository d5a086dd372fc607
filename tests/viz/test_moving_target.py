"""A slider through time stands below the picture, does not count among the four, and a span has two ends."""

from __future__ import annotations

import pytest

from marl_lessons.viz import Interactive, new_figure, slider, span


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
