"""Matrix games whose payoffs are drawn by lot: what a team earns depends on its actions and on luck."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_distributions, as_float_array
from marl_lessons.envs.catalogue import CATALOGUE
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.matrix_games import payoffs_of


def lottery_game(payoffs, chances, action_names=None, name: str = "lottery game") -> MarkovGame:
    """One decision each, then a draw: with probability ``chances[k]`` the payoffs are ``payoffs[k][n, A_1, …, A_n]``.

    An episode is one step long. State 0 is where the agents choose, state 1 + k the terminal state in which draw k is paid.
    Discount 0. The expected payoffs, Σ_k chances[k] payoffs[k], are ``game.reward[:, 0]``. Raises ValueError naming
    ``payoffs``, ``chances`` or ``action_names``.
    """
    payoffs = as_float_array("payoffs", payoffs, (...,))
    if payoffs.ndim < 3 or payoffs.shape[1] != payoffs.ndim - 2 or len(payoffs) < 1:
        raise ValueError(
            "payoffs: expected one array [n, A_1, ..., A_n] for each draw, all of one shape, "
            f"got shape {payoffs.shape}"
        )
    for k, drawn in enumerate(payoffs):
        payoffs_of(drawn, name=f"payoffs[{k}]")
    chances = as_distributions("chances", chances, (len(payoffs),))
    n_agents, n_states = payoffs.shape[1], 1 + len(payoffs)
    actions = payoffs.shape[2:]
    transition = np.zeros((n_states, *actions, n_states))
    transition[0, ..., 1:] = chances
    outcome_reward = np.zeros((n_agents, n_states, *actions, n_states))
    outcome_reward[:, 0, ..., 1:] = np.moveaxis(payoffs, 0, -1)
    terminal = np.arange(n_states) > 0
    for state in np.flatnonzero(terminal):
        transition[state, ..., state] = 1.0
    return MarkovGame(
        transition,
        None,
        0.0,
        np.eye(n_states)[0],
        terminal,
        outcome_reward,
        state_names=("choose", *(f"draw {k}" for k in range(len(payoffs)))),
        action_names=action_names,
        name=name,
    )


def stochastic_climbing() -> MarkovGame:
    """Climbing whose second corner pays 14 or 0 with equal chance instead of 7 (Kapetanakis & Kudenko 2002).

    In expectation it is the climbing game; a learner that remembers only its best experience cannot know that.
    Actions A, B, C.
    """
    draws = np.array([payoffs_of(CATALOGUE["climbing"].game)] * 2)  # [draw, agent, A, A]
    draws[:, :, 1, 1] = [[14.0], [0.0]]
    return lottery_game(draws, (0.5, 0.5), (("A", "B", "C"),) * 2, "stochastic climbing")
