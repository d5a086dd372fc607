"""Replicator dynamics: against general-purpose integrators, closed forms and what theory conserves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import random_game, seed_numbers
from scipy.integrate import solve_ivp
from scipy.special import ellipk

from marl_lessons.algorithms.dynamics.replicator import (
    Trajectory,
    conserved_quantity,
    euler_step,
    replicator,
    replicator_field,
)
from marl_lessons.envs.games.matrix_games import matrix_game

PENNIES = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
MIDDLE = [[0.5, 0.5], [0.5, 0.5]]


def rock(win, lose):
    """Rock, paper, scissors for two: ``win`` for beating the other, ``-lose`` for being beaten."""
    one = np.array([[0, -lose, win], [win, 0, -lose], [-lose, win, 0.0]])
    return np.stack([one, one.T])


def field_by_loops(payoffs, x, y):
    n, m = payoffs.shape[1:]
    earned_x = [sum(payoffs[0, a, b] * y[b] for b in range(m)) for a in range(n)]
    earned_y = [sum(payoffs[1, a, b] * x[a] for a in range(n)) for b in range(m)]
    mean_x = sum(x[a] * earned_x[a] for a in range(n))
    mean_y = sum(y[b] * earned_y[b] for b in range(m))
    return (
        [x[a] * (earned_x[a] - mean_x) for a in range(n)],
        [y[b] * (earned_y[b] - mean_y) for b in range(m)],
    )


def by_general_integrator(payoffs, start, times):
    """The same differential equations for the shares themselves, by a Runge-Kutta method of order 8."""
    n = payoffs.shape[1]
    right = lambda t, z: np.concatenate(field_by_loops(payoffs, z[:n], z[n:]))  # noqa: E731
    z = solve_ivp(
        right,
        (0, times[-1]),
        np.concatenate(start),
        method="DOP853",
        t_eval=times,
        rtol=1e-11,
        atol=1e-13,
    )
    return z.y[:n].T, z.y[n:].T


def random_start(rng, n, m, least=0.02):
    return [least + (1 - k * least) * rng.dirichlet(np.full(k, 0.4)) for k in (n, m)]


def zero_sum_with_equilibrium(rng, n, m):
    """A random zero-sum game in which the interior strategies p and q leave the other indifferent."""
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    matrix = rng.normal(size=(n, m)) * 10 ** rng.uniform(-1, 0.7)
    matrix = matrix - p @ matrix - (matrix @ q)[:, None] + rng.normal()
    return np.stack([matrix, -matrix]), [p, q]


@given(seed_numbers, st.integers(1, 4), st.integers(1, 4))
def test_the_field_is_its_equation(seed, n, m):
    rng = np.random.default_rng(seed)
    payoffs, (x, y) = rng.normal(size=(2, n, m)), random_start(rng, n, m)
    dx, dy = replicator_field(payoffs, (x, y))
    ex, ey = field_by_loops(payoffs, x, y)
    assert np.allclose(dx, ex, atol=1e-12) and np.allclose(dy, ey, atol=1e-12)


@settings(max_examples=12)
@given(seed_numbers, st.integers(2, 4), st.integers(2, 4))
def test_any_game_follows_the_differential_equations(seed, n, m):
    rng = np.random.default_rng(seed)
    payoffs, start = rng.normal(size=(2, n, m)), random_start(rng, n, m)
    path = replicator(payoffs, start, 3.0, step=0.05)
    assert path.times == pytest.approx(0.05 * np.arange(61))
    for got, expected in zip(path.strategies, by_general_integrator(payoffs, start, path.times)):
        assert np.abs(got - expected).max() < 1e-8
        assert np.abs(got.sum(axis=1) - 1).max() < 1e-12


@settings(max_examples=10)
@given(seed_numbers, st.integers(2, 4), st.integers(2, 4))
def test_zero_sum_games_conserve_h(seed, n, m):
    rng = np.random.default_rng(seed)
    game, equilibrium = zero_sum_with_equilibrium(rng, n, m)
    h = conserved_quantity(replicator(game, random_start(rng, n, m), 20.0, 0.1), equilibrium)
    assert h.shape == (201,) and np.ptp(h) < 1e-9


@pytest.mark.parametrize("first", [(0.02, 0.02), (0.02, 0.5), (0.5, 0.2), (0.9, 0.98)])
def test_matching_pennies_conserves_h(first):
    start = [[p, 1 - p] for p in first]
    path = replicator(matrix_game(PENNIES), start, 20.0)
    (x, y) = (shares[:, 0] for shares in path.strategies)
    h = np.log(x * (1 - x)) + np.log(y * (1 - y))
    assert np.ptp(h) < 1e-9 and np.ptp(x) > 0.1
    assert conserved_quantity(path, MIDDLE) == pytest.approx(h / 2, abs=1e-12)


def test_the_error_in_h_does_not_grow():
    path = replicator(PENNIES, [[0.02, 0.98], [0.2, 0.8]], 400.0)
    error = np.abs(np.diff(conserved_quantity(path, MIDDLE), prepend=0)[1:].cumsum())
    assert error[-2_000:].max() < 1.1 * error[:2_000].max() < 1e-9


@pytest.mark.parametrize("y", [0.499, 0.2, 0.05])
def test_orbits_close_after_a_period_with_the_equilibrium_as_average(y):
    """The period is 4 K(m), the complete elliptic integral for m = 1 - 16 x(1-x) y(1-y)."""
    period = 4 * ellipk(1 - 4 * y * (1 - y))
    path = replicator(PENNIES, [[0.5, 0.5], [y, 1 - y]], period)
    for shares in path.strategies:
        assert np.abs(shares[-1] - shares[0]).max() < 1e-7
        assert np.abs(shares[1:].mean(axis=0) - 0.5).max() < 1e-7
    half = replicator(PENNIES, [[0.5, 0.5], [y, 1 - y]], period / 2).strategies[1][-1, 0]
    assert half == pytest.approx(1 - y, abs=1e-7)


@settings(max_examples=15)
@given(seed_numbers, st.integers(2, 4), st.integers(2, 4))
def test_euler_moves_outwards_at_every_step(seed, n, m):
    """ln(1 + z) <= z makes H fall at every step of Euler's method that is not cut off."""
    rng = np.random.default_rng(seed)
    game, equilibrium = zero_sum_with_equilibrium(rng, n, m)
    start = random_start(rng, n, m, least=0.1)
    path = replicator(game, start, 2.0, 0.02 / np.abs(game).max(), method="euler")
    h = conserved_quantity(path, equilibrium)
    assert (np.diff(h) < 1e-13).all() and h[-1] < h[0]


@given(seed_numbers, st.floats(0.01, 30.0))
def test_euler_steps_are_those_of_a_naive_program(seed, step):
    rng = np.random.default_rng(seed)
    payoffs, start = rng.normal(size=(2, 3, 2)), random_start(rng, 3, 2)
    x, y = (list(shares) for shares in start)
    for got in zip(*replicator(payoffs, start, 3 * step, step, method="euler").strategies):
        assert np.allclose(got[0], x, atol=1e-9) and np.allclose(got[1], y, atol=1e-9)
        dx, dy = field_by_loops(payoffs, x, y)
        x = [min(max(a + step * d, 0), 1) for a, d in zip(x, dx)]
        y = [min(max(a + step * d, 0), 1) for a, d in zip(y, dy)]
        x, y = [a / sum(x) for a in x], [a / sum(y) for a in y]


def test_a_large_euler_step_is_cut_off():
    x, y = euler_step(PENNIES, ([0.5, 0.5] @ np.eye(2), [0.9, 0.1] @ np.eye(2)), 10.0)
    assert x.tolist() == [1.0, 0.0] and y.tolist() == [0.9, 0.1]


def test_two_equal_populations_are_one():
    payoffs = rock(win=2.0, lose=1.0)
    one = payoffs[0]
    start = np.array([0.6, 0.3, 0.1])
    path = replicator(payoffs, [start, start], 6.0, 0.1)
    right = lambda t, x: [x[a] * (one[a] @ x - x @ one @ x) for a in range(3)]  # noqa: E731
    alone = solve_ivp(right, (0, 6), start, "DOP853", path.times, rtol=1e-11, atol=1e-13).y.T
    for shares in path.strategies:
        assert np.abs(shares - alone).max() < 1e-8


@pytest.mark.parametrize(("win", "lose", "way"), [(1, 1, 0), (2, 1, 1), (1, 2, -1)])
def test_rock_paper_scissors_goes_round_inwards_or_outwards(win, lose, way):
    """d/dt ln x1 x2 x3 = (win - lose) (1 - 3 (x1 x2 + x2 x3 + x3 x1)) for equal populations."""
    path = replicator(rock(win, lose), [[0.5, 0.3, 0.2]] * 2, 30.0, 0.05)
    x = path.strategies[0]
    growth = np.diff(np.log(x).sum(axis=1)) / 0.05
    pairs = (x * np.roll(x, 1, axis=1)).sum(axis=1)
    expected = (win - lose) * (1 - 3 * (pairs[1:] + pairs[:-1]) / 2)  # by the trapezoidal rule
    assert growth == pytest.approx(expected, abs=2e-3)
    product = x.prod(axis=1)
    if way == 0:
        assert np.ptp(product) < 1e-10
    elif way > 0:
        assert (np.diff(product) > 0).all() and x[-1] == pytest.approx(np.full(3, 1 / 3), abs=1e-2)
    else:
        assert (np.diff(product) < 0).all() and product[-1] < 1e-6


def test_the_unit_of_payoffs_is_the_unit_of_time():
    rng = np.random.default_rng(3)
    payoffs, start = rng.normal(size=(2, 3, 3)), random_start(rng, 3, 3)
    slow, fast = replicator(payoffs, start, 4.0, 0.1), replicator(200 * payoffs, start, 0.02, 5e-4)
    for a, b in zip(slow.strategies, fast.strategies):
        assert np.abs(a - b).max() < 1e-8


def test_an_absent_strategy_stays_absent():
    payoffs = rock(1.0, 3.0)
    path = replicator(payoffs, [[0.4, 0.6, 0.0], [0.2, 0.5, 0.3]], 5.0)
    smaller = replicator(payoffs[:, :2], [[0.4, 0.6], [0.2, 0.5, 0.3]], 5.0)
    assert (path.strategies[0][:, 2] == 0).all()
    assert np.allclose(path.strategies[0][:, :2], smaller.strategies[0], atol=1e-9)
    assert np.allclose(path.strategies[1], smaller.strategies[1], atol=1e-9)


@pytest.mark.parametrize("method", ["symplectic", "euler"])
def test_a_dominated_strategy_dies_out(method):
    dilemma = np.array([[[-1, -5], [0, -3]], [[-1, 0], [-5, -3]]])
    path = replicator(dilemma, [[0.99, 0.01], [0.9, 0.1]], 50.0, 0.1, method=method)
    assert all(shares[-1] == pytest.approx([0, 1], abs=1e-12) for shares in path.strategies)


@pytest.mark.parametrize(
    ("duration", "step", "n"), [(1.0, 0.1, 10), (0.3, 0.1, 3), (1.0, 0.3, 4), (1.0, 5.0, 1)]
)
def test_steps_are_equal_and_no_longer_than_asked(duration, step, n):
    path = replicator(PENNIES, MIDDLE, duration, step)
    assert path.times == pytest.approx(np.linspace(0, duration, n + 1))
    assert [shares.shape for shares in path.strategies] == [(n + 1, 2)] * 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((np.zeros((3, 2, 2, 2)), MIDDLE, 1.0), "game: has 3 agents"),
        ((random_game(np.random.default_rng(0)), MIDDLE, 1.0), "game: has 3 states"),
        ((PENNIES, [[0.5, 0.5]], 1.0), "start: expected 2 arrays"),
        ((PENNIES, 0.5, 1.0), "start: expected 2 arrays"),
        ((PENNIES, [[0.5, 0.5], [0.5, 0.6]], 1.0), r"start\[1\] sums"),
        ((PENNIES, [[0.5, 0.5, 0.0], [0.5, 0.5]], 1.0), r"start\[0\]: expected"),
        ((PENNIES, [[1.5, -0.5], [0.5, 0.5]], 1.0), r"start\[0\]\[1\] is -0.5"),
        ((PENNIES, MIDDLE, 0.0), "duration is 0"),
        ((PENNIES, MIDDLE, np.inf), "duration is inf"),
        ((PENNIES, MIDDLE, True), "duration: expected a number"),
        ((PENNIES, MIDDLE, 1.0, 0.0), "step is 0"),
        ((PENNIES, MIDDLE, 1.0, 1e-9), "step is 1e-09"),
        ((PENNIES, MIDDLE, 1.0, np.nan), "step is nan"),
        ((PENNIES, MIDDLE, 1.0, 0.1, "rk4"), "method is 'rk4'"),
        ((PENNIES, MIDDLE, 1.0, 0.1, ["euler"]), "method is"),
        ((1e9 * PENNIES, MIDDLE, 1.0), "duration: 1.0 takes"),
    ],
)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        replicator(*arguments)


def test_bad_input_of_the_conserved_quantity_is_named():
    path = replicator(PENNIES, MIDDLE, 0.1)
    with pytest.raises(ValueError, match=r"equilibrium\[1\] holds a 0"):
        conserved_quantity(path, [[0.5, 0.5], [1.0, 0.0]])
    with pytest.raises(ValueError, match=r"equilibrium\[0\]"):
        conserved_quantity(path, [[0.2, 0.3, 0.5], [0.5, 0.5]])


def test_h_is_minus_infinity_at_the_border():
    border = Trajectory(np.zeros(1), (np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])))
    assert conserved_quantity(border, MIDDLE).tolist() == [-np.inf]


@pytest.mark.parametrize("method", ["symplectic", "euler"])
def test_a_share_may_vanish_whatever_numpy_is_told_to_raise(method):
    dilemma = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
    with np.errstate(all="raise"):
        path = replicator(dilemma, MIDDLE, 1_500.0, step=0.1, method=method)
    assert path.strategies[0][-1] == pytest.approx([0, 1], abs=1e-12)
