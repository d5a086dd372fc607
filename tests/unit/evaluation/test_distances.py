"""Distances to the optimum against planners, how games end, and regrets against every deterministic deviation."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import (
    random_game,
    random_mdp,
    random_policies,
    random_terminating_mdp,
    seed_numbers,
    value_by_solving,
)

from marl_lessons.algorithms import TabularConfig, independent_q_learning, q_learning
from marl_lessons.envs import MarkovGame, crossroads, two_cars
from marl_lessons.envs.games.catalogue import CATALOGUE
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.envs.stepping import rollout
from marl_lessons.evaluation import (
    distance_to_optimum,
    greedy_return,
    reachable_states,
    share_won,
    state_chances,
)
from marl_lessons.evaluation.distances import exploitability, nash_conv, regrets, worst_case
from marl_lessons.solvers import greedy_policy, policy_evaluation, policy_iteration
from marl_lessons.solvers.markov_games import shapley_iteration, stationary_equilibria
from marl_lessons.solvers.matrix_games import nash_equilibria
from marl_lessons.solvers.zero_sum import maxmin

MDP = crossroads()
OPTIMAL = policy_iteration(MDP)
HISTORY = q_learning(MDP, TabularConfig(500, n_records=5), 3)
NAN = float("nan")


def with_q(q) -> object:
    return dataclasses.replace(HISTORY, q=q)


def test_distance_is_zero_at_the_optimum_and_a_share_of_the_range_elsewhere():
    exact = np.broadcast_to(OPTIMAL.q, HISTORY.q.shape).copy()
    assert (distance_to_optimum(with_q(exact), MDP, OPTIMAL.q) == 0).all()
    width = np.ptp(OPTIMAL.q[:-2])
    exact[2, 1, 7, 1] -= 0.3 * width
    exact[2, 1, 9, 0] += 0.1 * width
    exact[:, :, -2:] = 1e6  # terminal states do not count
    distance = distance_to_optimum(with_q(exact), MDP, OPTIMAL.q)
    assert (
        distance.shape == (6, 3)
        and distance[2, 1] == pytest.approx(0.3)
        and np.count_nonzero(distance) == 1
    )


def test_distance_ignores_states_that_are_never_reached():
    frozen = crossroads(grip=0.0)
    where = reachable_states(frozen)
    table = np.arange(30).reshape(2, 3, 5)
    expected = np.ones(32, dtype=bool)
    expected[table[1, :, :-1]] = expected[-2:] = False
    assert np.array_equal(where, expected)
    exact = policy_iteration(frozen).q
    q = np.broadcast_to(exact, HISTORY.q.shape).copy()
    q[:, :, ~where] += 100
    assert (distance_to_optimum(with_q(q), frozen, exact) == 0).all()


def test_nothing_is_reached_through_the_end():
    """A start, an end, and a state that only the end's own row could lead to."""
    transition = np.zeros((3, 1, 3))
    transition[[0, 1, 2], 0, [1, 1, 1]] = 1.0
    game = MarkovGame(
        transition, np.zeros((1, 3, 1)), 0.9, [1, 0, 0], np.array([False, True, False])
    )
    assert reachable_states(game).tolist() == [True, False, False]
    assert reachable_states(two_cars()).sum() == 8


@given(seed_numbers, st.sampled_from([0.0, 0.5, 0.95]), st.booleans())
def test_greedy_return_is_the_value_of_the_greedy_policy(seed, discount, ends):
    rng = np.random.default_rng(seed)
    mdp = random_terminating_mdp(rng, 5, 3, discount) if ends else random_mdp(rng, 5, 3, discount)
    tables = rng.integers(0, 3, size=(2, 3, 5, 3)).astype(float)  # with ties
    returns = greedy_return(tables, mdp)
    assert returns.shape == (2, 3)
    for k, e in np.ndindex(2, 3):
        exact = policy_evaluation(mdp, greedy_policy(tables[k, e])).v @ mdp.initial
        assert returns[k, e] == pytest.approx(exact, abs=1e-10)


def test_greedy_return_at_the_optimum():
    assert greedy_return(OPTIMAL.q, MDP) == pytest.approx(OPTIMAL.v @ MDP.initial, abs=1e-10)
    assert (greedy_return(HISTORY.q, MDP) <= OPTIMAL.v @ MDP.initial + 1e-10).all()
    assert greedy_return(HISTORY.q, MDP).shape == (6, 3)
    with pytest.raises(ValueError, match="discount"):
        greedy_return(
            np.zeros((2, 1)),
            MarkovGame(
                [[[0, 1.0]], [[0, 1.0]]], np.zeros((1, 2, 1)), 1, terminal=np.array([False, True])
            ),
        )


TWO = two_cars()
BOTH = independent_q_learning(TWO, TabularConfig(20, n_records=2), 2)


@pytest.mark.parametrize("named, uses", [
    ("mdp", [lambda: reachable_states("mdp"), lambda: distance_to_optimum(HISTORY, None, OPTIMAL.q),
        lambda: distance_to_optimum(HISTORY, TWO, OPTIMAL.q), lambda: greedy_return(OPTIMAL.q, None)]),
    ("history", [lambda: distance_to_optimum(HISTORY, crossroads(4), OPTIMAL.q),
        lambda: distance_to_optimum(BOTH, MDP, OPTIMAL.q), lambda: distance_to_optimum(None, MDP, OPTIMAL.q)]),
    ("optimal_q", [lambda: distance_to_optimum(HISTORY, MDP, OPTIMAL.q.T),
        lambda: distance_to_optimum(HISTORY, MDP, OPTIMAL.q * NAN),
        lambda: distance_to_optimum(HISTORY, MDP, np.zeros((32, 2)))]),
    ("agents", [lambda: greedy_return(np.zeros((10, 2)), TWO)]),
    ("q", [lambda: greedy_return(None, MDP), lambda: greedy_return(np.zeros((7, 2)), MDP),
        lambda: greedy_return(np.full((32, 2), NAN), MDP)]),
])  # fmt: skip
def test_refused_by_name(named, uses):
    for use in uses:
        with pytest.raises(ValueError, match=rf"\b{named}\b"):
            use()


def walk(up: float) -> MarkovGame:
    """A random walk on 0 .. 4 that ends at 0 and at 4, begun in the middle; nobody decides anything."""
    transition = np.zeros((5, 1, 5))
    transition[0, 0, 0] = transition[4, 0, 4] = 1
    for s in (1, 2, 3):
        transition[s, 0, s + 1], transition[s, 0, s - 1] = up, 1 - up
    ends = np.array([True, False, False, False, True])
    return MarkovGame(transition, np.zeros((1, 5, 1)), 0.9, np.eye(5)[2], ends)


@given(seed_numbers, st.integers(0, 6), st.sampled_from([(2,), (2, 3), (2, 1, 2)]))
def test_chances_are_those_of_plain_loops(seed, n_steps, n_actions):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 4, n_actions)
    policies = random_policies(rng, game)
    chances = list(game.initial)
    for _ in range(n_steps):
        after = [0.0] * game.n_states
        for s in range(game.n_states):
            for actions in np.ndindex(n_actions):
                p = chances[s] * np.prod([policies[i][s, a] for i, a in enumerate(actions)])
                for t in range(game.n_states):
                    after[t] += p * game.transition[(s, *actions, t)]
        chances = after
    assert np.allclose(state_chances(game, policies, n_steps), chances, atol=1e-12)


@given(st.floats(0.05, 0.95))
def test_the_gamblers_share(up):
    odds = (1 - up) / up
    share = share_won(walk(up), [np.ones((5, 1))], won=4, lost=0, n_steps=3000)
    assert share == pytest.approx(1 / (1 + odds**2), abs=1e-9)


def test_games_that_were_played_end_as_often():
    game = two_cars(2, 0.1)
    coin = np.full((game.n_states, 2), 0.5)
    rng = np.random.default_rng(0)
    crashed = np.mean([rollout(game, [coin, coin], rng).states[-1] == 9 for _ in range(2000)])
    expected = state_chances(game, [coin, coin], 200)
    assert expected[[0, 9]].sum() == pytest.approx(1, abs=1e-9)
    assert abs(crashed - expected[9]) < 4 * np.sqrt(expected[9] * (1 - expected[9]) / 2000)
    assert share_won(game, [coin, coin], won=-1, lost=0) == pytest.approx(expected[9], abs=1e-9)


def test_nothing_is_decided_at_the_start():
    assert np.isnan(share_won(walk(0.5), [np.ones((5, 1))], 0, 4, n_steps=0))


@pytest.mark.parametrize(
    "name, wrong",
    [("won", 2), ("won", 5), ("lost", -6), ("won", "4"), ("lost", None)],
)
def test_only_terminal_states_can_be_won_or_lost(name, wrong):
    states = {"won": 4, "lost": 0} | {name: wrong}
    with pytest.raises(ValueError, match=name):
        share_won(walk(0.5), [np.ones((5, 1))], **states)


@pytest.mark.parametrize("steps", [-1, 1.5, None, True])
def test_wrong_numbers_of_steps(steps):
    with pytest.raises(ValueError, match="n_steps"):
        state_chances(walk(0.5), [np.ones((5, 1))], steps)


def test_wrong_games_and_policies():
    with pytest.raises(ValueError, match="game"):
        state_chances("soccer", [])
    with pytest.raises(ValueError, match="policies"):
        state_chances(walk(0.5), [np.ones((5, 2))])


action_counts = st.sampled_from([(3,), (2, 3), (1, 2), (2, 2, 2)])
PENNIES = CATALOGUE["matching pennies"].game
HALF = np.array([0.5, 0.5])


def earned(payoffs, agent, strategies) -> float:
    """The expected payoff of ``agent`` in a matrix game, in plain loops."""
    return sum(
        payoffs[(agent, *joint)] * np.prod([s[a] for s, a in zip(strategies, joint)])
        for joint in np.ndindex(payoffs.shape[1:])
    )


def regrets_by_deviations(game: MarkovGame, policies) -> list[float]:
    """The most that each agent gains by any deterministic policy, at the initial distribution."""
    found = []
    for agent, count in enumerate(game.n_actions):
        mdp = game.induced_mdp(agent, policies)
        worth = lambda policy: game.initial @ value_by_solving(mdp, policy)  # noqa: B023, E731
        others = itertools.product(range(count), repeat=game.n_states)
        found.append(max(worth(np.eye(count)[list(a)]) for a in others) - worth(policies[agent]))
    return found


def zero_sum_game(rng, n_actions=(2, 3)) -> MarkovGame:
    game = random_game(rng, 3, n_actions, 0.9)
    reward = np.stack([game.reward[0], -game.reward[0]])
    return MarkovGame(game.transition, reward, 0.9, [*rng.dirichlet([1, 1]), 0.0], game.terminal)


@settings(max_examples=25)
@given(seed_numbers, action_counts)
def test_regrets_in_markov_games(seed, counts):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, counts, 0.9)
    policies = random_policies(rng, game)
    expected = regrets_by_deviations(game, policies)
    found = regrets(game, policies)
    assert found.shape == (len(counts),) and (found >= 0).all()
    assert found == pytest.approx(np.maximum(expected, 0), abs=1e-9)
    assert nash_conv(game, policies) == pytest.approx(sum(expected), abs=1e-9)


@given(seed_numbers, action_counts)
def test_regrets_in_matrix_games(seed, counts):
    rng = np.random.default_rng(seed)
    payoffs = rng.normal(size=(len(counts), *counts))
    strategies = [rng.dirichlet(np.full(count, 0.7)) for count in counts]
    expected = [
        max(earned(payoffs, i, [*strategies[:i], e, *strategies[i + 1 :]]) for e in np.eye(count))
        - earned(payoffs, i, strategies)
        for i, count in enumerate(counts)
    ]
    tables = [strategy[None] for strategy in strategies]
    for game, policies in itertools.product(
        (payoffs, payoffs.tolist(), matrix_game(payoffs)),
        (strategies, tuple(strategies), [s.tolist() for s in strategies], tables),
    ):
        assert regrets(game, policies) == pytest.approx(expected, abs=1e-9)
        assert nash_conv(game, policies) == pytest.approx(sum(expected), abs=1e-9)


def test_a_small_regret_may_cost_a_fortune():
    """(B, D) is a 1-equilibrium, and worth 1 where (A, C) is worth 100 to both."""
    payoffs = np.array([[[100, 0], [1, 1]], [[100, 0], [2, 1]]])
    assert regrets(payoffs, [[0, 1], [0, 1]]).tolist() == [0, 1]
    assert regrets(payoffs, [[1, 0], [1, 0]]).tolist() == [0, 0]
    assert payoffs[:, 1, 1].tolist() == [1, 1]


def test_a_matrix_game_that_is_played_for_ever():
    payoffs = PENNIES.reward
    game = MarkovGame(PENNIES.transition, payoffs, 0.9)
    assert regrets(game, [[[1, 0]], [[1, 0]]]) == pytest.approx([0, 20])
    assert regrets(game, [[1, 0], [1, 0]]) == pytest.approx([0, 20])
    assert exploitability(game, [[1, 0], [1, 0]]) == pytest.approx(10)
    assert worst_case(game, 0, [[0.75, 0.25]]) == pytest.approx(-5)


@settings(max_examples=25)
@given(seed_numbers, st.sampled_from([(2, 2), (2, 3), (3, 1)]))
def test_exploitability_and_worst_case(seed, counts):
    rng = np.random.default_rng(seed)
    game = zero_sum_game(rng, counts)
    policies = random_policies(rng, game)
    # What each policy is sure to earn: its value against every deterministic opponent.
    sure = []
    for agent in range(2):
        mdp = game.induced_mdp(1 - agent, policies)
        opponents = itertools.product(range(counts[1 - agent]), repeat=3)
        values = [
            game.initial @ value_by_solving(mdp, np.eye(counts[1 - agent])[list(a)])
            for a in opponents
        ]
        sure.append(-max(values))
        assert worst_case(game, agent, policies[agent]) == pytest.approx(sure[agent], abs=1e-9)
    # Each side's worst case is what the other's best response leaves it.
    assert exploitability(game, policies) == pytest.approx(-sum(sure) / 2, abs=1e-9)
    solved = shapley_iteration(game, 1e-10)
    value = game.initial @ solved.v
    assert sure[0] <= value + 1e-8 and sure[1] <= -value + 1e-8
    assert exploitability(game, solved.policies) == pytest.approx(0, abs=1e-7)
    assert worst_case(game, 0, solved.policies[0]) == pytest.approx(value, abs=1e-7)
    assert worst_case(game, 1, solved.policies[1]) == pytest.approx(-value, abs=1e-7)


@given(seed_numbers, st.sampled_from([(2, 2), (2, 3), (4, 3)]))
def test_zero_sum_matrix_games(seed, counts):
    rng = np.random.default_rng(seed)
    row = rng.normal(size=counts)
    payoffs = np.stack([row, -row])
    x, y = rng.dirichlet(np.ones(counts[0])), rng.dirichlet(np.ones(counts[1]))
    gap = (row @ y).max() - (x @ row).min()
    assert exploitability(payoffs, [x, y]) == pytest.approx(gap / 2, abs=1e-12)
    game = matrix_game(payoffs)
    assert worst_case(game, 0, x[None]) == pytest.approx((x @ row).min(), abs=1e-12)
    assert worst_case(game, 1, y[None]) == pytest.approx(-(row @ y).max(), abs=1e-12)
    safe = [maxmin(payoffs, agent).strategy for agent in range(2)]
    assert exploitability(payoffs, safe) == pytest.approx(0, abs=1e-8)


GENERAL = [
    two_cars(1),
    CATALOGUE["chicken"].game,
    CATALOGUE["coordination"].game,
    matrix_game(np.zeros((3, 2, 2, 2))),
    matrix_game([[0.0, 0.0]]),
]


@pytest.mark.parametrize("game", GENERAL)
def test_games_that_are_not_zero_sum(game):
    policies = [np.full((game.n_states, count), 1 / count) for count in game.n_actions]
    assert nash_conv(game, policies) >= 0
    with pytest.raises(ValueError, match=r"^game\b.*add up to 0"):
        exploitability(game, policies)
    with pytest.raises(ValueError, match=r"^game\b.*add up to 0"):
        worst_case(game, 0, policies[0])


def test_worst_case_of_a_strategy():
    assert worst_case(PENNIES, 0, HALF) == worst_case(PENNIES, 1, [HALF]) == 0


NO_POLICIES = [None, "a", 5, [[1]], [[0.5, 0.6]], [[1.5, -0.5]], [[1, 0], [1]], [[np.nan, 1]], [HALF, HALF]]  # fmt: skip


@pytest.mark.parametrize(
    ("use", "named"),
    [
        *((lambda g=g: nash_conv(g, [HALF, HALF]), "game") for g in (None, 5, [[1, 2], [3, 4]], [[[np.nan]], [[0]]])),
        *((lambda g=g: worst_case(g, 0, [HALF]), "game") for g in (None, 5, PENNIES.reward[:, 0])),
        *((lambda a=a: worst_case(PENNIES, a, [HALF]), f"agent is {a!r}") for a in (-1, 2, 0.5, None, True)),
        *((lambda p=p: worst_case(PENNIES, 1, p), r"policies\[1\]") for p in NO_POLICIES),
        *((lambda p=p: regrets(PENNIES, [HALF, p]), r"policies\[1\]") for p in NO_POLICIES),
        *((lambda p=p: regrets(PENNIES, p), "policies") for p in (None, "ab", np.array(5), {}, [HALF], [HALF] * 3)),
        *((lambda p=p: regrets(two_cars(1), p), "policies") for p in ([HALF, HALF], [np.full((5, 2), 0.5)])),
    ],
)  # fmt: skip
def test_regrets_refuse_by_name(use, named):
    with pytest.raises(ValueError, match=rf"^{named}"):
        use()


def test_equilibria_can_be_given_as_solvers_return_them():
    climbing = CATALOGUE["climbing"].game
    for equilibrium in nash_equilibria(climbing).equilibria:
        assert nash_conv(climbing, equilibrium) < 1e-9
    cars = two_cars(2)
    for equilibrium in stationary_equilibria(cars):
        assert nash_conv(cars, equilibrium) < 1e-9
        assert nash_conv(cars, np.array(equilibrium.policies)) < 1e-9  # also as one array
