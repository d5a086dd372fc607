"""Binder: what repo2docker, which Binder runs, makes of the folder .binder (no Docker is needed for that)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from marl_lessons import start
from marl_lessons.course import ready_lessons

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / ".binder"
CPU_WHEELS = "--extra-index-url https://download.pytorch.org/whl/cpu"


@cache
def dockerfile() -> str:
    """The recipe that repo2docker writes for this repository."""
    command = (
        shutil.which("jupyter-repo2docker", path=str(Path(sys.executable).parent))
        or "jupyter-repo2docker"
    )
    arguments = [
        command,
        "--no-build",
        "--debug",
        "--user-id",
        "1000",
        "--user-name",
        "reader",
        str(ROOT),
    ]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def lines(path: Path) -> list[str]:
    """The lines of a requirements file that are no comments."""
    found = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in found if line and not line.startswith("#")]


def test_binder_sees_a_python_repository_with_python_3_12():
    assert (BINDER / "runtime.txt").read_text(encoding="utf-8") == "python-3.12\n"
    assert "Building conda environment for python=3.12" in dockerfile()


def test_requirements_are_installed_from_the_folder_that_holds_the_package():
    """``-e .`` in requirements.txt means the current folder, which must hold the repository by then."""
    recipe = dockerfile()
    install = r"pip install --no-cache-dir -r \"?\.binder/requirements\.txt"
    (installed,) = [match.start() for match in re.finditer(install, recipe)]
    (copied,) = [
        match.start()
        for match in re.finditer(r"^COPY \S+ src/ \$\{REPO_DIR\}/$", recipe, re.MULTILINE)
    ]
    assert copied < installed
    assert re.findall(r"^WORKDIR (.*)$", recipe[:installed], re.MULTILINE)[-1] == "${REPO_DIR}"
    assert "-e ." in lines(ROOT / "requirements.txt")


def test_versions_are_those_of_requirements_txt():
    """They stand in one place: Binder's own file refers to it and adds what only Binder needs."""
    own = lines(BINDER / "requirements.txt")
    references = [line for line in own if line.startswith("-r ")]
    assert references == ["-r ../requirements.txt"]
    assert (BINDER / references[0][3:]).resolve() == ROOT / "requirements.txt"
    pinned = {line.partition("==")[0] for line in lines(ROOT / "requirements.txt")}
    assert "torch" in pinned
    extra = [line for line in own if not line.startswith("-")]
    assert all("==" in line and line.partition("==")[0] not in pinned for line in extra)


def test_torch_comes_without_cuda():
    """With PyTorch's own list at hand, pip prefers 2.13.0+cpu to 2.13.0: a local version sorts higher."""
    assert CPU_WHEELS in lines(BINDER / "requirements.txt")
    assert any(re.match(r"torch==[\d.]+;", line) for line in lines(ROOT / "requirements.txt"))
    assert CPU_WHEELS in (ROOT / "README.md").read_text(encoding="utf-8")


def test_widgets_are_of_the_generation_that_this_jupyterlab_shows():
    assert any(line.startswith("ipywidgets==8.") for line in lines(ROOT / "requirements.txt"))
    assert any(line.startswith("jupyterlab==4.") for line in lines(ROOT / "requirements.txt"))


def test_start_copies_the_lessons_and_runs_the_command_it_is_given_with_one_thread(tmp_path: Path):
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/.binder/start"' in dockerfile()
    start = BINDER / "start"
    assert os.access(start, os.X_OK)
    command = [str(start), "bash", "-c", 'echo "$OMP_NUM_THREADS $0 $1"', "a b", "c"]
    (tmp_path / "python").write_text('#!/bin/bash\necho "python $*"; exit 1\n')  # what start calls
    (tmp_path / "python").chmod(0o755)
    settings = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=settings)
    assert done.stdout == "1 a b c\n"  # even if copying fails
    assert done.stderr == "python -m marl_lessons --copy-only\n"


def test_badges_lead_to_the_copies():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    opened = re.findall(r"mybinder\.org/v2/gh/[^)]*\?urlpath=lab/tree/([^)]+)\)", readme)
    assert opened == [f"my-lessons/{lesson.file}" for lesson in ready_lessons()]
    assert start.COPY == ROOT / "my-lessons"
