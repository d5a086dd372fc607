"""Fractions: how payoffs are read, and the simplex method against a library's linear programmes."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from random_games import seed_numbers
from scipy.optimize import linprog

from marl_lessons.solvers.exact import as_fraction, exact, maximise, optimal_strategies, vertices


@pytest.mark.parametrize(("payoffs", "read"), [
    ([0.1 + 0.2, 0.3], [Fraction(3, 10)] * 2),
    ([1 / 3, 4 / 3 - 1], [Fraction(1, 3)] * 2),
    ([1e15, 0.1, 2, 0.1 + 0.2 - 0.3], [10**15, Fraction(1, 10), 2, 0]),
    ([1, 1 - 1e-11], [1, Fraction(1 - 1e-11)]),
    ([np.pi, 3], [Fraction(np.pi), 3]),
    ([1e-300, 2e-300], [Fraction(1e-300), Fraction(2e-300)]),
    ([0, 0], [0, 0]),
])  # fmt: skip
def test_payoffs_are_read_as_simple_fractions_where_rounding_allows(payoffs, read):
    assert exact(np.array(payoffs)).tolist() == read


@given(seed_numbers)
def test_maxima_are_those_of_the_library_and_prices_prove_them(seed):
    rng = np.random.default_rng(seed)
    n_limits, n = rng.integers(1, 5, size=2)
    worth, bounds = rng.integers(-3, 4, size=n), rng.integers(0, 4, size=n_limits)
    limits = np.vstack([rng.integers(-2, 4, size=(n_limits, n)), np.ones((1, n), dtype=int)])
    bounds = np.append(bounds, 5)
    x, prices = maximise(*(as_fraction(part) for part in (worth, limits, bounds)))
    assert (x >= 0).all() and (limits @ x <= bounds).all()
    assert (prices >= 0).all() and (prices @ limits >= worth).all()
    assert worth @ x == prices @ bounds  # duality: no other x can be better
    assert float(worth @ x) == pytest.approx(-linprog(-worth, limits, bounds).fun, abs=1e-9)


def test_the_simplex_method_never_runs_in_circles():
    """Beale's programme (1955), on which the largest coefficient alone returns to its start after six pivots."""
    worth = as_fraction(np.array([0.75, -20, 0.5, -6]))
    limits = as_fraction(np.array([[0.25, -8, -1, 9], [0.5, -12, -0.5, 3], [0, 0, 1, 0]]))
    x, _ = maximise(worth, limits, as_fraction(np.array([0, 0, 1])))
    assert worth @ x == Fraction(5, 4)


def test_strategies_of_a_zero_sum_game():
    row, column, value = optimal_strategies(exact(np.array([[3, -1], [-2, 4]])))
    assert (row.tolist(), column.tolist(), value) == (
        [Fraction(3, 5), Fraction(2, 5)],
        [Fraction(1, 2)] * 2,
        1,
    )


def test_vertices_of_a_box_and_of_a_simplex():
    for n in range(1, 4):
        box = {tuple(x): tight for x, tight in vertices(exact(np.eye(n) + 0.0))}
        corners = [c for c in itertools.product((0, 1), repeat=n) if any(c)]
        assert set(box) == set(corners)
        assert all(tight == {k + n * c for k, c in enumerate(x)} for x, tight in box.items())
        simplex = vertices(exact(np.ones((2, n))))  # the same limit twice
        assert {tuple(x) for x, _ in simplex} == {tuple(e) for e in np.eye(n, dtype=int)}
        assert all({n, n + 1} <= tight for _, tight in simplex)
