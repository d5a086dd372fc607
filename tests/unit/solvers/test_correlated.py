"""Correlated equilibria against their constraints in plain loops, and against all corners of small polytopes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers

from marl_lessons.envs.games.catalogue import CATALOGUE
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.solvers.matrix_games import (
    correlated_equilibrium,
    deviation_gains,
    is_correlated_equilibrium,
    nash_equilibria,
)

shapes = st.sampled_from([(1, 1), (1, 3), (2, 2), (2, 3), (3, 3), (4, 2), (2, 2, 2), (2, 3, 2)])
kinds = st.sampled_from(["generic", "tied"])
CHICKEN = CATALOGUE["chicken"].game.reward[:, 0]


def draw(seed: int, shape: tuple[int, ...], kind: str = "generic") -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = (len(shape), *shape)
    return rng.normal(size=size) if kind == "generic" else rng.integers(-1, 3, size=size) * 1.0


def gain(payoffs: np.ndarray, agent: int, p: np.ndarray, told: int | None, play: int) -> float:
    """What ``agent`` gains on average if it plays ``play`` whenever it is told ``told`` (None: whatever it is told)."""
    total = 0.0
    for joint in np.ndindex(p.shape):
        if told is None or joint[agent] == told:
            other = (*joint[:agent], play, *joint[agent + 1 :])
            total += p[joint] * (payoffs[(agent, *other)] - payoffs[(agent, *joint)])
    return total


def largest_gain(payoffs: np.ndarray, p: np.ndarray, coarse: bool) -> float:
    """The largest gain of any agent by any way to deviate."""
    return max(
        gain(payoffs, i, p, told, play)
        for i, count in enumerate(p.shape)
        for told in ([None] if coarse else range(count))
        for play in range(count)
    )


def corners(payoffs: np.ndarray, coarse: bool) -> np.ndarray:
    """All corners ``[K, 4]`` of the polytope of (coarse) correlated equilibria of a game with two actions each: wherever
    three of its inequalities hold with equality."""
    rows = [np.eye(4)[k] for k in range(4)]
    for agent in range(2):
        for told, play in [(None, 0), (None, 1)] if coarse else [(0, 1), (1, 0)]:
            rows.append(
                [-gain(payoffs, agent, e.reshape(2, 2), told, play) for e in np.eye(4)]
            )  # ≥ 0
    rows = np.array(rows)
    found = []
    for chosen in itertools.combinations(range(len(rows)), 3):
        system = np.vstack([rows[list(chosen)], np.ones(4)])
        if abs(np.linalg.det(system)) > 1e-10:
            p = np.linalg.solve(system, [0, 0, 0, 1])
            if (rows @ p).min() > -1e-9:
                found.append(p)
    return np.array(found)


@given(seed_numbers, shapes)
def test_deviation_gains_in_plain_loops(seed, shape):
    payoffs = draw(seed, shape)
    for agent, count in enumerate(shape):
        correlated, coarse = deviation_gains(payoffs, agent), deviation_gains(payoffs, agent, True)
        assert correlated.shape == (count**2, *shape) and coarse.shape == (count, *shape)
        for joint in np.ndindex(shape):
            here = np.zeros(shape)
            here[joint] = 1.0
            for play in range(count):
                expected = gain(payoffs, agent, here, None, play)
                assert coarse[(play, *joint)] == pytest.approx(expected, abs=1e-12)
                for told in range(count):
                    expected = gain(payoffs, agent, here, told, play)
                    way = told * count + play
                    assert correlated[(way, *joint)] == pytest.approx(expected, abs=1e-12)


@given(seed_numbers, shapes, kinds, st.booleans())
def test_nobody_wants_to_disobey(seed, shape, kind, coarse):
    payoffs = draw(seed, shape, kind)
    worth = draw(seed + 1, shape)[0]
    for objective in ("welfare", "fairness", worth, -worth):
        p, earned = correlated_equilibrium(payoffs, objective, coarse)
        assert p.shape == shape and p.min() >= 0 and abs(p.sum() - 1) < 1e-12
        assert largest_gain(payoffs, p, coarse) < 1e-9
        assert is_correlated_equilibrium(payoffs, p, coarse)
        assert is_correlated_equilibrium(payoffs, p, coarse=True)  # coarse is weaker
        assert np.allclose(earned, [(p * mine).sum() for mine in payoffs], atol=1e-12)


@given(seed_numbers, shapes.filter(lambda shape: len(shape) == 2), kinds)
def test_every_nash_equilibrium_is_a_correlated_one(seed, shape, kind):
    payoffs = draw(seed, shape, kind)
    best = correlated_equilibrium(payoffs).payoffs.sum()
    fairest = correlated_equilibrium(payoffs, "fairness").payoffs.min()
    worst = correlated_equilibrium(payoffs, -payoffs.sum(axis=0)).payoffs.sum()
    for (x, y), earned in nash_equilibria(payoffs).equilibria:
        for coarse in (False, True):
            assert is_correlated_equilibrium(payoffs, np.outer(x, y), coarse)
        assert worst - 1e-9 <= earned.sum() <= best + 1e-9
        assert fairest >= earned.min() - 1e-9


@given(seed_numbers, kinds, st.booleans())
def test_the_best_of_all_corners(seed, kind, coarse):
    payoffs, worth = draw(seed, (2, 2), kind), draw(seed + 1, (2, 2))[0]
    all_corners = corners(payoffs, coarse)
    for objective, table in (("welfare", payoffs.sum(axis=0)), (worth, worth), (-worth, -worth)):
        found = correlated_equilibrium(payoffs, objective, coarse).distribution
        assert (found * table).sum() == pytest.approx((all_corners @ table.ravel()).max(), abs=1e-8)


@given(seed_numbers, kinds, st.booleans())
def test_the_fairest_lies_between_two_corners(seed, kind, coarse):
    payoffs = draw(seed, (2, 2), kind)
    earned = corners(payoffs, coarse) @ payoffs.reshape(2, 4).T
    best = earned.min(axis=1).max()
    for a, b in itertools.combinations(earned, 2):
        ahead, behind = a[0] - a[1], b[0] - b[1]
        if ahead * behind < 0:  # where both earn the same between a and b
            share = behind / (behind - ahead)
            best = max(best, share * a[0] + (1 - share) * b[0])
    found = correlated_equilibrium(payoffs, "fairness", coarse)
    assert found.payoffs.min() == pytest.approx(best, abs=1e-8)


@given(seed_numbers, st.sampled_from([(2, 2, 2), (2, 3, 2), (3, 3)]), st.booleans())
def test_fairness_by_duality(seed, shape, coarse):
    """The fairest equilibrium earns its poorest agent no more than the best weighted mean does, whatever the weights."""
    payoffs = draw(seed, shape)
    fairest = correlated_equilibrium(payoffs, "fairness", coarse).payoffs.min()
    weights = [*np.eye(len(shape)), *np.random.default_rng(seed).dirichlet(np.ones(len(shape)), 5)]
    for weight in weights:
        mean = np.tensordot(weight, payoffs, axes=1)
        p, earned = correlated_equilibrium(payoffs, mean, coarse)
        assert earned.min() - 1e-9 <= fairest <= (p * mean).sum() + 1e-9


def test_coarse_can_be_strictly_better():
    """Two who always show the same of rock, paper and scissors: no fixed action beats that, but every word told does."""
    game = CATALOGUE["rock-paper-scissors"].game
    same = np.eye(3) / 3
    assert largest_gain(game.reward[:, 0], same, coarse=True) < 1e-12
    assert is_correlated_equilibrium(game, same, coarse=True)
    assert not is_correlated_equilibrium(game, same)
    draws = correlated_equilibrium(game, np.eye(3), coarse=True).distribution
    assert np.trace(draws) == pytest.approx(1)
    # Correlated equilibria of a zero-sum game consist of optimal strategies: here, of one alone.
    draws = correlated_equilibrium(game, np.eye(3)).distribution
    assert draws == pytest.approx(np.full((3, 3), 1 / 9), abs=1e-9)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e10])
@pytest.mark.parametrize("coarse", [False, True])
def test_the_scale_of_payoffs_does_not_matter(scale, coarse):
    for seed in range(5):
        payoffs = draw(seed, (3, 3))
        for objective in ("welfare", "fairness"):
            expected = correlated_equilibrium(payoffs, objective, coarse)
            found = correlated_equilibrium(scale * payoffs, objective, coarse)
            assert found.distribution == pytest.approx(expected.distribution, abs=1e-7)
            assert largest_gain(scale * payoffs, found.distribution, coarse) < 1e-9 * scale
    for factor in (1e-9, 1e9):
        worth = draw(9, (3, 3))[0]
        expected = correlated_equilibrium(payoffs, worth, coarse).distribution
        found = correlated_equilibrium(payoffs, factor * worth + 5, coarse).distribution
        assert found == pytest.approx(expected, abs=1e-6)


def test_agents_may_count_in_different_units():
    payoffs = np.stack([1e-9 * CHICKEN[0], 1e6 * CHICKEN[1]])
    worth = CHICKEN.sum(axis=0)
    expected = np.array([[0, 0.25], [0.25, 0.5]])
    assert correlated_equilibrium(payoffs, worth).distribution == pytest.approx(expected, abs=1e-9)


def test_the_tolerance():
    leave = np.array([[0, 0], [0, 1.0]])  # each gains 1 by staying
    assert not is_correlated_equilibrium(CHICKEN, leave, tolerance=0.999)
    assert is_correlated_equilibrium(CHICKEN, leave, tolerance=1.001)
    assert is_correlated_equilibrium(matrix_game(CHICKEN), [[0, 1], [0, 0]], tolerance=0)


HALF = [[0.5, 0], [0, 0.5]]
NO_DISTRIBUTIONS = (None, 5, [0.25] * 4, *([row, [0, 0]] for row in ([0.5, 0.6], [1.5, -0.5], [np.nan, 1])))  # fmt: skip


@pytest.mark.parametrize(
    ("use", "named"),
    [
        *((lambda g=g: correlated_equilibrium(g), "game") for g in (None, 5, [[1, 2], [3, 4]], [[[np.nan]], [[1]]])),
        *((lambda o=o: correlated_equilibrium(CHICKEN, o), "objective") for o in ("best", None, 5, [1, 2], [[1, np.nan], [1, 1]])),
        *((lambda c=c: correlated_equilibrium(CHICKEN, coarse=c), "coarse") for c in (None, "no", 1)),
        (lambda: is_correlated_equilibrium(None, HALF), "game"),
        (lambda: is_correlated_equilibrium(CHICKEN, HALF, 1), "coarse"),
        *((lambda d=d: is_correlated_equilibrium(CHICKEN, d), "distribution") for d in NO_DISTRIBUTIONS),
        *((lambda t=t: is_correlated_equilibrium(CHICKEN, HALF, tolerance=t), "tolerance") for t in (-1e-9, None, np.nan)),
    ],
)  # fmt: skip
def test_refused_by_name(use, named):
    with pytest.raises(ValueError, match=rf"^{named}\b"):
        use()


@pytest.mark.parametrize("large", [1e3, 1e10, 1e14])
def test_a_large_payoff_hides_no_small_difference(large):
    """A crash costs a fortune: the fairest light gives way by turns, and nobody gains by 1 through disobeying it."""
    crossing = np.array([[[-large, 2], [0, -1]], [[-large, 0], [2, -1]]])
    p, earned = correlated_equilibrium(crossing, "fairness")
    assert p.tolist() == [[0, 0.5], [0.5, 0]] and earned.tolist() == [1, 1]
    p, earned = correlated_equilibrium(
        crossing, -crossing.sum(axis=0)
    )  # the worst: the mixed equilibrium
    go = 3 / (3 + large)
    mixed = np.outer([go, 1 - go], [go, 1 - go])
    assert (
        is_correlated_equilibrium(crossing, p)
        and earned.sum() <= (mixed * crossing.sum(axis=0)).sum()
    )


def test_payoffs_that_nearly_tie():
    rng = np.random.default_rng(0)
    for _ in range(20):
        shape = (2, *rng.integers(2, 5, size=2))
        payoffs = rng.integers(-3, 4, size=shape) + 1e-8 * rng.normal(size=shape)
        for objective in ("welfare", "fairness"):
            found = correlated_equilibrium(payoffs, objective)
            assert is_correlated_equilibrium(payoffs, found.distribution, tolerance=1e-12)
