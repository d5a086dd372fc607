"""The browser tests themselves, on notebooks made for it: sound ones pass, each kind of flaw is reported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from exercise import exercise_all
from lab import LabServer, serve_copy
from page import find_chromium, open_notebook

SET_UP = """
import ipywidgets as widgets
from marl_lessons.viz.widgets import Animation, Interactive, choice, slider
from marl_lessons.viz.style import new_figure

def line(slope, colour="black"):
    figure, (axes,) = new_figure(size=(3, 2))
    axes.plot([0, 1], [0, slope], color=colour)
    axes.set_ylim(0, 10)
    return figure

def question(answer):
    radio = widgets.RadioButtons(options=["yes", "no"], value=None).add_class("predict-options")
    comment = widgets.HTML()
    radio.observe(lambda change: setattr(comment, "value", answer), "value")
    return widgets.VBox([radio, comment])
"""

SOUND = """
Interactive(
    line,
    "A straight line.",
    slope=slider("steepness", range(5), 2),
    colour=choice("colour", ["black", "red", "blue"]),
)
"""

FAILS_AT_ONE_END = """
def fails(slope):
    if slope == 4:
        raise ValueError("too steep <b>")
    return line(slope)

Interactive(fails, "A straight line.", slope=slider("fails at the right end", range(5)))
"""

NEVER_CHANGES = """
Interactive(
    lambda slope, colour: line(3),
    "A straight line.",
    slope=slider("idle slider", range(5)),
    colour=choice("idle list", ["a", "b"]),
)
"""

ANSWERED = """question('<div role="status">Yes. Here is why it is right.</div>')"""
SILENT = "question('')"
QUIZ = 'from marl_lessons.viz import predict\npredict("01.q1")'  # its options are long

PLAYS = """
Animation([line(slope) for slope in range(4)], "A line that rises.", frames_per_second=2)
"""
STUCK = """
from IPython.display import HTML
HTML(Animation([line(slope) for slope in range(4)], "A line that rises.")._repr_mimebundle_()[0]["text/html"]
    .replace("<script>", "<pre hidden>").replace("</script>", "</pre>")
    .replace("display:none", "display:block").replace('data-film="', 'data-film="stuck-'))
"""

# Controls that are wider than the cell they stand in.
CUT_OFF = """() => [...document.querySelectorAll('.widget-inline-hbox, .marl-controls')].filter(e =>
  e.getBoundingClientRect().right > e.closest('.jp-OutputArea-output').getBoundingClientRect().right + 1)
  .map(e => e.textContent)"""


def notebook(folder: Path, name: str, *cells: str) -> Path:
    """Write a notebook of code cells."""
    content = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in cells]
    )
    content.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    nbformat.write(content, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


@pytest.mark.parametrize("width", [360, 400, 1366])
def test_sound_controls_pass(tmp_path: Path, server: LabServer, browser: Any, width: int):
    sound = notebook(tmp_path, "sound", SET_UP, SOUND, ANSWERED, QUIZ, PLAYS, PLAYS)
    name = serve_copy(server, sound)
    with open_notebook(browser, server, name, width=width) as opened:
        assert opened.run_all() == []
        faults = exercise_all(opened)
        cut = opened.page.evaluate(CUT_OFF)
    assert not faults, "\n".join(faults)
    assert not cut, f"these stand out of their cell: {cut}"


WIDE = """
from marl_lessons.viz.style import Picture

def three(slope=1):
    figure, axes = new_figure(1, 3, size=(8.4, 3))
    for ax in axes:
        ax.plot([0, slope], label="a line")
        ax.set(title="A title", xlabel="step", ylim=(0, 10))
        ax.text(0.1, 8, "small type", fontsize=8)
    return figure
"""
SHOWN = (
    "Picture(three(), 'Three lines.')",
    "Animation([three(slope) for slope in range(4)], 'Three lines that rise.')",
    "Interactive(three, 'Three lines.', slope=slider('steepness', range(5), 2))",
)
# Of every wide picture: its width, and how far what holds it and the whole cell can be scrolled sideways.
MEASURED = """() => [...document.querySelectorAll('.jp-OutputArea-output img')].map(e => {
  const room = e.parentElement, output = e.closest('.jp-OutputArea-output');
  return {width: e.getBoundingClientRect().width, natural: e.naturalWidth, room: room.clientWidth,
    scrolls: room.scrollWidth - room.clientWidth, focusable: room.tabIndex === 0,
    cell: output.scrollWidth - output.clientWidth, output: output.clientWidth};
})"""


@pytest.mark.parametrize("width", [400, 1366])
def test_type_in_a_picture_never_shrinks_below_what_can_be_read(
    tmp_path: Path, server: LabServer, browser: Any, width: int
):
    name = serve_copy(server, notebook(tmp_path, "wide", SET_UP, WIDE, *SHOWN))
    with open_notebook(browser, server, name, width=width) as opened:
        assert opened.run_all() == []
        faults = exercise_all(opened)
        pictures = opened.page.evaluate(MEASURED)
    assert not faults, "\n".join(faults)
    assert len(pictures) == len(SHOWN)
    for picture in pictures:
        # 8 pt of a picture 8.4 inches wide.
        assert picture["width"] / 8.4 * 8 / 72 >= 8.99
        assert picture["focusable"] and picture["cell"] <= 1
        assert (picture["scrolls"] > 0) == (width == 400)
        assert width == 400 or picture["width"] >= min(picture["natural"], picture["room"]) - 1


def test_every_flaw_of_a_control_is_reported(
    tmp_path: Path, server: LabServer, browser: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("exercise.FRAME_SECONDS", 2.0)  # the only film here stands still
    cells = (SET_UP, FAILS_AT_ONE_END, NEVER_CHANGES, SILENT, STUCK, SOUND)
    flawed = notebook(tmp_path, "flawed", *cells)
    with open_notebook(browser, server, serve_copy(server, flawed)) as opened:
        assert opened.run_all() == []
        faults = exercise_all(opened)
    expected = (
        r"cell 1, 'fails at the right end', after End, at 4: an error message .*ValueError: too steep <b>",
        r"cell 1, 'fails at the right end', after the mouse dragged it to the right: an error message",
        r"cell 2, 'idle slider': the picture is the same at every setting",
        r"cell 2, 'idle list': the picture is the same at every setting",
        r"cell 3, a question: no comment of role status follows answer 0",
        r"cell 3, a question: no comment of role status follows answer 1",
        r"cell 4, an animation: does not move on after Play",
        r"cell 4, an animation: the frame stays the same after End on its slider",
        r"cell 4, an animation: the frame stays the same after (Home|ArrowRight|ArrowLeft|a tap) on its slider",
    )
    for pattern in expected:
        assert [fault for fault in faults if re.match(pattern, fault)], f"{pattern} not in {faults}"
    assert not [
        fault for fault in faults if not any(re.match(pattern, fault) for pattern in expected)
    ]


OUTSIDE = """
from IPython.display import HTML, Javascript
HTML('<img alt="" src="https://example.org/a.png">')
"""
COMPLAINS = """
Javascript('console.error("a script complains"); setTimeout(() => { throw new Error("too late") })')
"""
PALE = """HTML('<p style="color: #ccc; background: #fff">pale</p>')"""
UNNAMED = """HTML('<img src="data:image/svg+xml,<svg xmlns=%22http://www.w3.org/2000/svg%22/>">')"""


def test_every_flaw_of_a_page_is_reported(tmp_path: Path, server: LabServer, browser: Any):
    flawed = notebook(tmp_path, "page", OUTSIDE, COMPLAINS, PALE, UNNAMED)
    with open_notebook(browser, server, serve_copy(server, flawed)) as opened:
        assert opened.run_all() == []
        faults = exercise_all(opened)
    for text in (
        "asked for https://example.org/a.png",
        "console error: a script complains",
        "page error: too late",
        "accessibility: color-contrast",
        "accessibility: cell 3: a picture without alternative text",
    ):
        assert [fault for fault in faults if text in fault], f"{text} not in {faults}"


def test_a_cell_that_raises_is_reported(tmp_path: Path, server: LabServer, browser: Any):
    flawed = notebook(tmp_path, "raises", "1 / 0", "'never reached'")
    with open_notebook(browser, server, serve_copy(server, flawed)) as opened:
        assert opened.run_all() == ["cell 0 raised ZeroDivisionError: division by zero"]


def test_a_cell_that_takes_too_long_is_reported(tmp_path: Path, server: LabServer, browser: Any):
    flawed = notebook(tmp_path, "slow", "1", "import time; time.sleep(600)")
    with open_notebook(browser, server, serve_copy(server, flawed)) as opened:
        assert opened.run_all(seconds=15) == ["cell 1 had not finished after 15 s"]


def test_the_stored_notebook_is_left_alone(tmp_path: Path, server: LabServer):
    stored = notebook(tmp_path, "stored", "1")
    content = nbformat.read(stored, as_version=4)
    content.cells[0].update(
        execution_count=7, outputs=[nbformat.v4.new_output("stream", text="old")]
    )
    nbformat.write(content, stored)
    before = stored.read_bytes()
    copy = nbformat.read(server.folder / serve_copy(server, stored), as_version=4)
    assert copy.cells[0].outputs == [] and copy.cells[0].execution_count is None
    assert stored.read_bytes() == before


def test_no_browser_is_found_on_an_empty_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_chromium() is None
