"""What a channel is worth: success against its noise, its width or its price, and the bits that it carries. Lesson 10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.evaluation.statistics import Share
from marl_lessons.evaluation.talk.channels import Outcome
from marl_lessons.viz.style import BLACK, GREY, LINES, new_figure

Z95 = 1.96  # standard errors on each side of a mean, for 95 %
LEVEL_LINES = (":", "--", "-.", (0, (6, 2, 1, 2, 1, 2)))
Measured = Outcome | Share | np.ndarray


class Estimate(NamedTuple):
    """A share with its standard error, and the single values ``seeds[S]`` that it is the mean of, if it is one."""

    value: float
    error: float
    seeds: np.ndarray


def estimate(measured: Measured) -> Estimate:
    """A share of episodes as it stands in an Outcome or a Share, or the mean over seeds of shares ``[S]`` with its error.

    The error over seeds is their standard deviation / √S, 0 for one seed.
    """
    if isinstance(measured, Outcome):
        measured = measured.success
    if isinstance(measured, Share):
        return Estimate(measured.value, measured.error, np.empty(0))
    seeds = np.asarray(measured)
    spread = seeds.std(ddof=1) if len(seeds) > 1 else 0.0
    return Estimate(float(seeds.mean()), float(spread / np.sqrt(len(seeds))), seeds)


def draw_channel(
    success: Mapping[str, Mapping[float, Measured]],
    setting: str,
    bits: Mapping[str, Mapping[float, float]] | None = None,
    levels: Mapping[str, float] | None = None,
    now: float | None = None,
    even: bool = False,
) -> Figure:
    """Widget: ``success[label][x]`` over x, ``setting`` (noise, words garbled, bits allowed, price), and beside it bits per step.

    Success is an Outcome or a Share, drawn with a bar of 1.96 standard errors each way, cut off at 0 and 1, or an array
    of one share for each seed, drawn as dots with mean and bar. Such a bar has no length at 0 and 1. ``bits[label][x]``: what the
    channel carries; None: one panel. ``levels[name]``: success drawn as horizontal lines. ``now``: an x that is marked, whose
    numbers stand in the legend. ``even``: all x at equal distances. At most 5 labels.
    """
    found = {label: {x: estimate(row[x]) for x in sorted(row)} for label, row in success.items()}
    bits = {label: dict(sorted(row.items())) for label, row in (bits or {}).items()}
    xs = sorted({x for table in (found, bits) for row in table.values() for x in row})
    if now is not None and now not in xs:
        raise ValueError(f"now is {now}; allowed are {xs!r:.200}")
    place = dict(zip(xs, range(len(xs)) if even else xs))
    figure, axes = new_figure(1, 1 + bool(bits), size=(7.8, 3.5), left=0.085, right=0.98, bottom=0.3, wspace=0.2)  # fmt: skip
    looks = dict(zip(dict.fromkeys([*found, *bits]), LINES))
    for label, row in found.items():
        told = f"{label}: {row[now].value:.2f}" if now in row else label
        _draw_success(axes[0], [place[x] for x in row], list(row.values()), told, looks[label])
    draw_levels(axes[0], levels)
    told = [f"{row[now].value:.0%}" for row in found.values() if now in row]
    title = f"At {now:g}, {' or '.join(told)} succeed" if told else "Success"
    axes[0].set(ylim=(-0.03, 1.03), title=title, ylabel="share of episodes")
    for label, row in bits.items():
        colour, style, marker = looks[label]
        told = f"{label}: {row[now]:.2f}" if now in row else label
        at = [place[x] for x in row]
        axes[1].plot(at, list(row.values()), color=colour, linestyle=style, marker=marker, label=told)  # fmt: skip
    if bits:
        told = [f"{row[now]:.2f}" for row in bits.values() if now in row]
        title = f"Carries {' or '.join(told)} bits" if told else "What the channel carries"
        axes[1].set(title=title, ylabel="bits per step")
        axes[1].set_ylim(0, 1.08 * max(0.1, *(v for row in bits.values() for v in row.values())))
    for ax in axes:
        if even:
            ax.set_xticks(range(len(xs)), [f"{x:g}" for x in xs])
        if now is not None:
            ax.axvline(place[now], color=GREY, linestyle=(0, (4, 3)), linewidth=1.2, zorder=1)
        ax.set_xlabel(setting)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=8.5, columnspacing=1)  # fmt: skip
    return figure


def _draw_success(ax: Axes, at: list[float], found: list[Estimate], label: str, look) -> None:
    colour, style, marker = look
    value, reach = np.array([(one.value, Z95 * one.error) for one in found]).T
    bars = np.minimum(reach, [value, 1 - value])  # below and above, cut off at 0 and 1
    ax.errorbar(at, value, bars, color=colour, linestyle=style, marker=marker,
                capsize=2.5, elinewidth=1.2, linewidth=1.6, label=label, zorder=4)  # fmt: skip
    for x, one in zip(at, found):
        ax.plot(np.full(len(one.seeds), x), one.seeds, "o", color=colour, markersize=3, alpha=0.4)


def draw_levels(ax: Axes, levels: Mapping[str, float] | None) -> None:
    """Horizontal lines at ``levels[name]``, with their names and values for the legend."""
    for k, (name, level) in enumerate((levels or {}).items()):
        style = LEVEL_LINES[k % len(LEVEL_LINES)]
        text = f"{name}: {level:.3g}"
        ax.axhline(level, color=BLACK, linestyle=style, linewidth=1.1, label=text, zorder=3)
