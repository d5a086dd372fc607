"""Runs all tests on all cores, with every cell of every lesson: `python tests`.

What follows is passed on to pytest: `python tests -k 05_` tests all that there is about lesson 05.
"""

import os
import sys
from pathlib import Path

import pytest

# Every limit is many times what a quiet machine needs: a test fails for what is wrong, never for what is slow.
NOTEBOOKS = (
    *("-p", "nbval.plugin", "--nbval-lax", "--nbval-current-env"),
    *("--nbval-cell-timeout=600", "--nbval-kernel-startup-timeout=300"),
    "--nbval-sanitize-with=tests/nbval_sanitize.cfg",
)
WORKERS = ("--numprocesses=logical", "--maxprocesses=4", "--no-loadscope-reorder")

if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[1])
    sys.exit(pytest.main([*NOTEBOOKS, *WORKERS, *sys.argv[1:]]))
