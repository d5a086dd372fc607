"""Gradient ascent in 2x2 games: against finite differences, general-purpose integrators and the theorems."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import random_game, seed_numbers
from scipy.integrate import solve_ivp

from marl_lessons.algorithms.dynamics.gradient_ascent import (
    exact_flow,
    gradient_ascent,
    is_winning,
    payoff_gradient,
)
from marl_lessons.envs.games.matrix_games import matrix_game

PENNIES = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
CENTRE = np.array([0.5, 0.5])
unit = st.floats(0, 1)


def payoff(matrix, alpha, beta):
    """The expected payoff, all four outcomes written out."""
    return (
        alpha * beta * matrix[0, 0]
        + alpha * (1 - beta) * matrix[0, 1]
        + (1 - alpha) * beta * matrix[1, 0]
        + (1 - alpha) * (1 - beta) * matrix[1, 1]
    )


def payoffs_along(payoffs, points):
    return np.stack([payoff(m, points[..., 0], points[..., 1]) for m in payoffs], axis=-1)


def zero_sum_round(p, q, scale):
    """A zero-sum game in which strategies circle round the equilibrium (p, q)."""
    matrix = scale * np.array([[(1 - p) * (1 - q), -(1 - p) * q], [-p * (1 - q), p * q]])
    return np.stack([matrix, -matrix])


@given(seed_numbers, unit, unit)
def test_the_gradient_is_that_of_the_expected_payoff(seed, alpha, beta):
    payoffs = np.random.default_rng(seed).normal(size=(2, 2, 2))
    expected = [
        payoff(payoffs[0], 1, beta) - payoff(payoffs[0], 0, beta),  # the payoff is linear in α
        payoff(payoffs[1], alpha, 1) - payoff(payoffs[1], alpha, 0),
    ]
    assert payoff_gradient(payoffs, alpha, beta) == pytest.approx(expected, abs=1e-12)


@given(seed_numbers, unit, unit, unit, unit)
def test_winning_is_earning_more_than_the_equilibrium_strategy_would(seed, a, b, p, q):
    payoffs = np.random.default_rng(seed).normal(size=(2, 2, 2))
    more = np.array(
        [
            payoff(payoffs[0], a, b) - payoff(payoffs[0], p, b),
            payoff(payoffs[1], a, b) - payoff(payoffs[1], a, q),
        ]
    )
    winning = is_winning(payoffs, np.array([a, b]), np.array([p, q]))
    assert (winning == (more > 0))[np.abs(more) > 1e-12].all()


@given(seed_numbers, unit, unit, st.floats(1e-3, 2.0))
def test_euler_steps_by_plain_arithmetic(seed, alpha, beta, step):
    payoffs = np.random.default_rng(seed).normal(size=(2, 2, 2))
    r, c = payoffs
    for got in gradient_ascent(matrix_game(payoffs), [alpha, beta], step, 5):
        assert got == pytest.approx([alpha, beta], abs=1e-9)
        up = step * (beta * (r[0, 0] - r[1, 0]) + (1 - beta) * (r[0, 1] - r[1, 1]))
        right = step * (alpha * (c[0, 0] - c[0, 1]) + (1 - alpha) * (c[1, 0] - c[1, 1]))
        alpha, beta = min(max(alpha + up, 0), 1), min(max(beta + right, 0), 1)


@given(seed_numbers, unit, unit, st.floats(0.1, 2), st.floats(0.1, 2))
def test_the_flow_solves_the_differential_equations(seed, alpha, beta, one, other):
    payoffs = np.random.default_rng(seed).normal(size=(2, 2, 2))
    rates = np.array([one, other]) / 2
    right = lambda t, z: rates * payoff_gradient(payoffs, z[0], z[1])  # noqa: E731
    end = solve_ivp(right, (0, 2), [alpha, beta], "DOP853", rtol=1e-11, atol=1e-12).y[:, -1]
    flow = exact_flow(payoffs, np.array([one, other]))
    assert flow @ [alpha, beta, 1] == pytest.approx([*end, 1], rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("n_steps", [3, 10, 1000])
def test_infinitesimal_steps_in_matching_pennies_are_a_circle(n_steps):
    """The angle grows by 4 per unit of time, so the period is π/2, whatever the step."""
    points = gradient_ascent(PENNIES, [0.5, 0.8], np.pi / 2 / n_steps, n_steps, "exact")
    angle = 4 * np.pi / 2 / n_steps * np.arange(n_steps + 1)
    circle = 0.5 + 0.3 * np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    assert np.abs(points - circle).max() < 1e-10
    assert np.abs(points[-1] - points[0]).max() < 1e-10


@pytest.mark.parametrize("step", [0.005, 0.02, 0.1])
def test_euler_spirals_out_and_stays_out(step):
    """Each step multiplies the radius by √(1 + 16 κ²); whoever was at the border never comes nearer than it again."""
    points = gradient_ascent(PENNIES, [0.5, 0.6], step, round(1 / step**2))
    radius = np.hypot(*(points - CENTRE).T)
    first = int(np.flatnonzero((points <= 0).any(axis=1) | (points >= 1).any(axis=1))[0])
    inside = 0.1 * np.sqrt(1 + 16 * step**2) ** np.arange(first)
    assert radius[:first] == pytest.approx(inside, rel=1e-9)
    assert 2 * first < len(points) and (radius[first:] > 0.5 - 1e-12).all()
    late = points[len(points) - round(4 / step) :]  # two and a half turns
    assert (late.min(axis=0) == 0).all() and (late.max(axis=0) == 1).all()
    assert np.ptp(late, axis=0).min() == 1


@settings(max_examples=15)
@given(seed_numbers, unit, unit)
def test_small_steps_approach_the_limit(seed, alpha, beta):
    payoffs = np.random.default_rng(seed).uniform(-1, 1, size=(2, 2, 2))
    euler = gradient_ascent(payoffs, [alpha, beta], 1e-4, 10_000)[::100]
    exact = gradient_ascent(payoffs, [alpha, beta], 1e-2, 100, "exact")
    assert np.abs(euler - exact).max() < 0.02


@settings(max_examples=15)
@given(st.floats(0.2, 0.8), st.floats(0.2, 0.8), st.floats(1, 4), seed_numbers)
def test_average_payoffs_approach_the_equilibrium_where_strategies_do_not(p, q, scale, seed):
    """Singh, Kearns & Mansour 2000, in games whose orbits are ellipses, some cut by the border."""
    payoffs = zero_sum_round(p, q, scale)
    start = np.random.default_rng(seed).uniform(size=2)
    points = gradient_ascent(payoffs, start, 0.02, 10_000, "exact")
    average = payoffs_along(payoffs, points).mean(axis=0)
    assert average == pytest.approx([0.0, 0.0], abs=0.01)
    assert np.abs(points.mean(axis=0) - [p, q]).max() < 0.02
    far = np.abs(start - [p, q]).max()
    assert np.ptp(points[-5_000:], axis=0).max() > 0.5 * min(far, 0.2)


@pytest.mark.parametrize("method", ["euler", "exact"])
@pytest.mark.parametrize("start", [[0.9, 0.2], [0.02, 0.02], [0.5, 0.5]])
def test_a_dominant_action_is_learned(method, start):
    dilemma = np.array([[[-1, -5], [0, -3]], [[-1, 0], [-5, -3]]])
    points = gradient_ascent(dilemma, start, 0.01, 400, method)
    assert points[-1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("method", ["euler", "exact"])
@pytest.mark.parametrize(("lose", "win"), [(1.0, 0.5), (2.0, 0.2)])
def test_wolf_shrinks_the_radius_by_a_known_factor_each_quarter(method, lose, win):
    """In each quadrant one agent is winning, the other not. The arc is that of an ellipse with axes √win : √lose."""
    step = 1e-4
    three_quarters = 3 / 4 * 2 * np.pi / (4 * np.sqrt(win * lose))
    n_steps = round(1.1 * three_quarters / step)
    points = gradient_ascent(PENNIES, [0.5, 0.9], step, n_steps, method, win, lose, CENTRE)
    x, y = (points[1:] - CENTRE).T  # from (0, 0.4) to (+, 0), (0, -) and (-, 0)
    y_ends = np.flatnonzero((y[:-1] > 0) != (y[1:] > 0))
    x_ends = np.flatnonzero((x[:-1] > 0) != (x[1:] > 0))
    assert len(y_ends) == 2 and len(x_ends) == 1
    distances = [x[y_ends[0]], -y[x_ends[0]], -x[y_ends[1]]]
    assert distances == pytest.approx(0.4 * np.sqrt(win / lose) ** np.arange(1, 4), rel=1e-2)


@settings(max_examples=8)
@given(st.floats(0.2, 0.8), st.floats(0.2, 0.8), unit, unit)
def test_wolf_converges_where_equal_rates_do_not(p, q, alpha, beta):
    """Bowling & Veloso 2002, in games with one mixed equilibrium."""
    payoffs, start = zero_sum_round(p, q, 4.0), np.array([alpha, beta])
    wolf = gradient_ascent(payoffs, start, 1e-3, 8_000, "exact", 0.5, 2.0, [p, q])
    same = gradient_ascent(payoffs, start, 1e-3, 8_000, "exact")
    assert np.abs(wolf[-1] - [p, q]).max() < 0.01
    if np.abs(start - [p, q]).max() > 0.1:
        assert np.abs(same[-2_000:] - [p, q]).max() > 0.05


@pytest.mark.parametrize("method", ["euler", "exact"])
@pytest.mark.parametrize("rates", [(1.0, 1.0), (0.5, 2.0)])
def test_many_starts_go_their_own_ways(method, rates):
    starts = np.random.default_rng(0).uniform(size=(3, 4, 2))
    points = gradient_ascent(PENNIES, starts, 0.05, 40, method, *rates, equilibrium=CENTRE)
    assert points.shape == (41, 3, 4, 2) and np.array_equal(points[0], starts)
    for i in np.ndindex(3, 4):
        alone = gradient_ascent(PENNIES, starts[i], 0.05, 40, method, *rates, equilibrium=CENTRE)
        assert np.allclose(points[(slice(None), *i)], alone, atol=1e-13)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((np.zeros((3, 2, 2, 2)), CENTRE, 0.1, 5), "game: has 3 agents"),
        ((np.zeros((2, 2, 3)), CENTRE, 0.1, 5), r"game: has \(2, 3\) actions"),
        ((random_game(np.random.default_rng(0)), CENTRE, 0.1, 5), "game: has 3 states"),
        ((PENNIES, 0.5, 0.1, 5), "points: expected"),
        ((PENNIES, [0.5, 0.5, 0.5], 0.1, 5), "points: expected"),
        ((PENNIES, [0.5, 1.5], 0.1, 5), "points: every coordinate"),
        ((PENNIES, [0.5, np.nan], 0.1, 5), r"points\[1\] is nan"),
        ((PENNIES, CENTRE, 0.0, 5), "step_size is 0"),
        ((PENNIES, CENTRE, "small", 5), "step_size: expected a number"),
        ((PENNIES, CENTRE, 3.0, 5, "exact"), "step_size is 3.0; .* up to 2"),
        ((1e9 * PENNIES, CENTRE, 1.0, 5), "step_size is 1.0; .* up to 0.001"),
        ((PENNIES, CENTRE, 0.1, 0), "n_steps is 0"),
        ((PENNIES, CENTRE, 0.1, 5.0), "n_steps"),
        ((PENNIES, CENTRE, 0.1, 5, "heun"), "method is 'heun'"),
        ((PENNIES, CENTRE, 0.1, 5, "euler", -1.0), "win_rate is -1"),
        ((PENNIES, CENTRE, 0.1, 5, "euler", 1.0, True), "lose_rate: expected"),
        ((PENNIES, CENTRE, 0.1, 5, "euler", 1.0, 2.0), "equilibrium: needed"),
        ((PENNIES, CENTRE, 0.1, 5, "euler", 1.0, 2.0, [0.5]), "equilibrium: expected"),
        ((PENNIES, CENTRE, 0.1, 5, "euler", 1.0, 2.0, [0.5, -0.1]), "equilibrium: every"),
    ],
)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        gradient_ascent(*arguments)
