"""What a tabular learner was told to do, and what was measured while it learned."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from marl_lessons.algorithms.schedules import PerAgent, Schedule, as_exploration, as_schedule
from marl_lessons.checks import as_count, as_flag, as_number

USUAL_RECORDS = 50


@dataclass(frozen=True)
class TabularConfig:
    """Settings of tabular Q-learning and SARSA. Raises ValueError naming the field.

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
        check_run(self)
        _put(self, "bootstrap_on_truncation", as_flag)
        _put(self, "initial_value", as_number, -1e12, 1e12)


def check_run(config) -> None:
    """Check the settings that all tabular learners share, and turn numbers into constant schedules.

    These are n_steps, n_records, time_limit, step_size and epsilon, as :class:`TabularConfig` explains them; the frozen
    ``config`` is changed in place. Raises ValueError naming the field.
    """
    _put(config, "n_steps", as_count)
    if config.n_records is None:
        object.__setattr__(config, "n_records", min(USUAL_RECORDS, config.n_steps))
    _put(config, "n_records", as_count)
    if config.n_records > config.n_steps:
        raise ValueError(
            f"n_records is {config.n_records}; allowed is at most n_steps = {config.n_steps}"
        )
    if config.time_limit is not None:
        _put(config, "time_limit", as_count)
    _put(config, "step_size", as_schedule)
    _put(config, "epsilon", as_exploration)


def _put(config, name: str, check, *args) -> None:
    object.__setattr__(config, name, check(name, getattr(config, name), *args))


def as_config(config, kind: type = TabularConfig, *, per_agent: bool = False):
    """``config``, a ``kind`` of settings and nothing more, as it is, the defaults for None; raises ValueError otherwise.

    Settings of another learner are refused, also those that have more fields: they would be ignored without a word.
    ``per_agent``: whether the learner can follow a :class:`~marl_lessons.algorithms.schedules.PerAgent`.
    """
    if config is not None and type(config) is not kind:
        raise ValueError(f"config: expected a {kind.__name__} or None, got {config!r:.80}")
    config = kind() if config is None else config
    for field in () if per_agent else fields(config):
        if isinstance(getattr(config, field.name), PerAgent):
            raise ValueError(
                f"config: {field.name} is a PerAgent; this learner needs one number or schedule for all agents"
            )
    return config


def common_n_actions(name: str, problem) -> int:
    """How many actions every agent of a game or of worlds has; raises ValueError naming ``name`` where they differ."""
    if len(set(problem.n_actions)) > 1:
        raise ValueError(
            f"{name}: agents have different numbers of actions {problem.n_actions}; they must have the same"
        )
    return problem.n_actions[0]


def record_moments(config) -> np.ndarray:
    """``[K+1]``: the steps at which to record, ``config.n_records`` of them at equal distances, and the start."""
    return np.linspace(0, config.n_steps, config.n_records + 1).astype(int)


@dataclass(frozen=True, eq=False)
class History:
    """What was recorded: K+1 moments, E seeds, n agents, S states, A actions.

    For a single agent the agent axis is left out: ``q[K+1, E, S, A]`` instead of ``q[K+1, E, n, S, A]``.

    steps ``[K+1]``           environment steps made by each seed before the record
    q ``[K+1, E, n, S, A]``   the tables
    visits ``[K+1, E, n, S, A]``  how often each entry had been updated
    episodes ``[K+1, E]``     episodes finished
    epsilon ``[K+1, E]``      exploration rate at that moment; 0 where the learner explores by temperature instead
    returns                   one array ``[episodes, n]`` per seed: undiscounted return of every finished episode
    lengths                   one array ``[episodes]`` per seed: its steps
    last_states               one array ``[episodes]`` per seed: the terminal state reached, or the last state before truncation

    What some learners keep besides, None where the learner has none:

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
    last_states: tuple[np.ndarray, ...]
    seeds: tuple[int, ...]
    policies: np.ndarray | None = None
    average_policies: np.ndarray | None = None
    values: np.ndarray | None = None

    def without_agent_axis(self) -> History:
        """The same history of a single agent, its axis of length 1 removed."""
        names = ("q", "visits", "policies", "average_policies", "values")
        kept = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        tables = {name: table[:, :, 0] for name, table in kept.items()}
        return replace(self, **tables, returns=tuple(r[:, 0] for r in self.returns))


class Recorder:
    """Collects a :class:`History` while a run goes on."""

    def __init__(
        self,
        config,
        seeds: tuple[int, ...],
        q: np.ndarray,
        visits: np.ndarray,
        **others: np.ndarray,
    ):
        """``q``, ``visits`` and ``others``: the arrays ``[E, n, S, ...]``, named as in History, that the run updates in place."""
        self.moments = record_moments(config)
        self.seeds, self._tables = seeds, {"q": q, "visits": visits, **others}
        n_moments, n_seeds = len(self.moments), len(seeds)
        self.records = {
            name: np.empty((n_moments, *t.shape), np.int32 if name == "visits" else float)
            for name, t in self._tables.items()
        }
        self.episodes = np.empty((n_moments, n_seeds), dtype=int)
        self.epsilon = np.empty((n_moments, n_seeds))
        self._ended: list[tuple[np.ndarray, ...]] = []
        self._next = 0

    def is_due(self, step: int) -> bool:
        """Whether ``step`` is the next moment to record."""
        return step == self.moments[self._next]

    def record_if_due(self, step: int, episode: np.ndarray, epsilon) -> None:
        """Copy the tables if ``step`` is one of the moments to record; ``episode[E, 1]``, ``epsilon`` a number or ``[E, 1]``."""
        if self.is_due(step):
            k = self._next
            for name, table in self._tables.items():
                self.records[name][k] = table
            self.episodes[k], self.epsilon[k] = episode[:, 0], np.ravel(epsilon)
            self._next += 1
            # Few large arrays take far less memory than many small ones.
            self._ended = [self._join_ended()]

    def episodes_ended(
        self, which: np.ndarray, total: np.ndarray, length: np.ndarray, state: np.ndarray
    ) -> None:
        """Note returns ``[E, n]``, lengths and states ``[E]`` of the episodes that end now, at positions ``which``."""
        self._ended.append((which, total[which], length[which], state[which]))

    def history(self) -> History:
        """Everything recorded."""
        seed, *columns = self._join_ended()
        order = np.argsort(seed, kind="stable")
        firsts = np.searchsorted(seed[order], np.arange(1, len(self.seeds)))
        returns, lengths, last_states = (
            tuple(np.split(column[order], firsts)) for column in columns
        )
        return History(
            steps=self.moments,
            episodes=self.episodes,
            epsilon=self.epsilon,
            returns=returns,
            lengths=lengths,
            last_states=last_states,
            seeds=self.seeds,
            **self.records,
        )

    def _join_ended(self) -> tuple[np.ndarray, ...]:
        no_number = np.zeros(0, dtype=int)
        nothing = (no_number, np.zeros((0, self.records["q"].shape[2])), no_number, no_number)
        return tuple(np.concatenate(parts) for parts in zip(nothing, *self._ended))
