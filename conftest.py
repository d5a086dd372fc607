"""What all tests share: the kernels' environment, patience, work shared out by file and by lesson, and the
table of what each lesson cost, shown at the end."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

# Kernels inherit these, nbval's as well. One thread: same results on any number of cores. No MPLBACKEND:
# with one set, a kernel would not use its inline backend, and notebooks would store no figures.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("MPLBACKEND", None)

COSTS = "lesson costs"  # under this name a test records its line of the table
# What takes longest, in this order: begun first, so that all workers end at about the same time.
LONGEST = (
    "tests/platforms/test_colab",
    "tests/browser/",
    "notebooks/",
    "tests/lessons/test_budget",
)
# The work that a test of one lesson belongs to.
BY_LESSON = {
    "tests/lessons/test_budget.py": "notebooks/{}.ipynb",
    "tests/browser/test_lessons_in_browser.py": "{} in the browser",
}
OUTPUT_SECONDS = 300  # nbval waits for a cell's next output for this long, not 5 s


def pytest_itemcollected(item: Any) -> None:
    """Let a cell of a notebook be slow: a test fails for what is wrong."""
    if hasattr(item, "output_timeout"):
        item.output_timeout = OUTPUT_SECONDS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On several workers, put what takes longest first."""

    def rank(item: pytest.Item) -> int:
        places = (k for k, start in enumerate(LONGEST) if item.nodeid.startswith(start))
        return next(places, len(LONGEST))

    if hasattr(config, "workerinput"):
        items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """On several workers, each file goes to one of them, and so do its fixtures, a notebook's kernel included.

    A lesson's cells and its budget go together, and each lesson in the browser by itself. (A worker is given
    the next file when it has no more than two tests left, so a file of one long test holds that one up.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            if file in BY_LESSON and (lesson := re.search(r"\[(.+)\]$", test)):
                return BY_LESSON[file].format(lesson[1])
            return file

    return ByFile(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what each lesson cost."""
    reports = (r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind))
    tables = [value for r in reports for name, value in r.user_properties if name == COSTS]
    if tables:
        terminalreporter.section("lessons, each run once in a fresh kernel")
        terminalreporter.write_line(tables[0][0])
        for _, row in sorted(tables):
            terminalreporter.write_line(row)
