"""The plot style, stated once: figures, colours, and pictures that carry their description with them. All lessons."""

from __future__ import annotations

import base64
import html
import io
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

STYLE_FILE = Path(__file__).with_name("lessons.mplstyle")
# The library's defaults first: whatever style the reader has chosen before, every colour is ours.
STYLE = ["default", matplotlib.rc_params_from_file(STYLE_FILE, use_default_template=False)]

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
PHONE, SMALLEST_TYPE = 354, 9.0  # px: width of a picture in a window of 400, and what can be read
LIGHT_COLOURS = {"green": "#009E73", "yellow": "#F0C000", "red": "#C8102E"}


def use_style() -> None:
    """Make the lessons' style the default for figures drawn with matplotlib in this process."""
    matplotlib.style.use(STYLE)
    matplotlib.rcParams["figure.max_open_warning"] = 0  # a film's frames are open together


def new_figure(
    n_rows: int = 1, n_columns: int = 1, size: tuple[float, float] = (7.4, 3.4), **spacing: float
) -> tuple[Figure, list[Axes]]:
    """A figure of ``size`` inches with ``n_rows * n_columns`` axes (a flat list), outside of pyplot's global state.

    Margins leave room for a title and axis labels; ``spacing`` (left, right, bottom, top, wspace, hspace as fractions, as
    in matplotlib's ``subplots_adjust``) overrides them.
    """
    with matplotlib.style.context(STYLE):
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
    """``figure`` as a PNG. With ``colours`` (2 to 256) it is reduced to so many, a third of the size in a notebook.

    The picture notes its :func:`type_on_a_phone` under "type". A figure of ``plt.subplots()`` is closed, so that
    the notebook does not show it once more.
    """
    from PIL import Image, PngImagePlugin

    if not isinstance(figure, Figure):
        raise ValueError(f"figure: expected a Figure, as draw(…) should return, got {figure!r:.80}")
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close(figure)
    buffer = io.BytesIO()
    with matplotlib.style.context(STYLE):
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(matplotlib.rcParams["savefig.dpi"])
        canvas.draw()
        size, pixels = canvas.get_width_height(), canvas.buffer_rgba()
        image = Image.frombuffer("RGBA", size, pixels).convert("RGB")
    note = PngImagePlugin.PngInfo()
    note.add_text("type", f"{type_on_a_phone(figure):.2f}")
    if colours is None:
        image.save(buffer, format="png", compress_level=1, pnginfo=note)
    else:
        reduced = image.quantize(colours, dither=Image.Dither.NONE)
        reduced.save(buffer, format="png", optimize=True, pnginfo=note)
    return buffer.getvalue()


def type_on_a_phone(figure: Figure) -> float:
    """Height in px of the smallest type in a drawn ``figure`` where a phone shows it."""
    texts = figure.findobj(lambda part: isinstance(part, Text) and part.get_visible())
    points = min((text.get_fontsize() for text in texts if text.get_text().strip()), default=72.0)
    return points / 72 * min(PHONE / figure.get_figwidth(), figure.dpi)


@contextmanager
def closing_figures() -> Iterator[None]:
    """Close in the end what ``plt.subplots()`` opens meanwhile, also where an error cuts the drawing short."""

    def opened() -> set[int]:
        pyplot = sys.modules.get("matplotlib.pyplot")
        return set(pyplot.get_fignums()) if pyplot else set()

    before = opened()
    try:
        yield
    finally:
        for number in opened() - before:
            sys.modules["matplotlib.pyplot"].close(number)


def as_description(alt: str) -> str:
    """``alt`` as it is; raises ValueError if it is empty."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"alt is {alt!r}; a sentence is needed that says what the picture shows")
    return alt


def image_tag(data: bytes, alt: str) -> str:
    """An HTML image with its description inside the tag, as wide as the page at most.

    A picture of :func:`png` keeps the width at which its smallest type can be read: a narrower page scrolls it sideways.
    """
    from PIL import Image

    picture, label = Image.open(io.BytesIO(data)), html.escape(alt)
    source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    size = float(picture.info.get("type", SMALLEST_TYPE))
    if size >= SMALLEST_TYPE:
        return f'<img alt="{label}" style="max-width:100%" src="{source}">'
    width = min(picture.width, math.ceil(PHONE * SMALLEST_TYPE / size))
    # `contain`: what stands around the picture is not widened by it.
    return (
        f'<div style="overflow-x:auto;contain:inline-size" tabindex="0" role="group" aria-label="{label}">'
        f'<img alt="{label}" style="max-width:100%;min-width:{width}px" src="{source}"></div>'
    )


def png_bundle(data: bytes, alt: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The PNG ``data`` and its description as Jupyter's (contents by MIME type, their metadata)."""
    contents = {"image/png": base64.b64encode(data).decode(), "text/plain": alt}
    return contents, {"image/png": {"alt": alt}}


class Picture:
    """A figure with a description.

    JupyterLab gives no alternative text to a PNG, so that a notebook at work shows the picture as HTML. What
    the lessons store is the PNG with its description alone: viewers that clean HTML would lose the picture.
    """

    def __init__(self, figure: Figure, alt: str):
        """``alt`` says in a sentence what the figure shows."""
        self.data, self.alt = png(figure, colours=160), as_description(alt)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        contents, metadata = png_bundle(self.data, self.alt)
        return {"text/html": image_tag(self.data, self.alt), **contents}, metadata
