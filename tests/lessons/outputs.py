"""Rules for what a lesson's cells store: complete, clean, readable without running, and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lesson_file import WORD, Cell, Lesson, joined
from prose import ABSOLUTE

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
PICTURES = ("image/png", "image/jpeg", "image/svg+xml")
EMBEDDED = re.compile(r"data:image/[\w+]+;base64,[A-Za-z0-9+/=\s]+")
LARGEST_FILE = 1.5e6  # bytes; GitHub stops drawing notebooks that are much larger
CHECK_MARK = re.compile(r"^\s*#\s*NBVAL_CHECK_OUTPUT\s*$", re.MULTILINE)
FAULTS = {
    r"Traceback \(most recent call last\)": "a stack trace",
    r"\b\w+Warning: ": "a warning",
    r"\bat 0x[0-9a-f]{6,}": "an object's address, which changes with each run; end the line with a semicolon",
}


def has_picture(cell: Cell) -> bool:
    """Whether a cell stores a picture."""
    bundles = [output.get("data", {}) for output in cell.outputs]
    return any(kind in data for data in bundles for kind in PICTURES) or any(
        EMBEDDED.search(joined(data.get("text/html", ""))) for data in bundles
    )


def texts(cell: Cell) -> Iterator[str]:
    """All text that a cell stores, embedded pictures masked."""
    for output in cell.outputs:
        if "text" in output:
            yield joined(output["text"])
        for kind, content in output.get("data", {}).items():
            if kind.startswith("text/"):
                yield EMBEDDED.sub("data:image", joined(content))


def executed(lesson: Lesson) -> list[str]:
    """Every code cell was run, once, from top to bottom; none is empty."""
    problems = [
        f"{cell} is an empty code cell; delete it."
        for cell in lesson.code
        if not cell.source.strip()
    ]
    counts = [cell.stored.get("execution_count") for cell in lesson.code]
    if counts != list(range(1, len(counts) + 1)):
        problems.append("the code cells are not numbered 1, 2, 3, …; run: python -m tools execute")
    return problems


def clean(lesson: Lesson) -> list[str]:
    """No errors, warnings, stack traces, addresses, widget views or machine paths in the outputs."""
    problems = []
    for cell in lesson.code:
        if "raises-exception" in cell.stored.get("metadata", {}).get("tags", []):
            problems.append(
                f"{cell} is tagged raises-exception; catch the error and print it instead."
            )
        for output in cell.outputs:
            if output["output_type"] == "error":
                problems.append(f"{cell} stores the error {output.get('ename')}.")
            if output.get("name") == "stderr":
                problems.append(f"{cell} stores output to stderr: {joined(output['text'])[:60]!r}.")
            if WIDGET_VIEW in output.get("data", {}):
                problems.append(f"{cell} stores a widget view; run: python -m tools execute")
        for text in texts(cell):
            problems += [
                f"{cell} stores {fault}." for sign, fault in FAULTS.items() if re.search(sign, text)
            ]
            problems += [
                f"{cell} stores the absolute path '{path}…'." for path in ABSOLUTE.findall(text)
            ]
    return problems


def described_pictures(lesson: Lesson) -> list[str]:
    """Each stored picture has a sentence beside it that says what it shows."""
    problems = []
    for cell in lesson.code:
        for output in cell.outputs:
            data = output.get("data", {})
            description = joined(data.get("text/plain", "")).strip()
            if any(kind in data for kind in PICTURES) and not _is_sentence(description):
                problems.append(
                    f"{cell}: the picture's text is {description[:50]!r}; give one of 5 words or more."
                )
            for tag in re.findall(
                r"<img\b[^>]*>", EMBEDDED.sub("data:image", joined(data.get("text/html", "")))
            ):
                if not re.search(r"\balt=[\"'][^\"']", tag):
                    problems.append(f"{cell} stores an <img> without alternative text.")
    return problems


def _is_sentence(text: str) -> bool:
    return not text.startswith("<") and len(WORD.findall(text)) >= 5


def checked_outputs(lesson: Lesson) -> list[str]:
    """At least 3 cells say ``# NBVAL_CHECK_OUTPUT`` and store the text to compare with."""
    marked = [cell for cell in lesson.code if is_checked(cell)]
    problems = []
    if len(marked) < 3:
        problems.append(
            f"{len(marked)} cells say '# NBVAL_CHECK_OUTPUT'; let 3 or more show exact results."
        )
    for cell in marked:
        if not any(text.strip() for text in _comparable(cell)):
            problems.append(
                f"{cell} says '# NBVAL_CHECK_OUTPUT' but stores no text: nothing would be compared."
            )
    return problems


def is_checked(cell: Cell) -> bool:
    """Whether nbval compares the cell's output."""
    tags = cell.stored.get("metadata", {}).get("tags", [])
    return bool(CHECK_MARK.search(cell.source)) or "nbval-check-output" in tags


def _comparable(cell: Cell) -> Iterator[str]:
    """Text that depends on what the cell computed: not the description of a picture."""
    for output in cell.outputs:
        if output.get("name") == "stdout":
            yield joined(output["text"])
        data = output.get("data", {})
        if not any(kind in data for kind in PICTURES):
            yield joined(data.get("text/plain", ""))


def file_size(lesson: Lesson) -> list[str]:
    """The file has at most 1.5 MB."""
    if lesson.size > LARGEST_FILE:
        return [
            f"the file has {lesson.size / 1e6:.2f} MB; 1.5 are allowed: fewer or smaller pictures."
        ]
    return []


RULES: dict[str, Callable[[Lesson], list[str]]] = {
    "executed": executed,
    "clean outputs": clean,
    "described pictures": described_pictures,
    "checked outputs": checked_outputs,
    "file size": file_size,
}
