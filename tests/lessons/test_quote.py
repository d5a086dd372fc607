"""`tools quote`: cells that show package functions equal them, and are rewritten from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_checkout import checkout, write
from nbformat.v4 import new_output

from tools.__main__ import main
from tools.checkout import AuthoringError
from tools.notebook_files import read_notebook, write_notebook
from tools.quote import cell_problems, package_text

TWICE = """\
@functools.lru_cache
def twice(x: int) -> int:
    # doubled, not squared
    def inner(y: int) -> int:
        return 2 * y

    return inner(x)  # the result"""
CAR = """\
@dataclass(frozen=True)
class Car:
    speed: float = 1.0  # cells a step

    def stop(self) -> float:
        return 0.0"""
NAME = "# marl_lessons.solvers.toy"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A made-up checkout."""
    return checkout(tmp_path)


def test_text_comes_with_decorators_and_comments_without_docstrings(root: Path) -> None:
    assert package_text(root, "marl_lessons.solvers.toy.twice") == TWICE
    assert package_text(root, "marl_lessons.solvers.toy.Car") == CAR
    assert "docstring" in package_text(
        root, "marl_lessons.solvers.toy.Crash"
    )  # a body needs a statement
    assert (
        package_text(root, "marl_lessons.solvers.toy.Car.stop")
        == "def stop(self) -> float:\n    return 0.0"
    )


@pytest.mark.parametrize(
    "source",
    [
        f"{NAME}.twice\n{TWICE}",
        f"{NAME}.twice\n{TWICE}\n\n\n{NAME}.Car\n{CAR}\n",
        f"{NAME}.twice\n{TWICE.replace('# doubled, not squared', '# a remark')}",
        f"{NAME}.twice\n{TWICE.replace('return 2 * y', 'return (2 * y)')}",
        "x = 1  # marl_lessons.solvers.toy.twice",
        "# marl_lessons is the package\nx = 1",
    ],
)
def test_equal_quotes_and_other_cells_pass(root: Path, source: str) -> None:
    assert cell_problems(root, source) == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (f"{NAME}.twice\n{TWICE.replace('2 * y', '3 * y')}", "+        return 2 * y"),
        (f"{NAME}.twice\n{TWICE.replace('@functools.lru_cache', '@functools.cache')}", "differs"),
        (f"{NAME}.twice\n{TWICE}\ntwice(2)", "differs"),
        (f"{NAME}.twice\n", "differs"),
        (f"{NAME}.twice\ndef twice(", "differs"),
        (f"{NAME}.Car\n{CAR.replace('1.0', '2.0')}", "differs"),
        (f"{NAME}.thrice\n{TWICE}", "toy.py does not define thrice"),
        (f"# marl_lessons.nowhere.twice\n{TWICE}", "does not define nowhere.twice"),
        (f"x = 1\n{NAME}.twice\n{TWICE}", "must be the first line"),
    ],
)
def test_differences_are_found(root: Path, source: str, problem: str) -> None:
    [found] = cell_problems(root, source)
    assert problem in found


def test_quote_rewrites_then_finds_nothing_more(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = f"{NAME}.twice\ndef twice(x): return 3\n{NAME}.Car\n"
    path = write(
        root / "notebooks" / "03_x.ipynb", ("code", stale), ("code", "print(1)"), ("markdown", NAME)
    )
    notebook = read_notebook(path)
    for cell in notebook.cells[:2]:
        cell.outputs = [new_output("stream", name="stdout", text="1\n")]
    write_notebook(notebook, path)

    assert main(["quote", "--check", str(path)]) == 1
    said = capsys.readouterr().out
    assert "03_x.ipynb, cell 0 'cell-0'" in said and "2 differences." in said
    assert main(["quote", str(path)]) == 0
    assert main(["quote", "--check", str(path)]) == 0

    cells = read_notebook(path).cells
    assert cells[0].source == f"{NAME}.twice\n{TWICE}\n\n\n{NAME}.Car\n{CAR}"
    assert cells[0].outputs == [] and len(cells[1].outputs) == 1
    before = path.read_bytes()
    assert main(["quote", str(path)]) == 0
    assert path.read_bytes() == before


def test_a_name_that_does_not_exist_leaves_the_file_as_it_was(root: Path) -> None:
    path = write(
        root / "notebooks" / "03_x.ipynb", ("code", f"{NAME}.twice\n"), ("code", f"{NAME}.thrice\n")
    )
    before = path.read_bytes()
    assert main(["quote", str(path)]) == 1
    assert path.read_bytes() == before
    with pytest.raises(AuthoringError, match="does not define thrice"):
        package_text(root, "marl_lessons.solvers.toy.thrice")
