"""A learner's error while its partner learns, beside the same learner with one that stands still. Lesson 05."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.evaluation import band
from marl_lessons.evaluation.moving_target.drift import Drift
from marl_lessons.viz.curves import draw_band, in_thousands, mark
from marl_lessons.viz.moving_target.microscope import CROSSING, draw_track, observe
from marl_lessons.viz.style import BLACK, BLUE, SKY, VERMILION, new_figure

# Colour and line of a run whose partner learns, and of one whose partner stands still.
LEARNING = (VERMILION, "-")
FROZEN = (BLACK, (0, (1, 1)))


def draw_release(seed: int = 3, release: int = 3000) -> Figure:
    """One learner on the crossing whose partner learns from step ``release`` on, and its twin, whose partner never learns."""
    learns = (release, CROSSING.n_steps)
    run, twin, parting = observe(CROSSING, *CROSSING.step_sizes, learns, seed)
    figure, (ax,) = new_figure(size=(7.6, 3.1), left=0.09, right=0.91, top=0.88, bottom=0.17)
    draw_track(ax, CROSSING, run, twin, parting, learns)
    return figure


def draw_drift_and_bound(
    steps: np.ndarray, drift: Drift, changes: np.ndarray, slip: float
) -> Figure:
    """Kernel drift of one run, ``drift`` ``[K]`` at ``steps[K]``, below its bound; ticks where ``changes[K]`` is True."""
    figure, (ax,) = new_figure(size=(7.4, 3.0), top=0.9)
    bound = {"color": BLACK, "linestyle": "--", "label": "bound: change of the partner's policy"}
    ax.plot(steps, drift.joint_bound, **bound)
    ax.plot(steps, drift.kernel, color=BLUE, linestyle="-", label="drift of my world")
    ax.fill_between(steps, 0, drift.kernel, color=SKY, alpha=0.35, linewidth=0)
    top = 1.35 * drift.joint_bound.max()
    tick = {"color": VERMILION, "markersize": 12, "markeredgewidth": 1.6}
    low = np.full(changes.sum(), 0.03 * top)
    ax.plot(steps[changes], low, "|", label="my best response changes", **tick)
    ax.set(xlabel="step", ylabel="total variation, largest", xlim=(0, steps[-1]), ylim=(0, top))
    ax.set_title(f"The world moves as the partner moves, less by the slip of {slip:g}")
    in_thousands(ax)
    ax.legend(loc="upper right")
    return figure


def draw_two_gauges(
    steps: np.ndarray, exact: Mapping[str, np.ndarray], seen: Mapping[str, np.ndarray], release: int
) -> Figure:
    """Left: the error about the world as it is now; right: the TD errors that the agent sees; ``[name][K, E]``."""
    figure, axes = new_figure(1, 2, size=(7.8, 3.3), left=0.09, right=0.985, top=0.86, wspace=0.24)
    titles = ("Error about the world as it is now", "TD errors that the agent sees")
    labels = ("size of the mean TD error", "mean size of single TD errors")
    for ax, curves, title, label in zip(axes, (exact, seen), titles, labels):
        for (name, values), (colour, line) in zip(curves.items(), (LEARNING, FROZEN)):
            draw_band(ax, steps, values, name, colour, line)
        top = 1.15 * max(band(v[steps > steps[-1] // 3]).high.max() for v in curves.values())
        mark(ax, release, top, "release")
        ax.set(xlabel="step", ylabel=label, title=title)
        ax.set(xlim=(steps[-1] // 5, steps[-1]), ylim=(0, top))
        in_thousands(ax)
    axes[1].legend(loc="lower left", title="partner (median, 80 % of seeds)", title_fontsize=8.5)
    return figure


def draw_false_cause(
    steps: np.ndarray, drift: np.ndarray, error: np.ndarray, frozen: np.ndarray
) -> Figure:
    """Left: drift and error ``[K, E]`` of ordinary training fall together; right: so does the frozen twin's error."""
    figure, axes = new_figure(
        1, 2, size=(7.8, 3.1), left=0.085, right=0.985, top=0.87, bottom=0.17, wspace=0.42
    )
    moved = axes[0].twinx()
    axes[0].set_zorder(moved.get_zorder() + 1)
    axes[0].patch.set_visible(False)
    draw_band(moved, steps, drift, "drift", BLUE, "--")
    for ax in axes:
        draw_band(ax, steps, error, "error, partner learns", *LEARNING)
        ax.set(xlabel="step", xlim=(0, steps[-1]), ylim=(0, 1.0))
        in_thousands(ax)
    draw_band(axes[1], steps, frozen, "error, partner never learns", *FROZEN)
    moved.set(ylim=(0, 1.25 * band(drift).high.max()), ylabel="drift (total variation)")
    moved.spines["right"].set_visible(True)
    moved.grid(False)
    axes[0].set(ylabel="size of the mean TD error", title="They fall together. Cause and effect?")
    axes[1].set_title("The control run")
    handles = [ax.get_legend_handles_labels()[0] for ax in (axes[0], moved)]
    axes[0].legend(handles=[*handles[0], *handles[1]], loc="upper right")
    axes[1].legend(loc="upper right")
    return figure
