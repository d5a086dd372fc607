"""Animations as flip-books: pictures in the page, a few lines of JavaScript, and a still for readers without it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure

from marl_lessons.checks import as_count
from marl_lessons.viz.style import image_tag, png

PLAYER = Path(__file__).with_name("player.js")


class Animation:
    """A flip-book of figures with a play button and a slider; nothing moves before the reader presses play.

    ``figures``: the frames, all of one size; ``alt``: what the animation shows, in a sentence; ``still``: index of the
    frame that stands for all (default: the last); ``frames_per_second``: speed. Raises ValueError naming the argument.
    """

    def __init__(
        self, figures: Iterable[Figure], alt: str, still: int = -1, frames_per_second: int = 8
    ):
        """Draw all frames at once."""
        self.frames = [png(figure, colours=32) for figure in figures]
        if not self.frames:
            raise ValueError("figures is empty; at least one frame is needed")
        if not isinstance(alt, str) or not alt.strip():
            raise ValueError(
                f"alt is {alt!r}; a sentence is needed that says what the animation shows"
            )
        if not -len(self.frames) <= still < len(self.frames):
            raise ValueError(
                f"still is {still}; allowed are {-len(self.frames)} to {len(self.frames) - 1}"
            )
        self.alt, self.still = alt, still % len(self.frames)
        self.interval = 1000 // as_count("frames_per_second", frames_per_second)

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        encoded = [base64.b64encode(frame).decode() for frame in self.frames]
        name = "marl-animation-" + hashlib.sha256(self.frames[self.still]).hexdigest()[:8]
        settings = json.dumps(
            {"id": name, "interval": self.interval, "still": self.still, "frames": encoded}
        )
        page = (
            f'<div id="{name}" class="marl-animation">{image_tag(self.frames[self.still], self.alt)}'
            f'<div class="marl-controls" style="display:none"><button type="button">Play</button> '
            f'<input type="range" min="0" max="{len(encoded) - 1}" value="{self.still}" '
            f'aria-label="frame of the animation: {html.escape(self.alt)}"></div></div>'
            f"<script>({PLAYER.read_text(encoding='utf-8').strip()})({settings});</script>"
        )
        return {"text/html": page, "image/png": encoded[self.still], "text/plain": self.alt}
