"""Is everything installed that the lessons need? Says in words what is missing and how to get it."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata

from marl_lessons.course import lessons_with

LOWEST_PYTHON = (3, 11)
FOR_SOME = {"gymnasium": (1, 0), "torch": (2, 9), "mpe2": (1, 1)}
NEEDED = (  # distribution, lowest version that the lessons run with, what needs it
    ("numpy", (2, 0), "every lesson"),
    ("matplotlib", (3, 10), "every figure"),
    ("ipywidgets", (7, 7), "every slider"),
    ("scipy", (1, 14), "linear programmes"),
    *((name, lowest, lessons_with(name)) for name, lowest in FOR_SOME.items()),
)
CURE = "In a terminal, from the repository's root folder, run: python -m pip install -r requirements.txt"
NO_TORCH = "PyTorch has no build for this computer: read the lessons that use it in Colab or Binder. All others run here."
WITHOUT_TORCH = (("darwin", "x86_64"), ("win32", "ARM64"))  # as in requirements.txt


def check_environment(needed=NEEDED) -> list[str]:
    """One line per requirement, each beginning with "fine" or "MISSING" or "TOO OLD", and a cure if one is needed."""
    python_is_fine = sys.version_info[:2] >= LOWEST_PYTHON
    lines = [f"{'fine' if python_is_fine else 'TOO OLD':8} Python {_text(LOWEST_PYTHON)} or newer"]
    for name, lowest, purpose in needed:
        lines.append(f"{_state(name, lowest):8} {name} {_text(lowest)} or newer, for {purpose}")
    troubled = [line for line in lines if not line.startswith("fine")]
    if not troubled:
        return [*lines, "Everything is in place."]
    cannot = (sys.platform, platform.machine()) in WITHOUT_TORCH
    return [*lines, NO_TORCH if cannot and all(" torch " in line for line in troubled) else CURE]


def _state(name: str, lowest: tuple[int, ...]) -> str:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return "MISSING"
    found = tuple(int(part) for part in re.findall(r"\d+", version)[: len(lowest)])
    return "fine" if found >= lowest else "TOO OLD"


def _text(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
