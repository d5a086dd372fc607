"""Every public module, class, function and method says what it is for, and which errors it raises itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted((ROOT / "marl_lessons").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef | ast.Module


def public(tree: ast.Module) -> Iterator[tuple[str, Documented, ast.ClassDef | None]]:
    """Name, node and enclosing class of a module, its public classes, functions and methods."""
    yield "the module", tree, None
    yield from _inside(tree.body, "", None)


def _inside(body: list[ast.stmt], prefix: str, owner: ast.ClassDef | None) -> Iterator:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node, owner
            if isinstance(node, ast.ClassDef):
                yield from _inside(node.body, f"{prefix}{node.name}.", node)
        elif isinstance(node, Function) and owner and node.name in ("__init__", "__post_init__"):
            yield f"{prefix}{node.name}", node, owner


def undocumented(source: str) -> list[str]:
    """The public names of a module without docstring; constructors are documented by their class."""
    found = public(ast.parse(source))
    return [
        name for name, node, _ in found if not name.endswith("__") and not ast.get_docstring(node)
    ]


def silent_about_errors(source: str) -> list[str]:
    """The public functions that raise ValueError while neither their docstring nor their class's says so."""
    problems = []
    for name, node, owner in public(ast.parse(source)):
        if isinstance(node, Function) and _raises_value_error(node):
            said = (ast.get_docstring(node) or "") + (
                ast.get_docstring(owner) or "" if owner else ""
            )
            if "Raises" not in said and "ValueError" not in said:
                problems.append(name)
    return problems


def _raises_value_error(function: Function) -> bool:
    """Whether a function's own body, not that of functions inside it, holds ``raise ValueError``."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if isinstance(error, ast.Name) and error.id == "ValueError":
                return True
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)
    return False


def name_of(path: Path) -> str:
    """A module's path from the repository's root, for test names."""
    return path.relative_to(ROOT).as_posix()


def test_the_package_was_found() -> None:
    assert len(SOURCES) > 10


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    assert undocumented(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_raised_value_errors_are_documented(path: Path) -> None:
    assert silent_about_errors(path.read_text(encoding="utf-8")) == []


EXAMPLE = '''
class Car:
    def __post_init__(self):
        if self.speed < 0:
            raise ValueError("speed")
    def stop(self):
        """Stop. Raises ValueError when it stands."""
        raise ValueError
    def _hidden(self):
        raise ValueError
def drive(x):
    def check():
        raise ValueError
def park(x):
    """Park."""
    if x:
        raise ValueError(f"x is {x}")
def wait():
    """Wait."""
    raise TypeError
'''


def test_missing_docstrings_are_found() -> None:
    assert undocumented(EXAMPLE) == ["the module", "Car", "drive"]
    assert undocumented('"""A module."""\nx = 1\ndef _f(): pass') == []


def test_silent_errors_are_found() -> None:
    assert silent_about_errors(EXAMPLE) == ["Car.__post_init__", "park"]
    documented = EXAMPLE.replace(
        "class Car:\n", 'class Car:\n    """A car. Raises ValueError if too slow."""\n'
    )
    assert silent_about_errors(documented) == ["park"]
