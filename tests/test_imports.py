"""Imports go one way, without circles, and keep torch where it belongs; modules stay short,
name their lessons and have their tests."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "marl_lessons"
ROOMS = [
    "envs",
    "solvers",
    "algorithms",
    "evaluation",
    "viz",
]  # each may import itself and those before it
LONGEST_MODULE = 450  # lines
# Only modules in these rooms import torch.
NAMED = re.compile(r"(All lessons|Lessons? \d\d(, \d\d)*( (and|to) \d\d)?)\.$")
TORCH_ROOMS = ("marl_lessons.algorithms.deep.", "marl_lessons.algorithms.talk.")


def module_name(path: Path, root: Path = ROOT) -> str:
    """``marl_lessons.envs`` for ``marl_lessons/envs/__init__.py``, and so on."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}


def imported(source: str, module: str, *, is_package: bool) -> set[str]:
    """Every name that a module imports, anywhere in it, in full; imports for type checkers aside.

    ``from a import b`` yields ``a`` and ``a.b``, since ``b`` may be a module.
    """
    names: set[str] = set()
    for node in _nodes_at_run_time(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = module.split(".")[: len(module.split(".")) - node.level + is_package]
                base = ".".join([*above, base] if base else above)
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def _nodes_at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a syntax tree except those under ``if TYPE_CHECKING:``."""
    yield tree
    guarded = isinstance(tree, ast.If) and "TYPE_CHECKING" in ast.unparse(tree.test)
    for child in tree.orelse if guarded else ast.iter_child_nodes(tree):
        yield from _nodes_at_run_time(child)


IMPORTED = {
    module: imported(
        path.read_text(encoding="utf-8"), module, is_package=path.name == "__init__.py"
    )
    for module, path in SOURCES.items()
}
# Which modules of the package each module imports.
GRAPH = {
    module: {name for name in names if name in SOURCES and name != module}
    for module, names in IMPORTED.items()
}


def room(module: str) -> str | None:
    """The room that a module lies in; None for what all rooms share, such as ``marl_lessons.seeds``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def wrong_way(graph: dict[str, set[str]]) -> list[str]:
    """Imports into a later room, and from shared modules into a room."""
    rank = {name: number for number, name in enumerate([None, *ROOMS])}
    problems = []
    for module, targets in graph.items():
        for target in targets:
            here, there = room(module), room(target)
            if rank[there] > rank[here]:
                problems.append(f"{module} imports {target}")
    return problems


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """The modules that ``start`` imports, directly or through others."""
    found: set[str] = set()
    waiting = list(graph[start])
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += graph[module]
    return found


def circles(graph: dict[str, set[str]]) -> list[str]:
    """The modules that import themselves through others."""
    return [module for module in graph if module in reachable(graph, module)]


def uses_torch(names: set[str]) -> bool:
    """Whether torch or a part of it is among imported names."""
    return any(name.split(".")[0] == "torch" for name in names)


def test_the_package_was_found() -> None:
    assert f"{PACKAGE}.solvers.planning" in SOURCES and len(SOURCES) > 10


def test_imports_go_one_way() -> None:
    assert wrong_way(GRAPH) == []


def test_there_are_no_circles() -> None:
    assert circles(GRAPH) == []


def test_torch_stays_in_its_rooms() -> None:
    outside = [module for module in SOURCES if not module.startswith(TORCH_ROOMS)]
    assert [module for module in outside if uses_torch(IMPORTED[module])] == []


def test_what_a_room_exports_needs_no_torch() -> None:
    """Lessons without networks import from the floors themselves, such as ``marl_lessons.envs``."""
    with_torch = {module for module in SOURCES if uses_torch(IMPORTED[module])}
    floors = [f"{PACKAGE}.{room}" for room in ROOMS]
    assert [floor for floor in floors if reachable(GRAPH, floor) & with_torch] == []


@pytest.mark.parametrize("module", SOURCES)
def test_modules_stay_short(module: str) -> None:
    lines = len(SOURCES[module].read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_MODULE, f"{module} has {lines} lines: it holds more than one idea"


def test_each_module_names_the_lessons_that_show_it() -> None:
    """At the end of its first line: "Lesson 05.", "Lessons 05, 06 and 09." or "All lessons."."""
    silent = [
        module
        for module, path in SOURCES.items()
        if room(module) and path.name != "__init__.py" and not NAMED.search(_first_line(path))
    ]
    assert silent == []


def _first_line(path: Path) -> str:
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


def test_each_module_has_its_test_file() -> None:
    tests = {path.relative_to(ROOT / "tests" / "unit") for path in ROOT.glob("tests/unit/**/*.py")}
    expected = {
        module: path.relative_to(ROOT / PACKAGE).with_name(f"test_{path.name}")
        for module, path in SOURCES.items()
        if not path.name.startswith("__")
    }
    assert {module: str(file) for module, file in expected.items() if file not in tests} == {}


def test_importing_the_package_is_light() -> None:
    heavy = "torch", "matplotlib", "numpy"
    code = f"import sys, marl_lessons; print([name for name in {heavy} if name in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert loaded.stdout == "[]\n"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b as c", {"a.b"}),
        ("from a import b, c", {"a", "a.b", "a.c"}),
        ("def f():\n    from . import x", {"marl_lessons.envs", "marl_lessons.envs.x"}),
        ("from ..viz import y", {"marl_lessons.viz", "marl_lessons.viz.y"}),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\nelse:\n    import b",
            {"b"},
        ),
    ],
)
def test_imports_are_read_wherever_they_stand(source: str, expected: set[str]) -> None:
    found = imported(source, "marl_lessons.envs.game", is_package=False)
    assert found - {"typing", "typing.TYPE_CHECKING"} == expected
    assert imported("from .game import z", "marl_lessons.envs", is_package=True) == {
        "marl_lessons.envs.game",
        "marl_lessons.envs.game.z",
    }


@pytest.mark.parametrize(
    ("importer", "target", "allowed"),
    [
        ("envs.a", "envs.b", True),
        ("viz.a", "envs.b", True),
        ("viz.a", "seeds", True),
        ("envs.a", "solvers.b", False),
        ("evaluation.a", "viz.b", False),
        ("seeds", "envs.a", False),
    ],
)
def test_the_way_of_an_import_is_judged_by_rooms(importer: str, target: str, allowed: bool) -> None:
    graph = {f"{PACKAGE}.{importer}": {f"{PACKAGE}.{target}"}}
    assert (wrong_way(graph) == []) == allowed


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
