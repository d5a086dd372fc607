"""Checks at the package's boundary: every refusal is a ``ValueError`` that names the argument and what is allowed."""

from __future__ import annotations

import numpy as np

PROBABILITY_TOLERANCE = 1e-8


def as_float_array(name: str, value, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return ``value`` as a fresh float64 array of the given shape (``None`` allows any length of 1 or more).

    Raises ValueError naming ``name`` if it is not numeric, has another shape, has an empty axis or holds a value that is
    not finite.
    """
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: expected an array of numbers of shape {_text(shape)}, got {value!r:.80}"
        ) from error
    fits = array.ndim == len(shape) and all(
        given == wanted or (wanted is None and given >= 1)
        for given, wanted in zip(array.shape, shape)
    )
    if not fits:
        raise ValueError(f"{name}: expected shape {_text(shape)}, got {array.shape}")
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"{name}{list(index)} is {array[index]}; every entry must be a finite number"
        )
    return array


def as_distributions(name: str, value, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return ``value`` as an array whose last axis holds probability distributions.

    Entries must be finite and non-negative, and sum to 1 along the last axis within 1e-8; the result is divided by its
    sum, so that later arithmetic starts from an exact distribution. Raises ValueError naming the first violation.
    """
    array = as_float_array(name, value, shape)
    bad = np.argwhere(array < 0)
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"{name}{list(index)} is {array[index]}; a probability must not be negative"
        )
    totals = array.sum(axis=-1)
    bad = np.argwhere(np.abs(totals - 1.0) > PROBABILITY_TOLERANCE)
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        where = f"{name}{list(index)}" if index else name
        raise ValueError(f"{where} sums to {totals[index]:.10g}; probabilities must sum to 1")
    return array / totals[..., None]


def as_indices(
    name: str, value, shape: tuple[int | None, ...], upper: int | np.ndarray
) -> np.ndarray:
    """Return ``value`` as an integer array with entries in ``0 .. upper - 1`` (``upper`` broadcasts against it).

    Raises ValueError naming ``name`` for another shape, another type, or an index outside its range.
    """
    array = np.asarray(value)
    fits = array.ndim == len(shape) and all(w is None or g == w for g, w in zip(array.shape, shape))
    if not fits or (array.dtype.kind not in "iu"):
        raise ValueError(
            f"{name}: expected integers of shape {_text(shape)}, got {array.dtype} of shape {array.shape}"
        )
    bad = np.argwhere((array < 0) | (array >= upper))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        allowed = int(np.broadcast_to(upper, array.shape)[index])
        raise ValueError(f"{name}{list(index)} is {array[index]}; allowed are 0 to {allowed - 1}")
    return array


def as_number(
    name: str, value, low: float = -np.inf, high: float = np.inf, *, open_low: bool = False
) -> float:
    """Return ``value`` as a float in ``[low, high]`` (``(low, high]`` with ``open_low``); raises ValueError otherwise."""
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected a number, got {value!r:.80}") from error
    if not (low <= number <= high) or (open_low and number == low):
        bracket = "(" if open_low else "["
        raise ValueError(f"{name} is {number}; allowed is a number in {bracket}{low}, {high}]")
    return number


def as_count(name: str, value, low: int = 1) -> int:
    """Return ``value`` as an integer of at least ``low``; raises ValueError otherwise (also for 3.5 or True)."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < low:
        raise ValueError(f"{name} is {value!r}; allowed is a whole number of at least {low}")
    return int(value)


def _text(shape: tuple[int | None, ...]) -> str:
    return (
        "("
        + ", ".join("any" if n is None else str(n) for n in shape)
        + ("," if len(shape) == 1 else "")
        + ")"
    )
