"""Curves of learners on the particle worlds: returns, shares of seeds beyond a threshold, what moves. Lesson 09.

Labels read "method, exploration", as "MADDPG, white noise"; without a comma there is no exploration to choose.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from marl_lessons.evaluation.recorded import Curves
from marl_lessons.viz.curves import in_thousands
from marl_lessons.viz.style import BLACK, BLUE, LINES, new_figure

LEVEL_LINES = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))
DEEPEST = 1.8  # the axis of returns ends at so many times the lowest level, if there are levels
ALL = "all"  # explorations
Panels = Mapping[str, tuple[str, Mapping[str, np.ndarray]]]


def draw_moving_parts(env_steps: np.ndarray, panels: Panels) -> Figure:
    """One panel for each of ``panels[title] = (unit, {label: values[K-1]})``: how far something moved between two records.

    ``env_steps[K]``: steps of all worlds at the records, increasing; a value, at least 0, stands at the later one. All axes
    begin at 0, so that what stands still lies on the lower edge. A panel has at most 5 curves, told apart without colour, too.
    """
    figure, axes = new_figure(
        1, len(panels), size=(7.8, 3.1), left=0.08, right=0.985, top=0.86, bottom=0.17, wspace=0.3
    )
    for ax, (title, (unit, curves)) in zip(axes, panels.items()):
        for (label, values), (colour, style, marker) in zip(curves.items(), LINES):
            look = {"color": colour, "linestyle": style, "marker": marker, "markersize": 4}
            ax.plot(env_steps[1:], values, label=label, clip_on=False, zorder=3, **look)
        ax.set_ylim(0, 1.15 * max(1e-9, *(values.max() for values in curves.values())))
        ax.set(xlim=(0, env_steps[-1]), xlabel="steps of all worlds", ylabel=unit)
        ax.set_title(title, fontsize=10)
        in_thousands(ax)
        ax.legend(loc="upper right")
    return figure


def draw_convergence(
    curves: Mapping[str, Curves], levels: Mapping[str, float], threshold: float = -9.0
) -> Figure:
    """Returns of all seeds while they learn, thin, and their median, bold; one panel for each label.

    ``levels[name]``: returns drawn as horizontal lines, such as what those reach that know how to act; ``threshold``: the
    panels' titles count the seeds beyond it at the end. Returns far below the lowest level are cut off. A label that is too
    wide for its panel makes all titles smaller.
    """
    figure, axes, columns = _new_panels(len(curves), len(curves) + len(levels))
    end = max(runs.env_steps[-1] for runs in curves.values())
    lowest, highest = _range([runs.returns for runs in curves.values()], levels)
    titles = []
    for ax, (label, runs) in zip(axes, curves.items()):
        _draw_runs(ax, runs)
        for (name, level), style in zip(levels.items(), LEVEL_LINES * len(levels)):
            look = {"color": BLACK, "linestyle": style, "linewidth": 1.1, "zorder": 3}
            ax.axhline(level, label=f"{name}: {level:.1f}", **look)
        beyond = f"{count_beyond(runs, threshold)} of {len(runs.seeds)} seeds beyond {threshold:g}"
        titles.append(f"{label}\n{beyond}")
    _write_titles(axes, titles, 8.5 if columns == 3 else 10.5)
    for k, ax in enumerate(axes):
        ax.set(xlim=(0, end), ylim=(lowest, highest))
        _label_steps(ax, (8, 4, 3)[columns - 1], last=k + columns >= len(axes))
        if k % columns:
            ax.set_yticklabels([])
        else:
            ax.set_ylabel("return, per agent")
    _legend_below(figure, axes[0])
    return figure


def _new_panels(count: int, n_names: int) -> tuple[Figure, list[Axes], int]:
    """A figure with ``count`` panels, with room for ``n_names`` below, its axes and the number of its columns."""
    columns = count if count < 4 else 2 if count == 4 else 3
    rows = -(-count // columns)
    below = 0.62 + 0.19 * (1 if count > 1 else -(-n_names // 2))
    height = 2.3 * rows + below + 0.2
    figure, axes = new_figure(
        rows, columns, size=(7.8, height), left=0.085, right=0.97, top=1 - 0.5 / height,
        bottom=below / height, wspace=0.13 if columns == 3 else 0.1, hspace=0.45,
    )  # fmt: skip
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count], columns


def _write_titles(axes: list[Axes], titles: list[str], size: float) -> None:
    """A title above each panel, all of one ``size``: smaller if one would reach beyond its own panel."""
    texts = [ax.set_title(title, fontsize=size) for ax, title in zip(axes, titles)]
    widths = [text.get_window_extent().width / ax.bbox.width for ax, text in zip(axes, texts)]
    for text in texts:
        text.set_fontsize(size / max(1.0, 1.03 * max(widths)))


def draw_shares(
    curves: Mapping[str, Curves], threshold: float = -9.0, exploration: str = ALL
) -> Figure:
    """Widget: the share of seeds beyond ``threshold`` while they learn, by method; the legend says when half of them are.

    A seed counts where its latest measurement is beyond: one that falls back counts no longer. ``exploration``: one of
    :func:`explorations`, or ALL.
    """
    shown = {name: runs for name, runs in curves.items() if exploration in (ALL, _split(name)[1])}
    below = 0.62 + 0.19 * -(-len(shown) // 2)
    figure, (ax,) = new_figure(size=(7.8, 2.9 + below), bottom=below / (2.9 + below), right=0.97)
    methods = list(dict.fromkeys(_split(label)[0] for label in curves))
    noises = explorations(curves)
    end = max(runs.env_steps[-1] for runs in curves.values())
    for label, runs in shown.items():
        method, noise = methods.index(_split(label)[0]), noises.index(_split(label)[1])
        colour = LINES[method % len(LINES)][0]
        style = LINES[(noise if exploration == ALL else method) % len(LINES)][1]
        share = (runs.returns > threshold).mean(axis=1)
        at, share = np.array([0, *runs.env_steps, end]), np.array([0, *share, share[-1]])
        half = median_time(runs, threshold)
        when = f"half after {half / 1000:,.4g}k steps" if half < np.inf else "never half of them"
        look = {"color": colour, "linestyle": style, "label": f"{label}: {when}"}
        ax.step(at, share, where="post", linewidth=2.2, **look)
    ax.axhline(0.5, color=BLACK, linewidth=0.8, linestyle=(0, (1, 3)))
    ax.set(xlim=(0, end), ylim=(-0.02, 1.04), ylabel="share of seeds")
    ax.set_title(f"Seeds beyond {threshold:g}: an early rise is fast learning, a high one reliable")
    _label_steps(ax, 8)
    _legend_below(figure, ax)
    return figure


def explorations(curves: Mapping[str, Curves]) -> list[str]:
    """The explorations that the labels of ``curves`` name, each once."""
    return list(dict.fromkeys(_split(label)[1] for label in curves))


def count_beyond(curves: Curves, threshold: float) -> int:
    """How many seeds return more than ``threshold`` at their last measurement."""
    return int((curves.returns[-1] > threshold).sum())


def median_time(curves: Curves, threshold: float) -> float:
    """The steps after which half of the seeds have been beyond ``threshold`` once, infinite if they never are."""
    beyond = curves.returns > threshold
    times = np.sort(np.where(beyond.any(axis=0), curves.env_steps[beyond.argmax(axis=0)], np.inf))
    return float(times[(len(times) - 1) // 2])


def _draw_runs(ax: Axes, curves: Curves) -> None:
    steps, alone = curves.env_steps, len(curves.env_steps) == 1
    ax.plot(steps, curves.returns, color=BLUE, linestyle="-", linewidth=0.7, alpha=0.45)
    bold = {"color": BLUE, "linestyle": "-", "linewidth": 2.6, "marker": "o" if alone else ""}
    middle = np.median(curves.returns, axis=1)
    ax.plot(steps, middle, label="median of seeds", zorder=4, clip_on=not alone, **bold)


def _label_steps(ax: Axes, n_ticks: int, last: bool = True) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(n_ticks))
    in_thousands(ax)
    if last:
        ax.set_xlabel("steps of all worlds together")


def _legend_below(figure: Figure, ax: Axes) -> None:
    """One legend for all panels, below them: in two columns if its names are long, else in a row."""
    handles, names = ax.get_legend_handles_labels()
    columns = 2 if max(len(name) for name in names) > 30 else len(names)
    figure.legend(handles, names, loc="lower center", ncols=columns)


def _range(returns: list[np.ndarray], levels: Mapping[str, float]) -> tuple[float, float]:
    """The axis of returns: all of them and the levels, but nothing deeper than DEEPEST times the lowest level."""
    every = np.concatenate([r.ravel() for r in returns] + [list(levels.values())])
    lowest, highest = every.min(), every.max()
    if levels and min(levels.values()) < 0:
        lowest = max(lowest, DEEPEST * min(levels.values()))
    margin = 0.05 * (highest - lowest) or 1.0
    return lowest - margin, highest + margin


def _split(label: str) -> tuple[str, str]:
    """Method and exploration of a label."""
    method, _, exploration = label.partition(", ")
    return method, exploration
