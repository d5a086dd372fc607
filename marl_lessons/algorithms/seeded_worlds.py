"""One copy of a game per seed, driven by given random numbers: where the learners with a seed axis gain experience.

Inner machinery: it takes games, settings and arrays that its callers have checked, and checks nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.history import Recorder
from marl_lessons.algorithms.schedules import Progress
from marl_lessons.algorithms.temporal_difference import sample_actions
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.simulation import OutcomeTable
from marl_lessons.seeds import UniformStreams


class SeededWorlds:
    """One copy of the game per seed; keeps clocks and returns.

    Unlike :class:`~marl_lessons.envs.Worlds` it is driven by given random numbers, one stream for each seed, so that
    a seed's run does not depend on the others.
    """

    def __init__(self, game: MarkovGame, time_limit: int | None, n_seeds: int):
        """``time_limit``: steps after which an episode is truncated (None: never); ``n_seeds``: number of copies E."""
        self.outcomes, self.terminal = OutcomeTable(game), game.terminal
        self.begins = np.cumsum(game.initial)
        self.begins[np.flatnonzero(game.initial)[-1] :] = 1.0
        self.time_limit = np.inf if time_limit is None else time_limit
        self.state, self.age = np.zeros(n_seeds, dtype=np.intp), np.zeros(n_seeds, dtype=np.intp)
        self.episode = np.full((n_seeds, 1), -1)
        self.total = np.zeros((n_seeds, game.n_agents))

    def begin(self, uniform: np.ndarray, which: np.ndarray) -> None:
        """Begin the next episode of the seeds at positions ``which``; ``uniform[E]`` numbers in [0, 1)."""
        self.state[which] = self.begins.searchsorted(uniform[which], side="right")
        self.age[which], self.total[which] = 0, 0.0
        self.episode[which] += 1

    def step(
        self, action: np.ndarray, uniform: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Advance by ``action[E, n]``; returns ``reward[E, n]``, ``terminated[E]`` and ``ended[E]`` (or truncated)."""
        pairs = self.outcomes.pairs(self.state, action)
        self.state, reward = self.outcomes.sample(pairs, uniform)
        self.age += 1
        self.total += reward
        terminated = self.terminal.take(self.state)
        return reward, terminated, terminated | (self.age >= self.time_limit)


class Transition(NamedTuple):
    """One step of E seeds with n agents: in ``state[E]`` the joint ``action[E, n]`` paid ``reward[E, n]``.

    ``step`` counts from 0, ``episode[E, 1]`` the episodes finished before. ``next_state[E]`` is terminal where
    ``terminated[E]``; ``ended[E]`` is True there and where the time limit cut the episode short. ``uniform[x, E, n]`` are
    x numbers in [0, 1) for each agent that the learner may use.
    """

    step: int
    episode: np.ndarray
    state: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    next_state: np.ndarray
    terminated: np.ndarray
    ended: np.ndarray
    uniform: np.ndarray


Choose = Callable[[np.ndarray, np.ndarray | float, np.ndarray], np.ndarray]


def experience(
    game: MarkovGame, config, streams: UniformStreams, recorder: Recorder, choose: Choose, learners
) -> Iterator[Transition]:
    """Play ``config.n_steps`` steps of every seed; yields each step for the caller to learn from before the next one.

    ``choose(state[E], epsilon, uniform[2, E, n])`` returns the joint actions ``[E, n]``; ε is a number or ``[E, 1]``.
    ``streams`` hold (2 + x)n + 2 numbers for each step: two for each agent's action, x for the learner's own use, one for
    the outcome, one for the next beginning.
    ``learners`` selects the agents whose returns are recorded.
    """
    n_seeds = len(streams.seeds)
    worlds = SeededWorlds(game, config.time_limit, n_seeds)
    uniform, over = streams.next(), np.arange(n_seeds)
    worlds.begin(uniform[-1], over)
    for step in range(config.n_steps + 1):
        epsilon = config.epsilon(Progress(step, worlds.episode, None))
        recorder.record_if_due(step, worlds.episode, epsilon)
        if step == config.n_steps:
            return
        numbers = uniform[:-2].reshape(-1, game.n_agents, n_seeds).swapaxes(1, 2)
        state = worlds.state
        action = choose(state, epsilon, numbers[:2])
        reward, terminated, ended = worlds.step(action, uniform[-2])
        yield Transition(
            step,
            worlds.episode,
            state,
            action,
            reward,
            worlds.state,
            terminated,
            ended,
            numbers[2:],
        )
        uniform, over = streams.next(), ended.nonzero()[0]
        if len(over):
            recorder.episodes_ended(over, worlds.total[:, learners], worlds.age, worlds.state)
            worlds.begin(uniform[-1], over)


def draw_actions(
    policy: np.ndarray, epsilon: np.ndarray | float, uniform: np.ndarray
) -> np.ndarray:
    """Actions ``[...]``: with probability ε any action with equal chance, otherwise drawn from ``policy[..., A]``.

    ``uniform[2, ...]`` are random numbers in [0, 1): the first decides whether to explore, the second which action.
    """
    explore = uniform[0] < epsilon
    random_action = (uniform[1] * policy.shape[-1]).astype(np.intp)
    return np.where(explore, random_action, sample_actions(policy, uniform[1]))
