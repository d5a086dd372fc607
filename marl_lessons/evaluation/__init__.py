"""Measuring: distances to the exact answer, what a best responder would gain, and summaries over seeds."""

from marl_lessons.evaluation.convergence import distance_to_optimum, greedy_return, reachable_states
from marl_lessons.evaluation.exploitability import (
    exploitability,
    nash_conv,
    regrets,
    worst_case,
)
from marl_lessons.evaluation.matches import share_won, state_chances
from marl_lessons.evaluation.returns import discounted_returns
from marl_lessons.evaluation.statistics import Band, band, first_episodes, running_mean

__all__ = [
    "Band",
    "band",
    "discounted_returns",
    "distance_to_optimum",
    "exploitability",
    "first_episodes",
    "greedy_return",
    "nash_conv",
    "reachable_states",
    "regrets",
    "running_mean",
    "share_won",
    "state_chances",
    "worst_case",
]
