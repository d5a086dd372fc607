"""Learners: methods that find good behaviour from experience, without the model."""

from marl_lessons.algorithms.history import History, TabularConfig
from marl_lessons.algorithms.schedules import Constant, PerEpisode, PerStep, PerVisit, Progress
from marl_lessons.algorithms.tabular import independent_q_learning, q_learning, sarsa
from marl_lessons.algorithms.temporal_difference import (
    epsilon_greedy,
    q_learning_target,
    sarsa_target,
    td_update,
)

__all__ = [
    "Constant",
    "History",
    "PerEpisode",
    "PerStep",
    "PerVisit",
    "Progress",
    "TabularConfig",
    "epsilon_greedy",
    "independent_q_learning",
    "q_learning",
    "q_learning_target",
    "sarsa",
    "sarsa_target",
    "td_update",
]
