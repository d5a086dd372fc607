"""Starts a lesson: a notebook with every part of the anatomy in order and the places to fill marked FILL."""

from __future__ import annotations

import re
from pathlib import Path

from tools.address import badge_source, bootstrap_source
from tools.checkout import AuthoringError, need, repository_address
from tools.normalise import normalise
from tools.notebook_files import write_notebook

GLANCE = """\
## At a glance

After this lesson you can

* derive FILL;
* implement FILL;
* predict FILL.

Prerequisites: [Start here](00_start_here.ipynb).

| part | time |
|---|---|
| The puzzle | 5 min |
| FILL: name of section 1 | 20 min |
| When it fails | 10 min |
| Quiz, summary | 10 min |

Running all cells takes about 10 s."""

IMPORTS = """\
import numpy as np

from marl_lessons.viz import answers, predict, use_style

use_style()
rng = np.random.default_rng(0)"""

SECTION = r"""## FILL: name of section 1

FILL: the idea in words, then the equation with every symbol and its shape.

$$v = r + \gamma v' \tag{1}$$"""

QUESTION = """\
[{name}]
text = "FILL: the question?"
options = [
  {{ option = "FILL", reason = "FILL: why it is right.", right = true }},
  {{ option = "FILL", reason = "FILL: why it is wrong." }},
]
"""

QUIZ = (
    "Choose an option, and read why it is right or wrong. "
    "The last cell answers all of this lesson's questions."
)

SUMMARY = """\
## Summary

FILL: three to six sentences.

| symbol | variable | meaning |
|---|---|---|
| $v$ | `value` | FILL |"""

# (kind, id, source); the cells that depend on the repository's address are made in `lesson_cells`.
BODY = [
    (
        "markdown",
        "the-puzzle",
        "## The puzzle\n\nFILL: a concrete situation at the crossing, before any formula.",
    ),
    ("code", "puzzle-picture", "# FILL: one surprising picture\n2 + 2"),
    ("markdown", "before-you-look", "FILL: what is about to be run."),
    ("code", "predict-puzzle", 'predict("{number}.puzzle")'),
    ("markdown", "section-1", SECTION),
    ("code", "section-1-code", "# FILL: the code of that equation alone\n1 + 0.9 * 1"),
    (
        "markdown",
        "when-it-fails",
        "## When it fails\n\nFILL: one deliberate failure, diagnosed with the lesson's tools.",
    ),
    ("code", "failure", "# FILL: the failure\n1 + 1.1 * 1"),
    (
        "markdown",
        "your-turn",
        "## Your turn\n\nFILL: what the student writes; the solution stands folded below.",
    ),
    ("code", "your-turn-1", "def fill(value):  # FILL\n    ..."),
    ("markdown", "your-turn-next", "FILL: the second piece."),
    ("code", "your-turn-2", "def fill_too(value):  # FILL\n    ..."),
    ("markdown", "quiz", f"## Quiz\n\n{QUIZ}"),
    *[
        cell
        for n in range(1, 5)
        for cell in (
            ("markdown", f"question-{n}", f"### Q{n}"),
            ("code", f"quiz-{n}", f'predict("{{number}}.q{n}")'),
        )
    ],
    ("markdown", "summary", SUMMARY),
    (
        "markdown",
        "coursework",
        "## Coursework\n\nFILL: link to the problem set, its points and hours.",
    ),
    (
        "markdown",
        "references",
        "## References\n\nFILL: paper with section or equation and DOI.",
    ),
    ("code", "answers", 'answers("{number}")'),
]


def lesson_cells(name: str, title: str, address: str) -> list[tuple[str, str, str]]:
    """Kind, id and source of each cell of a new lesson ``NN_name`` in order."""
    question = f"# {name[:2]} {title}\n\nFILL: the question this lesson answers?"
    return [
        ("markdown", "badges", badge_source(address, f"notebooks/{name}.ipynb")),
        ("markdown", "title", question),
        ("markdown", "at-a-glance", GLANCE),
        ("code", "bootstrap", bootstrap_source(address)),
        ("code", "imports", IMPORTS),
        *[(kind, key, text.replace("{number}", name[:2])) for kind, key, text in BODY],
    ]


def write_lesson(root: Path, name: str, title: str) -> Path:
    """Write the skeleton ``notebooks/NN_name.ipynb``, its questions if there are none yet, and return its path.

    Raises:
        AuthoringError: if the name is not of the form NN_name or the file exists.
    """
    name = name.removesuffix(".ipynb")
    path = root / "notebooks" / f"{name}.ipynb"
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", name):
        raise AuthoringError(
            f"{name!r} is not of the form NN_name: two digits, _, lower-case words joined by _."
        )
    if path.exists():
        raise AuthoringError(f"{path} exists already; choose another name.")
    v4 = need("nbformat.v4")
    make = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    cells = [
        make[kind](text, id=key)
        for kind, key, text in lesson_cells(name, title, repository_address(root))
    ]
    notebook = normalise(v4.new_notebook(cells=cells))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count = None  # not run yet: `execute` numbers the cells
    write_notebook(notebook, path)
    questions = root / "marl_lessons" / "viz" / "questions" / f"{name[:2]}.toml"
    if not questions.exists():
        questions.parent.mkdir(parents=True, exist_ok=True)
        names = ["puzzle", *(f"q{n}" for n in range(1, 5))]
        text = "\n".join(QUESTION.format(name=question) for question in names)
        questions.write_text(text, encoding="utf-8")
    return path
