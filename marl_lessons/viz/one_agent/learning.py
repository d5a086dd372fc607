"""How close learners come to the exact answer, over many seeds. Lesson 02."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.algorithms import (
    Constant,
    History,
    PerEpisode,
    PerStep,
    PerVisit,
    TabularConfig,
    q_learning,
)
from marl_lessons.envs.cars.one_car import crossroads
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation import distance_to_optimum, greedy_return, running_mean
from marl_lessons.solvers import Solution, policy_iteration
from marl_lessons.viz.curves import draw_seeds, in_thousands
from marl_lessons.viz.one_agent.tables import draw_decisions
from marl_lessons.viz.style import BLUE, GREY, LINES, VERMILION, new_figure

ERROR_LABEL = "largest |Q - Q*|, share of range"
ON_A_LINE = {"ha": "right", "va": "bottom", "color": "#444444"}
LIVE_STEPS, LIVE_SEEDS = 2000, 30
GOOD_ENOUGH = 0.1  # how far below the optimum a driver's worth may be to be called good
STEP_SIZES = {
    "0.5": Constant(0.5),
    "0.2": Constant(0.2),
    "0.1": Constant(0.1),
    "0.05": Constant(0.05),
    "0.02": Constant(0.02),
    "n^-0.6": PerVisit(0.6),
    "n^-0.8": PerVisit(0.8),
    "n^-1": PerVisit(1.0),
    "n^-2": PerVisit(2.0),
}
DECAYS = ("stays constant", "x 0.99 every drive", "x 0.99 every second")


def draw_errors(
    steps: np.ndarray, errors: dict[str, np.ndarray], title: str, goal: float | None = None
) -> Figure:
    """Distance to Q* by steps, ``errors[name][K+1, E]``: seeds, band and median per name; ``goal`` draws a line."""
    figure, (ax,) = new_figure(size=(7.4, 3.4))
    for (name, values), (colour, linestyle, _) in zip(errors.items(), LINES):
        draw_seeds(ax, steps, values, name, colour, linestyle)
    if goal is not None:
        ax.axhline(goal, color="#444444", linewidth=1, linestyle="-")
        ax.text(steps[-1], goal, f" {goal:.0%} of the range", **ON_A_LINE)
    ax.set(xlabel="environment steps (seconds driven)", ylabel=ERROR_LABEL, title=title)
    ax.set(xlim=(0, steps[-1]), ylim=(0, None))
    in_thousands(ax)
    ax.legend(loc="upper right")
    return figure


def draw_step_sizes(
    steps: np.ndarray, constant: dict[str, np.ndarray], per_visit: dict[str, np.ndarray]
) -> Figure:
    """Medians of the distance to Q*, log scale: constant step sizes on the left, n^-power on the right."""
    figure, axes = new_figure(1, 2, size=(7.4, 3.4), wspace=0.12)
    titles = ("Constant: fast, then a floor", "n^-power: slow, right, too fast")
    for ax, curves, title in zip(axes, (constant, per_visit), titles):
        for (name, values), (colour, linestyle, _) in zip(curves.items(), LINES):
            look = {"color": colour, "linestyle": linestyle, "label": name}
            ax.semilogy(steps, np.median(values, axis=1), **look)
        ax.set(xlabel="environment steps", title=title, ylim=(0.04, 1), xlim=(0, steps[-1]))
        ax.set_yticks([0.05, 0.1, 0.2, 0.5, 1], labels=["0.05", "0.1", "0.2", "0.5", "1"])
        ax.minorticks_off()
        in_thousands(ax)
        ax.legend(loc="upper right", ncols=2)
    axes[0].set_ylabel(ERROR_LABEL + " (median)")
    axes[1].set_yticklabels([])
    return figure


@functools.lru_cache(maxsize=1)
def live_problem() -> tuple[MarkovGame, Solution]:
    """The widget's problem, small enough to learn while one waits: a crossing with 3 cells, and its exact solution."""
    mdp = crossroads(distance=3)
    return mdp, policy_iteration(mdp)


def draw_live(step_size: str = "0.1", epsilon: float = 0.3, decay: str = DECAYS[0]) -> Figure:
    """Widget: learns afresh with 30 seeds and draws their distance to Q*; counts the good drivers.

    ``step_size``: a key of STEP_SIZES; ``epsilon``: exploration at the start; ``decay``: one of DECAYS.
    """
    mdp, exact = live_problem()
    schedules = (Constant(epsilon), PerEpisode(epsilon, 0.99), PerStep(epsilon, 0.99))
    schedule = schedules[DECAYS.index(decay)]
    config = TabularConfig(
        n_steps=LIVE_STEPS, step_size=STEP_SIZES[step_size], epsilon=schedule, n_records=40
    )
    history = q_learning(mdp, config, seeds=LIVE_SEEDS)
    figure, (ax,) = new_figure(size=(7.4, 3.2))
    errors = distance_to_optimum(history, mdp, exact.q)
    draw_seeds(ax, history.steps, errors, "30 seeds, median")
    good = int((greedy_return(history.q[-1], mdp) > mdp.initial @ exact.v - GOOD_ENOUGH).sum())
    ax.set(xlabel="environment steps (seconds driven)", ylabel=ERROR_LABEL)
    ax.set(xlim=(0, LIVE_STEPS), ylim=(0, 1.1))
    final = np.median(errors[-1])
    ax.set_title(
        f"At the end: median error {final:.2f}; {good} of {LIVE_SEEDS} drivers within {GOOD_ENOUGH} of the best"
    )
    return figure


def draw_one_seed(
    history: History, mdp: MarkovGame, exact: Solution, seed: int = 0, record: int = 1
) -> Figure:
    """Widget: what one seed would do after ``record`` of the recorded moments, beside its distance to Q* so far."""
    figure, (left, right) = new_figure(1, 2, size=(7.4, 3.1), wspace=0.3)
    q, visits = history.q[record, seed], history.visits[record, seed]
    steps = int(history.steps[record])
    draw_decisions(left, q, f"Seed {seed}: decisions at step {steps:,}")
    distance = (mdp.n_states - 2) // 6
    counts = visits.sum(axis=1)[:-2].reshape(2, 3, distance)[0][:, ::-1]
    for (row, column), count in np.ndenumerate(counts):
        small = {"ha": "center", "va": "center", "fontsize": 6.5, "color": "#333333"}
        left.text(column, row + 0.32, f"{count:,} visits", **small)
    errors = distance_to_optimum(history, mdp, exact.q)
    median = {"color": GREY, "linestyle": "--", "label": "median of all seeds"}
    right.semilogy(history.steps, np.median(errors, axis=1), **median)
    right.semilogy(history.steps, errors[:, seed], color=BLUE, linestyle="-", label=f"seed {seed}")
    right.plot(steps, errors[record, seed], "o", color=VERMILION, markersize=8, label="now")
    right.set(xlabel="environment steps", ylabel=ERROR_LABEL, ylim=(0.01, 1.2))
    right.set_yticks([0.01, 0.05, 0.2, 1], labels=["0.01", "0.05", "0.2", "1"])
    ticks = np.linspace(0, history.steps[-1], 3)
    right.set_xticks(ticks, labels=[f"{x:,.0f}" for x in ticks])
    right.minorticks_off()
    right.legend(loc="upper right")
    right.set_title(f"Distance to Q*: {errors[record, seed]:.2f}")
    return figure


def draw_online_returns(returns: dict[str, np.ndarray], window: int = 20) -> Figure:
    """Return of every episode while learning, ``returns[name][episodes, E]``, averaged over ``window`` episodes."""
    figure, (ax,) = new_figure(size=(7.4, 3.2))
    for (name, values), (colour, linestyle, _) in zip(returns.items(), LINES):
        smooth = running_mean(values, window)
        draw_seeds(ax, np.arange(window, len(values) + 1), smooth, name, colour, linestyle)
    ax.set(xlabel="episode", ylabel=f"return, mean of {window} episodes")
    ax.set(ylim=(-120, 0), xlim=(window, None))
    ax.set_title("While they learn and explore: SARSA falls less often")
    ax.legend(loc="lower right")
    return figure


def draw_exploration(
    histories: dict[str, History], returns: dict[str, np.ndarray], optimum: float
) -> Figure:
    """Left: exploration rate by step (median seed). Right: exact value of the greedy policy, ``returns[name][K+1, E]``."""
    figure, (left, right) = new_figure(1, 2, size=(7.4, 3.2), wspace=0.3)
    for (name, history), (colour, linestyle, _) in zip(histories.items(), LINES):
        look = {"color": colour, "linestyle": linestyle, "label": name}
        left.plot(history.steps, np.median(history.epsilon, axis=1), **look)
        draw_seeds(right, history.steps, returns[name], name, colour, linestyle)
    right.axhline(optimum, color="#444444", linewidth=1, linestyle="-")
    right.text(history.steps[-1], optimum, "optimal", **ON_A_LINE)
    left.set(ylabel="exploration rate ε", title="When exploration ends", ylim=(0, 1.02))
    right.set(ylabel="worth of the greedy policy", title="What was learned")
    right.text(0.98, 0.06, "colours as on the left", transform=right.transAxes, ha="right")
    for ax in (left, right):
        ax.set(xlabel="environment steps", xscale="log")
        ax.set_xlim(history.steps[1], history.steps[-1])
        in_thousands(ax)
    left.legend(loc="center right")
    return figure


def draw_time_limit(
    steps: np.ndarray, estimates: dict[str, np.ndarray], truth: float, wrong: float
) -> Figure:
    """Estimated value of a state that pays 1 for ever, ``estimates[name][K+1, E]``, with the true value and the wrong one."""
    figure, (ax,) = new_figure(size=(7.4, 2.9))
    for (name, values), (colour, linestyle, _) in zip(estimates.items(), LINES):
        draw_seeds(ax, steps, values, name, colour, linestyle)
    for level, text in ((truth, "true value"), (wrong, "what the mistake teaches")):
        ax.axhline(level, color="#444444", linewidth=0.9, linestyle="-")
        ax.text(steps[-1], level, f"{text} {level:.2f}", **ON_A_LINE)
    ax.set(xlabel="environment steps", ylabel="estimated value")
    ax.set(ylim=(0, truth * 1.15), xlim=(0, steps[-1]))
    ax.set_title("A time limit is not the end of the world")
    ax.legend(loc="lower right")
    return figure
