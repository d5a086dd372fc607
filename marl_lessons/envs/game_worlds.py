"""Any finite game as batched worlds: every agent sees the whole state, as a one-hot vector."""

from __future__ import annotations

import numpy as np

from marl_lessons.envs.batched import BatchedStep
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.simulation import Worlds


class GameWorlds:
    """E copies of one Markov game, as :class:`~marl_lessons.envs.batched.BatchedWorlds` whose agents see the state.

    Each agent's observation is the state as a one-hot vector ``[S]``, also in the state that ends the episode, so that a
    picture can show it and a truncated episode's last target can be formed. All agents take part until the episode ends,
    and it ends for all of them at once: ``terminated[e, i]`` says the same for every agent i of world e.

    Besides the protocol: ``states[E]``; and ``local_states[E, n]`` with ``n_local_states`` = S, the number of what each
    agent sees, for learners with tables: here the state.
    """

    def __init__(self, game: MarkovGame, n_worlds: int, time_limit: int | None = None):
        """``n_worlds``: number of copies E; ``time_limit``: steps after which an episode is truncated (None: never).

        Raises ValueError naming the argument.
        """
        self._worlds = Worlds(game, n_worlds, time_limit)
        self.game, self.n_worlds, self.n_agents = game, self._worlds.n_worlds, game.n_agents
        self.n_actions, self.n_local_states = game.n_actions, game.n_states
        self.observation_sizes = (game.n_states,) * game.n_agents

    @property
    def states(self) -> np.ndarray:
        """``[E]``: the present state of every world."""
        return self._worlds.states.copy()

    @property
    def local_states(self) -> np.ndarray:
        """``[E, n]``: the number of what each agent sees, the state."""
        return np.repeat(self._worlds.states[:, None], self.n_agents, axis=1)

    @property
    def active(self) -> np.ndarray:
        """``[E, n]`` booleans: all True while the world's episode lasts, all False before the first and when it is over."""
        return np.repeat(~self._worlds.ended[:, None], self.n_agents, axis=1)

    @property
    def ended(self) -> np.ndarray:
        """``[E]`` booleans: whose episode is over or has not begun."""
        return self._worlds.ended.copy()

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, S]``. Raises ValueError naming ``rng``."""
        return self._observations(self._worlds.reset(rng))

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, S]``.

        Raises ValueError naming ``which`` or ``rng``.
        """
        return self._observations(self._worlds.reset_where(which, rng))

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n]``.

        Raises ValueError naming ``actions`` or ``rng``, and for worlds that have ended and were not begun again.
        """
        states, rewards, terminated, truncated = self._worlds.step(actions, rng)
        return BatchedStep(
            self._observations(states),
            rewards,
            np.repeat(terminated[:, None], self.n_agents, axis=1),
            truncated,
            terminated | truncated,
        )

    def _observations(self, states: np.ndarray) -> np.ndarray:
        return np.repeat(one_hot(states, self.game.n_states)[:, None], self.n_agents, axis=1)


def one_hot(numbers: np.ndarray, size: int) -> np.ndarray:
    """``[..., size]`` float32: 1 at the place that ``numbers[...]`` name, 0 elsewhere; the numbers are not checked."""
    return (numbers[..., None] == np.arange(size)).astype(np.float32)
