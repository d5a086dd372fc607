"""What every batched world offers: E copies of one problem for n agents, stepped together, seen through observations.

Shapes in this order everywhere: ``[E, n, …]``. A world whose agents see whole states of a finite game is
:class:`~marl_lessons.envs.simulation.Worlds`; here agents may see less than the state, or a picture of it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np


class BatchedStep(NamedTuple):
    """What one step of E worlds with n agents brought.

    observations ``[E, n, d]`` float32  what each agent sees next; zeros where it took no part in this step and takes none in the next
    rewards ``[E, n]`` float64          each agent's own reward
    terminated ``[E, n]`` booleans      this agent's story ended with this step: nothing that follows counts for it
    truncated ``[E]`` booleans          the clock cut the world's episode short; its story would have gone on
    ended ``[E]`` booleans              the world's episode is over, for either reason; begin it again before the next step
    """

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    ended: np.ndarray


@runtime_checkable
class BatchedWorlds(Protocol):
    """E copies of one problem that advance together.

    n_worlds           E
    n_agents           n
    n_actions          ``(A_1, …, A_n)``: agent i's actions are 0 to A_i - 1
    observation_sizes  ``(d_1, …, d_n)``: observations have d = max d_i entries; agent i's end with zeros where d_i < d
    active             ``[E, n]`` booleans: which agents take part at the next step (a car may not have arrived yet). What
                       an agent does that takes no part is ignored; its reward is 0
    """

    n_worlds: int
    n_agents: int
    n_actions: tuple[int, ...]
    observation_sizes: tuple[int, ...]
    active: np.ndarray

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, d]``."""

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``."""

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n]``, whole numbers."""
