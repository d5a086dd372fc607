"""The plot style, stated once: figures, colours, and pictures that carry their description with them."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

STYLE = matplotlib.rc_params_from_file(
    Path(__file__).with_name("lessons.mplstyle"), use_default_template=False
)

BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
GREY = "#8a8a8a"
LINES = (  # colour, line style and marker of the first, second, … line of a figure: told apart without colour, too
    (BLUE, "-", "o"),
    (VERMILION, "--", "s"),
    (GREEN, "-.", "^"),
    (PINK, ":", "D"),
    (ORANGE, (0, (5, 1)), "v"),
)
LIGHT_COLOURS = {"green": "#009E73", "yellow": "#F0C000", "red": "#C8102E"}


def use_style() -> None:
    """Make the lessons' style the default for figures drawn with matplotlib in this process."""
    matplotlib.rcParams.update(STYLE)


def new_figure(
    n_rows: int = 1, n_columns: int = 1, size: tuple[float, float] = (7.4, 3.4), **spacing: float
) -> tuple[Figure, list[Axes]]:
    """A figure of ``size`` inches with ``n_rows * n_columns`` axes (a flat list), outside of pyplot's global state.

    Margins leave room for a title and axis labels; ``spacing`` (left, right, bottom, top, wspace, hspace as fractions, as
    in matplotlib's ``subplots_adjust``) overrides them.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        axes = figure.subplots(n_rows, n_columns, squeeze=False)
    width, height = size
    margins = {
        "left": 0.75 / width,
        "right": 1 - 0.2 / width,
        "bottom": 0.58 / height,
        "top": 1 - 0.42 / height,
    }
    figure.subplots_adjust(**(margins | spacing))
    return figure, list(axes.flat)


def png(figure: Figure, colours: int | None = None) -> bytes:
    """``figure`` as a PNG. With ``colours`` (2 to 256) it is reduced to so many, a third of the size in a notebook."""
    from PIL import Image

    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(matplotlib.rcParams["savefig.dpi"])
        canvas.draw()
        size, pixels = canvas.get_width_height(), canvas.buffer_rgba()
        image = Image.frombuffer("RGBA", size, pixels).convert("RGB")
    if colours is None:
        image.save(buffer, format="png", compress_level=1)
    else:
        reduced = image.quantize(colours, dither=Image.Dither.NONE)
        reduced.save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def image_tag(data: bytes, alt: str) -> str:
    """An HTML image with its description inside the tag, as wide as the page at most."""
    encoded = base64.b64encode(data).decode()
    return f'<img alt="{html.escape(alt)}" style="max-width:100%" src="data:image/png;base64,{encoded}">'


class Picture:
    """A figure with a description: shown as HTML with alternative text, with a PNG for readers that take no HTML."""

    def __init__(self, figure: Figure, alt: str):
        """``alt`` says in a sentence what the figure shows; raises ValueError if it is empty."""
        if not isinstance(alt, str) or not alt.strip():
            raise ValueError(
                f"alt is {alt!r}; a sentence is needed that says what the figure shows"
            )
        self.data, self.alt = png(figure, colours=160), alt

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        encoded = base64.b64encode(self.data).decode()
        return {
            "text/html": image_tag(self.data, self.alt),
            "image/png": encoded,
            "text/plain": self.alt,
        }
