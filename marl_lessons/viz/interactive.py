"""The widget frame: sliders that redraw a figure, with a picture for readers without a running kernel."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable

import ipywidgets as widgets
from matplotlib.figure import Figure

from marl_lessons.viz.fallback import display_with_fallback
from marl_lessons.viz.style import image_tag, png

MAX_CONTROLS = 4


def slider(label: str, options, value=None) -> widgets.SelectionSlider:
    """A labelled slider over ``options`` (values, or (text, value) pairs), at ``value`` (default: the first)."""
    pairs = [option if isinstance(option, tuple) else (f"{option:g}", option) for option in options]
    start = pairs[0][1] if value is None else value
    return _labelled(
        widgets.SelectionSlider, label, options=pairs, value=start, continuous_update=False
    )


def choice(label: str, options, value=None) -> widgets.Dropdown:
    """A labelled drop-down list over ``options`` (values, or (text, value) pairs), at ``value`` (default: the first)."""
    pairs = [option if isinstance(option, tuple) else (str(option), option) for option in options]
    return _labelled(
        widgets.Dropdown, label, options=pairs, value=pairs[0][1] if value is None else value
    )


def _labelled(kind, label: str, **traits):
    layout = widgets.Layout(width="min(520px, 100%)")
    return kind(description=label, style={"description_width": "210px"}, layout=layout, **traits)


class Interactive:
    """Controls above a figure: whenever a control changes, ``draw(**values)`` is called and its figure shown.

    ``draw`` is a pure function of the controls' values that returns a matplotlib Figure; ``alt`` says what the figure
    shows. Works in ipywidgets 7.7 and 8. Where no kernel runs (GitHub, a printed page), the picture for the controls'
    first values is shown. A draw that fails shows its message in place of the picture; the next one is tried afresh.

    Raises ValueError for no or more than 4 controls, or an empty ``alt``.
    """

    def __init__(self, draw: Callable[..., Figure], alt: str, **controls: widgets.Widget):
        """``controls``: one widget of :func:`slider` or :func:`choice` per parameter of ``draw``."""
        if not 1 <= len(controls) <= MAX_CONTROLS:
            raise ValueError(f"controls: {len(controls)} given; allowed are 1 to {MAX_CONTROLS}")
        if not isinstance(alt, str) or not alt.strip():
            raise ValueError(
                f"alt is {alt!r}; a sentence is needed that says what the figure shows"
            )
        self.draw, self.alt, self.controls = draw, alt, controls
        self.still = png(draw(**self.values), colours=160)
        self.image = widgets.HTML(image_tag(self.still, alt))
        for control in controls.values():
            control.observe(self._update, "value")
        self.box = widgets.VBox([*controls.values(), self.image])

    @property
    def values(self) -> dict[str, object]:
        """The present value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def _update(self, change=None) -> None:
        try:
            self.image.value = image_tag(png(self.draw(**self.values)), self.alt)
        except Exception as error:
            # An exception in a widget's callback would vanish without a trace.
            message = html.escape(f"{type(error).__name__}: {error}")
            self.image.value = f'<p role="alert">This setting could not be drawn. {message}</p>'

    def _ipython_display_(self) -> None:
        picture = {
            "image/png": base64.b64encode(self.still).decode(),
            "text/html": image_tag(self.still, self.alt),
            "text/plain": self.alt,
        }
        display_with_fallback(self.box, picture)
