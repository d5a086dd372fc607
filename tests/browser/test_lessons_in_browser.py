"""Every lesson runs in JupyterLab, and every control in it does what it should.

Set MARL_SCREENSHOTS to a folder to get pictures of each lesson for human eyes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from exercise import exercise_all
from lab import ROOT, LabServer, serve_copy
from page import open_notebook

LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_lesson_works_in_the_browser(lesson: Path, server: LabServer, browser: Any):
    with open_notebook(browser, server, serve_copy(server, lesson)) as opened:
        assert opened.run_all() == []
        if folder := os.environ.get("MARL_SCREENSHOTS"):
            opened.screenshots(Path(folder), lesson.stem)
        faults = exercise_all(opened)
    assert not faults, "\n".join(faults)
