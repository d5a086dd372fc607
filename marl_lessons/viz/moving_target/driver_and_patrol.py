"""Driver and patrol chase each other, what is stale and what is noise in a table, and old memories. Lesson 05."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.evaluation import running_mean
from marl_lessons.viz.curves import draw_seeds, in_thousands, mark
from marl_lessons.viz.moving_target.drift import FROZEN, LEARNING
from marl_lessons.viz.moving_target.microscope import EQUILIBRIUM
from marl_lessons.viz.style import BLACK, BLUE, GREEN, GREY, LINES, ORANGE, VERMILION, new_figure

STAR = {"color": ORANGE, "markeredgecolor": BLACK, "markersize": 14}
HOLLOW = {"color": "white", "markeredgecolor": BLACK, "markersize": 6}


def _square_and_curves(most: float) -> tuple[Figure, Axes, Axes]:
    """A figure of two: on the left the square of both policies, up to ``most``; on the right curves."""
    figure, (square, ax) = new_figure(
        1, 2, size=(7.8, 3.4), left=0.08, right=0.985, top=0.88, bottom=0.16, wspace=0.26
    )
    square.set(xlim=(0, most), ylim=(0, most))
    square.set(xlabel="driver speeds (probability)", ylabel="patrol checks (probability)")
    return figure, square, ax


def draw_chase(
    points: np.ndarray,
    smoothed: tuple[float, float],
    steps: np.ndarray,
    errors: Mapping[str, np.ndarray],
    freeze: int,
) -> Figure:
    """Left: one run's pair of policies ``points[K, 2]`` in the speed check; right: ``errors[patrol][K+1, E]``.

    Records every 10 steps; drawn are means over 120 steps on the left and over 500 on the right. ``smoothed``: the point of
    the smoothed equilibrium; ``freeze``: the step at which the second patrol of ``errors`` is frozen.
    """
    figure, square, ax = _square_and_curves(0.8)
    path = running_mean(points, 12)
    square.plot(*path.T, "-", color=BLUE, linewidth=1.3)
    for k in np.linspace(3, len(path) - 9, 9).astype(int):
        arrow = {"arrowstyle": "-|>", "color": BLUE, "linewidth": 1}
        square.annotate("", path[k + 4], path[k], arrowprops=arrow)
    square.plot(*EQUILIBRIUM, "*", label="equilibrium", **STAR)
    square.plot(*smoothed, "D", label="smoothed equilibrium", **HOLLOW)
    square.set_title(f"One seed, {10 * (len(points) - 1):,} steps")
    square.legend(loc="upper right")
    for (name, values), (colour, line) in zip(errors.items(), (LEARNING, FROZEN)):
        smooth, at = running_mean(values, 50), steps[25:-24]
        draw_seeds(ax, at, smooth, name, colour, line)
    mark(ax, freeze, 3.4, "freeze")
    ax.set(xlabel="step", ylabel="|Q(speed) - its worth now|", xlim=(0, steps[-1]), ylim=(0, 3.4))
    ax.set_title("The driver's error, 500-step means")
    in_thousands(ax)
    ax.legend(loc="upper right")
    return figure


def draw_split(parts: Mapping[str, Mapping[str, tuple[float, float]]]) -> Figure:
    """Stale and noise part of the error for several settings: ``parts[title][setting] = (stale, noise)``, side by side."""
    widths = [len(settings) for settings in parts.values()]
    figure, axes = new_figure(
        1, len(parts), size=(7.8, 3.1), left=0.08, right=0.99, top=0.86, bottom=0.2, wspace=0.12
    )
    left, total = 0.08, sum(widths) + 0.6 * (len(widths) - 1)
    top = 1.15 * max(max(values) for settings in parts.values() for values in settings.values())
    for ax, width, (title, settings) in zip(axes, widths, parts.items()):
        share = 0.91 * width / total
        ax.set_position((left, 0.2, share, 0.66))
        left += share + 0.91 * 0.6 / total
        x = np.arange(width)
        stale, noise = np.array(list(settings.values())).T
        ax.bar(x - 0.2, stale, 0.4, color=VERMILION, label="stale")
        ax.bar(x + 0.2, noise, 0.4, color="white", edgecolor=BLUE, hatch="////", label="noise")
        ax.set_xticks(x, list(settings))
        ax.set(ylim=(0, top), title=title)
        if ax is not axes[0]:
            ax.set_yticklabels([])
    axes[0].set_ylabel("mean size, points a decision")
    axes[-1].legend(loc="upper left")
    return figure


def draw_settling(
    paths: Mapping[str, np.ndarray], steps: np.ndarray, distances: Mapping[str, np.ndarray]
) -> Figure:
    """Left: ``paths[name][K, 2]`` of gradient learners; right: how far learners are from the equilibrium.

    ``distances[name][K, E]`` at ``steps[K]``.
    """
    figure, square, ax = _square_and_curves(1)
    for (name, path), (colour, line) in zip(paths.items(), ((GREY, "-"), (GREEN, "-"))):
        square.plot(*path.T, color=colour, linestyle=line, linewidth=1.2, label=name)
    start = next(iter(paths.values()))[0]
    square.plot(*start, "s", **HOLLOW)
    square.plot(*EQUILIBRIUM, "*", **STAR)
    square.set_title("Tiny steps along the exact gradient")
    square.legend(loc="upper right")
    for (name, values), (colour, line, _) in zip(distances.items(), LINES):
        draw_seeds(ax, steps, values, name, colour, line)
    ax.set(xlabel="step", ylabel="distance from the equilibrium", xlim=(0, steps[-1]), ylim=(0, 1))
    ax.set_title("Learning from samples")
    in_thousands(ax)
    ax.legend(loc="upper right")
    return figure


def draw_memory(
    ages: np.ndarray, staleness: np.ndarray, errors: Mapping[str, Mapping[str, np.ndarray]]
) -> Figure:
    """Left: how wrong stored rewards are, ``staleness[A, E]`` by age; right: ``errors[partner][memory][E]`` by size."""
    figure, (ax, right) = new_figure(
        1, 2, size=(7.8, 3.4), left=0.08, right=0.985, top=0.88, bottom=0.16, wspace=0.22
    )
    draw_seeds(ax, ages, staleness, "median of seeds", VERMILION)
    ax.set(xlabel="age of the transition, steps", ylabel="|its mean reward then - now|")
    ax.set(xlim=(0, ages[-1]), ylim=(0, None), title="How wrong is a memory?")
    for (partner, sizes), (colour, _), marker, shift in zip(
        errors.items(), (LEARNING, (BLUE, "-")), "os", (-0.08, 0.08)
    ):
        for place, values in enumerate(sizes.values()):
            x = place + shift + np.linspace(-0.05, 0.05, len(values))
            right.plot(x, values, marker, color=colour, markersize=3, alpha=0.35, linestyle="none")
        medians = [np.median(values) for values in sizes.values()]
        look = {"color": colour, "marker": marker, "linestyle": "-", "label": partner}
        right.plot(np.arange(len(medians)) + shift, medians, **look)
    right.set_xticks(range(len(sizes)), list(sizes))
    right.set(xlabel="transitions kept", ylabel="|Q(speed) - its worth now|", ylim=(0, None))
    right.set_title("Which size hurts?")
    right.legend(loc="upper left")
    return figure
