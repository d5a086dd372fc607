"""Where things lie in a checkout: its root, its one address, its lessons.

The commands read and rewrite files of the repository, so they work on a checkout, not on an installed
package.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from types import ModuleType

PACKAGE = "marl_lessons"
LESSON_NAME = re.compile(r"\d\d_\w+\.ipynb")


class AuthoringError(Exception):
    """Something the author can put right; the message says how."""


def need(module: str) -> ModuleType:
    """Import a library that only the authoring commands use.

    Raises:
        AuthoringError: if it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        raise AuthoringError(
            f"This command needs {missing.name}, which is not installed. "
            "From the repository's root run: python -m pip install -r requirements.txt"
        ) from missing


def find_root(start: Path | None = None) -> Path:
    """The checkout that holds ``start`` (a file or folder; default: the current directory).

    Raises:
        AuthoringError: if no folder above holds both ``pyproject.toml`` and the package.
    """
    place = (start or Path.cwd()).resolve()
    for folder in [place, *place.parents]:
        if (folder / "pyproject.toml").is_file() and (folder / PACKAGE / "__init__.py").is_file():
            return folder
    raise AuthoringError(
        f"{place} is not inside a checkout of the repository (a folder with pyproject.toml and {PACKAGE}/). "
        "Clone the repository, or give the path of a notebook in it."
    )


def repository_address(root: Path) -> str:
    """The address in ``[project.urls] Repository`` of ``pyproject.toml``.

    Raises:
        AuthoringError: if the entry is missing.
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8")).get(
        "project", {}
    )
    address = project.get("urls", {}).get("Repository")
    if not address:
        raise AuthoringError(
            f'{root / "pyproject.toml"} has no [project.urls] Repository = "https://github.com/…"'
        )
    return address


def lessons(root: Path) -> list[Path]:
    """The lessons of a checkout, ``notebooks/NN_name.ipynb``, in order."""
    return sorted(
        path for path in (root / "notebooks").glob("*.ipynb") if LESSON_NAME.fullmatch(path.name)
    )


def all_notebooks(root: Path) -> list[Path]:
    """Every notebook below ``notebooks/``, coursework included, editors' backup copies aside."""
    found = (root / "notebooks").rglob("*.ipynb")
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def chosen_notebooks(names: list[str]) -> list[Path]:
    """The notebooks named on the command line, or every one in ``notebooks/`` if none is named.

    Raises:
        AuthoringError: if a named file is missing or no notebook.
    """
    if not names:
        return sorted((find_root() / "notebooks").glob("*.ipynb"))
    paths = [Path(name) for name in names]
    for path in paths:
        if path.suffix != ".ipynb" or not path.is_file():
            raise AuthoringError(f"{path} is not an existing .ipynb file.")
    return paths
