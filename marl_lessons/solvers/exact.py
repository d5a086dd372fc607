"""Small games in exact arithmetic: payoffs as fractions, and the simplex method without rounding. Lesson 03.

A tolerance cannot tell a small difference from rounding where one payoff is a million times another; fractions can. Arrays
hold Python's ``Fraction`` (dtype object), which suffices for some ten actions each.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

ROUNDING = Fraction(1, 10**14)  # in units of the largest payoff
as_fraction = np.frompyfunc(Fraction, 1, 1)


def exact(payoffs: np.ndarray) -> np.ndarray:
    """``payoffs[...]`` of one agent as fractions: simple ones where rounding cannot tell them from what was given.

    So 0.1 + 0.2 ties with 0.3, and a third is a third: the nearest fraction with a denominator of at most 10^6 is taken if
    it is within 1e-14 of the largest payoff, else the number itself to its last digit.
    """
    payoffs = as_fraction(np.array(payoffs, dtype=float))
    tolerance = ROUNDING * np.abs(payoffs).max()
    simple = np.frompyfunc(lambda x: x.limit_denominator(10**6), 1, 1)(payoffs)
    return np.where(np.abs(simple - payoffs) <= tolerance, simple, payoffs)


def slack_table(limits: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """The table ``[K, N + K + 1]`` of ``limits[K, N]`` x + slack = ``bounds[K]``, and its basis: the slacks.

    A basis names the variable that each row is solved for, the last column its value; all other variables are 0.
    """
    n_limits, n = limits.shape
    table = np.hstack([limits, as_fraction(np.eye(n_limits, dtype=int)), bounds[:, None]])
    return table, tuple(range(n, n + n_limits))


def pivot(table: np.ndarray, row: int, column: int) -> np.ndarray:
    """The table solved for variable ``column`` in ``row`` instead of the one before."""
    solved = table[row] / table[row, column]
    table = table - np.multiply.outer(table[:, column], solved)
    table[row] = solved
    return table


def leaving_rows(table: np.ndarray, column: int) -> np.ndarray:
    """The rows whose variables reach 0 first as variable ``column`` grows; none if it can grow for ever."""
    rows = np.flatnonzero(table[:, column] > 0)
    ratios = table[rows, -1] / table[rows, column]
    return rows[ratios == ratios.min()] if len(rows) else rows


def maximise(
    worth: np.ndarray, limits: np.ndarray, bounds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """x ``[N]`` ≥ 0 that maximises ``worth[N]`` · x subject to ``limits[K, N]`` x ≤ ``bounds[K]``, and the prices ``[K]``.

    The simplex method (Dantzig 1951) from x = 0, so ``bounds`` ≥ 0; for programmes that have a maximum. The prices solve the
    dual programme. Of rows that tie, the lexicographically smallest leaves, so that the method never runs in circles
    (Dantzig, Orden and Wolfe 1955).
    """
    n_limits, n = limits.shape
    table, basis = slack_table(limits, bounds)
    basis = list(basis)
    costs = np.concatenate([-worth, as_fraction(np.zeros(n_limits + 1, dtype=int))])
    while (costs[:-1] < 0).any():
        entering = int(np.argmin(costs[:-1]))
        tied = leaving_rows(table, entering)
        leaving = min(tied, key=lambda row: tuple(table[row, n:-1] / table[row, entering]))
        table = pivot(table, leaving, entering)
        costs = costs - costs[entering] * table[leaving]
        basis[leaving] = entering
    x = as_fraction(np.zeros(n + n_limits, dtype=int))
    x[basis] = table[:, -1]
    return x[:n], costs[n:-1]


def optimal_strategies(payoffs: np.ndarray) -> tuple[np.ndarray, np.ndarray, Fraction]:
    """Optimal strategies ``[A_1]``, ``[A_2]`` and the value of a zero-sum game, ``payoffs[A_1, A_2]`` to the row agent.

    With payoffs moved to 1 and above, the column agent maximises Σ_b y_b subject to R y ≤ 1; y / Σ y is its strategy,
    1 / Σ y the value, and the prices the row agent's strategy times the same.
    """
    move = 1 - payoffs.min()
    ones = [as_fraction(np.ones(count, dtype=int)) for count in payoffs.shape]
    column, row = maximise(ones[1], payoffs + move, ones[0])
    return row / row.sum(), column / column.sum(), 1 / column.sum() - move


def vertices(limits: np.ndarray) -> list[tuple[np.ndarray, frozenset[int]]]:
    """All vertices but 0 of {x ≥ 0, ``limits[K, N]`` x ≤ 1}, each once, with the numbers of the constraints that are tight.

    0 to N - 1: that x is 0; N to N + K - 1: that limit is reached. ``limits`` > 0, so that the polytope is bounded: every
    vertex can be reached from 0 by pivots.
    """
    n_limits, n = limits.shape
    start, slacks = slack_table(limits, as_fraction(np.ones(n_limits, dtype=int)))
    found, seen, left = {}, {frozenset(slacks)}, [(start, slacks)]
    while left:
        table, basis = left.pop()
        x = as_fraction(np.zeros(n + n_limits, dtype=int))
        x[list(basis)] = table[:, -1]
        found[frozenset(np.flatnonzero(x == 0).tolist())] = x[:n]
        for entering in set(range(n + n_limits)) - set(basis):
            for leaving in leaving_rows(table, entering):
                following = (*basis[:leaving], entering, *basis[leaving + 1 :])
                if frozenset(following) not in seen:
                    seen.add(frozenset(following))
                    left.append((pivot(table, leaving, entering), following))
    return [(x, tight) for tight, x in found.items() if x.any()]
