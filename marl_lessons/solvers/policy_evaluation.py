"""The value of a given policy, in two ways: a linear system, and sweeps."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.solvers.bellman import action_values, expectation_backup
from marl_lessons.solvers.horizon import check_termination, policy_horizon
from marl_lessons.solvers.solution import Solution, check_mdp, check_policy


def solve_linear(
    policy: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``v[S]`` from (I - γ T^π) V = R^π (Sutton & Barto 2018, Sec. 4.1; Albrecht et al. 2024, Sec. 2.4)."""
    chain = np.einsum("sa,sat->st", policy, transition)
    expected_reward = (policy * reward).sum(axis=1)
    return np.linalg.solve(np.eye(len(chain)) - discount * chain, expected_reward)


def policy_evaluation(
    mdp: MarkovGame,
    policy: np.ndarray,
    method: str = "linear",
    tolerance: float = 1e-8,
    max_sweeps: int = 100_000,
) -> Solution:
    """The value of ``policy[S, A]``, by ``method`` "linear" (exact up to rounding) or "iterative" (sweeps).

    The sweeps stop when the error is guaranteed to be at most ``tolerance``: if one sweep changes no value by more than
    δ, then every value after it is within (h - 1) δ of the truth, h being the policy's horizon (:mod:`.horizon`).

    The linear system leaves no error but that of rounding, so its ``error_bound`` is 0 and ``tolerance`` plays no part.

    Raises ValueError naming the argument; for a policy that never terminates at γ = 1; and if ``max_sweeps`` sweeps do
    not reach ``tolerance``.
    """
    transition, reward = check_mdp(mdp)
    policy = check_policy(mdp, policy)
    tolerance = as_number("tolerance", tolerance, 0.0, open_low=True)
    max_sweeps = as_count("max_sweeps", max_sweeps)
    check_termination(mdp, np.einsum("sa,sat->st", policy, transition))
    if method == "linear":
        alive = ~mdp.terminal
        v = np.zeros(mdp.n_states)
        v[alive] = solve_linear(
            policy[alive], transition[alive][:, :, alive], reward[alive], mdp.discount
        )
        history, bound = np.stack([np.zeros_like(v), v]), 0.0
    elif method == "iterative":
        sweep = lambda v: expectation_backup(v, policy, transition, reward, mdp.discount)  # noqa: E731
        history, bound = sweep_until(
            sweep, mdp.n_states, policy_horizon(mdp, policy), tolerance, max_sweeps
        )
        v = history[-1]
    else:
        raise ValueError(f"method is {method!r}; allowed are 'linear' and 'iterative'")
    q = action_values(v, transition, reward, mdp.discount)
    return Solution(v, q, policy, history, None, bound)


def sweep_until(
    sweep, n_states: int, horizon: float, tolerance: float, max_sweeps: int
) -> tuple[np.ndarray, float]:
    """Apply ``sweep`` to zeros until (horizon - 1) · largest change ≤ tolerance; returns the history and the bound.

    Where the horizon is infinite there is no such guarantee: the sweeps then stop when no value changes by more than
    ``tolerance`` / 1000, and the bound returned is ``inf``. Raises ValueError after ``max_sweeps`` sweeps.
    """
    history = [np.zeros(n_states)]
    for _ in range(max_sweeps):
        history.append(sweep(history[-1]))
        change = np.abs(history[-1] - history[-2]).max()
        bound = np.inf if np.isinf(horizon) else (horizon - 1) * change
        if bound <= tolerance or (np.isinf(horizon) and change <= tolerance / 1000):
            return np.array(history), float(bound)
    raise ValueError(
        f"max_sweeps is {max_sweeps}, but after them the values still change by {change:.3g} a sweep; allow more sweeps, "
        "a larger tolerance, or check that the policies of interest terminate"
    )
