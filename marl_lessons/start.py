"""Opens the lessons in a working copy without results, ``my-lessons/``, that updating never overwrites.

Run by ``marl-lessons`` or ``python -m marl_lessons``, from a clone of the repository. Only the standard library is
needed until JupyterLab starts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
from importlib import import_module, invalidate_caches, metadata
from pathlib import Path

from marl_lessons.course import COURSE

ROOT = Path(__file__).resolve().parents[1]
COPY = ROOT / "my-lessons"  # where Binder's badges lead, too
RECORD = ".marl-lessons.json"  # in the copy: file -> fingerprint of the version laid there last
BROKEN = "no notebook"
WORDS = {
    "copied": "copied, without results",
    "renewed": "renewed, since the lesson changed and you had not changed your copy",
    "beside": "newer versions, laid beside the copies that you changed",
    "kept": "left as you changed them",
    "broken": "LEFT OUT, since the repository's own files are no notebooks",
}


def without_results(path: Path, content: bytes) -> bytes:
    """A notebook as it is before it runs: no outputs, execution counts or widgets' state; other files as they are."""
    if path.suffix != ".ipynb":
        return content
    notebook = json.loads(content)
    notebook.get("metadata", {}).pop("widgets", None)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def fingerprint(path: Path, content: bytes) -> str:
    """A hash of what a student can change: of a notebook its cells' sources, not their outputs; of other files all."""
    if path.suffix == ".ipynb":
        try:
            cells = json.loads(content)["cells"]
            parts = [[c["cell_type"], "".join(c["source"]), c.get("attachments")] for c in cells]
        except (ValueError, KeyError, TypeError):
            return BROKEN
        content = json.dumps(parts, sort_keys=True).encode()
    return hashlib.sha256(content).hexdigest()


def copy_lessons(source: Path, target: Path) -> dict[str, list[str]]:
    """Copy all below ``source`` to ``target``, notebooks without results; returns names of files by what was done.

    The keys are those of ``WORDS``. A file is replaced in one step or not at all, and only if its sources are those
    that were laid there. A newer version of a file that the student changed is laid beside it, once.
    """
    done: dict[str, list[str]] = {key: [] for key in WORDS}
    target.mkdir(parents=True, exist_ok=True)
    try:
        record = dict(json.loads((target / RECORD).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        record = {}  # then every file that differs counts as the student's own
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        name = path.relative_to(source)
        if any(part.startswith((".", "__")) for part in name.parts):
            continue
        key, copy, content = name.as_posix(), target / name, path.read_bytes()
        new = fingerprint(path, content)
        if new == BROKEN:
            done["broken"].append(key)
            continue
        now = fingerprint(copy, copy.read_bytes()) if copy.exists() else None
        beside = copy.with_name(f"{copy.stem}.new-{new[:8]}{copy.suffix}")
        if now is None or (now != new and now == record.get(key)):
            done["copied" if now is None else "renewed"].append(key)
            _write(copy, without_results(path, content))
        elif now != new and record.get(key) != new and not beside.exists():
            done["beside"].append(beside.name)
            _write(beside, without_results(path, content))
        elif now != new:
            done["kept"].append(key)
        record[key] = new
    _write(target / RECORD, json.dumps(record, indent=1).encode())
    return done


def report(done: dict[str, list[str]], target: Path) -> str:
    """What was done, in words."""
    lines = [f"Your lessons are in {target}. What you change there stays."]
    for key, names in done.items():
        if lessons := [Path(name).name for name in names if name.endswith(".ipynb")]:
            lines.append(f"  {WORDS[key]}: {', '.join(lessons)}")
    return "\n".join(lines)


def _write(path: Path, content: bytes) -> None:
    """Replace a file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    draft.write_bytes(content)
    os.replace(draft, path)


def missing(requirements: str, path: list[str]) -> list[str]:
    """The names in a requirements file that are not installed in ``path``; those with a condition do not count."""
    found = metadata.distributions(path=path)
    there = {re.sub(r"[-_.]+", "-", package.name).lower() for package in found}
    asked = re.findall(r"^([\w.-]+)==[^;\n]*$", requirements, re.MULTILINE)
    return [name for name in ["marl-lessons", *asked] if name not in there]


def install_requirements() -> None:
    """Install ``requirements.txt`` if something in it is missing; ends the program if pip cannot."""
    file = ROOT / "requirements.txt"
    # The current folder, first in the path, does not count: kernels run elsewhere.
    if absent := missing(file.read_text(encoding="utf-8"), sys.path[1:]):
        command = [sys.executable, "-m", "pip", "install", "-r", file.name]
        print(f"Missing here: {', '.join(absent)}.")
        print(f"Installing (once, some minutes): {' '.join(command)}", flush=True)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            sys.exit(
                "pip could not install what the lessons need; its reason stands above. If it speaks of an "
                "externally managed environment, make a virtual one first: see README.md, Start."
            )
        invalidate_caches()


def main(arguments: list[str] | None = None) -> int:
    """Copy the lessons, install what is missing, open the first one; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="marl-lessons",
        description="Open the lessons in a working copy without results. What you change there is never "
        "overwritten; to begin a lesson afresh, rename or delete your copy and run this again.",
        epilog="All other options go to JupyterLab, such as --no-browser or --port=9000.",
    )
    place = "where the copy is (default: my-lessons)"
    parser.add_argument("--into", type=Path, metavar="DIR", default=COPY, help=place)
    parser.add_argument("--copy-only", action="store_true", help="do not start JupyterLab")
    options, others = parser.parse_known_args(arguments)
    if options.copy_only and set(others) - {"--no-browser"}:
        parser.error(f"unknown: {' '.join(others)}")
    source, target = ROOT / "notebooks", options.into.resolve()
    if not source.is_dir():
        parser.error(
            f"there are no lessons in {ROOT}: clone the repository, and in its folder run python -m marl_lessons"
        )
    if target == source or source in target.parents:
        parser.error(f"--into is {target}; choose a folder outside {source}")
    try:
        print(report(copy_lessons(source, target), target), flush=True)
    except OSError as error:
        parser.error(f"cannot write the lessons to {target} ({error}); choose a folder: --into DIR")
    if not options.copy_only:
        install_requirements()
        print("Opening JupyterLab; Ctrl+C here ends it.", flush=True)
        os.chdir(target)
        first = f"--LabApp.default_url=/lab/tree/{COURSE[0].file}"
        import_module("jupyterlab.labapp").main([f"--ServerApp.root_dir={target}", first, *others])
    return 0
