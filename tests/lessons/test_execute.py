"""`tools execute`: the same bytes on a second run, nothing of the moment in the file, no file written
after an error."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from lesson_file import joined
from made_up_checkout import write

from tools.__main__ import main
from tools.execute import kernel_usage, run_notebook
from tools.normalise import WIDGET_VIEW, normalise
from tools.notebook_files import give_ids, read_notebook

PRINTS = """\
import sys, time
print(1, flush=True); time.sleep(0.3); print(2)
print("careful", file=sys.stderr)"""
FIGURE = """\
import matplotlib.pyplot as plt
plt.plot([0, 1])
plt.show()"""
WIDGET = """\
import ipywidgets
from IPython.display import display
slider = ipywidgets.IntSlider()
display(slider)
view = {"version_major": 2, "version_minor": 0, "model_id": slider.model_id}
kind = "application/vnd.jupyter.widget-view+json"
display({kind: view, "image/png": "iVBORw0KGgo=", "text/plain": "A car."}, raw=True)"""
HUNGRY = """\
import time
room = bytearray(200_000_000)
end = time.process_time() + 1
while time.process_time() < end:
    pass"""
RESULT = """\
import os
(os.environ["OMP_NUM_THREADS"], os.path.basename(os.getcwd()))"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """The bytes of a notebook after one and after two executions."""
    path = tmp_path_factory.mktemp("lesson-folder") / "03_x.ipynb"
    write(
        path,
        ("markdown", "# 03 Größe"),
        *[("code", text) for text in (PRINTS, FIGURE, WIDGET, RESULT)],
    )
    messy = json.loads(path.read_text())
    messy["metadata"] = {
        "widgets": {},
        "language_info": {"name": "python", "version": "0"},
        "title": "kept",
    }
    messy["cells"][1]["metadata"] = {"execution": {"iopub.status.busy": "now"}, "tags": ["kept"]}
    del messy["cells"][0]["id"]
    messy["cells"][2]["id"] = messy["cells"][1]["id"]
    path.write_text(json.dumps(messy))
    assert main(["execute", str(path)]) == 0
    once = path.read_bytes()
    assert main(["execute", str(path)]) == 0
    return once, path.read_bytes()


def outputs(executed: tuple[bytes, bytes], cell: int) -> list[dict[str, Any]]:
    """The stored outputs of a cell."""
    return json.loads(executed[0])["cells"][cell]["outputs"]


def test_a_second_execution_leaves_the_same_bytes(executed: tuple[bytes, bytes]) -> None:
    assert executed[0] == executed[1]


def test_the_file_has_one_form(executed: tuple[bytes, bytes]) -> None:
    text = executed[0].decode()
    assert text.endswith("}\n") and text.startswith('{\n "cells": [') and "Größe" in text
    notebook = json.loads(text)
    assert list(notebook) == sorted(notebook)
    assert notebook["metadata"]["language_info"] == {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    }
    assert notebook["metadata"]["title"] == "kept" and "widgets" not in notebook["metadata"]
    assert [cell["id"] for cell in notebook["cells"]] == [
        "03-gr-e",
        "cell-1",
        "import-matplotlib-pyplot-as-plt",
        "cell-3",
        "cell-4",
    ]
    assert notebook["cells"][1]["metadata"] == {"tags": ["kept"]}
    assert [cell.get("execution_count") for cell in notebook["cells"]] == [None, 1, 2, 3, 4]


def test_printed_text_is_in_one_piece(executed: tuple[bytes, bytes]) -> None:
    streams = [(one["name"], joined(one["text"])) for one in outputs(executed, 1)]
    assert streams == [("stdout", "1\n2\n"), ("stderr", "careful\n")]


def test_figures_stay_and_widget_views_go(executed: tuple[bytes, bytes]) -> None:
    assert "image/png" in outputs(executed, 2)[-1]["data"]
    slider, bundle = outputs(executed, 3)
    assert set(slider["data"]) == {"text/plain"} and set(bundle["data"]) == {
        "image/png",
        "text/plain",
    }
    assert not any(WIDGET_VIEW in one["data"] for one in (slider, bundle))


def test_the_kernel_runs_in_the_notebooks_folder_with_one_thread(
    executed: tuple[bytes, bytes],
) -> None:
    [result] = outputs(executed, 4)
    assert result["execution_count"] == 4
    thread, folder = eval(joined(result["data"]["text/plain"]))
    assert thread == "1" and folder.startswith("lesson-folder")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("1 / 0", "raised ZeroDivisionError"),
        ("import os; os._exit(3)", "the kernel died"),
        ("import time; time.sleep(600)", "longer than 5 s"),
    ],
)
def test_a_failing_cell_leaves_the_file_as_it_was(
    tmp_path: Path, source: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "03_x.ipynb", ("code", "print('fine')"), ("code", source))
    before = path.read_bytes()
    assert main(["execute", "--cell-seconds", "5", str(path)]) == 1
    said = capsys.readouterr().out
    assert path.read_bytes() == before and problem in said and "cell 1 'cell-1'" in said
    assert [one.name for one in tmp_path.iterdir()] == ["03_x.ipynb"]


def test_cells_that_say_something_else_when_run_again_are_named(tmp_path: Path) -> None:
    cells = ("code", "n = 1"), ("code", "print(n)"), ("code", "n += 1; word = 'a'"), ("code", "1")
    path = write(tmp_path / "03_x.ipynb", *cells, ("code", "del word"))
    result = run_notebook(read_notebook(path), tmp_path, again=True)
    assert result.problem is None and len(result.changed) == 2
    assert (
        "NameError" in result.changed[0] and "cell 1 'cell-1' (print(n)) says" in result.changed[1]
    )


def test_the_tag_raises_exception_does_not_hide_an_error(tmp_path: Path) -> None:
    notebook = read_notebook(write(tmp_path / "03_x.ipynb", ("code", "1 / 0")))
    notebook.cells[0].metadata.tags = ["raises-exception"]
    assert "ZeroDivisionError" in (run_notebook(notebook, tmp_path).problem or "")
    assert notebook.cells[0].outputs == []  # a copy was run


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="CPU time and memory are read from /proc"
)
def test_a_run_measures_cpu_and_memory(tmp_path: Path) -> None:
    result = run_notebook(read_notebook(write(tmp_path / "03_x.ipynb", ("code", HUNGRY))), tmp_path)
    assert result.cpu_seconds is not None and result.cpu_seconds > 1.0
    assert result.peak_mb is not None and 200 < result.peak_mb < 400
    assert kernel_usage(None) == (None, None)


def test_normalising_twice_changes_nothing_more(tmp_path: Path) -> None:
    path = write(tmp_path / "03_x.ipynb", ("markdown", "# A"), ("code", "1"), ("code", " "))
    notebook = normalise(read_notebook(path))
    assert [cell.get("execution_count") for cell in notebook.cells] == [None, 1, None]
    again = json.dumps(notebook)
    assert json.dumps(normalise(notebook)) == again


def test_ids_are_readable_unique_and_kept() -> None:
    cells: list[dict[str, str]] = [
        {"id": "kept", "source": "a", "cell_type": "code"},
        {"id": "kept", "source": "## The puzzle", "cell_type": "markdown"},
        {"source": "## The puzzle", "cell_type": "markdown"},
        {"id": "not valid!", "source": "$$", "cell_type": "markdown"},
        {"id": "the-puzzle", "source": "", "cell_type": "code"},
    ]
    give_ids(cells)
    assert [cell["id"] for cell in cells] == [
        "kept",
        "the-puzzle-2",
        "the-puzzle-3",
        "markdown",
        "the-puzzle",
    ]


def test_what_is_no_notebook_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "03_x.ipynb"
    path.write_text("{}")
    assert main(["execute", str(path)]) == 1
    assert main(["execute", str(tmp_path / "missing.ipynb")]) == 1
    said = capsys.readouterr().err
    assert "not a Jupyter notebook" in said and "not an existing .ipynb" in said
