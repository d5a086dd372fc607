"""Actions that a rational agent never plays, and outcomes that nobody would give up for another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from marl_lessons.checks import as_flag
from marl_lessons.envs.matrix_games import check_agent, payoffs_of
from marl_lessons.solvers.strategies import on_unit_scale

PRECISION = 1e-9  # in units of the range of an agent's payoffs: differences below count as ties


def dominated_actions(game, agent: int, mixed: bool = True) -> np.ndarray:
    """``[A_i]`` booleans: the actions of ``agent`` that are strictly dominated.

    Action a is strictly dominated if some strategy earns more than a whatever the others do. ``mixed``: that strategy may
    mix, the full notion, by one linear programme per action; False: only single actions are tried. An action is strictly
    dominated by a mixture exactly if it is no best response to any (correlated) behaviour of the others, so a dominated
    action is never played in any equilibrium (Albrecht et al. 2024, Sec. 4.2; Pearce 1984). Raises ValueError naming
    the argument.
    """
    payoffs = payoffs_of(game)
    agent, mixed = check_agent(payoffs, agent), as_flag("mixed", mixed)
    table = on_unit_scale(_own_table(payoffs, agent))
    if mixed:
        lead = np.array([_largest_lead(table, a) for a in range(len(table))])
    else:
        lead = (table[None] - table[:, None]).min(axis=2).max(axis=1)
    return lead > PRECISION


def _largest_lead(table: np.ndarray, action: int) -> float:
    """max over strategies x of min_b (Σ_a x_a table[a, b] - table[action, b]): how far some x stays ahead of ``action``."""
    n_own, n_other = table.shape
    lead = table - table[action]
    # Variables: x_a for every action, and the lead t: maximise t with t ≤ Σ_a x_a lead[a, b] for all b.
    solved = linprog(
        np.append(np.zeros(n_own), -1.0),
        A_ub=np.column_stack([-lead.T, np.ones(n_other)]),
        b_ub=np.zeros(n_other),
        A_eq=np.append(np.ones(n_own), 0.0)[None],
        b_eq=[1.0],
        bounds=[(0, None)] * n_own + [(None, None)],
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return -solved.fun


class Elimination(NamedTuple):
    """What is left after iterated elimination: one array of actions per agent, and the actions struck out, in order."""

    actions: tuple[np.ndarray, ...]
    order: tuple[tuple[int, int], ...]


def iterated_elimination(game, mixed: bool = True) -> Elimination:
    """Strike out strictly dominated actions until none is left; the result does not depend on the order.

    ``order`` lists (agent, action), agents in turn and actions in the game's own numbering. ``mixed`` as in
    :func:`dominated_actions`. Every equilibrium lives on what is left. Raises ValueError naming the argument.
    """
    payoffs = payoffs_of(game)
    left = [np.arange(count) for count in payoffs.shape[1:]]
    order: list[tuple[int, int]] = []
    agent, unchanged = 0, 0
    while unchanged < len(payoffs):
        reduced = payoffs[(slice(None), *np.ix_(*left))]
        gone = dominated_actions(reduced, agent, mixed)
        order += [(agent, int(action)) for action in left[agent][gone]]
        left[agent] = left[agent][~gone]
        unchanged = 0 if gone.any() else unchanged + 1
        agent = (agent + 1) % len(payoffs)
    return Elimination(tuple(left), tuple(order))


def pareto_set(game) -> np.ndarray:
    """``[A_1, …, A_n]`` booleans: joint actions that no other joint action Pareto-dominates.

    Joint action b dominates a if no agent earns less under b and one earns more (Albrecht et al. 2024, Sec. 4.8). Only
    joint actions are compared, not mixtures of them. Raises ValueError naming ``game``.
    """
    payoffs = payoffs_of(game)
    points = np.stack([on_unit_scale(mine).ravel() for mine in payoffs], axis=1)
    difference = points[None] - points[:, None]  # [a, b, n]: what b pays more than a
    dominated = (difference >= -PRECISION).all(axis=2) & (difference > PRECISION).any(axis=2)
    return ~dominated.any(axis=1).reshape(payoffs.shape[1:])


def _own_table(payoffs: np.ndarray, agent: int) -> np.ndarray:
    """``[A_i, joint actions of the others]``: the payoffs of ``agent``."""
    return np.moveaxis(payoffs[agent], agent, 0).reshape(payoffs.shape[1 + agent], -1)
