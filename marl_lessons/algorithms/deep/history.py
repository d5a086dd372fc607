"""What is recorded while a deep learner runs: policies, losses, evaluations, the returns of all episodes. Lessons 06, 09 and 10."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor, stack

from marl_lessons.algorithms.settings import record_moments
from marl_lessons.results import short_repr


@dataclass(frozen=True, eq=False)
class DeepHistory:
    """What was recorded: K+1 moments, S seeds, n agents.

    steps ``[K+1]``            steps that every world had made before the record
    env_steps ``[K+1]``        the same in all worlds of a seed together
    updates ``[K+1]``          updates made
    episodes ``[K+1, S]``      episodes that the worlds of a seed had finished
    losses ``[K+1, S]``        mean loss since the record before, NaN where there were no updates; of MADDPG ``[K+1, n]``
    policies                   K+1 joint policies without exploration
    evaluations ``[K+1, …]``   answers of the caller's ``evaluate``, numbers; None if there was none, or if it answers nothing
    returns                    one array ``[episodes, n]`` per seed: undiscounted, unscaled return of every finished episode
    ended_at                   one array ``[episodes]`` per seed: the steps that each world had made when the episode ended

    What one learner keeps besides, None for the other:

    epsilon ``[K+1, S]``       exploration rate (independent Q-learning)
    noise ``[K+1]``            standard deviation of the exploration noise (MADDPG)
    seconds ``[K+1]``          seconds spent on acting and learning, evaluations aside (MADDPG)
    critics                    the critics at the end (MADDPG)
    """

    steps: np.ndarray
    env_steps: np.ndarray
    updates: np.ndarray
    episodes: np.ndarray
    losses: np.ndarray
    policies: tuple
    evaluations: np.ndarray | None
    returns: tuple[np.ndarray, ...]
    ended_at: tuple[np.ndarray, ...]
    seeds: tuple[int, ...]
    epsilon: np.ndarray | None = None
    noise: np.ndarray | None = None
    seconds: np.ndarray | None = None
    critics: Callable | None = None

    __repr__ = short_repr

    @property
    def policy(self):
        """The last policy."""
        return self.policies[-1]


class Recorder:
    """Collects a :class:`DeepHistory` while a run goes on.

    n_steps     steps that every world has made
    n_updates   updates made
    seconds     seconds spent, if the learner counts them
    episodes    ``[S, 1]``: episodes that the worlds of a seed have finished
    losses      those of the updates since the last record, tensors ``[n_losses]``
    """

    def __init__(self, config, seeds: tuple[int, ...], n_worlds: int, n_agents: int, n_losses: int):
        """``n_worlds``: E, of each seed."""
        self.moments, self.seeds = record_moments(config), seeds
        self.n_worlds, self.n_losses = n_worlds, n_losses
        self.n_steps, self.n_updates, self.seconds = 0, 0, 0.0
        self.episodes = np.zeros((len(seeds), 1), dtype=int)
        self.losses: list[Tensor] = []
        self._records: list[dict] = []
        self._totals = np.zeros((len(seeds) * n_worlds, n_agents))
        self._ended = [(np.zeros(0, int), np.zeros((0, n_agents)), np.zeros(0, int))]

    def step_made(self, rewards: np.ndarray, ended: np.ndarray) -> None:
        """Note one step of all worlds: ``rewards[S·E, n]``, and where an episode ended, ``ended[S·E]``."""
        self.n_steps += 1
        self._totals += rewards
        over = ended.nonzero()[0]
        if len(over):
            owner = over // self.n_worlds
            self._ended.append((owner, self._totals[over], np.full(len(over), self.n_steps)))
            self._totals[over] = 0.0
            self.episodes += np.bincount(owner, minlength=len(self.seeds))[:, None]

    def update_made(self, losses: Tensor) -> None:
        """Note one update and its losses."""
        self.losses.append(losses)
        self.n_updates += 1

    def is_due(self) -> bool:
        """Whether it is time for the next record."""
        return self.n_steps in self.moments[len(self._records) :]

    def record(self, policy, parameters: list[Tensor], evaluate: Callable | None, **noted) -> None:
        """Make a record: the copied ``parameters`` of ``policy``, what ``evaluate`` says of it, and what else is ``noted``."""
        answer = None if evaluate is None else evaluate(policy)
        record = {
            "parameters": parameters,
            "evaluation": None if answer is None else np.array(answer, dtype=float),
            "updates": self.n_updates,
            "seconds": self.seconds,
            "episodes": self.episodes[:, 0].copy(),
            "losses": stack(self.losses).mean(dim=0).tolist() if self.losses else None,
        }
        self._records.append(record | noted)
        self.losses = []

    def column(self, name: str) -> np.ndarray:
        """``[K+1, …]``: one entry of all records."""
        return np.array([record[name] for record in self._records])

    def history(self, policy_of: Callable, **others) -> DeepHistory:
        """Everything recorded; ``policy_of(parameters)`` makes a policy, ``others`` are what one learner keeps besides."""
        owner, returns, ended_at = (np.concatenate(parts) for parts in zip(*self._ended))
        evaluated = self._records[0]["evaluation"] is not None
        none = [np.nan] * self.n_losses
        return DeepHistory(
            steps=self.moments,
            env_steps=self.moments * self.n_worlds,
            updates=self.column("updates"),
            episodes=self.column("episodes"),
            losses=np.array([record["losses"] or none for record in self._records]),
            policies=tuple(policy_of(record["parameters"]) for record in self._records),
            evaluations=self.column("evaluation") if evaluated else None,
            returns=tuple(returns[owner == s] for s in range(len(self.seeds))),
            ended_at=tuple(ended_at[owner == s] for s in range(len(self.seeds))),
            seeds=self.seeds,
            **others,
        )

    def snapshot(self) -> dict:
        """Everything noted, for :meth:`restore`."""
        return {**vars(self)}

    def restore(self, snapshot: dict) -> None:
        """Return to a :meth:`snapshot`."""
        vars(self).update(snapshot, seeds=self.seeds)
