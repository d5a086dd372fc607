"""Shapley's iteration: closed forms, a plain re-implementation, honest bounds, and policies that nobody can exploit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import (
    optimum_by_enumeration,
    random_game,
    random_kernel,
    random_mdp,
    random_policies,
    seed_numbers,
    value_by_solving,
)

from marl_lessons.envs import CATALOGUE, MarkovGame, two_cars
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.solvers import markov_games, zero_sum
from marl_lessons.solvers.markov_games import (
    best_response,
    joint_action_values,
    joint_policy_evaluation,
    shapley_backup,
    shapley_iteration,
)
from marl_lessons.solvers.matrix_games import expected_payoffs
from marl_lessons.solvers.planning import policy_evaluation, policy_iteration
from marl_lessons.solvers.zero_sum import maxmin

discounts = st.sampled_from([0.0, 0.5, 0.9, 0.97])


def random_zero_sum(
    rng: np.random.Generator, n_states=4, n_actions=(3, 2), discount=0.9, leave=None
) -> MarkovGame:
    """A random game whose last state is terminal; with ``leave`` every step ends it with that probability or more."""
    transition = random_kernel(rng, (n_states, *n_actions), n_states)
    if leave is not None:
        transition = (1 - leave) * transition + leave * np.eye(n_states)[-1]
    transition[-1] = np.eye(n_states)[-1]
    reward = rng.normal(size=(n_states, *n_actions))
    reward[-1] = 0.0
    return MarkovGame(
        transition,
        np.stack([reward, -reward]),
        discount,
        terminal=np.arange(n_states) == n_states - 1,
    )


def one_sweep(v: np.ndarray, game: MarkovGame) -> np.ndarray:
    """The backup in plain loops, each matrix game by its own linear programme."""
    after = np.zeros(game.n_states)
    for s in range(game.n_states):
        q = np.zeros(game.n_actions)
        for a, b in np.ndindex(game.n_actions):
            q[a, b] = game.reward[0, s, a, b]
            for t in range(game.n_states):
                q[a, b] += game.discount * game.transition[s, a, b, t] * v[t]
        after[s] = maxmin([q, -q]).value
    return after


def best_responses(game: MarkovGame, policies) -> tuple[np.ndarray, np.ndarray]:
    """``[S]`` twice: what agent 0 earns at least with its policy, and what agent 1's policy concedes at most."""
    least = -policy_iteration(game.induced_mdp(1, [policies[0], None])).v
    most = policy_iteration(game.induced_mdp(0, [None, policies[1]])).v
    return least, most


@given(seed_numbers, discounts)
@settings(max_examples=15)
def test_one_backup_is_a_linear_programme_in_every_state(seed, discount):
    rng = np.random.default_rng(seed)
    game, v = random_zero_sum(rng, discount=discount), rng.normal(size=4)
    mine = shapley_backup(v, game.transition, game.reward[0], discount)
    assert np.allclose(mine, one_sweep(v, game), rtol=0, atol=1e-9)


@given(seed_numbers, st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_one_state_without_future_is_a_matrix_game(seed, shape):
    payoffs = np.random.default_rng(seed).normal(size=shape)
    game = matrix_game([payoffs, -payoffs])
    solution = shapley_iteration(game)
    assert solution.v.shape == (1,) and np.allclose(solution.q, payoffs)
    assert np.allclose(solution.v, maxmin(game).value, atol=1e-9)
    assert np.allclose(solution.v, -maxmin(game, agent=1).value, atol=1e-9)


@pytest.mark.parametrize("discount", [0.0, 0.3, 0.9, 0.99])
def test_a_repeated_matrix_game_is_worth_its_value_for_ever(discount):
    payoffs = np.array([[3.0, -1.0], [-2.0, 4.0]])  # value 1
    game = MarkovGame(np.ones((1, 2, 2, 1)), np.stack([payoffs, -payoffs])[:, None], discount)
    solution = shapley_iteration(game, 1e-10)
    assert np.allclose(solution.v, 1 / (1 - discount), rtol=0, atol=1.01e-10)
    assert np.allclose(solution.policies[0], [[0.6, 0.4]])
    assert np.allclose(solution.policies[1], [[0.5, 0.5]])


@pytest.mark.parametrize("discount", [0.1, 0.5, 0.9])
def test_a_stochastic_game_with_a_known_root(discount):
    """Play goes on only after (0, 0), otherwise the game ends with payoffs [[·, 1], [1, 0]].

    v is the value of [[γv, 1], [1, 0]], 1 / (2 - γv), and so v = (1 - √(1-γ)) / γ; both play action 0 with
    probability v, since x = (0 - 1) / (γv - 2) = v.
    """
    transition = np.zeros((2, 2, 2, 2))
    transition[..., 1] = 1.0
    transition[0, 0, 0] = [1.0, 0.0]
    reward = np.zeros((2, 2, 2))
    reward[0] = [[0, 1], [1, 0]]
    game = MarkovGame(
        transition, np.stack([reward, -reward]), discount, terminal=np.array([False, True])
    )
    v = (1 - np.sqrt(1 - discount)) / discount
    solution = shapley_iteration(game, 1e-12)
    assert np.allclose(solution.v, [v, 0], rtol=0, atol=1e-12)
    for policy in solution.policies:
        assert np.allclose(policy[0], [v, 1 - v], atol=1e-10)


@given(seed_numbers, discounts, st.sampled_from([1e-2, 1e-4, 1e-8]))
def test_the_error_bound_is_honest(seed, discount, tolerance):
    game = random_zero_sum(np.random.default_rng(seed), discount=discount)
    rough, fine = shapley_iteration(game, tolerance), shapley_iteration(game, 1e-13)
    assert rough.error_bound <= tolerance + 1e-12
    assert np.abs(rough.v - fine.v).max() <= rough.error_bound + fine.error_bound + 1e-13
    change = np.abs(np.diff(rough.history, axis=0)).max(axis=1)
    assert rough.error_bound == pytest.approx(discount / (1 - discount) * change[-1], abs=1e-12)
    assert np.all(discount / (1 - discount) * change[:-1] > tolerance)


@given(seed_numbers, st.tuples(st.integers(1, 4), st.integers(1, 4)), discounts)
def test_nobody_can_exploit_the_policies(seed, n_actions, discount):
    """Both best responses, found by policy iteration on MDPs, meet in the values: an independent proof of optimality."""
    game = random_zero_sum(np.random.default_rng(seed), 5, n_actions, discount)
    solution = shapley_iteration(game, 1e-11)
    least, most = best_responses(game, game.check_policies(solution.policies))
    # A policy that is optimal for values with error e loses at most 2γe/(1-γ) (Singh & Yee 1994, here for games).
    assert np.abs(least - solution.v).max() <= 1e-9 and np.abs(most - solution.v).max() <= 1e-9


@given(seed_numbers, st.floats(0.2, 0.8))
def test_without_discount_where_every_policy_terminates(seed, leave):
    game = random_zero_sum(np.random.default_rng(seed), discount=1.0, leave=leave)
    solution = shapley_iteration(game, 1e-10)
    assert solution.error_bound <= 1e-10 + 1e-12
    assert np.abs(solution.v - shapley_iteration(game, 1e-4).v).max() <= 1e-4
    for bound in best_responses(game, solution.policies):
        assert np.abs(bound - solution.v).max() <= 1e-8


def test_without_any_guarantee_the_bound_is_infinite():
    transition = np.zeros((2, 2, 1, 2))
    transition[0, 0, 0], transition[0, 1, 0], transition[1, ..., 1] = [1, 0], [0, 1], 1.0
    reward = np.zeros((2, 2, 2, 1))
    reward[:, 0, 1, 0] = [1.0, -1.0]
    game = MarkovGame(transition, reward, 1.0, terminal=np.array([False, True]), episodic=True)
    solution = shapley_iteration(game)
    assert solution.error_bound == np.inf and np.allclose(solution.v, [1, 0])


def test_gaps_of_the_matrix_games_count_as_errors(monkeypatch):
    """Matrix games solved with an error of 0.01 make values that may be wrong by 0.01 / (1-γ)."""
    solve = markov_games.solve_zero_sum

    def careless(payoffs, guess=None):
        solved = solve(payoffs, guess)
        return solved._replace(value=solved.value + 0.01, gap=solved.gap + 0.01)

    game = random_zero_sum(np.random.default_rng(7))
    exact = shapley_iteration(game, 1e-10)
    monkeypatch.setattr(markov_games, "solve_zero_sum", careless)
    rough = shapley_iteration(game, 1e-10)
    apart = np.abs(rough.v - exact.v).max()
    assert 0.05 < apart <= rough.error_bound and rough.error_bound < 0.11


def test_each_sweep_begins_where_the_last_one_ended(monkeypatch):
    game = random_zero_sum(np.random.default_rng(8), 30, (4, 4), 0.95)
    pivoted, simplex = [], zero_sum._simplex_basis
    monkeypatch.setattr(
        zero_sum, "_simplex_basis", lambda games: pivoted.append(len(games)) or simplex(games)
    )
    solution = shapley_iteration(game)
    assert solution.sweeps > 100 and sum(pivoted) < 10 * game.n_states


def test_what_a_solution_holds():
    game = random_zero_sum(np.random.default_rng(3))
    solution = shapley_iteration(game)
    assert solution.history.shape == (solution.sweeps + 1, 4) and np.all(solution.history[0] == 0)
    assert np.array_equal(solution.history[-1], solution.v) and solution.v[-1] == 0
    model = (game.transition, game.reward[0], game.discount)
    assert np.array_equal(solution.q, joint_action_values(solution.v, *model))
    for before, after in zip(solution.history, solution.history[1:]):
        assert np.allclose(shapley_backup(before, *model), after, rtol=0, atol=1e-13)
    assert [p.shape for p in game.check_policies(solution.policies)] == [(4, 3), (4, 2)]


ZERO_SUM = random_zero_sum(np.random.default_rng(0))


@pytest.mark.parametrize(("game", "arguments", "named"), [
    (random_mdp(np.random.default_rng(0)), {}, "game"),
    (random_game(np.random.default_rng(0), n_actions=(2, 2, 2)), {}, "game"),
    (random_game(np.random.default_rng(0)), {}, "game"),
    (np.zeros((2, 2, 2)), {}, "game"),
    (None, {}, "game"),
    (ZERO_SUM, {"tolerance": 0.0}, "tolerance"),
    (ZERO_SUM, {"tolerance": np.nan}, "tolerance"),
    (ZERO_SUM, {"tolerance": "fine"}, "tolerance"),
    (ZERO_SUM, {"max_sweeps": 0}, "max_sweeps"),
    (ZERO_SUM, {"max_sweeps": 2.0}, "max_sweeps"),
    (ZERO_SUM, {"max_sweeps": 3}, "max_sweeps is 3"),
])  # fmt: skip
def test_bad_input(game, arguments, named):
    with pytest.raises(ValueError, match=named):
        shapley_iteration(game, **arguments)


action_counts = st.sampled_from([(3,), (2, 3), (1, 2), (3, 1), (2, 2, 2), (2, 1, 3)])


def terminating_game(rng, n_actions, discount=1.0, n_states=3) -> MarkovGame:
    """A game that ends with probability 0.1 or more in every step, whatever is done."""
    game = random_game(rng, n_states, n_actions, 0.9)
    leave = rng.uniform(0.1, 0.9, size=(n_states, *n_actions, 1))
    transition = (1 - leave) * game.transition + leave * np.eye(n_states)[-1]
    transition[-1] = np.eye(n_states)[-1]
    return MarkovGame(transition, game.reward, discount, terminal=game.terminal)


def by_following_the_chain(game: MarkovGame, policies, steps: int) -> np.ndarray:
    """``v[n, S]``: what is paid in the first ``steps`` steps, discounted, from every state; loops over joint actions."""
    chain, paid = np.zeros((game.n_states,) * 2), np.zeros((game.n_agents, game.n_states))
    for state in range(game.n_states):
        for joint in itertools.product(*(range(count) for count in game.n_actions)):
            chance = 1.0
            for agent, action in enumerate(joint):
                chance *= policies[agent][state][action]
            chain[state] += chance * game.transition[(state, *joint)]
            paid[:, state] += chance * game.reward[(slice(None), state, *joint)]
    v, where, weight = np.zeros_like(paid), np.eye(game.n_states), 1.0
    for _ in range(steps):
        v += weight * paid @ where.T
        where, weight = where @ chain, weight * game.discount
    return v


@given(seed_numbers, action_counts, st.booleans(), st.booleans())
def test_values_of_joint_policies(seed, counts, outcomes, terminal):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, counts, 0.8, outcomes, terminal)
    policies = random_policies(rng, game)
    v = joint_policy_evaluation(game, policies)
    assert v.shape == (len(counts), 3)
    assert np.allclose(v, by_following_the_chain(game, policies, 200), atol=1e-9)
    assert (v[:, game.terminal] == 0).all()
    for agent in range(game.n_agents):
        seen = game.induced_mdp(agent, policies)
        assert np.allclose(v[agent], policy_evaluation(seen, policies[agent]).v, atol=1e-9)
        assert np.allclose(v[agent], value_by_solving(seen, policies[agent]), atol=1e-9)


@given(seed_numbers, action_counts)
def test_values_without_discount(seed, counts):
    rng = np.random.default_rng(seed)
    game = terminating_game(rng, counts)
    policies = random_policies(rng, game)
    v = joint_policy_evaluation(game, policies)
    assert np.allclose(v, by_following_the_chain(game, policies, 400), atol=1e-9)
    assert (v[:, -1] == 0).all()
    for agent in range(game.n_agents):
        best = best_response(game, agent, policies)
        optimum = optimum_by_enumeration(game.induced_mdp(agent, policies))
        assert np.allclose(best.v, optimum, atol=1e-9)


@settings(max_examples=25)
@given(seed_numbers, action_counts, st.booleans())
def test_no_other_policy_is_better_than_the_best_response(seed, counts, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, counts, 0.9, outcomes)
    policies = random_policies(rng, game)
    v = joint_policy_evaluation(game, policies)
    for agent, count in enumerate(counts):
        others = [None if j == agent else policy for j, policy in enumerate(policies)]
        best = best_response(game, agent, others)
        assert (best.v >= v[agent] - 1e-9).all() and best.v[-1] == 0
        replaced = [best.policy if j == agent else policy for j, policy in enumerate(policies)]
        assert np.allclose(joint_policy_evaluation(game, replaced)[agent], best.v, atol=1e-9)
        deterministic = [
            joint_policy_evaluation(
                game, [*policies[:agent], np.eye(count)[list(actions)], *policies[agent + 1 :]]
            )[agent]
            for actions in itertools.product(range(count), repeat=3)
        ]
        assert np.allclose(best.v, np.max(deterministic, axis=0), atol=1e-9)


@settings(max_examples=20)
@given(seed_numbers, st.sampled_from([(3,), (2, 3), (2, 1, 2)]))
def test_rewards_that_are_broadcast_change_nothing(seed, counts):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, counts, 0.9)
    shape = (len(counts), *game.transition.shape)
    places = [
        (slice(None), slice(None), *[slice(0, 1)] * (len(counts) + 1)),  # depends on the state only
        (slice(None), *[slice(0, 1)] * (len(counts) + 1), slice(None)),  # on the state reached only
        (slice(0, 1), slice(None), slice(None), *[slice(0, 1)] * len(counts)),
        (slice(None), slice(None), slice(0, 1), Ellipsis),
    ]
    for place in places:
        few = rng.normal(size=shape)[place].copy()
        if few.shape[1] == 3:  # not to be paid where nothing is paid any more
            few[:, -1] = 0.0
            terminal = game.terminal
        else:
            terminal = None
        broadcast = np.broadcast_to(few, shape)
        twins = [
            MarkovGame(game.transition, None, 0.9, None, terminal, paid)
            for paid in (broadcast, np.array(broadcast))
        ]
        lean, dense = twins
        assert 0 in lean.outcome_reward.strides and 0 not in dense.outcome_reward.strides
        assert np.array_equal(lean.outcome_reward, dense.outcome_reward)
        assert np.allclose(lean.reward, dense.reward, atol=1e-12)
        assert not lean.outcome_reward.flags.writeable
        before = lean.outcome_reward.copy()
        few += 1.0  # the game keeps its own numbers
        assert np.array_equal(lean.outcome_reward, before)
        policies = random_policies(rng, game)
        values = [joint_policy_evaluation(twin, policies) for twin in twins]
        assert np.allclose(*values, atol=1e-12)
        for agent in range(len(counts)):
            seen = [twin.induced_mdp(agent, policies) for twin in twins]
            assert np.allclose(seen[0].outcome_reward, seen[1].outcome_reward, atol=1e-12)


def test_wrong_rewards_are_found_inside_a_broadcast_array():
    transition = np.full((2, 2, 3, 2), 0.5)
    shape = (2, *transition.shape)
    for wrong in (np.nan, np.inf):
        for where in ((1, 1, 0, 0, 0), (0, 0, 0, 0, 0)):
            few = np.zeros((2, 2, 1, 1, 1))
            few[where] = wrong
            with pytest.raises(ValueError, match=r"^outcome_reward\[\d, \d, 0, 0, 0\] is "):
                MarkovGame(transition, None, 0.9, outcome_reward=np.broadcast_to(few, shape))
    for wrong in ("a", 1j, None):
        with pytest.raises(ValueError, match=r"^outcome_reward\b"):
            MarkovGame(transition, None, 0.9, outcome_reward=np.broadcast_to(wrong, shape))
    with pytest.raises(ValueError, match=r"^outcome_reward\b"):
        MarkovGame(transition, None, 0.9, outcome_reward=np.broadcast_to(1.0, shape[:-1]))
    with pytest.raises(ValueError, match="terminal"):  # pays in a state that is terminal
        terminal = transition.copy()
        terminal[1] = [0, 1]
        MarkovGame(terminal, None, 0.9, None, [False, True], np.broadcast_to(1.0, shape))


def test_policies_that_never_terminate_have_no_value_without_discount():
    transition = np.zeros((2, 2, 1, 2))
    transition[0, 0, 0, 0] = transition[0, 1, 0, 1] = 1.0
    transition[1, ..., 1] = 1.0
    reward = np.zeros((2, 2, 2, 1))
    reward[:, 0] = -1.0
    game = MarkovGame(transition, reward, 1.0, terminal=[False, True], episodic=True)
    stays, leaves, other = [[1, 0]] * 2, [[0, 1]] * 2, [[1]] * 2
    with pytest.raises(ValueError, match="never terminates from state 0"):
        joint_policy_evaluation(game, [stays, other])
    assert joint_policy_evaluation(game, [leaves, other]).tolist() == [[-1, 0], [-1, 0]]
    assert joint_policy_evaluation(game, [[[0.5, 0.5]] * 2, other])[:, 0] == pytest.approx([-2, -2])
    assert best_response(game, 0, [None, other]).v.tolist() == [-1, 0]


GAME = two_cars(1)
HALF = np.full((5, 2), 0.5)
WRONG = [
    *(None, 5, [HALF], [HALF] * 3),
    *([HALF, bad] for bad in (None, HALF[:4], 2 * HALF, HALF * np.nan, [[1, 0], [1]], "a")),
]


@pytest.mark.parametrize(
    ("use", "named"),
    [
        *((lambda g=g: joint_policy_evaluation(g, [HALF, HALF]), "game") for g in (None, "game", GAME.reward)),
        *((lambda g=g: best_response(g, 0, [None, HALF]), "game") for g in (None, "game", GAME.reward)),
        *((lambda a=a: best_response(GAME, a, [HALF, HALF]), "agent") for a in (-1, 2, 0.0, None, True)),
        *((lambda w=w: joint_policy_evaluation(GAME, w), "policies") for w in WRONG),
        *((lambda w=w: best_response(GAME, 0, w), "policies") for w in WRONG),
    ],
)  # fmt: skip
def test_joint_policies_refuse_by_name(use, named):
    with pytest.raises(ValueError, match=rf"^{named}\b"):
        use()


def test_a_strategy_is_a_policy_where_there_is_one_state():
    game = CATALOGUE["chicken"].game
    strategies = [[0.25, 0.75], np.array([0.5, 0.5])]
    expected = expected_payoffs(game, strategies)
    assert np.allclose(joint_policy_evaluation(game, strategies)[:, 0], expected)
    assert best_response(game, 0, [None, [0.5, 0.5]]).policy.tolist() == [[0, 1]]
    for wrong in ([0.25, 0.75, 0.0], [0.5, 0.6], [], "ab"):
        with pytest.raises(ValueError, match=r"policies\[0\]"):
            joint_policy_evaluation(game, [wrong, [0.5, 0.5]])
    with pytest.raises(ValueError, match=r"policies\[0\]"):
        joint_policy_evaluation(two_cars(1), [[0.5, 0.5], [0.5, 0.5]])
