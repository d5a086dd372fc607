"""What a particle world consists of: its bodies, what its agents can do, see and earn. Lesson 09.

The three scenes of the course, one page each: :mod:`~marl_lessons.envs.particles.spread`,
:mod:`~marl_lessons.envs.particles.speaker_listener` and :mod:`~marl_lessons.envs.particles.tag`, with the numbers of mpe2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from marl_lessons.envs.particles.physics import Pairs, colliding_pairs

MOVES = 5  # nothing, left, right, down, up
RETURNS = ("mpe2", "openai")
FARTHEST = 1e6  # where bodies may be placed; far beyond, squares of distances would be infinite


class State(NamedTuple):
    """E worlds: ``positions[m, 2, E]`` (agents first, then landmarks), ``velocities[n, 2, E]`` of the agents, the last
    ``messages[n, c, E]``, zeros at the start, and the number ``goals[E]`` of the goal landmark, where the scene has one.
    """

    positions: np.ndarray
    velocities: np.ndarray
    messages: np.ndarray
    goals: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """A particle world's m bodies, the n agents first, then the landmarks, and its rules.

    name, agent_names        as in mpe2
    sizes ``[m]``, collides ``[m]``  the bodies' radii, and which of them push each other apart
    start ``[m]``            an episode begins with coordinates drawn uniformly from -start to start
    strengths ``[n]``        the force of a full push; 0 for an agent that cannot move
    observation_sizes        ``(d_1, …, d_n)``
    views, rewards           functions of a :class:`State`: ``[n, d, E]`` and ``[n, E]``
    settings                 the arguments that the scene was made from, as plain values
    max_speeds ``[n]``       None: no limits
    speaks ``[n]``, n_words  which agents send messages, and of how many words; None and 0: nobody
    n_goals                  how many landmarks may be the goal; 0: the scene has none
    """

    name: str
    agent_names: tuple[str, ...]
    sizes: np.ndarray
    collides: np.ndarray
    start: np.ndarray
    strengths: np.ndarray
    observation_sizes: tuple[int, ...]
    views: Callable[[State], np.ndarray]
    rewards: Callable[[State], np.ndarray]
    settings: dict
    max_speeds: np.ndarray | None = None
    speaks: np.ndarray | None = None
    n_words: int = 0
    n_goals: int = 0
    pairs: Pairs = field(init=False)  # who can collide with whom

    def __post_init__(self):
        """Fill in what was left out."""
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (the dataclass is frozen)
        put("pairs", colliding_pairs(self.sizes, self.collides, self.n_agents))
        if self.max_speeds is None:
            put("max_speeds", np.full(self.n_agents, np.inf))
        if self.speaks is None:
            put("speaks", np.zeros(self.n_agents, dtype=bool))

    @property
    def n_agents(self) -> int:
        """Number of agents n."""
        return len(self.agent_names)

    @property
    def choices(self) -> tuple[int, ...]:
        """How many moves or words each agent chooses from: as many actions, or entries of an action that is a vector."""
        return tuple(self.n_words if talks else MOVES for talks in self.speaks)


def view_order(n_agents: int, n_landmarks: int) -> np.ndarray:
    """``[n, m - 1]``: the bodies in the order in which each agent sees them: landmarks, then the other agents."""
    agents, landmarks = range(n_agents), [*range(n_agents, n_agents + n_landmarks)]
    order = [landmarks + [other for other in agents if other != i] for i in agents]
    return np.array(order, dtype=int).reshape(n_agents, -1)
