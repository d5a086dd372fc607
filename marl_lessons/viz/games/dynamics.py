"""Fictitious play, orbits and regrets: how play and beliefs move over time in matrix games. Lesson 03."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.algorithms import FictitiousPlay
from marl_lessons.algorithms.dynamics.replicator import Trajectory, conserved_quantity
from marl_lessons.viz.curves import draw_seeds
from marl_lessons.viz.style import BLACK, GREEN, GREY, LINES, new_figure

ORBIT_LINES = ((BLACK, "-"), (GREEN, "--"))


def draw_beliefs(
    plays: dict[str, tuple[FictitiousPlay, tuple[str, ...]]], agent: int = 0
) -> Figure:
    """What is believed of one agent, round by round on a log scale: ``plays[title]`` = a play and its actions' names."""
    figure, axes = new_figure(
        1, len(plays), size=(7.8, 3.2), left=0.08, right=0.99, bottom=0.17, wspace=0.16
    )
    for ax, (title, (play, names)) in zip(axes, plays.items()):
        beliefs = play.beliefs()[agent]
        rounds = np.unique(np.geomspace(1, len(beliefs), 600).astype(int)) - 1
        for action, (colour, linestyle, _) in zip(range(beliefs.shape[1]), LINES):
            look = {"color": colour, "linestyle": linestyle, "label": names[action]}
            ax.semilogx(rounds + 1, beliefs[rounds, action], **look)
        ax.set(xlabel="round", ylim=(0, 1), xlim=(1, len(beliefs)), title=title)
        ax.legend(loc="upper right", ncols=3, columnspacing=0.8)
    axes[0].set_ylabel("belief that the agent plays …")
    return figure


def draw_orbits(trajectories: dict[str, Trajectory], equilibrium) -> Figure:
    """Orbits in the square of two agents' first actions on the left; what should be conserved, over time, on the right."""
    figure, (square, quantity) = new_figure(
        1, 2, size=(7.8, 3.6), left=0.08, right=0.98, top=0.9, bottom=0.15, wspace=0.28
    )
    for (name, trajectory), (colour, linestyle) in zip(trajectories.items(), ORBIT_LINES):
        x, y = (s[:, 0] for s in trajectory.strategies)
        look = {"color": colour, "linestyle": linestyle, "label": name}
        square.plot(x, y, linewidth=1.2, **look)
        quantity.plot(trajectory.times, conserved_quantity(trajectory, equilibrium), **look)
    square.plot(*[s[0] for s in equilibrium], "o", color="black", markersize=7)
    square.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title="The same dynamics, two integrators")
    square.set(xlabel="A's probability of heads", ylabel="B's probability of heads")
    quantity.set(xlabel="time", ylabel="H (should stay constant)", title="The lie detector")
    quantity.set_xlim(0, None)
    quantity.legend(loc="lower left")
    return figure


def draw_average_regret(rounds: np.ndarray, regret: dict[str, np.ndarray]) -> Figure:
    """The largest average regret ``regret[name][K, E]`` over ``rounds[K]``, both axes logarithmic, with a line of slope -1/2."""
    figure, (ax,) = new_figure(size=(7.4, 3.1))
    for (name, values), (colour, linestyle, _) in zip(regret.items(), LINES):
        draw_seeds(ax, rounds, values, name, colour, linestyle)
    guide = np.median(next(iter(regret.values()))[0]) * np.sqrt(rounds[0] / rounds)
    ax.plot(rounds, guide, color=GREY, linewidth=1, linestyle=":", label="slope -1/2")
    ax.set(xlabel="rounds", ylabel="largest average regret of any action")
    ax.set(xscale="log", yscale="log", xlim=(rounds[0], rounds[-1]))
    ax.set_title("Average regret falls like 1/√rounds, or faster")
    ax.legend(loc="lower left")
    return figure
