"""The world of one agent at every moment of a training run, against one moment at a time and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import (
    optimum_by_enumeration,
    random_game,
    random_kernel,
    random_mdp,
    random_policy,
    random_terminating_mdp,
    seed_numbers,
    value_by_solving,
)

from marl_lessons.envs import MarkovGame, two_cars
from marl_lessons.envs.games.catalogue import CATALOGUE
from marl_lessons.evaluation.distances import regrets
from marl_lessons.evaluation.moving_target.induced import (
    best_actions,
    best_response_values,
    expected_targets,
    expected_td_errors,
    induced_arrays,
    policy_values,
    product_policy,
    regret_history,
)
from marl_lessons.solvers import best_response

sizes = st.sampled_from([(2, 3), (3, 2), (2, 3, 4), (3, 1, 2)])
leading_axes = st.sampled_from([(), (3,), (2, 3), (2, 1, 2)])


def histories(rng, game, leading) -> list[np.ndarray]:
    """Random policies ``[*leading, S, A_j]`` of every agent."""
    return [random_kernel(rng, (*leading, game.n_states), a) for a in game.n_actions]


def at(policies, moment):
    """The joint policy of one moment."""
    return [policy[moment] for policy in policies]


@given(seed_numbers, sizes, leading_axes, st.booleans())
def test_every_moment_is_an_induced_mdp(seed, n_actions, leading, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions, outcomes=outcomes)
    policies = histories(rng, game, leading)
    for agent, own in enumerate(n_actions):
        hidden = [None if j == agent else p for j, p in enumerate(policies)]
        transition, reward = induced_arrays(game, agent, hidden)
        assert transition.shape == (*leading, 3, own, 3) and reward.shape == (*leading, 3, own)
        for moment in np.ndindex(leading):
            mdp = game.induced_mdp(agent, at(policies, moment))
            assert np.allclose(transition[moment], mdp.transition, atol=1e-13)
            assert np.allclose(reward[moment], mdp.reward[0], atol=1e-13)


@given(seed_numbers, sizes)
def test_joint_actions_are_numbered_as_the_game_numbers_them(seed, n_actions):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    policies = histories(rng, game, (2,))
    for k in range(2):
        expected = game.joint_policy(at(policies, k))
        assert np.allclose(product_policy(policies)[k], expected, atol=1e-14)


@settings(max_examples=25)
@given(seed_numbers, sizes, leading_axes, st.sampled_from([0.0, 0.5, 0.95]))
def test_regrets_and_best_responses_of_every_moment(seed, n_actions, leading, discount):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions, discount)
    policies = histories(rng, game, leading)
    for agent in range(len(n_actions)):
        found = regret_history(game, agent, policies)
        q = best_response_values(*induced_arrays(game, agent, policies), discount, game.terminal)
        assert np.shape(found) == leading
        for moment in np.ndindex(leading):
            joint = at(policies, moment)
            assert abs(found[moment] - regrets(game, joint)[agent]) < 1e-10
            mdp = game.induced_mdp(agent, joint)
            assert np.allclose(q[moment].max(axis=-1), optimum_by_enumeration(mdp), atol=1e-10)
            assert np.allclose(q[moment], best_response(game, agent, joint).q, atol=1e-10)


def test_regrets_in_known_games():
    """Matching pennies: against heads with probability p the best gains |2p - 1| (payoffs 1 and -1), mixing evenly 0."""
    game, p = CATALOGUE["matching pennies"].game, np.linspace(0, 1, 5)
    other = np.stack([p, 1 - p], axis=-1)[:, None]
    even = np.full((5, 1, 2), 0.5)
    for agent in range(2):
        policies = [other, other]
        policies[agent] = even
        assert np.allclose(regret_history(game, agent, policies), np.abs(2 * p - 1))
    assert np.array_equal(best_actions([[1.0, 1.0 - 1e-10, 0.9]]), [[True, True, False]])


@given(seed_numbers)
def test_rounding_makes_no_regret_negative(seed):
    """All actions are worth the same, so there is nothing to gain; mixing them rounds up as often as down."""
    rng = np.random.default_rng(seed)
    game = MarkovGame(np.ones((1, 3, 1)), np.full((1, 1, 3), rng.uniform()), 0.5)
    found = regret_history(game, 0, [rng.dirichlet(np.ones(3), size=(50, 1))])
    assert (found >= 0).all() and found.max() < 1e-14


@given(seed_numbers)
def test_discount_one_where_every_policy_terminates(seed):
    rng = np.random.default_rng(seed)
    mdp = random_terminating_mdp(rng, 4, 3)
    policies = [np.stack([random_policy(rng, 4, 3) for _ in range(3)])]
    found = regret_history(mdp, 0, policies)
    for k in range(3):
        gain = optimum_by_enumeration(mdp) - value_by_solving(mdp, policies[0][k])
        assert abs(found[k] - max(mdp.initial @ gain, 0)) < 1e-8


@given(seed_numbers)
def test_policies_of_many_moments_are_worth_what_each_is(seed):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 4, (2, 3), 0.9)
    policies = histories(rng, game, (2, 2))
    world = (*induced_arrays(game, 1, policies), 0.9, game.terminal)
    values = policy_values(policies[1], *world)
    for moment in np.ndindex(2, 2):
        mdp = game.induced_mdp(1, at(policies, moment))
        expected = value_by_solving(mdp, policies[1][moment])
        assert np.allclose(values[moment], expected, atol=1e-11)


@given(seed_numbers, st.sampled_from([0.0, 0.9]))
def test_td_errors_in_plain_loops(seed, discount):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, (2, 3), discount)
    q = rng.normal(size=(2, 3, 2))  # also in the terminal state, where nothing is learned
    transition, reward = induced_arrays(game, 0, histories(rng, game, (2,)))
    errors = expected_td_errors(q, transition, reward, discount, game.terminal)
    for k, s, a in np.ndindex(2, 3, 2):
        target = reward[k, s, a]
        for t in range(3):
            if not game.terminal[t]:
                target += discount * transition[k, s, a, t] * max(q[k, t])
        assert abs(errors[k, s, a] - (0 if game.terminal[s] else target - q[k, s, a])) < 1e-13


@given(seed_numbers)
def test_a_best_responders_table_has_no_error_and_others_have(seed):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 4, (3, 2, 2), 0.9)
    world = (*induced_arrays(game, 2, histories(rng, game, (3,))), 0.9, game.terminal)
    q = best_response_values(*world)
    assert np.abs(expected_td_errors(q, *world)).max() < 1e-11
    moved = q + 0.5 * ~game.terminal[:, None]  # E[error] = γ c P(next is not terminal) - c
    assert expected_td_errors(moved, *world)[:, :-1].max() < -0.5 * (1 - 0.9) + 1e-9
    assert np.allclose(expected_targets(q, *world), q, atol=1e-11)


def test_ties_and_nearly_endless_horizons_end():
    """Equal actions everywhere, and a discount so close to 1 that values of 1e6 are rounded at 1e-10."""
    transition = np.broadcast_to(np.full(3, 1 / 3), (2, 3, 2, 3))
    never = np.zeros(3, dtype=bool)
    q = best_response_values(transition, np.ones((2, 3, 2)), 1 - 1e-6, never)
    assert np.allclose(q, 1e6, rtol=1e-9)
    rng = np.random.default_rng(0)
    mdp = random_mdp(rng, 6, 4, 1 - 1e-6)
    world = (mdp.transition, mdp.reward[0], mdp.discount, mdp.terminal)
    assert np.abs(expected_td_errors(best_response_values(*world), *world)).max() < 1e-8


GAME = two_cars()
FINE = [np.full((4, 10, 2), 0.5)] * 2
SUM_2, NEGATIVE, UNKNOWN = FINE[0] * 2, FINE[0] * [-1, 3], FINE[0] * np.nan


@pytest.mark.parametrize("function", [induced_arrays, regret_history])
@pytest.mark.parametrize(
    ("agent", "policies", "named"),
    [
        (2, FINE, "agent"),
        (-1, FINE, "agent"),
        (True, FINE, "agent"),
        (0.0, FINE, "agent"),
        (0, None, "policies"),
        (0, "ab", "policies"),
        (0, 3, "policies"),
        (0, np.array(0.5), "policies"),
        (0, FINE[:1], "policies"),
        (0, [*FINE, FINE[0]], "policies"),
        (0, [FINE[0], None], r"policies\[1\]"),
        (0, [FINE[0], "x"], r"policies\[1\]"),
        (0, [FINE[0], FINE[1][..., :1]], r"policies\[1\]"),
        (0, [FINE[0], FINE[1][:, :9]], r"policies\[1\]"),
        (0, [FINE[0], FINE[1][0, 0]], r"policies\[1\]"),
        (0, [FINE[0][:0], FINE[1][:0]], r"policies\[.\] has leading axes"),
        (0, [FINE[0], SUM_2], r"policies\[1\].*sum"),
        (0, [FINE[0], NEGATIVE], r"policies\[1\].*negative"),
        (0, [FINE[0], UNKNOWN], r"policies\[1\].*nan"),
        (0, [FINE[0], FINE[1] + 0j], r"policies\[1\]"),
    ],
)
def test_what_is_refused(function, agent, policies, named):
    with pytest.raises(ValueError, match=named):
        function(GAME, agent, policies)


def test_more_that_is_refused():
    with pytest.raises(ValueError, match="game"):
        induced_arrays("two cars", 0, FINE)
    with pytest.raises(ValueError, match="leading axes"):
        regret_history(GAME, 0, [FINE[0][:3], FINE[1]])
    with pytest.raises(ValueError, match="leading axes"):
        induced_arrays(CATALOGUE["matching pennies"].game, 0, [None, np.ones((0, 1, 2)) / 2])
    endless = MarkovGame(
        GAME.transition, GAME.reward, 1.0, GAME.initial, GAME.terminal, episodic=True
    )
    with pytest.raises(ValueError, match="game: discount is 1"):
        regret_history(endless, 0, FINE)
    for bad in ([1.0, 2.0], [[np.nan, 1.0]], "q", [[]]):
        with pytest.raises(ValueError, match="q"):
            best_actions(bad)
    for bad in (-1e-3, True, np.inf, None):
        with pytest.raises(ValueError, match="tolerance"):
            best_actions([[1.0, 2.0]], bad)
