"""The style: the lessons' own, whatever the reader has chosen before."""

from __future__ import annotations

import io

import matplotlib
import matplotlib.pyplot as plt
import pytest
from PIL import Image

from marl_lessons.viz.style import image_tag, new_figure, png, type_on_a_phone, use_style


@pytest.fixture(autouse=True)
def _restore_the_style():
    with matplotlib.rc_context():
        yield


def drawn() -> tuple[bytes, bytes]:
    """A figure of pyplot's and one of ours."""
    figure, ax = plt.subplots()
    mine, (axes,) = new_figure()
    for one in (ax, axes):
        one.plot([0, 1], label="a line")
        one.set(title="The title", xlabel="step")
        one.legend()
    return png(figure), png(mine)


@pytest.mark.parametrize("style", ["dark_background", "ggplot", "grayscale"])
def test_the_readers_style_does_not_leak_in(style: str) -> None:
    use_style()
    expected = drawn()
    plt.style.use(style)
    use_style()
    assert drawn() == expected


def test_type_is_measured_at_the_width_of_a_phone() -> None:
    figure, (ax,) = new_figure(size=(7.08, 3))
    ax.text(0, 0, "small", fontsize=7.2)
    ax.text(0, 0, " ", fontsize=1)
    ax.text(0, 0, "hidden", fontsize=1, visible=False)
    assert type_on_a_phone(figure) == pytest.approx(7.2 / 72 * 354 / 7.08)
    note = Image.open(io.BytesIO(png(figure, colours=16))).info
    assert note["type"] == "5.00"
    narrow, _ = new_figure(size=(2, 2))
    png(narrow)
    assert type_on_a_phone(narrow) == pytest.approx(9 / 72 * narrow.dpi)  # never enlarged


@pytest.mark.parametrize(("points", "width"), [(7.2, "min-width:638px"), (14.4, "max-width:100%")])
def test_a_picture_stays_as_wide_as_its_type_needs(points: float, width: str) -> None:
    figure, (ax,) = new_figure(size=(7.08, 3))
    ax.set(xticks=[], yticks=[], title="")
    ax.text(0, 0, "text", fontsize=points)
    tag = image_tag(png(figure), "A text.")
    assert width in tag and ('tabindex="0"' in tag) == (points < 10)
    assert tag.count('img alt="A text."') == 1
