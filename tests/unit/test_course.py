"""The syllabus: numbered from 00 on, and what it calls ready is there."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from marl_lessons.course import COURSE, ready_lessons

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_numbers_are_consecutive():
    assert [lesson.number for lesson in COURSE] == [f"{k:02}" for k in range(len(COURSE))]


def test_every_lesson_asks_a_question_of_its_own():
    assert all(lesson.title and lesson.question.endswith("?") for lesson in COURSE)
    assert len({lesson.title for lesson in COURSE}) == len(COURSE)


def test_ready_lessons_are_those_with_a_file_in_the_course_s_order():
    ready = ready_lessons()
    assert ready and ready == tuple(lesson for lesson in COURSE if lesson.file is not None)
    assert all(lesson.minutes is None for lesson in COURSE if lesson not in ready)


@pytest.mark.parametrize("lesson", ready_lessons(), ids=lambda lesson: lesson.number)
def test_a_ready_lesson_has_its_notebook_and_says_how_long_it_takes(lesson):
    assert lesson.file.startswith(f"{lesson.number}_") and (NOTEBOOKS / lesson.file).is_file()
    assert isinstance(lesson.minutes, int) and 0 < lesson.minutes <= 180


def test_every_notebook_belongs_to_a_lesson():
    files = {path.name for path in NOTEBOOKS.glob("*.ipynb")}
    assert files == {lesson.file for lesson in ready_lessons()}


WITHOUT_TORCH = """
import json, sys
sys.modules["torch"] = None  # any import of it fails
failed = []
for number, lines in json.load(sys.stdin):
    try:
        exec(lines, {})
    except ModuleNotFoundError as error:
        failed.append([number, error.name])
print(json.dumps(failed))
"""


def test_exactly_the_lessons_that_say_so_need_torch():
    """Every import of a lesson succeeds without torch, unless the syllabus says that the lesson needs it."""
    asked = []
    for lesson in ready_lessons():
        cells = json.loads((NOTEBOOKS / lesson.file).read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        nodes = [node for text in code if "%pip" not in text for node in ast.walk(ast.parse(text))]
        lines = [ast.unparse(one) for one in nodes if isinstance(one, ast.Import | ast.ImportFrom)]
        asked.append([lesson.number, "\n".join(lines)])
    command = [sys.executable, "-c", WITHOUT_TORCH]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True)
    needing = [lesson.number for lesson in ready_lessons() if "torch" in lesson.needs]
    assert json.loads(done.stdout or "0") == [[number, "torch"] for number in needing], done.stderr
