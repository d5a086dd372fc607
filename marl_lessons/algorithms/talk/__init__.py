"""Agents that talk: a message buffer for learners with tables, signalling games, RIAL and DIAL, CommNet with gate or attention.

What works with networks needs PyTorch and is not imported here, such as
``from marl_lessons.algorithms.talk.commnet import CommNet``. Lesson 10.
"""

from marl_lessons.algorithms.talk.languages import crossing_language, junction_language
from marl_lessons.algorithms.talk.signalling import SignallingHistory, signalling_q_learning
from marl_lessons.algorithms.talk.worlds import (
    GatedWorlds,
    Heard,
    Language,
    ListeningWorlds,
    MessageBuffer,
    greedy_in_worlds,
)

__all__ = [
    "GatedWorlds",
    "Heard",
    "Language",
    "ListeningWorlds",
    "MessageBuffer",
    "SignallingHistory",
    "crossing_language",
    "greedy_in_worlds",
    "junction_language",
    "signalling_q_learning",
]
