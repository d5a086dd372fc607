"""Where joint policies lead: the share of time spent in each state, exactly and for whole training histories at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.induced import check_moments, product_policy


def visit_rates(game: MarkovGame, policies: Sequence[np.ndarray]) -> np.ndarray:
    """``[..., S]``: of all steps made under ``policies[j][..., S, A_j]``, the share that begins in each state.

    An episode that ends is followed by a new one from the game's initial distribution, so this is the stationary
    distribution of the Markov chain that starts anew at every end: d = μ (I - P)^-1 among non-terminal states, divided by
    its sum. In a game without terminal states nothing ends: with one state the rate is 1, with several this function does
    not apply. Raises ValueError naming ``game`` (also if from some state these policies never end an episode) or
    ``policies[j]``.
    """
    joint = product_policy(check_moments(game, 0, policies))
    rates = np.zeros(joint.shape[:-1])
    if game.is_matrix_game:
        return rates + 1.0
    alive = ~game.terminal
    chain = np.einsum("...sa,sat->...st", joint, game.joint_transition)[..., alive, :][..., alive]
    system = np.eye(alive.sum()) - np.swapaxes(chain, -1, -2)
    begin = np.broadcast_to(game.initial[alive, None], (*system.shape[:-1], 1))
    try:
        visits = np.linalg.solve(system, begin)[..., 0]
    except np.linalg.LinAlgError:
        visits = np.full(system.shape[:-1], np.inf)
    if not (np.isfinite(visits) & (visits > -1e-9) & (visits < 1e12)).all():
        raise ValueError("game: under some of these policies an episode never ends")
    rates[..., alive] = visits / visits.sum(axis=-1, keepdims=True)
    return rates
