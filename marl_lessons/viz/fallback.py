"""Showing a widget together with what readers without a running kernel see in its place."""

from __future__ import annotations

import sys

import ipywidgets as widgets
from IPython.display import display


def display_with_fallback(box: widgets.Widget, fallback: dict[str, str]) -> None:
    """Show ``box``; pages without a kernel show ``fallback`` (MIME type to content, "text/plain" among them).

    Colab may prefer the fallback in a bundle of both: there the widget is shown alone.
    """
    if "google.colab" in sys.modules:
        display(box)
        return
    view = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    display({"application/vnd.jupyter.widget-view+json": view, **fallback}, raw=True)
