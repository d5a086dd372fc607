"""What a tabular learner was told to do, and what was measured while it learned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.settings import check_settings, record_moments
from marl_lessons.algorithms.tables.rules import sample_actions
from marl_lessons.algorithms.tables.schedules import (
    Progress,
    Schedule,
)
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.stepping import OutcomeTable
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
    """How many actions every agent of a game or of worlds has; raises ValueError naming ``name`` where they differ."""
    if len(set(problem.n_actions)) > 1:
        raise ValueError(
            f"{name}: agents have different numbers of actions {problem.n_actions}; they must have the same"
        )
    return problem.n_actions[0]


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


# One copy of a game per seed, driven by given random numbers: where the learners with a seed axis gain experience.


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
