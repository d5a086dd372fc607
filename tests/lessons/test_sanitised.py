"""A viewer that cleans HTML shows every picture with its description, and every answer as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from lesson_file import ROOT
from nbconvert import HTMLExporter
from traitlets.config import Config

from tools.checkout import lessons
from tools.execute import run_notebook
from tools.notebook_files import read_notebook

CELLS = (
    """from marl_lessons.viz import Animation, Interactive, Picture, new_figure, predict, slider

def line(slope):
    figure, (axes,) = new_figure(size=(3, 2))
    axes.plot([0, slope])
    return figure""",
    """Picture(line(1), "A line & the car's slope < 2.")""",
    'Animation([line(slope) for slope in range(3)], "A line that rises.")',
    'Interactive(line, "A line of your choice.", slope=slider("slope", range(3)))',
    'predict("00.first")',
)


def check(notebook: Any) -> None:
    """Export with and without the template that knows of alternative texts; look for pictures and answers."""
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", []) if "data" in out]
    pictures = [out for out in outputs if "image/png" in out.data]
    for template in ("lab", "classic"):
        config = Config({"HTMLExporter": {"sanitize_html": True, "template_name": template}})
        page, _ = HTMLExporter(config=config).from_notebook_node(notebook)
        described = {image.get("alt") for image in BeautifulSoup(page, "html.parser").select("img")}
        for out in pictures:
            assert out.data["image/png"].replace("\n", "") in page.replace("\n", "")
            assert out.metadata["image/png"]["alt"] == out.data["text/plain"]
            if template == "classic":
                assert out.data["text/plain"] in described
        assert page.count('src="data:image/png;base64,') >= len(pictures)
        for out in outputs:
            if "text/html" in out.data:
                assert str(BeautifulSoup(out.data["text/html"], "html.parser")) in page


def test_everything_shows_without_html() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in CELLS])
    run = run_notebook(notebook, Path(__file__).parent)
    assert run.problem is None
    check(run.notebook)
    kinds = [set(cell.outputs[0].data) for cell in run.notebook.cells[1:]]
    assert kinds == [{"image/png", "text/plain"}] * 3 + [{"text/html", "text/plain"}]


@pytest.mark.parametrize("path", lessons(ROOT), ids=lambda path: path.stem)
def test_stored_lessons_show_everything_without_html(path: Path) -> None:
    check(read_notebook(path))
