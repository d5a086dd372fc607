"""Curves of learners on the particle worlds: returns while they learn, and how many seeds are beyond a threshold, and when.

Labels read "method, exploration", as "MADDPG, white noise"; without a comma there is no exploration to choose.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from marl_lessons.checks import as_flag, as_float_array, as_number
from marl_lessons.evaluation.recorded import Curves, check_curves
from marl_lessons.viz.curves import in_thousands
from marl_lessons.viz.style import BLACK, LINES, new_figure

# How far the parts of a critic's target move while policies learn: curves over training, in panels that share the time axis.

Panels = Mapping[str, tuple[str, Mapping[str, np.ndarray]]]


def draw_moving_parts(env_steps: np.ndarray, panels: Panels) -> Figure:
    """One panel for each of ``panels[title] = (unit, {label: values[K-1]})``: how far something moved between two records.

    ``env_steps[K]``: steps of all worlds at the records, increasing; a value, at least 0, stands at the later one. All axes
    begin at 0, so that what stands still lies on the lower edge. A panel has at most 5 curves, told apart without colour, too.
    """
    steps = as_float_array("env_steps", env_steps, (None,))
    if len(steps) < 2 or (np.diff(steps) <= 0).any() or steps[0] < 0:
        raise ValueError(f"env_steps: expected 2 increasing numbers or more, got {env_steps!r:.80}")
    panels = _as_panels(panels, len(steps) - 1)
    figure, axes = new_figure(
        1, len(panels), size=(7.8, 3.1), left=0.08, right=0.985, top=0.86, bottom=0.17, wspace=0.3
    )
    for ax, (title, (unit, curves)) in zip(axes, panels.items()):
        _draw_panel(ax, steps, curves)
        ax.set(xlim=(0, steps[-1]), xlabel="steps of all worlds", ylabel=unit)
        ax.set_title(title, fontsize=10)
    return figure


def _draw_panel(ax: Axes, steps: np.ndarray, curves: dict[str, np.ndarray]) -> None:
    for (label, values), (colour, style, marker) in zip(curves.items(), LINES):
        ax.plot(steps[1:], values, color=colour, linestyle=style, marker=marker, markersize=4,
                label=label, clip_on=False, zorder=3)  # fmt: skip
    ax.set_ylim(0, 1.15 * max(1e-9, *(values.max() for values in curves.values())))
    in_thousands(ax)
    ax.legend(loc="upper right")


def _as_panels(panels, count: int) -> dict[str, tuple[str, dict[str, np.ndarray]]]:
    """``panels`` with ``count`` values in each curve."""
    if not isinstance(panels, Mapping) or not panels:
        raise ValueError(f"panels: expected curves by title, got {panels!r:.80}")
    checked = {}
    for title, panel in panels.items():
        name = f"panels[{title!r:.40}]"
        if not isinstance(panel, tuple | list) or len(panel) != 2 or not isinstance(panel[0], str):
            raise ValueError(f"{name}: expected a unit and curves by label, got {panel!r:.80}")
        unit, curves = panel
        if not isinstance(curves, Mapping) or not curves:
            raise ValueError(f"{name}: expected curves by label, got {curves!r:.80}")
        if len(curves) > len(LINES):
            raise ValueError(f"{name}: {len(LINES)} curves at most fit, got {len(curves)}")
        arrays = {k: as_float_array(f"{name}[{k!r:.40}]", v, (count,)) for k, v in curves.items()}
        for label, values in arrays.items():
            if values.min() < 0:
                raise ValueError(f"{name}[{label!r:.40}]: a distance is not below 0, got {values.min():g}")  # fmt: skip
        checked[title] = unit, arrays
    return checked


# ------------------------------------------------------------

AXES = {"env steps": "steps of all worlds together", "seconds": "seconds on the clock"}
LEVEL_LINES = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))
DEEPEST = 1.8  # the axis of returns ends at so many times the lowest level, if there are levels
ALL = "all"


def draw_convergence(
    curves: Mapping[str, Curves],
    levels: Mapping[str, float],
    threshold: float = -9.0,
    x: str = "env steps",
    overlaid: bool = False,
) -> Figure:
    """Returns of all seeds while they learn, thin, and their median, bold; one panel for each label, or all in one.

    ``levels[name]``: returns drawn as horizontal lines, such as what those reach that know how to act; ``threshold``: the
    panels' titles count the seeds beyond it at the end; ``x``: a key of AXES. Returns far below the lowest level are cut
    off. Over seconds the median lies at the seeds' median time. A label that is too wide for its panel makes all titles
    smaller.
    """
    curves, levels = check_curves("curves", curves), _as_levels(levels)
    threshold, x = as_number("threshold", threshold), _as_axis(x)
    labels, together = list(curves), as_flag("overlaid", overlaid)
    if len(labels) > len(LINES) and together:
        raise ValueError(f"overlaid: {len(LINES)} labels at most fit one panel, got {len(labels)}")
    figure, axes, columns = _new_panels(1 if together else len(labels), len(labels) + len(levels))
    end = max(_places(runs, x).max() for runs in curves.values())
    lowest, highest = _range([runs.returns for runs in curves.values()], levels)
    titles = ["Thin: every seed, bold: their median"] if together else []
    for k, label in enumerate(labels):
        ax = axes[0 if together else k]
        colour, style = LINES[k][:2] if together else LINES[0][:2]
        beyond = f"{count_beyond(curves[label], threshold)} of {len(curves[label].seeds)} seeds beyond {threshold:g}"
        name = f"{label}: {beyond}" if together else "median of seeds"
        _draw_runs(ax, curves[label], x, colour, style, name)
        titles += [] if together else [f"{label}\n{beyond}"]
    _write_titles(axes, titles, 8.5 if columns == 3 else 10.5)
    for k, ax in enumerate(axes):
        _draw_levels(ax, levels)
        ax.set(xlim=(0, end), ylim=(lowest, highest))
        _label_x(ax, x, (8, 4, 3)[columns - 1], last=k + columns >= len(axes))
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
    curves_by_label: Mapping[str, Curves],
    threshold: float = -9.0,
    x: str = "env steps",
    exploration: str = ALL,
) -> Figure:
    """Widget: the share of seeds beyond ``threshold`` while they learn, by method; the legend says when half of them are.

    A seed counts where its latest measurement is beyond: one that falls back counts no longer. ``x``: a key of AXES;
    ``exploration``: one of :func:`explorations`, or ALL.
    """
    curves = check_curves("curves_by_label", curves_by_label)
    threshold, x = as_number("threshold", threshold), _as_axis(x)
    allowed = (ALL, *explorations(curves))
    if not isinstance(exploration, str) or exploration not in allowed:
        raise ValueError(f"exploration is {exploration!r:.80}; allowed are {allowed!r:.200}")
    shown = {name: runs for name, runs in curves.items() if exploration in (ALL, _split(name)[1])}
    below = 0.62 + 0.19 * -(-len(shown) // 2)
    figure, (ax,) = new_figure(size=(7.8, 2.9 + below), bottom=below / (2.9 + below), right=0.97)
    methods = list(dict.fromkeys(_split(label)[0] for label in curves))
    end = max(_places(runs, x).max() for runs in curves.values())
    for label, runs in shown.items():
        method, noise = (methods.index(_split(label)[0]), allowed.index(_split(label)[1]) - 1)
        colour = LINES[method % len(LINES)][0]
        style = LINES[(noise if exploration == ALL else method) % len(LINES)][1]
        at, share = share_beyond(runs, threshold, x)
        at, share = np.array([0, *at, end]), np.array([0, *share, share[-1]])
        name = f"{label}: {_when(median_time(runs, threshold, x), x)}"
        ax.step(at, share, where="post", color=colour, linestyle=style, linewidth=2.2, label=name)
    ax.axhline(0.5, color=BLACK, linewidth=0.8, linestyle=(0, (1, 3)))
    ax.set(xlim=(0, end), ylim=(-0.02, 1.04), ylabel="share of seeds")
    ax.set_title(f"Seeds beyond {threshold:g}: an early rise is fast learning, a high one reliable")
    _label_x(ax, x, 8)
    _legend_below(figure, ax)
    return figure


def explorations(curves_by_label: Mapping[str, Curves]) -> list[str]:
    """The explorations that labels name, each once."""
    labels = check_curves("curves_by_label", curves_by_label)
    return list(dict.fromkeys(_split(label)[1] for label in labels))


def count_beyond(curves: Curves, threshold: float) -> int:
    """How many seeds return more than ``threshold`` at their last measurement."""
    return int((_as_curves(curves).returns[-1] > as_number("threshold", threshold)).sum())


def share_beyond(
    curves: Curves, threshold: float, x: str = "env steps"
) -> tuple[np.ndarray, np.ndarray]:
    """``[G]`` each: places on the axis ``x``, and the share of seeds whose latest measurement until there is beyond ``threshold``.

    Before its first measurement a seed is not beyond; after its last, that one stands. ``x``: a key of AXES. Raises
    ValueError naming the argument.
    """
    places, beyond = _places(curves, x), curves.returns > as_number("threshold", threshold)
    grid = np.unique(places)
    latest = np.stack([np.searchsorted(column, grid, side="right") for column in places.T], axis=1)
    padded = np.vstack([np.zeros(beyond.shape[1], dtype=bool), beyond])
    return grid, np.take_along_axis(padded, latest, axis=0).mean(axis=1)


def median_time(curves: Curves, threshold: float, x: str = "env steps") -> float:
    """When half of the seeds have been beyond ``threshold`` once: a place on the axis ``x``, infinite if they never are.

    ``x``: a key of AXES.
    """
    places, beyond = _places(curves, x), curves.returns > as_number("threshold", threshold)
    first = np.take_along_axis(places, beyond.argmax(axis=0)[None], axis=0)[0]
    times = np.sort(np.where(beyond.any(axis=0), first, np.inf))
    return float(times[(len(times) - 1) // 2])


def _draw_runs(ax: Axes, curves: Curves, x: str, colour: str, style, name: str) -> None:
    places = _places(curves, x)
    ax.plot(places, curves.returns, color=colour, linestyle="-", linewidth=0.7, alpha=0.45)
    middle = np.median(places, axis=1), np.median(curves.returns, axis=1)
    ax.plot(*middle, color=colour, linestyle=style, linewidth=2.6, label=name, zorder=4,
            marker="o" if len(places) == 1 else "", clip_on=len(places) > 1)  # fmt: skip


def _label_x(ax: Axes, x: str, n_ticks: int, last: bool = True) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(n_ticks))
    if x == "env steps":
        in_thousands(ax)
    if last:
        ax.set_xlabel(AXES[x])


def _legend_below(figure: Figure, ax: Axes) -> None:
    """One legend for all panels, below them: in two columns if its names are long, else in a row."""
    handles, names = ax.get_legend_handles_labels()
    columns = 2 if max(len(name) for name in names) > 30 else len(names)
    figure.legend(handles, names, loc="lower center", ncols=columns)


def _draw_levels(ax: Axes, levels: Mapping[str, float]) -> None:
    for (name, level), style in zip(levels.items(), LEVEL_LINES * len(levels)):
        text = f"{name}: {level:.1f}"
        ax.axhline(level, color=BLACK, linestyle=style, linewidth=1.1, label=text, zorder=3)


def _range(returns: list[np.ndarray], levels: Mapping[str, float]) -> tuple[float, float]:
    """The axis of returns: all of them and the levels, but nothing deeper than DEEPEST times the lowest level."""
    every = np.concatenate([r.ravel() for r in returns] + [list(levels.values())])
    lowest, highest = every.min(), every.max()
    if levels and min(levels.values()) < 0:
        lowest = max(lowest, DEEPEST * min(levels.values()))
    margin = 0.05 * (highest - lowest) or 1.0
    return lowest - margin, highest + margin


def _places(curves: Curves, x: str) -> np.ndarray:
    """``[K, S]``: where measurements lie on the axis ``x``."""
    curves, x = _as_curves(curves), _as_axis(x)
    if x == "seconds":
        return curves.seconds
    return np.broadcast_to(curves.env_steps[:, None], curves.returns.shape).astype(float)


def _split(label: str) -> tuple[str, str]:
    """Method and exploration of a label."""
    method, _, exploration = label.partition(", ")
    return method, exploration


def _when(time: float, x: str) -> str:
    if not np.isfinite(time):
        return "never half of them"
    return (
        f"half after {time / 1000:,.4g}k steps" if x == "env steps" else f"half after {time:.1f} s"
    )


def _as_curves(curves) -> Curves:
    if not isinstance(curves, Curves):
        raise ValueError(f"curves: expected Curves, got {curves!r:.80}")
    return curves


def _as_axis(x) -> str:
    if not isinstance(x, str) or x not in AXES:
        raise ValueError(f"x is {x!r:.80}; allowed are {', '.join(AXES)}")
    return x


def _as_levels(levels) -> dict[str, float]:
    if not isinstance(levels, Mapping):
        raise ValueError(f"levels: expected returns by name, got {levels!r:.80}")
    return {name: as_number(f"levels[{name!r:.40}]", v) for name, v in levels.items()}
