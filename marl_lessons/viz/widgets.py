"""What moves: sliders that redraw a figure, films, a progress bar; a picture for where no kernel runs. All lessons."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from IPython import get_ipython
from IPython.display import display
from matplotlib.figure import Figure

from marl_lessons.checks import as_count
from marl_lessons.viz.style import as_description, closing_figures, image_tag, png, png_bundle

MAX_CONTROLS = 4
BAR_WIDTH = 40
PLAYER = Path(__file__).with_name("player.js")


def display_with_fallback(box: widgets.Widget, contents: dict[str, str], metadata: dict) -> None:
    """Show ``box``; pages without a kernel show ``contents`` by MIME type ("text/plain" among them).

    Colab may prefer those in a bundle of both: there the widget is shown alone.
    """
    if "google.colab" in sys.modules:
        display(box)
        return
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    bundle = {"application/vnd.jupyter.widget-view+json": view, **contents}
    display(bundle, metadata=metadata, raw=True)


def progress_bar(label: str) -> Callable[[float], None]:
    """A function to be called with the share done, from 0 to 1: it shows a bar of text, and removes it at 1.

    Outside a notebook the bar stands on one line of a terminal; a file gets none.
    """
    in_notebook = hasattr(get_ipython(), "kernel")
    shown = None

    def show(share: float) -> None:
        nonlocal shown
        full = int(BAR_WIDTH * share)
        bar = f"{label}: [{'#' * full}{'.' * (BAR_WIDTH - full)}] {share:4.0%}"
        contents = {"text/plain": bar if share < 1 else ""}
        if in_notebook and shown:
            shown.update(contents, raw=True)
        elif in_notebook and share < 1:
            shown = display(contents, raw=True, display_id=True)
        elif sys.stdout.isatty():
            print(f"\r{bar if share < 1 else ' ' * len(bar)}\r", end="", flush=True)

    return show


def track(items: Iterable, label: str) -> Iterator:
    """Each of ``items``, under a :func:`progress_bar` that says how many are done."""
    items, show = list(items), progress_bar(label)
    for done, item in enumerate(items):
        show(done / len(items))
        yield item
    show(1.0)


class Animation:
    """A flip-book of figures with a play button and a slider; nothing moves before the reader presses play.

    ``figures``: the frames, all of one size; ``alt``: what the animation shows, in a sentence; ``still``: index of the
    frame that stands for all where no script runs (default: the last); ``frames_per_second``: speed.
    """

    def __init__(
        self, figures: Iterable[Figure], alt: str, still: int = -1, frames_per_second: int = 8
    ):
        """Draw all frames at once."""
        self.alt = as_description(alt)
        with closing_figures():
            self.frames = [png(figure, colours=32) for figure in figures]
        if not self.frames:
            raise ValueError("figures is empty; at least one frame is needed")
        if not -len(self.frames) <= still < len(self.frames):
            raise ValueError(
                f"still is {still}; allowed are {-len(self.frames)} to {len(self.frames) - 1}"
            )
        self.still = still % len(self.frames)
        self.interval = 1000 // as_count("frames_per_second", frames_per_second)

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict, dict]:
        encoded = [base64.b64encode(frame).decode() for frame in self.frames]
        film = {"interval": self.interval, "still": self.still, "frames": encoded}
        name = hashlib.sha256(json.dumps(film).encode()).hexdigest()[:12]
        page = (
            f'<div class="marl-animation" data-film="{name}">{image_tag(self.frames[self.still], self.alt)}'
            f'<div class="marl-controls" style="display:none"><button type="button">Play</button> '
            f'<input type="range" min="0" max="{len(encoded) - 1}" value="{self.still}" '
            f'aria-label="frame of the animation: {html.escape(self.alt)}"></div></div>'
            f"<script>({PLAYER.read_text(encoding='utf-8').strip()})({json.dumps({'film': name, **film})});</script>"
        )
        contents, metadata = png_bundle(self.frames[self.still], self.alt)
        return {"text/html": page, **contents}, metadata


def slider(label: str, options, value=None) -> widgets.SelectionSlider:
    """A labelled slider over ``options`` (numbers, or (text, value) pairs), at ``value`` (default: the first).

    Raises ValueError naming ``options`` if there are none, ``value`` if it is not among them.
    """
    pairs = _as_pairs(options, "g")
    start = pairs[0][1] if value is None else _as_option("value", value, pairs)
    kind = widgets.SelectionSlider
    return _labelled(kind, label, options=pairs, value=start, continuous_update=False)


def choice(label: str, options, value=None) -> widgets.Dropdown:
    """A labelled drop-down list over ``options`` (values, or (text, value) pairs), at ``value`` (default: the first).

    Raises ValueError as :func:`slider` does.
    """
    pairs = _as_pairs(options, "")
    start = pairs[0][1] if value is None else _as_option("value", value, pairs)
    return _labelled(widgets.Dropdown, label, options=pairs, value=start)


def span(label: str, options, value) -> widgets.SelectionRangeSlider:
    """A labelled slider with two handles over ``options``, as for :func:`slider`; its value is a pair (from, to).

    Raises ValueError naming ``options`` if there are none, ``value`` if it is no pair of them or "to" comes before "from".
    """
    pairs = _as_pairs(options, "g")
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"value: expected a pair (from, to), got {value!r:.80}")
    value = tuple(_as_option(f"value[{k}]", end, pairs) for k, end in enumerate(value))
    places = [[option for _, option in pairs].index(end) for end in value]
    if places[0] > places[1]:
        raise ValueError(f"value is {value!r:.80}; from must not come after to")
    kind = widgets.SelectionRangeSlider
    return _labelled(kind, label, options=pairs, value=value, continuous_update=False)


def _as_pairs(options, form: str) -> list[tuple[str, object]]:
    """``options`` as (text, value) pairs, values written in the format ``form``; or ValueError naming ``options``."""
    try:
        given = options.tolist() if isinstance(options, np.ndarray) else list(options)
        pairs = [
            o if isinstance(o, tuple) else (format(o, form) if form else str(o), o) for o in given
        ]
    except (TypeError, ValueError) as error:
        what = "numbers" if form else "values"
        message = f"options: expected {what} or (text, value) pairs, got {options!r:.80}"
        raise ValueError(message) from error
    if not pairs:
        raise ValueError("options: at least one is needed, none was given")
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], str):
            raise ValueError(f"options: {pair!r:.80} is no (text, value) pair")
    return pairs


def _as_option(name: str, value, pairs: list[tuple[str, object]]):
    """The option that equals ``value``, within rounding for numbers; raises ValueError naming ``name`` if none does."""
    allowed = [option for _, option in pairs]
    for option in allowed:
        numbers = isinstance(value, Real) and isinstance(option, Real)
        if option == value or (
            numbers and math.isclose(option, value, rel_tol=1e-9, abs_tol=1e-12)
        ):
            return option
    raise ValueError(f"{name} is {value!r:.80}; allowed are {allowed!r:.200}")


def _labelled(kind, label: str, **traits):
    """A control with its label beside it; in a narrow pane the label takes a line of its own, above."""
    layout = widgets.Layout(width="min(520px, 100% - 4px)", height="auto", flex_flow="row wrap")
    return kind(description=label, style={"description_width": "210px"}, layout=layout, **traits)


def _as_controls(controls: dict) -> dict[str, widgets.Widget]:
    """``controls`` as they are; raises ValueError naming the first that is no widget with a value, or comes twice."""
    names: dict[int, str] = {}
    for name, control in controls.items():
        if not isinstance(control, widgets.Widget) or not control.has_trait("value"):
            wanted = "a widget of slider, span or choice"
            raise ValueError(f"{name}: expected {wanted}, got {control!r:.80}")
        if id(control) in names:
            raise ValueError(
                f"{name} is the same widget as {names[id(control)]}; each needs its own"
            )
        names[id(control)] = name
    return controls


class Interactive:
    """Controls above a figure: whenever a control changes, ``draw(**values)`` is called and its figure shown.

    ``draw`` is a pure function of the controls' values that returns a matplotlib Figure; ``alt`` says what the figure
    shows. Works in ipywidgets 7.7 and 8. Where no kernel runs (GitHub, a printed page), the picture for the controls'
    first values is shown. A draw that fails shows its message in place of the picture; the next one is tried afresh.

    Raises ValueError naming ``draw`` if it cannot be called, ``alt`` if it is empty, ``controls`` for none or more than 4,
    ``moment`` or a control's name if it is no such widget, or the same one as another.
    """

    def __init__(
        self,
        draw: Callable[..., Figure],
        alt: str,
        moment: widgets.Widget | None = None,
        **controls: widgets.Widget,
    ):
        """``controls``: one widget of :func:`slider`, :func:`span` or :func:`choice` per parameter of ``draw``.

        ``moment``: one more slider, placed below the figure, that moves through the time of what the others set; ``draw``
        then has a parameter ``moment``, too.
        """
        if not callable(draw):
            raise ValueError(f"draw: expected a function that returns a figure, got {draw!r:.80}")
        if not 1 <= len(controls) <= MAX_CONTROLS:
            raise ValueError(f"controls: {len(controls)} given; allowed are 1 to {MAX_CONTROLS}")
        below = {} if moment is None else {"moment": moment}
        self.draw, self.alt = draw, as_description(alt)
        self.controls = _as_controls(controls | below)
        self.still = self._drawn(colours=160)
        self.image = widgets.HTML(image_tag(self.still, alt))
        for control in self.controls.values():
            control.observe(self._update, "value")
        self.box = widgets.VBox([*controls.values(), self.image, *below.values()])

    @property
    def values(self) -> dict[str, object]:
        """The present value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def _drawn(self, colours: int | None = None) -> bytes:
        with closing_figures():
            return png(self.draw(**self.values), colours)

    def _update(self, change=None) -> None:
        try:
            self.image.value = image_tag(self._drawn(), self.alt)
        except Exception as error:
            # An exception in a widget's callback would vanish without a trace.
            message = html.escape(f"{type(error).__name__}: {error}")
            self.image.value = f'<p role="alert">This setting could not be drawn. {message}</p>'

    def _ipython_display_(self) -> None:
        display_with_fallback(self.box, *png_bundle(self.still, self.alt))
