"""Information in bits: what is uncertain, what two things tell about each other, what a channel carries at most.

Exact, from chances, or estimated from counts. X and Y are how many kinds of things there are.
"""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from marl_lessons.checks import (
    as_count,
    as_distributions,
    as_flag,
    as_float_array,
    as_indices,
    as_number,
)

LN2 = np.log(2.0)
MOST_KINDS = 10**8  # combinations that can be counted
MOST_SAMPLES = 2.0**53  # up to here floats tell whole numbers apart


def entropy(p: np.ndarray) -> np.ndarray:
    """``[...]``: H(p) = -Σ_x p(x) log2 p(x) of distributions ``p[..., X]``, bits, from 0 (sure) to log2 X (uniform).

    Raises ValueError naming ``p``.
    """
    return entropy_of(as_distributions("p", p, (..., None)))


def mutual_information(joint: np.ndarray) -> np.ndarray:
    """``[...]``: I(X; Y) = H(X) + H(Y) - H(X, Y) of ``joint[..., X, Y]``, whose entries are chances that sum to 1, bits.

    How much knowing one tells about the other, from 0 (independent) to the smaller of both entropies. Raises ValueError
    naming ``joint``.
    """
    joint = as_float_array("joint", joint, (..., None, None))
    return information_of(as_distributions("joint", _flat(joint), (..., None)).reshape(joint.shape))


def joint_counts(x: np.ndarray, y: np.ndarray, n_x: int, n_y: int) -> np.ndarray:
    """``[n_x, n_y]``: how often x and y occurred together, for whole numbers ``x[...]`` below n_x and ``y[...]`` below n_y.

    x and y have the same shape. Leave out the moments at which nobody spoke. Raises ValueError naming the argument, ``n_x``
    and ``n_y`` also for more than 10^8 combinations.
    """
    n_x, n_y = as_count("n_x", n_x), as_count("n_y", n_y)
    if n_x * n_y > MOST_KINDS:
        raise ValueError(
            f"n_x, n_y: {n_x} times {n_y}; allowed are {MOST_KINDS} combinations at most"
        )
    x = as_indices("x", x, (...,), n_x)
    y = as_indices("y", y, x.shape, n_y)
    return np.bincount(np.ravel(x * n_y + y), minlength=n_x * n_y).reshape(n_x, n_y)


def entropy_from_counts(counts: np.ndarray, corrected: bool = True) -> np.ndarray:
    """``[...]``: entropy of what was counted in ``counts[..., K]``, estimated from N samples, bits.

    Frequencies in place of chances ("plug-in") give too little on average. ``corrected`` adds (K₊ - 1) / (2 N ln 2), where K₊
    is the number of kinds that occurred (Miller 1955). Raises ValueError naming ``counts`` or ``corrected``.
    """
    counts, corrected = _as_counts(counts, (..., None)), as_flag("corrected", corrected)
    n_samples = counts.sum(axis=-1)
    correction = ((counts > 0).sum(axis=-1) - 1) / (2 * n_samples * LN2)
    return entropy_of(counts / n_samples[..., None]) + corrected * correction


def information_from_counts(counts: np.ndarray, corrected: bool = True) -> np.ndarray:
    """``[...]``: the information I(X; Y) behind ``counts[..., X, Y]``, estimated, bits.

    Plug-in estimates find information where there is none, :func:`plug_in_bias` on average. ``corrected`` does as
    :func:`entropy_from_counts` does for each of the three entropies. The estimate may then be a little below 0: so its mean
    over many samples is about right. Raises ValueError naming ``counts`` or ``corrected``.
    """
    counts = _as_counts(counts, (..., None, None))
    h_x = entropy_from_counts(counts.sum(axis=-1), corrected)
    h_y = entropy_from_counts(counts.sum(axis=-2), corrected)
    return h_x + h_y - entropy_from_counts(_flat(counts), corrected)


def plug_in_bias(n_x: int, n_y: int, n_samples: int) -> float:
    """About how many bits the uncorrected estimate of I(X; Y) is too high: (X - 1) (Y - 1) / (2 N ln 2), for large N.

    True if all X · Y combinations are possible; a code that uses few of them is estimated more closely. Raises ValueError
    naming the argument.
    """
    n_x, n_y = as_count("n_x", n_x), as_count("n_y", n_y)
    return (n_x - 1) * (n_y - 1) / (2 * as_count("n_samples", n_samples) * LN2)


def bits_per_step(talking: float, messages: np.ndarray, silence_tells: bool = False) -> np.ndarray:
    """``[...]``: what a channel carries in one step at most, g H(m), for messages ``[..., M]`` sent in a share g of all steps.

    ``talking``: g, the gate's rate, from 0 to 1. Silence tells something, too, if it is heard as silence: with
    ``silence_tells`` it is g H(m) + H(g, 1 - g), the entropy of M + 1 signs. Raises ValueError naming the argument.
    """
    talking = as_number("talking", talking, 0.0, 1.0)
    carried = talking * entropy(as_distributions("messages", messages, (..., None)))
    if as_flag("silence_tells", silence_tells):
        return carried + entropy(np.array([talking, 1 - talking]))
    return carried


def entropy_of(p: np.ndarray) -> np.ndarray:
    """``[...]``: H(p) of distributions ``p[..., X]`` that are not checked; 0 log 0 is 0."""
    return entr(p).sum(axis=-1) / LN2


def information_of(joint: np.ndarray) -> np.ndarray:
    """``[...]``: I(X; Y) of ``joint[..., X, Y]`` that is not checked; what rounding leaves below 0 is cut off."""
    h_x, h_y = entropy_of(joint.sum(axis=-1)), entropy_of(joint.sum(axis=-2))
    return np.maximum(h_x + h_y - entropy_of(_flat(joint)), 0.0)


def _flat(joint: np.ndarray) -> np.ndarray:
    """``[..., X · Y]``: the last two axes as one."""
    return joint.reshape(*joint.shape[:-2], joint.shape[-2] * joint.shape[-1])


def _as_counts(counts, shape) -> np.ndarray:
    counts = as_float_array("counts", counts, shape)
    if counts.max(initial=0.0) > MOST_SAMPLES:
        raise ValueError(f"counts: holds {counts.max():g}; allowed are numbers up to 2^53")
    totals = counts.sum(axis=tuple(range(1 - len(shape), 0)))
    if (counts < 0).any() or (counts != np.floor(counts)).any() or (totals == 0).any():
        raise ValueError("counts: allowed are whole numbers of at least 0, some of them above 0")
    return counts
