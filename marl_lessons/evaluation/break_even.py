"""When something that is learned slowly has paid: where one learning curve overtakes another for good.

A larger state is learned more slowly at first. :func:`break_even` tells when it has overtaken the smaller one and, given
what both have earned in all so far, when the loss has been made good.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_float_array, as_number

LARGEST = 1e100


def break_even(steps: np.ndarray, first: np.ndarray, second: np.ndarray, margin: float = 0.0) -> float:  # fmt: skip
    """The first of ``steps[K]`` at which ``first[K]`` is above ``second[K]`` for good; nan if it never is.

    That is by more than ``margin``, and from then on never again below it by more than ``margin``: two curves that end at the same
    height cross again and again for noise alone. Raises ValueError naming the argument.
    """
    steps, margin = as_steps("steps", steps), as_number("margin", margin, 0.0)
    first = as_float_array("first", first, steps.shape)
    gain = first - as_float_array("second", second, steps.shape)
    for_good = np.logical_and.accumulate((gain >= -margin)[::-1])[::-1]
    found = np.flatnonzero(for_good & (gain > margin))
    return float(steps[found[0]]) if len(found) else np.nan


def earned_so_far(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``[K, ...]``: the area under ``values[K, ...]`` from the first of ``steps[K]`` to each, by trapezia.

    Of the returns of episodes it is, up to a factor, what all episodes until then have earned together. Raises ValueError
    naming the argument; ``values`` beyond 1e100 are too large to be added up.
    """
    steps = as_steps("steps", steps)
    values = as_float_array("values", values, (...,))
    if values.ndim < 1 or len(values) != len(steps):
        raise ValueError(f"values: expected {len(steps)} rows, got shape {values.shape}")
    if np.abs(values).max(initial=0.0) > LARGEST:
        raise ValueError(f"values: holds an entry beyond {LARGEST:g}, too large to be added up")
    widths = np.diff(steps).reshape(-1, *[1] * (values.ndim - 1))
    areas = widths * (values[1:] + values[:-1]) / 2
    return np.concatenate([np.zeros((1, *values.shape[1:])), areas.cumsum(axis=0)])


def as_steps(name: str, value) -> np.ndarray:
    """``[K]``: increasing numbers, as floats; raises ValueError naming ``name`` for anything else."""
    steps = as_float_array(name, value, (None,))
    if (np.diff(steps) <= 0).any():
        raise ValueError(f"{name}: expected increasing numbers, got {value!r:.80}")
    return steps
