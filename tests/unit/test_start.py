"""The command that opens the lessons: what it copies, what it never overwrites, what it says."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from marl_lessons import start
from marl_lessons.course import ready_lessons
from marl_lessons.environment import LOWEST_PYTHON
from marl_lessons.start import ROOT, copy_lessons, fingerprint, main, missing, report

LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")
NAME = "03_x.ipynb"


def notebook(*sources: str, outputs: tuple[str, ...] = ()) -> str:
    """A notebook of code cells with printed outputs."""
    printed = [{"output_type": "stream", "name": "stdout", "text": text} for text in outputs]
    cells = [
        {"cell_type": "code", "source": text, "outputs": printed, "execution_count": 7}
        for text in sources
    ]
    return json.dumps({"cells": cells, "metadata": {"widgets": {}}, "nbformat": 4})


def sources(path: Path) -> list[str]:
    """What a notebook's cells hold."""
    return [cell["source"] for cell in json.loads(path.read_text())["cells"]]


class Folders:
    """Lessons, and a student's copy of them."""

    def __init__(self, folder: Path) -> None:
        self.source, self.copy = folder / "notebooks", folder / "deep" / "my-lessons"
        (self.source / "pictures").mkdir(parents=True)
        (self.source / "pictures" / "x.png").write_bytes(b"png")
        self.lesson("old")
        self.update()

    def lesson(self, *cells: str, outputs: tuple[str, ...] = ("the answer",)) -> None:
        """Write the repository's lesson."""
        (self.source / NAME).write_text(notebook(*cells, outputs=outputs))

    def student(self, *cells: str, outputs: tuple[str, ...] = ()) -> None:
        """Save the student's lesson."""
        (self.copy / NAME).write_text(notebook(*cells, outputs=outputs))

    def update(self) -> dict[str, list[str]]:
        """Run the command; returns what it did, without what it did not."""
        return {key: names for key, names in copy_lessons(self.source, self.copy).items() if names}

    def beside(self) -> list[Path]:
        """The newer lessons that were laid beside."""
        return sorted(self.copy.glob("03_x.new-*.ipynb"))


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    """A repository with one lesson, copied once."""
    return Folders(tmp_path)


def test_a_copy_has_no_results_and_brings_pictures(folders: Folders) -> None:
    text = (folders.copy / NAME).read_text()
    assert sources(folders.copy / NAME) == ["old"]
    assert "the answer" not in text and "widgets" not in text and "7" not in text
    assert (folders.copy / "pictures" / "x.png").read_bytes() == b"png"
    assert folders.update() == {}


def test_hidden_files_and_check_points_stay_behind(folders: Folders) -> None:
    (folders.source / ".ipynb_checkpoints").mkdir()
    (folders.source / ".ipynb_checkpoints" / NAME).write_text(notebook("older"))
    (folders.source / "coursework").mkdir()
    (folders.source / "coursework" / NAME).write_text(notebook("task"))
    assert folders.update() == {"copied": [f"coursework/{NAME}"]}
    assert not (folders.copy / ".ipynb_checkpoints").exists()


def test_a_lesson_that_the_student_only_ran_is_renewed_when_it_changes(folders: Folders) -> None:
    folders.student("old", outputs=("mine",))
    folders.lesson("old", outputs=("another answer",))
    before = (folders.copy / NAME).read_bytes()
    assert folders.update() == {} and (folders.copy / NAME).read_bytes() == before
    folders.lesson("new")
    assert folders.update() == {"renewed": [NAME]}
    assert sources(folders.copy / NAME) == ["new"]


def test_what_a_student_changed_is_never_overwritten(folders: Folders) -> None:
    """A newer lesson is laid beside it once, without results, and stays away once it was deleted."""
    folders.student("old", "mine")
    assert folders.update() == {"kept": [NAME]}
    for number, lesson in enumerate(("new", "newer"), start=1):
        folders.lesson(lesson)
        (done,) = folders.update()["beside"]
        assert sources(folders.copy / done) == [lesson] and len(folders.beside()) == number
        assert "the answer" not in (folders.copy / done).read_text()
        assert folders.update() == {"kept": [NAME]}
    folders.beside()[0].unlink()
    assert folders.update() == {"kept": [NAME]} and len(folders.beside()) == 1
    assert sources(folders.copy / NAME) == ["old", "mine"]


def test_who_takes_over_the_newer_lesson_gets_the_next_one_in_its_place(folders: Folders) -> None:
    folders.student("mine")
    folders.lesson("new")
    folders.update()
    folders.beside()[0].replace(folders.copy / NAME)
    folders.lesson("newer")
    assert folders.update() == {"renewed": [NAME]} and folders.beside() == []


def test_who_renames_or_deletes_a_lesson_gets_a_fresh_one(folders: Folders) -> None:
    folders.student("mine")
    (folders.copy / NAME).rename(folders.copy / "mine.ipynb")
    assert folders.update() == {"copied": [NAME]}
    assert sources(folders.copy / "mine.ipynb") == ["mine"]


@pytest.mark.parametrize("record", [None, "{", "[1]", "{}"])
def test_without_the_record_all_that_differs_is_the_students(folders: Folders, record: str) -> None:
    (folders.copy / start.RECORD).unlink()
    if record:
        (folders.copy / start.RECORD).write_text(record)
    folders.student("mine")
    assert list(folders.update()) == ["beside"]
    assert sources(folders.copy / NAME) == ["mine"]
    assert folders.update() == {"kept": [NAME]}


def test_a_broken_notebook_of_the_student_stays(folders: Folders) -> None:
    (folders.copy / NAME).write_text("half a noteb")
    folders.lesson("new")
    assert list(folders.update()) == ["beside"]
    assert (folders.copy / NAME).read_text() == "half a noteb"


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", "[]", '{"cells": 1}', '{"cells": [1]}', "\xff"])
def test_a_broken_lesson_is_named_and_left_out(folders: Folders, text: str) -> None:
    (folders.source / NAME).write_bytes(text.encode("latin-1"))
    (folders.source / "04_y.ipynb").write_text(notebook("next"))
    done = folders.update()
    assert done == {"broken": [NAME], "copied": ["04_y.ipynb"]}
    assert sources(folders.copy / NAME) == ["old"]
    assert f"LEFT OUT, since the repository's own files are no notebooks: {NAME}" in report(
        done, folders.copy
    )


def test_an_interruption_leaves_whole_files(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders.lesson("new")
    with monkeypatch.context() as patch:
        patch.setattr(start.os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            folders.update()
    assert sources(folders.copy / NAME) == ["old"]
    assert folders.update() == {"renewed": [NAME]}
    assert [path.name for path in folders.copy.glob(".*")] == [start.RECORD]


def test_a_source_may_be_stored_as_lines() -> None:
    one = json.loads(notebook("a\nb"))
    one["cells"][0]["source"] = ["a\n", "b"]
    path = Path("x.ipynb")
    assert fingerprint(path, json.dumps(one).encode()) == fingerprint(
        path, notebook("a\nb").encode()
    )


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the real lessons, made by the command from another directory."""
    folder = tmp_path_factory.mktemp("student")
    command = [sys.executable, "-m", "marl_lessons", "--copy-only", "--into", "my lessons"]
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert all(lesson.file in done.stdout for lesson in ready_lessons()) and not done.stderr
    return folder / "my lessons"


def links(path: Path) -> list[str]:
    """Where the Markdown cells of a notebook lead, on the same server."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    found = (target.partition("#")[0] for target in LINK.findall(text))
    return [unquote(file) for file in found if file and not re.match(r"[a-z][a-z0-9+.-]*:", file)]


def test_every_link_of_a_copied_lesson_leads_somewhere_below_the_copy(copied: Path) -> None:
    seen = 0
    for path in copied.rglob("*.ipynb"):
        for link in links(path):
            place = (path.parent / link).resolve()
            assert place.is_relative_to(copied.resolve()) and place.exists(), (path.name, link)
            seen += 1
    assert seen > 10


def test_jupyterlab_shows_the_copy(copied: Path, tmp_path: Path) -> None:
    """The lab opens on the first lesson, which has no results there, and finds all that it links to."""
    first = ready_lessons()[0].file
    places = {f"JUPYTER_{name}_DIR": str(tmp_path) for name in ("CONFIG", "RUNTIME", "DATA")}
    command = [sys.executable, "-m", "marl_lessons", "--into", str(copied)]
    command += ["--no-browser", "--allow-root"]  # the second is one of JupyterLab's own
    settings = {**os.environ, **places, "JUPYTER_TOKEN": "t", "HOME": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        lab = subprocess.Popen(command, cwd=ROOT, env=settings, stdout=log, stderr=log)
    try:
        server = _running_server(lab, tmp_path)

        def get(path: str) -> bytes:
            headers = {"Authorization": "token t"}
            request = urllib.request.Request(f"{server['url']}{path}", headers=headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.read()

        assert Path(server["root_dir"]) == copied
        assert f"/lab/tree/{first}?token=" in (tmp_path / "log").read_text()
        assert b"jupyter-config-data" in get(f"lab/tree/{first}")
        cells = json.loads(get(f"api/contents/{first}"))["content"]["cells"]
        assert not any(cell.get("outputs") for cell in cells)
        for link in links(copied / first):
            assert get(f"api/contents/{link}?content=0")
    finally:
        lab.terminate()
        lab.wait(30)


def _running_server(lab: subprocess.Popen[bytes], folder: Path) -> dict[str, Any]:
    """What the server says about itself once it listens."""
    end = time.monotonic() + 120
    while lab.poll() is None and time.monotonic() < end:
        for file in folder.glob("jpserver-*.json"):
            if text := file.read_text():
                return json.loads(text)
        time.sleep(0.1)
    raise AssertionError((folder / "log").read_text()[-3000:])


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says when it ends without having done anything."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named_with_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        said = refusal(capsys, "--copy-only", "--into", str(place))
        assert f"cannot write the lessons to {place}" in said and "--into DIR" in said
    monkeypatch.setattr(
        start.os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError("no"))
    )
    assert "(no); choose" in refusal(capsys, "--copy-only", "--into", str(tmp_path / "read-only"))


def test_a_misspelt_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unknown: --out x" in refusal(capsys, "--copy-only", "--out", "x")


def test_the_lessons_themselves_are_no_place_for_a_copy(capsys: pytest.CaptureFixture[str]) -> None:
    for place in (ROOT / "notebooks", ROOT / "notebooks" / "mine"):
        assert "outside" in refusal(capsys, "--copy-only", "--into", str(place))


def test_without_a_clone_the_command_says_where_lessons_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(start, "ROOT", tmp_path)
    assert "clone the repository" in refusal(capsys, "--into", str(tmp_path / "x"))


REQUIREMENTS = (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_what_is_missing_is_seen_and_torch_may_be(tmp_path: Path) -> None:
    """In an empty environment all is missing but what has a condition: who left out torch is not asked again."""
    absent = missing(REQUIREMENTS, [str(tmp_path)])
    assert {"marl-lessons", "jupyterlab", "pytest-timeout"} <= set(absent) and "torch" not in absent
    (tmp_path / "Pytest_Timeout-1.dist-info").mkdir()
    (tmp_path / "Pytest_Timeout-1.dist-info" / "METADATA").write_text("Name: Pytest_Timeout\n")
    assert set(absent) - set(missing(REQUIREMENTS, [str(tmp_path)])) == {"pytest-timeout"}
    assert missing(REQUIREMENTS, sys.path) == []


@pytest.mark.parametrize("status", [0, 1])
def test_what_is_missing_is_installed_by_the_same_python(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    called: list[Any] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess:
        called.append((command, options["cwd"]))
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(start, "missing", lambda *_: ["jupyterlab"])
    monkeypatch.setattr(start.subprocess, "run", run)
    if status:
        with pytest.raises(SystemExit, match=r"README\.md, Start"):
            start.install_requirements()
    else:
        start.install_requirements()
    assert called == [([sys.executable, "-m", "pip", "install", "-r", "requirements.txt"], ROOT)]
    assert "Missing here: jupyterlab" in capsys.readouterr().out


def test_an_old_python_is_named_before_anything_else_fails() -> None:
    text = (ROOT / "marl_lessons" / "__main__.py").read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 4))
    ast.parse((ROOT / "marl_lessons" / "__init__.py").read_text(), feature_version=(3, 4))
    assert "f'" not in text and 'f"' not in text and text.isascii()
    script = "import runpy, sys; sys.version_info = (3, 10, 2); sys.version = '3.10.2 x'; " + (
        "runpy.run_module('marl_lessons', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("MARL Lessons needs Python 3.11 or newer; this is Python 3.10.2.")


def test_the_lowest_python_is_one_number_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    number = ".".join(map(str, LOWEST_PYTHON))
    assert project["requires-python"] == f">={number}"
    main_file = (ROOT / "marl_lessons" / "__main__.py").read_text(encoding="utf-8")
    assert f"sys.version_info < {LOWEST_PYTHON}" in main_file and f"Python {number} or" in main_file
    assert f"Python {number} or newer" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_copy_is_ignored_by_git() -> None:
    assert "/my-lessons/" in (ROOT / ".gitignore").read_text().splitlines()
