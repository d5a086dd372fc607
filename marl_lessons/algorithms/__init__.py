"""Learners: methods that find good behaviour from experience, without the model."""

from marl_lessons.algorithms.fictitious_play import FictitiousPlay, fictitious_play, run_lengths
from marl_lessons.algorithms.gradient_ascent import gradient_ascent
from marl_lessons.algorithms.history import History, TabularConfig
from marl_lessons.algorithms.minimax_q import minimax_q
from marl_lessons.algorithms.regret_matching import RegretMatching, regret_matching
from marl_lessons.algorithms.replicator import Trajectory, conserved_quantity, replicator
from marl_lessons.algorithms.schedules import Constant, PerEpisode, PerStep, PerVisit, Progress
from marl_lessons.algorithms.tabular import independent_q_learning, q_learning, sarsa
from marl_lessons.algorithms.temporal_difference import (
    epsilon_greedy,
    q_learning_target,
    sarsa_target,
    td_update,
)
from marl_lessons.algorithms.wolf_phc import WolfConfig, wolf_phc

__all__ = [
    "Constant",
    "FictitiousPlay",
    "History",
    "PerEpisode",
    "PerStep",
    "PerVisit",
    "Progress",
    "RegretMatching",
    "TabularConfig",
    "Trajectory",
    "WolfConfig",
    "conserved_quantity",
    "epsilon_greedy",
    "fictitious_play",
    "gradient_ascent",
    "independent_q_learning",
    "minimax_q",
    "q_learning",
    "q_learning_target",
    "regret_matching",
    "replicator",
    "run_lengths",
    "sarsa",
    "sarsa_target",
    "td_update",
    "wolf_phc",
]
