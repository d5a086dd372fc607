"""Tabular Q-learning and SARSA of a single agent, many seeds at once."""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.settings import as_config
from marl_lessons.algorithms.tables.history import (
    History,
    Recorder,
    SeededWorlds,
    TabularConfig,
)
from marl_lessons.algorithms.tables.rules import (
    epsilon_greedy,
    q_learning_target,
    sarsa_target,
    td_update,
)
from marl_lessons.algorithms.tables.schedules import Progress
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.seeds import UniformStreams


def q_learning(mdp: MarkovGame, config: TabularConfig | None = None, seeds=30) -> History:
    """Q-learning (Watkins & Dayan 1992; Sutton & Barto 2018, Sec. 6.5) on an MDP; all seeds advance together.

    ``seeds``: a count or a sequence of integers; each seed's run is the same whatever others run beside it. Returns a
    :class:`History` without agent axis. Raises ValueError naming ``mdp`` (also for several agents), ``config`` or ``seeds``.
    """
    return _learn(_one_agent(mdp), config, seeds, on_policy=False).without_agent_axis()


def sarsa(mdp: MarkovGame, config: TabularConfig | None = None, seeds=30) -> History:
    """SARSA (Rummery & Niranjan 1994; Sutton & Barto 2018, Sec. 6.4) on an MDP; otherwise as :func:`q_learning`."""
    return _learn(_one_agent(mdp), config, seeds, on_policy=True).without_agent_axis()


def _one_agent(mdp: MarkovGame) -> MarkovGame:
    if not check_game("mdp", mdp).is_mdp:
        raise ValueError(
            f"mdp: has {mdp.n_agents} agents; use independent_q_learning, or induced_mdp to fix the others"
        )
    return mdp


def _learn(mdp: MarkovGame, config: TabularConfig | None, seeds, on_policy: bool) -> History:
    """Arrays of E seeds are ``[E, 1]`` here: an agent axis of length 1, as worlds, schedules and records have it."""
    config, n_states, n_actions = as_config(config, TabularConfig), mdp.n_states, mdp.n_actions[0]
    # Four numbers for each step: two to explore, one for the outcome, one to begin the next episode.
    streams = UniformStreams(seeds, n_numbers=4)
    n_seeds = len(streams.seeds)
    q = np.full((n_seeds, 1, n_states, n_actions), config.initial_value)
    q[:, :, mdp.terminal] = 0.0
    visits = np.zeros(q.shape, dtype=np.int64)
    recorder = Recorder(config, streams.seeds, q, visits)
    # Flat views of the tables: row (seed, state), entry row * A + action. One index is faster than three.
    rows, entries, counts = q.reshape(-1, n_actions), q.reshape(-1), visits.reshape(-1)
    first_row = np.arange(n_seeds)[:, None] * n_states
    world = SeededWorlds(mdp, config.time_limit, n_seeds)

    def choose(values, epsilon, uniform):
        return epsilon_greedy(values, epsilon, uniform[:2, :, None])

    uniform = streams.next()
    world.begin(uniform[-1], np.arange(n_seeds))
    row = first_row + world.state[:, None]
    epsilon = config.epsilon(Progress(0, world.episode, None))
    action = choose(rows.take(row, axis=0), epsilon, uniform)
    for step in range(config.n_steps):
        recorder.record_if_due(step, world.episode, epsilon)
        reward, terminated, ended = world.step(action, uniform[-2])
        next_row = first_row + world.state[:, None]
        ends = terminated if config.bootstrap_on_truncation else ended
        uniform, epsilon = streams.next(), config.epsilon(Progress(step + 1, world.episode, None))
        # The maximum over a short last axis is ten times faster in Fortran order.
        next_q = np.asfortranarray(rows.take(next_row, axis=0))
        if on_policy:
            next_action = choose(next_q, epsilon, uniform)
            target = sarsa_target(reward, next_q, next_action, ends[:, None], mdp.discount)
        else:
            target = q_learning_target(reward, next_q, ends[:, None], mdp.discount)
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
        action = choose(rows.take(row, axis=0), epsilon, uniform)
        if on_policy:
            action = np.where(ended[:, None], action, next_action)
    recorder.record_if_due(config.n_steps, world.episode, epsilon)
    return recorder.history()
