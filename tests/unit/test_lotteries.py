"""Matrix games with drawn payoffs: their expectations, their draws, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from random_games import seed_numbers

from marl_lessons.envs.games.catalogue import CATALOGUE, lottery_game, stochastic_climbing
from marl_lessons.envs.stepping import Worlds
from marl_lessons.solvers.matrix_games import nash_equilibria


@given(seed_numbers)
def test_the_arrays_of_a_lottery(seed):
    rng = np.random.default_rng(seed)
    actions = tuple(rng.integers(1, 4, size=rng.integers(1, 4)).tolist())
    n, n_draws = len(actions), int(rng.integers(1, 5))
    payoffs = rng.normal(size=(n_draws, n, *actions))
    chances = rng.dirichlet(np.ones(n_draws))
    game = lottery_game(payoffs, chances)
    assert (game.n_agents, game.n_states, game.n_actions) == (n, 1 + n_draws, actions)
    assert game.discount == 0 and game.terminal.tolist() == [False] + [True] * n_draws
    assert game.initial.tolist() == [1.0] + [0.0] * n_draws
    for joint in np.ndindex(actions):
        assert game.transition[(0, *joint)] == pytest.approx(np.array([0.0, *chances]))
        for i in range(n):
            expected = sum(p * payoffs[(k, i, *joint)] for k, p in enumerate(chances))
            assert game.reward[(i, 0, *joint)] == pytest.approx(expected, abs=1e-12)
            for k in range(n_draws):
                assert game.outcome_reward[(i, 0, *joint, 1 + k)] == payoffs[(k, i, *joint)]


def test_draws_have_their_chances_and_pay_all_agents_together():
    payoffs = np.array([[[[1.0, 2.0]], [[-1.0, -2.0]]], [[[5.0, 6.0]], [[-5.0, -6.0]]]])
    payoffs = np.concatenate([payoffs, [[[[9.0, 9.0]], [[9.0, 9.0]]]]])
    game = lottery_game(payoffs, (0.3, 0.7, 0.0))
    rng, n_worlds = np.random.default_rng(0), 40_000
    worlds = Worlds(game, n_worlds)
    worlds.reset(rng)
    column = rng.integers(2, size=n_worlds)
    step = worlds.step(np.column_stack([np.zeros(n_worlds, int), column]), rng)
    assert step.terminated.all() and set(step.states) == {1, 2}
    for k, chance in ((0, 0.3), (1, 0.7)):
        drawn = step.states == 1 + k
        assert abs(drawn.mean() - chance) < 4 * np.sqrt(0.21 / n_worlds)
        assert abs(drawn[column == 1].mean() - chance) < 4 * np.sqrt(0.21 / (column == 1).sum())
        assert np.array_equal(step.rewards[drawn, 0], payoffs[k, 0, 0, column[drawn]])
        assert np.array_equal(step.rewards[drawn, 1], payoffs[k, 1, 0, column[drawn]])


def test_stochastic_climbing():
    game, climbing = stochastic_climbing(), CATALOGUE["climbing"].game
    assert np.array_equal(game.reward[:, 0], climbing.reward[:, 0])
    assert game.name == "stochastic climbing" and game.action_names == (("A", "B", "C"),) * 2
    assert game.state_names == ("choose", "draw 0", "draw 1") and game.n_states == 3
    drawn = game.outcome_reward[:, 0, :, :, 1:]
    assert np.array_equal(drawn[0], drawn[1])
    assert drawn[0, 1, 1].tolist() == [14.0, 0.0]
    differs = drawn[0, :, :, 0] != drawn[0, :, :, 1]
    assert np.argwhere(differs).tolist() == [[1, 1]]
    assert game.transition[0, 1, 1].tolist() == [0.0, 0.5, 0.5]
    # The other cells are those printed for climbing, whatever is drawn.
    assert drawn[0, 0].tolist() == [[11, 11], [-30, -30], [0, 0]]
    assert drawn[0, 2].tolist() == [[0, 0], [6, 6], [5, 5]]
    best = nash_equilibria(game.reward[:, 0]).equilibria
    assert max(e.payoffs[0] for e in best) == pytest.approx(11)


GOOD = np.zeros((2, 2, 2, 3))
NAN = GOOD * np.nan


@pytest.mark.parametrize(
    "payoffs",
    [
        None,
        "payoffs",
        3.0,
        [],
        [[]],
        [1.0, 2.0],
        [[1.0, 2.0]],
        np.zeros((0, 2, 2, 3)),
        np.zeros((2, 2, 0, 3)),
        np.zeros((2, 2, 3)),
        np.zeros((2, 3, 2, 3)),
        np.zeros((2, 1, 2, 3)),
        NAN,
        GOOD + np.inf,
        GOOD + 1e101,
        GOOD + 1j,
        GOOD.astype(object),
        [np.zeros((2, 2, 3)), np.zeros((2, 3, 2))],
        CATALOGUE["climbing"].game,
    ],
)
def test_wrong_payoffs(payoffs):
    with pytest.raises(ValueError, match=r"^payoffs"):
        lottery_game(payoffs, (0.5, 0.5))


@pytest.mark.parametrize(
    "chances",
    [
        *(None, "x", 0.5, {}, [], [1.0], [0.5, 0.5, 0.0], [0.6, 0.6], [1.5, -0.5], [[0.5, 0.5]]),
        *([np.nan, 1.0], [np.inf, 0], [0.5, None]),
    ],
)
def test_wrong_chances(chances):
    with pytest.raises(ValueError, match=r"^chances"):
        lottery_game(GOOD, chances)


@pytest.mark.parametrize("names", [("A", "B"), (("A", "B"),) * 2, (("A", "B"), ("A",)), "AB", 3])
def test_wrong_names(names):
    with pytest.raises(ValueError, match=r"^action_names"):
        lottery_game(GOOD, (0.5, 0.5), names)
