"""What all tests share: the kernels' environment, and the table of what each lesson cost, shown at the
end."""

from __future__ import annotations

import os

import pytest

# Kernels inherit these, nbval's as well. One thread: same results on any number of cores. No MPLBACKEND:
# with one set, a kernel would not use its inline backend, and notebooks would store no figures.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.pop("MPLBACKEND", None)

LESSON_COSTS = pytest.StashKey[list[str]]()


@pytest.fixture
def lesson_costs(request: pytest.FixtureRequest) -> list[str]:
    """Lines of the table at the end of the test run; tests append to it."""
    return request.config.stash.setdefault(LESSON_COSTS, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Show what each lesson cost."""
    if rows := config.stash.get(LESSON_COSTS, []):
        terminalreporter.section("lessons, each run once in a fresh kernel")
        for row in rows:
            terminalreporter.write_line(row)
