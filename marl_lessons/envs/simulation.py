"""Stepping many copies of one tabular game at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_flags, as_generator, as_indices
from marl_lessons.envs.batched import check_going_on
from marl_lessons.envs.markov_game import MarkovGame, check_game


class Step(NamedTuple):
    """What one step of E copies returns.

    ``states[E]`` after the step, ``rewards[E, n]``, and two reasons for which an episode ends, kept apart:
    ``terminated[E]`` (a terminal state was reached: nothing follows) and ``truncated[E]`` (the time limit ran out: the
    world would have gone on).
    """

    states: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class OutcomeTable:
    """The transitions of a game as short lists of possible outcomes, for fast sampling.

    For every (state, joint action) pair the table lists its K most probable next states, their cumulative
    probabilities and the rewards paid: ``next_states[S·A, K]``, ``cumulative[S·A, K]``, ``rewards[S·A, K, n]``.
    """

    def __init__(self, game: MarkovGame):
        """Tabulate ``game``; K is the largest number of outcomes that any pair has."""
        # Joint actions are numbered in C order: the last agent's action changes fastest.
        self._n_joint = int(np.prod(game.n_actions))
        self._strides = np.array(
            [int(np.prod(game.n_actions[i + 1 :])) for i in range(game.n_agents)]
        )
        kernel = game.joint_transition.reshape(-1, game.n_states)
        width = int((kernel > 0).sum(axis=1).max())
        # Likely outcomes first. A part of the rows at a time: the whole would take as much memory as the game.
        order = np.concatenate(
            [
                np.argsort(-rows, axis=1, kind="stable")[:, :width]
                for rows in np.array_split(kernel, -(-len(kernel) // 1000))
            ]
        )
        pairs = np.arange(len(kernel))[:, None]
        self.next_states = order
        self.cumulative = np.cumsum(kernel[pairs, order], axis=1)
        # Rounding must never select an outcome of probability zero: from the last possible one on, the sum is exactly 1.
        possible = (kernel[pairs, order] > 0).sum(axis=1)
        self.cumulative[np.arange(width) >= possible[:, None] - 1] = 1.0
        n = game.n_agents
        if game.outcome_reward is None:
            rewards = np.broadcast_to(game.joint_reward.reshape(n, -1, 1), (n, len(kernel), width))
        else:
            state, *actions = np.unravel_index(pairs, game.transition.shape[:-1])
            rewards = game.outcome_reward[(slice(None), state, *actions, order)]
        self.rewards = np.ascontiguousarray(np.moveaxis(rewards, 0, -1))
        self._flat_next_states, self._flat_rewards = (
            self.next_states.reshape(-1),
            self.rewards.reshape(-1, n),
        )

    def pairs(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Indices ``[E]`` of the pairs (state, joint action) for ``states[E]`` and ``actions[E, n]``."""
        return states * self._n_joint + actions @ self._strides

    def sample(self, pairs: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Next states ``[E]`` and rewards ``[E, n]`` for pair indices ``[E]`` (state · A + joint action).

        ``uniform[E]`` are numbers in [0, 1): inverse transform sampling, so the same number gives the same outcome.
        """
        k = (uniform[:, None] < self.cumulative.take(pairs, axis=0)).argmax(axis=1)
        outcome = pairs * self.cumulative.shape[1] + k
        return self._flat_next_states.take(outcome), self._flat_rewards.take(outcome, axis=0)


class Worlds:
    """E copies of one game that advance together, each with its own state and clock.

    ``reset(rng)`` and ``step(actions, rng)`` follow the shapes of the course: actions ``[E, n]``, rewards ``[E, n]``.
    An ended copy must be begun again with ``reset_where`` before it is stepped again.
    """

    def __init__(self, game: MarkovGame, n_worlds: int, time_limit: int | None = None):
        """``n_worlds``: number of copies E; ``time_limit``: steps after which an episode is truncated (None: never).

        Raises ValueError naming the argument.
        """
        self.game, self.n_worlds = check_game("game", game), as_count("n_worlds", n_worlds)
        self.time_limit = None if time_limit is None else as_count("time_limit", time_limit)
        self._outcomes = OutcomeTable(game)
        self.states = np.zeros(self.n_worlds, dtype=np.int64)
        self.ages = np.zeros(self.n_worlds, dtype=np.int64)
        self.ended = np.ones(self.n_worlds, dtype=bool)

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every copy; returns the states ``[E]``. Raises ValueError naming ``rng``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the copies where ``which[E]`` is True; returns all states ``[E]``.

        Raises ValueError naming ``which`` or ``rng``.
        """
        which, rng = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        self.states[which] = rng.choice(
            self.game.n_states, size=int(which.sum()), p=self.game.initial
        )
        self.ages[which] = 0
        self.ended[which] = False
        return self.states.copy()

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> Step:
        """Advance every copy by the joint actions ``[E, n]``.

        Raises ValueError naming ``actions`` or ``rng``, and for copies that have ended and were not begun again.
        """
        rng = as_generator("rng", rng)
        actions = as_indices(
            "actions", actions, (self.n_worlds, self.game.n_agents), np.array(self.game.n_actions)
        )
        check_going_on(self.ended)
        pairs = self._outcomes.pairs(self.states, actions)
        self.states, rewards = self._outcomes.sample(pairs, rng.random(self.n_worlds))
        self.ages += 1
        terminated = self.game.terminal[self.states]
        late = (
            np.zeros_like(terminated) if self.time_limit is None else self.ages >= self.time_limit
        )
        truncated = late & ~terminated
        self.ended = terminated | truncated
        return Step(self.states.copy(), rewards, terminated, truncated)
