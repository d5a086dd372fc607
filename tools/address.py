"""Generates all that depends on where the repository lives and on the syllabus: badges, the bootstrap cell, links,
the README's table, lesson 00's, and what comes next.

The address stands once, in ``[project.urls] Repository`` of ``pyproject.toml``, the syllabus once, in
``marl_lessons/course.py``. This command carries both into the notebooks, the Markdown pages and ``CITATION.cff``, so
that one command points a fork's badges at the fork.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from marl_lessons.course import COURSE, Lesson, lessons_with
from tools.checkout import (
    AuthoringError,
    all_notebooks,
    lessons,
    need,
    repository_address,
)
from tools.notebook_files import notebook_text, read_notebook, write_text

GITHUB = re.compile(
    r"https://github\.com/([A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+)"
)
COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"
BADGE_TARGET = re.compile(
    r"(?:colab\.research\.google\.com/github|mybinder\.org/v2/gh)/([\w-]+/[\w.-]+)/(?:blob/)?main"
    r"(?:/|\?urlpath=lab/tree/)(?:notebooks|my-lessons)/"
)
HOSTS = r"(github\.com/|colab\.research\.google\.com/github/|mybinder\.org/v2/gh/|raw\.githubusercontent\.com/)"
REPOSITORY_ENTRY = re.compile(r'^(Repository\s*=\s*)"[^"\n]*"', re.MULTILINE)
TABLE_HEAD = "| lesson | question | minutes | open |"
# The table and the sentence below it, in the README; in lesson 00 they are a cell of this id, without the badges.
TABLE = re.compile(
    rf"^{re.escape(TABLE_HEAD)}\n(?:\|.*\n)*(?:\nNetworks are trained in .*\n)?", re.MULTILINE
)
TABLE_CELL = "the-course"
NEXT = re.compile(r"^Next: .*$", re.MULTILINE)
CITATION_ENTRY = re.compile(r'^(repository-code:\s*)"?([^"\n]*)"?', re.MULTILINE)

BOOTSTRAP = """\
import importlib.util
import sys

if importlib.util.find_spec("marl_lessons") is None:
    if "google.colab" not in sys.modules:
        raise ModuleNotFoundError(
            "marl_lessons is not installed. In a terminal, from the repository's root folder, run: "
            "python -m pip install -r requirements.txt   Then restart the kernel."
        )
    %pip install -q --no-deps pettingzoo mpe2 pygame-ce "git+ADDRESS"
    importlib.invalidate_caches()"""


def owner_and_name(address: str) -> str:
    """``OWNER/REPO`` of ``https://github.com/OWNER/REPO``.

    Raises:
        AuthoringError: if the address has any other form.
    """
    match = GITHUB.fullmatch(address)
    if not match or address.endswith(".git"):
        raise AuthoringError(
            f"{address!r} is not a repository address of the form https://github.com/OWNER/REPO "
            "(no .git, no slash at the end): Colab and Binder open notebooks from GitHub under that address."
        )
    return match[1]


def bootstrap_source(address: str) -> str:
    """The first code cell of every lesson: installs the package on Colab, does nothing where it is
    installed."""
    return BOOTSTRAP.replace("ADDRESS", address)


def badge_source(address: str, notebook: str) -> str:
    """The first cell of the notebook whose path from the repository's root is ``notebook``."""
    repository = owner_and_name(address)
    colab = f"{COLAB}/github/{repository}/blob/main/{notebook}"
    copy = notebook.replace("notebooks/", "my-lessons/", 1)  # made when Binder starts
    binder = f"{BINDER}/v2/gh/{repository}/main?urlpath=lab/tree/{copy}"
    return (
        f"[![Open in Colab]({COLAB}/assets/colab-badge.svg)]({colab}) "
        f"[![Open in Binder]({BINDER}/badge_logo.svg)]({binder})"
    )


def course_table(address: str | None = None) -> str:
    """The syllabus as a table, and which lessons need torch: for the README, with badges, or without for a lesson."""
    rows = [TABLE_HEAD, "|---|---|---|---|"]
    for one in COURSE:
        path = f"notebooks/{one.file}"
        name = f"[{one.title}]({path if address else one.file})" if one.file else one.title
        badges = f"{badge_source(address, path)} " if address and one.file else ""
        minutes = one.minutes if one.file else "in preparation"
        rows.append(f"| {one.number} {name} | {one.question} | {minutes} | {badges}|")
    if not address:  # then without the last column
        rows = [row.removesuffix("|").rpartition("|")[0] + "|" for row in rows]
    networks = f"Networks are trained in {lessons_with('torch')}; all others run without PyTorch."
    return "\n".join([*rows, "", networks])


def next_line(lesson: Lesson) -> str | None:
    """What a lesson says about the one after it; None for the last."""
    later = COURSE[COURSE.index(lesson) + 1 :]
    if not later:
        return None
    named = [
        f"[{one.number} {one.title}]({one.file})" if one.file else f"{one.number} {one.title}"
        for one in later
    ]
    if later[0].file:
        return f"Next: {named[0]}. {later[0].question}"
    ready = next((name for name, one in zip(named, later) if one.file), None)
    until = f" Until then, go on with {ready}." if ready else ""
    return f"Next: {named[0]} (in preparation).{until}"


def is_badge(cell: Any) -> bool:
    """Whether a cell is a generated badge cell."""
    return cell["cell_type"] == "markdown" and "colab-badge.svg" in cell["source"]


def is_bootstrap(cell: Any) -> bool:
    """Whether a cell is a generated bootstrap cell, of this or an earlier version."""
    return cell["cell_type"] == "code" and all(
        word in cell["source"] for word in ("google.colab", "marl_lessons")
    )


def point(root: Path, new: str | None = None, *, check: bool = False) -> list[Path]:
    """Carry the repository's address (``new``, or the one in ``pyproject.toml``) into all files.

    Returns the files that changed or, with ``check``, would change; with ``check`` nothing is written.

    Raises:
        AuthoringError: if the address is malformed or a notebook cannot be read; nothing is written then.
    """
    address = new or repository_address(root)
    owner_and_name(address)
    notebooks = {path: read_notebook(path) for path in all_notebooks(root)}
    pages = {path: path.read_text(encoding="utf-8") for path in _pages(root)}
    old = _old_addresses(root, notebooks, pages) - {owner_and_name(address)}
    texts = {
        path: TABLE.sub(lambda _: course_table(address) + "\n", _repoint(text, old, address))
        for path, text in pages.items()
    }
    if new:
        texts[root / "pyproject.toml"] = _with_entry(
            (root / "pyproject.toml").read_text(encoding="utf-8"), new
        )
    for path, notebook in notebooks.items():
        _refresh(
            notebook, path.relative_to(root).as_posix(), address, old, lesson=path in lessons(root)
        )
        texts[path] = notebook_text(notebook)
    changed = [path for path, text in texts.items() if path.read_bytes() != text.encode("utf-8")]
    if not check:
        for path in changed:
            write_text(texts[path], path)
    return sorted(changed)


def _pages(root: Path) -> list[Path]:
    """The Markdown pages and the citation file at the root."""
    return sorted(root.glob("*.md")) + [path for path in [root / "CITATION.cff"] if path.exists()]


def _old_addresses(root: Path, notebooks: dict[Path, Any], pages: dict[Path, str]) -> set[str]:
    """Every OWNER/REPO that the files take for this repository: where their badges lead, and the entries."""
    badges = [
        cell["source"]
        for notebook in notebooks.values()
        for cell in notebook["cells"]
        if is_badge(cell)
    ]
    old = {
        repository
        for text in [*badges, *pages.values()]
        for repository in BADGE_TARGET.findall(text)
    }
    entries = [repository_address(root)]
    entries += [
        entry.strip() for text in pages.values() for _, entry in CITATION_ENTRY.findall(text)
    ]
    return old | {match[1] for entry in entries if (match := GITHUB.fullmatch(entry))}


def _repoint(text: str, old: set[str], address: str) -> str:
    """Replace old addresses on GitHub, Colab and Binder in a text; other people's repositories stay."""
    repository = owner_and_name(address)
    for other in old:
        end = r"(?![\w-])(?!\.(?!git\b)\w)"
        text = re.sub(HOSTS + re.escape(other) + end, rf"\g<1>{repository}", text)
    return CITATION_ENTRY.sub(rf'\g<1>"{address}"', text)


def _with_entry(text: str, address: str) -> str:
    """``pyproject.toml`` with its Repository entry set."""
    text, replaced = REPOSITORY_ENTRY.subn(rf'\g<1>"{address}"', text)
    if replaced != 1:
        raise AuthoringError(
            f'pyproject.toml has {replaced} lines of the form Repository = "…"; there must be one.'
        )
    return text


def _refresh(notebook: Any, name: str, address: str, old: set[str], *, lesson: bool) -> None:
    """Regenerate a notebook's badge and bootstrap cells, its links and what it says of the course, in place; a lesson
    gets the cells it lacks."""
    for cell in notebook["cells"]:
        cell["source"] = _repoint(cell["source"], old, address)
        if cell["id"] == TABLE_CELL:
            cell["source"] = course_table()
    for one in COURSE:
        if lesson and one.file == Path(name).name and (line := next_line(one)):
            _say_next(notebook["cells"], line)
    generated = [
        (0, is_badge, "badges", need("nbformat.v4").new_markdown_cell, badge_source(address, name)),
        (
            3,
            is_bootstrap,
            "bootstrap",
            need("nbformat.v4").new_code_cell,
            bootstrap_source(address),
        ),
    ]
    for place, is_it, identity, make, source in generated:
        found = [cell for cell in notebook["cells"][:8] if is_it(cell)]
        if found:
            found[0]["source"] = source
        elif lesson:
            notebook["cells"].insert(place, make(source, id=identity))


def _say_next(cells: list[Any], line: str) -> None:
    """Put ``line`` in place of the last one that begins with "Next: ", or at the end."""
    texts = [cell for cell in cells if cell["cell_type"] == "markdown"]
    for cell in reversed(texts):
        if NEXT.search(cell["source"]):
            cell["source"] = NEXT.sub(lambda _: line, cell["source"])
            return
    texts[-1]["source"] += f"\n\n{line}"
