"""The Bellman equations as functions of arrays: one backup each, nothing else.

Pure functions of arrays that their callers have checked: they check nothing themselves.
Shapes: ``transition[S, A, S]``, ``reward[S, A]``, ``v[S]``, ``q[S, A]``, ``policy[S, A]``.
"""

from __future__ import annotations

import numpy as np


def action_values(
    v: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``q[S, A]``: Q(s,a) = R(s,a) + γ Σ_s' T(s'|s,a) V(s') (Sutton & Barto 2018, Eq. 4.6)."""
    return reward + discount * transition @ v


def expectation_backup(
    v: np.ndarray, policy: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``v[S]`` after one sweep: (B^π V)(s) = Σ_a π(a|s) Q(s,a) (Sutton & Barto 2018, Eq. 4.5)."""
    q = action_values(v, transition, reward, discount)
    return (policy * q).sum(axis=1)


def optimality_backup(
    v: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``v[S]`` after one sweep: (B* V)(s) = max_a Q(s,a) (Sutton & Barto 2018, Eq. 4.10)."""
    return action_values(v, transition, reward, discount).max(axis=1)


def greedy_policy(q: np.ndarray) -> np.ndarray:
    """``policy[S, A]``: probability 1 on an action of largest value; the lowest index wins a tie."""
    return np.eye(q.shape[1])[q.argmax(axis=1)]
