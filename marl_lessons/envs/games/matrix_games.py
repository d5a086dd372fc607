"""Matrix games: one decision each, taken at the same time, payoffs that depend on all of them. Lessons 03, 05 and 06.

A matrix game is a :class:`~marl_lessons.envs.markov_game.MarkovGame` with one state. Where only its payoffs matter,
functions also take the bare array ``payoffs[n, A_1, …, A_n]``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marl_lessons.checks import LARGEST, as_bounded, as_position
from marl_lessons.envs.markov_game import MarkovGame, as_policies

Strategies = Sequence[np.ndarray]


def matrix_game(payoffs, action_names=None, name: str = "matrix game") -> MarkovGame:
    """The game with ``payoffs[n, A_1, …, A_n]``, played once: one state, discount 0 (Albrecht et al. 2024, Sec. 3.1).

    For two agents, ``payoffs`` is a pair of matrices: the row agent's and the column agent's. A table of pairs, one pair per
    cell as books print it, is another array: ``np.moveaxis(table, -1, 0)`` turns it into this one.
    """
    payoffs = payoffs_of(payoffs, name="payoffs")
    transition = np.ones((1, *payoffs.shape[1:], 1))
    return MarkovGame(transition, payoffs[:, None], 0.0, action_names=action_names, name=name)


def payoffs_of(game, n_agents: int | None = None, name: str = "game") -> np.ndarray:
    """``payoffs[n, A_1, …, A_n]`` of a matrix game, played once whatever its discount, or of such an array itself.

    ``n_agents``: how many there must be. Entries beyond 1e100 are refused: they could not be added up.
    """
    if isinstance(game, MarkovGame):
        if not game.is_matrix_game:
            raise ValueError(
                f"{name}: has {game.n_states} states; a matrix game has one (take the payoffs of a single state)"
            )
        payoffs = game.reward[:, 0]
    elif not isinstance(game, np.ndarray | list | tuple):
        hint = "; use its .game" if hasattr(game, "game") else ""
        raise ValueError(
            f"{name}: expected a matrix game or payoffs [n, A_1, ..., A_n], got a {type(game).__name__}{hint}"
        )
    else:
        payoffs = as_bounded(name, game, (...,), -LARGEST, LARGEST)
        if payoffs.ndim < 2 or len(payoffs) != payoffs.ndim - 1 or min(payoffs.shape) < 1:
            raise ValueError(
                f"{name}: expected payoffs of shape [n, A_1, ..., A_n], one array per agent (for two agents a pair of "
                f"matrices), got shape {payoffs.shape}"
            )
    if n_agents is not None and len(payoffs) != n_agents:
        raise ValueError(f"{name}: has {len(payoffs)} agents; allowed are {n_agents}")
    return payoffs


def cancels(rewards: np.ndarray) -> bool:
    """Whether two agents' rewards ``[2, …]`` add up to 0 everywhere, up to rounding."""
    scale = np.abs(rewards).max()
    return len(rewards) == 2 and bool(np.abs(rewards.sum(axis=0)).max() <= 1e-9 * scale)


def check_agent(payoffs: np.ndarray, agent: int) -> int:
    """``agent`` as an integer from 0 to n - 1."""
    return as_position("agent", agent, len(payoffs))


def check_strategies(
    n_actions: Sequence[int],
    strategies: Strategies,
    skip: int | None = None,
    name: str = "strategies",
) -> list[np.ndarray]:
    """``strategies`` as one distribution ``[A_i]`` per agent, for agents with ``n_actions[i]`` actions.

    Entry ``skip`` is ignored and may be None.
    """
    return as_policies(name, strategies, [(count,) for count in n_actions], skip)
