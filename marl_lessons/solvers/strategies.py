"""What mixed strategies earn in a matrix game, and which actions answer them best."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_number
from marl_lessons.envs.matrix_games import Strategies, check_agent, check_strategies, payoffs_of


def average_over_others(reward: np.ndarray, agent: int, strategies: list[np.ndarray]) -> np.ndarray:
    """``[A_i]``: Σ_{a_-i} Π_{j≠i} π_j(a_j) R_i(a_i, a_-i), for ``reward[A_1, …, A_n]`` of ``agent`` and ``strategies[j][A_j]``.

    A pure function of checked arrays.
    """
    for j in reversed(range(reward.ndim)):  # from the last axis on: earlier ones keep their places
        if j != agent:
            reward = np.tensordot(reward, strategies[j], axes=(j, 0))
    return reward


def on_unit_scale(payoffs: np.ndarray) -> np.ndarray:
    """Payoffs moved and stretched to [0, 1], which changes nobody's preferences; 0 where all are equal.

    Then a tolerance means the same in every game. A pure function of a checked array.
    """
    low, high = payoffs.min(), payoffs.max()
    return (payoffs - low) / (high - low if high > low else 1.0)


def action_payoffs(game, agent: int, strategies: Strategies) -> np.ndarray:
    """``[A_i]``: what each action of ``agent`` earns on average against the others' strategies ``[A_j]``.

    U_i(a_i, π_-i) (Albrecht et al. 2024, Sec. 4.2). ``strategies[agent]`` is ignored and may be None. Raises ValueError
    naming ``game``, ``agent`` or ``strategies``.
    """
    payoffs = payoffs_of(game)
    agent = check_agent(payoffs, agent)
    others = check_strategies(payoffs.shape[1:], strategies, skip=agent)
    return average_over_others(payoffs[agent], agent, others)


def expected_payoffs(game, strategies: Strategies) -> np.ndarray:
    """``[n]``: every agent's expected payoff U_i(π) when all draw their actions independently.

    Raises ValueError naming ``game`` or ``strategies``.
    """
    payoffs = payoffs_of(game)
    strategies = check_strategies(payoffs.shape[1:], strategies)
    return np.array(
        [strategies[i] @ action_payoffs(payoffs, i, strategies) for i in range(len(payoffs))]
    )


def best_actions(game, agent: int, strategies: Strategies, tolerance: float = 1e-9) -> np.ndarray:
    """``[A_i]`` booleans: the actions of ``agent`` that are best responses to the others' strategies.

    A mixed strategy is a best response exactly if it plays only such actions. Actions within ``tolerance`` of the best
    count as ties. Raises ValueError naming the argument.
    """
    tolerance = as_number("tolerance", tolerance, 0.0)
    earned = action_payoffs(game, agent, strategies)
    return earned >= earned.max() - tolerance
