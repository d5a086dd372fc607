"""Q-learning and SARSA of a single agent, many seeds side by side. Lessons 00, 02 and 04."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marl_lessons.algorithms.settings import as_config
from marl_lessons.algorithms.tables.history import History, Recorder, TabularConfig, experience
from marl_lessons.algorithms.tables.rules import (
    epsilon_greedy,
    q_learning_target,
    sarsa_target,
    td_update,
)
from marl_lessons.algorithms.tables.schedules import Progress
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.seeds import UniformStreams


def q_learning(
    mdp: MarkovGame,
    config: TabularConfig | None = None,
    seeds=30,
    *,
    progress: Callable[[float], None] | None = None,
) -> History:
    """Q-learning (Watkins & Dayan 1992; Sutton & Barto 2018, Sec. 6.5) on an MDP; all seeds advance together.

    Q(s,a) moves by α [r + γ max_a' Q(s',a') - Q(s,a)]. ``seeds``: a count or a sequence of integers; each seed's run is the
    same whatever others run beside it. ``progress`` is told the share of the steps done. Returns a :class:`History` without
    agent axis.
    """
    tables = _Tables(mdp, config, seeds)

    def choose(state, epsilon, uniform):
        return epsilon_greedy(tables.values(state), epsilon, uniform)

    for now in tables.experience(choose, progress):
        next_q = tables.values(now.next_state)
        target = q_learning_target(now.reward, next_q, now.ends, mdp.discount)
        tables.move(now, target)
    return tables.history()


def sarsa(mdp: MarkovGame, config: TabularConfig | None = None, seeds=30) -> History:
    """SARSA (Rummery & Niranjan 1994; Sutton & Barto 2018, Sec. 6.4) on an MDP; otherwise as :func:`q_learning`.

    The next action a' is chosen before the update, by the table as it was, and then taken: Q(s,a) moves by
    α [r + γ Q(s',a') - Q(s,a)].
    """
    tables = _Tables(mdp, config, seeds)
    planned, begins = 0, True

    def choose(state, epsilon, uniform):
        return np.where(begins, epsilon_greedy(tables.values(state), epsilon, uniform), planned)

    for now in tables.experience(choose):
        next_q = tables.values(now.next_state)
        epsilon = tables.config.epsilon(Progress(now.step + 1, now.episode, None))
        planned = epsilon_greedy(next_q, epsilon, now.next_uniform)
        begins = now.ended[:, None].copy()
        target = sarsa_target(now.reward, next_q, planned, now.ends, mdp.discount)
        tables.move(now, target)
    return tables.history()


class _Tables:
    """The tables of E seeds and what they are told; arrays are ``[E, 1]``, with an axis for the one agent.

    ``rows`` and ``entries`` are flat views: row (seed, state), entry row * A + action. One index is faster than three.
    """

    def __init__(self, mdp: MarkovGame, config: TabularConfig | None, seeds):
        if not check_game("mdp", mdp).is_mdp:
            raise ValueError(
                f"mdp: has {mdp.n_agents} agents; use independent_q_learning, or induced_mdp to fix the others"
            )
        self.mdp, self.config = mdp, as_config(config, TabularConfig)
        # Four numbers for each step: two to explore, one for the outcome, one to begin the next episode.
        self.streams = UniformStreams(seeds, n_numbers=4)
        n_seeds, (self.n_actions,) = len(self.streams.seeds), mdp.n_actions
        q = np.full((n_seeds, 1, mdp.n_states, self.n_actions), self.config.initial_value)
        q[:, :, mdp.terminal] = 0.0
        visits = np.zeros(q.shape, dtype=np.int64)
        self.recorder = Recorder(self.config, self.streams.seeds, 1, q=q, visits=visits)
        self.rows, self.entries = q.reshape(-1, self.n_actions), q.reshape(-1)
        self.counts, self.first_row = visits.reshape(-1), np.arange(n_seeds)[:, None] * mdp.n_states

    def values(self, state):
        """``[E, 1, A]``: Q(s, ·). The maximum over a short last axis is ten times faster in Fortran order."""
        return np.asfortranarray(self.rows.take(self.first_row + state[:, None], axis=0))

    def experience(self, choose, progress=None):
        return experience(self.mdp, self.config, self.streams, self.recorder, choose, progress)

    def move(self, now, target):
        entry = (self.first_row + now.state[:, None]) * self.n_actions + now.action
        self.counts[entry] = count = self.counts.take(entry) + 1
        step_size = self.config.step_size(Progress(now.step, now.episode, count))
        td_update(self.entries, entry, target, step_size)

    def history(self):
        return self.recorder.history().without_agent_axis()
