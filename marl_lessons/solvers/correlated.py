"""Correlated equilibria: the best recommendation that nobody wants to disobey, by linear programme."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from marl_lessons.checks import as_distributions, as_flag, as_float_array, as_number
from marl_lessons.envs.matrix_games import LARGEST, payoffs_of
from marl_lessons.solvers.strategies import on_unit_scale


class CorrelatedEquilibrium(NamedTuple):
    """A distribution over joint actions ``[A_1, …, A_n]``, and what each agent earns under it ``[n]``."""

    distribution: np.ndarray
    payoffs: np.ndarray


def deviation_gains(payoffs: np.ndarray, agent: int, coarse: bool = False) -> np.ndarray:
    """``[K, A_1, …, A_n]``: what ``agent`` would gain at each joint action by each of K ways to deviate.

    Correlated: one way for every pair of actions, "when told a, play b" (0 where something else was told). Coarse: one way
    for every action, "whatever is told, play b". A distribution p over joint actions is an equilibrium exactly if no way
    gains on average: Σ_a p(a) gain_k(a) ≤ 0 (Albrecht et al. 2024, Sec. 4.6). ``payoffs[n, A_1, …, A_n]`` are checked.
    """
    mine, n_actions = payoffs[agent], payoffs[agent].shape[agent]
    instead = [np.take(mine, [b], axis=agent) - mine for b in range(n_actions)]
    if coarse:
        return np.stack(instead)
    told = np.arange(n_actions).reshape([-1 if j == agent else 1 for j in range(mine.ndim)])
    return np.stack(
        [np.where(told == a, instead[b], 0.0) for a in range(n_actions) for b in range(n_actions)]
    )


def correlated_equilibrium(
    game, objective="welfare", coarse: bool = False
) -> CorrelatedEquilibrium:
    """The (coarse) correlated equilibrium that is best for ``objective``, in a matrix game of any number of agents.

    maximise Σ_a p(a) objective(a) over distributions p with Σ_a p(a) gain_k(a) ≤ 0 for every agent and every way k to
    deviate (Albrecht et al. 2024, Sec. 4.6.1; Aumann 1974; coarse: Moulin & Vial 1978).

    ``objective``: "welfare" (the sum of payoffs), "fairness" (the lowest agent's payoff), or ``[A_1, …, A_n]``, a worth for
    every joint action; minus a worth finds the equilibrium that is worst. Raises ValueError naming the argument.
    """
    payoffs, coarse = payoffs_of(game), as_flag("coarse", coarse)
    n, shape = len(payoffs), payoffs.shape[1:]
    size = int(np.prod(shape))
    # All on a scale of 1, so that the solver's tolerance means the same in every game.
    own_scale = np.stack([on_unit_scale(mine) for mine in payoffs])
    gains = [deviation_gains(own_scale, i, coarse).reshape(-1, size) for i in range(n)]
    # Variables: p(a) for every joint action, and t, a lower bound on all payoffs (used by "fairness" only).
    no_gain = np.pad(np.concatenate(gains), ((0, 0), (0, 1)))
    at_least_t = np.column_stack([-on_unit_scale(payoffs).reshape(n, size), np.ones(n)])
    worth, fair = _objective(objective, payoffs)
    programme = {
        "c": -np.append(on_unit_scale(worth).ravel(), 1.0 if fair else 0.0),
        "A_ub": np.concatenate([no_gain, at_least_t]) if fair else no_gain,
        "b_ub": np.zeros(len(no_gain) + n * fair),
        "A_eq": np.append(np.ones(size), 0.0)[None],
        "b_eq": [1.0],
        "bounds": [(0, None)] * size + [(None, None) if fair else (0, 0)],
    }
    for tolerance in (1e-10, 1e-7):  # payoffs that nearly tie can be too hard for the finer one
        options = {f"{side}_feasibility_tolerance": tolerance for side in ("primal", "dual")}
        solved = linprog(**programme, options=options)
        if solved.status == 0:
            break
    else:  # every game has such an equilibrium: only rounding can get here
        raise ValueError(f"game: the linear programme could not be solved: {solved.message}")
    p = np.clip(solved.x[:size], 0.0, None).reshape(shape)
    p /= p.sum()
    return CorrelatedEquilibrium(p, (payoffs * p).reshape(n, -1).sum(axis=1))


def is_correlated_equilibrium(
    game, distribution, coarse: bool = False, tolerance: float = 1e-9
) -> bool:
    """Whether no agent gains more than ``tolerance`` by any way to deviate from ``distribution[A_1, …, A_n]``.

    Raises ValueError naming the argument.
    """
    payoffs, coarse = payoffs_of(game), as_flag("coarse", coarse)
    flat = np.ravel(as_float_array("distribution", distribution, payoffs.shape[1:]))
    p = as_distributions("distribution", flat, (flat.size,))
    tolerance = as_number("tolerance", tolerance, 0.0)
    return all(
        (deviation_gains(payoffs, i, coarse).reshape(-1, p.size) @ p).max() <= tolerance
        for i in range(len(payoffs))
    )


def _objective(objective, payoffs: np.ndarray) -> tuple[np.ndarray, bool]:
    """The worth of every joint action, and whether the lowest payoff is to be maximised instead."""
    if isinstance(objective, str):
        if objective not in ("welfare", "fairness"):
            raise ValueError(
                f"objective is {objective!r}; allowed are 'welfare', 'fairness' and an array of one worth per joint action"
            )
        fair = objective == "fairness"
        return np.zeros(payoffs.shape[1:]) if fair else payoffs.sum(axis=0), fair
    worth = as_float_array("objective", objective, payoffs.shape[1:])
    if np.abs(worth).max() > LARGEST:
        raise ValueError(f"objective: holds a worth beyond {LARGEST:g}, too large to be added up")
    return worth, False
