"""A made-up lesson that keeps every rule, for the rules' own tests to break one at a time."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from lesson_file import ROOT, Lesson, as_lesson

from tools.checkout import repository_address
from tools.quote import package_text
from tools.skeleton import lesson_cells

NAME = "03_made_up"
QUOTED = "marl_lessons.course.ready_lessons"
FILLER = "The car waits at the light while the other one passes. " * 9
PICTURE = {"image/png": "iVBORw0KGgo=", "text/plain": "Two cars meet at a crossing."}

Notebook = dict[str, Any]


def cell(kind: str, source: str, name: str) -> dict[str, Any]:
    """One cell as the file format stores it."""
    plain = {"cell_type": kind, "id": name, "metadata": {}, "source": source}
    return plain | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def shown(data: dict[str, str]) -> dict[str, Any]:
    """An output that displays ``data``."""
    return {"output_type": "display_data", "data": dict(data), "metadata": {}}


def printed(text: str, stream: str = "stdout") -> dict[str, Any]:
    """An output that prints ``text``."""
    return {"output_type": "stream", "name": stream, "text": text}


def good_notebook() -> Notebook:
    """A notebook that keeps every rule: the skeleton of `tools new`, filled with words and results."""
    cells = [
        cell(*part[::2], part[1])
        for part in lesson_cells(NAME, "Made up", repository_address(ROOT))
    ]
    middle = next(i for i, one in enumerate(cells) if one["id"] == "when-it-fails")
    cells[middle:middle] = [*_checks(), *_explore(), *_pages()]
    for one in cells:
        one["source"] = one["source"].replace("FILL", "this")
    for number, one in enumerate((one for one in cells if one["cell_type"] == "code"), start=1):
        one["execution_count"] = number
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def _checks() -> list[dict[str, Any]]:
    """Three checked cells and a quote, with prose between."""
    cells = []
    for number in range(3):
        check = cell("code", f"# NBVAL_CHECK_OUTPUT\nprint({number})", f"check-{number}")
        check["outputs"] = [printed(f"{number}\n")]
        if number == 2:
            check["source"] += "\nassert min(learn(seeds=10)) > 0"
        cells += [cell("markdown", FILLER, f"words-{number}"), check]
    quote = f"# {QUOTED}\n{package_text(ROOT, QUOTED)}"
    return [*cells, cell("markdown", FILLER, "before-quote"), cell("code", quote, "quote")]


def _explore() -> list[dict[str, Any]]:
    """A figure, and a widget after it."""
    figure, widget = cell("code", "draw(1)", "figure"), cell("code", "Interactive(draw)", "widget")
    figure["outputs"], widget["outputs"] = [shown(PICTURE)], [shown(PICTURE)]
    return [figure, cell("markdown", FILLER, "before-widget"), widget]


def _pages() -> list[dict[str, Any]]:
    """Prose that brings the lesson to its length."""
    return [cell("markdown", FILLER, f"page-{number}") for number in range(12)]


def lesson(notebook: Notebook, size: int = 10_000, name: str = NAME) -> Lesson:
    """The lesson that such a notebook makes."""
    return as_lesson(copy.deepcopy(notebook), name, Path(ROOT / "notebooks"), size)


def find(notebook: Notebook, name: str) -> dict[str, Any]:
    """The cell with an id."""
    return next(one for one in notebook["cells"] if one["id"] == name)
