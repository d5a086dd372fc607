"""Measuring: distances to the exact answer, and summaries over seeds."""

from marl_lessons.evaluation.convergence import distance_to_optimum, greedy_return, reachable_states
from marl_lessons.evaluation.returns import discounted_returns
from marl_lessons.evaluation.statistics import Band, band, first_episodes, running_mean

__all__ = [
    "Band",
    "band",
    "discounted_returns",
    "distance_to_optimum",
    "first_episodes",
    "greedy_return",
    "reachable_states",
    "running_mean",
]
