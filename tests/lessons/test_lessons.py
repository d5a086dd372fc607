"""Every lesson keeps every rule of the anatomy, and the README's table lists what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from anatomy import RULES, breaches
from lesson_file import ROOT, read_lesson

from marl_lessons.course import COURSE
from tools.address import point
from tools.checkout import lessons
from tools.pictures import FOLDER, PICTURES, write_pictures

LESSONS = lessons(ROOT)


def test_there_are_lessons() -> None:
    """With no lesson at all, everything else in this file would pass without testing anything."""
    assert LESSONS, "notebooks/ holds no NN_name.ipynb"


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_keeps_the_rule(path: Path, rule: str) -> None:
    problems = breaches(rule, read_lesson(path))
    assert not problems, f"{path.name} ({RULES[rule].__doc__})\n- " + "\n- ".join(problems)


def test_notebooks_are_named_like_lessons() -> None:
    """A notebook with another name would be seen by none of these tests."""
    strangers = [path.name for path in (ROOT / "notebooks").glob("*.ipynb") if path not in LESSONS]
    assert not strangers, f"name them NN_lower_case_words.ipynb: {strangers}"


def test_readme_lists_the_lessons_that_exist() -> None:
    rows = [
        line
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    listed = {name for row in rows for name in re.findall(r"notebooks/(\d\d_\w+\.ipynb)", row)}
    existing = {path.name for path in LESSONS}
    assert listed - existing == set(), "the README's table lists lessons that do not exist"
    assert existing - listed == set(), "the README's table lacks lessons that exist"


def test_badges_first_cells_and_links_follow_the_address() -> None:
    behind = [str(path.relative_to(ROOT)) for path in point(ROOT, check=True)]
    assert not behind, f"run: python -m tools address   (behind: {behind})"


def test_readme_shows_the_pictures_of_the_lessons() -> None:
    behind = write_pictures(ROOT, check=True)
    assert not behind, f"run: python -m tools pictures   (behind: {behind})"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for file, _, _ in PICTURES:
        assert f"({FOLDER.as_posix()}/{file})" in readme, f"the README does not show {file}"


def test_readme_and_syllabus_agree() -> None:
    """Every lesson of the course stands in the README's table, with its question, and marked if it is to come."""
    rows = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for lesson in COURSE:
        row = next((row for row in rows if row.startswith(f"| {lesson.number} ")), "")
        assert lesson.title in row and lesson.question in row, (
            f"README's row of lesson {lesson.number}"
        )
        state = f"| {lesson.minutes} |" if lesson.file else "| in preparation |"
        assert state in row, f"README's row of lesson {lesson.number} should say {state}"


def test_lessons_state_the_minutes_of_the_syllabus() -> None:
    """The minutes of the parts in "At a glance" add up to what the syllabus says."""
    for lesson in COURSE:
        if lesson.file:
            glance = read_lesson(ROOT / "notebooks" / lesson.file).cells[2].source
            parts = [int(n) for n in re.findall(r"\|\s*(\d+) min\s*\|", glance)]
            assert sum(parts) == lesson.minutes, (
                f"{lesson.file}: {sum(parts)} min, not {lesson.minutes}"
            )
