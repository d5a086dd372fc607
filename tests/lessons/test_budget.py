"""Each lesson, run once in a fresh kernel, shows the text it stores and stays near its budget."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from lesson_file import ROOT, joined
from outputs import EMBEDDED, PICTURES

from tools.checkout import lessons
from tools.execute import TABLE_HEAD, Run, run_notebook, table_row
from tools.notebook_files import notebook_text, read_notebook


@dataclass(frozen=True)
class Budget:
    """What one run of a lesson should cost on a quiet machine.

    Memory hardly depends on the machine. Seconds do, even those of the processor: they are reported beside
    the budget, and only a lesson that has gone astray fails.
    """

    cpu_seconds: float = 60.0
    peak_mb: float = 500.0


# Lessons that need another budget than the usual one, by number, with the reason.
BUDGETS: dict[str, Budget] = {
    "04": Budget(cpu_seconds=120, peak_mb=600),  # minimax-Q on ten seeds; soccer's arrays
    "05": Budget(
        cpu_seconds=120, peak_mb=600
    ),  # 40 to 200 seeds of every experiment and its control
    "06": Budget(
        cpu_seconds=120, peak_mb=1000
    ),  # 1,000 pairs of each learner; networks, torch itself
    "09": Budget(cpu_seconds=120, peak_mb=1000),  # two training runs; torch itself
    "10": Budget(cpu_seconds=180, peak_mb=1000),  # cars and prisoners that learn to talk; torch
}
TOO_SLOW, TOO_LARGE = 5.0, 1.5  # times the budget: there a test fails
TABLE = f"{'lesson':32}  {TABLE_HEAD}  budget  cpu s / budget"
LESSONS = lessons(ROOT)


@functools.cache
def run(path: Path) -> Run:
    """One run of a lesson, shared by the tests below; the file is only read."""
    return run_notebook(read_notebook(path), path.parent, again=True)


def text_of(notebook_json: str) -> list[str]:
    """A notebook's file, line by line, with pictures masked: their bytes differ between versions of
    libraries."""
    notebook = json.loads(notebook_json)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            for kind, content in output.get("data", {}).items():
                if kind in PICTURES:
                    output["data"][kind] = "a picture"
                elif kind == "text/html":
                    output["data"][kind] = EMBEDDED.sub("data:image", joined(content)).splitlines()
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False).splitlines()


def difference(stored: str, fresh: str) -> list[str]:
    """The lines in which two notebooks differ, pictures aside."""
    return list(
        difflib.unified_diff(
            text_of(stored), text_of(fresh), "stored", "fresh run", lineterm="", n=2
        )
    )


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_runs_and_shows_the_text_it_stores(path: Path) -> None:
    result = run(path)
    assert result.problem is None, f"{path.name}: {result.problem}"
    changed = difference(path.read_text(encoding="utf-8"), notebook_text(result.notebook))
    hint = "results depend on the run, or the file is stale: python -m tools execute"
    assert not changed, f"{path.name}: {hint}\n" + "\n".join(changed[:60])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_every_cell_can_be_run_again(path: Path) -> None:
    """No name stands for two things, no cell draws from another's generator."""
    assert run(path).changed == ()


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lesson_stays_near_its_budget(
    path: Path, record_property: Callable[[str, object], None]
) -> None:
    result, budget = run(path), BUDGETS.get(path.name[:2], Budget())
    seconds = result.wall_seconds if result.cpu_seconds is None else result.cpu_seconds
    ratio = seconds / budget.cpu_seconds
    row = f"{path.stem:32}  {table_row(result, path)}  {budget.cpu_seconds:6.0f}  {ratio:14.2f}"
    record_property("lesson costs", (TABLE, row))
    assert ratio < TOO_SLOW, f"{path.name} takes {seconds:.0f} s of {budget.cpu_seconds:.0f}"
    if result.peak_mb is not None:
        assert result.peak_mb < TOO_LARGE * budget.peak_mb, (
            f"{path.name} needs {result.peak_mb:.0f} MB of {budget.peak_mb:.0f}"
        )


def stored(text: str, picture: str) -> str:
    """A notebook's file with one output of each kind."""
    data = {
        "image/png": picture,
        "text/plain": text,
        "text/html": f'<img src="data:image/png;base64,{picture}">{text}',
    }
    outputs = [{"output_type": "display_data", "data": data, "metadata": {}}]
    return json.dumps({"cells": [{"cell_type": "code", "source": "1", "outputs": outputs}]})


def test_difference_sees_text_and_overlooks_pictures() -> None:
    assert difference(stored("4 of 10 seeds", "aaaa"), stored("4 of 10 seeds", "bbbb")) == []
    assert difference(stored("4 of 10 seeds", "aaaa"), stored("5 of 10 seeds", "aaaa")) != []
