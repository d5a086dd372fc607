"""Independent Q-learning in any Markov game, all seeds side by side: each agent learns as if it were alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marl_lessons.algorithms.history import History, Recorder, TabularConfig
from marl_lessons.algorithms.independent_config import IndependentConfig, fitting
from marl_lessons.algorithms.memory import Memory
from marl_lessons.algorithms.optimism import (
    Distributed,
    Hysteretic,
    Lenient,
    changes_policy,
    cooler,
    hysteretic_step,
    leniency,
)
from marl_lessons.algorithms.schedules import Progress
from marl_lessons.algorithms.seeded_worlds import Transition, experience
from marl_lessons.algorithms.temporal_difference import (
    boltzmann_policy,
    epsilon_greedy,
    one_draw_for_all,
    q_learning_target,
    sample_actions,
)
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.seeds import UniformStreams

COLDEST = 1e-100  # no temperature falls below: rounded to 0 it could not be divided by


def independent_q_learning(
    game: MarkovGame, config: TabularConfig | None = None, seeds=30
) -> History:
    """Every agent of ``game`` runs Q-learning on a table of its own, as if the others were part of the world.

    Independent Q-learning (Tan 1993; Albrecht et al. 2024, Sec. 5.3.2). ``config``: an :class:`IndependentConfig`, or a
    :class:`TabularConfig` for plain learners. ``seeds``: a count or a sequence of integers; each seed's run is the same
    whatever others run beside it.

    Returns a :class:`History` with agent axis; where an agent has fewer actions than another, its tables end with -inf.
    With :class:`Distributed` it holds ``policies``, too. Raises ValueError naming ``game``, ``config`` (also if its tuples
    do not fit the number of agents) or ``seeds``.
    """
    n = check_game("game", game).n_agents
    config = fitting(config, n)
    if not config.uses_epsilon:
        config = replace(config, epsilon=0.0)  # recorded so, too
    draws = config.batch_size if np.max(config.memory) > 1 else 0
    own_numbers = draws + isinstance(config.optimism, Lenient)
    streams = UniformStreams(seeds, n_numbers=(2 + own_numbers) * n + 2)
    learners = _Learners(game, config, len(streams.seeds))
    recorder = Recorder(
        config, streams.seeds, learners.q, learners.visits, **learners.other_tables()
    )
    for now in experience(game, config, streams, recorder, learners.choose, slice(None)):
        learners.learn(now)
    return recorder.history()


class _Learners:
    """The tables of E seeds and n agents, how they choose and how they learn.

    ``rows`` and ``entries`` are flat views: row (seed, agent, state), entry row * A + action. One index is faster than four.
    """

    def __init__(self, game: MarkovGame, config: IndependentConfig, n_seeds: int):
        n, n_states, self.n_actions = game.n_agents, game.n_states, max(game.n_actions)
        self.config, self.discount, self.own_actions = config, game.discount, game.n_actions
        self.q = np.full((n_seeds, n, n_states, self.n_actions), config.initial_value)
        self.q[:, :, game.terminal] = 0.0
        for i, own in enumerate(game.n_actions):
            self.q[:, i, :, own:] = -np.inf
        self.visits = np.zeros(self.q.shape, dtype=np.int64)
        self.rows, self.entries = self.q.reshape(-1, self.n_actions), self.q.reshape(-1)
        self.counts = self.visits.reshape(-1)
        self.first_row = np.arange(n_seeds * n).reshape(n_seeds, n) * n_states
        self.policies = self.temperatures = self.memory = None
        if isinstance(config.optimism, Distributed):
            self.policies = np.broadcast_to(np.eye(self.n_actions)[0], self.q.shape).copy()
        if isinstance(config.optimism, Lenient):
            self.temperatures = np.full(self.rows.shape, config.optimism.start)
            self.temperatures[~np.isfinite(self.rows)] = np.nan
        if np.max(config.memory) > 1:
            self.memory = Memory(np.broadcast_to(config.memory, n), n_seeds)

    def other_tables(self) -> dict[str, np.ndarray]:
        """What is recorded besides action values and visits."""
        return {} if self.policies is None else {"policies": self.policies}

    def choose(self, state: np.ndarray, epsilon, uniform: np.ndarray) -> np.ndarray:
        """Joint actions ``[E, n]`` in ``state[E]``, as ``uniform[2, E, n]`` decide."""
        row = self.first_row + state[:, None]
        q = self.rows.take(row, axis=0)
        if self.temperatures is not None:
            return self._choose_leniently(q, row, uniform)
        if self.config.temperature is not None:
            return sample_actions(boltzmann_policy(q, self.config.temperature), uniform[1])
        if self.policies is not None:
            q = self.policies.reshape(self.rows.shape).take(row, axis=0)
        if self.config.correlated_exploration:
            uniform = one_draw_for_all(uniform)
        if len(set(self.own_actions)) > 1:  # a random action is one of those that exist
            share = (np.array(self.own_actions) - 1e-9) / self.n_actions
            uniform = np.stack([uniform[0], uniform[1] * share])
        return epsilon_greedy(q, epsilon, uniform)

    def _choose_leniently(self, q: np.ndarray, row: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        lenient, mean = self.config.optimism, np.nanmean(self.temperatures.take(row, axis=0), -1)
        drawn = sample_actions(boltzmann_policy(q, lenient.exploration * mean), uniform[1])
        return np.where(mean < lenient.coldest, q.argmax(axis=-1), drawn)

    def learn(self, now: Transition) -> None:
        """Move every agent's table by one transition: the present one, or the mean of a batch from its memory."""
        config = self.config
        row = self.first_row + now.state[:, None]
        next_row = self.first_row + now.next_state[:, None]
        entry, reward = row * self.n_actions + now.action, now.reward
        ends = (now.terminated if config.bootstrap_on_truncation else now.ended)[:, None]
        learning = 1 if config.learns is None else config.learning(now.step, len(self.own_actions))
        self.counts[entry] += learning
        if self.memory is not None:
            draws = now.uniform[: config.batch_size]
            ends = np.broadcast_to(ends, entry.shape)
            entry, reward, next_row, ends = self.memory.exchange(
                draws, entry, reward, next_row, ends
            )
        # The maximum over a short last axis is ten times faster in Fortran order.
        next_q = np.asfortranarray(self.rows.take(next_row, axis=0))
        target = q_learning_target(reward, next_q, ends, self.discount)
        error = target - self.entries.take(entry)
        progress = Progress(now.step, now.episode, np.maximum(self.counts.take(entry), 1))
        change = learning * (self._step_size(progress, error, entry, now.uniform) * error)
        if self.memory is not None:  # an entry may be drawn several times
            np.add.at(self.entries, entry, change / config.batch_size)
            return
        before = None if self.policies is None else self.rows.take(row, axis=0)
        self.entries[entry] += change
        if self.policies is not None:
            self._keep_or_change(row, now.action, before)
        if self.temperatures is not None:
            self._cool(learning, entry, next_row, ends)

    def _step_size(self, progress: Progress, error, entry, uniform) -> np.ndarray | float:
        """α, and where the news is bad what the optimism makes of it."""
        step_size, optimism = self.config.step_size(progress), self.config.optimism
        if optimism is None:
            return step_size
        if isinstance(optimism, Hysteretic):
            worse = optimism.negative_step_size(progress)
        elif isinstance(optimism, Distributed):
            worse = 0.0
        else:  # Lenient
            forgives = leniency(self.temperatures.reshape(-1).take(entry), optimism.leniency)
            worse = np.where(uniform[-1] < forgives, 0.0, step_size)
        return hysteretic_step(error, step_size, worse)

    def _cool(self, learning, entry, next_row, ends) -> None:
        lenient, temperatures = self.config.optimism, self.temperatures.reshape(-1)
        before = temperatures.take(entry)
        next_mean = np.nanmean(self.temperatures.take(next_row, axis=0), axis=-1)
        after = cooler(before, next_mean, lenient.decay, lenient.diffusion, ends)
        temperatures[entry] = np.where(learning, np.maximum(after, COLDEST), before)

    def _keep_or_change(self, row, action, before) -> None:
        changed = changes_policy(before, self.rows.take(row, axis=0))
        policies = self.policies.reshape(self.rows.shape)
        policies[row[changed]] = np.eye(self.n_actions)[action[changed]]
