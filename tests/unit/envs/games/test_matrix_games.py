"""Matrix games and what strategies earn in them, against sums written out in plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers

from marl_lessons.envs import CATALOGUE, MarkovGame, two_cars
from marl_lessons.envs.games.matrix_games import (
    cancels,
    check_agent,
    check_strategies,
    matrix_game,
    payoffs_of,
)
from marl_lessons.solvers.matrix_games import expected_payoffs

shapes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
PENNIES = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])


def earned(payoffs: np.ndarray, agent: int, strategies: list) -> float:
    """The expected payoff of ``agent``, one joint action after the other."""
    total = 0.0
    for joint in itertools.product(*(range(count) for count in payoffs.shape[1:])):
        chance = 1.0
        for i, action in enumerate(joint):
            chance *= strategies[i][action]
        total += chance * payoffs[(agent, *joint)]
    return total


def draw(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Payoffs and one strategy per agent."""
    rng = np.random.default_rng(seed)
    strategies = [rng.dirichlet(np.full(count, 0.7)) for count in shape]
    return rng.normal(size=(len(shape), *shape)), strategies


@given(seed_numbers, shapes)
def test_a_matrix_game_is_a_markov_game_with_one_state(seed, shape):
    payoffs, _ = draw(seed, shape)
    game = matrix_game(payoffs, name="a name")
    assert isinstance(game, MarkovGame) and game.is_matrix_game and game.name == "a name"
    assert game.n_actions == shape and game.n_agents == len(shape) and game.discount == 0
    assert (game.transition == 1).all() and not game.terminal.any()
    for joint in np.ndindex(shape):
        assert (game.reward[(slice(None), 0, *joint)] == payoffs[(slice(None), *joint)]).all()
    assert np.array_equal(payoffs_of(game), payoffs)
    assert np.array_equal(payoffs_of(payoffs.tolist()), payoffs)
    assert np.array_equal(matrix_game(game).reward, game.reward)


def test_the_names_of_actions():
    game = matrix_game(np.zeros((2, 1, 2)), [["a"], ("b", "c")])
    assert game.action_names == (("a",), ("b", "c"))
    assert matrix_game(np.zeros((2, 1, 2))).action_names == (("0",), ("0", "1"))


@given(seed_numbers, shapes)
def test_expected_payoffs(seed, shape):
    payoffs, strategies = draw(seed, shape)
    expected = [earned(payoffs, i, strategies) for i in range(len(shape))]
    assert np.allclose(expected_payoffs(payoffs, strategies), expected, atol=1e-12)
    assert np.allclose(expected_payoffs(matrix_game(payoffs), strategies), expected, atol=1e-12)


def test_rewards_that_cancel():
    assert cancels(PENNIES) and not cancels(-np.abs(PENNIES))
    assert not cancels(PENNIES[:1]) and not cancels(np.zeros((1, 3)))
    assert not cancels(np.zeros((3, 2, 2, 2)))
    assert cancels(np.array([[0.1 + 0.2], [-0.3]])) and not cancels(np.array([[0.3], [-0.3001]]))
    assert cancels(1e9 * np.array([[0.1 + 0.2], [-0.3]]))
    assert cancels(1e-12 * PENNIES) and not cancels(1e-12 * (PENNIES + 1))


NO_PAYOFFS = [
    None, "ab", 5, True, {}, [1, 2], [[1, 2], [3, 4]], np.array(5.0), np.zeros((2, 2, 0)), np.zeros((3, 2, 2)),
    np.zeros((1, 2, 2)), np.zeros(3), [[[1, 2]], [[1, np.nan]]], [[[1, 2]], [[1, -np.inf]]], [[[1, 2]], [[1]]],
    [[["a"]], [["b"]]], [[[1j]], [[1]]], [[[1e200]], [[1]]], [[[1]], [[-1e200]]], two_cars(1),
]  # fmt: skip


@pytest.mark.parametrize("value", NO_PAYOFFS)
def test_what_is_no_matrix_game(value):
    for name in ("game", "payoffs"):
        with pytest.raises(ValueError, match=rf"^{name}\b"):
            payoffs_of(value, name=name)
    with pytest.raises(ValueError, match=r"^payoffs\b"):
        matrix_game(value)
    with pytest.raises(ValueError, match=r"^game\b"):
        expected_payoffs(value, [[0.5, 0.5]] * 2)


def test_games_of_another_kind_than_asked_for():
    with pytest.raises(ValueError, match=r"^game: has 3 agents; allowed are 2"):
        payoffs_of(np.zeros((3, 2, 2, 2)), 2)
    with pytest.raises(ValueError, match=r"^game: has 1 agents; allowed are 2"):
        payoffs_of([[1, 2]], 2)
    with pytest.raises(ValueError, match=r"^game: .* got a KnownGame; use its .game"):
        payoffs_of(CATALOGUE["climbing"])


@pytest.mark.parametrize(
    "names", [5, True, "ab", [["a", "b"]], [["a"], ["b"]], [["a", "b"], "cd"], [None, 3]]
)
def test_wrong_names(names):
    with pytest.raises(ValueError, match="action_names"):
        matrix_game(PENNIES, names)


@pytest.mark.parametrize("agent", [-1, 2, 0.0, "a", None, True, [0], np.nan])
def test_wrong_agents(agent):
    with pytest.raises(ValueError, match=r"^agent\b"):
        check_agent(PENNIES, agent)


def test_agents_are_numbered_from_0():
    assert check_agent(PENNIES, 0) == 0 and check_agent(PENNIES, np.int64(1)) == 1
    assert check_agent(np.zeros((3, 1, 1, 1)), 2) == 2


HALF = [0.5, 0.5]


@pytest.mark.parametrize(
    "strategies",
    [
        None, "ab", 5, True, np.array(5), {}, {0: HALF, 1: HALF}, [HALF], [HALF] * 3, [HALF, None], [HALF, "ab"],
        [HALF, [0.5, 0.6]], [HALF, [0.5, np.nan]], [HALF, [1.5, -0.5]], [HALF, [0.5, 0.5, 0.0]], [HALF, [[1, 0], [1]]],
        [HALF, [[0.5, 0.5]]], [1.0, 0.0],
    ],
)  # fmt: skip
def test_wrong_strategies(strategies):
    with pytest.raises(ValueError, match=r"^strategies\b"):
        check_strategies((2, 2), strategies)
    with pytest.raises(ValueError, match=r"^strategies\b"):
        expected_payoffs(PENNIES, strategies)
    with pytest.raises(ValueError, match=r"^others\b"):
        check_strategies((2, 2), strategies, name="others")


def test_strategies_may_be_lists_or_arrays_and_one_may_be_skipped():
    for given_as in ([HALF, HALF], (HALF, np.array(HALF)), np.array([HALF, HALF])):
        checked = check_strategies((2, 2), given_as)
        assert all(np.array_equal(one, HALF) for one in checked)
    assert np.array_equal(check_strategies((2, 2), [None, HALF], skip=0)[1], HALF)
    with pytest.raises(ValueError, match=r"^strategies\[1\]"):
        check_strategies((2, 2), [None, None], skip=0)
