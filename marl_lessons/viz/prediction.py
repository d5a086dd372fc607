"""Questions asked before a run: choose an answer, then read why it is right or wrong. All lessons."""

from __future__ import annotations

import html
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import ipywidgets as widgets

from marl_lessons.viz.widgets import display_with_fallback

QUESTION_FOLDER = Path(__file__).with_name("questions")
# An option of several lines needs its height; the library's own is that of one.
OPTIONS_STYLE = (
    "<style>.predict-options .widget-radio-box label "
    "{display: flex; align-items: flex-start; height: auto; line-height: 1.4; white-space: normal} "
    ".predict-options .widget-radio-box input {order: -1; flex: none}</style>"
)
AT_THE_END = "The answer stands at the end of the lesson."
ALL_ANSWERS = "Answers to all questions of this lesson"


@dataclass(frozen=True)
class Question:
    """A question with 2 to 4 options; ``reasons[k]`` says why option k is right or wrong, ``answer`` is the right one."""

    label: str
    text: str
    options: tuple[str, ...]
    reasons: tuple[str, ...]
    answer: int

    def __post_init__(self):
        """Check the numbers of options and reasons."""
        if not 2 <= len(self.options) <= 4 or len(self.options) != len(self.reasons):
            raise ValueError(
                f"options: 2 to 4 with one reason each are needed, got {len(self.options)}, {len(self.reasons)}"
            )
        if not 0 <= self.answer < len(self.options):
            raise ValueError(f"answer is {self.answer}; allowed are 0 to {len(self.options) - 1}")

    def verdict(self, chosen: int) -> str:
        """What to say to a reader who chose option ``chosen``, as HTML."""
        if chosen == self.answer:
            return f"<b>Yes.</b> {html.escape(self.reasons[chosen])}"
        right = (
            f"{html.escape(self.options[self.answer])}: {html.escape(self.reasons[self.answer])}"
        )
        return (
            f"<b>Not quite.</b> {html.escape(self.reasons[chosen])}<br>The answer is <b>{right}</b>"
        )

    def as_text(self) -> str:
        """The question and its options as plain text, for a page without widgets."""
        options = [f"  ( ) {option}" for option in self.options]
        return "\n".join([f"{self.label}: {self.text}", *options, AT_THE_END])

    def as_html(self) -> str:
        """The same as HTML, with tags alone that viewers leave in when they clean a page (`<details>` they do not)."""
        options = "".join(f"<li>{html.escape(option)}</li>" for option in self.options)
        return f"<div>{self.heading()}</div><ul>{options}</ul><div>{AT_THE_END}</div>"

    def heading(self) -> str:
        """Label and text as HTML."""
        return f"<b>{self.label}.</b> {html.escape(self.text)}"


def load_questions(lesson: str) -> dict[str, Question]:
    """All questions of a lesson ("01", …), by name. Raises ValueError naming ``lesson`` if it has none."""
    path = QUESTION_FOLDER / f"{lesson}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in QUESTION_FOLDER.glob("*.toml")))
        raise ValueError(f"lesson is {lesson!r}; allowed are {known}")
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: Question(
            f"Question {name[1:]}" if re.fullmatch(r"q\d", name) else "Predict",
            entry["text"],
            tuple(option["option"] for option in entry["options"]),
            tuple(option["reason"] for option in entry["options"]),
            [bool(option.get("right")) for option in entry["options"]].index(True),
        )
        for name, entry in entries.items()
    }


class predict:
    """Show the question ``lesson.name``, for instance ``predict("01.news")``.

    Answering is optional: "Run All" goes on, and no later cell depends on it. The texts live in ``viz/questions/``, so
    that the cell does not give the answer away. Raises ValueError naming ``question`` if there is none of that name.
    """

    def __init__(self, question: str):
        """``question``: lesson and name, joined by a dot."""
        lesson, _, name = question.partition(".")
        questions = load_questions(lesson)
        if name not in questions:
            raise ValueError(
                f"question is {question!r}; lesson {lesson} has {', '.join(questions)}"
            )
        self.question = questions[name]
        self.choices = widgets.RadioButtons(
            options=[(option, k) for k, option in enumerate(self.question.options)],
            value=None,
            layout=widgets.Layout(width="auto", max_width="100%"),
        )
        self.choices.add_class("predict-options")
        self.feedback = widgets.HTML()
        self.choices.observe(self._answered, "value")
        heading = widgets.HTML(OPTIONS_STYLE + self.question.heading())
        self.box = widgets.VBox([heading, self.choices, self.feedback])

    def _answered(self, change) -> None:
        self.feedback.value = (
            f'<div role="status">{self.question.verdict(self.choices.value)}</div>'
        )

    def _ipython_display_(self) -> None:
        contents = {"text/html": self.question.as_html(), "text/plain": self.question.as_text()}
        display_with_fallback(self.box, contents, {})


class answers:
    """All questions of a lesson, each with the right answer and its reason, as at the end of a book: ``answers("01")``."""

    def __init__(self, lesson: str):
        """``lesson``: its number."""
        self.questions = load_questions(lesson)

    def __repr__(self) -> str:
        rows = (
            f"{q.text}\n  {q.options[q.answer]}. {q.reasons[q.answer]}"
            for q in self.questions.values()
        )
        return "\n".join([ALL_ANSWERS, *rows])

    def _repr_html_(self) -> str:
        rows = (
            f"<li><b>{html.escape(q.text)}</b><div>{html.escape(q.options[q.answer])}. "
            f"{html.escape(q.reasons[q.answer])}</div></li>"
            for q in self.questions.values()
        )
        return f"<div>{ALL_ANSWERS}</div><ul>{''.join(rows)}</ul>"
