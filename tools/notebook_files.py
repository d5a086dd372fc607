"""Reading and writing notebook files so that git sees no difference where nothing changed.

One reader and one writer for all commands: sorted keys, one space of indent, a final newline, stable cell
ids, and a file that is replaced in one step or not at all.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from tools.checkout import AuthoringError, need

VALID_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_notebook(path: Path) -> Any:
    """Read a notebook (format 4) as nbformat's ``NotebookNode``; cells without a proper id get a readable
    one.

    Raises:
        AuthoringError: if the file is no notebook of format 4.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version, cells = content["nbformat"], content["cells"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise AuthoringError(f"{path} is not a Jupyter notebook of format 4: {error}") from error
    if version != 4:
        raise AuthoringError(
            f"{path} has notebook format {version}; open and save it in JupyterLab to get format 4."
        )
    for cell in cells:
        cell["source"] = "".join(cell["source"])
    give_ids(cells)
    content["nbformat_minor"] = 5
    return need("nbformat").reads(json.dumps(content), as_version=4)


def notebook_text(notebook: Any) -> str:
    """The file content of a notebook: the same notebook always gives the same bytes."""
    nbformat = need("nbformat")
    nbformat.validate(notebook)
    return (
        nbformat.writes(notebook, version=nbformat.NO_CONVERT, ensure_ascii=False).rstrip("\n")
        + "\n"
    )


def write_notebook(notebook: Any, path: Path) -> bool:
    """Write a notebook if its content differs from the file's; returns whether it did."""
    return write_text(notebook_text(notebook), path)


def write_text(text: str, path: Path) -> bool:
    """Replace a file in one step if its content differs; returns whether it did."""
    new = text.encode("utf-8")
    if path.exists() and path.read_bytes() == new:
        return False
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(new)
        os.chmod(draft, mode)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return True


def give_ids(cells: list[Any]) -> None:
    """Give each cell whose id is missing, malformed or taken a readable one, made from its first line."""
    taken: set[str] = set()
    unnamed = []
    for cell in cells:
        name = cell.get("id")
        if isinstance(name, str) and VALID_ID.fullmatch(name) and name not in taken:
            taken.add(name)
        else:
            unnamed.append(cell)
    for cell in unnamed:
        cell["id"] = _fresh(_readable(cell["source"], cell["cell_type"]), taken)
        taken.add(cell["id"])


def _readable(source: str, kind: str) -> str:
    """A slug of the first line that has letters: ``## The puzzle`` gives ``the-puzzle``."""
    for line in source.splitlines():
        words = re.findall(r"[a-z0-9]+", line.lower())
        slug = "-".join(words)[:40].strip("-")
        if re.search("[a-z]", slug):
            return slug
    return kind


def _fresh(name: str, taken: set[str]) -> str:
    """``name``, or ``name-2``, ``name-3``, … if it is taken."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate
