"""The two-car crossing as a Markov game: all its equilibria, what they are worth and who goes when. Lesson 04."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from marl_lessons.envs.cars.two_cars import GO, two_cars
from marl_lessons.solvers import MarkovEquilibrium, stationary_equilibria
from marl_lessons.viz.cars import draw_meeting
from marl_lessons.viz.style import BLACK, GREEN, VERMILION, new_figure

DISTANCE, MOST_MAPS = 2, 6
WHO_GOES = {(1, 1): ("both go", "#efe3f4"), (1, 0): ("A goes", "#cfe3f2"), (0, 1): ("B goes", "#fbdcc6"),
            (0, 0): ("both wait", "#eeeeee")}  # fmt: skip
MIXED = "#e9e9c8"


def start_values(equilibria: list[MarkovEquilibrium]) -> np.ndarray:
    """``[K, 2]``: what each equilibrium is worth to both cars at the start, the last state before "crashed"."""
    return np.array([equilibrium.v[:, -2] for equilibrium in equilibria])


def is_pure(equilibrium: MarkovEquilibrium) -> bool:
    """Whether nobody mixes anywhere."""
    return all(np.isin(policy, (0.0, 1.0)).all() for policy in equilibrium.policies)


def draw_values(ax: Axes, equilibria: list[MarkovEquilibrium], title: str) -> None:
    """The equilibria's values at the start in the plane of both cars' values, numbered; circles pure, diamonds mixed."""
    values = start_values(equilibria)
    for number, (equilibrium, value) in enumerate(zip(equilibria, values), start=1):
        pure = is_pure(equilibrium)
        ax.plot(
            *value, "o" if pure else "D", color=GREEN if pure else VERMILION, markeredgecolor=BLACK, linestyle="none",
            markersize=8, zorder=4,
        )  # fmt: skip
        ax.annotate(str(number), value, (7, 5), textcoords="offset points", fontsize=9)
    ax.locator_params(nbins=5)
    ax.set(xlabel="worth to car A", ylabel="worth to car B", title=title)
    x, y = (values.max(axis=0) + values.min(axis=0)) / 2
    span = 0.6 * max(1.0, np.ptp(values, axis=0).max())
    ax.set(xlim=(x - span, x + span), ylim=(y - span, y + span))


def draw_who_goes(ax: Axes, equilibrium: MarkovEquilibrium, title: str) -> None:
    """A map by both cars' cells to go: who goes; where somebody mixes, both probabilities of going."""
    go = [
        policy[:-1, GO].reshape(DISTANCE + 1, DISTANCE + 1)[1:, 1:]
        for policy in equilibrium.policies
    ]
    for (row, column), _ in np.ndenumerate(go[0]):
        chances = (go[0][row, column], go[1][row, column])
        text, colour = WHO_GOES.get(chances, (f"A {chances[0]:.2f}\nB {chances[1]:.2f}", MIXED))
        look = {"facecolor": colour, "edgecolor": "white", "linewidth": 1.5}
        ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **look))
        ax.text(column, row, text, ha="center", va="center", fontsize=7.5)
    ax.set(xlim=(-0.5, DISTANCE - 0.5), ylim=(DISTANCE - 0.5, -0.5))
    ax.set_xticks(range(DISTANCE), range(1, DISTANCE + 1), fontsize=8)
    ax.set_yticks(range(DISTANCE), range(1, DISTANCE + 1), fontsize=8)
    ax.set_title(title, fontsize=8.5)
    ax.tick_params(length=0)
    ax.grid(False)


def draw_all_equilibria(urgency: float = 1.0, slip: float = 0.1, crash: float = -10.0) -> Figure:
    """Widget: all equilibria of the crossing for car A's ``urgency``, their values on the left, maps of who goes on the right.

    Both cars begin 2 cells before the crossing. At most 6 maps are drawn; the title says how many equilibria there are.
    """
    game = two_cars(DISTANCE, slip, crash_reward=crash, urgency=(urgency, 1.0))
    equilibria = stationary_equilibria(game)
    figure, (plane,) = new_figure(size=(8.2, 3.9), left=0.09, right=0.3, top=0.88, bottom=0.14)
    count = f"{len(equilibria)} equilibri{'um' if len(equilibria) == 1 else 'a'}"
    more = f" ({MOST_MAPS} drawn)" if len(equilibria) > MOST_MAPS else ""
    draw_values(plane, equilibria, count + more)
    maps = figure.add_gridspec(
        2, 3, left=0.4, right=0.99, top=0.9, bottom=0.12, wspace=0.3, hspace=0.5
    )
    for place, equilibrium in zip(maps, equilibria):
        number = place.num1 + 1
        ax = figure.add_subplot(place)
        draw_who_goes(ax, equilibrium, f"{number}: {'pure' if is_pure(equilibrium) else 'mixed'}")
        if number == 1:
            ax.set_ylabel("A's cells to go", fontsize=8)
            ax.set_xlabel("B's cells to go", fontsize=8)
    return figure


def draw_who_slows_down(slip: float = 0.1) -> Figure:
    """The puzzle: two cars two cells before the crossing, and what all equilibria of their meeting are worth to them."""
    figure, (road, plane) = new_figure(
        1, 2, size=(7.6, 3.6), left=0.02, right=0.97, top=0.9, bottom=0.15, wspace=0.25
    )
    draw_meeting(road, DISTANCE, (2.0, 2.0), False, "Who should slow down?")
    equilibria = stationary_equilibria(two_cars(DISTANCE, slip))
    draw_values(plane, equilibria, f"{len(equilibria)} ways that nobody wants to leave")
    return figure
