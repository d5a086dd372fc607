"""The player of recorded episodes: one world at one moment, and what its agents have earned so far. Lesson 09."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.envs.particles.scenes import Scene
from marl_lessons.evaluation.particles.frames import Frames
from marl_lessons.viz.everyone.particles import draw_frame
from marl_lessons.viz.style import BLACK, BLUE, new_figure

# The axis of returns ends at so many times the lowest reference, however bad the episode.
DEEPEST = 1.6
REFERENCE_LINES = ("--", ":", "-.")


def draw_player(
    frames_by_label: Mapping[str, Sequence[Frames]],
    method: str,
    moment: int,
    start: int,
    t: int,
    *,
    scene: Scene,
    references: Mapping[str, Frames],
    moments: Sequence[str] | None = None,
) -> Figure:
    """Widget: the episode that ``method`` plays from ``start``, number ``moment`` of its training, after ``t`` of its T steps.

    ``frames_by_label[method][moment]``: episodes from the same E starts, whatever the method and moment; ``start`` is 0 to
    E - 1, ``t`` 0 to T. ``references[name]``: the same starts, played in ways one knows without learning. ``moments``: what
    to call the moments of training. Left the world, with the path so far and faintly the rest; right the rewards added up,
    the mean over the agents. The returns' axis depends on the start alone, so pictures of one start can be compared.
    """
    shown = frames_by_label[method][moment]
    recordings = [*references.values(), *(f for stages in frames_by_label.values() for f in stages)]
    figure, (left, right) = new_figure(1, 2, size=(7.8, 3.5))
    left.set_position((0.015, 0.085, 0.37, 0.82))
    right.set_position((0.475, 0.235, 0.51, 0.67))
    when = "" if moments is None else f", {moments[moment]}"
    draw_frame(left, scene, shown, t, start, f"{method}{when}: step {t}")
    known = {name: returns_so_far(frames)[:, start] for name, frames in references.items()}
    floor = _floor([returns_so_far(f)[-1, start] for f in recordings], known)
    _draw_returns(right, returns_so_far(shown)[:, start], known, t, floor)
    return figure


def returns_so_far(frames: Frames) -> np.ndarray:
    """``[T+1, E]``: the rewards added up to each moment, the mean over the agents."""
    earned = frames.rewards.mean(axis=2).cumsum(axis=0)
    return np.concatenate([np.zeros((1, earned.shape[1])), earned])


def _draw_returns(
    ax: Axes, path: np.ndarray, known: Mapping[str, np.ndarray], t: int, floor: float
) -> None:
    """The return so far ``path[T+1]`` up to ``t``, the rest faint, and those of the ``known`` ways to act.

    Returns below the ``floor`` are out of the picture, a triangle stands for them.
    """
    steps, look = np.arange(len(path)), {"color": BLUE, "linestyle": "-"}
    for (name, line), style in zip(known.items(), REFERENCE_LINES * len(known)):
        ax.plot(line, color=BLACK, linestyle=style, linewidth=1.1, label=f"{name}: {line[-1]:.1f}")
    ax.plot(steps[t:], path[t:], linewidth=1.2, alpha=0.35, **look)
    ax.plot(steps[: t + 1], path[: t + 1], linewidth=2.4, **look)
    shape = "o" if path[t] >= floor else "v"
    ax.plot(t, max(path[t], floor), shape, color=BLUE, markeredgecolor=BLACK, zorder=5, clip_on=False)  # fmt: skip
    top = max(0.04 * -floor, 1.06 * max(line.max() for line in (path, *known.values())))
    ax.set_ylim(1.06 * floor, top)
    ax.set_title(f"Return {path[t]:.1f} so far, {path[-1]:.1f} in the end")
    ax.set(xlim=(0, len(path) - 1), xlabel="step", ylabel="rewards added up, per agent")
    if known:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=len(known))


def _floor(ends: list[float], known: Mapping[str, np.ndarray]) -> float:
    """The lowest return to be shown: that of the worst of the ``ends``, but no deeper than DEEPEST of the lowest reference."""
    worst = min(*ends, -1.0)
    lowest = min((path[-1] for path in known.values()), default=worst)
    return max(worst, DEEPEST * lowest) if lowest < 0 else worst
