"""A lesson as the rules see it: cells with sources in one piece, named as an author finds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.checkout import find_root

ROOT = find_root(Path(__file__))
# What a lesson need not keep, by its number. The names are those of the rules and of the required headings.
EXEMPT: dict[str, set[str]] = {
    "00": {
        "words",
        "cells",
        "your turn",
        "equations",
        "quiz",
        "checked outputs",
        "When it fails",
        "Quiz",
        "Coursework",
    }
}
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) +(.*\S)", re.MULTILINE)
WORD = re.compile(r"\b[\w'-]+\b")


@dataclass(frozen=True)
class Cell:
    """One cell: its place in the file, kind, source, outputs and the rest as stored."""

    index: int
    kind: str
    source: str
    outputs: list[dict[str, Any]]
    stored: dict[str, Any]

    def __str__(self) -> str:
        return f"cell {self.index} '{self.stored.get('id', 'without id')}'"

    @property
    def prose(self) -> str:
        """A Markdown cell's text without fenced code; empty for other cells."""
        return FENCE.sub("", self.source) if self.kind == "markdown" else ""

    @property
    def loc(self) -> int:
        """Lines of code: neither blank nor comment."""
        lines = [line.strip() for line in self.source.splitlines()]
        return sum(1 for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True)
class Lesson:
    """One lesson: its file name without suffix, where its links start from, its cells."""

    name: str
    folder: Path
    cells: list[Cell]
    metadata: dict[str, Any]
    size: int  # bytes of the file
    exempt: set[str] = field(default_factory=set)

    @property
    def code(self) -> list[Cell]:
        """The code cells."""
        return [cell for cell in self.cells if cell.kind == "code"]

    @property
    def markdown(self) -> list[Cell]:
        """The Markdown cells."""
        return [cell for cell in self.cells if cell.kind == "markdown"]

    def headings(self) -> Iterator[tuple[int, str, Cell]]:
        """Level, text and cell of each heading in order."""
        for cell in self.markdown:
            for marks, text in HEADING.findall(cell.prose):
                yield len(marks), text, cell

    def section(self, title: str) -> list[Cell]:
        """The cells from the ``## `` heading that contains ``title`` up to the next ``## `` heading."""
        starts = [cell.index for level, _, cell in self.headings() if level == 2]
        first = [
            cell.index for level, text, cell in self.headings() if level == 2 and title in text
        ]
        if not first:
            return []
        end = min((index for index in starts if index > first[0]), default=len(self.cells))
        return self.cells[first[0] : end]


def joined(text: str | list[str]) -> str:
    """Text that the file format may have cut into lines."""
    return text if isinstance(text, str) else "".join(text)


def as_lesson(notebook: dict[str, Any], name: str, folder: Path, size: int) -> Lesson:
    """Make a lesson of a notebook's JSON."""
    cells = [
        Cell(index, cell["cell_type"], joined(cell["source"]), cell.get("outputs", []), cell)
        for index, cell in enumerate(notebook["cells"])
    ]
    return Lesson(name, folder, cells, notebook["metadata"], size, EXEMPT.get(name[:2], set()))


def read_lesson(path: Path) -> Lesson:
    """Read a lesson from its file."""
    return as_lesson(
        json.loads(path.read_text(encoding="utf-8")), path.stem, path.parent, path.stat().st_size
    )
