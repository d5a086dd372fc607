"""Learners: methods that find good behaviour from experience, without the model.

Learners with networks need PyTorch and are not imported here: ``from marl_lessons.algorithms.deep_iql import train_iql``.
"""

from marl_lessons.algorithms.crossing_messages import crossing_language
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
from marl_lessons.algorithms.junction_messages import junction_language
from marl_lessons.algorithms.listening import Language, ListeningWorlds, greedy_in_worlds
from marl_lessons.algorithms.message_buffer import Heard, MessageBuffer
from marl_lessons.algorithms.minimax_q import minimax_q
from marl_lessons.algorithms.one_run import one_run
from marl_lessons.algorithms.optimism import Distributed, Hysteretic, Lenient
from marl_lessons.algorithms.regret_matching import RegretMatching, regret_matching
from marl_lessons.algorithms.replicator import Trajectory, conserved_quantity, replicator
from marl_lessons.algorithms.riddle_play import RiddlePlay, code_table, every_sequence, tell_table
from marl_lessons.algorithms.riddle_settings import RiddleConfig
from marl_lessons.algorithms.schedules import (
    Constant,
    Linear,
    PerEpisode,
    PerStep,
    PerVisit,
    Progress,
)
from marl_lessons.algorithms.signalling_learners import (
    SignallingHistory,
    signalling_q_learning,
    signalling_urns,
)
from marl_lessons.algorithms.tabular import q_learning, sarsa
from marl_lessons.algorithms.tabular_worlds import (
    WorldsHistory,
    independent_q_learning_in_worlds,
)
from marl_lessons.algorithms.talking_gate import GatedWorlds
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
    "GatedWorlds",
    "Heard",
    "History",
    "Hysteretic",
    "IndependentConfig",
    "Language",
    "Lenient",
    "Linear",
    "ListeningWorlds",
    "MessageBuffer",
    "PerEpisode",
    "PerStep",
    "PerVisit",
    "Progress",
    "RegretMatching",
    "RiddleConfig",
    "RiddlePlay",
    "SignallingHistory",
    "TabularConfig",
    "Trajectory",
    "WolfConfig",
    "WorldsHistory",
    "behaviour_policies",
    "boltzmann_policy",
    "code_table",
    "conserved_quantity",
    "crossing_language",
    "epsilon_greedy",
    "every_sequence",
    "fictitious_play",
    "gradient_ascent",
    "greedy_actions",
    "greedy_in_worlds",
    "independent_q_learning",
    "independent_q_learning_in_worlds",
    "junction_language",
    "minimax_q",
    "one_run",
    "q_learning",
    "q_learning_target",
    "regret_matching",
    "replicator",
    "run_lengths",
    "sarsa",
    "sarsa_target",
    "signalling_q_learning",
    "signalling_urns",
    "td_update",
    "tell_table",
    "wolf_phc",
]
