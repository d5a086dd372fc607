"""Solution concepts of matrix games: dominance, the Pareto set, Nash and correlated equilibria. Lesson 03.

Which action is better is decided in fractions (:mod:`.exact`), so that small differences count beside large payoffs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_distributions, as_flag, as_float_array, as_number
from marl_lessons.envs.games.matrix_games import (
    Strategies,
    check_agent,
    check_strategies,
    payoffs_of,
)
from marl_lessons.solvers.exact import as_fraction, exact, maximise, optimal_strategies, vertices
from marl_lessons.solvers.zero_sum import own_table


def expected_payoffs(game, strategies: Strategies) -> np.ndarray:
    """``[n]``: every agent's expected payoff U_i(π) when all draw their actions independently.

    U_i(π) = Σ_a Π_j π_j(a_j) R_i(a) for ``strategies[j][A_j]`` (Albrecht et al. 2024, Sec. 4.2).
    """
    payoffs = payoffs_of(game)
    strategies = check_strategies(payoffs.shape[1:], strategies)
    return np.array(
        [x @ average_over_others(payoffs[i], i, strategies) for i, x in enumerate(strategies)]
    )


def average_over_others(reward: np.ndarray, agent: int, strategies: list[np.ndarray]) -> np.ndarray:
    """``[A_i]``: Σ_{a_-i} Π_{j≠i} π_j(a_j) R_i(a_i, a_-i), for ``reward[A_1, …, A_n]`` of ``agent`` and ``strategies[j][A_j]``."""
    for j in reversed(range(reward.ndim)):  # from the last axis on: earlier ones keep their places
        if j != agent:
            reward = np.tensordot(reward, strategies[j], axes=(j, 0))
    return reward


# Actions that a rational agent never plays, and outcomes that nobody would give up for another.


def dominated_actions(game, agent: int, mixed: bool = True) -> np.ndarray:
    """``[A_i]`` booleans: the actions of ``agent`` that are strictly dominated.

    Action a is strictly dominated if some strategy earns more than a whatever the others do. ``mixed``: that strategy may
    mix, the full notion: the game of being ahead of a has a positive value. False: only single actions are tried. An action
    is strictly dominated by a mixture exactly if it is no best response to any (correlated) behaviour of the others, so a
    dominated action is never played in any equilibrium (Albrecht et al. 2024, Sec. 4.2; Pearce 1984).
    """
    payoffs = payoffs_of(game)
    agent, mixed = check_agent(payoffs, agent), as_flag("mixed", mixed)
    table = exact(own_table(payoffs, agent))
    if mixed:
        return np.array([optimal_strategies(table - earned)[2] > 0 for earned in table])
    return np.array([(table > earned).all(axis=1).any() for earned in table])


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
    ranks = [np.unique(exact(mine), return_inverse=True)[1].ravel() for mine in payoffs]
    points = np.stack(ranks, axis=1)  # only their order counts
    no_less, more = points[None] >= points[:, None], points[None] > points[:, None]  # [a, b, n]
    dominated = no_less.all(axis=2) & more.any(axis=2)
    return ~dominated.any(axis=1).reshape(payoffs.shape[1:])


# All Nash equilibria of a matrix game of two agents, and whether the game is degenerate.


class Equilibrium(NamedTuple):
    """A Nash equilibrium: one strategy ``[A_i]`` per agent, and what each agent earns ``[n]``."""

    strategies: tuple[np.ndarray, np.ndarray]
    payoffs: np.ndarray


class NashEquilibria(NamedTuple):
    """The equilibria of a game, pure ones first, then those that pay most together, and whether the game is degenerate.

    In a game that is not degenerate, ``equilibria`` are all there are, and their number is odd. In a degenerate one they
    are the extreme ones: there are infinitely many, or an even number, and all are mixtures of these.
    """

    equilibria: tuple[Equilibrium, ...]
    degenerate: bool


def nash_equilibria(game) -> NashEquilibria:
    """All equilibria of a two-agent matrix game, by enumerating vertices of the best-response polytopes.

    A strategy x, divided by what the other agent's best response to it earns, lies in {x ≥ 0, R^T x ≤ 1}, payoffs being
    positive. At an equilibrium every action is not played or a best response, so that both strategies sit at vertices
    (von Stengel in Nisan et al. 2007, Algorithm 3.5). A game is degenerate if some strategy that mixes k actions has more
    than k best responses. The work grows exponentially with the number of actions: 10 each take seconds, 12 a minute.
    """
    row_payoffs, column_payoffs = (exact(mine) for mine in payoffs_of(game, n_agents=2))
    m, n = row_payoffs.shape
    rows = vertices((1 + column_payoffs - column_payoffs.min()).T)
    columns = vertices(1 + row_payoffs - row_payoffs.min())
    found = []
    for x, x_tight in rows:
        # What holds at x: 0..m-1, row i is not played; m + j, column j is a best response. For y the other way round.
        missing = frozenset(range(m + n)) - x_tight
        for y, y_tight in columns:
            if missing <= {(k + m) % (m + n) for k in y_tight}:
                x_played, y_played = x / x.sum(), y / y.sum()
                earned = [x_played @ mine @ y_played for mine in (row_payoffs, column_payoffs)]
                found.append(([np.count_nonzero(x), np.count_nonzero(y)], -sum(earned),
                              [*-x_played, *-y_played], earned))  # fmt: skip
    equilibria = []
    for _, _, played, earned in sorted(found):
        both = -np.array(played, dtype=float) + 0.0  # no -0.0
        equilibria.append(Equilibrium((both[:m], both[m:]), np.array(earned, dtype=float)))
    degenerate = any(len(t) > m for _, t in rows) or any(len(t) > n for _, t in columns)
    return NashEquilibria(tuple(equilibria), degenerate)


# Correlated equilibria: the best recommendation that nobody wants to disobey, by linear programme.


class CorrelatedEquilibrium(NamedTuple):
    """A distribution over joint actions ``[A_1, …, A_n]``, and what each agent earns under it ``[n]``."""

    distribution: np.ndarray
    payoffs: np.ndarray


def deviation_gains(payoffs: np.ndarray, agent: int, coarse: bool = False) -> np.ndarray:
    """``[K, A_1, …, A_n]``: what ``agent`` would gain at each joint action by each of K ways to deviate.

    Correlated: one way for every pair of actions, "when told a, play b" (0 where something else was told). Coarse: one way
    for every action, "whatever is told, play b". A distribution p over joint actions is an equilibrium exactly if no way
    gains on average: Σ_a p(a) gain_k(a) ≤ 0 (Albrecht et al. 2024, Sec. 4.6).
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
    if isinstance(objective, str) and objective not in ("welfare", "fairness"):
        raise ValueError(
            f"objective is {objective!r}; allowed are 'welfare', 'fairness' and an array of one worth per joint action"
        )
    n, size = len(payoffs), payoffs[0].size
    own = np.stack([exact(mine) for mine in payoffs])
    gains = np.concatenate([deviation_gains(own, i, coarse).reshape(-1, size) for i in range(n)])
    # Where all worths are positive, more probability is better: Σ_a p(a) ≤ 1 is enough.
    if isinstance(objective, str) and objective == "fairness":
        # One more variable: the lowest payoff t, with t ≤ Σ_a p(a) R_i(a).
        earned = (1 + own - own.min()).reshape(n, size)
        gains = np.block([[gains, np.zeros((len(gains), 1))], [-earned, np.ones((n, 1))]])
        worth = np.append(np.zeros(size), 1.0)
    else:
        worth = own.sum(axis=0)
        if not isinstance(objective, str):
            worth = exact(as_float_array("objective", objective, payoffs.shape[1:]))
        worth = (1 + worth - worth.min()).ravel()
    total = np.append(np.ones(size), np.zeros(len(worth) - size))
    bounds = np.append(np.zeros(len(gains)), 1.0)
    x, _ = maximise(*(as_fraction(part) for part in (worth, np.vstack([gains, total]), bounds)))
    p = x[:size].astype(float).reshape(payoffs.shape[1:])
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
