"""Independent Q-learning once more, for one seed, in plain Python: choose, step, update. Lessons 05 and 06.

For a single seed, lists are several times faster than arrays: fast enough to learn again whenever a slider moves. Given the
same random numbers both learn the same, which the tests check.
"""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np

from marl_lessons.algorithms.tables.history import History, Recorder
from marl_lessons.algorithms.tables.independent_q import IndependentConfig, as_independent_config
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


def independent_q_one_seed(game: MarkovGame, config: IndependentConfig, seed: int = 0) -> History:
    """One seed of :func:`~marl_lessons.algorithms.independent_q_learning`, with Boltzmann exploration and constant rates.

    ``config`` needs a temperature; its step sizes must be numbers, its optimism None and its memory 1. Returns a
    :class:`History` with E = 1.
    """
    n_agents = check_game("game", game).n_agents
    config, seed = as_independent_config(config, n_agents), as_count("seed", seed, low=0)
    rates, temperatures, windows = _per_agent(config, n_agents)
    table = OutcomeTable(game)
    cumulative, next_states = table.cumulative.tolist(), table.next_states.tolist()
    rewards, begins = table.rewards.tolist(), table.begins.tolist()
    terminal, limit = game.terminal.tolist(), config.time_limit or math.inf
    numbers = np.random.default_rng(seed).random((config.n_steps + 1, 2 * n_agents + 2)).tolist()
    q = [
        [[0.0 if over else config.initial_value] * n_actions for over in terminal]
        for n_actions in game.n_actions
    ]
    visits = [[[0] * n_actions for _ in terminal] for n_actions in game.n_actions]
    # What is recorded: the same tables as arrays [1, n, S, A], filled up where an agent has fewer actions than another.
    tables = np.full((1, n_agents, game.n_states, max(game.n_actions)), -np.inf)
    counts = np.zeros(tables.shape, dtype=int)
    recorder = Recorder(config, (seed,), n_agents, q=tables, visits=counts)

    def record_if_due(step):
        if recorder.is_due(step):
            for i, n_actions in enumerate(game.n_actions):
                tables[0, i, :, :n_actions], counts[0, i, :, :n_actions] = q[i], visits[i]
            recorder.episode[0] = len(finished)
            recorder.record_if_due(step, 0.0)

    finished = []
    state, age, totals = bisect_right(begins, numbers[0][-1]), 0, [0.0] * n_agents
    for step in range(config.n_steps):
        record_if_due(step)
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
            finished.append((0, totals, age, state))
            state, age = bisect_right(begins, numbers[step + 1][-1]), 0
            totals = [0.0] * n_agents
    record_if_due(config.n_steps)
    if finished:
        recorder.add_episodes(*(np.array(column) for column in zip(*finished)))
    return recorder.history()


def _per_agent(config: IndependentConfig, n_agents: int):
    """Rates, temperatures and learning windows, one of each for every agent; other settings are refused."""
    if config.temperature is None:
        raise ValueError("config: temperature is None; one seed explores by Boltzmann's rule only")
    if config.optimism is not None or np.max(config.memory) > 1:
        raise ValueError("config: one seed learns without optimism and with memory 1 only")
    parts = config.step_size.parts if isinstance(config.step_size, PerAgent) else None
    parts = parts or (config.step_size,) * n_agents
    if not all(isinstance(part, Constant) for part in parts):
        raise ValueError("config: step_size of one seed must be a number for each agent")
    temperatures = np.broadcast_to(config.temperature, n_agents).tolist()
    windows = [window or (0, None) for window in config.learns or (None,) * n_agents]
    windows = [(first, math.inf if end is None else end) for first, end in windows]
    return [part.value for part in parts], temperatures, windows
