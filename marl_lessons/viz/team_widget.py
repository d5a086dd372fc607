"""The widget of the team games: pairs of learners that learn live, and where they end."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.algorithms.independent_config import IndependentConfig, greedy_actions
from marl_lessons.algorithms.independent_q import independent_q_learning
from marl_lessons.algorithms.optimism import Hysteretic
from marl_lessons.algorithms.schedules import Linear
from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.catalogue import CATALOGUE, penalty
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.outcomes import outcome_counts
from marl_lessons.evaluation.statistics import wilson_interval
from marl_lessons.viz.style import BLUE, GREEN, GREY, new_figure
from marl_lessons.viz.team_games import draw_outcomes

LIVE_STEPS, LIVE_PAIRS = 1000, 200
PENALTIES = (-1, -5, -8, -10, -15, -20, -30)
TEAM_GAMES = ("climbing", *(f"penalty({k})" for k in PENALTIES))


def team_game(name: str) -> MarkovGame:
    """One of the TEAM_GAMES by its name; raises ValueError naming ``game`` for another."""
    if not isinstance(name, str) or name not in TEAM_GAMES:
        raise ValueError(f"game is {name!r:.80}; allowed are {TEAM_GAMES}")
    return _team_game(name)


@functools.lru_cache(maxsize=len(TEAM_GAMES))
def _team_game(name: str) -> MarkovGame:
    return CATALOGUE[name].game if name == "climbing" else penalty(float(name[8:-1])).game


def live_counts(name: str, exploration: int, step_size: float, ratio: float) -> np.ndarray:
    """``[A_1, A_2]``: where LIVE_PAIRS pairs end after LIVE_STEPS steps; arguments as in :func:`draw_team_widget`.

    Raises ValueError naming the argument.
    """
    team_game(name)
    exploration = as_count("exploration", exploration)
    step_size = as_number("step_size", step_size, 0.0, 1.0)
    return _live_counts(name, exploration, step_size, as_number("ratio", ratio, 0.0, 1.0)).copy()


@functools.lru_cache(maxsize=64)
def _live_counts(name: str, exploration: int, step_size: float, ratio: float) -> np.ndarray:
    config = IndependentConfig(
        n_steps=LIVE_STEPS,
        step_size=step_size,
        epsilon=Linear(1, 0, exploration, per="step"),
        optimism=Hysteretic(ratio * step_size),
        time_limit=None,
        n_records=1,
    )
    history = independent_q_learning(team_game(name), config, LIVE_PAIRS)
    return outcome_counts(greedy_actions(history)[-1, :, :, 0], (3, 3))


def draw_team_widget(
    game: str = "climbing",
    exploration: int = LIVE_STEPS,
    step_size: float = 0.1,
    ratio: float = 1.0,
) -> Figure:
    """Widget: 200 pairs learn afresh; where they end, and how they share out over the payoffs.

    ``game``: one of TEAM_GAMES; ``exploration``: steps until ε has fallen from 1 to 0; ``step_size``: α; ``ratio``: β / α,
    1 for plain Q-learning, less for hysteretic. Raises ValueError naming the argument.
    """
    shown, count = team_game(game), live_counts(game, exploration, step_size, ratio)
    figure, (left, right) = new_figure(1, 2, size=(7.4, 2.9), left=0.07, right=0.98, wspace=0.25)
    draw_outcomes(left, count, shown, f"Where {LIVE_PAIRS} pairs ended")
    left.set_ylabel("agent 1", color=BLUE)
    payoff = shown.reward[0, 0]
    levels = np.unique(payoff)[::-1]
    found = np.array([count[payoff == level].sum() for level in levels])
    share, (low, high) = found / LIVE_PAIRS, wilson_interval(found, LIVE_PAIRS)
    place = np.arange(len(levels))[::-1]
    colours = [GREEN if level == levels[0] else GREY for level in levels]
    right.barh(place, share, xerr=[share - low, high - share], color=colours, height=0.6,
               error_kw={"linewidth": 1.2, "capsize": 2.5})  # fmt: skip
    right.set_yticks(place, [f"pays {level:g}" for level in levels])
    right.set(xlim=(0, 1.02), xlabel="share of pairs, with 95 % interval")
    right.set_title(
        f"Optimum: {found[0]} of {LIVE_PAIRS}, mean {(count * payoff).sum() / LIVE_PAIRS:.1f}"
    )
    return figure
