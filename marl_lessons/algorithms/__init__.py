"""Learners: methods that find good behaviour from experience, without the model. All lessons.

Learners with networks need PyTorch and are not imported here: ``from marl_lessons.algorithms.deep.iql import train_iql``.
"""

from marl_lessons.algorithms.dynamics.fictitious_play import (
    FictitiousPlay,
    fictitious_play,
    run_lengths,
)
from marl_lessons.algorithms.dynamics.gradient_ascent import gradient_ascent
from marl_lessons.algorithms.dynamics.regret_matching import RegretMatching, regret_matching
from marl_lessons.algorithms.dynamics.replicator import Trajectory, conserved_quantity, replicator
from marl_lessons.algorithms.tables.history import History, TabularConfig
from marl_lessons.algorithms.tables.independent_q import (
    IndependentConfig,
    behaviour_policies,
    greedy_actions,
    independent_q_learning,
)
from marl_lessons.algorithms.tables.independent_q_in_worlds import independent_q_learning_in_worlds
from marl_lessons.algorithms.tables.independent_q_plain import independent_q_one_seed
from marl_lessons.algorithms.tables.minimax_q import minimax_q
from marl_lessons.algorithms.tables.q_learning import q_learning, sarsa
from marl_lessons.algorithms.tables.rules import (
    Distributed,
    Hysteretic,
    Lenient,
    boltzmann_policy,
    epsilon_greedy,
    q_learning_target,
    sarsa_target,
    td_update,
)
from marl_lessons.algorithms.tables.schedules import (
    Constant,
    Linear,
    PerEpisode,
    PerStep,
    PerVisit,
    Progress,
)
from marl_lessons.algorithms.tables.wolf_phc import WolfConfig, wolf_phc
