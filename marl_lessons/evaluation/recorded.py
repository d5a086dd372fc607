"""Learning curves of runs that are too slow to repeat in a lesson, kept in small text files. Lessons 09 and 10.

A file holds ``about``, a table that says how the curves were made, and ``curves`` by label: for each seed a line of returns
and a line of seconds, one entry for each moment at which the run was measured.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marl_lessons.checks import as_float_array, as_indices

PARTS = ("seeds", "env_steps", "returns", "seconds")
BEYOND = 2**63  # the first whole number that arrays of integers cannot hold


@dataclass(frozen=True, eq=False)
class Curves:
    """K measurements of S runs that differ in the seed alone.

    env_steps ``[K]``   steps that all worlds of a run had made together, increasing
    returns ``[K, S]``  mean return of an episode that is played without exploration
    seconds ``[K, S]``  since the run began, on the clock; what measuring took does not count
    seeds ``[S]``       each a different whole number from 0 to 2**63 - 1
    """

    env_steps: np.ndarray
    returns: np.ndarray
    seconds: np.ndarray
    seeds: np.ndarray

    def __post_init__(self):
        steps = as_indices("env_steps", self.env_steps, (None,), BEYOND)
        seeds = as_indices("seeds", self.seeds, (None,), BEYOND)
        returns, seconds = (
            as_float_array(name, getattr(self, name), (len(steps), len(seeds)))
            for name in ("returns", "seconds")
        )
        if (np.diff(steps) <= 0).any():
            raise ValueError(f"env_steps: expected increasing numbers, got {steps!r:.80}")
        if len(np.unique(seeds)) < len(seeds):
            raise ValueError(f"seeds: expected each seed once, got {seeds!r:.80}")
        if (seconds < 0).any() or (np.diff(seconds, axis=0) < 0).any():
            raise ValueError("seconds: a clock does not run backwards, nor begin below 0")
        for name, array in zip(PARTS, (seeds, steps, returns, seconds)):
            object.__setattr__(self, name, array)


def save_curves(
    path,
    curves_by_label: Mapping[str, Curves],
    about: Mapping,
    overwrite: bool = False,
    decimals: int = 2,
) -> None:
    """Write curves to the file ``path``, numbers rounded to ``decimals``; the file is there in full, or not at all.

    ``about``: how they were made (command, versions, cores), texts, numbers and tables of them. A file that exists is
    replaced only with ``overwrite``.
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise ValueError(f"path: {path} exists; give overwrite=True to replace it")
    text = _as_text(check_curves("curves_by_label", curves_by_label), about, decimals)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def load_curves(path) -> dict[str, Curves]:
    """The curves in a file that :func:`save_curves` wrote, by label."""
    curves = {}
    for label, entry in _load(path)["curves"].items():
        try:
            per_seed = [np.array(entry[name]).T for name in ("returns", "seconds")]
            curves[label] = Curves(entry["env_steps"], *per_seed, entry["seeds"])
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"path: {path} holds no curves at {label!r:.40}: {error}") from error
    return curves


def load_about(path) -> dict:
    """How the curves in a file of :func:`save_curves` were made."""
    return _load(path)["about"]


def data_file(name: str) -> Path:
    """The path of a file in ``data/``, a name without folders: beside the package, or inside it where it was installed."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package.parent / "data", package / "data"):
        if Path(name).name == name and (folder / name).is_file():
            return folder / name
    raise ValueError(f"name: there is no file {name!r:.80} in data/")


def check_curves(name: str, curves_by_label) -> dict[str, Curves]:
    """Curves by label, at least one, as a dict."""
    if not isinstance(curves_by_label, Mapping) or not curves_by_label:
        raise ValueError(f"{name}: expected Curves by label, got {curves_by_label!r:.80}")
    for label, curves in curves_by_label.items():
        if not isinstance(label, str) or not isinstance(curves, Curves):
            raise ValueError(f"{name}[{label!r:.40}]: expected Curves, got {curves!r:.80}")
    return dict(curves_by_label)


def _as_text(curves_by_label: dict[str, Curves], about, decimals: int) -> str:
    """The content of a file: JSON with one line for each row of numbers."""
    head = json.dumps(dict(about), indent=1, ensure_ascii=False, allow_nan=False)
    blocks = [f"  {json.dumps(label, ensure_ascii=False)}: {{\n{_block(curves, decimals)}\n  }}"
              for label, curves in curves_by_label.items()]  # fmt: skip
    head = head.replace("\n", "\n ")
    return f'{{\n "about": {head},\n "curves": {{\n' + ",\n".join(blocks) + "\n }\n}\n"


def _block(curves: Curves, decimals: int) -> str:
    """The lines of one label, seeds and env_steps on a line each, returns and seconds on one for each seed."""
    lines = [f'   "{name}": {json.dumps(getattr(curves, name).tolist())}' for name in PARTS[:2]]
    for name in PARTS[2:]:
        rounded = getattr(curves, name).T.round(decimals) + 0.0  # no -0.0
        rows = ",\n".join(f"    {json.dumps(row)}" for row in rounded.tolist())
        lines.append(f'   "{name}": [\n{rows}\n   ]')
    return ",\n".join(lines)


def _load(path) -> dict:
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"path: {path} is no file of curves: {error}") from error
    for table in ("about", "curves"):
        if not isinstance(content, dict) or not isinstance(content.get(table), dict):
            raise ValueError(f"path: {path} has no table {table}")
    return content
