"""Tabular Q-learning and SARSA of a single agent, many seeds at once."""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.history import History, Recorder, TabularConfig, as_config
from marl_lessons.algorithms.schedules import Progress
from marl_lessons.algorithms.seeded_worlds import SeededWorlds
from marl_lessons.algorithms.temporal_difference import (
    epsilon_greedy,
    q_learning_target,
    sarsa_target,
    td_update,
)
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.seeds import UniformStreams


def q_learning(mdp: MarkovGame, config: TabularConfig | None = None, seeds=30) -> History:
    """Q-learning (Watkins & Dayan 1992; Sutton & Barto 2018, Sec. 6.5) on an MDP; all seeds advance together.

    ``seeds``: a count or a sequence of integers; each seed's run is the same whatever others run beside it. Returns a
    :class:`History` without agent axis. Raises ValueError naming ``mdp`` (also for several agents), ``config`` or ``seeds``.
    """
    return _learn(_one_agent(mdp), config, seeds, on_policy=False).without_agent_axis()


def sarsa(mdp: MarkovGame, config: TabularConfig | None = None, seeds=30) -> History:
    """SARSA (Rummery & Niranjan 1994; Sutton & Barto 2018, Sec. 6.4) on an MDP; otherwise as :func:`q_learning`.

    Raises ValueError as that does.
    """
    return _learn(_one_agent(mdp), config, seeds, on_policy=True).without_agent_axis()


def _one_agent(mdp: MarkovGame) -> MarkovGame:
    if not check_game("mdp", mdp).is_mdp:
        raise ValueError(
            f"mdp: has {mdp.n_agents} agents; use independent_q_learning, or induced_mdp to fix the others"
        )
    return mdp


def _learn(game: MarkovGame, config: TabularConfig | None, seeds, on_policy: bool) -> History:
    config = as_config(config)
    n, n_states, n_actions = game.n_agents, game.n_states, game.n_actions[0]
    if set(game.n_actions) != {n_actions}:
        raise ValueError(
            f"game: agents have different numbers of actions {game.n_actions}; they must have the same"
        )
    streams = UniformStreams(seeds, n_numbers=2 * n + 2)
    n_seeds = len(streams.seeds)
    q = np.full((n_seeds, n, n_states, n_actions), config.initial_value)
    q[:, :, game.terminal] = 0.0
    visits = np.zeros(q.shape, dtype=np.int64)
    recorder = Recorder(config, streams.seeds, q, visits)
    # Flat views of the tables: row (seed, agent, state), entry row * A + action. One index is faster than four.
    rows, entries, counts = q.reshape(-1, n_actions), q.reshape(-1), visits.reshape(-1)
    first_row = np.arange(n_seeds * n).reshape(n_seeds, n) * n_states
    world = SeededWorlds(game, config.time_limit, n_seeds)

    def explorations(uniform):  # [2, E, n]: two numbers for each learner
        return uniform[: 2 * n].reshape(2, n, n_seeds).swapaxes(1, 2)

    def choose(row, uniform, epsilon):
        return epsilon_greedy(rows.take(row, axis=0), epsilon, uniform)

    uniform = streams.next()
    world.begin(uniform[-1], np.arange(n_seeds))
    row = first_row + world.state[:, None]
    epsilon = config.epsilon(Progress(0, world.episode, None))
    action = choose(row, explorations(uniform), epsilon)
    for step in range(config.n_steps):
        recorder.record_if_due(step, world.episode, epsilon)
        reward, terminated, ended = world.step(action, uniform[-2])
        next_row = first_row + world.state[:, None]
        ends = terminated if config.bootstrap_on_truncation else ended
        uniform, epsilon = streams.next(), config.epsilon(Progress(step + 1, world.episode, None))
        # The maximum over a short last axis is ten times faster in Fortran order.
        next_q = np.asfortranarray(rows.take(next_row, axis=0))
        if on_policy:
            next_action = epsilon_greedy(next_q, epsilon, explorations(uniform))
            target = sarsa_target(reward, next_q, next_action, ends[:, None], game.discount)
        else:
            target = q_learning_target(reward, next_q, ends[:, None], game.discount)
        entry = row * n_actions + action
        count = counts.take(entry) + 1
        counts[entry] = count
        td_update(entries, entry, target, config.step_size(Progress(step, world.episode, count)))
        row = next_row
        over = ended.nonzero()[0]
        if len(over):
            recorder.episodes_ended(over, world.total, world.age, world.state)
            world.begin(uniform[-1], over)
            row = first_row + world.state[:, None]
            epsilon = config.epsilon(Progress(step + 1, world.episode, None))
        action = choose(row, explorations(uniform), epsilon)
        if on_policy:
            action = np.where(ended[:, None], action, next_action)
    recorder.record_if_due(config.n_steps, world.episode, epsilon)
    return recorder.history()
