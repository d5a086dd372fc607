"""Matrix games drawn: payoffs as a table, and what can be reached as a map of payoffs. Lesson 03."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from marl_lessons.envs.games.catalogue import crossing
from marl_lessons.envs.games.matrix_games import payoffs_of
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.solvers import correlated_equilibrium, nash_equilibria
from marl_lessons.solvers.exact import exact
from marl_lessons.viz.cars import draw_meeting
from marl_lessons.viz.style import BLACK, BLUE, GREEN, GREY, VERMILION, new_figure

AGENT_COLOURS = (BLUE, VERMILION)


def best_response_marks(payoffs: np.ndarray) -> np.ndarray:
    """``[2, A_0, A_1]`` booleans: where each agent's action is a best response to the other's, decided in fractions."""
    rows, columns = (exact(mine) for mine in payoffs)
    return np.stack([rows == rows.max(axis=0), columns == columns.max(axis=1, keepdims=True)])


def draw_payoffs(ax: Axes, game: MarkovGame, title: str, marks: bool = True) -> None:
    """A table of payoffs: the row agent's in blue below, the column agent's in vermilion above.

    With ``marks``, a payoff stands in a box where its agent's action is a best response, and a cell in which both do, a
    pure equilibrium, is shaded.
    """
    payoffs = payoffs_of(game, n_agents=2)
    best = best_response_marks(payoffs)
    n_rows, n_columns = payoffs.shape[1:]
    for (row, column), _ in np.ndenumerate(payoffs[0]):
        equilibrium = marks and best[:, row, column].all()
        ax.add_patch(
            Rectangle(
                (column - 0.5, row - 0.5), 1, 1, edgecolor="#666666", linewidth=0.8,
                facecolor="#d9efe4" if equilibrium else "white",
            )
        )  # fmt: skip
        for agent, (dx, dy) in enumerate(((-0.22, 0.2), (0.22, -0.2))):
            boxed = marks and best[agent, row, column]
            ax.text(
                column + dx, row + dy, f"{payoffs[agent, row, column]:g}", color=AGENT_COLOURS[agent],
                ha="center", va="center", fontsize=11 if n_rows < 3 else 9.5, weight="bold" if boxed else "normal",
                bbox={"boxstyle": "square,pad=0.18", "facecolor": "none", "linewidth": 1.1,
                      "edgecolor": AGENT_COLOURS[agent] if boxed else "none"},
            )  # fmt: skip
    ax.set(xlim=(-0.5, n_columns - 0.5), ylim=(n_rows - 0.5, -0.5))
    ax.set_xticks(range(n_columns), game.action_names[1], color=VERMILION)
    ax.set_yticks(range(n_rows), game.action_names[0], color=BLUE, rotation=90, va="center")
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_title(title, pad=20)
    for spine in ax.spines.values():
        spine.set_visible(False)


def draw_stage(game: MarkovGame) -> Figure:
    """Two cars one cell before a crossing, and the payoffs of their game."""
    figure, (road, table) = new_figure(
        1, 2, size=(7.2, 3.0), left=0.02, right=0.98, bottom=0.04, top=0.78, wspace=0.15
    )
    draw_meeting(road, 1, (1.0, 1.0), False)
    draw_payoffs(table, game, "A chooses the row, B the column", marks=False)
    return figure


def draw_payoff_tables(games: dict[str, MarkovGame], marks: bool = True) -> Figure:
    """Several games' tables side by side, by title."""
    largest = max(game.n_actions[0] for game in games.values())
    figure, axes = new_figure(
        1, len(games), size=(2.45 * len(games) + 0.2, 2.5 if largest < 3 else 2.9),
        left=0.05, right=0.99, bottom=0.04, top=0.76, wspace=0.2,
    )  # fmt: skip
    for ax, (title, game) in zip(axes, games.items()):
        draw_payoffs(ax, game, title, marks)
    return figure


def extreme_points(points: np.ndarray) -> np.ndarray:
    """The points ``[K, 2]`` that are furthest in some direction, once each, anticlockwise: the corners of their hull."""
    directions = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    furthest = (points @ np.stack([np.cos(directions), np.sin(directions)])).argmax(axis=0)
    return points[furthest[np.r_[True, furthest[1:] != furthest[:-1]]]]


def correlated_region(payoffs: np.ndarray) -> np.ndarray:
    """``[K, 2]``: payoffs of correlated equilibria that are extreme in one of 16 directions, anticlockwise."""
    found = [
        correlated_equilibrium(payoffs, np.cos(a) * payoffs[0] + np.sin(a) * payoffs[1])
        for a in np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ]
    return np.array([equilibrium.payoffs for equilibrium in found])


def draw_payoff_region(ax: Axes, game: MarkovGame, title: str) -> None:
    """What the two agents can earn: any way to correlate (grey), correlated equilibria (green), Nash equilibria (dots).

    Diamonds mark the joint actions, a square the fair light (a fair coin between the two pure equilibria, where there
    are two), a star the correlated equilibrium that is best for the agent who earns less.
    """
    payoffs = payoffs_of(game, n_agents=2)
    corners = payoffs.reshape(2, -1).T
    ax.fill(*extreme_points(corners).T, color="#ececec", zorder=1)
    region = correlated_region(payoffs)
    look = {"facecolor": "#a9dcc8", "edgecolor": GREEN, "linewidth": 1.2}
    ax.fill(*region.T, zorder=2, label="correlated equilibria", **look)
    nash = np.array([e.payoffs for e in nash_equilibria(payoffs).equilibria])
    marks = [
        ("joint actions", corners.T, {"marker": "D", "color": GREY, "markersize": 6}),
        ("Nash equilibria", nash.T, {"marker": "o", "color": BLACK, "markersize": 7}),
    ]
    light, fairest = fair_light(payoffs), correlated_equilibrium(payoffs, "fairness").payoffs
    if light is not None:
        marks += [("fair light", light, {"marker": "s", "color": VERMILION, "markersize": 8})]
    star = {"marker": "*", "color": "white", "markeredgecolor": BLACK, "markersize": 11}
    marks += [("fairest correlated", fairest, star)]
    for k, (label, points, look) in enumerate(marks):
        ax.plot(*points, linestyle="none", zorder=3 + k, label=label, **look)
    ax.set(xlabel="car A earns", ylabel="car B earns", title=title)
    low, high = region.min(axis=0), region.max(axis=0)
    margin = 0.3 * max((high - low).max(), 1.0)
    ax.set(xlim=(low[0] - margin, high[0] + margin), ylim=(low[1] - margin, high[1] + margin))
    ax.set_aspect("equal")


def fair_light(payoffs: np.ndarray) -> np.ndarray | None:
    """``[2]``: what a fair coin between the two pure equilibria pays; None where there are not two."""
    pure = np.argwhere(best_response_marks(payoffs).all(axis=0))
    if len(pure) != 2:
        return None
    return np.mean([payoffs[:, row, column] for row, column in pure], axis=0)


def draw_payoff_regions(games: dict[str, MarkovGame]) -> Figure:
    """Maps of payoffs side by side, by title, with one legend."""
    figure, axes = new_figure(
        1, len(games), size=(7.8, 3.9), left=0.08, right=0.99, top=0.9, bottom=0.27, wspace=0.24
    )
    for ax, (title, game) in zip(axes, games.items()):
        draw_payoff_region(ax, game, title)
    for ax in axes[1:]:
        ax.set_ylabel("")
    _legend_below(figure, axes[0])
    return figure


def draw_light(crash: float = -10.0, go: float = 2.0, both_wait: float = -1.0) -> Figure:
    """Widget: a crossing's payoffs on the left, and on the right what two cars can earn with a light and without."""
    known = crossing(crash=crash, go=go, both_wait=both_wait)
    payoffs = payoffs_of(known.game)
    figure, (table, region) = new_figure(
        1, 2, size=(7.8, 3.9), left=0.05, right=0.98, top=0.82, bottom=0.27, wspace=0.3
    )
    draw_payoffs(table, known.game, "Payoffs, and the fairest light in %")
    mixed = nash_equilibria(payoffs).equilibria[-1].payoffs[0]
    fairest = correlated_equilibrium(payoffs, "fairness")
    for (row, column), chance in np.ndenumerate(fairest.distribution):
        look = {"color": GREEN, "weight": "bold", "ha": "center", "va": "center"}
        table.text(column, row, f"{chance:.0%}", **look)
    light, best = fair_light(payoffs)[0], fairest.payoffs[0]
    draw_payoff_region(region, known.game, "")
    worth = f"mixed {mixed:.3f}, light {light:.3f}, fairest {best:.3f}"
    region.set_title(worth, fontsize=9)
    _legend_below(figure, region)
    return figure


def _legend_below(figure: Figure, ax: Axes) -> None:
    """One line that explains the marks of ``ax``."""
    marks = ax.get_legend_handles_labels()
    figure.legend(*marks, loc="lower center", ncols=5, fontsize=8.5, columnspacing=1.2)
