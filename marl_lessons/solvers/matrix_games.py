"""What mixed strategies earn in a matrix game, and which actions answer them best."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from marl_lessons.checks import as_distributions, as_flag, as_float_array, as_number
from marl_lessons.envs.games.matrix_games import (
    LARGEST,
    Strategies,
    check_agent,
    check_strategies,
    payoffs_of,
)


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

    U_i(a_i, π_-i) (Albrecht et al. 2024, Sec. 4.2). ``strategies[agent]`` is ignored and may be None.
    """
    payoffs = payoffs_of(game)
    agent = check_agent(payoffs, agent)
    others = check_strategies(payoffs.shape[1:], strategies, skip=agent)
    return average_over_others(payoffs[agent], agent, others)


def expected_payoffs(game, strategies: Strategies) -> np.ndarray:
    """``[n]``: every agent's expected payoff U_i(π) when all draw their actions independently."""
    payoffs = payoffs_of(game)
    strategies = check_strategies(payoffs.shape[1:], strategies)
    return np.array(
        [strategies[i] @ action_payoffs(payoffs, i, strategies) for i in range(len(payoffs))]
    )


def best_actions(game, agent: int, strategies: Strategies, tolerance: float = 1e-9) -> np.ndarray:
    """``[A_i]`` booleans: the actions of ``agent`` that are best responses to the others' strategies.

    A mixed strategy is a best response exactly if it plays only such actions. Actions within ``tolerance`` of the best
    count as ties.
    """
    tolerance = as_number("tolerance", tolerance, 0.0)
    earned = action_payoffs(game, agent, strategies)
    return earned >= earned.max() - tolerance


# Actions that a rational agent never plays, and outcomes that nobody would give up for another.

PRECISION = 1e-9  # in units of the range of an agent's payoffs: differences below count as ties


def dominated_actions(game, agent: int, mixed: bool = True) -> np.ndarray:
    """``[A_i]`` booleans: the actions of ``agent`` that are strictly dominated.

    Action a is strictly dominated if some strategy earns more than a whatever the others do. ``mixed``: that strategy may
    mix, the full notion, by one linear programme per action; False: only single actions are tried. An action is strictly
    dominated by a mixture exactly if it is no best response to any (correlated) behaviour of the others, so a dominated
    action is never played in any equilibrium (Albrecht et al. 2024, Sec. 4.2; Pearce 1984).
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
    :func:`dominated_actions`. Every equilibrium lives on what is left.
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
    joint actions are compared, not mixtures of them.
    """
    payoffs = payoffs_of(game)
    points = np.stack([on_unit_scale(mine).ravel() for mine in payoffs], axis=1)
    difference = points[None] - points[:, None]  # [a, b, n]: what b pays more than a
    dominated = (difference >= -PRECISION).all(axis=2) & (difference > PRECISION).any(axis=2)
    return ~dominated.any(axis=1).reshape(payoffs.shape[1:])


def _own_table(payoffs: np.ndarray, agent: int) -> np.ndarray:
    """``[A_i, joint actions of the others]``: the payoffs of ``agent``."""
    return np.moveaxis(payoffs[agent], agent, 0).reshape(payoffs.shape[1 + agent], -1)


# All Nash equilibria of a matrix game of two agents, and whether the game is degenerate.


class Equilibrium(NamedTuple):
    """A Nash equilibrium: one strategy ``[A_i]`` per agent, and what each agent earns ``[n]``."""

    strategies: tuple[np.ndarray, np.ndarray]
    payoffs: np.ndarray


class NashEquilibria(NamedTuple):
    """The equilibria of a game, pure ones first, and whether the game is degenerate.

    In a game that is not degenerate, ``equilibria`` are all there are, and their number is odd. In a degenerate one they
    are the extreme ones: there are infinitely many, or an even number, and all are mixtures of these.
    """

    equilibria: tuple[Equilibrium, ...]
    degenerate: bool


def nash_equilibria(game) -> NashEquilibria:
    """All equilibria of a two-agent matrix game, by enumerating vertices of the best-response polytopes.

    The vertices come from the library nashpy (von Stengel in Nisan et al. 2007, Algorithm 3.5). A game is degenerate if
    some strategy that mixes k actions has more than k best responses; ties are taken within 1e-9 of the range of an
    agent's payoffs. The work grows exponentially with the number of actions: beyond about 10 each it takes seconds.
    Strategies and payoffs are exact up to rounding. Raises ValueError naming ``game``, also if it has not two agents.
    """
    row_payoffs, column_payoffs = payoffs_of(game, n_agents=2)
    rows = _vertices(1 + on_unit_scale(column_payoffs).T)  # the polytopes need positive payoffs
    columns = _vertices(1 + on_unit_scale(row_payoffs))
    m, n = row_payoffs.shape
    found = []
    for x, x_labels in rows:
        # Labels 0..n-1: that column is a best response to x; n + i: row i is not played. For y the other way round.
        answered = {(label - n) % (m + n) for label in x_labels}
        for y, y_labels in columns:
            if len(answered | y_labels) == m + n:
                value = np.array([x @ row_payoffs @ y, x @ column_payoffs @ y])
                found.append(Equilibrium((x, y), value))
    found.sort(key=lambda e: [(strategy > 0).sum() for strategy in e.strategies])
    degenerate = any(len(labels) > m for _, labels in rows)
    degenerate |= any(len(labels) > n for _, labels in columns)
    return NashEquilibria(tuple(found), degenerate)


def _vertices(answers: np.ndarray) -> list[tuple[np.ndarray, set[int]]]:
    """Strategies at the vertices of {x ≥ 0, answers @ x ≤ 1}, ``answers[n, m]``, each once, with the labels that hold there.

    Labels 0 to n - 1 are the other agent's best responses, n + i says that action i is not played.
    """
    n, m = answers.shape
    if m == 1:  # one action: nothing to mix, and no polytope in the library's sense
        return [(np.ones(1), set(np.flatnonzero(answers[:, 0] >= answers.max() - PRECISION)))]
    from nashpy.polytope import build_halfspaces, non_trivial_vertices  # slow to load: only here

    vertices = {}
    for point, _ in non_trivial_vertices(build_halfspaces(answers)):
        # The library's own labels are coarser: they take payoffs within 1e-5 of each other as equal.
        holds = np.append(1 - answers @ point, point) <= PRECISION
        point[holds[n:]] = 0.0
        vertices[holds.tobytes()] = (point / point.sum(), set(np.flatnonzero(holds).tolist()))
    return list(vertices.values())


# Correlated equilibria: the best recommendation that nobody wants to disobey, by linear programme.


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
    every joint action; minus a worth finds the equilibrium that is worst.
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
    """Whether no agent gains more than ``tolerance`` by any way to deviate from ``distribution[A_1, …, A_n]``."""
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
