"""Summaries over seeds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

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
