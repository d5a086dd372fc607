"""Google Colab, simulated: its versions of the libraries, and the cell that installs this package there.

What is simulated: a kernel in an environment of its own, with the widget, kernel, array and plotting
libraries that Colab has preinstalled, and a module ``google.colab``. What is not: Colab's own page.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Repository"]
# https://github.com/googlecolab/backend-info lists what a runtime has; these are 2026.07 and its successor.
PREINSTALLED = {
    "numpy": ("2.0.2", "2.1.3"),
    "matplotlib": ("3.10.0",),
    "ipywidgets": ("7.7.1",),
    "torch": ("2.11.0",),
    "gymnasium": ("1.3.0",),
    "scipy": ("1.16.3",),
    "tqdm": ("4.67.3",),
}
# What Colab lacks; it may have some of them.
ADDED = {"pettingzoo", "mpe2", "pygame-ce"}
COLAB_PYTHON = ("3.12.13", "3.13.15")
INSTALLED_HERE = (
    *("ipython==7.34.0", "ipykernel==6.17.1", "ipywidgets==7.7.1"),
    *("numpy==2.1.3", "matplotlib==3.10.0", "scipy==1.16.3", "gymnasium==1.3.0", "tqdm==4.67.3"),
)


def declared() -> list[Requirement]:
    """The dependencies in pyproject.toml, those of the extras included."""
    extras = PROJECT.get("optional-dependencies", {}).values()
    return [
        Requirement(text)
        for text in [*PROJECT["dependencies"], *(r for extra in extras for r in extra)]
    ]


def test_no_dependency_asks_for_another_version_than_colab_has():
    known = [requirement for requirement in declared() if requirement.name in PREINSTALLED]
    assert {"numpy", "matplotlib", "ipywidgets"} <= {requirement.name for requirement in known}
    for requirement in known:
        for version in PREINSTALLED[requirement.name]:
            assert requirement.specifier.contains(version), (
                f"{requirement} would replace Colab's {version}"
            )


def test_every_dependency_that_cannot_be_left_out_is_on_colab():
    """The package is installed there without its dependencies."""
    missing = {Requirement(text).name for text in PROJECT["dependencies"]} - set(PREINSTALLED)
    assert not missing, f"Colab does not have {missing}"


@pytest.mark.parametrize("version", COLAB_PYTHON)
def test_the_package_accepts_colabs_python(version: str):
    assert version in SpecifierSet(PROJECT["requires-python"])


@dataclass(frozen=True)
class Colab:
    """A simulated Colab runtime; ``folder`` holds everything it consists of."""

    folder: Path
    python: Path
    environment: dict[str, str]

    def packages(self) -> dict[str, str]:
        """Name and version of every installed package."""
        command = [
            str(self.python),
            "-m",
            "pip",
            "list",
            "--format=json",
            "--disable-pip-version-check",
        ]
        listed = subprocess.run(
            command, capture_output=True, text=True, check=True, env=self.environment
        )
        return {entry["name"]: entry["version"] for entry in json.loads(listed.stdout)}

    def run(self, *cells: str) -> Any:
        """Run cells in a fresh kernel that has imported ``google.colab``; returns them as a notebook."""
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from nbclient import NotebookClient

        specs = KernelSpecManager(
            kernel_dirs=[str(self.folder / "kernels")], ensure_native_kernel=False
        )
        manager = AsyncKernelManager(kernel_name="colab", kernel_spec_manager=specs)
        sources = ("import google.colab", *cells)
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in sources]
        )
        here = {"metadata": {"path": str(self.folder / "content")}}
        patience = {"timeout": 600, "startup_timeout": 300, "iopub_timeout": 300}
        NotebookClient(notebook, km=manager, resources=here, **patience).execute()
        del notebook.cells[0]
        return notebook


@pytest.fixture(scope="module")
def colab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Colab]:
    """A runtime without the package; where its address points to is a copy of this working tree."""
    folder = tmp_path_factory.mktemp("colab")
    for name in ("content", "kernels/colab", "modules/google/colab"):
        (folder / name).mkdir(parents=True)
    (folder / "modules" / "google" / "colab" / "__init__.py").touch()
    _copy_of_working_tree(folder / "repository")
    redirect = f'[url "{(folder / "repository").as_uri()}"]\n\tinsteadOf = {ADDRESS}\n'
    (folder / "gitconfig").write_text(redirect, encoding="utf-8")
    settings = {
        "PYTHONPATH": str(folder / "modules"),
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "GIT_ALLOW_PROTOCOL": "file",
        "IPYTHONDIR": str(folder / "ipython"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "OMP_NUM_THREADS": "1",
    }
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    command = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "--disable-pip-version-check",
        *INSTALLED_HERE,
        "setuptools",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        problem = f"Colab's libraries could not be installed: {done.stderr.strip()[-500:]}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(problem)
    start = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": start, "display_name": "Colab", "language": "python", "env": settings}
    (folder / "kernels" / "colab" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    yield Colab(folder, python, {**os.environ, **settings})


def _copy_of_working_tree(target: Path) -> None:
    """A repository with one commit: the files of this checkout as they are now, without what git ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((ROOT / name).read_bytes())
    author = (
        "-c",
        "user.name=nobody",
        "-c",
        "user.email=nobody@example.org",
        "-c",
        "commit.gpgsign=false",
    )
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-q", "-m", "Working tree"]):
        subprocess.run(["git", *command], cwd=target, check=True)


def bootstrap() -> str:
    """The installing cell as it stands in the first lesson."""
    first = min((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    cell = nbformat.read(first, as_version=4).cells[3]
    assert cell.cell_type == "code" and "google.colab" in cell.source, (
        f"{first.name}: cell 3 does not install"
    )
    return cell.source


@pytest.fixture(scope="module")
def installed(colab: Colab) -> Colab:
    """The same runtime after the installing cell has run."""
    before = colab.packages()
    assert "marl-lessons" not in before
    report = "import marl_lessons\nprint(marl_lessons.__file__)"
    _, place, again = colab.run(bootstrap(), report, bootstrap()).cells
    assert str(colab.folder / "venv") in place.outputs[0].text
    assert again.outputs == [], "run a second time, the cell should find the package and do nothing"
    after = colab.packages()
    assert {name: after[name] for name in before} == before, "a library of Colab's was replaced"
    assert {name.lower() for name in set(after) - set(before)} == {"marl-lessons", *ADDED}
    return colab


def test_the_first_cell_installs_the_package(installed: Colab):
    assert installed.packages()["marl-lessons"] == PROJECT["version"]


def test_the_whole_package_has_come_along(installed: Colab):
    """Files that are no Python modules are easily forgotten when a package is built."""
    here = {path.relative_to(ROOT) for path in (ROOT / "marl_lessons").rglob("*") if path.is_file()}
    here = {path for path in here if "__pycache__" not in path.parts}
    (site,) = (installed.folder / "venv" / "lib").glob("python*/site-packages")
    assert not [str(path) for path in sorted(here) if not (site / path).is_file()]


DRAW = """
from marl_lessons.viz import Interactive, predict, slider
from marl_lessons.viz.style import new_figure

def draw(slope):
    figure, (axes,) = new_figure(size=(3, 2))
    axes.plot([0, 1], [0, slope])
    axes.set_ylim(0, 5)
    return figure

shown = Interactive(draw, "A line through the origin.", slope=slider("slope", range(5)))
shown
"""
MOVE = """
before = shown.image.value
shown.controls["slope"].value = 4
assert shown.image.value != before
assert shown.image.value.startswith('<img alt="A line through the origin."'), shown.image.value[:200]
"""
ASK = """
question = predict("QUESTION")
question
"""
ANSWER = """
assert question.feedback.value == ""
question.choices.value = 0
assert 'role="status"' in question.feedback.value
"""
ELSEWHERE = "import sys; del sys.modules['google.colab']; shown"
WIDGET = "application/vnd.jupyter.widget-view+json"


def test_widgets_work_with_colabs_libraries(installed: Colab):
    questions = tomllib.loads(
        (ROOT / "marl_lessons/viz/questions/01.toml").read_text(encoding="utf-8")
    )
    ask = ASK.replace("QUESTION", f"01.{next(iter(questions))}")
    notebook = installed.run(DRAW, MOVE, ask, ANSWER, ELSEWHERE)
    interactive, _, question, _, elsewhere = (cell.outputs for cell in notebook.cells)
    assert WIDGET in interactive[0].data and WIDGET in question[0].data
    state = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    pages = [
        model["state"].get("value") or ""
        for model in state.values()
        if model["model_name"] == "HTMLModel"
    ]
    assert any('src="data:image/png;base64,' in page for page in pages)
    assert set(elsewhere[0].data) == {WIDGET, "image/png", "text/plain"}


@pytest.mark.parametrize("name", ["01_one_car_one_light", "03_two_cars_meet"])
def test_lessons_run_with_colabs_libraries(installed: Colab, name: str):
    lesson = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    notebook = installed.run(*(cell.source for cell in lesson.cells if cell.cell_type == "code"))
    assert all(cell.execution_count for cell in notebook.cells if cell.source.strip())
