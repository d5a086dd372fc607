"""Shapley's value iteration: the optimality backup of a zero-sum Markov game, repeated.

Where value iteration takes the largest action value, a game of two has a matrix of them, and the best that an agent can
count on is the value of that matrix game (Shapley 1953).

``joint_action_values`` and ``shapley_backup`` are pure functions of arrays that their callers have checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.envs.matrix_games import cancels
from marl_lessons.solvers.horizon import largest_horizon
from marl_lessons.solvers.policy_evaluation import sweep_until
from marl_lessons.solvers.zero_sum import solve_zero_sum


@dataclass(frozen=True, eq=False)
class ZeroSumSolution:
    """Values and optimal policies of a zero-sum Markov game of two agents with S states.

    v ``[S]``, q ``[S, A_1, A_2]``: what optimal play earns agent 0 from each state, and after each joint action; agent 1
    earns the same with the opposite sign. Terminal states have value 0.
    policies: one ``[S, A_i]`` per agent, an optimal strategy of the matrix game ``q[s]`` in every state s.
    history ``[K+1, S]``: the values at the start and after each of K sweeps.
    error_bound: a guaranteed bound on max_s |v(s) - true value|, apart from the rounding of the arithmetic; ``inf`` where
    theory gives none.
    """

    v: np.ndarray
    q: np.ndarray
    policies: list[np.ndarray]
    history: np.ndarray
    error_bound: float

    @property
    def sweeps(self) -> int:
        """Number of sweeps made, K."""
        return len(self.history) - 1


def joint_action_values(
    v: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``q[S, A_1, A_2]``: Q(s,a_1,a_2) = R(s,a_1,a_2) + γ Σ_s' T(s'|s,a_1,a_2) V(s') (Littman 1994, Sec. 4).

    ``v[S]``, ``transition[S, A_1, A_2, S]``, and ``reward[S, A_1, A_2]`` of agent 0.
    """
    return reward + discount * transition @ v


def shapley_backup(
    v: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``v[S]`` after one sweep: V(s) becomes the value of the matrix game Q(s,·,·) (Shapley 1953)."""
    q = joint_action_values(v, transition, reward, discount)
    return solve_zero_sum(q).value


def shapley_iteration(
    game: MarkovGame, tolerance: float = 1e-8, max_sweeps: int = 100_000
) -> ZeroSumSolution:
    """Values of a zero-sum Markov game of two agents, each within ``tolerance`` of the truth.

    Value iteration for games (Shapley 1953; Albrecht et al. 2024, Sec. 6.1).

    Two matrix games whose entries differ by at most d have values that differ by at most d. So :func:`shapley_backup` is a
    contraction like the optimality backup of one agent, and the sweeps stop by the same rule: if the last one changes no
    value by more than δ, the values are within γ/(1-γ) · δ of the truth. For γ = 1 and a game in which every pair of
    policies terminates, γ/(1-γ) is replaced by h - 1, h being the longest expected time to termination. Where neither
    holds, ``error_bound`` is ``inf``. It also counts the gaps that :func:`.solve_zero_sum` left, as small as rounding.

    Each sweep begins its matrix games where the one before it ended, which saves time and changes nothing else.

    Raises ValueError naming ``game`` (also for another number of agents, or rewards that do not cancel), ``tolerance`` or
    ``max_sweeps``.
    """
    if check_game("game", game).n_agents != 2 or not cancels(game.reward):
        raise ValueError(
            f"game: {game.name} has {game.n_agents} agents; allowed are two whose rewards add up to 0 everywhere"
        )
    tolerance = as_number("tolerance", tolerance, 0.0, open_low=True)
    max_sweeps = as_count("max_sweeps", max_sweeps)
    model = (game.transition, game.reward[0], game.discount)
    basis, gaps = None, []

    def sweep(v):
        nonlocal basis
        solved = solve_zero_sum(joint_action_values(v, *model), guess=basis)
        basis = solved.basis
        gaps.append(solved.gap.max())
        return solved.value

    horizon = largest_horizon(game)
    history, bound = sweep_until(sweep, game.n_states, horizon, tolerance, max_sweeps)
    q = joint_action_values(history[-1], *model)
    answer = solve_zero_sum(q, guess=basis)
    if max(gaps) > 0:
        bound += horizon * float(max(gaps))
    return ZeroSumSolution(history[-1], q, [answer.row, answer.column], history, bound)
