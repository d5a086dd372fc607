"""The catalogue's games: payoffs as printed, every answer that is known about them, and payoffs drawn by lot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers

from marl_lessons.envs.games.catalogue import (
    CATALOGUE,
    crossing,
    lottery_game,
    penalty,
    speed_check,
    stochastic_climbing,
)
from marl_lessons.solvers.matrix_games import (
    correlated_equilibrium,
    dominated_actions,
    is_correlated_equilibrium,
    nash_equilibria,
    pareto_set,
)

# Row agent's and column agent's payoffs.
PRINTED = {
    "prisoner's dilemma": ([[-1, -5], [0, -3]], [[-1, 0], [-5, -3]]),
    "stag hunt": ([[4, 0], [3, 2]], [[4, 3], [0, 2]]),
    "crossing": ([[-10, 2], [0, -1]], [[-10, 0], [2, -1]]),
    "chicken": ([[0, 7], [2, 6]], [[0, 2], [7, 6]]),
    "battle of the sexes": ([[10, 2], [0, 7]], [[7, 2], [0, 10]]),
    "coordination": ([[10, 0], [0, 10]], [[10, 0], [0, 10]]),
    "matching pennies": ([[1, -1], [-1, 1]], [[-1, 1], [1, -1]]),
    "rock-paper-scissors": (
        [[0, -1, 1], [1, 0, -1], [-1, 1, 0]],
        [[0, 1, -1], [-1, 0, 1], [1, -1, 0]],
    ),
    "climbing": ([[11, -30, 0], [-30, 7, 0], [0, 6, 5]],) * 2,
    "penalty(-20)": ([[-20, 0, 10], [0, 2, 0], [10, 0, -20]],) * 2,
    "Shapley's game": ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}
# All equilibria: (row strategy, column strategy, payoffs).
A, B = (1, 0), (0, 1)
THIRDS = (1 / 3, 1 / 3, 1 / 3)
ANSWERS = {
    "prisoner's dilemma": [(B, B, (-3, -3))],
    "stag hunt": [(A, A, (4, 4)), (B, B, (2, 2)), ((2 / 3, 1 / 3),) * 2 + ((8 / 3, 8 / 3),)],
    "crossing": [
        (A, B, (2, 0)),
        (B, A, (0, 2)),
        ((3 / 13, 10 / 13),) * 2 + ((-10 / 13, -10 / 13),),
    ],
    "chicken": [(A, B, (7, 2)), (B, A, (2, 7)), ((1 / 3, 2 / 3),) * 2 + ((14 / 3, 14 / 3),)],
    "battle of the sexes": [
        (A, A, (10, 7)),
        (B, B, (7, 10)),
        ((2 / 3, 1 / 3), (1 / 3, 2 / 3), (14 / 3, 14 / 3)),
    ],
    "coordination": [(A, A, (10, 10)), (B, B, (10, 10)), ((0.5, 0.5), (0.5, 0.5), (5, 5))],
    "matching pennies": [((0.5, 0.5), (0.5, 0.5), (0, 0))],
    "rock-paper-scissors": [(THIRDS, THIRDS, (0, 0))],
    "climbing": [
        ((1, 0, 0), (1, 0, 0), (11, 11)),
        ((0, 1, 0), (0, 1, 0), (7, 7)),
        ((5 / 16, 0, 11 / 16), (5 / 16, 0, 11 / 16), (55 / 16, 55 / 16)),
    ],
    "Shapley's game": [(THIRDS, THIRDS, (1 / 3, 1 / 3))],
}


def nash_conv_by_hand(known, x, y) -> float:
    """What both agents together gain by their best actions."""
    row, column = known.game.reward[:, 0]
    return (row @ y).max() - x @ row @ y + (x @ column).max() - x @ column @ y


def agree(known, expected) -> bool:
    """Whether the solver, the catalogue and ``expected`` name the same equilibria."""
    listed = {tuple(np.round(np.concatenate(pair), 8) + 0.0) for pair in known.equilibria}
    wanted = {tuple(np.round(np.concatenate(pair), 8) + 0.0) for pair in expected}
    found = [np.concatenate(e.strategies) for e in nash_equilibria(known.game).equilibria]
    apart = [min(np.abs(np.concatenate(p) - f).max() for f in found) for p in known.equilibria]
    unique = len(known.equilibria) == len(listed) == len(found)
    return listed == wanted and unique and max(apart) < 1e-9


def test_the_catalogue_is_complete():
    assert set(CATALOGUE) == set(PRINTED)
    assert set(ANSWERS) == set(PRINTED) - {"penalty(-20)"}


@pytest.mark.parametrize("name", PRINTED)
def test_payoffs_as_printed(name):
    known = CATALOGUE[name]
    assert np.array_equal(known.game.reward[:, 0], np.array(PRINTED[name], dtype=float))
    assert known.game.name == name and known.game.is_matrix_game
    assert known.story.endswith(".") and known.source
    assert all(len(set(names)) == count for names, count in zip(*_names(known.game)))


def _names(game):
    return game.action_names, game.n_actions


@pytest.mark.parametrize("name", ANSWERS)
def test_equilibria(name):
    known, answers = CATALOGUE[name], ANSWERS[name]
    assert agree(known, [answer[:2] for answer in answers])
    result = nash_equilibria(known.game)
    assert not result.degenerate
    for x, y, worth in answers:
        assert nash_conv_by_hand(known, np.array(x), np.array(y)) == pytest.approx(0, abs=1e-12)
        found = [
            e
            for e in result.equilibria
            if np.allclose(np.concatenate(e.strategies), np.concatenate([x, y]), atol=1e-9)
        ]
        assert len(found) == 1 and found[0].payoffs == pytest.approx(worth, abs=1e-12)


def test_the_names_of_actions():
    named = {name: known.game.action_names for name, known in CATALOGUE.items()}
    assert named["prisoner's dilemma"] == (("cooperate", "defect"),) * 2
    assert named["stag hunt"] == (("stag", "hare"),) * 2
    assert named["crossing"] == (("go", "wait"),) * 2
    assert named["chicken"] == (("stay", "leave"),) * 2
    assert named["climbing"] == named["penalty(-20)"] == (("A", "B", "C"),) * 2
    assert named["coordination"] == (("A", "B"),) * 2


@pytest.mark.parametrize("k", [-0.5, -1, -5, -8, -9.5, -10, -10.5, -20, -100])
def test_penalty(k):
    known = penalty(k)
    shared = [[k, 0, 10], [0, 2, 0], [10, 0, k]]
    assert np.array_equal(known.game.reward[:, 0], [shared, shared])
    a, b, c = np.eye(3)
    answers = [(a, c), (c, a), (b, b)]
    # Two corners against the middle: 10 q = 2 (1 - q).
    one, two = np.array([1 / 6, 5 / 6, 0]), np.array([0, 5 / 6, 1 / 6])
    answers += [(one, two), (two, one)]
    if k >= -10:  # both corners equally often: worth (k + 10) / 2, no less than the middle's 0
        answers.append((np.array([0.5, 0, 0.5]),) * 2)
    if k > -10:  # all three: (k + 10) q = 2 (1 - 2q)
        q = 2 / (k + 14)
        answers.append((np.array([q, 1 - 2 * q, q]),) * 2)
    assert agree(known, answers)
    assert nash_equilibria(known.game).degenerate == (k == -10)
    assert all(nash_conv_by_hand(known, *map(np.array, p)) < 1e-12 for p in known.equilibria)
    means = np.array(shared) @ np.ones(3) / 3
    assert means == pytest.approx([(k + 10) / 3, 2 / 3, (k + 10) / 3])
    assert (means[1] > means[0] + 1e-9) == (k < -8)


payoff = st.floats(-50, 50)


@given(payoff, payoff, st.floats(0.01, 50), st.floats(0.01, 50))
def test_every_crossing(crash, both_wait, in_front, behind):
    go, wait = both_wait + in_front, crash + behind
    known = crossing(crash, go, wait, both_wait)
    row = [[crash, go], [wait, both_wait]]
    assert np.allclose(known.game.reward[:, 0], [row, np.transpose(row)])
    bold = in_front / (in_front + behind)
    mixed = ((bold, 1 - bold),) * 2
    assert agree(known, [(A, B), (B, A), mixed])
    result = nash_equilibria(known.game)
    assert not result.degenerate
    # Both actions are worth the same against the mixture.
    worth = bold * crash + (1 - bold) * go
    assert worth == pytest.approx(bold * wait + (1 - bold) * both_wait, abs=1e-9)
    assert result.equilibria[-1].payoffs == pytest.approx([worth, worth], abs=1e-9)


@pytest.mark.parametrize("payoffs", [
    {"go": -1}, {"go": -2}, {"wait": -10}, {"wait": -11}, {"crash": 0}, {"both_wait": 2},
])  # fmt: skip
def test_crossings_that_are_no_game_of_chicken(payoffs):
    with pytest.raises(ValueError, match="go > both_wait and wait > crash"):
        crossing(**payoffs)


def test_prisoners_defect_although_silence_is_better_for_both():
    game = CATALOGUE["prisoner's dilemma"].game
    for agent in range(2):
        for mixed in (True, False):
            assert dominated_actions(game, agent, mixed).tolist() == [True, False]
    assert pareto_set(game).tolist() == [[True, True], [True, False]]


def test_chicken_with_a_traffic_light():
    game = CATALOGUE["chicken"].game
    row = game.reward[0, 0]
    light = np.array([[0, 1], [1, 1]]) / 3
    # Told to leave, the other was told to stay or to leave, equally likely: 4 against 3.5.
    assert row[1].mean() == 4 and row[0].mean() == 3.5
    for coarse in (False, True):
        assert is_correlated_equilibrium(game, light, coarse)
    assert (light * game.reward[:, 0]).sum(axis=(1, 2)) == pytest.approx([5, 5])
    best = correlated_equilibrium(game)
    assert best.distribution == pytest.approx(np.array([[0, 0.25], [0.25, 0.5]]), abs=1e-9)
    assert best.payoffs == pytest.approx([5.25, 5.25])
    fair_light = np.array([[0, 0.5], [0.5, 0]])
    assert is_correlated_equilibrium(game, fair_light)
    assert (fair_light * game.reward[:, 0]).sum(axis=(1, 2)) == pytest.approx([4.5, 4.5])
    assert not is_correlated_equilibrium(game, [[0, 0], [0, 1]])


def test_the_crossing_with_a_traffic_light():
    fairest = correlated_equilibrium(CATALOGUE["crossing"].game, "fairness")
    assert fairest.distribution == pytest.approx(np.array([[0, 0.5], [0.5, 0]]), abs=1e-9)
    assert fairest.payoffs == pytest.approx([1, 1])


def test_climbing_against_a_partner_who_tries_everything():
    row = CATALOGUE["climbing"].game.reward[0, 0]
    assert row.mean(axis=1) == pytest.approx([-6.33, -7.67, 3.67], abs=0.005)
    assert row.mean(axis=0) == pytest.approx([-6.33, -5.67, 1.67], abs=0.005)
    c = np.array([0.0, 0.0, 1.0])
    assert nash_conv_by_hand(CATALOGUE["climbing"], c, c) == pytest.approx(1)  # B earns 6 there


def test_the_speed_check():
    """Whether the patrol checks follows from the driver's payoffs, and the other way round."""
    known = speed_check()
    driver, patrol = [[-6, 2], [0, 0]], [[2, -2], [-1, 0]]
    assert known.game.reward[:, 0].tolist() == [driver, patrol]
    assert known.game.name == "speed check" and known.game.is_matrix_game
    assert known.game.action_names == (("speed", "keep the limit"), ("check", "rest"))
    assert known.story.endswith(".") and known.source
    # -6 c + 2 (1 - c) = 0 and 2 s - (1 - s) = -2 s.
    speeds, checks = (1 / 5, 4 / 5), (1 / 4, 3 / 4)
    assert agree(known, [(speeds, checks)])
    result = nash_equilibria(known.game)
    assert not result.degenerate and len(result.equilibria) == 1
    assert result.equilibria[0].payoffs == pytest.approx([0.0, -0.4], abs=1e-12)
    assert nash_conv_by_hand(known, np.array(speeds), np.array(checks)) == pytest.approx(0)
    # No pair of actions is an equilibrium: they chase each other around the table.
    for joint in np.ndindex(2, 2):
        x, y = np.eye(2)[joint[0]], np.eye(2)[joint[1]]
        assert nash_conv_by_hand(known, x, y) >= 1


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


@pytest.mark.parametrize("argument", ["crash", "go", "wait", "both_wait", "k"])
def test_wrong_numbers_are_refused_by_name(argument):
    others = (0, 1, -1e10) if argument == "k" else ()
    for value in (None, "a", True, np.nan, np.inf, 1e10, [1], *others):
        with pytest.raises(ValueError, match=rf"^{argument}\b"):
            (penalty if argument == "k" else crossing)(**{argument: value})
