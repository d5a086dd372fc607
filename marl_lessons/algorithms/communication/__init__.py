"""Agents that talk: a message buffer for learners with tables, signalling games, RIAL and DIAL, CommNet with gate or attention.

What works with networks needs PyTorch and is not imported here, such as
``from marl_lessons.algorithms.communication.commnet import CommNet``.
"""

from marl_lessons.algorithms.communication.crossing_messages import crossing_language
from marl_lessons.algorithms.communication.junction_messages import junction_language
from marl_lessons.algorithms.communication.listening import (
    Language,
    ListeningWorlds,
    greedy_in_worlds,
)
from marl_lessons.algorithms.communication.message_buffer import Heard, MessageBuffer
from marl_lessons.algorithms.communication.riddle_play import (
    RiddlePlay,
    code_table,
    every_sequence,
    tell_table,
)
from marl_lessons.algorithms.communication.riddle_settings import RiddleConfig
from marl_lessons.algorithms.communication.signalling_learners import (
    SignallingHistory,
    signalling_q_learning,
    signalling_urns,
)
from marl_lessons.algorithms.communication.talking_gate import GatedWorlds

__all__ = [
    "GatedWorlds",
    "Heard",
    "Language",
    "ListeningWorlds",
    "MessageBuffer",
    "RiddleConfig",
    "RiddlePlay",
    "SignallingHistory",
    "code_table",
    "crossing_language",
    "every_sequence",
    "greedy_in_worlds",
    "junction_language",
    "signalling_q_learning",
    "signalling_urns",
    "tell_table",
]
