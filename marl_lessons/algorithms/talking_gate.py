"""A gate for agents that talk: besides what to do each agent decides whether to speak, and a message has a price.

After IC3Net (Singh et al. 2019): the decision is part of an agent's action, and counts from the next step on.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.history import common_n_actions
from marl_lessons.checks import as_flags, as_generator, as_indices, as_number
from marl_lessons.envs.batched import BatchedStep, BatchedWorlds, check_batched_worlds


def pay_for_talking(rewards: np.ndarray, pays: np.ndarray, price: float) -> np.ndarray:
    """``[E, n]``: rewards less ``price`` for each agent that will be heard at the next step, ``pays[E, n]``."""
    return rewards - price * pays


def check_gate(worlds: BatchedWorlds, network) -> None:
    """Raises ValueError naming ``config`` if a network has a gate and the worlds none, or the other way round.

    Networks without a field ``gated`` are not concerned.
    """
    gated, in_worlds = getattr(network, "gated", None), isinstance(worlds, GatedWorlds)
    if gated is not None and gated != in_worlds:
        raise ValueError(
            f"config: network.gated is {gated}; worlds {'with' if in_worlds else 'without'} a gate need {in_worlds}"
        )


class GatedWorlds:
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
        self.worlds = check_batched_worlds("worlds", worlds)
        self._n_inside = common_n_actions("worlds", worlds)
        self.price = price
        self.n_worlds, self.n_agents = worlds.n_worlds, worlds.n_agents
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

    @property
    def active(self) -> np.ndarray:
        """``[E, n]`` booleans: which agents take part at the next step."""
        return self.worlds.active

    @property
    def ended(self) -> np.ndarray:
        """``[E]`` booleans: whose episode is over, or has not begun."""
        return self.worlds.ended

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, d]``. Raises ValueError naming ``rng``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode where ``which[E]`` is True, in silence; returns all observations ``[E, n, d]``.

        Raises ValueError naming ``which`` or ``rng``.
        """
        which, rng = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        self.talks = self.talks & ~which[:, None]
        return self._see(self.worlds.reset_where(which, rng))

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
