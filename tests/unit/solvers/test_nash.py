"""Nash equilibria against other ways to find them, and against what a deviation would earn."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers, solve_in_fractions

from marl_lessons.envs.games.catalogue import CATALOGUE, crossing, penalty
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.solvers.markov_games import shapley_iteration
from marl_lessons.solvers.matrix_games import nash_equilibria
from marl_lessons.solvers.zero_sum import maxmin, solve_zero_sum

sizes = st.tuples(st.integers(1, 3), st.integers(1, 4))


def generic(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Payoffs without ties."""
    return np.random.default_rng(seed).normal(size=(2, *shape))


def tied(seed: int, shape: tuple[int, int]) -> np.ndarray:
    """Payoffs -1, 0, 1 and 2: many of them equal."""
    return np.random.default_rng(seed).integers(-1, 3, size=(2, *shape)).astype(float)


def largest_gain(payoffs: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    """The most that either agent gains by one other action, in plain loops."""
    worth = lambda i, x, y: sum(  # noqa: E731
        x[a] * y[b] * payoffs[i, a, b] for a in range(len(x)) for b in range(len(y))
    )
    gains = [worth(0, row, y) - worth(0, x, y) for row in np.eye(len(x))]
    gains += [worth(1, x, column) - worth(1, x, y) for column in np.eye(len(y))]
    return max(gains)


def same(found, expected, tolerance: float = 1e-9) -> bool:
    """Whether two lists of strategy pairs hold the same pairs, each once."""
    left = [np.concatenate(pair) for pair in expected]
    for pair in found:
        distances = [np.abs(np.concatenate(pair) - other).max() for other in left]
        if not distances or min(distances) > tolerance:
            return False
        left.pop(int(np.argmin(distances)))
    return not left


def pairs(result) -> list:
    return [equilibrium.strategies for equilibrium in result.equilibria]


def exact_vertices(answers: np.ndarray) -> list[tuple[list[Fraction], frozenset]]:
    """All vertices but 0 of {x ≥ 0, answers x ≤ 1} with the constraints that hold there, wherever m of them meet."""
    n, m = answers.shape
    lines = [*((row.tolist(), 1) for row in answers), *((row.tolist(), 0) for row in np.eye(m))]
    found = {}
    for chosen in itertools.combinations(lines, m):
        x = solve_in_fractions(*zip(*chosen))
        if x is None or min(x) < 0 or max(x) == 0:
            continue
        slack = [right - sum(Fraction(r) * v for r, v in zip(row, x)) for row, right in lines]
        if min(slack[:n]) >= 0:
            found[tuple(x)] = frozenset(k for k in range(n + m) if slack[k] == 0)
    return [([v / sum(x) for v in x], labels) for x, labels in found.items()]


def in_exact_arithmetic(payoffs: np.ndarray) -> tuple[list, bool]:
    """The extreme equilibria of a game with whole payoffs, and whether some vertex has too many constraints."""
    m, n = payoffs.shape[1:]
    positive = payoffs - payoffs.min() + 1
    rows, columns = exact_vertices(positive[1].T), exact_vertices(positive[0])
    found = []
    for x, x_labels in rows:
        for y, y_labels in columns:
            row_done = all(n + i in x_labels or i in y_labels for i in range(m))
            column_done = all(j in x_labels or m + j in y_labels for j in range(n))
            if row_done and column_done:
                found.append((np.array(x, float), np.array(y, float)))
    return found, any(len(t) > m for _, t in rows) or any(len(t) > n for _, t in columns)


@given(seed_numbers, sizes, st.booleans())
def test_nobody_gains_by_deviating(seed, shape, ties):
    payoffs = (tied if ties else generic)(seed, shape)
    result = nash_equilibria(payoffs)
    assert len(result.equilibria) >= 1
    assert result.degenerate or len(result.equilibria) % 2 == 1
    for (x, y), value in result.equilibria:
        assert x.shape == shape[:1] and y.shape == shape[1:]
        assert min(x.min(), y.min()) >= 0
        assert abs(x.sum() - 1) < 1e-12 and abs(y.sum() - 1) < 1e-12
        assert largest_gain(payoffs, x, y) < 1e-12
        assert np.allclose(value, [x @ payoffs[0] @ y, x @ payoffs[1] @ y], atol=1e-12)
    played = [sum((strategy > 0).sum() for strategy in pair) for pair in pairs(result)]
    assert sorted(count == 2 for count in played)[::-1] == [count == 2 for count in played]


@given(seed_numbers, sizes, st.booleans())
def test_small_games_in_exact_arithmetic(seed, shape, ties):
    payoffs = tied(seed, shape) if ties else np.round(1e6 * generic(seed, shape))
    expected, degenerate = in_exact_arithmetic(payoffs)
    for game in (payoffs, matrix_game(payoffs)):
        result = nash_equilibria(game)
        assert same(pairs(result), expected) and result.degenerate == degenerate


@given(seed_numbers, sizes, st.booleans())
def test_all_equilibria_of_a_zero_sum_game_have_its_value(seed, shape, ties):
    row = (tied if ties else generic)(seed, shape)[0]
    payoffs = np.stack([row, -row])
    value = maxmin(payoffs).value
    assert solve_zero_sum(row).value == pytest.approx(value, abs=1e-9)
    iterated = shapley_iteration(matrix_game(payoffs))
    assert iterated.v[0] == pytest.approx(value, abs=1e-9)
    for equilibrium in nash_equilibria(payoffs).equilibria:
        assert np.allclose(equilibrium.payoffs, [value, -value], atol=1e-9)


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1e6, 1e11])
@pytest.mark.parametrize("ties", [False, True])
def test_small_and_large_payoffs(scale, ties):
    for seed in range(10):
        payoffs = (tied if ties else generic)(seed, (3, 3))
        expected, found = nash_equilibria(payoffs), nash_equilibria(scale * payoffs)
        assert same(pairs(found), pairs(expected)) and found.degenerate == expected.degenerate


@pytest.mark.parametrize("offset", [-1e9, 1e6, 1e9])
def test_payoffs_far_from_0(offset):
    for seed in range(10):
        payoffs = tied(seed, (3, 3))
        expected, found = nash_equilibria(payoffs), nash_equilibria(offset + payoffs)
        assert same(pairs(found), pairs(expected)) and found.degenerate == expected.degenerate


def test_all_payoffs_equal():
    for m, n in itertools.product(range(1, 5), repeat=2):
        result = nash_equilibria(np.full((2, m, n), 3.0))
        corners = [(x, y) for x in np.eye(m) for y in np.eye(n)]
        assert same(pairs(result), corners) and result.degenerate == (m * n > 1)


def test_one_action_each():
    result = nash_equilibria([[[5]], [[-3]]])
    assert len(result.equilibria) == 1 and not result.degenerate
    assert result.equilibria[0].payoffs.tolist() == [5, -3]
    assert [strategy.tolist() for strategy in pairs(result)[0]] == [[1], [1]]


def test_one_agent_without_a_choice():
    payoffs = [[[0, 0, 0, 0, 0]], [[1, 5, 2, 5, 3]]]
    result = nash_equilibria(payoffs)
    assert result.degenerate and same(pairs(result), [([1], e) for e in np.eye(5)[[1, 3]]])
    swapped = nash_equilibria(np.array(payoffs)[::-1].swapaxes(1, 2))
    assert swapped.degenerate and same(pairs(swapped), [(e, [1]) for e in np.eye(5)[[1, 3]]])


def test_a_row_given_twice():
    payoffs = np.array([[[1, -1], [-1, 1], [-1, 1]], [[-1, 1], [1, -1], [1, -1]]], dtype=float)
    result = nash_equilibria(payoffs)
    expected = [([0.5, 0.5, 0.0], [0.5, 0.5]), ([0.5, 0.0, 0.5], [0.5, 0.5])]
    assert result.degenerate and same(pairs(result), expected)


@pytest.mark.parametrize("crash", [-1e3, -1e5, -1e6, -1e8])
def test_a_large_payoff_does_not_hide_small_differences(crash):
    known = crossing(crash)
    result = nash_equilibria(known.game)
    assert not result.degenerate and same(pairs(result), known.equilibria)


@pytest.mark.parametrize("k", [-9.9999, -10.0001, -1e5])
def test_a_game_close_to_a_tie_is_no_tie(k):
    known = penalty(k)
    result = nash_equilibria(known.game)
    assert not result.degenerate and same(pairs(result), known.equilibria)


def test_a_large_payoff_makes_no_false_equilibria():
    row, column = [[0, 1e6], [2, 0], [3, 1], [3, 2]], [[1, 0], [1, 3], [1, 3], [2, 0]]
    result = nash_equilibria([row, column])
    assert same(pairs(result), in_exact_arithmetic(np.array([row, column]))[0])
    assert len(result.equilibria) == 2


@pytest.mark.parametrize("exponent", [4, 6, 9, 15])
@pytest.mark.parametrize("shape", [(2, 3), (3, 3), (4, 2)])
def test_large_payoffs_in_exact_arithmetic(exponent, shape):
    """Small whole payoffs with ties, some of them far larger: no equilibrium is missing, none is too many."""
    rng = np.random.default_rng(exponent)
    for _ in range(20):
        payoffs = rng.integers(-1, 4, size=(2, *shape)).astype(float)
        payoffs *= 10.0 ** (exponent * rng.integers(0, 2, size=payoffs.shape))
        result = nash_equilibria(payoffs)
        expected, degenerate = in_exact_arithmetic(payoffs)
        assert same(pairs(result), expected, 1e-15) and result.degenerate == degenerate


def test_ties_that_rounding_broke_are_ties():
    """0.1 + 0.2 exceeds 0.3 in the computer's arithmetic only; a third of 2 is as much as two thirds."""
    for more, less in ((0.1 + 0.2, 0.3), (0.7 * 3, 2.1), (4 / 3 - 1, 1 / 3)):
        assert more != less
        assert nash_equilibria([[[less, 0], [more, 1]], [[0, 1], [1, 0]]]).degenerate
    thirds = np.array([[[2, 0], [0, 2], [1, 1]], [[1, 0], [0, 1], [0, 0]]]) / 3
    assert same(pairs(nash_equilibria(thirds)), in_exact_arithmetic(3 * thirds)[0])


@pytest.mark.parametrize("difference, tie", [(1e-6, False), (1e-11, False), (1e-15, True)])
def test_what_counts_as_a_tie(difference, tie):
    payoffs = [[[1, 0], [1 - difference, 1]], [[0, 1], [1, 0]]]
    assert nash_equilibria(payoffs).degenerate == tie
    one_choice = [[[0, 0, 0]], [[1, 1 - difference, 0]]]
    assert nash_equilibria(one_choice).degenerate == tie


def test_an_equilibrium_found_at_several_corners_is_reported_once():
    for odd in (1, 3, 341):  # probabilities that end in 5 at the tenth decimal
        rest = 1024 - odd
        payoffs = np.zeros((2, 3, 3))
        payoffs[0, :2, :2], payoffs[1, :2, :2] = np.diag([rest, odd]), np.diag([odd, rest])
        payoffs[:, 2] = payoffs[:, 1]
        payoffs[:, :, 2] = payoffs[:, :, 1]
        found = pairs(nash_equilibria(payoffs))
        assert same(found, in_exact_arithmetic(payoffs)[0]), odd


@pytest.mark.parametrize("game", [
    None, "chicken", 5, [[1, 2], [3, 4]], [[[1, np.nan]], [[1, 2]]], np.zeros((3, 2, 2, 2)), [[1, 2, 3]],
    np.zeros((2, 2, 0)), [[[1e200]], [[0]]],
])  # fmt: skip
def test_what_is_no_game_of_two(game):
    with pytest.raises(ValueError, match=r"^game\b"):
        nash_equilibria(game)


def test_the_order_of_equilibria():
    found = pairs(nash_equilibria(CATALOGUE["stag hunt"].game))
    assert [int((x > 0).sum()) for x, _ in found] == [1, 1, 2]
