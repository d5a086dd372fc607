"""Every lesson keeps every rule of the anatomy, and the README's table lists what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from anatomy import RULES, breaches
from lesson_file import ROOT, read_lesson

from marl_lessons.authoring.address import point
from marl_lessons.authoring.checkout import lessons

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
        line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    listed = {name for row in rows for name in re.findall(r"notebooks/(\d\d_\w+\.ipynb)", row)}
    existing = {path.name for path in LESSONS}
    assert listed - existing == set(), "the README's table lists lessons that do not exist"
    assert existing - listed == set(), "the README's table lacks lessons that exist"


def test_badges_first_cells_and_links_follow_the_address() -> None:
    behind = [str(path.relative_to(ROOT)) for path in point(ROOT, check=True)]
    assert not behind, f"run: python -m marl_lessons.authoring address   (behind: {behind})"
