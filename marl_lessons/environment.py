"""Is everything installed that the lessons need? Says in words what is missing and how to get it."""

from __future__ import annotations

import re
import sys
from importlib import metadata

NEEDED = (  # distribution, lowest version that the lessons run with, what needs it
    ("numpy", (2, 0), "every lesson"),
    ("matplotlib", (3, 10), "every figure"),
    ("ipywidgets", (7, 7), "every slider"),
    ("scipy", (1, 14), "linear programmes"),
    ("gymnasium", (1, 0), "lesson 01"),
    ("nashpy", (0, 0, 43), "the equilibria of lesson 03"),
    ("torch", (2, 9), "the networks of lessons 06 and 09"),
    ("mpe2", (1, 1), "a check in lesson 09"),
)
LOWEST_PYTHON = (3, 11)
CURE = "In a terminal, from the repository's root folder, run: python -m pip install -r requirements.txt"


def check_environment(needed=NEEDED) -> list[str]:
    """One line per requirement, each beginning with "fine" or "MISSING" or "TOO OLD", and a cure if one is needed."""
    python_is_fine = sys.version_info[:2] >= LOWEST_PYTHON
    lines = [f"{'fine' if python_is_fine else 'TOO OLD':8} Python {_text(LOWEST_PYTHON)} or newer"]
    for name, lowest, purpose in needed:
        lines.append(f"{_state(name, lowest):8} {name} {_text(lowest)} or newer, for {purpose}")
    troubled = [line for line in lines if not line.startswith("fine")]
    return [*lines, CURE if troubled else "Everything is in place."]


def _state(name: str, lowest: tuple[int, ...]) -> str:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return "MISSING"
    found = tuple(int(part) for part in re.findall(r"\d+", version)[: len(lowest)])
    return "fine" if found >= lowest else "TOO OLD"


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
