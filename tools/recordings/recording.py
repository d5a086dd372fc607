"""What all scripts that record runs share: their arguments, the seeds, and what a file of curves says of itself."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from marl_lessons.evaluation.recorded import Curves, save_curves

DATA = Path(__file__).resolve().parents[2] / "data"
FIRST_SEED, N_SEEDS = 100, 10


def seeds_from_first(n_seeds: int) -> range:
    """The seeds that are recorded, fixed before anybody has seen what they return."""
    return range(FIRST_SEED, FIRST_SEED + n_seeds)


def count(text: str) -> int:
    """A whole number of at least 1 from the command line; raises ArgumentTypeError for anything else."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def arguments_of(
    description: str, prefix: str, names: Iterable[str], arguments: list[str] | None = None
) -> argparse.Namespace:
    """``arguments``, or those of the command line, and the ``path`` to write to.

    Refuses a name whose file ``data/<prefix>_<name>.json`` is there, unless it may be replaced.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", choices=names, help=f"which runs: data/{prefix}_NAME.json")
    seeds = f"how many, {FIRST_SEED} and those that follow (default: {N_SEEDS})"
    parser.add_argument("--seeds", type=count, default=N_SEEDS, help=seeds)
    processes = "how many to train in, one seed in each at a time (default: 1)"
    parser.add_argument("--processes", type=count, default=1, help=processes)
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    args = parser.parse_args(arguments)
    args.path = DATA / f"{prefix}_{args.name}.json"
    if args.path.exists() and not args.overwrite:
        parser.error(f"{args.path} exists; give --overwrite to replace it")
    return args


def command(script: str, name: str, processes: int, n_seeds: int) -> str:
    """What to type to record the same again."""
    seeds = "" if n_seeds == N_SEEDS else f" --seeds {n_seeds}"
    return f"python -m tools.recordings.{script} {name} --processes {processes}{seeds}"


def machine() -> Mapping:
    """Versions and cores, for a file's ``about``."""
    return {
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
        },
        "cores": os.cpu_count(),
    }


def as_text(config) -> dict[str, str]:
    """The fields of a configuration, as texts."""
    return {key: str(value) for key, value in asdict(config).items()}


def side_by_side(runs: list[Curves]) -> Curves:
    """The curves of several seeds, from curves of some of them each."""
    returns, seconds = (
        np.concatenate([getattr(run, part) for run in runs], axis=1)
        for part in ("returns", "seconds")
    )
    return Curves(runs[0].env_steps, returns, seconds, np.concatenate([run.seeds for run in runs]))


def write(args: argparse.Namespace, curves: Mapping[str, Curves], about: Mapping, decimals=2):
    """Save the curves where ``args`` of :func:`arguments_of` say."""
    save_curves(args.path, curves, about, overwrite=args.overwrite, decimals=decimals)
