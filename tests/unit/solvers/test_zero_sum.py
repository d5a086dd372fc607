"""Zero-sum matrix games: closed forms, exact fractions, certificates, and the ways in which a solver may fail."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, seed_numbers, solve_in_fractions

from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.solvers import zero_sum
from marl_lessons.solvers.zero_sum import guarantees, maxmin, solve_zero_sum

PENNIES = [[1, -1], [-1, 1]]
SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 5))
KINDS = ("normal", "small integers", "repeated rows", "tiny on large", "large", "nearly equal")


def random_payoffs(rng: np.random.Generator, shape: tuple[int, ...], kind: str) -> np.ndarray:
    """Payoffs ``[..., A_1, A_2]`` of one of ``KINDS``; the awkward ones have many ties, or none that are exact."""
    normal, integers = rng.normal(size=shape), rng.integers(-1, 2, size=shape).astype(float)
    if kind == "repeated rows":
        return np.take(normal, rng.integers(0, shape[-2], size=shape[-2]), axis=-2)
    return {
        "normal": normal,
        "small integers": integers,
        "tiny on large": 1e-6 * normal + 1e3,
        "large": 1e6 * integers,
        "nearly equal": integers + 1e-7 * normal,
    }[kind]


def bordered_solution(matrix: list[list[int]]) -> list[Fraction] | None:
    """x_1, …, x_k, v with Σ_a x_a M[a][b] = v for every b and Σ_a x_a = 1, by elimination; None if not unique."""
    k = len(matrix)
    rows = [[*(matrix[a][b] for a in range(k)), -1] for b in range(k)]
    return solve_in_fractions([*rows, [1] * k + [0]], [0] * k + [1])


def exact_value(payoffs: np.ndarray) -> Fraction:
    """The value of a game with integer payoffs, without rounding: some pair of supports solves it (Shapley & Snow 1950)."""
    table = [[Fraction(int(p)) for p in row] for row in payoffs]
    n_rows, n_columns = payoffs.shape
    for k in range(1, min(n_rows, n_columns) + 1):
        for mine in itertools.combinations(range(n_rows), k):
            for theirs in itertools.combinations(range(n_columns), k):
                kernel = [[table[a][b] for b in theirs] for a in mine]
                x, y = bordered_solution(kernel), bordered_solution([list(c) for c in zip(*kernel)])
                if x is None or y is None or min(x[:k] + y[:k]) < 0:
                    continue
                earns = [
                    sum(x[i] * table[a][b] for i, a in enumerate(mine)) for b in range(n_columns)
                ]
                pays = [
                    sum(y[j] * table[a][b] for j, b in enumerate(theirs)) for a in range(n_rows)
                ]
                if min(earns) == max(pays):
                    return min(earns)
    raise AssertionError("no kernel: this contradicts the theorem")


def check_optimal(payoffs: np.ndarray, solved, tolerance: float = 1e-12) -> None:
    """The strategies are distributions and, by plain sums, prove the value to within ``tolerance`` of the spread."""
    payoffs = np.asarray(payoffs, dtype=float)
    spread = payoffs.max(axis=(-1, -2)) - payoffs.min(axis=(-1, -2))
    for strategy in (solved.row, solved.column):
        assert strategy.min() >= 0 and np.allclose(strategy.sum(axis=-1), 1, rtol=0, atol=1e-14)
    allowed = tolerance * spread + 1e-14 * np.abs(payoffs).max(axis=(-1, -2))
    least = np.einsum("...a,...ab->...b", solved.row, payoffs).min(axis=-1)
    most = np.einsum("...ab,...b->...a", payoffs, solved.column).max(axis=-1)
    assert np.all(most - least <= allowed) and np.all(solved.gap <= tolerance * spread)
    assert np.all(np.abs(solved.value - least) <= allowed)


CLOSED_FORMS = {
    "matching pennies": (PENNIES, 0, [0.5, 0.5], [0.5, 0.5]),
    "rock, paper, scissors": (
        [[0, -1, 1], [1, 0, -1], [-1, 1, 0]],
        0,
        [1 / 3] * 3,
        [1 / 3] * 3,
    ),
    # v = (ad - bc) / (a + d - b - c), x = (d - c) / (a + d - b - c)
    "two by two": ([[3, -1], [-2, 4]], 1.0, [0.6, 0.4], [0.5, 0.5]),
    # equal products x_i d_i = v, so v = 1 / Σ 1/d_i
    "diagonal": (np.diag([1, 2, 4]), 4 / 7, [4 / 7, 2 / 7, 1 / 7], [4 / 7, 2 / 7, 1 / 7]),
    "saddle point": ([[4, 1, 3], [2, 0, 5], [0, -3, 9]], 1, [1, 0, 0], [0, 1, 0]),
    "one by one": ([[-7.25]], -7.25, [1], [1]),
    "one row": ([[3, -2, 5]], -2, [1], [0, 1, 0]),
    "one column": ([[3], [-2], [5]], 5, [0, 0, 1], [1]),
}


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6, 1e-90, 1e90])
@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms(name, scale):
    payoffs, value, row, column = CLOSED_FORMS[name]
    solved = solve_zero_sum(scale * np.array(payoffs, dtype=float))
    assert solved.value.shape == solved.gap.shape == ()
    assert np.isclose(solved.value, scale * value, rtol=1e-13, atol=1e-14 * scale)
    assert np.allclose(solved.row, row, atol=1e-13)
    assert np.allclose(solved.column, column, atol=1e-13)
    pair = scale * np.array([payoffs, -np.array(payoffs)], dtype=float)
    mine, theirs = maxmin(pair), maxmin(pair, agent=1)
    assert np.allclose([mine.value, -theirs.value], scale * value, rtol=1e-9, atol=1e-9 * scale)
    assert np.allclose(mine.strategy, row, atol=1e-8)
    assert np.allclose(theirs.strategy, column, atol=1e-8)


@pytest.mark.parametrize("constant", [0.0, 3.0, -1e6])
@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (5, 5)])
def test_where_all_payoffs_are_equal(constant, shape):
    solved = solve_zero_sum(np.full(shape, constant))
    assert solved.value == constant and solved.gap == 0
    check_optimal(np.full(shape, constant), solved)
    assert maxmin(np.array([np.full(shape, constant), np.zeros(shape)])).value == pytest.approx(
        constant
    )


@given(seed_numbers, st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_values_are_those_of_exact_fractions(seed, shape):
    payoffs = np.random.default_rng(seed).integers(-3, 4, size=(4, *shape))
    solved = solve_zero_sum(payoffs)
    expected = [float(exact_value(one)) for one in payoffs]
    assert np.allclose(solved.value, expected, rtol=0, atol=1e-13)
    check_optimal(payoffs, solved)
    for one, value in zip(payoffs, expected):
        assert maxmin([one, -one]).value == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@given(seed=seed_numbers, shape=SHAPES)
def test_strategies_prove_the_value(kind, seed, shape):
    payoffs = random_payoffs(np.random.default_rng(seed), (3, 7, *shape), kind)
    solved = solve_zero_sum(payoffs)
    assert solved.value.shape == (3, 7) and solved.row.shape == (3, 7, shape[0])
    assert solved.column.shape == (3, 7, shape[1]) and solved.gap.shape == (3, 7)
    check_optimal(payoffs, solved)


@pytest.mark.parametrize("kind", ["normal", "small integers", "repeated rows", "large"])
def test_rounding_is_all_that_is_left_in_many_games(kind):
    payoffs = random_payoffs(np.random.default_rng(1), (20_000, 5, 5), kind)
    solved = solve_zero_sum(payoffs)
    spread = payoffs.max(axis=(1, 2)) - payoffs.min(axis=(1, 2))
    assert np.all(solved.gap <= 1e-13 * spread)


@given(seed_numbers)
def test_a_game_is_solved_the_same_alone_and_among_others(seed):
    """To the last digit: the run of one seed must not depend on the seeds beside it."""
    rng = np.random.default_rng(seed)
    payoffs = random_payoffs(rng, (6, 4, 3), "small integers")
    payoffs[:3] += rng.normal(size=(3, 4, 3))
    guess = rng.integers(0, 7, size=(6, 4))
    for together, one_by_one in (
        (solve_zero_sum(payoffs), [solve_zero_sum(one) for one in payoffs]),
        (solve_zero_sum(payoffs, guess), [solve_zero_sum(*one) for one in zip(payoffs, guess)]),
    ):
        for k, alone in enumerate(one_by_one):
            assert all(np.array_equal(mine[k], its) for mine, its in zip(together, alone))


@pytest.mark.parametrize("kind", ["normal", "small integers", "repeated rows"])
@given(seed=seed_numbers, shape=SHAPES)
def test_a_guess_changes_no_value(kind, seed, shape):
    """A good guess, that of other games, and one drawn at random, which may name a variable twice."""
    rng = np.random.default_rng(seed)
    payoffs = random_payoffs(rng, (8, *shape), kind)
    solved = solve_zero_sum(payoffs)
    other = solve_zero_sum(random_payoffs(rng, (8, *shape), kind))
    anything = rng.integers(0, sum(shape), size=(8, shape[0]))
    for guess in (solved.basis, other.basis, anything):
        again = solve_zero_sum(payoffs, guess)
        assert np.allclose(again.value, solved.value, rtol=0, atol=1e-13)
        check_optimal(payoffs, again)


def test_a_good_guess_saves_the_simplex_method(monkeypatch):
    rng = np.random.default_rng(5)
    payoffs = rng.normal(size=(50, 5, 5))
    guess = solve_zero_sum(payoffs).basis
    pivoted, simplex = [], zero_sum._simplex_basis
    monkeypatch.setattr(
        zero_sum, "_simplex_basis", lambda games: pivoted.extend(games) or simplex(games)
    )
    solve_zero_sum(payoffs, guess)
    assert len(pivoted) == 0
    solve_zero_sum(payoffs + 1e-5 * rng.normal(size=payoffs.shape), guess)
    assert len(pivoted) <= 1
    solve_zero_sum(payoffs)
    assert len(pivoted) > 20


def test_a_guess_that_is_nearly_right_is_not_good_enough():
    """Row 1, column 0 falls short of the value by 1e-10 only, which is more than rounding."""
    payoffs, guess = np.array([[1e-10, 5.0], [0.0, 5.0]]), np.array([2, 0])
    assert solve_zero_sum(payoffs - [[0, 0], [-2e-10, 0]], guess).row[1] == 1
    solved = solve_zero_sum(payoffs, guess)
    assert solved.value == 1e-10 and solved.row[0] == 1


def test_the_gap_is_what_the_strategies_leave_open(monkeypatch):
    """With rounding said to be as large as 0.1, a rough guess is accepted, and the gap says how rough it is."""
    monkeypatch.setattr(zero_sum, "ROUNDING", 0.1)
    rng = np.random.default_rng(11)
    payoffs = rng.normal(size=(200, 3, 4)) * 10.0 ** rng.integers(-3, 4, size=(200, 1, 1))
    spread = np.ptp(payoffs, axis=(1, 2))
    noise = 0.05 * spread[:, None, None] * rng.uniform(-1, 1, size=payoffs.shape)
    solved = solve_zero_sum(payoffs, solve_zero_sum(payoffs + noise).basis)
    least, most = guarantees(payoffs, solved.row, solved.column)
    assert np.allclose(solved.gap, most - least, rtol=1e-9, atol=1e-13 * spread)
    assert (solved.gap > 0.001 * spread).sum() > 20


def test_saddle_points_need_no_simplex_method_and_are_played_pure(monkeypatch):
    monkeypatch.setattr(zero_sum, "_simplex_basis", None)
    column = np.linspace(-1, 1, 5)
    solved = solve_zero_sum(column[:, None] - column)  # both play their last action
    assert solved.value == 0 and solved.row[-1] == 1 and solved.column[-1] == 1


def test_fractions_help_where_the_simplex_method_fails(monkeypatch):
    games = np.array([PENNIES, [[3, -1], [-2, 4]]])
    monkeypatch.setattr(zero_sum, "_simplex_basis", lambda p: np.full(p.shape[:2], 2))
    solved = solve_zero_sum(games)
    assert np.allclose(solved.value, [0, 1], rtol=0, atol=1e-15) and np.all(solved.gap < 1e-15)


def test_a_large_penalty_hides_no_small_gain():
    penalty = np.array([[1, 1], [1, 0], [2, 2], [-1e7, 1]])
    safe = maxmin([penalty, -penalty])
    assert safe.strategy.tolist() == [0, 0, 1, 0] and safe.value == 2
    table = np.array([[2, 1, 3], [1, 2, -1e7], [-1e7, 3, 0]])
    mine, theirs = maxmin([table, -table]), maxmin([table, -table], agent=1)
    value = float(exact_value(table))
    assert value == pytest.approx(1.0000004, abs=1e-7)
    assert mine.value == pytest.approx(value, rel=1e-15) and theirs.value == -mine.value
    solved = solve_zero_sum(table)
    least, most = guarantees(table, solved.row, solved.column)
    assert most - least < 1e-8 and abs(solved.value - value) < 1e-8


@pytest.mark.parametrize("exponent", [0, 4, 8, 12, 15])
def test_maxmin_is_exact_whatever_the_range_of_payoffs(exponent):
    rng = np.random.default_rng(exponent)
    for _ in range(30):
        payoffs = rng.integers(-3, 4, size=(2, 3, 3)).astype(float)
        payoffs[:, rng.integers(3), rng.integers(3)] -= 10.0**exponent
        value = float(exact_value(payoffs[0]))
        found = maxmin(payoffs)
        assert found.value == pytest.approx(value, rel=1e-15, abs=1e-300)
        assert (found.strategy @ payoffs[0]).min() >= value - 1e-15 * 10.0**exponent


def test_nearly_equal_games_are_solved_within_the_promise():
    payoffs = np.random.default_rng(2).integers(-1, 2, size=(300, 5, 5)) + 0.0
    payoffs += 1e-10 * np.random.default_rng(3).normal(size=payoffs.shape)
    check_optimal(payoffs, solve_zero_sum(payoffs))


@pytest.mark.parametrize("shape", [(0, 3, 2), (4, 0, 3, 2)])
def test_no_games_at_all(shape):
    solved = solve_zero_sum(np.zeros(shape))
    assert solved.value.shape == shape[:-2] and solved.row.shape == shape[:-1]


@given(seed_numbers, SHAPES)
def test_guarantees_are_plain_minima_and_maxima(seed, shape):
    rng = np.random.default_rng(seed)
    payoffs, row = rng.normal(size=shape), rng.dirichlet(np.ones(shape[0]))
    column = rng.dirichlet(np.ones(shape[1]))
    least = min(sum(row[a] * payoffs[a, b] for a in range(shape[0])) for b in range(shape[1]))
    most = max(sum(column[b] * payoffs[a, b] for b in range(shape[1])) for a in range(shape[0]))
    assert np.allclose(guarantees(payoffs, row, column), [least, most], atol=1e-14)
    assert (
        least <= solve_zero_sum(payoffs).value + 1e-13
        and most >= solve_zero_sum(payoffs).value - 1e-13
    )


@pytest.mark.parametrize("agent", [0, 1, 2])
@given(seed=seed_numbers)
def test_maxmin_against_several(agent, seed):
    """Three agents, general sum: no strategy on a grid guarantees more, and the strategy found guarantees its value."""
    counts = (2, 3, 2)
    payoffs = np.random.default_rng(seed).normal(size=(3, *counts))
    found = maxmin(matrix_game(payoffs), agent)
    assert found.strategy.shape == (counts[agent],) and found.strategy.min() >= 0
    assert found.strategy.sum() == pytest.approx(1, abs=1e-12)

    def worst(strategy) -> float:
        cases = []
        for others in itertools.product(*(range(c) for i, c in enumerate(counts) if i != agent)):
            earned = 0.0
            for action, probability in enumerate(strategy):
                joint = [*others[:agent], action, *others[agent:]]
                earned += probability * payoffs[(agent, *joint)]
            cases.append(earned)
        return min(cases)

    assert worst(found.strategy) == pytest.approx(found.value, abs=1e-12)
    weights = [w for w in itertools.product(range(21), repeat=counts[agent]) if sum(w) == 20]
    best = max(worst(np.array(w) / 20) for w in weights)
    # The worst case changes by no more than the spread times the change of the strategy.
    assert best <= found.value + 1e-9
    assert best >= found.value - 2 * counts[agent] / 20 * np.ptp(payoffs[agent])


def test_what_several_opponents_can_do_together():
    """Action 0 fails against (0, 0) alone, action 1 against (1, 1) alone: 1/2 is safe, and no more against opponents
    who toss one coin between the two; opponents who draw independently concede 3/4."""
    payoffs = np.zeros((3, 2, 2, 2))
    payoffs[0] = [[[0, 1], [1, 1]], [[1, 1], [1, 0]]]
    found = maxmin(payoffs)
    assert found.value == pytest.approx(0.5) and np.allclose(found.strategy, 0.5)
    assert np.max((payoffs[0, :, 0, 0] + payoffs[0, :, 1, 1]) / 2) == found.value
    chances = np.linspace(0, 1, 41)
    conceded = [max(1 - p * q, 1 - (1 - p) * (1 - q)) for p in chances for q in chances]
    assert min(conceded) == pytest.approx(0.75)


@pytest.mark.parametrize(("payoffs", "guess", "named"), [
    ([1.0, 2.0], None, "payoffs"),
    ("pennies", None, "payoffs"),
    ([[1, 2], [3]], None, "payoffs"),
    ([[1, np.nan]], None, "payoffs"),
    ([[1, np.inf]], None, "payoffs"),
    ([[1, 1e101]], None, "payoffs"),
    (np.zeros((3, 0, 2)), None, "payoffs"),
    (np.array([[1 + 2j]]), None, "payoffs"),
    (PENNIES, [0], "guess"),
    (PENNIES, [[0, 1]], "guess"),
    (PENNIES, [0, 4], "guess"),
    (PENNIES, [-1, 0], "guess"),
    (PENNIES, [0.5, 0.5], "guess"),
    (PENNIES, solve_zero_sum(PENNIES), "guess"),
    ([PENNIES, [[-1, 1], [1, -1]]], None, r"payoffs: .* pair \[A, -A\]"),
])  # fmt: skip
def test_bad_input_to_solve_zero_sum(payoffs, guess, named):
    with pytest.raises(ValueError, match=named):
        solve_zero_sum(payoffs, guess)


@pytest.mark.parametrize(("game", "agent", "named"), [
    (PENNIES, 0, "game"),
    ([[[np.nan]], [[0]]], 0, "game"),
    ([[[1e200, 0]], [[0, 0]]], 0, "game"),
    (random_game(np.random.default_rng(0)), 0, "game"),
    (None, 0, "game"),
    ([PENNIES, PENNIES], 2, "agent"),
    ([PENNIES, PENNIES], -1, "agent"),
    ([PENNIES, PENNIES], True, "agent"),
    ([PENNIES, PENNIES], 0.0, "agent"),
])  # fmt: skip
def test_bad_input_to_maxmin(game, agent, named):
    with pytest.raises(ValueError, match=named):
        maxmin(game, agent)
