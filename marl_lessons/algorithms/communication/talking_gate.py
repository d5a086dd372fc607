"""A gate for agents that talk: besides what to do each agent decides whether to speak, and a message has a price.

After IC3Net (Singh et al. 2019): the decision is part of an agent's action, and counts from the next step on.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.history import common_n_actions
from marl_lessons.checks import as_flags, as_generator, as_indices, as_number
from marl_lessons.envs.batched import BatchedStep, BatchedWorlds, WorldsAround


def pay_for_talking(rewards: np.ndarray, pays: np.ndarray, price: float) -> np.ndarray:
    """``[E, n]``: rewards less ``price`` for each agent that will be heard at the next step, ``pays[E, n]``. Checks nothing."""
    return rewards - price * pays


class GatedWorlds(WorldsAround):
    """Batched worlds whose agents choose (what to do, whether to speak next): action a + A · talk, of 2 A actions.

    ``worlds``: any :class:`~marl_lessons.envs.batched.BatchedWorlds` of A actions each. An observation has one entry more,
    the last: 1 where the agent speaks now, else 0. An agent speaks now if it chose so at the step before; one that has just
    arrived, or whose episode has just begun, is silent. What is said is the network's affair: this gate opens or closes the
    mouth alone, whoever is silent hears as well as anybody.

    ``price``: subtracted from the reward of a step for each message sent at the next; it may be changed at any time, so that
    a price can come late. Who leaves with this step sends no message and pays nothing.

    Besides the protocol, to be read: ``worlds``, those inside, and ``talks[E, n]`` booleans, who speaks now. Raises ValueError
    naming ``worlds`` or ``price``.
    """

    def __init__(self, worlds: BatchedWorlds, price: float = 0.0):
        super().__init__(worlds)
        if isinstance(worlds, GatedWorlds):
            raise ValueError(
                "worlds: they have a gate already; a second one would be obeyed by no network"
            )
        self._n_inside = common_n_actions("worlds", worlds)
        self.price = price
        self.n_actions = (2 * self._n_inside,) * self.n_agents
        self.observation_sizes = (max(worlds.observation_sizes) + 1,) * self.n_agents
        self.talks = np.zeros((self.n_worlds, self.n_agents), dtype=bool)

    @property
    def price(self) -> float:
        """What a message costs, 0 or more."""
        return self._price

    @price.setter
    def price(self, value: float) -> None:
        """Change the price from the next step on; raises ValueError if it is negative or not finite."""
        self._price = as_number("price", value, 0.0, 1e30)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode where ``which[E]`` is True, in silence; returns all observations ``[E, n, d]``.

        Raises ValueError naming ``which`` or ``rng``.
        """
        which, rng = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        observations = self.worlds.reset_where(which, rng)
        self.talks = self.talks & ~which[:, None]
        return self._see(observations)

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by ``actions[E, n]``, a + A · talk; raises ValueError naming ``actions`` or ``rng``."""
        allowed = self.n_actions[0]
        actions = as_indices("actions", actions, (self.n_worlds, self.n_agents), allowed)
        chose, inside = np.divmod(actions, self._n_inside)
        took_part = self.active.copy()
        step = self.worlds.step(inside, rng)
        stayed = took_part & ~step.terminated & step.observations.any(axis=-1)
        self.talks = (chose == 1) & stayed
        rewards = pay_for_talking(step.rewards, self.talks, self.price)
        return step._replace(observations=self._see(step.observations), rewards=rewards)

    def _see(self, observations: np.ndarray) -> np.ndarray:
        """The observations with one entry more."""
        talks = self.talks[..., None].astype(np.float32)
        return np.concatenate([observations.astype(np.float32), talks], axis=-1)
