"""Littman's soccer drawn from above, with what both players should do, and how learners fare. Lesson 04."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from marl_lessons.envs.games.soccer import ACTIONS, STEPS, Cell, Position, goal_rows, soccer_state
from marl_lessons.solvers import ZeroSumSolution
from marl_lessons.viz.style import BLACK, BLUE, LINES, VERMILION, new_figure

PLAYER_COLOURS = (BLUE, VERMILION)
GRASS, GOAL = "#e6f0e0", "#f7d774"
LETTER = {"ha": "center", "va": "center", "weight": "bold"}
SHOWN = 0.005  # rarer actions get no arrow


def draw_field(ax: Axes, position: Position, rows: int = 4, columns: int = 5) -> None:
    """The grid with both goals, the players and the ball; rows count from the top, as in the game."""
    look = {"edgecolor": "#555555", "zorder": 0}
    ax.add_patch(Rectangle((-0.5, -0.5), columns, rows, facecolor=GRASS, **look))
    for row in goal_rows(rows):
        for x, player in ((-1.0, 0), (columns - 0.5, 1)):
            ax.add_patch(Rectangle((x, row - 0.5), 0.5, 1, facecolor=GOAL, **look))
            ax.text(x + 0.25, row, "AB"[player], color=PLAYER_COLOURS[player], **LETTER)
    line = {"color": "white", "linewidth": 1.2, "linestyle": "-", "zorder": 1}
    for edge in range(1, columns):
        ax.plot([edge - 0.5] * 2, [-0.5, rows - 0.5], **line)
    for edge in range(1, rows):
        ax.plot([-0.5, columns - 0.5], [edge - 0.5] * 2, **line)
    for player, (row, column) in enumerate((position.a, position.b)):
        look = {"facecolor": PLAYER_COLOURS[player], "edgecolor": BLACK, "linewidth": 0.8}
        ax.add_patch(Circle((column, row), 0.24, zorder=5, **look))
        ax.text(column, row, "AB"[player], color="white", zorder=6, **LETTER)
        if position.ball == player:
            ball = {"facecolor": "white", "edgecolor": BLACK, "zorder": 7}
            ax.add_patch(Circle((column + 0.2, row + 0.2), 0.11, **ball))
    ax.set(xlim=(-1.1, columns + 0.1), ylim=(rows - 0.4, -0.6), aspect="equal")
    ax.set(xticks=range(columns), yticks=range(rows))
    ax.set(xlabel="column (goal marked A: there A scores)", ylabel="row")
    ax.grid(False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def draw_mixture(ax: Axes, cell: Cell, strategy: np.ndarray, colour: str) -> None:
    """Arrows from ``cell`` for the moves of a mixed ``strategy[5]``, as wide as likely; a ring for standing still."""
    row, column = cell
    for (down, right), probability in zip(STEPS, strategy):
        if probability < SHOWN:
            continue
        if (down, right) == (0, 0):
            look = {"facecolor": "none", "edgecolor": colour, "linewidth": 1 + 4 * probability}
            ax.add_patch(Circle((column, row), 0.34, zorder=4, **look))
            continue
        ax.annotate(
            "", (column + 0.85 * right, row + 0.85 * down), (column + 0.25 * right, row + 0.25 * down), zorder=8,
            arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1 + 4 * probability, "alpha": 0.85},
        )  # fmt: skip


def as_played(
    strategy: np.ndarray, position: Position, player: int, rows: int = 4, columns: int = 5
) -> np.ndarray:
    """``strategy[5]`` of ``player`` with moves that lead off the field, and score nothing, counted as standing still."""
    row, column = position[player]
    shown = strategy.copy()
    for action, (down, right) in enumerate(STEPS[:-1]):
        inside = 0 <= row + down < rows and 0 <= column + right < columns
        scores = (
            position.ball == player
            and row + down in goal_rows(rows)
            and column + right == (-1, columns)[player]
        )
        if not inside and not scores:
            shown[-1] += shown[action]
            shown[action] = 0.0
    return shown


def draw_position(
    solution: ZeroSumSolution,
    a: Cell = (1, 1),
    b: Cell = (1, 0),
    ball: int = 0,
    rows: int = 4,
    columns: int = 5,
) -> Figure:
    """Widget: a position on a pitch of ``rows`` and ``columns`` with both optimal mixtures, and what it is worth to A."""
    figure, (field, bars) = new_figure(
        1, 2, size=(7.8, 3.5), left=0.06, right=0.98, top=0.88, bottom=0.14, wspace=0.22
    )
    if a == b:
        text = "Both players cannot stand in one cell:\nmove one of them."
        field.text(0.5, 0.5, text, ha="center", va="center")
        for ax in (field, bars):
            ax.set_axis_off()
        return figure
    position = Position(a, b, ball)
    state = soccer_state(a, b, ball, rows, columns)
    strategies = [
        as_played(policy[state], position, player, rows, columns)
        for player, policy in enumerate(solution.policies)
    ]
    draw_field(field, position, rows, columns)
    for cell, strategy, colour in zip((a, b), strategies, PLAYER_COLOURS):
        draw_mixture(field, cell, strategy, colour)
    field.set_title(f"Worth {solution.v[state]:+.4f} to A")
    height = np.arange(len(ACTIONS))
    for player, (strategy, colour) in enumerate(zip(strategies, PLAYER_COLOURS)):
        where = height + 0.2 * (2 * player - 1)
        look = {"color": colour, "edgecolor": "white", "hatch": "//" if player else None}
        bars.barh(where, strategy, 0.36, label="AB"[player], **look)
        for y, probability in zip(where, strategy):
            if probability >= SHOWN:
                bars.text(probability + 0.02, y, f"{probability:.2f}", va="center", fontsize=8.5)
    bars.set_yticks(height, ACTIONS)
    bars.set(xlim=(0, 1), xlabel="probability", title="An optimal mixture of each")
    bars.invert_yaxis()
    bars.legend(loc="lower right")
    return figure


def draw_matches(judged: dict[str, np.ndarray]) -> Figure:
    """How learners fare, ``judged[name][E, 3]``, one mark a seed, a bar up to the median.

    Columns: share of decided games won against a random player; the same against the learner's own challenger, who knows
    its policy and answers best; what the policy is sure to earn.
    """
    figure, axes = new_figure(
        1, 3, size=(8.2, 2.9), left=0.15, right=0.98, bottom=0.2, top=0.86, wspace=0.2
    )
    titles = ("Against a random player", "Against its challenger", "Sure to earn")
    labels = (*["share of decided games won"] * 2, "worth against the worst opponent")
    for column, (ax, title, label) in enumerate(zip(axes, titles, labels)):
        for y, (values, (colour, _, marker)) in enumerate(zip(judged.values(), LINES)):
            ax.barh(y, np.median(values[:, column]), 0.55, color=colour, alpha=0.3)
            spread = y + np.linspace(-0.2, 0.2, len(values))
            look = {"color": colour, "linestyle": "none", "markersize": 3.5}
            ax.plot(values[:, column], spread, marker, **look)
        ax.set(xlim=(-0.03, 1.03) if column < 2 else (-0.6, 0.02), xlabel=label, title=title)
        ax.set_yticks(range(len(judged)), labels=list(judged) if column == 0 else [])
        ax.invert_yaxis()
    return figure
