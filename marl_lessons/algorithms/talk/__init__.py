"""Agents that talk: message buffers for tables, signalling games, RIAL and DIAL, CommNet with gate or attention. Lesson 10.

What works with networks needs PyTorch and is not imported here, such as
``from marl_lessons.algorithms.talk.commnet import CommNet``. RIAL and DIAL stand in ``riddle``; how DIAL's message passes the
channel, ``soft_message`` and ``hard_message``, in ``riddle_agents``.
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
