"""Learning curves: the median over seeds, a band around it, every single seed behind them, marked steps. All lessons."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from marl_lessons.evaluation.statistics import band
from marl_lessons.viz.style import BLUE, GREY


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
    lines = [np.column_stack([x, seed]) for seed in values.T]
    ax.add_collection(LineCollection(lines, colors=colour, linewidths=0.5, alpha=0.25, zorder=2))
    draw_band(ax, x, values, label, colour, linestyle, share, alpha=0.15, zorder=4)


def draw_band(
    ax: Axes,
    x: np.ndarray,
    values: np.ndarray,
    label: str,
    colour: str = BLUE,
    linestyle="-",
    share: float = 0.8,
    *,
    alpha: float = 0.13,
    zorder: float = 2,
) -> None:
    """``values[K, E]`` over ``x[K]``: the median of the E seeds and a band for the central ``share`` of them.

    ``alpha``: how opaque the band is; ``zorder``: what the median lies above.
    """
    summary = band(values, share)
    ax.fill_between(x, summary.low, summary.high, color=colour, alpha=alpha, linewidth=0, zorder=1)
    ax.plot(x, summary.median, color=colour, linestyle=linestyle, label=label, zorder=zorder)


def mark(ax: Axes, step: float, top: float, text: str) -> None:
    """A dashed line at ``step`` with a word beside it, at the height ``top``."""
    ax.axvline(step, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
    ax.text(step, top, f" {text}", ha="left", va="top", fontsize=8.5, color="#555555")


def in_thousands(ax: Axes) -> None:
    """Label the horizontal axis "20k" instead of "20000": shorter, and neighbours do not touch."""
    ax.xaxis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
