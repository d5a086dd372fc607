"""The entry point of continuous integration runs what the README tells a reader to run."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("python -m pip install -r requirements-dev.txt", "python tests")
RUN = ROOT / ".ci" / "run"


def test_ci_runs_the_command_of_the_readme():
    """Two lines there, since PowerShell 5.1 knows no ``&&``."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "```\n" + "\n".join(COMMANDS) + "\n```" in readme
    assert " && ".join(COMMANDS) + ";" in RUN.read_text(encoding="utf-8")


def test_ci_is_an_executable_script_of_bash():
    assert os.access(RUN, os.X_OK)
    subprocess.run(["bash", "-n", str(RUN)], check=True)


def test_the_workflow_calls_it():
    assert "- run: .ci/run" in (ROOT / ".github" / "workflows" / "tests.yml").read_text(
        encoding="utf-8"
    )


def test_a_contributor_gets_what_a_learner_gets_and_fixed_versions_besides():
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if line and not line.startswith("#")]
    assert lines[0] == "-r requirements.txt"
    assert not [line for line in lines[1:] if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
