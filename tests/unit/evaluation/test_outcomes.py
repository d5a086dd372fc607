"""Where learners end, and what actions seem to be worth: against enumeration, plain loops and play."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from marl_lessons.algorithms.tables.independent_q import (
    IndependentConfig,
    behaviour,
    greedy_actions,
    independent_q_learning,
)
from marl_lessons.algorithms.tables.rules import Hysteretic
from marl_lessons.algorithms.tables.schedules import Linear
from marl_lessons.envs.cars.one_car import crossroads
from marl_lessons.envs.cars.two_cars import first_to_pass, two_cars
from marl_lessons.envs.games.catalogue import (
    CATALOGUE,
    lottery_game,
    penalty,
    speed_check,
    stochastic_climbing,
)
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.stepping import rollout
from marl_lessons.evaluation.distances import (
    found_policies,
    outcome_counts,
    passing_chances,
    settled_value,
    values_against,
)
from marl_lessons.evaluation.statistics import wilson_interval
from marl_lessons.solvers import stationary_equilibria

CLIMBING = CATALOGUE["climbing"].game
PAYOFFS = np.array([[11, -30, 0], [-30, 7, 0], [0, 6, 5]], dtype=float)


@given(st.integers(0, 10**6))
def test_outcomes_are_counted(seed):
    rng = np.random.default_rng(seed)
    n_actions = tuple(int(a) for a in rng.integers(1, 4, size=rng.integers(1, 4)))
    actions = np.stack([rng.integers(0, a, size=50) for a in n_actions], axis=1)
    counts = outcome_counts(actions, n_actions)
    assert counts.shape == n_actions and counts.sum() == 50
    for joint in np.ndindex(n_actions):
        assert counts[joint] == sum(tuple(row) == joint for row in actions.tolist())


@pytest.mark.parametrize(("actions", "n_actions", "named"), [
    ([[0, 3]], (3, 3), "actions"),
    ([[0, 1, 2]], (3, 3), "actions"),
    ([[0.0, 1.0]], (3, 3), "actions"),
])  # fmt: skip
def test_outcomes_refuse(actions, n_actions, named):
    with pytest.raises(ValueError, match=named):
        outcome_counts(actions, n_actions)


def test_kinds_of_joint_policies_are_told_apart():
    kinds = np.array([[[0], [0]], [[1], [1]], [[2], [2]]])
    found = found_policies(CLIMBING, kinds[[2, 1, 2, 0, 2, 1]])
    assert found.counts.tolist() == [3, 2, 1] and found.which.tolist() == [0, 1, 0, 2, 0, 1]
    assert [p[0][0].argmax() for p in found.policies] == [2, 1, 0]
    # (C, C) pays 5; the column agent could have 6, the row agent nothing better.
    np.testing.assert_allclose(found.regrets, [[0, 1], [0, 0], [0, 0]], atol=1e-12)


def test_found_policies_refuse():
    with pytest.raises(ValueError, match="game"):
        found_policies("climbing", [[[0], [0]]])
    for wrong in ([[[3], [0]]], [[0, 0]], [[[0], [0], [0]]]):
        with pytest.raises(ValueError, match="actions"):
            found_policies(CLIMBING, wrong)


def test_who_passes_first_agrees_with_play():
    game = two_cars(distance=2, slip=0.3)
    rng = np.random.default_rng(3)
    policies = [rng.dirichlet([1, 1], size=game.n_states) for _ in range(2)]
    chances = passing_chances(game, policies)
    assert sum(chances) == pytest.approx(1)
    firsts = []
    for seed in range(1500):
        states = rollout(game, policies, np.random.default_rng(seed), time_limit=500).states
        firsts.append(first_to_pass(states, 2))
    shares = [firsts.count(car) / len(firsts) for car in (0, 1, None)]
    np.testing.assert_allclose(shares, chances[:3], atol=4 * np.sqrt(0.25 / 1500))


def test_who_passes_first_by_hand():
    """Both one cell away, both go: alone with chance slip (1 - slip), a crash with (1 - slip)²; else again."""
    game = two_cars(distance=1, slip=0.2)
    go, wait = np.tile([0.0, 1.0], (5, 1)), np.tile([1.0, 0.0], (5, 1))
    chances = passing_chances(game, [go, go])
    again = 1 - 0.2**2
    np.testing.assert_allclose(chances, [0.16 / again, 0.16 / again, 0.64 / again, 0], atol=1e-9)
    np.testing.assert_allclose(passing_chances(game, [go, wait]), [1, 0, 0, 0], atol=1e-9)
    np.testing.assert_allclose(passing_chances(game, [wait, wait]), [0, 0, 0, 1], atol=1e-9)


def test_who_passes_first_refuses_other_games():
    for game in (CLIMBING, crossroads(), "two cars"):
        with pytest.raises(ValueError, match="game"):
            passing_chances(game, [])
    with pytest.raises(ValueError, match="policies"):
        passing_chances(two_cars(), [np.ones((10, 2))] * 2)


def test_learners_find_one_of_the_two_pure_equilibria():
    game = two_cars(distance=2)
    config = IndependentConfig(
        n_steps=4000, step_size=0.02, temperature=0.2, time_limit=None, n_records=1
    )
    found = found_policies(game, greedy_actions(independent_q_learning(game, config, 60))[-1])
    assert (found.regrets[0] < 1e-6).all() and found.counts[:2].sum() >= 57
    pure = [e for e in stationary_equilibria(game) if np.isin(e.policies[0], (0, 1)).all()]
    exact = {tuple(np.round(passing_chances(game, e.policies), 6)) for e in pure}
    seen = {tuple(np.round(passing_chances(game, p), 6)) for p in found.policies[:2]}
    assert len(exact) == 2 and seen == exact


@given(st.integers(0, 10**6), st.floats(0.01, 1))
def test_good_and_bad_news_balance(seed, ratio):
    rng = np.random.default_rng(seed)
    rewards, chances = rng.normal(0, 10, size=5).round(1), rng.dirichlet(np.ones(5))
    chances[0] = 0.0
    chances /= chances.sum()

    def push(q):
        return (chances * np.where(rewards > q, rewards - q, ratio * (rewards - q))).sum()

    expected = brentq(push, rewards.min() - 1, rewards.max() + 1)
    assert settled_value(rewards, chances, ratio) == pytest.approx(expected, abs=1e-8)


def test_limits_of_optimism():
    rewards, chances = np.array([14.0, 0.0, 99.0]), np.array([0.5, 0.5, 0.0])
    assert settled_value(rewards, chances, 1.0) == 7
    assert settled_value(rewards, chances, 0.0) == 14
    for ratio in (0.1, 3 / 11, 0.5):
        assert settled_value(rewards, chances, ratio) == pytest.approx(14 / (1 + ratio))


def test_averages_against_a_partner_at_random():
    uniform = np.full(3, 1 / 3)
    np.testing.assert_allclose(values_against(CLIMBING, 0, uniform), np.array([-19, -23, 11]) / 3)
    np.testing.assert_allclose(values_against(CLIMBING, 1, uniform), np.array([-19, -17, 5]) / 3)
    np.testing.assert_allclose(
        values_against(stochastic_climbing(), 1, uniform), np.array([-19, -17, 5]) / 3
    )
    for k in (-5, -8, -20):
        corner, middle, _ = values_against(penalty(k).game, 0, uniform)
        assert corner == pytest.approx((k + 10) / 3) and middle == pytest.approx(2 / 3)


def test_a_partner_who_explores_little_enough():
    """(C, C) holds together only while ε > 0.12: then column agent's B, 6 - 35 ε / 3, is worth less than its C, 5 - 10 ε / 3."""
    for epsilon in (0.10, 0.119, 0.121, 0.3):
        partner = behaviour(np.eye(3)[2], epsilon)
        value = values_against(CLIMBING, 1, partner)
        assert value[1] == pytest.approx(6 - 35 * epsilon / 3)
        assert value[2] == pytest.approx(5 - 10 * epsilon / 3)
        assert (value.argmax() == 2) == (epsilon > 0.12)


def test_where_optimism_settles_is_where_tables_settle():
    """One agent learns with a small step against a partner at random; the mean of its table is where the algebra says."""
    game, ratio = stochastic_climbing(), 0.1
    expected = values_against(game, 0, np.full(3, 1 / 3), ratio)
    by_hand = [(11 - 30 * ratio) / (1 + 2 * ratio), (14 - 60 * ratio) / (1 + 5 * ratio)]
    np.testing.assert_allclose(expected[:2], by_hand)
    config = IndependentConfig(
        n_steps=6000, step_size=0.01, epsilon=1.0, optimism=Hysteretic(0.001), n_records=1
    )
    q = independent_q_learning(game, config, 40).q[-1, :, 0, 0]
    np.testing.assert_allclose(q.mean(axis=0), expected, atol=0.3)


def test_hysteretic_pairs_find_the_optimum_three_times_as_often():
    plain = IndependentConfig(
        n_steps=2000,
        epsilon=Linear(1, 0, 2000, per="step"),
        time_limit=None,
        n_records=1,
    )
    optimistic = IndependentConfig(
        n_steps=2000,
        epsilon=Linear(1, 0, 2000, per="step"),
        time_limit=None,
        n_records=1,
        optimism=Hysteretic(0.01),
    )
    found = []
    for config in (plain, optimistic):
        history = independent_q_learning(CLIMBING, config, 300)
        found.append(outcome_counts(greedy_actions(history)[-1, :, :, 0], (3, 3)))
    low, high = wilson_interval([count[0, 0] for count in found], 300)
    assert low[1] > 3 * high[0], "also where chance is against it"
    assert found[0][2].sum() >= 290, "plain pairs end where agent 1 plays safe"


@pytest.mark.parametrize("named, changes", [
    ("game", [{"game": two_cars()}, {"game": crossroads()}, {"game": PAYOFFS}]),
    ("agent", [{"agent": 2}]),
    ("partner", [{"partner": [0.5, 0.5]}, {"partner": [0.5, 0.4, 0.4]}]),
    ("ratio", [{"ratio": 1.5}, {"ratio": True}]),
])  # fmt: skip
def test_values_refuse(named, changes):
    for change in changes:
        given_values = {"game": CLIMBING, "agent": 0, "partner": [0.5, 0.25, 0.25], "ratio": 0.5}
        with pytest.raises(ValueError, match=named):
            values_against(**given_values | change)


def test_values_of_other_shapes():
    """Agents with different numbers of actions, either side, with and without chance."""
    draws = np.array([[[[1, 2, 3], [4, 5, 6]]] * 2, [[[7, 8, 9], [0, 0, 0]]] * 2], dtype=float)
    game = lottery_game(draws, (0.25, 0.75))
    mean = 0.25 * draws[0, 0] + 0.75 * draws[1, 0]
    partner = np.array([0.2, 0.3, 0.5])
    np.testing.assert_allclose(values_against(game, 0, partner), mean @ partner)
    np.testing.assert_allclose(values_against(game, 1, [0.4, 0.6]), np.array([0.4, 0.6]) @ mean)
    check = speed_check().game
    np.testing.assert_allclose(values_against(check, 0, [0.25, 0.75]), [0, 0], atol=1e-12)


def one_step(initial, follows, discount=0.0):
    """Three states, the last two terminal unless ``follows`` says otherwise; two agents with two actions each."""
    transition = np.zeros((3, 2, 2, 3))
    transition[0] = follows
    transition[[1, 2], ..., [1, 2]] = 1.0
    reward = np.arange(24.0).reshape(2, 3, 2, 2) * [[[[1.0]], [[0.0]], [[0.0]]]]
    return MarkovGame(transition, reward, discount, np.array(initial), np.arange(3) > 0)


@pytest.mark.parametrize("discount", [0.0, 0.9])
def test_values_of_a_game_that_ends_at_once(discount):
    """What follows the first step is worth nothing, whatever the discount."""
    game = one_step([1.0, 0.0, 0.0], [0.0, 0.5, 0.5], discount)
    np.testing.assert_allclose(values_against(game, 0, [0.5, 0.5]), [0.5, 2.5])


@pytest.mark.parametrize("follows", [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])
def test_values_refuse_what_goes_on(follows):
    with pytest.raises(ValueError, match=r"^game: expected one decision"):
        values_against(one_step([1.0, 0.0, 0.0], follows), 0, [0.5, 0.5])


def test_values_refuse_another_first_state():
    transition = np.zeros((3, 2, 2, 3))
    transition[..., 2] = 1.0
    game = MarkovGame(transition, np.zeros((2, 3, 2, 2)), 0.0, np.eye(3)[1], np.arange(3) == 2)
    with pytest.raises(ValueError, match=r"^game: expected one decision"):
        values_against(game, 0, [0.5, 0.5])
