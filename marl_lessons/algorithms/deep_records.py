"""What is measured while networks learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from marl_lessons.algorithms.deep_settings import DeepIQLConfig
from marl_lessons.algorithms.history import record_moments


@dataclass(frozen=True, eq=False)
class DeepHistory:
    """What was recorded: K+1 moments, S seeds, n agents.

    steps ``[K+1]``           steps that every world had made before the record
    episodes ``[K+1, S]``     episodes that the worlds of a seed had finished
    epsilon ``[K+1, S]``      exploration rate at that moment
    losses ``[K+1, S]``       mean loss of the updates since the record before; NaN where there were none
    policies                  K+1 greedy policies
    evaluations               K+1 answers of the caller's ``evaluate``, or None
    returns                   one array ``[episodes, n]`` per seed: undiscounted, unscaled return of every finished episode
    ended_at                  one array ``[episodes]`` per seed: the steps that each world had made when the episode ended
    """

    steps: np.ndarray
    episodes: np.ndarray
    epsilon: np.ndarray
    losses: np.ndarray
    policies: tuple
    evaluations: tuple | None
    returns: tuple[np.ndarray, ...]
    ended_at: tuple[np.ndarray, ...]
    seeds: tuple[int, ...]

    @property
    def policy(self):
        """The last policy."""
        return self.policies[-1]


class DeepRecorder:
    """Collects a :class:`DeepHistory` while a run goes on; inner machinery that checks nothing."""

    def __init__(self, config: DeepIQLConfig, seeds: tuple[int, ...], shape: tuple[int, int, int]):
        """``shape``: seeds, worlds per seed, agents. ``losses`` holds those since the last record, each a tensor ``[S]``."""
        self.moments = record_moments(config)
        self.seeds, self.shape = seeds, shape
        self.episode = np.zeros((shape[0], 1), dtype=int)
        self.n_updates = 0
        self._total = np.zeros((shape[0] * shape[1], shape[2]))
        self.losses: list = []
        self._ended: list[tuple[np.ndarray, ...]] = []
        self._records: list[tuple] = []

    def step_made(self, step: int, rewards: np.ndarray, ended: np.ndarray) -> None:
        """Note ``rewards[S·E, n]`` and which worlds ended, ``ended[S·E]``, at the step numbered ``step``."""
        self._total += rewards
        over = ended.nonzero()[0]
        if len(over):
            owner = over // self.shape[1]
            self._ended.append((owner, self._total[over], np.full(len(over), step + 1)))
            self._total[over] = 0.0
            self.episode += np.bincount(owner, minlength=self.shape[0])[:, None]

    def update_made(self, loss) -> None:
        """Note each seed's loss, a tensor ``[S]``."""
        self.losses.append(loss)
        self.n_updates += 1

    def record_if_due(
        self,
        step: int,
        epsilon,
        policy: Callable,
        evaluate: Callable | None,
        progress: Callable[[float], None] | None,
    ) -> None:
        """Record if ``step`` is one of the moments; ``policy()`` makes the present policy, ``evaluate`` judges it."""
        if step != self.moments[len(self._records)]:
            return
        n_seeds, now = self.shape[0], policy()
        losses = [loss.cpu().numpy() for loss in self.losses]
        self._records.append(
            (
                self.episode[:, 0].copy(),
                np.broadcast_to(np.ravel(epsilon), (n_seeds,)),
                np.mean(losses, axis=0) if losses else np.full(n_seeds, np.nan),
                now,
                evaluate(now) if evaluate is not None else None,
            )
        )
        self.losses = []
        if progress is not None:
            progress(float(step / self.moments[-1]))

    def history(self) -> DeepHistory:
        """Everything recorded."""
        nothing = (np.zeros(0, int), np.zeros((0, self.shape[2])), np.zeros(0, int))
        owner, total, step = (np.concatenate(parts) for parts in zip(nothing, *self._ended))
        episodes, epsilon, losses, policies, evaluations = zip(*self._records)
        return DeepHistory(
            steps=self.moments,
            episodes=np.stack(episodes),
            epsilon=np.stack(epsilon),
            losses=np.stack(losses),
            policies=policies,
            evaluations=None if evaluations[-1] is None else evaluations,
            returns=tuple(total[owner == s] for s in range(self.shape[0])),
            ended_at=tuple(step[owner == s] for s in range(self.shape[0])),
            seeds=self.seeds,
        )
