"""What a tabular learner was told to do, and what was measured while it learned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from marl_lessons.algorithms.schedules import PerVisit, Schedule, as_schedule
from marl_lessons.checks import as_count, as_flag, as_number


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
    n_records        K: the tables are recorded K times at equal distances, and at the start
    """

    n_steps: int = 20_000
    step_size: Schedule | float = 0.1
    epsilon: Schedule | float = 0.1
    time_limit: int | None = 200
    bootstrap_on_truncation: bool = True
    initial_value: float = 0.0
    n_records: int = 50

    def __post_init__(self):
        """Check every field and turn numbers into constant schedules."""
        put = lambda name, check, *args: object.__setattr__(  # noqa: E731  (the dataclass is frozen)
            self, name, check(name, getattr(self, name), *args)
        )
        put("n_steps", as_count)
        put("n_records", as_count)
        if self.n_records > self.n_steps:
            raise ValueError(
                f"n_records is {self.n_records}; allowed is at most n_steps = {self.n_steps}"
            )
        if self.time_limit is not None:
            put("time_limit", as_count)
        put("bootstrap_on_truncation", as_flag)
        put("initial_value", as_number, -1e12, 1e12)
        put("step_size", as_schedule)
        put("epsilon", as_schedule)
        if isinstance(self.epsilon, PerVisit):
            raise ValueError(
                "epsilon: PerVisit counts the visits of an action, but ε is needed before one is chosen; "
                "use a number, PerEpisode or PerStep"
            )


def as_config(config: TabularConfig | None) -> TabularConfig:
    """``config`` as it is, the defaults for None; raises ValueError naming ``config`` for anything else."""
    if config is not None and not isinstance(config, TabularConfig):
        raise ValueError(f"config: expected a TabularConfig or None, got {config!r:.80}")
    return TabularConfig() if config is None else config


@dataclass(frozen=True, eq=False)
class History:
    """What was recorded: K+1 moments, E seeds, n agents, S states, A actions.

    For a single agent the agent axis is left out: ``q[K+1, E, S, A]`` instead of ``q[K+1, E, n, S, A]``.

    steps ``[K+1]``           environment steps made by each seed before the record
    q ``[K+1, E, n, S, A]``   the tables
    visits ``[K+1, E, n, S, A]``  how often each entry had been updated
    episodes ``[K+1, E]``     episodes finished
    epsilon ``[K+1, E]``      exploration rate at that moment
    returns                   one array ``[episodes, n]`` per seed: undiscounted return of every finished episode
    lengths                   one array ``[episodes]`` per seed: its steps
    last_states               one array ``[episodes]`` per seed: the terminal state reached, or the last state before truncation
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

    def without_agent_axis(self) -> History:
        """The same history of a single agent, its axis of length 1 removed."""
        returns = tuple(r[:, 0] for r in self.returns)
        return replace(self, q=self.q[:, :, 0], visits=self.visits[:, :, 0], returns=returns)


class Recorder:
    """Collects a :class:`History` while a run goes on."""

    def __init__(
        self, config: TabularConfig, seeds: tuple[int, ...], q: np.ndarray, visits: np.ndarray
    ):
        """``q`` and ``visits``: the arrays ``[E, n, S, A]`` that the run updates in place."""
        self.moments = np.linspace(0, config.n_steps, config.n_records + 1).astype(int)
        self.seeds, self._q, self._visits = seeds, q, visits
        n_moments, n_seeds = len(self.moments), len(seeds)
        self.q = np.empty((n_moments, *q.shape))
        self.visits = np.empty((n_moments, *q.shape), dtype=np.int32)
        self.episodes = np.empty((n_moments, n_seeds), dtype=int)
        self.epsilon = np.empty((n_moments, n_seeds))
        self._ended: list[tuple[np.ndarray, ...]] = []
        self._next = 0

    def record_if_due(self, step: int, episode: np.ndarray, epsilon) -> None:
        """Copy the tables if ``step`` is one of the moments to record; ``episode[E, 1]``, ``epsilon`` a number or ``[E, 1]``."""
        if step == self.moments[self._next]:
            k = self._next
            self.q[k], self.visits[k], self.episodes[k], self.epsilon[k] = (
                self._q,
                self._visits,
                episode[:, 0],
                np.ravel(epsilon),
            )
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
        by_seed = [seed == e for e in range(len(self.seeds))]
        returns, lengths, last_states = (
            tuple(column[mine] for mine in by_seed) for column in columns
        )
        return History(
            self.moments,
            self.q,
            self.visits,
            self.episodes,
            self.epsilon,
            returns,
            lengths,
            last_states,
            self.seeds,
        )

    def _join_ended(self) -> tuple[np.ndarray, ...]:
        no_number = np.zeros(0, dtype=int)
        nothing = (no_number, np.zeros((0, self.q.shape[2])), no_number, no_number)
        return tuple(np.concatenate(parts) for parts in zip(nothing, *self._ended))
