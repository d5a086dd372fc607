"""The world of one agent at every moment of a training run, against one moment at a time, plain loops and playing."""

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

from marl_lessons.algorithms.tables.independent_q import (
    IndependentConfig,
    behaviour_policies,
    independent_q_learning,
)
from marl_lessons.envs.cars.one_car import crossroads
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.games.catalogue import CATALOGUE, speed_check
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.stepping import Worlds, rollout
from marl_lessons.evaluation.moving_target.drift import drift, kernel_drift, reward_drift
from marl_lessons.evaluation.moving_target.induced import (
    best_response_values,
    expected_targets,
    expected_td_errors,
    induced_arrays,
    joint_action_mdp,
    policy_values,
    product_policy,
    visit_rates,
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
def test_best_responses_of_every_moment(seed, n_actions, leading, discount):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions, discount)
    policies = histories(rng, game, leading)
    for agent in range(len(n_actions)):
        q = best_response_values(*induced_arrays(game, agent, policies), discount, game.terminal)
        for moment in np.ndindex(leading):
            joint = at(policies, moment)
            mdp = game.induced_mdp(agent, joint)
            assert np.allclose(q[moment].max(axis=-1), optimum_by_enumeration(mdp), atol=1e-10)
            assert np.allclose(q[moment], best_response(game, agent, joint).q, atol=1e-10)


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


@pytest.mark.parametrize("function", [induced_arrays, lambda g, i, p: visit_rates(g, p)])
@pytest.mark.parametrize(("game", "policies", "named"), [
    ("two cars", FINE, "game"),
    (GAME, None, "policies"),
    (GAME, FINE[:1], "policies"),
    (GAME, [*FINE, FINE[0]], "policies"),
    (GAME, [FINE[0], "x"], r"policies\[1\]"),
    (GAME, [FINE[0], FINE[1][:, :9]], r"policies\[1\]"),
    (GAME, [FINE[0], FINE[0] * 2], r"policies\[1\].*sum"),
    (GAME, [FINE[0], FINE[0] * [-1, 3]], r"policies\[1\].*negative"),
    (GAME, [FINE[0], FINE[0] * np.nan], r"policies\[1\].*nan"),
])  # fmt: skip
def test_what_is_refused(function, game, policies, named):
    with pytest.raises(ValueError, match=named):
        function(game, 0, policies)


@pytest.mark.parametrize("agent", [2, -1, True, 0.0])
def test_an_agent_that_is_none_is_refused(agent):
    for function in (induced_arrays, lambda game, agent, policies: joint_action_mdp(game, agent)):
        with pytest.raises(ValueError, match="agent"):
            function(GAME, agent, FINE)


def ending_game(rng, n_states=4, n_actions=(2, 3)) -> MarkovGame:
    """A random game of which every step ends the episode with probability 0.1 or more."""
    transition = random_kernel(rng, (n_states, *n_actions), n_states)
    leave = rng.uniform(0.1, 0.9, size=(n_states, *n_actions, 1))
    transition = (1 - leave) * transition + leave * np.eye(n_states)[-1]
    transition[-1] = np.eye(n_states)[-1]
    reward = np.zeros((len(n_actions), n_states, *n_actions))
    terminal = np.arange(n_states) == n_states - 1
    initial = np.append(rng.dirichlet(np.full(n_states - 1, 0.5)), 0.0)
    return MarkovGame(transition, reward, 0.9, initial=initial, terminal=terminal)


def by_summing(game, policies, n_steps=4_000):
    """How often each state is visited in an episode, Σ_t μ P^t over non-terminal states, in plain loops."""
    n = game.n_states
    chain = np.zeros((n, n))
    for s in range(n):
        for joint in np.ndindex(game.n_actions):
            p = np.prod([policies[i][s, a] for i, a in enumerate(joint)])
            chain[s] += p * game.transition[(s, *joint)]
    now, visits = game.initial.copy(), np.zeros(n)
    for _ in range(n_steps):
        now = np.where(game.terminal, 0.0, now)
        visits += now
        now = now @ chain
    return visits / visits.sum()


@given(seed_numbers)
def test_equals_the_sum_over_time(seed):
    rng = np.random.default_rng(seed)
    actions = tuple(rng.integers(1, 4, size=rng.integers(1, 4)).tolist())
    game = ending_game(rng, int(rng.integers(2, 5)), actions)
    policies = random_policies(rng, game)
    rates = visit_rates(game, policies)
    assert rates == pytest.approx(by_summing(game, policies, 400), abs=1e-9)
    assert rates.sum() == pytest.approx(1.0) and rates[-1] == 0.0


def test_whole_histories():
    """Leading axes: every moment and seed by itself."""
    rng = np.random.default_rng(1)
    game = ending_game(rng)
    moments = [[random_policies(rng, game) for _ in range(3)] for _ in range(2)]
    stacked = [np.array([[p[i] for p in row] for row in moments]) for i in range(2)]
    rates = visit_rates(game, stacked)
    assert rates.shape == (2, 3, 4)
    for k, row in enumerate(moments):
        for e, policies in enumerate(row):
            assert rates[k, e] == pytest.approx(by_summing(game, policies, 400), abs=1e-9)


def test_two_cars_that_wait_by_chance():
    game = two_cars(slip=0.2)
    policies = [np.tile([0.4, 0.6], (10, 1)), np.tile([0.7, 0.3], (10, 1))]
    rates = visit_rates(game, policies)
    assert rates == pytest.approx(by_summing(game, policies), abs=1e-12)
    rng, steps = np.random.default_rng(0), 60_000
    worlds, seen = Worlds(game, 200), np.zeros(10)
    states = worlds.reset(rng)
    for _ in range(steps // 200):
        seen += np.bincount(states, minlength=10)
        actions = np.column_stack([rng.random(200) < p[states, 1] for p in policies]).astype(int)
        step = worlds.step(actions, rng)
        states = worlds.reset_where(step.terminated | step.truncated, rng)
    # Steps of an episode depend on each other; six times the deviation of independent ones.
    assert (np.abs(seen / steps - rates) < 6 * np.sqrt(rates * (1 - rates) / steps) + 1e-3).all()


def test_episodes_played_one_by_one():
    game, rng = crossroads(distance=2), np.random.default_rng(2)
    policies = [np.tile([0.5, 0.5], (game.n_states, 1))]
    seen = np.zeros(game.n_states)
    for _ in range(1_500):
        episode = rollout(game, policies, rng, time_limit=100_000)
        seen += np.bincount(episode.states[:-1], minlength=game.n_states)
    rates, n = visit_rates(game, policies), seen.sum()
    assert rates == pytest.approx(by_summing(game, policies), abs=1e-9)
    assert (np.abs(seen / n - rates) < 6 * np.sqrt(rates * (1 - rates) / n) + 1e-3).all()


def test_waiting_for_a_coin_by_hand():
    """From state 0 to 1 with p, then out with q: 1/p steps in 0 and 1/q in 1."""
    for p, q in ((0.5, 0.5), (0.1, 1.0), (0.9, 0.003)):
        transition = np.zeros((3, 1, 3))
        transition[:, 0] = [[1 - p, p, 0], [0, 1 - q, q], [0, 0, 1]]
        game = MarkovGame(
            transition, np.zeros((1, 3, 1)), 0.9, [1, 0, 0], np.array([False, False, True])
        )
        rates = visit_rates(game, [np.ones((3, 1))])
        assert rates == pytest.approx(np.array([q, p, 0]) / (p + q))


def test_one_state():
    game = CATALOGUE["chicken"].game
    assert visit_rates(game, [[[0.5, 0.5]], [[1.0, 0.0]]]).tolist() == [1.0]
    many = np.broadcast_to([[0.3, 0.7]], (5, 2, 1, 2))
    assert np.array_equal(visit_rates(game, [many, many]), np.ones((5, 2, 1)))


WAIT = np.tile([1.0, 0.0], (10, 1))
HALF = np.full((10, 2), 0.5)


@pytest.mark.parametrize("policies", [[WAIT, WAIT], [WAIT, HALF], [HALF, WAIT]])
def test_policies_that_never_end(policies):
    with pytest.raises(ValueError, match=r"^game: .* never ends"):
        visit_rates(two_cars(), policies)
    moments = [np.stack([HALF, policy]) for policy in policies]
    with pytest.raises(ValueError, match=r"^game: .* never ends"):
        visit_rates(two_cars(), moments)


def test_a_loop_nobody_reaches_is_refused_too():
    transition = np.zeros((3, 1, 3))
    transition[:, 0] = [[0, 0, 1], [0, 1, 0], [0, 0, 1]]
    game = MarkovGame(
        transition, np.zeros((1, 3, 1)), 0.9, [1, 0, 0], np.array([False, False, True])
    )
    with pytest.raises(ValueError, match=r"^game"):
        visit_rates(game, [np.ones((3, 1))])


@given(seed_numbers, st.sampled_from([(2, 3), (3, 1, 2), (4,)]), st.booleans())
def test_every_number_is_that_of_the_game(seed, n_actions, outcomes):
    game = random_game(np.random.default_rng(seed), 3, n_actions, outcomes=outcomes)
    for agent in range(len(n_actions)):
        mdp = joint_action_mdp(game, agent)
        assert mdp.is_mdp and mdp.discount == game.discount
        np.testing.assert_array_equal(mdp.terminal, game.terminal)
        np.testing.assert_array_equal(mdp.initial, game.initial)
        joint_actions = list(itertools.product(*map(range, n_actions)))
        assert mdp.n_actions == (len(joint_actions),)
        for s, (number, joint) in itertools.product(range(3), enumerate(joint_actions)):
            np.testing.assert_allclose(
                mdp.transition[s, number], game.transition[s, *joint], rtol=1e-14
            )
            assert mdp.reward[0, s, number] == pytest.approx(game.reward[agent, s, *joint])
            if outcomes:
                paid = game.outcome_reward[agent, s, *joint]
                np.testing.assert_array_equal(mdp.outcome_reward[0, s, number], paid)
            names = ", ".join(game.action_names[i][a] for i, a in enumerate(joint))
            assert mdp.action_names[0][number] == names


@pytest.mark.parametrize("name", ["crossing", "speed check"])
def test_learning_moves_the_world_of_one_agent_and_not_that_of_all(name):
    """Over a run of independent Q-learning; the second world is computed anew at every moment, from that moment's policy."""
    game = two_cars(distance=2) if name == "crossing" else speed_check().game
    config = IndependentConfig(n_steps=1500, step_size=0.05, temperature=0.3, time_limit=None, n_records=15)  # fmt: skip
    policies = behaviour_policies(independent_q_learning(game, config, 2), config)
    transition, reward = induced_arrays(game, 0, policies)
    moved = reward_drift(reward) if game.is_matrix_game else kernel_drift(transition)
    assert (moved.max(axis=(-2, -1)) > 1e-3).mean() > 0.9
    measured = drift(game, 0, policies)
    np.testing.assert_array_equal(
        moved.max(axis=(-2, -1)), measured.reward if game.is_matrix_game else measured.kernel
    )

    mdp, joint = joint_action_mdp(game, 0), product_policy(policies)
    assert np.abs(np.diff(joint, axis=0)).max() > 0.01
    moments = [mdp.induced_mdp(0, [policy]) for policy in joint[:, 0]]
    assert (kernel_drift(np.stack([m.transition for m in moments])) == 0).all()
    assert (reward_drift(np.stack([m.reward[0] for m in moments])) == 0).all()


def by_hand(game, agent: int, policies):
    """Expected kernel ``[S, A, S]``, reward ``[S, A]`` and joint mass of (outcome, reward) by sums over
    joint actions."""
    n_states, own = game.n_states, game.n_actions[agent]
    kernel, reward = np.zeros((n_states, own, n_states)), np.zeros((n_states, own))
    paid = np.zeros((n_states, own, n_states))
    for s in range(n_states):
        for actions in itertools.product(*map(range, game.n_actions)):
            weight = 1.0
            for j, a in enumerate(actions):
                if j != agent:
                    weight *= policies[j][s, a]
            at = (s, *actions)
            kernel[s, actions[agent]] += weight * game.transition[at]
            reward[s, actions[agent]] += weight * game.reward[(agent, *at)]
            if game.outcome_reward is not None:
                paid[s, actions[agent]] += (
                    weight * game.transition[at] * game.outcome_reward[(agent, *at)]
                )
    return kernel, reward, paid


@given(seed_numbers, sizes, st.booleans())
def test_against_sums_over_joint_actions(seed, n_actions, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions, outcomes=outcomes)
    policies = random_policies(rng, game)
    for agent in range(len(n_actions)):
        hidden = [None if i == agent else p for i, p in enumerate(policies)]
        mdp = game.induced_mdp(agent, hidden)
        kernel, reward, paid = by_hand(game, agent, policies)
        assert np.allclose(mdp.transition, kernel, atol=1e-12) and np.allclose(
            mdp.reward[0], reward, atol=1e-12
        )
        assert mdp.is_mdp and mdp.n_actions == (n_actions[agent],)
        assert np.array_equal(mdp.terminal, game.terminal) and np.array_equal(
            mdp.initial, game.initial
        )
        assert mdp.discount == game.discount and mdp.action_names == (game.action_names[agent],)
        assert (mdp.outcome_reward is None) == (not outcomes)
        if outcomes:
            assert np.allclose(mdp.transition * mdp.outcome_reward[0], paid, atol=1e-12)


@given(seed_numbers, sizes)
def test_the_agents_own_policy_is_ignored(seed, n_actions):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    policies = random_policies(rng, game)
    for own in (None, "junk", np.zeros(3)):
        mdp = game.induced_mdp(0, [own, *policies[1:]])
        assert np.array_equal(mdp.transition, game.induced_mdp(0, policies).transition)


@pytest.mark.parametrize("agent", [0, 1])
def test_two_cars_seen_by_one(agent):
    """If the other always waits, nothing but the own car moves; if it always goes, entering together is a
    crash."""
    game = two_cars(distance=1, slip=0.0)
    start = int(game.initial.argmax())
    waits, goes = (np.eye(2)[np.full(5, a)] for a in (0, 1))
    alone = game.induced_mdp(agent, [waits, waits])
    meets = game.induced_mdp(agent, [goes, goes])
    passed = 1 if agent == 0 else 2  # states are (cells of car 0, cells of car 1) in C order
    assert alone.transition[start, 1, passed] == 1 and alone.reward[0, start, 1] == 1.0
    assert meets.transition[start, 1, 4] == 1 and meets.reward[0, start, 1] == -11.0
    assert meets.transition[start, 0, 3 - passed] == 1 and meets.reward[0, start, 0] == -1.0
