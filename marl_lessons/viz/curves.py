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


def draw_counts(
    ax: Axes, labels: list[str], counts: list[int], total: int, title: str, xlabel: str
) -> None:
    """Horizontal bars "k of ``total`` seeds", each with its number written at its end."""
    positions = np.arange(len(labels))
    ax.barh(positions, counts, color=BLUE, height=0.55)
    ax.set(yticks=positions, yticklabels=labels, xlim=(0, total * 1.12), title=title, xlabel=xlabel)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    for y, count in zip(positions, counts):
        ax.text(count + total * 0.01, y, f"{count} of {total}", va="center", fontsize=9)
