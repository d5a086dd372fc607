"""What a reader's doors check: every refusal is a ``ValueError`` that names the argument and what is allowed. All lessons."""

from __future__ import annotations

from numbers import Real
from types import EllipsisType

import numpy as np

PROBABILITY_TOLERANCE = 1e-8
LARGEST = 1e100  # of payoffs and rewards: far beyond, sums and products are infinite
LARGEST_COUNT = 2**63 - 1  # NumPy's, and of every library that takes seeds

Shape = tuple[int | EllipsisType | None, ...]


def as_float_array(name: str, value, shape: Shape) -> np.ndarray:
    """``value`` as a fresh float64 array of finite numbers of the given shape.

    ``None`` in ``shape`` allows any length of 1 or more, ``...`` as its first entry any leading axes. Text, objects,
    complex numbers and rows of different lengths are refused.
    """
    array = _as_array(name, value, "biuf", "numbers", shape).astype(np.float64)
    return _refuse(name, array, ~np.isfinite(array), "every entry must be a finite number")


def as_bounded(name: str, value, shape: Shape, low: float, high: float) -> np.ndarray:
    """``value`` as a fresh float64 array of ``shape`` with entries from ``low`` to ``high``."""
    array = as_float_array(name, value, shape)
    outside = (array < low) | (array > high)
    return _refuse(name, array, outside, f"allowed are numbers from {low:g} to {high:g}")


def as_distributions(name: str, value, shape: Shape) -> np.ndarray:
    """``value`` as a fresh array whose last axis holds probability distributions.

    Entries must not be negative, and sum to 1 along the last axis within 1e-8; within the square root of its precision
    where ``value`` has a shorter type, as NumPy's own generators allow: 3.5e-4 for float32. The result is divided by its
    sum, so that later arithmetic starts from an exact distribution.
    """
    array = as_float_array(name, value, shape)
    _refuse(name, array, array < 0, "a probability must not be negative")
    kind = np.asarray(value).dtype
    short = kind.kind == "f" and kind.itemsize < 8
    tolerance = np.sqrt(np.finfo(kind).eps) if short else PROBABILITY_TOLERANCE
    totals = array.sum(axis=-1)
    bad = np.argwhere(np.abs(totals - 1.0) > tolerance)
    if len(bad):
        index = tuple(bad[0].tolist())
        raise ValueError(
            f"{_entry(name, index)} sums to {totals[index]:.10g}; probabilities must sum to 1"
        )
    array /= totals[..., None]
    return array


def as_indices(name: str, value, shape: Shape, upper: int | np.ndarray) -> np.ndarray:
    """``value`` as an array of np.intp with entries in ``0 .. upper - 1`` (``upper`` broadcasts against it)."""
    array = _as_array(name, value, "iu", "integers", shape)
    bad = np.argwhere((array < 0) | (array >= upper))
    if len(bad):
        index = tuple(bad[0].tolist())
        allowed = int(np.broadcast_to(upper, array.shape)[index])
        raise ValueError(f"{_entry(name, index)} is {array[index]}; allowed are 0 to {allowed - 1}")
    return array.astype(np.intp)


def as_booleans(name: str, value, shape: Shape) -> np.ndarray:
    """``value`` as a fresh array of booleans of ``shape``, read as in :func:`as_float_array`."""
    return _as_array(name, value, "b", "booleans", shape).copy()


def as_number(
    name: str, value, low: float = -np.inf, high: float = np.inf, *, open_low: bool = False
) -> float:
    """A real number as a float in ``[low, high]`` (``(low, high]`` with ``open_low``); True is none, nor is an array."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{name}: expected a number, got {value!r:.80}")
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"{name}: a number as large as this cannot be computed with") from error
    if not (low <= number <= high) or (open_low and number == low):
        bracket = "(" if open_low else "["
        raise ValueError(f"{name} is {number}; allowed is a number in {bracket}{low}, {high}]")
    return number


def as_count(name: str, value, low: int = 1) -> int:
    """A whole number of at least ``low``, and at most 2**63 - 1; 3.5 and True are none."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if whole and abs(int(value)) > LARGEST_COUNT:
        raise ValueError(f"{name} is too large; allowed is a whole number of at most 2**63 - 1")
    if not whole or value < low:
        raise ValueError(f"{name} is {value!r}; allowed is a whole number of at least {low}")
    return int(value)


def as_position(name: str, value, count: int) -> int:
    """A whole number from 0 to ``count`` - 1."""
    position = as_count(name, value, low=0)
    if position >= count:
        raise ValueError(f"{name} is {position}; allowed are 0 to {count - 1}")
    return position


def as_choice(name: str, value, allowed: tuple[str, ...]) -> str:
    """One of the ``allowed`` words."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r:.80}; allowed are {', '.join(allowed)}")
    return str(value)


def as_flag(name: str, value) -> bool:
    """True or False; 1 and "yes" are refused."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name}: expected True or False, got {value!r:.80}")
    return bool(value)


def as_kind(name: str, value, kind: type):
    """``value`` as it is, if it is a ``kind``."""
    if not isinstance(value, kind):
        raise ValueError(f"{name}: expected a {kind.__name__}, got {value!r:.80}")
    return value


def as_generator(name: str, rng) -> np.random.Generator:
    """A generator of random numbers, as it is."""
    if not isinstance(rng, np.random.Generator):
        raise ValueError(
            f"{name}: expected a generator as np.random.default_rng(seed) makes it, got {rng!r:.80}"
        )
    return rng


def _entry(name: str, index: tuple[int, ...]) -> str:
    """``name[1, 2]``, or ``name`` alone for the entry of an array without axes."""
    return f"{name}{list(index)}" if index else name


def _refuse(name: str, array: np.ndarray, bad: np.ndarray, rule: str) -> np.ndarray:
    """``array`` as it is; or ValueError naming the first entry that is ``bad``, and the ``rule``."""
    if bad.any():
        index = tuple(np.argwhere(bad)[0].tolist())
        raise ValueError(f"{_entry(name, index)} is {array[index]}; {rule}")
    return array


def _as_array(name: str, value, kinds: str, noun: str, shape: Shape) -> np.ndarray:
    """``value`` as an array of one of the NumPy ``kinds`` and of ``shape``, perhaps not a copy; or ValueError."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(
            f"{name}: expected an array of {noun} of shape {_text(shape)}, got {value!r:.80}"
        ) from error
    if array.dtype.kind not in kinds or not _fits(array.shape, shape):
        raise ValueError(
            f"{name}: expected {noun} of shape {_text(shape)}, got {array.dtype} of shape {array.shape}"
        )
    return array


def _fits(given: tuple[int, ...], wanted: Shape) -> bool:
    if wanted[:1] == (...,):
        wanted = wanted[1:]
        given = given[len(given) - len(wanted) :] if len(given) >= len(wanted) else given
    return len(given) == len(wanted) and all(
        g == w or (w is None and g >= 1) for g, w in zip(given, wanted)
    )


def _text(shape: Shape) -> str:
    lengths = ["any" if n is None else "..." if n is ... else str(n) for n in shape]
    return f"({', '.join(lengths)}{',' if len(shape) == 1 else ''})"
