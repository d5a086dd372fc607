"""Two gauges of learning: the TD errors that an agent sees, exactly, and how often behaviour has gone in circles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marl_lessons.checks import as_float_array
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.induced import others_policy, seen_by


def seen_td_errors(
    game: MarkovGame, agent: int, q: np.ndarray, policies: Sequence[np.ndarray | None]
) -> np.ndarray:
    """``[..., S, A_i]``: the mean SIZE of the TD errors that ``agent`` sees, E |r + γ max_a' Q(s',a') - Q(s,a)|, exactly.

    The mean is over the others' actions, drawn from ``policies[j][..., S, A_j]``, and over what the world does.
    ``q[..., S, A_i]`` is the table. The mean size is never below the size of the mean,
    |:func:`~marl_lessons.evaluation.induced.expected_td_errors`|: a perfect table, too, sees errors wherever partner or
    world are unpredictable. Entries of terminal states are 0. Raises ValueError naming the argument.
    """
    others = others_policy(game, agent, policies)
    shape = (*others.shape[:-2], game.n_states, game.n_actions[agent])
    q = as_float_array("q", q, shape)
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

    The angle between each point and the next, seen from the centre, is taken as the smaller of the two possible. Raises
    ValueError naming the argument, also where a point lies in the centre itself.
    """
    points = as_float_array("points", points, (..., 2))
    arms = points - as_float_array("centre", centre, (2,))
    if points.ndim < 2 or len(points) < 2:
        raise ValueError(f"points: expected a path of 2 points or more, got shape {points.shape}")
    if (np.hypot(arms[..., 0], arms[..., 1]) == 0).any():
        raise ValueError("points: one lies in the centre itself, from where it has no direction")
    angle = np.arctan2(arms[..., 1], arms[..., 0])
    step = (np.diff(angle, axis=0) + np.pi) % (2 * np.pi) - np.pi
    return step.sum(axis=0) / (2 * np.pi)
