"""The rules of the anatomy are tested themselves: a made-up lesson keeps all; each breach of it is caught."""

from __future__ import annotations

from collections.abc import Callable

import made_up
import pytest
from anatomy import RULES, breaches
from lesson_file import EXEMPT
from made_up import Notebook, cell, find, good_notebook, lesson, printed, shown

# (rule, part of its message, how to break it). A string in place of a function: (id of a cell, new source).
Break = Callable[[Notebook], object]


def source(name: str, text: str) -> Break:
    """Give a cell another source."""
    return lambda notebook: find(notebook, name).update(source=text)


def append(name: str, text: str) -> Break:
    """Add text to a cell's source."""
    return lambda notebook: find(notebook, name).update(
        source=find(notebook, name)["source"] + text
    )


def replace(name: str, old: str, new: str) -> Break:
    """Replace a part of a cell's source, which must be there."""

    def change(notebook: Notebook) -> None:
        one = find(notebook, name)
        assert old in one["source"]
        one["source"] = one["source"].replace(old, new)

    return change


def output(name: str, *outputs: dict) -> Break:
    """Give a cell other outputs."""
    return lambda notebook: find(notebook, name).update(outputs=list(outputs))


def delete(*names: str) -> Break:
    """Delete cells."""
    return lambda notebook: notebook.update(
        cells=[one for one in notebook["cells"] if one["id"] not in names]
    )


def insert(place: int, kind: str, text: str, times: int = 1) -> Break:
    """Insert cells at a place."""

    def change(notebook: Notebook) -> None:
        notebook["cells"][place:place] = [
            cell(kind, text, f"new-{number}") for number in range(times)
        ]

    return change


def move(name: str, place: int) -> Break:
    """Move a cell."""

    def change(notebook: Notebook) -> None:
        one = find(notebook, name)
        notebook["cells"].remove(one)
        notebook["cells"].insert(place, one)

    return change


def metadata(name: str, **entries: object) -> Break:
    """Give a cell metadata."""
    return lambda notebook: find(notebook, name)["metadata"].update(entries)


NO_ALT = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480 with 1 Axes>"}
ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "", "traceback": []}
VIEW = {
    "application/vnd.jupyter.widget-view+json": '{"model_id": "0"}',
    "text/plain": "IntSlider(value=0)",
}

MUTANTS: list[tuple[str, str, Break]] = [
    ("first cells", "must be badges", move("bootstrap", 0)),
    ("first cells", "badge cell", append("badges", " ")),
    ("first cells", "bootstrap cell", append("bootstrap", "\n")),
    ("title", "must begin", source("title", "# 04 Made up\n\nWhy?")),
    ("title", "asks no question", source("title", "# 03 Made up\n\nThis.")),
    ("title", "43 words", source("title", "# 03 Made up\n\n" + "why " * 40 + "?")),
    ("at a glance", "must begin", replace("at-a-glance", "## At a glance", "## Overview")),
    ("at a glance", "2 bullets", replace("at-a-glance", "* predict this.\n", "")),
    ("at a glance", "6 bullets", replace("at-a-glance", "* predict", "* a\n* b\n* c\n* predict")),
    (
        "at a glance",
        "Prerequisites",
        replace("at-a-glance", "[Start here](00_start_here.ipynb)", "much"),
    ),
    ("at a glance", "minutes", replace("at-a-glance", " min", "")),
    ("at a glance", "seconds", replace("at-a-glance", "10 s", "long")),
    (
        "imports",
        "imports nothing",
        source("imports", "use_style()\nrng = np.random.default_rng(0)"),
    ),
    ("imports", "lines of imports", append("imports", "\nimport re" * 12)),
    ("imports", "plot style", replace("imports", "use_style()", "np.e")),
    ("imports", "'rng'", replace("imports", "rng =", "generator =")),
    ("imports", "star import", source("check-1", "from numpy import *")),
    *[
        ("last headings", f"contains '{title}'", replace(name, f"## {title}", "## Other"))
        for name, title in [
            ("when-it-fails", "When it fails"),
            ("quiz", "Quiz"),
            ("summary", "Summary"),
            ("coursework", "Coursework"),
            ("references", "References"),
        ]
    ],
    ("last headings", "in the order", move("summary", 5)),
    ("last headings", "last section is", append("references", "\n\n## More")),
    ("heading levels", "skips a level", append("page-1", "\n\n#### Deep")),
    ("heading levels", "second title", append("page-1", "\n\n# Again")),
    ("quiz", "has 3 questions", delete("quiz-4")),
    ("quiz", "has 7 questions", insert(-4, "code", 'predict("03.q5")', 3)),
    ("quiz", "expected", delete("quiz-2")),
    ("quiz", "no question q5", insert(-4, "code", 'predict("03.q5")')),
    ("last cells", "holds Summary, References", append("summary", "\n\n## References")),
    ("last cells", "a cell of its own", replace("summary", "## Summary", "So.\n\n## Summary")),
    ("cells", "cells: 24", lambda notebook: notebook.update(cells=notebook["cells"][:24])),
    ("cells", "cells: 93", insert(9, "markdown", "Words.", 40)),
    ("words", "1200", lambda notebook: notebook.update(cells=notebook["cells"][:20])),
    ("words", "2600", append("page-1", " word" * 2500)),
    ("open code", "220", append("check-1", "\nx = 1" * 220)),
    (
        "median code",
        "median",
        lambda n: [one.update(source="x = 1\n" * 9) for one in n["cells"] if "outputs" in one],
    ),
    ("longest code", ": 26", source("check-1", "x = 1\n" * 26)),
    (
        "longest build-it",
        ": 41",
        lambda n: find(n, "check-1").update(source="x = 1\n" * 41, metadata={"tags": ["build-it"]}),
    ),
    (
        "longest folded",
        ": 13",
        lambda n: find(n, "check-1").update(source="x = 1\n" * 13, metadata={"tags": ["check"]}),
    ),
    ("code in a row", ": 3", insert(6, "code", "1", 2)),
    ("long lines", ": 1", append("check-1", "\n# " + "x" * 87)),
    ("widgets number", "widgets: 3", append("widget", "\nexplore(1)" * 2)),
    (
        "figures",
        ": 0",
        lambda n: [find(n, name).update(outputs=[]) for name in ("figure", "widget")],
    ),
    ("predictions", ": 0", delete("predict-puzzle")),
    ("your turn", ": 1", delete("your-turn-1")),
    ("assertions over seeds", ": 0", replace("check-2", "assert", "print")),
    ("assertions over seeds", ": 0", replace("check-2", "seeds=10", "seeds=3")),
    ("widgets", "static figure", output("figure", printed("nothing to see\n"))),
    ("widgets", "static figure", source("before-widget", "## Another section")),
    ("identifiers", "occurs twice", lambda notebook: find(notebook, "quote").update(id="summary")),
    ("identifiers", "has no id", lambda notebook: find(notebook, "quote").pop("id")),
    ("identifiers", "widget state", lambda notebook: notebook["metadata"].update(widgets={})),
    ("quotes", "differs from the package", replace("quote", "tuple(", "list(")),
    ("quotes", "differs from the package", append("quote", "\nready_lessons()")),
    (
        "quotes",
        "must be the first line",
        lambda n: find(n, "quote").update(source="1\n" + find(n, "quote")["source"]),
    ),
    ("quotes", "does not define", source("quote", "# marl_lessons.course.nothing")),
    ("filled", "still says FILL", append("check-1", "  # FILL")),
    ("forbidden words", "says 'Simply'", append("page-1", "Simply add.")),
    ("forbidden words", "says 'obviously'", append("page-2", "\n\nIt is obviously so.")),
    ("forbidden words", "says 'just'", append("page-1", "We **just** add.")),
    ("equations", "has no number", replace("section-1", r"\tag{1}", "")),
    ("equations", "is taken", append("page-1", "\n\n$$x \\tag{1}$$")),
    (
        "equations",
        "displays 3",
        append("page-1", "".join(f"\n\n$$x \\tag{{{n}}}$$" for n in (2, 3, 4))),
    ),
    ("equations", "odd number", append("page-1", "\n\n$$x")),
    ("equations", "no equation", replace("section-1", "$$", "$")),
    ("links", "does not exist", append("page-1", " See [it](nowhere/at_all.ipynb).")),
    ("links", "full address", append("page-1", " See [it](../README.md).")),
    ("links", "no heading", append("page-1", " See [it](#Nowhere).")),
    ("alternative texts", "x.png", append("page-1", " ![](https://a.org/x.png)")),
    ("alternative texts", "<img", append("page-1", ' <img src="x.png" alt="">')),
    ("paths in sources", "/home/", source("check-1", 'open("/home/ada/x")')),
    ("paths in sources", "/tmp/", append("page-1", " It lies in `/tmp/x`.")),
    ("paths in sources", "Users", source("check-1", 'open("C:\\\\Users\\\\ada")')),
    ("executed", "empty code cell", source("check-1", " ")),
    (
        "executed",
        "not numbered",
        lambda notebook: find(notebook, "check-1").update(execution_count=None),
    ),
    (
        "executed",
        "not numbered",
        lambda notebook: find(notebook, "check-1").update(execution_count=77),
    ),
    ("clean outputs", "raises-exception", metadata("check-1", tags=["raises-exception"])),
    ("clean outputs", "the error ValueError", output("check-1", ERROR)),
    ("clean outputs", "stderr", output("check-1", printed("oh\n", "stderr"))),
    ("clean outputs", "widget view", output("check-1", shown(VIEW))),
    (
        "clean outputs",
        "a stack trace",
        output("check-1", printed("Traceback (most recent call last):\n")),
    ),
    ("clean outputs", "a warning", output("check-1", printed("x.py:1: UserWarning: mind\n"))),
    (
        "clean outputs",
        "address",
        output("check-1", shown({"text/plain": "<Line2D at 0x7f31c2a5b150>"})),
    ),
    ("clean outputs", "absolute path", output("check-1", shown({"text/html": "in /Users/ada"}))),
    ("described pictures", "<Figure size", output("figure", shown(NO_ALT))),
    ("described pictures", "'A car.'", output("figure", shown({**NO_ALT, "text/plain": "A car."}))),
    (
        "described pictures",
        "<img>",
        output("figure", shown({"text/html": '<img src="data:image/png;base64,aa"/>'})),
    ),
    ("checked outputs", "2 cells say", replace("check-1", "# NBVAL_CHECK_OUTPUT", "# checked")),
    ("checked outputs", "stores no text", output("check-1")),
    ("checked outputs", "stores no text", output("check-1", shown(made_up.PICTURE))),
]


@pytest.mark.parametrize("rule", RULES)
def test_the_made_up_lesson_keeps_the_rule(rule: str) -> None:
    problems = breaches(rule, lesson(good_notebook()))
    if rule == "links":  # its neighbours in notebooks/ need not exist
        problems = [problem for problem in problems if "00_start_here.ipynb" not in problem]
    assert problems == []


@pytest.mark.parametrize(
    ("rule", "message", "change"),
    MUTANTS,
    ids=[f"{rule}-{message}" for rule, message, _ in MUTANTS],
)
def test_the_rule_catches_the_breach(rule: str, message: str, change: Break) -> None:
    notebook = good_notebook()
    change(notebook)
    assert any(message in problem for problem in breaches(rule, lesson(notebook))), breaches(
        rule, lesson(notebook)
    )


def test_the_file_size_is_limited() -> None:
    assert breaches("file size", lesson(good_notebook(), size=1_600_000))


def test_every_rule_has_a_breach_that_it_catches() -> None:
    assert {rule for rule, _, _ in MUTANTS} | {"file size"} == set(RULES)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (
            "forbidden words",
            "The function `just()` and [Just a title](https://a.org/just), adjust, $just$.",
        ),
        ("forbidden words", "```\nsimply\n```"),
        ("equations", "Write `$$` around it."),
        ("paths in sources", "https://a.org/home/ada and and/tmp/or and $A:\\mathcal{S}$"),
        ("links", "[there](https://a.org) [below](#Summary) [mail](mailto:a@b.c) `[no](link)`"),
        ("alternative texts", '![A car](https://a.org/x.png) <img alt="A car" src="x.png">'),
        ("heading levels", "```\n# a comment\n```"),
    ],
)
def test_the_rule_leaves_innocent_text_alone(rule: str, text: str) -> None:
    notebook = good_notebook()
    append("page-1", "\n\n" + text)(notebook)
    before, after = breaches(rule, lesson(good_notebook())), breaches(rule, lesson(notebook))
    assert after == before


def test_exemptions_name_rules_and_headings_that_exist() -> None:
    parts = {"at least 1,500 words", "at least 30 cells", "When it fails", "Quiz", "Coursework"}
    assert set().union(*EXEMPT.values()) <= set(RULES) | parts


def test_the_first_lesson_may_be_short_and_without_equations_and_quiz() -> None:
    notebook = good_notebook()
    delete(
        "quiz",
        *(f"quiz-{n}" for n in range(1, 5)),
        "when-it-fails",
        "failure",
        "coursework",
        "section-1",
    )(notebook)
    notebook["cells"] = [one for one in notebook["cells"] if "page" not in one["id"]]
    first, third = lesson(notebook, name="00_made_up"), lesson(notebook)
    for rule in ("words", "equations", "quiz", "last headings"):
        assert breaches(rule, first) == []
        assert breaches(rule, third) != []
