"""Learners: methods that find good behaviour from experience, without the model.

Learners with networks need PyTorch and are not imported here: ``from marl_lessons.algorithms.deep_iql import train_iql``.
"""

from marl_lessons.algorithms.deep_settings import DeepIQLConfig
from marl_lessons.algorithms.fictitious_play import FictitiousPlay, fictitious_play, run_lengths
from marl_lessons.algorithms.gradient_ascent import gradient_ascent
from marl_lessons.algorithms.history import History, TabularConfig
from marl_lessons.algorithms.independent_config import (
    IndependentConfig,
    behaviour_policies,
    greedy_actions,
)
from marl_lessons.algorithms.independent_q import independent_q_learning
from marl_lessons.algorithms.minimax_q import minimax_q
from marl_lessons.algorithms.one_run import one_run
from marl_lessons.algorithms.optimism import Distributed, Hysteretic, Lenient
from marl_lessons.algorithms.regret_matching import RegretMatching, regret_matching
from marl_lessons.algorithms.replicator import Trajectory, conserved_quantity, replicator
from marl_lessons.algorithms.schedules import (
    Constant,
    Linear,
    PerEpisode,
    PerStep,
    PerVisit,
    Progress,
)
from marl_lessons.algorithms.tabular import q_learning, sarsa
from marl_lessons.algorithms.tabular_worlds import (
    WorldsHistory,
    independent_q_learning_in_worlds,
)
from marl_lessons.algorithms.temporal_difference import (
    boltzmann_policy,
    epsilon_greedy,
    q_learning_target,
    sarsa_target,
    td_update,
)
from marl_lessons.algorithms.wolf_phc import WolfConfig, wolf_phc

__all__ = [
    "Constant",
    "DeepIQLConfig",
    "Distributed",
    "FictitiousPlay",
    "History",
    "Hysteretic",
    "IndependentConfig",
    "Lenient",
    "Linear",
    "PerEpisode",
    "PerStep",
    "PerVisit",
    "Progress",
    "RegretMatching",
    "TabularConfig",
    "Trajectory",
    "WolfConfig",
    "WorldsHistory",
    "behaviour_policies",
    "boltzmann_policy",
    "conserved_quantity",
    "epsilon_greedy",
    "fictitious_play",
    "gradient_ascent",
    "greedy_actions",
    "independent_q_learning",
    "independent_q_learning_in_worlds",
    "minimax_q",
    "one_run",
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
