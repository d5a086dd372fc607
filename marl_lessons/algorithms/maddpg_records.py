"""What is measured while MADDPG learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class MADDPGHistory:
    """What was recorded: K+1 moments, n agents.

    steps ``[K+1]``         steps that every world had made before the record
    env_steps ``[K+1]``     the same in all worlds together
    updates ``[K+1]``       updates made
    noise ``[K+1]``         standard deviation of the exploration noise
    losses ``[K+1, n]``     mean loss of each critic since the record before; NaN where there were no updates
    seconds ``[K+1]``       seconds spent on acting and learning, evaluations aside; the one thing that differs between runs
    policies                K+1 joint policies without exploration
    critics                 the critics at the end
    evaluations ``[K+1, …]``  answers of the caller's ``evaluate``, or None
    returns ``[episodes, n]`` undiscounted return of every finished episode, exploration included
    ended_at ``[episodes]``   the steps that each world had made when the episode ended
    """

    steps: np.ndarray
    env_steps: np.ndarray
    updates: np.ndarray
    noise: np.ndarray
    losses: np.ndarray
    seconds: np.ndarray
    policies: tuple
    critics: Callable
    evaluations: np.ndarray | None
    returns: np.ndarray
    ended_at: np.ndarray
    seed: int

    @property
    def policy(self):
        """The last policy."""
        return self.policies[-1]


def judged(evaluate, policy, records: list[dict]) -> float | list | None:
    """What ``evaluate`` says of ``policy``, as plain numbers; raises ValueError naming it if that is not like its ``records``."""
    answer = None
    if evaluate is not None:
        value = evaluate(policy)
        if value is None:
            raise ValueError("evaluate: expected numbers, got None; does it return its answer?")
        try:
            answer = np.asarray(value, dtype=float).tolist()
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"evaluate: expected numbers, got {value!r:.80}") from error
    before = records[-1]["evaluation"] if records else answer
    if (answer is None) != (before is None) or np.shape(answer) != np.shape(before):
        raise ValueError(f"evaluate: the record before has {before!r:.60}, this one {answer!r:.60}")
    return answer
