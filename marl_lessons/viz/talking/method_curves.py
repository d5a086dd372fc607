"""Learning curves of several methods beside each other, and when one of them has overtaken another. Lesson 10."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.evaluation.statistics import break_even, earned_so_far
from marl_lessons.viz.curves import draw_seeds, in_thousands
from marl_lessons.viz.style import GREEN, GREY, LINES, VERMILION, new_figure
from marl_lessons.viz.talking.channel_curves import draw_levels

Curves = Mapping[str, tuple[np.ndarray, np.ndarray]]


def draw_methods(
    curves: Curves,
    ylabel: str,
    levels: Mapping[str, float] | None = None,
    against: tuple[str, str] | None = None,
    margin: float = 0.0,
    floor: float | None = None,
    xlabel: str = "steps",
) -> Figure:
    """Learning curves ``curves[label] = (steps[K], values[K, E])``: every seed, the median, a band for 80 % of the seeds.

    ``levels[name]``: values drawn as horizontal lines. ``against``: two labels with the same steps; marks when the first
    one's median overtakes the second's for good (dashed, see :func:`~marl_lessons.evaluation.statistics.break_even` for ``margin``), and when it has made good
    in all what it had lost by then (dotted); red where it is below, green where above. Values below ``floor`` are cut off.
    At most 5 labels.
    """
    every = np.concatenate(
        [v.ravel() for _, v in curves.values()] + [list((levels or {}).values())]
    )
    lowest = every.min() if floor is None else floor
    figure, (ax,) = new_figure(size=(7.4, 3.9), bottom=0.27)
    for (label, (steps, values)), (colour, style, _) in zip(curves.items(), LINES):
        draw_seeds(ax, steps, values, label, colour, style)
    draw_levels(ax, levels)
    edge = 0.06 * (every.max() - lowest) or 0.1
    ax.set(xlim=(0, max(steps[-1] for steps, _ in curves.values())))
    ax.set(ylim=(lowest - edge, every.max() + edge), xlabel=xlabel, ylabel=ylabel)
    usual = "Thin: every seed, bold: their median"
    title = ax.set_title(usual if against is None else _mark(ax, curves, *against, margin))
    shrink = max(1.0, title.get_window_extent().width / ax.bbox.width)
    title.set_fontsize(title.get_fontsize() / shrink)
    in_thousands(ax)
    figure.legend(*ax.get_legend_handles_labels(), loc="lower center", ncols=3)
    return figure


def _mark(ax: Axes, curves: dict, first: str, second: str, margin: float) -> str:
    """Marks both moments, and what lies between the two medians; returns what happens in words."""
    steps = curves[first][0]
    mine, other = (np.median(curves[label][1], axis=1) for label in (first, second))
    for lower, colour in ((mine < other, VERMILION), (mine > other, GREEN)):
        ax.fill_between(steps, mine, other, where=lower, color=colour, alpha=0.25, linewidth=0,
                        interpolate=True, zorder=1.5)  # fmt: skip
    ahead = break_even(steps, mine, other, margin)
    if np.isnan(ahead):
        return f"{first} never gets ahead of {second} for good"
    whole = break_even(steps, *(earned_so_far(steps, values) for values in (mine, other)))
    for at, style in ((ahead, "--"), (whole, ":")):
        if not np.isnan(at):
            ax.axvline(at, color=GREY, linestyle=style, linewidth=1.6, zorder=3)
    paid = "its loss not made good" if np.isnan(whole) else f"its loss made good at {whole:,.0f}"
    lost = (mine < other)[steps < ahead].any()
    return f"{first}: ahead for good from {ahead:,.0f}" + (f", {paid}" if lost else "")
