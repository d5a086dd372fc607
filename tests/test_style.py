"""Code and notebooks are formatted and clean, as ruff sees them with the settings in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "arguments", [("check",), ("format", "--check")], ids=["ruff check", "ruff format"]
)
def test_ruff_has_nothing_to_say(arguments: tuple[str, ...]) -> None:
    pytest.importorskip("ruff", reason="ruff comes with requirements-dev.txt")
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "."]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]
