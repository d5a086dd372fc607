"""What a channel is worth: success against its noise, its width or its price, and how agents fare whose messages are changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.checks import as_flag, as_float_array, as_number
from marl_lessons.evaluation.statistics import Share
from marl_lessons.evaluation.talk.channels import Outcome
from marl_lessons.viz.style import BLACK, BLUE, GREY, LINES, new_figure

Z95 = 1.96  # standard errors on each side of a mean, for 95 %
LEVEL_LINES = (":", "--", "-.", (0, (6, 2, 1, 2, 1, 2)))
Measured = Outcome | Share | np.ndarray


class Estimate(NamedTuple):
    """A share with its standard error, and the single values ``seeds[S]`` that it is the mean of, if it is one."""

    value: float
    error: float
    seeds: np.ndarray


def estimate(name: str, measured: Measured) -> Estimate:
    """A share of episodes as it stands in an Outcome or a Share, or the mean over seeds of shares ``[S]`` with its error.

    The error over seeds is their standard deviation / √S, 0 for one seed.
    """
    if isinstance(measured, Outcome):
        measured = measured.success
    if isinstance(measured, Share):
        value = as_number(f"{name}.value", measured.value, 0.0, 1.0)
        return Estimate(value, as_number(f"{name}.error", measured.error, 0.0, 1.0), np.empty(0))
    seeds = as_float_array(name, measured, (None,))
    if seeds.min() < 0 or seeds.max() > 1:
        raise ValueError(f"{name}: allowed are shares from 0 to 1, got {measured!r:.80}")
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
    success = _as_table("success", success, estimate)
    bits = {} if bits is None else _as_table("bits", bits, lambda k, v: as_number(k, v, 0.0, 1e9))
    levels, even = as_levels(levels), as_flag("even", even)
    labels = list(dict.fromkeys([*success, *bits]))
    if len(labels) > len(LINES):
        raise ValueError(f"success, bits: {len(LINES)} labels at most fit, got {len(labels)}")
    if not isinstance(setting, str):
        raise ValueError(f"setting: expected a text, got {setting!r:.80}")
    xs = sorted({x for table in (success, bits) for row in table.values() for x in row})
    place = dict(zip(xs, range(len(xs)) if even else xs))
    if now is not None and as_number("now", now) not in place:
        raise ValueError(f"now is {now}; allowed are {xs!r:.200}")
    figure, axes = new_figure(1, 1 + bool(bits), size=(7.8, 3.5), left=0.085, right=0.98, bottom=0.3, wspace=0.2)  # fmt: skip
    looks = dict(zip(labels, LINES))
    for label, row in success.items():
        told = f": {row[now].value:.2f}" if now in row else ""
        _draw_success(axes[0], [place[x] for x in row], list(row.values()), f"{label}{told}", looks[label])  # fmt: skip
    draw_levels(axes[0], levels)
    axes[0].set(ylim=(-0.03, 1.03), title=_success_title(success, now), ylabel="share of episodes")
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


def draw_tampering(
    success: Mapping[str, Measured], levels: Mapping[str, float] | None = None
) -> Figure:
    """How trained agents fare when their messages are tampered with: a row for each name of ``success``, from the top.

    Values and bars as in :func:`draw_channel`; ``levels[name]``: success drawn as vertical lines.
    """
    rows = as_entries("success", success, estimate)
    levels, height = as_levels(levels), 0.9 + 0.34 * len(rows) + 0.3 * bool(levels)
    figure, (ax,) = new_figure(size=(7.4, height), left=0.25, bottom=(0.5 + 0.3 * bool(levels)) / height)  # fmt: skip
    for k, found in enumerate(rows.values()):
        ax.barh(k, found.value, color=BLUE, height=0.6, alpha=0.75)
        ax.errorbar(found.value, k, xerr=_bar(found), color=BLACK, linewidth=1.2, capsize=2.5)
        ax.plot(found.seeds, np.full(len(found.seeds), k), "o", color=BLACK, markersize=3, alpha=0.6)  # fmt: skip
        ax.text(1.03, k, f"{found.value:.2f}", va="center", fontsize=9)
    draw_levels(ax, levels, upright=True)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set(xlim=(0, 1.1), ylim=(len(rows) - 0.5, -0.5), xlabel="share of episodes that succeed")
    ax.set_title("The same agents, other messages")
    ax.grid(axis="y", visible=False)
    if levels:
        figure.legend(loc="lower center", ncols=len(levels))
    return figure


def _draw_success(ax: Axes, at: list[float], found: list[Estimate], label: str, look) -> None:
    colour, style, marker = look
    bars = np.concatenate([_bar(one) for one in found], axis=1)
    ax.errorbar(at, [one.value for one in found], bars, color=colour, linestyle=style, marker=marker,
                capsize=2.5, elinewidth=1.2, linewidth=1.6, label=label, zorder=4)  # fmt: skip
    for x, one in zip(at, found):
        ax.plot(np.full(len(one.seeds), x), one.seeds, "o", color=colour, markersize=3, alpha=0.4)


def _success_title(success: dict, now: float | None) -> str:
    """What happens at ``now``, or between the ends."""
    told = [f"{row[now].value:.0%}" for row in success.values() if now in row]
    return f"At {now:g}, {' or '.join(told)} succeed" if told else "Success"


def _bar(found: Estimate) -> np.ndarray:
    """``[2, 1]``: how far the bar reaches below and above the value."""
    reach = Z95 * found.error
    return np.array([[min(reach, found.value)], [min(reach, 1 - found.value)]])


def draw_levels(ax: Axes, levels: Mapping[str, float], upright: bool = False) -> None:
    """Horizontal lines at ``levels[name]``, or upright ones, with their names and values for the legend. Checks nothing."""
    line = ax.axvline if upright else ax.axhline
    for (name, level), style in zip(levels.items(), LEVEL_LINES * len(levels)):
        text = f"{name}: {level:.3g}"
        line(level, color=BLACK, linestyle=style, linewidth=1.1, label=text, zorder=3)


def as_levels(levels) -> dict[str, float]:
    """Numbers by name as a dict, None as an empty one; raises ValueError naming ``levels`` for anything else."""
    if levels is not None and not isinstance(levels, Mapping):
        raise ValueError(f"levels: expected numbers by name, got {levels!r:.80}")
    return {
        name: as_number(f"levels[{name!r:.40}]", v, -1e300, 1e300)
        for name, v in (levels or {}).items()
    }


def as_entries(name: str, entries, check: Callable) -> dict:
    """``entries`` with ``check("name[key]", value)`` in place of each value; raises ValueError naming ``name`` if there are none."""
    if not isinstance(entries, Mapping) or not entries:
        raise ValueError(f"{name}: expected a dict with one entry or more, got {entries!r:.80}")
    return {key: check(f"{name}[{key!r:.40}]", value) for key, value in entries.items()}


def _as_table(name: str, table, check) -> dict[str, dict[float, object]]:
    """Rows by label, each over increasing numbers."""
    rows = as_entries(name, table, lambda key, row: as_entries(key, row, check))
    for label, row in rows.items():
        for x in row:
            as_number(f"{name}[{label!r:.40}]: a key", x)
            if not np.isfinite(x):
                raise ValueError(f"{name}[{label!r:.40}]: a key is {x}; allowed are finite numbers")
    return {label: dict(sorted(row.items())) for label, row in rows.items()}
