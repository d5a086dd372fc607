"""Questions: complete, used, and answered with reasons."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from marl_lessons.viz.prediction import QUESTION_FOLDER, Question, answers, load_questions, predict

ROOT = Path(__file__).parents[3]
LESSONS = sorted(path.stem for path in QUESTION_FOLDER.glob("*.toml"))
FORBIDDEN = re.compile(r"\b(simply|obviously|just)\b", re.IGNORECASE)


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_question_is_asked_in_its_lesson_once(lesson: str) -> None:
    (path,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    asked = [
        match
        for cell in cells
        for match in re.findall(r'predict\("([\w.]+)"\)', "".join(cell["source"]))
    ]
    assert sorted(asked) == sorted(f"{lesson}.{name}" for name in load_questions(lesson))


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_option_has_a_reason_worth_reading(lesson: str) -> None:
    for name, question in load_questions(lesson).items():
        assert len(set(question.options)) == len(question.options), name
        for text in (question.text, *question.options, *question.reasons):
            assert not FORBIDDEN.search(text), f"{lesson}.{name}: {text}"
        assert all(len(reason.split()) >= 8 for reason in question.reasons), name


def test_answering_gives_the_reason_and_the_right_answer() -> None:
    shown = predict("00.first")
    assert shown.choices.value is None and shown.feedback.value == ""
    wrong = (shown.question.answer + 1) % len(shown.question.options)
    shown.choices.value = wrong
    assert "Not quite" in shown.feedback.value
    assert shown.question.options[shown.question.answer] in shown.feedback.value
    shown.choices.value = shown.question.answer
    assert "Yes" in shown.feedback.value


def test_page_without_widgets_has_question_and_options_and_the_end_of_the_lesson_the_answers() -> (
    None
):
    question = predict("00.first").question
    end = answers("00")
    for page, back in (
        (question.as_text(), repr(end)),
        (question.as_html(), html.unescape(end._repr_html_())),
    ):
        assert all(option in html.unescape(page) for option in question.options)
        assert not any(reason in page for reason in question.reasons)
        assert question.options[question.answer] in back
        assert question.reasons[question.answer] in back


@pytest.mark.parametrize("name", ["00.nothing", "99.first", "first"])
def test_unknown_questions_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"question|lesson"):
        predict(name)


@pytest.mark.parametrize("options", [("only",), ("a", "b", "c", "d", "e")])
def test_number_of_options(options: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="options"):
        Question("Predict", "?", options, options, 0)
