"""The style: the lessons' own, whatever the reader has chosen before."""

from __future__ import annotations

import matplotlib
import matplotlib.pyplot as plt
import pytest

from marl_lessons.viz.style import new_figure, png, use_style


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
