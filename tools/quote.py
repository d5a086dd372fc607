"""Keeps cells that show a package function equal to that function.

A quoting cell begins with a comment that names what it shows, such as
``# marl_lessons.solvers.planning.action_values``, and holds that definition alone; several definitions
each have their own comment. Docstrings are left out: the text around the cell explains. Syntax trees are
compared, so that line breaks and comments are free.
"""

from __future__ import annotations

import ast
import difflib
import re
import textwrap
from pathlib import Path
from typing import Any

from tools.checkout import PACKAGE, AuthoringError

NAME_LINE = re.compile(rf"# ({PACKAGE}(?:\.[A-Za-z_]\w*)+)\s*")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def split_quotes(source: str) -> list[tuple[str, str]]:
    """The (dotted name, code below it) pairs of a cell; empty if it quotes nothing.

    Raises:
        AuthoringError: if a name line stands below other code, where it would never be checked.
    """
    quotes: list[tuple[str, list[str]]] = []
    loose: list[str] = []
    for line in source.splitlines():
        if name := NAME_LINE.fullmatch(line):
            quotes.append((name[1], []))
        else:
            (quotes[-1][1] if quotes else loose).append(line)
    if quotes and any(line.strip() for line in loose):
        raise AuthoringError(f"the comment '# {quotes[0][0]}' must be the first line of its cell")
    return [(name, "\n".join(lines).strip("\n")) for name, lines in quotes]


def package_text(root: Path, name: str) -> str:
    """The source of a package function or class, comments included, docstrings left out.

    Raises:
        AuthoringError: if the package in ``root`` does not define ``name``.
    """
    source, node = _find(root, name)
    cut = {line for part in ast.walk(node) for line in _docstring_lines(part, source.splitlines())}
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    assert node.end_lineno is not None
    lines = source.splitlines()
    kept = [lines[number - 1] for number in range(first, node.end_lineno + 1) if number not in cut]
    return textwrap.dedent("\n".join(kept))


def _find(root: Path, name: str) -> tuple[str, Definition]:
    """Source of the module that defines ``name``, and the definition's syntax tree."""
    parts = name.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        stem = root.joinpath(*parts[:cut])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                source = path.read_text(encoding="utf-8")
                node = _descend(ast.parse(source), parts[cut:])
                if node is None:
                    raise AuthoringError(
                        f"{path.relative_to(root)} does not define {'.'.join(parts[cut:])}"
                    )
                return source, node
    raise AuthoringError(f"there is no module for {name} in {root / PACKAGE}")


def _descend(tree: ast.AST, names: list[str]) -> Definition | None:
    """The definition reached from ``tree`` by following ``names``, or None."""
    for name in names:
        inside = getattr(tree, "body", [])
        found = [node for node in inside if isinstance(node, Definition) and node.name == name]
        if not found:
            return None
        tree = found[-1]
    return tree if isinstance(tree, Definition) else None


def _docstring(node: ast.AST) -> ast.Expr | None:
    """The docstring statement of a definition that has more than a docstring."""
    if (
        isinstance(node, Definition)
        and len(node.body) > 1
        and ast.get_docstring(node, clean=False) is not None
    ):
        statement = node.body[0]
        return statement if isinstance(statement, ast.Expr) else None
    return None


def _docstring_lines(node: ast.AST, lines: list[str]) -> range:
    """Line numbers of a definition's docstring and of the blank lines below it."""
    statement = _docstring(node)
    if statement is None or statement.end_lineno is None:
        return range(0)
    last = statement.end_lineno
    beside = (
        lines[statement.lineno - 1][: statement.col_offset]
        + lines[last - 1][statement.end_col_offset :]
    )
    if beside.strip():  # a docstring that shares its line with code has to stay
        return range(0)
    while last < len(lines) and not lines[last].strip():
        last += 1
    return range(statement.lineno, last + 1)


def syntax_tree(code: str) -> str:
    """The syntax tree of code without docstrings, as text to compare."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if _docstring(node):
            node.body.pop(0)  # type: ignore[attr-defined]
    return ast.dump(tree)


def cell_problems(root: Path, source: str) -> list[str]:
    """What is wrong with the quotes of one cell, each with a diff from the cell to the package."""
    try:
        pairs = [(name, code, package_text(root, name)) for name, code in split_quotes(source)]
    except AuthoringError as error:
        return [str(error)]
    return [
        f"{name} differs from the package:\n{_diff(code, text)}"
        for name, code, text in pairs
        if _differ(code, text)
    ]


def _differ(code: str, text: str) -> bool:
    """Whether a quote and the package's text mean different things; code that does not parse always does."""
    try:
        return syntax_tree(code) != syntax_tree(text)
    except SyntaxError:
        return True


def _diff(code: str, text: str) -> str:
    lines = difflib.unified_diff(
        code.splitlines(), text.splitlines(), "notebook", "package", lineterm="", n=1
    )
    return textwrap.indent("\n".join(lines), "    ")


def notebook_problems(root: Path, notebook: Any) -> list[str]:
    """What is wrong with the quotes of a notebook, named by cell."""
    return [
        f"cell {index} '{cell.get('id')}': {problem}"
        for index, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code"
        for problem in cell_problems(root, "".join(cell["source"]))
    ]


def rewrite_notebook(root: Path, notebook: Any) -> list[str]:
    """Rewrite the quoting cells from the package, in place; returns the ids of the cells that changed.

    A changed cell loses its outputs, which no longer belong to it; everything else stays.

    Raises:
        AuthoringError: if a quoted name does not exist; the notebook is then unfit to be written.
    """
    changed = []
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code" or not (pairs := split_quotes(cell["source"])):
            continue
        source = "\n\n\n".join(f"# {name}\n{package_text(root, name)}" for name, _ in pairs)
        if source != cell["source"]:
            cell["source"], cell["outputs"] = source, []
            changed.append(cell["id"])
    return changed
