"""Grids drawn as maps: the textbook's tables, the frozen lake, and paths along the cliff. Lessons 01 and 02."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.envs.grids import MOVES
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.solvers import Solution
from marl_lessons.viz.one_agent.tables import draw_number, ink
from marl_lessons.viz.style import BLUE, VERMILION, new_figure

LAKE_MOVES = ((0, -1), (1, 0), (0, 1), (-1, 0))  # Gymnasium's order: left, down, right, up
HOLES, GOAL = ((1, 1), (1, 3), (2, 3), (3, 0)), (3, 3)


def draw_grid(
    ax: Axes,
    values: np.ndarray,
    title: str,
    policy: np.ndarray | None = None,
    moves: Sequence[tuple[int, int]] = MOVES,
    digits: int = 1,
    blank: np.ndarray | None = None,
) -> None:
    """``values[rows, columns]`` printed in a grid; ``policy[rows, columns, A]`` adds an arrow for every likely action.

    ``moves[a]`` is action a's (row, column) step; ``blank[rows, columns]`` marks cells without value (terminal, or never
    entered), drawn grey.
    """
    blank = np.zeros(values.shape, dtype=bool) if blank is None else blank
    shown = np.ma.array(values, mask=blank)
    limits = (float(shown.min()), float(shown.max()))
    image = ax.imshow(shown, cmap="cividis", vmin=limits[0], vmax=limits[1])
    image.cmap.set_bad("#d0d0d0")
    rows, columns = values.shape
    ax.set(xticks=range(columns), yticks=range(rows), title=title, xlabel="column", ylabel="row")
    ax.grid(False)
    ax.tick_params(length=0)
    for (row, column), value in np.ndenumerate(values):
        if not blank[row, column]:
            shift = 0.3 if policy is not None else 0.0
            draw_number(ax, column, row + shift, value, limits, f"{value:.{digits}f}")
    if policy is not None:
        _arrows(ax, values, policy, moves, limits, blank)


def _arrows(ax: Axes, values, policy, moves, limits, blank) -> None:
    """Short arrows from around the upper centre of each cell outwards, so that several do not touch."""
    for row, column, action in np.argwhere(policy > 1e-9):
        if not blank[row, column]:
            down, right = moves[action]
            x, y = column + 0.07 * right, row - 0.14 + 0.07 * down
            ax.annotate(
                "",
                (x + 0.26 * right, y + 0.22 * down),
                (x, y),
                arrowprops={
                    "arrowstyle": "-|>,head_length=0.25,head_width=0.14",
                    "color": ink(values[row, column], limits),
                    "linewidth": 1,
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )


def mark_cell(ax: Axes, row: int, column: int, letter: str) -> None:
    """Write ``letter`` into a blank cell of a grid (S for start, G for goal)."""
    ax.text(column, row, letter, ha="center", va="center", fontsize=10, weight="bold", zorder=6)


def best_actions(q: np.ndarray) -> np.ndarray:
    """``[..., A]`` booleans: every action whose value in ``q[..., A]`` is largest, ties included."""
    return q >= q.max(axis=-1, keepdims=True) - 1e-6


def draw_textbook(
    random_value: np.ndarray, best_value: np.ndarray, best_q: np.ndarray, corner_value: np.ndarray
) -> Figure:
    """Sutton & Barto's Examples 3.5 (random policy), 3.8 (optimal, with all best actions) and 4.1, side by side."""
    figure, axes = new_figure(1, 3, size=(8.4, 3.3), wspace=0.2, left=0.05, right=0.99, bottom=0.14)
    draw_grid(axes[0], random_value, "Example 3.5: random")
    draw_grid(
        axes[1], best_value, "Example 3.8: best", policy=best_actions(best_q).reshape(5, 5, 4)
    )
    corners = np.zeros((4, 4), dtype=bool)
    corners[[0, 3], [0, 3]] = True
    draw_grid(axes[2], corner_value, "Example 4.1: random", digits=0, blank=corners)
    for ax in axes[1:]:
        ax.set_ylabel("")
    return figure


def draw_lake(solution: Solution) -> Figure:
    """Gymnasium's 4x4 FrozenLake: value of each cell, the chosen action as an arrow, holes (H) and goal (G)."""
    figure, (ax,) = new_figure(size=(3.9, 3.9), left=0.14, bottom=0.13, top=0.9)
    blank = np.zeros((4, 4), dtype=bool)
    blank[tuple(zip(*HOLES, GOAL))] = True
    v, policy = solution.v.reshape(4, 4), solution.policy.reshape(4, 4, 4)
    draw_grid(ax, v, "Chance to arrive, best action", policy, LAKE_MOVES, digits=2, blank=blank)
    for row, column in HOLES:
        mark_cell(ax, row, column, "H")
    mark_cell(ax, *GOAL, "G")
    return figure


def greedy_path(cliff: MarkovGame, q: np.ndarray, longest: int = 100) -> list[tuple[int, int]]:
    """Cells (row, column) that the greedy policy of ``q[48, 4]`` walks on the 4x12 cliff, ``longest`` steps at most."""
    state = int(cliff.initial.argmax())
    path = [divmod(state, 12)]
    while not cliff.terminal[state] and len(path) <= longest:
        state = int(cliff.transition[state, q[state].argmax()].argmax())
        path.append(divmod(state, 12))
    return path


def draw_cliff(paths: dict[str, list[tuple[int, int]]]) -> Figure:
    """The 4x12 cliff from above with a path of cells per name; S start, G goal, dark the cliff."""
    figure, (ax,) = new_figure(size=(7.4, 2.7))
    ground = np.zeros((4, 12))
    ground[3, 1:11] = 1.0
    ax.imshow(ground, cmap="Greys", vmin=0, vmax=1.6)
    ax.set(xticks=range(12), yticks=range(4), xlabel="column", ylabel="row")
    ax.grid(False)
    for row in range(4):
        ax.axhline(row + 0.5, color="#cccccc", linewidth=0.7, linestyle="-")
    for column in range(12):
        ax.axvline(column + 0.5, color="#cccccc", linewidth=0.7, linestyle="-")
    for k, ((name, cells), colour) in enumerate(zip(paths.items(), (BLUE, VERMILION))):
        shift = 0.12 * (k - (len(paths) - 1) / 2)
        rows, columns = np.array(cells).T
        ax.plot(
            columns + shift,
            rows + shift,
            color=colour,
            linestyle="-" if k == 0 else "--",
            marker="os"[k],
            label=name,
        )
    for cell, letter in (((3, 0), "S"), ((3, 11), "G")):
        ax.plot(
            cell[1], cell[0], "s", color="white", markeredgecolor="black", markersize=15, zorder=5
        )
        mark_cell(ax, *cell, letter)
    ax.text(5.5, 3, "the cliff", ha="center", va="center", color="white")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(paths))
    return figure
