"""The three lines that make a tabular learner: act, form a target, move towards it.

Pure functions of arrays that their callers have checked: they check nothing themselves.
"""

from __future__ import annotations

import numpy as np


def epsilon_greedy(q: np.ndarray, epsilon: np.ndarray | float, uniform: np.ndarray) -> np.ndarray:
    """Actions ``[...]``: random with probability ε, otherwise a greedy one (Sutton & Barto 2018, Sec. 2.2).

    ``q[..., A]`` action values, ``uniform[2, ...]`` random numbers in [0, 1): the first decides whether to explore, the
    second which action. The lowest index wins a tie. A random action may be the greedy one.
    """
    explore = uniform[0] < epsilon
    random_action = (uniform[1] * q.shape[-1]).astype(np.intp)
    return np.where(explore, random_action, q.argmax(axis=-1))


def one_draw_for_all(uniform: np.ndarray) -> np.ndarray:
    """Random numbers ``[2, ..., n]`` with which all agents of a world explore at the same moments.

    ``uniform[0, ..., i]`` decides whether agent i explores; here the first agent's number decides for all. Each still draws
    its own random action. Some published programs do this. It eases coordination in a way that is open to no agent on its own.
    """
    whether, which = uniform
    return np.stack([np.broadcast_to(whether[..., :1], which.shape), which])


def sample_actions(policy: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Actions ``[...]`` drawn from ``policy[..., A]`` with the random numbers ``uniform[...]`` in [0, 1).

    Inverse transform sampling: the first action at which the cumulative probability exceeds the number.
    """
    cumulative = policy.cumsum(axis=-1)
    cumulative /= cumulative[..., -1:]  # the last is exactly 1, so that some action is drawn
    return (uniform[..., None] < cumulative).argmax(axis=-1)


def boltzmann_policy(q: np.ndarray, temperature: np.ndarray | float) -> np.ndarray:
    """``[..., A]``: Boltzmann exploration, π(a) proportional to exp(Q(a) / τ) (Sutton & Barto 2018, Eq. 13.2).

    ``q[..., A]`` action values, -inf for an action that does not exist; ``temperature`` τ > 0, a number or ``[...]``. A
    high temperature makes all actions alike, a low one nearly always takes the greedy action.
    """
    preference = (q - q.max(axis=-1, keepdims=True)) / np.asarray(temperature)[..., None]
    weight = np.exp(preference)
    return weight / weight.sum(axis=-1, keepdims=True)


def q_learning_target(
    reward: np.ndarray, next_q: np.ndarray, terminated: np.ndarray, discount: float
) -> np.ndarray:
    """``[...]``: r + γ max_a' Q(s', a'), and r alone where the episode terminated (Sutton & Barto 2018, Eq. 6.8).

    ``reward[...]``, ``next_q[..., A]`` the values of s', ``terminated[...]`` booleans. Truncation is no termination.
    """
    return reward + discount * np.where(terminated, 0.0, next_q.max(axis=-1))


def sarsa_target(
    reward: np.ndarray,
    next_q: np.ndarray,
    next_action: np.ndarray,
    terminated: np.ndarray,
    discount: float,
) -> np.ndarray:
    """``[...]``: r + γ Q(s', a') for the action a' that will be taken, r alone on termination (S&B 2018, Eq. 6.7)."""
    taken = np.take_along_axis(next_q, next_action[..., None], axis=-1)[..., 0]
    return reward + discount * np.where(terminated, 0.0, taken)


def td_update(
    table: np.ndarray, index, target: np.ndarray, step_size: np.ndarray | float
) -> np.ndarray:
    """Move ``table[index]`` by the fraction ``step_size`` towards ``target``, in place; returns the TD errors δ.

    ``index`` selects the entries (state, action) to move, no entry twice. δ = target - table[index] (Eq. 6.8).
    """
    error = target - table[index]
    table[index] += step_size * error
    return error
