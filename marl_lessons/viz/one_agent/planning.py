"""What the optimal driver does, and how values spread sweep by sweep. Lesson 01."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.envs.cars.one_car import crossroads
from marl_lessons.solvers import (
    Solution,
    action_values,
    greedy_policy,
    policy_iteration,
    value_iteration,
)
from marl_lessons.viz.cars import draw_approach
from marl_lessons.viz.one_agent.tables import draw_advantages, draw_approach_values, draw_decisions
from marl_lessons.viz.style import BLUE, GREEN, GREY, LINES, VERMILION, new_figure

VALUE_LIMITS = (-18.0, 9.0)
YELLOW = 1


@functools.lru_cache(maxsize=256)
def solve_crossroads(**settings: float) -> Solution:
    """The exact solution of :func:`~marl_lessons.envs.cars.one_car.crossroads` with these settings, remembered."""
    return policy_iteration(crossroads(**settings))


def draw_two_lights(short: float = 3.0, long: float = 20.0, cells: int = 3) -> Figure:
    """The puzzle: one car before a yellow light, and the optimal decisions if red lasts ``short`` or ``long`` seconds."""
    figure, axes = new_figure(2, 2, size=(7.4, 4.9), hspace=0.42, wspace=0.22)
    axes[0].set_position([0.1, 0.6, 0.87, 0.33])
    axes[1].remove()
    question = f"{cells} cells to go, and the light turns yellow: brake or go?"
    draw_approach(axes[0], 5, cells, "yellow", question)
    for ax, red in zip(axes[2:], (short, long)):
        title = f"Best decisions if red lasts {red:g} s"
        draw_decisions(ax, solve_crossroads(red=red).q, title, highlight=(YELLOW, cells))
        ax.set_xlabel("cells to go")
    return figure


def draw_policies(values: dict[str, np.ndarray], q: dict[str, np.ndarray]) -> Figure:
    """State values ``[S]`` of a moving car under several policies, side by side, with each policy's decisions."""
    figure, axes = new_figure(1, len(values), size=(7.4, 2.7), wspace=0.25)
    for ax, (name, v) in zip(axes, values.items()):
        draw_approach_values(ax, v, name, VALUE_LIMITS, q=q[name])
        ax.set_xlabel("cells to go")
    return figure


def draw_first_sweeps(history: np.ndarray, sweeps: tuple[int, ...] = (0, 1, 2, 3, 5, 20)) -> Figure:
    """Values ``history[K+1, S]`` of a moving car after each of ``sweeps``, as small maps in two rows."""
    figure, axes = new_figure(2, 3, size=(7.4, 4.0), hspace=0.38, wspace=0.1)
    for k, (ax, sweep) in enumerate(zip(axes, sweeps)):
        title = (
            "before any sweep" if sweep == 0 else f"after {sweep} sweep{'s' if sweep > 1 else ''}"
        )
        draw_approach_values(ax, history[min(sweep, len(history) - 1)], title, VALUE_LIMITS)
        ax.set_xlabel("cells to go" if k >= 3 else "")
        if k % 3:
            ax.set_yticklabels([])
    return figure


def draw_sweep(discount: float = 0.95, sweep: int = 3) -> Figure:
    """Widget: values and decisions of a moving car after ``sweep`` sweeps, and the error with its guaranteed bound."""
    mdp, exact = crossroads(discount=discount), solve_crossroads(discount=discount)
    history = value_iteration(mdp, tolerance=1e-3).history
    v = history[min(sweep, len(history) - 1)]
    figure, (left, right) = new_figure(1, 2, size=(7.4, 3.2), wspace=0.3)
    q = action_values(v, mdp.joint_transition, mdp.joint_reward[0], discount)
    draw_approach_values(left, v, f"Moving car, after {sweep} sweeps", VALUE_LIMITS, q=q)
    errors = np.abs(history - exact.v).max(axis=1)
    sweeps = np.arange(61)
    bound = {"color": GREY, "linestyle": "--", "label": "guaranteed: γ per sweep"}
    right.semilogy(sweeps, errors[0] * discount**sweeps, **bound)
    right.semilogy(np.maximum(errors, 1e-6), color=BLUE, linestyle="-", label="measured")
    now = min(sweep, len(history) - 1)
    dot = {"color": VERMILION, "markersize": 8, "label": f"now: {errors[now]:.2g}"}
    right.plot([now], [max(errors[now], 1e-6)], "o", **dot)
    right.set(xlabel="sweep", ylabel="largest error of a value", title=f"γ = {discount:g}")
    right.set(xlim=(0, 60), ylim=(1e-3, 2000))
    right.minorticks_off()
    right.legend(loc="upper right")
    return figure


def draw_contraction(curves: dict[str, tuple[np.ndarray, float]]) -> Figure:
    """Share of the first error that is left by sweep, log scale; ``curves[name]`` = (errors ``[K+1]``, γ).

    One grey line for each γ is the guarantee γ^k.
    """
    figure, (ax,) = new_figure(size=(7.4, 3.5))
    sweeps = np.arange(480)
    broad = {"color": "#b5b5b5", "linewidth": 5, "linestyle": "-"}
    for discount in sorted({discount for _, discount in curves.values()}):
        ax.semilogy(sweeps, discount**sweeps, zorder=1, **broad)
        ax.plot([], [], label=f"guaranteed, γ = {discount:g}", **broad)
    for (name, (errors, _)), (colour, linestyle, marker) in zip(curves.items(), LINES):
        look = {"color": colour, "linestyle": linestyle, "marker": marker, "markevery": 25}
        ax.semilogy(errors / errors[0], label=name, linewidth=1.6, **look)
    ax.set(xlabel="sweep", ylabel="share of the first error left", ylim=(1e-3, 1.3), xlim=(0, 479))
    ax.set_title("A theorem one can see: no curve rises above the line of its γ")
    ax.minorticks_off()
    ax.legend(loc="upper right", ncols=2)
    return figure


def first_optimal_sweep(history: np.ndarray, mdp, exact: Solution) -> int:
    """The first sweep from which on the greedy policy of every row of ``history[K+1, S]`` is optimal."""
    suboptimal = []
    for v in history:
        chosen = greedy_policy(
            action_values(v, mdp.joint_transition, mdp.joint_reward[0], mdp.discount)
        )
        suboptimal.append(bool(((chosen * exact.q).sum(axis=1) < exact.v - 1e-9).any()))
    return len(suboptimal) - suboptimal[::-1].index(True) if True in suboptimal else 0


def draw_policy_first(errors: np.ndarray, optimal_from: int) -> Figure:
    """Errors ``[K+1]`` of value iteration, with the sweep from which on the greedy policy is already optimal."""
    figure, (ax,) = new_figure(size=(7.4, 3.0))
    ax.semilogy(
        errors, color=BLUE, linestyle="-", marker="o", markevery=5, label="largest error of a value"
    )
    ax.axvspan(
        optimal_from, len(errors) - 1, color=GREEN, alpha=0.15, label="greedy policy is optimal"
    )
    ax.set(xlabel="sweep", ylabel="largest error", xlim=(0, len(errors) - 1))
    ax.set_title(f"The policy is right from sweep {optimal_from} on; the values take much longer")
    ax.legend(loc="upper right")
    return figure


def draw_flips(reds: np.ndarray, advantages: dict[int, np.ndarray]) -> Figure:
    """Advantage of going over braking at yellow, ``advantages[cells][len(reds)]``, by the mean length of red."""
    figure, (ax,) = new_figure(size=(7.4, 3.3))
    for (cells, advantage), (colour, linestyle, marker) in zip(advantages.items(), LINES):
        look = {"color": colour, "linestyle": linestyle, "marker": marker, "markevery": 4}
        ax.plot(reds, advantage, label=f"{cells} cells to go", **look)
    ax.axhline(0, color="#444444", linewidth=1, linestyle="-")
    ax.set(xlabel="mean length of red (seconds)", xlim=(reds[0], reds[-1]))
    ax.set_ylabel("Q(go) - Q(brake)\nabove 0 go, below 0 brake")
    ax.set_title("From 4 s on, a longer red makes the best driver bolder at yellow")
    ax.legend(loc="lower right")
    return figure


def draw_timing(
    red: float = 6.0, yellow: float = 2.0, green: float = 6.0, grip: float = 0.6
) -> Figure:
    """Widget: optimal decisions of a moving car for a light with these mean lengths, and how clear each decision is."""
    q = solve_crossroads(red=red, yellow=yellow, green=green, grip=grip).q
    figure, (left, right) = new_figure(1, 2, size=(7.4, 2.9), wspace=0.22)
    draw_decisions(left, q, "What the moving car should do")
    draw_advantages(right, q, "Q(go) - Q(brake): by how much")
    for ax in (left, right):
        ax.set_xlabel("cells to go")
    return figure


def draw_runaway(histories: dict[str, np.ndarray]) -> Figure:
    """Value of the start state by sweep, ``histories[name][K+1]``: one that settles and one that runs away."""
    figure, (ax,) = new_figure(size=(7.4, 2.9))
    for (name, values), (colour, linestyle, marker) in zip(histories.items(), LINES):
        ax.plot(values, color=colour, linestyle=linestyle, marker=marker, markevery=20, label=name)
    ax.set(xlabel="sweep", ylabel="value of the start")
    ax.set_title("γ = 1: one policy's value settles, the other's has no limit")
    ax.legend(loc="lower left")
    return figure
