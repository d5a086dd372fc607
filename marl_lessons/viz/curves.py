"""Learning curves: the median over seeds, a band around it, and every single seed behind them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from marl_lessons.evaluation.statistics import band
from marl_lessons.viz.style import BLUE


def draw_seeds(
    ax: Axes,
    x: np.ndarray,
    values: np.ndarray,
    label: str,
    colour: str = BLUE,
    linestyle="-",
    share: float = 0.8,
) -> None:
    """``values[K, E]`` over ``x[K]``: thin lines for the E seeds, a band for the central ``share`` of them, the median."""
    summary = band(values, share)
    lines = [np.column_stack([x, seed]) for seed in values.T]
    ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.5, alpha=0.25, zorder=2))
    ax.fill_between(x, summary.low, summary.high, color=colour, alpha=0.15, linewidth=0, zorder=1)
    ax.plot(x, summary.median, color=colour, linestyle=linestyle, label=label, zorder=4)


def in_thousands(ax: Axes) -> None:
    """Label the horizontal axis "20k" instead of "20000": shorter, and neighbours do not touch."""
    ax.xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
