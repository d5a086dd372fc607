"""A made-up checkout in a temporary folder, for the commands that rewrite files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat.v4 as v4

from tools.notebook_files import write_notebook

ADDRESS = "https://github.com/ada/lessons"
SOLVER = '''\
"""A module."""

import functools
from dataclasses import dataclass


@functools.lru_cache
def twice(x: int) -> int:
    """Twice x.

    A docstring of several lines.
    """

    # doubled, not squared
    def inner(y: int) -> int:
        """Inner."""
        return 2 * y

    return inner(x)  # the result


@dataclass(frozen=True)
class Car:
    """A car."""

    speed: float = 1.0  # cells a step

    def stop(self) -> float:
        """Stop."""
        return 0.0


class Crash(Exception):
    """Nothing but a docstring."""
'''


def checkout(folder: Path) -> Path:
    """A checkout with one module, no notebooks and an address."""
    (folder / "marl_lessons" / "solvers").mkdir(parents=True)
    (folder / "notebooks" / "coursework").mkdir(parents=True)
    (folder / "marl_lessons" / "__init__.py").write_text("")
    (folder / "marl_lessons" / "solvers" / "toy.py").write_text(SOLVER)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "x"\n\n[project.urls]\n# one place\nRepository = "{ADDRESS}"\n\n[tool.ruff]\n'
    )
    return folder


def write(path: Path, *cells: tuple[str, str]) -> Path:
    """Write a notebook of (kind, source) cells."""
    make = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    made: list[Any] = [
        make[kind](source, id=f"cell-{number}") for number, (kind, source) in enumerate(cells)
    ]
    write_notebook(v4.new_notebook(cells=made), path)
    return path
