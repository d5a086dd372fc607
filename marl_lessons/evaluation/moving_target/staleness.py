"""How wrong the past is about the present: stored transitions, and tables that lag behind. Lesson 05.

A replay buffer holds what the world was like when the others still played as they did then. A table is a memory, too: it
averages over the last updates. :func:`staleness` measures the first exactly, :func:`split_error` tells apart how much of a
table's error comes from the world that moved and how much from chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_position
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.moving_target.drift import (
    as_weights,
    others_over_time,
    total_variation,
    weighted_mean,
)
from marl_lessons.evaluation.moving_target.induced import (
    expected_targets,
    induced_kernel,
    induced_reward,
    product_policy,
    seen_by,
)
from marl_lessons.results import short_repr


class Staleness(NamedTuple):
    """How far the world was from what it is now, by age, each ``[len(ages), ...]``.

    kernel  mean total variation between T_i(·|s,a_i) then and now; 0 if there is one state only
    reward  mean |R_i(s,a_i) then - now|, in units of reward
    """

    kernel: np.ndarray
    reward: np.ndarray

    __repr__ = short_repr


class SplitError(NamedTuple):
    """A table's error about the world as it is now, in two parts, each ``[T+1, E, S, A_i]``.

    stale   shadow - q_now: the world has moved since the entry was last updated, or the updates have not yet caught up
    noise   q - shadow: chance in the sampled rewards and next states
    shadow  the shadow learner's table
    q_now   what the entry is worth as the world is now, R_now + γ Σ T_now max shadow; ``stale`` + ``noise`` = q - q_now
    """

    stale: np.ndarray
    noise: np.ndarray
    shadow: np.ndarray
    q_now: np.ndarray

    __repr__ = short_repr


def staleness(
    game: MarkovGame,
    agent: int,
    policies: Sequence[np.ndarray | None],
    ages: Sequence[int],
    weights: np.ndarray | None = None,
) -> Staleness:
    """How wrong transitions are that were stored ``ages`` records ago, on average over the moments of their use.

    ``policies[j][K, ..., S, A_j]``: the others' policies, moments first; ``policies[agent]`` is ignored. ``ages``: whole
    numbers from 0 to K - 1. ``weights[K, ..., S, A_i]`` or ``[S, A_i]`` say how many transitions were stored at each
    moment from each state and action; the mean is over these transitions, 0 if there are none. None: all actions in all
    non-terminal states count alike.
    """
    others = product_policy(others_over_time(game, agent, policies))
    transition, reward = seen_by(game, agent)
    kernel, rewards = induced_kernel(others, transition), induced_reward(others, reward)
    ages = np.array([as_position(f"ages[{i}]", age, len(others)) for i, age in enumerate(ages)])
    weights = np.ones(rewards.shape[-2:]) if weights is None else weights
    stored = as_weights(weights, rewards.shape, game.terminal)
    moved = [
        [
            weighted_mean(total_variation(kernel[age:], kernel[:n]), stored[:n], (0, -2, -1)),
            weighted_mean(np.abs(rewards[age:] - rewards[:n]), stored[:n], (0, -2, -1)),
        ]
        for age, n in zip(ages, len(others) - ages)
    ]
    return Staleness(*np.moveaxis(np.array(moved), 1, 0))


def shadow_update(
    shadow: np.ndarray, target: np.ndarray, visited: np.ndarray, step_size: np.ndarray | float
) -> np.ndarray:
    """The shadow's table ``[..., S, A]`` after one step: where the learner updated, it moves towards the expected target.

    ``target[..., S, A]``: R_i + γ Σ T_i max shadow under the others' policies of this very step, where the learner has only
    one sample of it. ``visited[..., S, A]``: 1 for the entry that the learner updated, else 0.
    """
    return shadow + step_size * visited * (target - shadow)


def split_error(
    game: MarkovGame,
    agent: int,
    policies: Sequence[np.ndarray | None],
    q: np.ndarray,
    visits: np.ndarray,
    step_size: np.ndarray | float,
) -> SplitError:
    """Split a Q-learner's error into what is stale and what is noise, with a shadow learner that makes the same visits.

    The shadow begins with the table q[0]. Whenever the learner updates an entry from a sampled reward and next state, the
    shadow updates the same entry with the same step size from their expectation under the others' policies of that step
    (:func:`shadow_update`). What the two tables do not share is noise. How far the shadow is from its own expected target
    q_now = R_now + γ Σ T_now max shadow, under the others' policies of now, is stale. The parts add up to q - q_now
    exactly.

    With γ = 0, q_now is the expected reward as the world is now, and the noise has mean 0 over seeds. With γ > 0 q_now
    depends on the shadow's values of next states, as a Q-learner's target does, and the noise also holds that the maximum
    of a noisy table is too large on average.

    Every environment step is a record, T of them after the start: ``policies[j][T+1, E, S, A_j]`` the policies from which
    the others draw in each step (exploration included; ``policies[agent]`` is ignored), ``q[T+1, E, S, A_i]`` the agent's
    tables and ``visits[T+1, E, S, A_i]`` its counts of updates, which grow by 1 in at most one entry of a seed in a step;
    ``step_size`` a number in [0, 1], or an array ``[T]`` or ``[T, E]``. The learner bootstraps on truncation.
    """
    others = product_policy(others_over_time(game, agent, policies))
    visited, rates = np.diff(visits, axis=0), np.asarray(step_size)
    rates = rates.reshape(*rates.shape, *(1,) * (4 - rates.ndim))
    rates = np.broadcast_to(rates, (len(visited), rates.shape[1], 1, 1))
    if visited.min() < 0 or visited.sum(axis=(-2, -1)).max() > 1:
        raise ValueError(
            "visits: expected records of every single step, where at most one entry of a seed grows, by 1"
        )
    shape = (*others.shape[:2], game.n_states, game.n_actions[agent])
    transition, reward = seen_by(game, agent)
    shadow, q_now = np.empty(shape), np.empty(shape)
    shadow[0] = q[0]
    for t, now in enumerate(others):
        world = (induced_kernel(now, transition), induced_reward(now, reward))
        q_now[t] = expected_targets(shadow[t], *world, game.discount, game.terminal)
        if t + 1 < len(others):
            shadow[t + 1] = shadow_update(shadow[t], q_now[t], visited[t], rates[t])
    return SplitError(shadow - q_now, q - shadow, shadow, q_now)
