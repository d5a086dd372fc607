"""The anatomy of a lesson as rules: each takes a lesson and returns its breaches as sentences.

This module holds the rules of structure; ``prose`` and ``outputs`` hold those of words and of stored
results. ``RULES`` names them all; ``lesson_file.EXEMPT`` says which lesson need not keep which.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import limits
import outputs
import prose
from lesson_file import ROOT, WORD, Lesson

from marl_lessons.viz.prediction import QUESTION_FOLDER, load_questions
from tools.address import badge_source, bootstrap_source
from tools.checkout import repository_address
from tools.quote import notebook_problems

LAST_HEADINGS = ["When it fails", "Quiz", "Summary", "Coursework", "References"]


def first_cells(lesson: Lesson) -> list[str]:
    """Badges, title, at a glance, bootstrap and imports come first, in this order."""
    kinds = [cell.kind for cell in lesson.cells[:5]]
    if kinds != ["markdown", "markdown", "markdown", "code", "code"]:
        return [
            f"cells 0-4 are {kinds}; they must be badges, title, at a glance, bootstrap and imports."
        ]
    address, problems = repository_address(ROOT), []
    if lesson.cells[0].source != badge_source(address, f"notebooks/{lesson.name}.ipynb"):
        problems.append("cell 0 is not the generated badge cell; run: python -m tools address")
    if lesson.cells[3].source != bootstrap_source(address):
        problems.append("cell 3 is not the bootstrap cell; run: python -m tools address")
    if len(bootstrap_source(address).splitlines()) > 12:
        problems.append(
            "the bootstrap cell is longer than 12 lines; shorten it in tools/address.py"
        )
    return problems


def title(lesson: Lesson) -> list[str]:
    """Cell 1 holds ``# NN Title`` with the file's number, and the lesson's question, in at most 40 words."""
    source = lesson.cells[1].source if len(lesson.cells) > 1 else ""
    problems = []
    if not source.startswith(f"# {lesson.name[:2]} "):
        problems.append(f"cell 1 must begin with '# {lesson.name[:2]} ' and the title.")
    if "?" not in source:
        problems.append(
            "cell 1 asks no question; end it with the question that the lesson answers."
        )
    if (words := len(WORD.findall(source))) > 40:
        problems.append(f"cell 1 has {words} words; title and question get at most 40.")
    return problems


def at_a_glance(lesson: Lesson) -> list[str]:
    """Cell 2 lists 3-5 objectives, links prerequisites, gives minutes per section and seconds to run."""
    source = lesson.cells[2].source if len(lesson.cells) > 2 else ""
    if not source.startswith("## At a glance"):
        return ["cell 2 must begin with '## At a glance'."]
    first_list = re.search(r"(?:^[-*] .*\n?(?:^[ \t]+\S.*\n?)*)+", source, re.MULTILINE)
    objectives = len(re.findall(r"^[-*] ", first_list[0], re.MULTILINE)) if first_list else 0
    problems = []
    if not 3 <= objectives <= 5:
        problems.append(
            f"cell 2 begins with a list of {objectives} bullets; give 3 to 5 objectives there."
        )
    if not re.search(r"[Pp]rerequisites?[^\n]*(\]\(|\bnone\b|\bnothing\b)", source):
        problems.append("cell 2 has no line 'Prerequisites' with links (or the word none).")
    if len(re.findall(r"\d+\s*min", source)) < 2:
        problems.append("cell 2 gives no minutes per section; write '20 min' behind each section.")
    if not re.search(r"\d+\s*(s|seconds?)\b", source):
        problems.append("cell 2 does not say how many seconds running all cells takes.")
    return problems


def imports(lesson: Lesson) -> list[str]:
    """Cell 4 imports in at most 12 lines, sets the plot style and makes ``rng``; no star imports anywhere."""
    source = lesson.cells[4].source if len(lesson.cells) > 4 else ""
    lines = [line for line in source.splitlines() if re.match(r"(import|from) ", line)]
    problems = []
    if not lines:
        problems.append("cell 4 imports nothing; it is the place for the lesson's imports.")
    if len(lines) > 12:
        problems.append(f"cell 4 has {len(lines)} lines of imports; 12 are allowed.")
    if not re.search(r"^use_style\(", source, re.MULTILINE):
        problems.append("cell 4 does not set the plot style; call use_style().")
    if not re.search(r"^rng\b.*=", source, re.MULTILINE):
        problems.append("cell 4 does not make the generator 'rng'.")
    for cell in lesson.code:
        if re.search(r"^\s*from\s+\S+\s+import\s+\*", cell.source, re.MULTILINE):
            problems.append(f"{cell} has a star import; name what it imports.")
    return problems


def last_headings(lesson: Lesson) -> list[str]:
    """When it fails, Quiz, Summary, Coursework and References stand as ``## `` headings in this order."""
    found = [text for level, text, _ in lesson.headings() if level == 2]
    required = [title for title in LAST_HEADINGS if title not in lesson.exempt]
    missing = [title for title in required if not any(title in text for text in found)]
    problems = [f"there is no '## ' heading that contains '{title}'." for title in missing]
    places = [
        next(i for i, text in enumerate(found) if title in text)
        for title in required
        if title not in missing
    ]
    if places != sorted(places):
        problems.append(f"the last sections must come in the order {', '.join(required)}.")
    if found and not missing and "References" not in found[-1]:
        problems.append(f"the last section is '{found[-1]}'; it must be References.")
    return problems


def heading_levels(lesson: Lesson) -> list[str]:
    """One ``# `` heading, the title; below it headings go down one level at a time."""
    problems, previous = [], 0
    for level, text, cell in lesson.headings():
        if level > previous + 1:
            problems.append(f"{cell}: heading '{text}' skips a level ({previous} to {level}).")
        if level == 1 and cell.index != 1:
            problems.append(f"{cell}: '# {text}' is a second title; begin sections with '## '.")
        previous = level
    return problems


def quiz(lesson: Lesson) -> list[str]:
    """The quiz asks 4-6 questions, a cell each: ``predict("02.q1")`` and so on, with reasons in the questions' file."""
    asked = [cell.source.strip() for cell in lesson.section("Quiz") if cell.kind == "code"]
    number = lesson.name[:2]
    expected = [f'predict("{number}.q{k}")' for k in range(1, len(asked) + 1)]
    problems = []
    if not 4 <= len(asked) <= 6:
        problems.append(f"the quiz has {len(asked)} questions; give it 4 to 6.")
    if asked != expected:
        problems.append(f"the quiz's cells are {asked}; expected {expected}.")
    path = QUESTION_FOLDER / f"{number}.toml"
    known = load_questions(number) if path.is_file() else {}
    problems += [
        f"{path.name} has no question q{k}, which the quiz asks."
        for k in range(1, len(asked) + 1)
        if f"q{k}" not in known
    ]
    return problems


def last_cells(lesson: Lesson) -> list[str]:
    """Quiz, summary, coursework and references begin a cell each, so that each can be linked and assigned."""
    problems = []
    for cell in lesson.markdown:
        found = [title for title in LAST_HEADINGS[1:] if f"## {title}" in cell.prose]
        if found and (len(found) > 1 or not cell.source.startswith(f"## {found[0]}")):
            problems.append(f"{cell} holds {', '.join(found)}; each begins a cell of its own.")
    return problems


def widgets(lesson: Lesson) -> list[str]:
    """Each widget comes after a cell of its section that stores a picture."""
    problems, picture = [], False
    for cell in lesson.cells:
        if re.search(r"^## ", cell.prose, re.MULTILINE):
            picture = False
        if limits.widget_calls(cell) and not picture:
            problems.append(
                f"{cell} shows a widget, but no earlier cell of its section stores a static figure."
            )
        picture = picture or outputs.has_picture(cell)
    return problems


def identifiers(lesson: Lesson) -> list[str]:
    """Each cell has an id of its own, and the file stores no widget state."""
    names = [cell.stored.get("id") for cell in lesson.cells]
    problems = [f"{cell} has no id." for cell in lesson.cells if not cell.stored.get("id")]
    problems += [
        f"the cell id '{name}' occurs twice."
        for name in sorted({n for n in names if n and names.count(n) > 1})
    ]
    if "widgets" in lesson.metadata:
        problems.append("the file stores widget state (metadata.widgets).")
    if problems:
        problems.append("run: python -m tools execute")
    return problems


def quotes(lesson: Lesson) -> list[str]:
    """Cells that quote the package equal it."""
    problems = notebook_problems(ROOT, {"cells": [cell.stored for cell in lesson.cells]})
    return problems + (["run: python -m tools quote"] if problems else [])


RULES: dict[str, Callable[[Lesson], list[str]]] = {
    "first cells": first_cells,
    "title": title,
    "at a glance": at_a_glance,
    "imports": imports,
    "last headings": last_headings,
    "heading levels": heading_levels,
    "quiz": quiz,
    "last cells": last_cells,
    "widgets": widgets,
    "identifiers": identifiers,
    "quotes": quotes,
    **limits.RULES,
    **prose.RULES,
    **outputs.RULES,
}


def breaches(rule: str, lesson: Lesson) -> list[str]:
    """The breaches of one rule, none where the lesson is exempt from it."""
    return [] if rule in lesson.exempt else RULES[rule](lesson)
