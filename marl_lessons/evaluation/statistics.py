"""Summaries over seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from marl_lessons.checks import as_count, as_float_array, as_number


class Band(NamedTuple):
    """Median and the interval that holds a given share of the seeds, each ``[K]``."""

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(values: np.ndarray, share: float = 0.8) -> Band:
    """Median and central interval over seeds of ``values[K, E]``; ``share`` in (0, 1], 0.8 for 10th to 90th percentile.

    Raises ValueError naming the argument.
    """
    values = as_float_array("values", values, (None, None))
    share = as_number("share", share, 0.0, 1.0, open_low=True)
    low, median, high = np.quantile(values, [(1 - share) / 2, 0.5, (1 + share) / 2], axis=1)
    return Band(median, low, high)


def first_episodes(returns, n_episodes: int) -> np.ndarray:
    """``[n_episodes, E]``: the first episodes' returns of every seed, from one array ``[episodes]`` per seed.

    With arrays ``[episodes, n]`` the result is ``[n_episodes, E, n]``. Raises ValueError naming the argument, also if a
    seed finished fewer episodes.
    """
    n_episodes = as_count("n_episodes", n_episodes)
    if not isinstance(returns, list | tuple) or not returns:
        raise ValueError(f"returns: expected a list of one array per seed, got {returns!r:.80}")
    returns = [as_float_array(f"returns[{e}]", r, (...,)) for e, r in enumerate(returns)]
    if any(r.ndim == 0 or r.shape[1:] != returns[0].shape[1:] for r in returns):
        raise ValueError(
            f"returns: expected arrays [episodes] or [episodes, n], got shapes {[r.shape for r in returns]}"
        )
    shortest = min(len(r) for r in returns)
    if shortest < n_episodes:
        raise ValueError(
            f"n_episodes is {n_episodes}, but one seed finished only {shortest} episodes"
        )
    return np.stack([r[:n_episodes] for r in returns], axis=1)


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """``[K - window + 1, E]``: mean of ``window`` consecutive rows of ``values[K, E]``; raises ValueError if too few."""
    values = as_float_array("values", values, (None, None))
    if as_count("window", window) > len(values):
        raise ValueError(
            f"window is {window}; allowed is at most the number of rows, {len(values)}"
        )
    total = np.cumsum(np.vstack([np.zeros(values.shape[1]), values]), axis=0)
    return (total[window:] - total[:-window]) / window


def wilson_interval(successes, n, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Interval (low, high) for the chance behind ``successes`` out of ``n`` independent trials (Wilson 1927).

    ``successes`` and ``n``: whole numbers or arrays ``[...]`` of them; ``confidence`` in (0, 1). All chances p that are less
    than z standard errors √(p (1 - p) / n) away from the share observed, so it stays sensible where that is 0 or 1. Raises
    ValueError naming the argument.
    """
    successes = as_float_array("successes", successes, (...,))
    n = as_float_array("n", n, (...,))
    if (n != np.floor(n)).any() or n.min(initial=1) < 1:
        raise ValueError(f"n is {n}; allowed are whole numbers of at least 1")
    if (successes != np.floor(successes)).any() or (successes < 0).any() or (successes > n).any():
        raise ValueError(f"successes is {successes}; allowed are whole numbers from 0 to n = {n}")
    confidence = as_number("confidence", confidence, 0.0, 1.0, open_low=True)
    if confidence == 1:
        raise ValueError("confidence is 1; allowed is a number in (0, 1)")
    return wilson_bounds(successes, n, ndtri((1 + confidence) / 2))


def wilson_bounds(successes, n, z: float) -> tuple[np.ndarray, np.ndarray]:
    """``[...]`` each: the two p with |successes / n - p| = z √(p (1 - p) / n). A pure function of checked arrays."""
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low = np.where(successes == 0, 0.0, centre - half)
    high = np.where(successes == n, 1.0, centre + half)
    return low, high
