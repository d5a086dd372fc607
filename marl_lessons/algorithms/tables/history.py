"""What a learner with tables is told, what it lives through, and what is recorded of it. Lessons 02, 04, 05, 06 and 10."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.settings import check_settings, record_moments
from marl_lessons.algorithms.tables.schedules import Progress, Schedule
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.stepping import Worlds
from marl_lessons.results import short_repr
from marl_lessons.seeds import UniformStreams

USUAL_RECORDS = 50


@dataclass(frozen=True)
class TabularConfig:
    """Settings of tabular Q-learning and SARSA.

    n_steps          environment steps of each seed (typical 2,000 to 200,000)
    step_size        α, a number in [0, 1] or a schedule (typical 0.1, or ``PerVisit(0.7)``)
    epsilon          ε, probability of a random action, a number in [0, 1] or a schedule (typical 0.1), but not ``PerVisit``
    time_limit       steps after which an episode is truncated; None: never
    bootstrap_on_truncation  True: a truncated episode's last target still counts the value of the next state, because
                     the world would have gone on. False treats truncation as termination: a mistake, here to be studied.
    initial_value    every entry of the table at the start
    n_records        K: the tables are recorded K times at equal distances, and at the start; None: 50 times, or at every step
    """

    n_steps: int = 20_000
    step_size: Schedule | float = 0.1
    epsilon: Schedule | float = 0.1
    time_limit: int | None = 200
    bootstrap_on_truncation: bool = True
    initial_value: float = 0.0
    n_records: int | None = None

    def __post_init__(self):
        """Check every field and turn numbers into constant schedules."""
        check_settings(self, USUAL_RECORDS)


def common_n_actions(name: str, problem) -> int:
    """How many actions every agent of a game or of worlds has; the argument ``name`` is refused where they differ."""
    if len(set(problem.n_actions)) > 1:
        raise ValueError(
            f"{name}: agents have different numbers of actions {problem.n_actions}; they must have the same"
        )
    return problem.n_actions[0]


@dataclass(frozen=True, eq=False)
class History:
    """What was recorded: K+1 moments, E seeds, n agents, S states, A actions.

    For a single agent the agent axis is left out: ``q[K+1, E, S, A]`` instead of ``q[K+1, E, n, S, A]``. Of learners in
    batched worlds S counts what an agent may see, and agents that share a table have no axis, either.

    steps ``[K+1]``           environment steps made by each seed before the record
    q ``[K+1, E, n, S, A]``   the tables
    visits ``[K+1, E, n, S, A]``  how often each entry had been updated
    episodes ``[K+1, E]``     episodes finished
    epsilon ``[K+1, E]``      exploration rate at that moment; 0 where the learner explores by temperature instead
    returns                   one array ``[episodes, n]`` per seed: undiscounted return of every finished episode
    lengths                   one array ``[episodes]`` per seed: its steps
    seeds                     one number per seed; of batched worlds, which draw from one generator, their positions

    What some learners keep besides, None where the learner has none:

    last_states               one array ``[episodes]`` per seed: the terminal state reached, or the last state before truncation
    policies ``[K+1, E, n, S, A]``  the policies they act on, exploration aside
    average_policies ``[K+1, E, n, S, A]``  the averages of their policies over time (WoLF-PHC)
    values ``[K+1, E, n, S]``  the values of the states (minimax-Q)
    """

    steps: np.ndarray
    q: np.ndarray
    visits: np.ndarray
    episodes: np.ndarray
    epsilon: np.ndarray
    returns: tuple[np.ndarray, ...]
    lengths: tuple[np.ndarray, ...]
    seeds: tuple[int, ...]
    last_states: tuple[np.ndarray, ...] | None = None
    policies: np.ndarray | None = None
    average_policies: np.ndarray | None = None
    values: np.ndarray | None = None

    __repr__ = short_repr

    def without_agent_axis(self) -> History:
        """The same history of a single agent, its axis of length 1 removed."""
        returns = tuple(returns[:, 0] for returns in self.returns)
        return replace(self, q=self.q[:, :, 0], visits=self.visits[:, :, 0], returns=returns)


class Recorder:
    """Collects a :class:`History` while a run goes on.

    It counts the episodes finished, ``episode[E, 1]``, and sums up the returns of the present ones, ``total[E, n]``.
    """

    def __init__(self, config, seeds: tuple[int, ...], n_agents: int, **tables: np.ndarray):
        """``tables``: the arrays ``[E, ...]``, named as in History, that the run updates in place."""
        self.moments, self.seeds, self._tables = record_moments(config), seeds, tables
        moments, n_seeds = len(self.moments), len(seeds)
        self.records = {
            name: np.empty((moments, *table.shape), np.int32 if name == "visits" else float)
            for name, table in tables.items()
        }
        self.records["episodes"] = np.empty((moments, n_seeds), dtype=int)
        self.records["epsilon"] = np.empty((moments, n_seeds))
        self.episode, self.total = np.zeros((n_seeds, 1), dtype=int), np.zeros((n_seeds, n_agents))
        nothing = np.zeros(0, dtype=int)
        self._ended = [(nothing, np.zeros((0, n_agents)), nothing, nothing)]
        self._next = 0

    def is_due(self, step: int) -> bool:
        """Whether ``step`` is the next moment to record."""
        return step == self.moments[self._next]

    def record_if_due(self, step: int, epsilon) -> None:
        """Copy the tables if ``step`` is one of the moments to record; ``epsilon`` a number or ``[E, 1]``."""
        if not self.is_due(step):
            return
        for name, table in self._tables.items():
            self.records[name][self._next] = table
        self.records["episodes"][self._next] = self.episode[:, 0]
        self.records["epsilon"][self._next] = np.ravel(epsilon)
        self._next += 1
        self._ended = [self._join_ended()]  # few large arrays take far less memory than many small

    def episodes_ended(self, which: np.ndarray, lengths: np.ndarray, states: np.ndarray) -> None:
        """Note that the episodes at positions ``which[W]`` end now, after ``lengths[W]`` steps, in ``states[W]``."""
        self.add_episodes(which, self.total[which], lengths, states)
        self.episode[which] += 1
        self.total[which] = 0.0

    def add_episodes(self, which, returns, lengths, states) -> None:
        """Note W finished episodes of the seeds at positions ``which[W]``: ``returns[W, n]``, ``lengths`` and ``states[W]``."""
        self._ended.append((which, returns, lengths, states))

    def history(self) -> History:
        """Everything recorded."""
        seed, *columns = self._join_ended()
        order = np.argsort(seed, kind="stable")
        firsts = np.searchsorted(seed[order], np.arange(1, len(self.seeds)))
        returns, lengths, last = (tuple(np.split(column[order], firsts)) for column in columns)
        return History(
            steps=self.moments,
            **self.records,
            returns=returns,
            lengths=lengths,
            seeds=self.seeds,
            last_states=last,
        )

    def _join_ended(self) -> tuple[np.ndarray, ...]:
        return tuple(np.concatenate(parts) for parts in zip(*self._ended))


class Transition(NamedTuple):
    """One step of E seeds with n agents: in ``state[E]`` the joint ``action[E, n]`` paid ``reward[E, n]``.

    ``step`` counts from 0, ``episode[E, 1]`` the episodes finished before. ``next_state[E]`` is terminal or the last of its
    episode where ``ended[E]``. ``ends[E, 1]``: nothing that follows counts in a target; True where the episode terminated,
    and where it was truncated if truncation is treated as termination. ``uniform[x, E, n]`` are x numbers in [0, 1) for
    each agent that the learner may use, ``next_uniform[2, E, n]`` those that decide the next action.
    """

    step: int
    episode: np.ndarray
    state: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    next_state: np.ndarray
    ended: np.ndarray
    ends: np.ndarray
    uniform: np.ndarray
    next_uniform: np.ndarray


Choose = Callable[[np.ndarray, np.ndarray | float, np.ndarray], np.ndarray]


def experience(
    game: MarkovGame,
    config,
    streams: UniformStreams,
    recorder: Recorder,
    choose: Choose,
    progress: Callable[[float], None] | None = None,
) -> Iterator[Transition]:
    """Play ``config.n_steps`` steps of every seed; yields each step for the caller to learn from before the next one.

    ``choose(state[E], epsilon, uniform[2, E, n])`` returns the joint actions ``[E, n]``; ε is a number or ``[E, 1]``.
    ``streams`` hold (2 + x)n + 2 numbers for each step: two for each agent's action, x for the learner's own use, one for
    the outcome, one for the next beginning. ``progress`` is told the share of the steps done, some 100 times.
    """
    n_seeds = len(streams.seeds)
    worlds, every = Worlds(game, n_seeds, config.time_limit), -(-config.n_steps // 100)

    def next_numbers():
        uniform = streams.next()
        own = uniform[:-2].reshape(-1, game.n_agents, n_seeds).swapaxes(1, 2)
        return own, uniform[-2], uniform[-1]

    own, outcome, begin = next_numbers()
    worlds.begin(np.arange(n_seeds), begin)
    for step in range(config.n_steps + 1):
        epsilon = config.epsilon(Progress(step, recorder.episode, None))
        recorder.record_if_due(step, epsilon)
        if progress is not None and (step % every == 0 or step == config.n_steps):
            progress(step / config.n_steps)
        if step == config.n_steps:
            return
        state, now = worlds.states, own
        action = choose(state, epsilon, now[:2])
        reward, terminated = worlds.advance(action, outcome)
        ended = worlds.ended
        ends = terminated if config.bootstrap_on_truncation else ended
        own, outcome, begin = next_numbers()
        yield Transition(
            step,
            recorder.episode,
            state,
            action,
            reward,
            worlds.states,
            ended,
            ends[:, None],
            now[2:],
            own[:2],
        )
        recorder.total += reward
        over = ended.nonzero()[0]
        if len(over):
            recorder.episodes_ended(over, worlds.ages[over], worlds.states[over])
            worlds.begin(over, begin[over])
