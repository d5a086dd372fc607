"""A lesson's size, its one sitting: each limit is a number that is measured, with the range that is allowed.

``EXCEEDED`` lists what today's lessons exceed, by lesson and limit, with the value they may reach until they are cut anew.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable

from lesson_file import WORD, Cell, Lesson
from outputs import has_picture

LONGEST_LINE = 88
BOOTSTRAP = 3  # the place of the cell that a command writes
WIDGET_CALLS = ("Interactive", "explore")
FOLDED = {"check", "plumbing"}


def is_question(cell: Cell) -> bool:
    """Whether a code cell only asks, as ``predict("02.q1")``, or answers, as ``answers("02")``."""
    call = r'(predict|answers)\("[\w.]+"\)'
    return cell.kind == "code" and bool(re.fullmatch(call, cell.source.strip()))


def tags(cell: Cell) -> set[str]:
    """The tags of a cell."""
    return set(cell.stored.get("metadata", {}).get("tags", []))


def open_code(lesson: Lesson) -> list[Cell]:
    """Code cells of the story: neither folded nor questions."""
    return [cell for cell in lesson.code if not tags(cell) & FOLDED and not is_question(cell)]


def longest_row(lesson: Lesson) -> int:
    """The longest row of code cells without prose; questions and folded cells do not count."""
    longest = row = 0
    for cell in lesson.cells:
        if cell.kind != "code":
            row = row if not cell.source.strip() else 0
        elif not is_question(cell) and not tags(cell) & FOLDED:
            row += 1
        longest = max(longest, row)
    return longest


def widget_calls(cell: Cell) -> int:
    """How many widgets a code cell makes; definitions and comments do not count."""
    if cell.kind != "code":
        return 0
    lines = [
        line
        for line in cell.source.splitlines()
        if not re.match(r"\s*(#|def |class |import |from )", line)
    ]
    return sum(len(re.findall(rf"\b({'|'.join(WIDGET_CALLS)})\(", line)) for line in lines)


def _long_lines(lesson: Lesson) -> int:
    return sum(
        len(line) > LONGEST_LINE
        for cell in lesson.code
        if cell.index != BOOTSTRAP
        for line in cell.source.split("\n")
    )


def _largest(lesson: Lesson, wanted: Callable[[Cell], bool]) -> int:
    return max((cell.loc for cell in lesson.code if wanted(cell)), default=0)


MEASURES: dict[str, tuple[str, Callable[[Lesson], float], tuple[float, float]]] = {
    "cells": ("cells", lambda lesson: len(lesson.cells), (25, 60)),
    "words": (
        "words in Markdown cells",
        lambda lesson: sum(len(WORD.findall(cell.source)) for cell in lesson.markdown),
        (1200, 2600),
    ),
    "open code": (
        "lines of code in open cells",
        lambda lesson: sum(cell.loc for cell in open_code(lesson)),
        (0, 220),
    ),
    "median code": (
        "lines in the median code cell",
        lambda lesson: statistics.median([cell.loc for cell in open_code(lesson)] or [0]),
        (0, 8),
    ),
    "longest code": (
        "lines in the longest code cell",
        lambda lesson: _largest(lesson, lambda cell: not tags(cell) & {*FOLDED, "build-it"}),
        (0, 25),
    ),
    "longest build-it": (
        "lines in the longest cell tagged build-it",
        lambda lesson: _largest(lesson, lambda cell: "build-it" in tags(cell)),
        (0, 40),
    ),
    "longest folded": (
        "lines in the longest folded cell",
        lambda lesson: _largest(lesson, lambda cell: bool(tags(cell) & FOLDED)),
        (0, 12),
    ),
    "code in a row": ("code cells in a row without prose between", longest_row, (0, 2)),
    "long lines": (f"lines of code beyond {LONGEST_LINE} columns", _long_lines, (0, 0)),
    "widgets number": (
        "widgets",
        lambda lesson: sum(widget_calls(cell) for cell in lesson.cells),
        (0, 2),
    ),
    "figures": (
        "cells that store a picture",
        lambda lesson: sum(has_picture(cell) for cell in lesson.code),
        (1, 99),
    ),
    "predictions": (
        "predictions before the quiz",
        lambda lesson: sum(
            bool(re.fullmatch(r'predict\("\d\d\.(?!q\d)\w+"\)', cell.source.strip()))
            for cell in lesson.code
        ),
        (1, 99),
    ),
    "your turn": (
        "cells in which the student writes, with a body that is `...`",
        lambda lesson: sum(
            bool(re.search(r"^    \.\.\.$", cell.source, re.MULTILINE)) for cell in lesson.code
        ),
        (2, 3),
    ),
    "assertions over seeds": (
        "assertions in a lesson that runs or loads ten seeds or more",
        lambda lesson: (
            sum(cell.source.count("assert ") for cell in lesson.code)
            if any(
                re.search(r"seeds=\d\d|range\((\d+, )?\d\d|load_curves|, \d\d+\)", cell.source)
                for cell in lesson.code
            )
            else 0
        ),
        (1, 999),
    ),
}
EXCEEDED: dict[str, dict[str, float]] = {
    "00_start_here": {"median code": 9, "long lines": 10},
    "01_one_car_one_light": {"cells": 85, "words": 3200, "open code": 250, "median code": 9, "long lines": 30, "your turn": 0},
    "02_learning_from_experience": {"cells": 85, "words": 2950, "open code": 240, "long lines": 40, "your turn": 0},
    "03_two_cars_meet": {"cells": 85, "words": 3200, "open code": 250, "long lines": 40, "widgets number": 3, "your turn": 0},
    "04_from_games_to_markov_games": {"cells": 80, "words": 3050, "long lines": 30, "your turn": 0},
    "05_the_moving_target": {"cells": 85, "words": 3200, "open code": 320, "median code": 10, "long lines": 60, "your turn": 0},
    "06_independent_q_learning": {"cells": 85, "words": 2950, "open code": 330, "median code": 9, "long lines": 50, "your turn": 0},
    "09_maddpg": {"cells": 85, "words": 3250, "open code": 420, "median code": 13, "long lines": 60, "your turn": 0},
    "10_learning_to_communicate": {"cells": 85, "words": 3200, "open code": 460, "median code": 12, "long lines": 70, "widgets number": 3, "your turn": 0},
}  # fmt: skip


def limit(lesson: Lesson, name: str) -> list[str]:
    """The breach of one limit, none where the lesson is exempt from it or stays below what ``EXCEEDED`` allows."""
    what, measure, (low, high) = MEASURES[name]
    found, allowed = measure(lesson), EXCEEDED.get(lesson.name, {})
    if name in lesson.exempt:
        return []
    if name in allowed:
        if low <= found <= high:
            return [f"{what}: {found} keeps the limit; take {name!r} out of EXCEEDED."]
        low, high = min(low, allowed[name]), max(high, allowed[name])
    return [] if low <= found <= high else [f"{what}: {found}; allowed are {low} to {high}."]


RULES: dict[str, Callable[[Lesson], list[str]]] = {
    name: (lambda lesson, name=name: limit(lesson, name)) for name in MEASURES
}
for _name, (_what, _, _range) in MEASURES.items():
    RULES[_name].__doc__ = f"{_what}: {_range[0]} to {_range[1]}"
