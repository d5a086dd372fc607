"""All stationary equilibria against brute force over pure policies, and against roots found on a fine grid."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers
from scipy.optimize import brentq

from marl_lessons.envs import CATALOGUE, MarkovGame, two_cars
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.solvers.markov_games import stage_equilibria, stationary_equilibria
from marl_lessons.solvers.matrix_games import nash_equilibria


def forward_game(rng, n_states: int = 3, discount: float = 0.9, stay: bool = True) -> MarkovGame:
    """A game that moves to higher states only, or stays; its last state is terminal."""
    transition = np.zeros((n_states, 2, 2, n_states))
    for state in range(n_states - 1):
        first = state if stay else state + 1
        transition[state, ..., first:] = rng.dirichlet(np.ones(n_states - first), size=(2, 2))
    transition[-1, ..., -1] = 1.0
    reward = rng.normal(size=(2, n_states, 2, 2))
    reward[:, -1] = 0.0
    return MarkovGame(transition, reward, discount, terminal=np.arange(n_states) == n_states - 1)


def one_state_game(gain, stay, discount: float = 0.9) -> MarkovGame:
    """One state that lasts with probability ``stay[2, 2]``, and the end; ``gain[2, 2, 2]`` is paid every time."""
    transition = np.zeros((2, 2, 2, 2))
    transition[0, ..., 0], transition[0, ..., 1] = stay, 1 - np.asarray(stay)
    transition[1, ..., 1] = 1.0
    reward = np.zeros((2, 2, 2, 2))
    reward[:, 0] = gain
    return MarkovGame(transition, reward, discount, terminal=[False, True])


def values_of(game: MarkovGame, policies) -> np.ndarray:
    """``v[2, S]`` of a pair of policies, by solving the chain that they make."""
    x, y = policies
    chain = np.einsum("sa,sb,sabt->st", x, y, game.transition)
    paid = np.einsum("sa,sb,isab->is", x, y, game.reward)
    return np.linalg.solve(np.eye(game.n_states) - game.discount * chain, paid.T).T


def best_values(game: MarkovGame, agent: int, other: np.ndarray) -> np.ndarray:
    """``v[S]`` of the best response, by value iteration until nothing changes."""
    rules = ("sb,sabt->sat", "sb,sab->sa") if agent == 0 else ("sa,sabt->sbt", "sa,sab->sb")
    transition = np.einsum(rules[0], other, game.transition)
    reward = np.einsum(rules[1], other, game.reward[agent])
    v = np.zeros(game.n_states)
    for _ in range(int(np.ceil(np.log(1e-14) / np.log(max(game.discount, 0.5))))):
        v = (reward + game.discount * transition @ v).max(axis=1)
    return v


def check(game: MarkovGame, found, tolerance: float = 1e-8) -> None:
    """Every equilibrium's values are its policies' own, and no agent could do better from any state."""
    for policies, v in found:
        assert all(np.allclose(p.sum(axis=1), 1) and p.min() >= 0 for p in policies)
        assert np.allclose(v, values_of(game, policies), atol=tolerance)
        assert (v[:, game.terminal] == 0).all()
        for agent in range(2):
            best = best_values(game, agent, policies[1 - agent])
            assert np.allclose(best, v[agent], atol=tolerance)
    distinct = {np.round(np.stack(policies), 6).tobytes() for policies, _ in found}
    assert len(distinct) == len(found)


def pure_only(found) -> set:
    """The pure equilibria among those found, as tuples of the probabilities of action 1."""
    tables = [np.stack([p[:, 1] for p in policies]) for policies, _ in found]
    return {tuple(t.ravel().astype(int)) for t in tables if np.isin(t, (0, 1)).all()}


def pure_by_brute_force(game: MarkovGame, free: np.ndarray) -> set:
    """All pure equilibria in which agent i takes action 0 wherever ``free[i, S]`` is False: those joint policies after
    which no single change in a single state pays (for γ < 1 that is enough)."""
    places, found = np.argwhere(free), set()
    states = np.arange(game.n_states)
    for actions in itertools.product((0, 1), repeat=len(places)):
        second = np.zeros((2, game.n_states), dtype=int)
        second[tuple(places.T)] = actions
        v = values_of(game, [np.eye(2)[row] for row in second])
        q = game.reward + game.discount * np.einsum("sabt,it->isab", game.transition, v)
        if (q[0][states, :, second[1]].max(axis=1) <= v[0] + 1e-9).all() and (
            q[1][states, second[0]].max(axis=1) <= v[1] + 1e-9
        ).all():
            found.add(tuple(second.ravel()))
    return found


def on_the_road(distance: int) -> np.ndarray:
    """``[2, S]``: the states in which a car has not yet passed and nothing has happened; there its action counts."""
    cells = np.indices((distance + 1,) * 2).reshape(2, -1)
    return np.pad(cells > 0, ((0, 0), (0, 1)))


@pytest.mark.parametrize("distance", [1, 2])
@pytest.mark.parametrize("settings", [{}, {"slip": 0.0}, {"urgency": (3, 1)}, {"discount": 0.5}])
def test_two_cars_by_brute_force(distance, settings):
    game = two_cars(distance, **settings)
    found = stationary_equilibria(game)
    check(game, found)
    assert pure_only(found) == pure_by_brute_force(game, on_the_road(distance))


def test_the_number_of_equilibria_of_two_cars():
    assert len(stationary_equilibria(two_cars(1))) == 3
    assert len(stationary_equilibria(two_cars(2, slip=0.1, urgency=(1, 1)))) == 5
    assert len(stationary_equilibria(two_cars(2, slip=0.1, urgency=(10, 1)))) == 1


@given(seed_numbers, st.booleans())
def test_random_games_by_brute_force(seed, stay):
    game = forward_game(np.random.default_rng(seed), 4, stay=stay)
    found = stationary_equilibria(game)
    assert found
    check(game, found)
    free = np.tile(~game.terminal, (2, 1))
    assert pure_only(found) == pure_by_brute_force(game, free)


def roots_on_a_grid(game: MarkovGame, agent: int) -> list[float]:
    """The other's mixtures against which both actions of ``agent`` are worth the same in state 0, for ever."""
    gain, stay = game.reward[agent, 0], game.discount * game.transition[0, ..., 0]
    if agent == 1:
        gain, stay = gain.T, stay.T

    def lead(y: float) -> float:
        mean = lambda pair: (1 - y) * pair[0] + y * pair[1]  # noqa: E731
        worth = [mean(gain[a]) / (1 - mean(stay[a])) for a in range(2)]
        return worth[1] - worth[0]

    grid = np.linspace(0, 1, 2001)
    leads = [lead(y) for y in grid]
    return [
        brentq(lead, low, high, xtol=1e-14)
        for low, high, a, b in zip(grid, grid[1:], leads, leads[1:])
        if a * b < 0
    ]


@given(seed_numbers)
def test_mixed_equilibria_of_one_state(seed):
    rng = np.random.default_rng(seed)
    game = one_state_game(rng.normal(size=(2, 2, 2)), rng.uniform(0, 1, size=(2, 2)))
    expected = list(itertools.product(roots_on_a_grid(game, 1), roots_on_a_grid(game, 0)))
    found = stationary_equilibria(game)
    check(game, found)
    mixed = [(x[0, 1], y[0, 1]) for (x, y), _ in found if 0 < x[0, 1] < 1]
    assert np.allclose(np.array(sorted(mixed)), np.array(sorted(expected)), atol=1e-8)


def test_a_state_may_have_several_mixed_equilibria():
    """Against y, agent 0's actions are worth 16 y / (1 - 0.8 y) and (44 y - 9) / (0.2 + 0.8 y): equal at 1/4 and 3/4."""
    gain, lasts = np.array([[0.0, 16.0], [-9.0, 35.0]]), np.array([[0.0, 0.8], [0.8, 0.0]])
    game = one_state_game(np.stack([gain, gain.T]), lasts / 0.9, 0.9)
    found = stationary_equilibria(game)
    check(game, found)
    mixed = sorted((round(x[0, 1], 9), round(y[0, 1], 9)) for (x, y), _ in found)
    assert {pair for pair in mixed if 0 < pair[0] < 1} == {
        (x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)
    }
    for (_, y), v in found:
        if 0 < y[0, 1] < 1:
            assert v[0, 0] == pytest.approx(16 * y[0, 1] / (1 - 0.8 * y[0, 1]))


@given(seed_numbers)
def test_one_decision_is_a_matrix_game(seed):
    payoffs = np.random.default_rng(seed).normal(size=(2, 2, 2))
    expected = sorted(
        (x[1], y[1], *earned) for (x, y), earned in nash_equilibria(payoffs).equilibria
    )
    at_once = stationary_equilibria(matrix_game(payoffs))
    ending = stationary_equilibria(one_state_game(payoffs, np.zeros((2, 2))))
    for found in (at_once, ending):
        rows = sorted((x[0, 1], y[0, 1], *v[:, 0]) for (x, y), v in found)
        assert np.allclose(rows, expected, atol=1e-9)
    repeated = MarkovGame(np.ones((1, 2, 2, 1)), payoffs[:, None], 0.75)
    rows = sorted(
        (x[0, 1], y[0, 1], *(v[:, 0] / 4)) for (x, y), v in stationary_equilibria(repeated)
    )
    assert np.allclose(rows, expected, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e-9, 1e6, 1e9])
def test_the_scale_of_rewards_does_not_matter(scale):
    for seed in range(10):
        game = forward_game(np.random.default_rng(seed), 3)
        other = MarkovGame(game.transition, scale * game.reward, 0.9, terminal=game.terminal)
        expected = [np.stack(p) for p, _ in stationary_equilibria(game)]
        found = [np.stack(p) for p, _ in stationary_equilibria(other)]
        assert len(found) == len(expected)
        assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(found, expected))


def test_small_differences_between_large_rewards_count():
    gain = np.full((2, 2, 2), 100.0)
    gain[0, 1] += 5e-4  # agent 0 earns a little more by action 1
    found = stationary_equilibria(one_state_game(gain, np.zeros((2, 2))))
    assert [x[0].tolist() for (x, _), _ in found] == [[0, 1]]
    stay = np.array([[0.5, 0.5], [0.5 + 1e-6, 0.5 + 1e-6]])  # or because it lasts a little longer
    found = stationary_equilibria(one_state_game(np.ones((2, 2, 2)), stay))
    assert [x[0].tolist() for (x, _), _ in found] == [[0, 1]]


def test_an_action_that_changes_nothing_is_not_taken():
    game = one_state_game(np.ones((2, 2, 2)), np.full((2, 2), 0.5))
    ((policies, v),) = stationary_equilibria(game)
    assert [p[0].tolist() for p in policies] == [[1, 0], [1, 0]]
    assert v[:, 0] == pytest.approx([1 / 0.55] * 2)
    gain = np.array([[[1, 1], [2, 2]], [[0, 0], [0, 0]]])  # agent 1 changes nothing
    ((policies, _),) = stationary_equilibria(one_state_game(gain, np.zeros((2, 2))))
    assert [p[0].tolist() for p in policies] == [[0, 1], [1, 0]]


def test_ties_leave_out_equilibria_in_which_one_agent_mixes():
    """Agent 0 does not care, but its action matters to agent 1: the pure equilibria are found, the mixtures left out."""
    gain = np.array([[[1, 1], [1, 1]], [[1, 0], [0, 1]]])
    game = one_state_game(gain, np.zeros((2, 2)))
    found = stationary_equilibria(game)
    check(game, found)
    assert pure_only(found) == {(0, 0, 0, 0), (1, 0, 1, 0)} and len(found) == 2


@given(seed_numbers)
def test_games_full_of_ties(seed):
    rng = np.random.default_rng(seed)
    gain = rng.integers(-1, 2, size=(2, 2, 2))
    game = one_state_game(gain, rng.integers(0, 2, size=(2, 2)) / 2)
    found = stationary_equilibria(game)
    check(game, found)
    moves = lambda axis: (  # noqa: E731
        np.ptp(gain, axis=1 + axis).any() or np.ptp(game.transition[0], axis=axis).any()
    )
    free = np.array([[moves(0), False], [moves(1), False]], dtype=bool)
    assert pure_only(found) == pure_by_brute_force(game, free)


def test_the_equilibria_of_one_stage():
    """Chicken in which both staying costs a second: (action 1, action 0), (0, 1), and a mixture."""
    gain = np.array([[[-1.0, 0.0], [2.0, -10.0]], [[-1.0, 2.0], [0.0, -10.0]]])
    stay = np.array([[0.9, 0.0], [0.0, 0.0]])
    pure = [((0.0, 1.0), [0, 2]), ((1.0, 0.0), [2, 0])]
    found = stage_equilibria(gain, stay, np.abs(gain))
    assert [(probabilities, v.tolist()) for probabilities, v in found[:2]] == pure
    (x, y), v = found[2]
    assert x == pytest.approx(y) and v[0] == pytest.approx(v[1]) and len(found) == 3
    assert 2 * (1 - y) - 10 * y == pytest.approx(-(1 - y) / (1 - 0.9 * (1 - y)))
    assert v[0] == pytest.approx(2 - 12 * y)


def test_more_equilibria_than_allowed():
    game = two_cars(2)
    assert len(stationary_equilibria(game, 5)) == 5
    with pytest.raises(ValueError, match=r"^max_count is 4\b"):
        stationary_equilibria(game, 4)


@pytest.mark.parametrize(
    ("game", "max_count", "named"),
    [
        *((two_cars(1), bad, "max_count") for bad in (0, None, 2.5, True)),
        *((bad, 9, "game") for bad in (None, "game", np.zeros((2, 2, 2)))),
        *((matrix_game(np.zeros((len(n), *n))), 9, r"game: has actions \(") for n in [(2,), (3, 2), (1, 2), (2, 2, 2)]),
    ],
)  # fmt: skip
def test_refused_by_name(game, max_count, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        stationary_equilibria(game, max_count)


def test_games_that_return():
    transition = np.zeros((3, 2, 2, 3))
    transition[0, ..., 1] = transition[2, ..., 2] = 1.0
    transition[1, ..., 2] = 1.0
    rewards, ends = np.zeros((2, 3, 2, 2)), [False, False, True]
    assert stationary_equilibria(MarkovGame(transition, rewards, 0.9, terminal=ends))
    transition[1, 1, 1] = [1e-9, 0, 1 - 1e-9]
    with pytest.raises(ValueError, match=r"^game: play can return"):
        stationary_equilibria(MarkovGame(transition, rewards, 0.9, terminal=ends))


def test_without_discount():
    gain = np.array([[[-1, 0], [2, -10]], [[-1, 2], [0, -10]]], dtype=float)
    stay = np.array([[0.9, 0.0], [0.0, 0.0]])
    found = stationary_equilibria(one_state_game(gain, stay, 1.0))
    assert len(found) == 3
    for policies, v in found:
        x, y = (p[0] for p in policies)
        mean = lambda table: x @ table @ y  # noqa: B023, E731
        assert v[:, 0] == pytest.approx([mean(g) / (1 - mean(stay)) for g in gain])
    forever = MarkovGame(
        np.where(np.indices((2, 2, 2, 2))[0] == np.indices((2, 2, 2, 2))[3], 1.0, 0.0),
        np.stack([[gain[0], 0 * gain[0]], [gain[1], 0 * gain[1]]]),
        1.0,
        terminal=[False, True],
        episodic=True,
    )
    with pytest.raises(ValueError, match=r"^game: with discount 1 it can stay in state 0 for ever"):
        stationary_equilibria(forever)


def test_ties_up_to_rounding_are_ties():
    """0.1 + 0.2 exceeds 0.3 in the computer's arithmetic only."""
    more, less = 0.1 + 0.2, 0.3
    gain = np.array([[[less, 1], [more, 0]], [[1, 0], [1, 0]]])
    found = stationary_equilibria(one_state_game(gain, np.zeros((2, 2))))
    assert pure_only(found) == {(0, 0, 0, 0), (1, 0, 0, 0)} and len(found) == 2
    gain = np.array([[[less, more], [more, less]], [[1, 0], [0, 1]]])  # agent 0 never cares
    found = stationary_equilibria(one_state_game(gain, np.zeros((2, 2))))
    assert pure_only(found) == {(0, 0, 0, 0), (1, 0, 1, 0)} and len(found) == 2


@pytest.mark.parametrize("scale", [1e3, 1e6, 1e9, 1e11])
def test_a_mixture_close_to_a_pure_action_is_found(scale):
    """Agent 1 takes action 1 with probability 1 / (1 + scale) only, but agent 0 has much to win or to lose then."""
    gain = np.array([[[1, -scale], [-1, scale]], [[-1, 1], [1, -1]]])
    (((x, y), _),) = stationary_equilibria(one_state_game(gain, np.zeros((2, 2))))
    assert x[0, 1] == pytest.approx(0.5)
    assert y[0, 1] == pytest.approx(1 / (1 + scale), rel=1e-4)


def test_rewards_whose_equilibria_rounding_hides():
    gain = np.array([[[1, -1e14], [-1, 1e14]], [[-1, 1], [1, -1]]])
    with pytest.raises(ValueError, match=r"^game: rewards in state 0 differ too much"):
        stationary_equilibria(one_state_game(gain, np.zeros((2, 2))))


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_small_dilemma_has_one_equilibrium(scale):
    dilemma = scale * CATALOGUE["prisoner's dilemma"].game.reward[:, 0]
    (((x, y), _),) = stationary_equilibria(matrix_game(dilemma))
    assert x[0].tolist() == y[0].tolist() == [0, 1]


def test_large_payoffs_elsewhere_hide_no_small_ones():
    """Whatever agent 1 does, action 1 earns agent 0 more; where it matters, by 1e-5 beside 1e8."""
    gain = np.array([[[0, 1e8], [1e-5, 2e8]], [[1, 0], [1, 0]]])
    (((x, y), _),) = stationary_equilibria(one_state_game(gain, np.zeros((2, 2))))
    assert x[0].tolist() == [0, 1] and y[0].tolist() == [1, 0]
