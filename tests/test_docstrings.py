"""Every public module, class, function and method says what it is for."""

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


def name_of(path: Path) -> str:
    """A module's path from the repository's root, for test names."""
    return path.relative_to(ROOT).as_posix()


def test_the_package_was_found() -> None:
    assert len(SOURCES) > 10


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    assert undocumented(path.read_text(encoding="utf-8")) == []


EXAMPLE = '''
class Car:
    def stop(self):
        """Stop."""
    def _hidden(self):
        pass
def drive(x):
    pass
def park(x):
    """Park."""
'''


def test_missing_docstrings_are_found() -> None:
    assert undocumented(EXAMPLE) == ["the module", "Car", "drive"]
    assert undocumented('"""A module."""\nx = 1\ndef _f(): pass') == []
