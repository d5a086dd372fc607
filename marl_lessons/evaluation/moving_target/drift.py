"""How much an agent's world changes while the others learn, exactly, and how much it can change at most. Lessons 05 and 09.

The moments of a training history are the first axis, K of them; seeds may follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.moving_target.induced import (
    as_policies,
    induced_kernel,
    induced_reward,
    others_policy,
    product_policy,
    seen_by,
)
from marl_lessons.results import short_repr


class Drift(NamedTuple):
    """How far the induced MDP moved within ``lag`` records, each ``[K-lag, ...]``, entry k comparing records k and k + lag.

    kernel        total variation between the two kernels T_i(·|s,a_i): largest, or weighted mean, over s and a_i
    reward        |R_i(s,a_i) now - then|, in units of reward: largest, or weighted mean
    joint_bound   max_s TV(π_-i(·|s) now, then) of the others' joint policy: ``kernel`` never exceeds it
    sum_bound     max_s Σ_{j≠i} TV(π_j(·|s) now, then): never below ``joint_bound``
    reward_bound  max over s and a_i of TV(π_-i(·|s) now, then) · (max - min of R_i(s,⟨a_i,·⟩)): ``reward`` never
                  exceeds it
    """

    kernel: np.ndarray
    reward: np.ndarray
    joint_bound: np.ndarray
    sum_bound: np.ndarray
    reward_bound: np.ndarray

    __repr__ = short_repr


def total_variation(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """``[...]``: TV(p, q) = 1/2 Σ_x |p(x) - q(x)| of distributions ``[..., X]``, from 0 (the same) to 1 (nothing shared).

    It is the largest difference between the probabilities that p and q give to any one event.
    """
    return 0.5 * np.abs(p - q).sum(axis=-1)


def kernel_drift(transition: np.ndarray, lag: int = 1) -> np.ndarray:
    """``[K-lag, ..., S, A]``: total variation between ``transition[K, ..., S, A, S]`` now and ``lag`` records ago."""
    return total_variation(*now_and_then(transition, lag))


def reward_drift(reward: np.ndarray, lag: int = 1) -> np.ndarray:
    """``[K-lag, ..., S, A]``: how far ``reward[K, ..., S, A]`` moved in ``lag`` records."""
    now, then = now_and_then(reward, lag)
    return np.abs(now - then)


def reward_drift_bound(policy_drift: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """``[..., S, A_i]``: the most that R_i(s,a_i) can move if the others' joint policy moves by ``policy_drift[..., S]``.

    ``reward[S, A_i, A_-i]``. Since Σ (p - q) = 0, any constant c may be taken from the rewards: |Σ (p - q) r| =
    |Σ (p - q)(r - c)| ≤ Σ |p - q| · max |r - c|. With c half-way between the largest and the smallest r this is
    2 TV · (max r - min r) / 2.
    """
    reward_range = reward.max(axis=-1) - reward.min(axis=-1)
    return policy_drift[..., None] * reward_range


def drift(
    game: MarkovGame,
    agent: int,
    policies: Sequence[np.ndarray | None],
    lag: int = 1,
    weights: np.ndarray | None = None,
) -> Drift:
    """How far the MDP that ``agent`` faces moved within ``lag`` records of the others' policies.

    ``policies[j][K, ..., S, A_j]`` with moments first; ``policies[agent]`` is ignored and may be None. ``weights`` None:
    the largest drift over all actions in non-terminal states. Otherwise the mean weighted by
    ``weights[K-lag, ..., S, A_i]`` or ``[S, A_i]``, such as the agent's own visits between the two moments; terminal
    states never count, and where all weights are 0 the mean is 0, since nothing was met that could have moved. The bounds
    hold either way; they are those of the largest drift.
    """
    moving = others_over_time(game, agent, policies)
    others, alive = product_policy(moving), ~game.terminal
    transition, reward = seen_by(game, agent)
    kernel = kernel_drift(induced_kernel(others, transition), lag)
    rewards = reward_drift(induced_reward(others, reward), lag)
    joint = total_variation(*now_and_then(others, lag))
    single = sum(total_variation(*now_and_then(policy, lag)) for policy in moving)
    largest = reward_drift_bound(joint, reward).max(axis=(-2, -1))
    bounds = (joint[..., alive].max(axis=-1), single[..., alive].max(axis=-1), largest)
    if weights is None:
        return Drift(kernel.max(axis=(-2, -1)), rewards.max(axis=(-2, -1)), *bounds)
    weights = as_weights(weights, kernel.shape, game.terminal)
    return Drift(weighted_mean(kernel, weights), weighted_mean(rewards, weights), *bounds)


def best_response_changes(q_star: np.ndarray) -> np.ndarray:
    """``[K-1, ..., S]`` booleans: whether the set of best actions in a state changed from one record to the next.

    ``q_star[K, ..., S, A]``: optimal values of each moment's MDP, as
    :func:`~marl_lessons.evaluation.moving_target.induced.best_response_values` returns them. Actions whose values differ from the
    largest by 1e-9 or less are all best.
    """
    best = q_star >= q_star.max(axis=-1, keepdims=True) - 1e-9
    return (best[1:] != best[:-1]).any(axis=-1)


def now_and_then(records: np.ndarray, lag: int) -> tuple[np.ndarray, np.ndarray]:
    """``records[K, ...]`` from record ``lag`` on, and those ``lag`` records before, each ``[K-lag, ...]``."""
    if as_count("lag", lag) >= len(records):
        raise ValueError(
            f"lag is {lag}; allowed is less than the number of moments, {len(records)}"
        )
    return records[lag:], records[:-lag]


def weighted_mean(
    values: np.ndarray, weights: np.ndarray, axis: tuple[int, ...] = (-2, -1)
) -> np.ndarray:
    """Σ w x / Σ w over the axes ``axis`` of two arrays of one shape, 0 where all weights are 0."""
    total = weights.sum(axis=axis)
    weighted = (weights * values).sum(axis=axis)
    return np.divide(weighted, total, out=np.zeros_like(weighted), where=total > 0)


def as_weights(weights, shape: tuple[int, ...], terminal: np.ndarray) -> np.ndarray:
    """Weights ``[S, A]`` or of the whole ``shape = (..., S, A)``, as an array of that shape, 0 in terminal states."""
    return np.broadcast_to(np.asarray(weights) * ~terminal[:, None], shape)


def others_over_time(
    game: MarkovGame, agent: int, policies: Sequence[np.ndarray | None]
) -> list[np.ndarray]:
    """The others' policies ``[K, ..., S, A_j]``, checked; ``policies[agent]`` is ignored."""
    others = [policy for policy in as_policies(game, policies, skip=agent) if policy is not None]
    if not others:
        raise ValueError("game: has 1 agent; an agent's world changes only if there are others")
    if others[0].ndim < 3:
        raise ValueError(
            f"policies: expected histories of shape (moments, ..., states, actions), got {others[0].shape}"
        )
    return others


def seen_td_errors(
    game: MarkovGame, agent: int, q: np.ndarray, policies: Sequence[np.ndarray | None]
) -> np.ndarray:
    """``[..., S, A_i]``: the mean SIZE of the TD errors that ``agent`` sees, E |r + γ max_a' Q(s',a') - Q(s,a)|, exactly.

    The mean is over the others' actions, drawn from ``policies[j][..., S, A_j]``, and over what the world does.
    ``q[..., S, A_i]`` is the table. The mean size is never below the size of the mean,
    |:func:`~marl_lessons.evaluation.moving_target.induced.expected_td_errors`|: a perfect table, too, sees errors wherever partner or
    world are unpredictable. Entries of terminal states are 0.
    """
    others = others_policy(game, agent, policies)
    shape = (*others.shape[:-2], game.n_states, game.n_actions[agent])
    transition, reward = seen_by(game, agent)
    if game.outcome_reward is None:
        paid = np.broadcast_to(reward[..., None], transition.shape)
    else:
        paid = np.moveaxis(game.outcome_reward[agent], 1 + agent, 1).reshape(transition.shape)
    v = np.where(game.terminal, 0.0, q.max(axis=-1))
    sizes = np.zeros(shape)
    for s, a in np.ndindex(shape[-2:]):
        for b, t in np.argwhere(transition[s, a] > 0):
            chance = others[..., s, b] * transition[s, a, b, t]
            error = paid[s, a, b, t] + game.discount * v[..., t] - q[..., s, a]
            sizes[..., s, a] += chance * np.abs(error)
    sizes[..., game.terminal, :] = 0.0
    return sizes


def turns(points: np.ndarray, centre) -> np.ndarray:
    """``[...]``: how many times the path ``points[K, ..., 2]`` goes round ``centre[2]``, counter-clockwise positive.

    The angle between each point and the next, seen from the centre, is taken as the smaller of the two possible.
    """
    arms = points - np.asarray(centre)
    angle = np.arctan2(arms[..., 1], arms[..., 0])
    step = (np.diff(angle, axis=0) + np.pi) % (2 * np.pi) - np.pi
    return step.sum(axis=0) / (2 * np.pi)
