"""Independent Q-learning once more, for one seed, in plain Python: choose, step, update.

For a single seed, lists are several times faster than arrays: fast enough to learn again whenever a slider moves. Given the
same random numbers both learn the same, which the tests check. :func:`choose` and :func:`update` are pure functions of
numbers and lists that their callers have checked (``update`` changes the table that it is given).
"""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np

from marl_lessons.algorithms.settings import record_moments
from marl_lessons.algorithms.tables.history import History
from marl_lessons.algorithms.tables.independent_q import IndependentConfig, fitting
from marl_lessons.algorithms.tables.schedules import Constant, PerAgent
from marl_lessons.checks import as_count
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.envs.stepping import OutcomeTable


def choose(values: list[float], temperature: float, uniform: float) -> int:
    """An action drawn by Boltzmann exploration from the ``values`` of one state, with a number in [0, 1)."""
    best = max(values)
    weights = [math.exp((value - best) / temperature) for value in values]
    point = uniform * sum(weights)
    for action, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return action
    return len(weights) - 1


def update(
    table: list[list[float]], state: int, action: int, target: float, step_size: float
) -> float:
    """Move one entry of ``table[S][A]`` by the fraction ``step_size`` towards ``target``; returns the TD error."""
    error = target - table[state][action]
    table[state][action] += step_size * error
    return error


def one_run(game: MarkovGame, config: IndependentConfig, seed: int = 0) -> History:
    """One seed of :func:`~marl_lessons.algorithms.independent_q_learning`, with Boltzmann exploration and constant rates.

    ``config`` needs a temperature; its step sizes must be numbers, its optimism None and its memory 1. Returns a
    :class:`History` with E = 1.
    """
    n_agents = check_game("game", game).n_agents
    config, seed = fitting(config, n_agents), as_count("seed", seed, low=0)
    rates, temperatures, windows = _per_agent(config, n_agents)
    table = OutcomeTable(game)
    cumulative, next_states = table.cumulative.tolist(), table.next_states.tolist()
    rewards, terminal = table.rewards.tolist(), game.terminal.tolist()
    begins = np.cumsum(game.initial)
    begins[np.flatnonzero(game.initial)[-1] :] = 1.0
    begins, limit = begins.tolist(), config.time_limit or math.inf
    numbers = np.random.default_rng(seed).random((config.n_steps + 1, 2 * n_agents + 2)).tolist()
    q = [_fresh_table(game, i, config.initial_value) for i in range(n_agents)]
    visits = [[[0] * game.n_actions[i] for _ in terminal] for i in range(n_agents)]
    log = _Log(config, game, seed)

    state, age, totals = bisect_right(begins, numbers[0][-1]), 0, [0.0] * n_agents
    for step in range(config.n_steps):
        log.record_if_due(step, q, visits)
        uniform = numbers[step]
        actions = [
            choose(q[i][state], temperatures[i], uniform[n_agents + i]) for i in range(n_agents)
        ]
        pair = state
        for action, n_actions in zip(actions, game.n_actions):
            pair = pair * n_actions + action
        drawn = bisect_right(cumulative[pair], uniform[-2])
        next_state, reward = next_states[pair][drawn], rewards[pair][drawn]
        age += 1
        ended = terminal[next_state] or age >= limit
        ends = terminal[next_state] if config.bootstrap_on_truncation else ended
        for i, (first, end) in enumerate(windows):
            totals[i] += reward[i]
            if first <= step < end:
                follows = 0.0 if ends else game.discount * max(q[i][next_state])
                update(q[i], state, actions[i], reward[i] + follows, rates[i])
                visits[i][state][actions[i]] += 1
        state = next_state
        if ended:
            log.episode_ended(totals, age, state)
            state, age = bisect_right(begins, numbers[step + 1][-1]), 0
            totals = [0.0] * n_agents
    log.record_if_due(config.n_steps, q, visits)
    return log.history()


def _per_agent(config: IndependentConfig, n_agents: int):
    """Rates, temperatures and learning windows, one of each for every agent; raises ValueError for other settings."""
    if config.temperature is None:
        raise ValueError("config: temperature is None; one_run explores by Boltzmann's rule only")
    if config.optimism is not None or np.max(config.memory) > 1:
        raise ValueError("config: one_run learns without optimism and with memory 1 only")
    parts = config.step_size.parts if isinstance(config.step_size, PerAgent) else None
    parts = parts or (config.step_size,) * n_agents
    if not all(isinstance(part, Constant) for part in parts):
        raise ValueError("config: step_size of one_run must be a number for each agent")
    temperatures = np.broadcast_to(config.temperature, n_agents).tolist()
    windows = [window or (0, None) for window in config.learns or (None,) * n_agents]
    windows = [(first, math.inf if end is None else end) for first, end in windows]
    return [part.value for part in parts], temperatures, windows


def _fresh_table(game: MarkovGame, agent: int, initial_value: float) -> list[list[float]]:
    n_actions = game.n_actions[agent]
    return [[0.0 if ended else initial_value] * n_actions for ended in game.terminal]


class _Log:
    """Collects the :class:`History` of one run from lists."""

    def __init__(self, config: IndependentConfig, game: MarkovGame, seed: int):
        self.moments = record_moments(config)
        self.config, self.game, self.seed = config, game, seed
        self.q, self.visits, self.episodes, self.ended = [], [], [], []

    def record_if_due(self, step: int, q, visits) -> None:
        if step == self.moments[len(self.q)]:
            self.q.append([[list(row) for row in table] for table in q])
            self.visits.append([[list(row) for row in table] for table in visits])
            self.episodes.append(len(self.ended))

    def episode_ended(self, totals: list[float], length: int, state: int) -> None:
        self.ended.append((totals, length, state))

    def history(self) -> History:
        returns = np.array([e[0] for e in self.ended]).reshape(-1, self.game.n_agents)
        lengths, last_states = (np.array([e[k] for e in self.ended], dtype=int) for k in (1, 2))
        moments = len(self.moments)
        return History(
            steps=self.moments,
            q=self._table(self.q, -np.inf),
            visits=self._table(self.visits, 0).astype(np.int32),
            episodes=np.array(self.episodes)[:, None],
            epsilon=np.zeros((moments, 1)),
            returns=(returns,),
            lengths=(lengths,),
            last_states=(last_states,),
            seeds=(self.seed,),
        )

    def _table(self, records, absent) -> np.ndarray:
        """``[K+1, 1, n, S, A]``, with ``absent`` where an agent has fewer actions than another."""
        n_actions = self.game.n_actions
        shape = (len(records), 1, len(n_actions), self.game.n_states, max(n_actions))
        table = np.full(shape, absent, dtype=float)
        for i, own in enumerate(n_actions):
            table[:, 0, i, :, :own] = [record[i] for record in records]
        return table
