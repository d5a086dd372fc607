"""How wrong the past is about the present: stored transitions, and tables that lag behind.

A replay buffer holds what the world was like when the others still played as they did then. A table is a memory, too: it
averages over the last updates. :func:`staleness` measures the first exactly, :func:`split_error` tells apart how much of a
table's error comes from the world that moved and how much from chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_float_array, as_indices, as_number
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.moving_target.drift import (
    as_weights,
    check_histories,
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


class Staleness(NamedTuple):
    """How far the world was from what it is now, by age, each ``[len(ages), ...]``.

    kernel  mean total variation between T_i(·|s,a_i) then and now; 0 if there is one state only
    reward  mean |R_i(s,a_i) then - now|, in units of reward
    """

    kernel: np.ndarray
    reward: np.ndarray


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
    others = product_policy(check_histories(game, agent, policies))
    transition, reward = seen_by(game, agent)
    kernel, rewards = induced_kernel(others, transition), induced_reward(others, reward)
    ages = _as_ages(ages, len(others))
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
    one sample of it. ``visited[..., S, A]``: 1 for the entry that the learner updated, else 0. Checks nothing.
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
    ``step_size`` a number in [0, 1], or an array ``[T]`` or ``[T, E]``. The learner bootstraps on truncation. Raises
    ValueError naming the argument.
    """
    others = product_policy(check_histories(game, agent, policies))
    if others.ndim != 4 or len(others) < 2:
        j = 1 if agent == 0 else 0
        raise ValueError(
            f"policies[{j}]: expected shape (steps + 1, seeds, states, actions) with 1 step or more, "
            f"got leading axes {others.shape[:-2]}"
        )
    shape = (*others.shape[:2], game.n_states, game.n_actions[agent])
    q = as_float_array("q", q, shape)
    visited, step_size = _updates(visits, shape), _as_step_sizes(step_size, shape)
    transition, reward = seen_by(game, agent)
    shadow, q_now = np.empty(shape), np.empty(shape)
    shadow[0] = q[0]
    for t, now in enumerate(others):
        world = (induced_kernel(now, transition), induced_reward(now, reward))
        q_now[t] = expected_targets(shadow[t], *world, game.discount, game.terminal)
        if t + 1 < len(others):
            shadow[t + 1] = shadow_update(shadow[t], q_now[t], visited[t], step_size[t])
    return SplitError(shadow - q_now, q - shadow, shadow, q_now)


def _as_ages(ages, n_moments: int) -> np.ndarray:
    """``ages`` as an array of whole numbers from 0 to K - 1."""
    is_list = isinstance(ages, list | tuple | range | np.ndarray)
    if not is_list or (isinstance(ages, np.ndarray) and ages.ndim != 1) or not len(ages):
        raise ValueError(f"ages: expected a list of whole numbers, got {ages!r:.80}")
    for i, age in enumerate(ages):
        if as_count(f"ages[{i}]", age, low=0) >= n_moments:
            raise ValueError(
                f"ages[{i}] is {age}; allowed is less than the number of moments, {n_moments}"
            )
    return np.array(ages)


def _updates(visits, shape: tuple[int, ...]) -> np.ndarray:
    """``[T, E, S, A]``: 1 for the entry that was updated in each step, 0 for all others."""
    visited = np.diff(as_indices("visits", visits, shape, np.iinfo(np.int64).max), axis=0)
    bad = np.argwhere((visited.min(axis=(-2, -1)) < 0) | (visited.sum(axis=(-2, -1)) > 1))
    if len(bad):
        step, seed = (int(i) for i in bad[0])
        raise ValueError(
            f"visits: in step {step} of seed {seed} they change by {visited[step, seed].tolist()}; "
            "allowed is that one entry grows by 1"
        )
    return visited


def _as_step_sizes(step_size, shape: tuple[int, ...]) -> np.ndarray:
    """``[T, E, 1, 1]`` or ``[T, 1, 1, 1]`` from a number, ``[T]`` or ``[T, E]``, each in [0, 1]."""
    n_steps, n_seeds = shape[0] - 1, shape[1]
    if isinstance(step_size, Real):
        return np.full((n_steps, 1, 1, 1), as_number("step_size", step_size, 0.0, 1.0))
    array = as_float_array("step_size", step_size, (...,))
    wanted = (n_steps,) if array.ndim == 1 else (n_steps, n_seeds)
    array = as_float_array("step_size", array, wanted)
    bad = np.argwhere((array < 0) | (array > 1))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(f"step_size{list(index)} is {array[index]}; allowed is 0 to 1")
    return array.reshape(n_steps, -1, 1, 1)
