"""Every lesson keeps every rule of the anatomy, and the README's table lists what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from anatomy import RULES, breaches
from lesson_file import ROOT, read_lesson

from marl_lessons.course import COURSE
from tools.address import TABLE_CELL, course_table, point
from tools.checkout import lessons, repository_address
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


def test_badges_first_cells_and_links_follow_the_address() -> None:
    behind = [str(path.relative_to(ROOT)) for path in point(ROOT, check=True)]
    assert not behind, f"run: python -m tools address   (behind: {behind})"


def test_the_first_lesson_shows_the_whole_course() -> None:
    """As a table, which `address` writes, and as a picture whose description names both ends of the road."""
    cells = read_lesson(ROOT / "notebooks" / COURSE[0].file).cells
    assert [cell.source for cell in cells if cell.stored["id"] == TABLE_CELL] == [course_table()]
    (drawn,) = [cell for cell in cells if "draw_course(" in cell.source]
    described = "".join(drawn.outputs[0]["data"]["text/plain"])
    for stop in (COURSE[0], COURSE[-1]):
        assert f"{stop.number} {stop.title}" in described


def test_readme_shows_the_pictures_of_the_lessons() -> None:
    behind = write_pictures(ROOT, check=True)
    assert not behind, f"run: python -m tools pictures   (behind: {behind})"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for file, _, _ in PICTURES:
        assert f"({FOLDER.as_posix()}/{file})" in readme, f"the README does not show {file}"


def test_the_readme_holds_the_syllabus() -> None:
    """Whole, with badges; `address` keeps it so as long as its head is there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"\n{course_table(repository_address(ROOT))}\n" in readme


def test_lessons_state_the_minutes_of_the_syllabus() -> None:
    """The minutes of the parts in "At a glance" add up to what the syllabus says."""
    for lesson in COURSE:
        if lesson.file:
            glance = read_lesson(ROOT / "notebooks" / lesson.file).cells[2].source
            parts = [int(n) for n in re.findall(r"\|\s*(\d+) min\s*\|", glance)]
            assert sum(parts) == lesson.minutes, (
                f"{lesson.file}: {sum(parts)} min, not {lesson.minutes}"
            )
