"""Two-agent zero-sum matrix games: one in exact arithmetic, many at once by the simplex method. Lessons 03 and 04.

One matrix ``payoffs[A_1, A_2]`` is enough: what the row agent gains, the column agent loses. Some strategy earns the row
agent at least v on average, and some strategy of the column agent costs at most v (von Neumann 1928): v is the value of the
game, and the two are optimal. What any two strategies guarantee and concede brackets v, which proves how good they are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_float_array, as_indices
from marl_lessons.envs.games.matrix_games import LARGEST, cancels, check_agent, payoffs_of
from marl_lessons.solvers.exact import exact, optimal_strategies

# In units of a game's spread: the gap put down to rounding, and what is 0 to the simplex method.
ROUNDING, NOTHING = 1e-12, 1e-13


class Security(NamedTuple):
    """What an agent can guarantee itself: ``strategy[A_i]``, and the ``value`` that it earns at least, on average."""

    strategy: np.ndarray
    value: float


class ZeroSum(NamedTuple):
    """Values and optimal strategies of zero-sum games, all from the row agent's point of view.

    value ``[...]``       what optimal play earns the row agent
    row ``[..., A_1]``, column ``[..., A_2]``  a pair of optimal strategies
    gap ``[...]``         the least that ``column`` concedes minus what ``row`` guarantees: the value's error is no larger
    basis ``[..., A_1]``  where the simplex method ended; a good ``guess`` for games with similar payoffs
    """

    value: np.ndarray
    row: np.ndarray
    column: np.ndarray
    gap: np.ndarray
    basis: np.ndarray


def maxmin(game, agent: int = 0) -> Security:
    """The security strategy of ``agent`` in a matrix game: it maximises the payoff in the worst case.

    maximise v subject to Σ_a x_a R(a, b) ≥ v for every b: a linear programme (Albrecht et al. 2024, Sec. 4.3.1), solved in
    fractions, so that a penalty of 10^7 does not hide a gain of 1. The others, however many they are, count as one opponent
    who chooses joint actions b. The worst case against a given strategy is a single joint action, so it does not matter here
    whether they can correlate. (It matters for the least to which they can hold the agent down: that equals ``value`` for
    certain only if they can.)

    ``game`` may be a MarkovGame with one state or payoffs ``[n, A_1, …, A_n]``, zero-sum or not.
    """
    payoffs = payoffs_of(game)
    strategy, _, value = optimal_strategies(exact(own_table(payoffs, check_agent(payoffs, agent))))
    return Security(strategy.astype(float), float(value))


def own_table(payoffs: np.ndarray, agent: int) -> np.ndarray:
    """``[A_i, joint actions of the others]``: the payoffs of ``agent``, from ``payoffs[n, A_1, …, A_n]``."""
    return np.moveaxis(payoffs[agent], agent, 0).reshape(payoffs.shape[1 + agent], -1)


def solve_zero_sum(payoffs, guess=None) -> ZeroSum:
    """The values of many zero-sum matrix games at once, and a pair of optimal strategies of each.

    ``payoffs[..., A_1, A_2]``: what the row agent earns and the column agent pays. ``guess[..., A_1]``: the ``basis`` of
    earlier games with similar payoffs, or None. A pair of matrices, what each of two agents earns, is refused: as an array of
    games it would be two.

    The guess is tried first, without it a pair of pure strategies. Games that it does not solve are solved by the simplex
    method (Dantzig 1951), and those few in which rounding spoils that in fractions. A solution is accepted for its gap
    alone, so that a bad guess costs only time. The gap is an error of rounding: 1e-12 of a game's spread or less.
    """
    is_pair = isinstance(payoffs, list | tuple) and len(payoffs) == 2
    payoffs = as_float_array("payoffs", payoffs, (..., None, None))
    if is_pair and payoffs.ndim == 3 and payoffs.any() and cancels(payoffs):
        raise ValueError("payoffs: expected the row agent's matrix A alone, got a pair [A, -A]")
    *shape, n_rows, n_columns = payoffs.shape
    games = payoffs.reshape(-1, n_rows, n_columns)
    scaled, spread = _normalised(games)
    if guess is None:
        basis = _pure_basis(scaled)
    else:
        basis = as_indices("guess", guess, (*shape, n_rows), n_rows + n_columns)
        basis = basis.reshape(-1, n_rows)
    row, column = basic_strategies(scaled, basis)
    gap = _gap(scaled, row, column)
    left = np.flatnonzero(~(gap <= ROUNDING))  # also where the gap is not a number
    if len(left):
        basis[left] = _simplex_basis(scaled[left])
        row[left], column[left] = basic_strategies(scaled[left], basis[left])
        gap[left] = _gap(scaled[left], row[left], column[left])
        for k in left[~(gap[left] <= ROUNDING)]:
            row[k], column[k], _ = optimal_strategies(exact(games[k]))
            gap[k] = _gap(scaled[k], row[k], column[k])
    value = (row[:, None, :] @ games @ column[:, :, None])[:, 0, 0]
    result = ZeroSum(value, row, column, np.maximum(gap, 0.0) * spread, basis)
    return ZeroSum(*(part.reshape((*shape, *part.shape[1:])) for part in result))


def guarantees(payoffs: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """``[2, ...]``: what ``row[..., A_1]`` earns at least, and what ``column[..., A_2]`` pays at most.

    min_b Σ_a x_a R(a, b) ≤ v ≤ max_a Σ_b R(a, b) y_b for every pair of strategies, with equality for optimal ones.
    """
    earned, paid = row[..., None, :] @ payoffs, payoffs @ column[..., :, None]
    return np.stack([earned.min(axis=(-2, -1)), paid.max(axis=(-2, -1))])


def basic_strategies(payoffs: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The strategies ``[N, A_1]`` and ``[N, A_2]`` of ``basis[N, A_1]`` in games with positive ``payoffs[N, A_1, A_2]``.

    The column agent's problem is to maximise Σ_b y_b subject to R y + slack = 1. Then y / Σ y is its strategy and 1 / Σ y
    the value. A basis names as many of the variables y, slack as there are rows; the others are 0, so that B z = 1 gives
    those named. The row agent's strategy solves the transposed system, c being 1 for a y and 0 for a slack (Shapley and
    Snow 1950).
    """
    n_games, n_rows, n_columns = payoffs.shape
    both = np.concatenate([payoffs, np.broadcast_to(np.eye(n_rows), (n_games, n_rows, n_rows))], 2)
    inverse = _inverse(np.take_along_axis(both, basis[:, None, :], axis=2))
    z, c = inverse.sum(axis=2), (basis < n_columns).astype(float)
    y = np.zeros((n_games, n_columns + n_rows))
    np.put_along_axis(y, basis, z, axis=1)
    x = (c[:, None, :] @ inverse)[:, 0]
    return _distribution(x), _distribution(y[:, :n_columns])


def _normalised(payoffs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Payoffs ``[..., A_1, A_2]`` moved and scaled into [1, 2], which keeps optimal strategies; and their spread ``[...]``."""
    if np.abs(payoffs).max(initial=0.0) > LARGEST:
        raise ValueError(f"payoffs: allowed are payoffs of size {LARGEST:g} at most")
    lowest = payoffs.min(axis=(-2, -1), keepdims=True)
    spread = payoffs.max(axis=(-2, -1), keepdims=True) - lowest
    return 1 + (payoffs - lowest) / np.where(spread > 0, spread, 1.0), spread[..., 0, 0]


def _distribution(weights: np.ndarray) -> np.ndarray:
    """``[..., A]``: weights whose slightly negative entries become 0, divided by their sum; NaN where that is 0."""
    weights = np.maximum(weights, 0.0)
    with np.errstate(invalid="ignore"):
        return weights / weights.sum(axis=-1, keepdims=True)


def _gap(payoffs: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """``[...]``: the distance between the two guarantees."""
    return np.diff(guarantees(payoffs, row, column), axis=0)[0]


def _inverse(matrices: np.ndarray) -> np.ndarray:
    """The inverses ``[N, A, A]``; zeros for a singular matrix."""
    try:
        return np.linalg.inv(matrices)
    except np.linalg.LinAlgError:
        singular = np.linalg.det(matrices)[:, None, None] == 0
        regular = np.where(singular, np.eye(matrices.shape[-1]), matrices)
        return np.where(singular, 0.0, np.linalg.inv(regular))


def _pure_basis(payoffs: np.ndarray) -> np.ndarray:
    """``[N, A_1]``: the basis of the best pure strategies in the worst case; it solves a game that has a saddle point."""
    n_games, n_rows, n_columns = payoffs.shape
    basis = np.tile(np.arange(n_columns, n_columns + n_rows), (n_games, 1))
    best_row, best_column = payoffs.min(axis=2).argmax(axis=1), payoffs.max(axis=1).argmin(axis=1)
    basis[np.arange(n_games), best_row] = best_column
    return basis


def _simplex_basis(payoffs: np.ndarray) -> np.ndarray:
    """``[N, A_1]``: where the simplex method ends in games with positive ``payoffs[N, A_1, A_2]``; a pivot of each a round.

    The table holds R, the slacks and the right-hand side; its last row holds the costs. Bland's rule (1977), the lowest
    index that improves, keeps the method from running in circles. The rounds are limited in case rounding does not.
    """
    n_games, n_rows, n_columns = payoffs.shape
    table = np.zeros((n_games, n_rows + 1, n_columns + n_rows + 1))
    table[:, :-1, :n_columns], table[:, :-1, n_columns:-1] = payoffs, np.eye(n_rows)
    table[:, :-1, -1], table[:, -1, :n_columns] = 1.0, -1.0
    basis = np.tile(np.arange(n_columns, n_columns + n_rows), (n_games, 1))
    for _ in range(20 * (n_rows + n_columns)):
        improves = table[:, -1, :-1] < -NOTHING
        open_games = np.flatnonzero(improves.any(axis=1))
        if len(open_games) == 0:
            break
        _pivot(table, basis, open_games, improves[open_games].argmax(axis=1))
    return basis


def _pivot(table: np.ndarray, basis: np.ndarray, games: np.ndarray, entering: np.ndarray) -> None:
    """Bring the variables ``entering`` into the bases of ``games``, each for the one that reaches 0 first; in place.

    A game in which none does, which only rounding can bring about, is closed as it is.
    """
    lost = ~(table[games, :-1, entering] > NOTHING).any(axis=1)
    table[games[lost], -1] = 0.0
    games, entering = games[~lost], entering[~lost]
    column = table[games, :, entering]
    limit = np.full((len(games), column.shape[1] - 1), np.inf)
    np.divide(table[games, :-1, -1], column[:, :-1], out=limit, where=column[:, :-1] > NOTHING)
    first = limit <= limit.min(axis=1, keepdims=True) + NOTHING
    leaving = np.where(first, basis[games], np.iinfo(basis.dtype).max).argmin(axis=1)
    pivot_row = table[games, leaving] / column[np.arange(len(games)), leaving, None]
    table[games] -= column[:, :, None] * pivot_row[:, None, :]
    table[games, leaving] = pivot_row
    basis[games, leaving] = entering
