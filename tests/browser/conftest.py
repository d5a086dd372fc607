"""One JupyterLab for all browser tests, and a browser for each test module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from lab import LabServer, lab_server
from page import chromium, find_chromium


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Where Chromium is; without it these tests are skipped, except where CI is set: there they fail."""
    path = find_chromium()
    if path is None:
        missing = "no Chromium or Chrome on the PATH (on Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path


@pytest.fixture(scope="session")
def server(chromium_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A JupyterLab with settings of its own."""
    with lab_server(tmp_path_factory.mktemp("lab")) as running:
        yield running


# Not for the whole session: while Playwright is open, an event loop counts as running in this thread, and
# tests of other folders that start one (to run a notebook, for instance) could not.
@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Any]:
    """A headless browser."""
    with chromium(chromium_path) as running:
        yield running
