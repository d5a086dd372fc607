"""Agent 0's own world at each moment of a training history: what it is, how it moved, and how wrong the table is. Lesson 05.

An agent's own world is the MDP that it faces while the others act as they do at that moment.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.tables.history import History
from marl_lessons.algorithms.tables.independent_q import IndependentConfig, behaviour_policies
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.moving_target.drift import (
    best_response_changes,
    kernel_drift,
    reward_drift,
    weighted_mean,
)
from marl_lessons.evaluation.moving_target.induced import (
    best_response_values,
    expected_td_errors,
    induced_arrays,
    visit_rates,
)
from marl_lessons.results import short_repr


class OwnWorld(NamedTuple):
    """What is true of agent 0's world and its table at each of K+1 moments, for E seeds.

    steps       ``[K+1]``: the moments
    policies    one array ``[K+1, E, S, A_j]`` for each agent
    transition  ``[K+1, E, S, A, S]`` and reward ``[K+1, E, S, A]`` of the MDP that agent 0 faces
    weights     ``[K+1, E, S, A]``: how often agent 0 takes each action in each state as things are now
    error       ``[K+1, E]``: mean size of the expected TD error, by these weights
    drift       ``[K+1, E]``: how far the world has moved within the last ``lag`` records (NaN before), by these weights.
                Total variation of the kernel; in a matrix game, where nothing moves but rewards, the change of rewards
    switches    ``[K+1, E]`` booleans: whether the best response in ``state`` is another than at the record before
    """

    steps: np.ndarray
    policies: list[np.ndarray]
    transition: np.ndarray
    reward: np.ndarray
    weights: np.ndarray
    error: np.ndarray
    drift: np.ndarray
    switches: np.ndarray

    __repr__ = short_repr


def own_world(
    game: MarkovGame,
    history: History,
    config: IndependentConfig,
    lag: int,
    state: int = 0,
    action: int | None = None,
) -> OwnWorld:
    """The world of agent 0 at every moment of the ``history`` that ``config`` made in ``game``.

    ``lag``: how many records back the drift compares; ``state``: where best responses are compared; ``action``: whose
    entries alone count in error and drift, None for all, as often as they are taken.
    """
    policies = behaviour_policies(history, config)
    transition, reward = induced_arrays(game, 0, policies)
    counts = policies[0] if action is None else np.eye(game.n_actions[0])[action]
    weights = visit_rates(game, policies)[..., None] * counts
    q = history.q[:, :, 0, :, : game.n_actions[0]]
    errors = expected_td_errors(q, transition, reward, game.discount, game.terminal)
    moved = reward_drift(reward, lag) if game.is_matrix_game else kernel_drift(transition, lag)
    drift = np.full(errors.shape[:2], np.nan)
    drift[lag:] = weighted_mean(moved, weights[lag:])
    best = best_response_values(transition, reward, game.discount, game.terminal)
    switches = np.zeros(drift.shape, dtype=bool)
    switches[1:] = best_response_changes(best)[..., state]
    error = weighted_mean(np.abs(errors), weights)
    return OwnWorld(history.steps, policies, transition, reward, weights, error, drift, switches)
