"""Regret matching: against plain loops, incentive constraints written out, and bounds from theory."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from random_games import random_game, seed_numbers

from marl_lessons.algorithms.dynamics.regret_matching import (
    regret_matching,
    regret_matching_strategy,
)
from marl_lessons.algorithms.tables.rules import sample_actions
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.solvers.matrix_games import deviation_gains

PENNIES = np.array([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
CHICKEN = np.array([[[0, 7], [2, 6]], [[0, 2], [7, 6]]])
SHAPLEY = np.array([[[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]])
several_actions = st.lists(st.integers(1, 3), min_size=1, max_size=3)


def swapped(profile, agent, action):
    return (*profile[:agent], action, *profile[agent + 1 :])


def profiles(payoffs):
    return itertools.product(*map(range, payoffs.shape[1:]))


def largest_coarse_violation(payoffs, joint):
    """max over agents and actions k of Σ_a joint(a) [R_i(k, a_-i) - R_i(a)]."""
    worst = -np.inf
    for i, reward in enumerate(payoffs):
        for k in range(reward.shape[i]):
            gain = sum(joint[a] * (reward[swapped(a, i, k)] - reward[a]) for a in profiles(payoffs))
            worst = max(worst, gain)
    return worst


def pick(probabilities, number):
    """The first action at which the sum of the probabilities exceeds ``number``."""
    total = 0.0
    for action, probability in enumerate(probabilities):
        total += probability
        if number < total:
            return action
    return max(a for a, probability in enumerate(probabilities) if probability > 0)


def play_by_loops(payoffs, n_rounds, seed):
    """One seed as the definition says; returns the joint action of every round."""
    numbers = np.random.default_rng(seed).random((n_rounds, len(payoffs)))
    played = []
    for t in range(n_rounds):
        profile = []
        for i, reward in enumerate(payoffs):
            n = reward.shape[i]
            gain = lambda a, k, r=reward, i=i: r[swapped(a, i, k)] - r[a]  # noqa: E731
            strategy = [1 / n] * n
            positive = [max(sum(gain(a, k) for a in played), 0) for k in range(n)]
            if sum(positive) > 0:
                strategy = [p / sum(positive) for p in positive]
            profile.append(pick(strategy, numbers[t, i]))
        played.append(tuple(profile))
    return played


@settings(max_examples=25)
@given(seed_numbers, several_actions)
def test_it_is_the_definition_in_plain_loops(seed, n_actions):
    rng = np.random.default_rng(seed)
    payoffs = rng.integers(-3, 4, size=(len(n_actions), *n_actions)).astype(float)
    run = regret_matching(matrix_game(payoffs), 25, [seed % 97, 97])
    assert run.rounds.tolist() == list(range(1, 26)) and run.seeds == (seed % 97, 97)
    for e, own_seed in enumerate(run.seeds):
        played = play_by_loops(payoffs, 25, own_seed)
        joint = np.zeros(n_actions)
        for t, profile in enumerate(played):
            joint[profile] += 1
            assert np.allclose(run.joint[t, e], joint / (t + 1), atol=1e-12)


@settings(max_examples=25)
@given(seed_numbers, several_actions)
def test_the_largest_regret_is_the_largest_violation_of_the_incentive_constraints(seed, n_actions):
    payoffs = np.random.default_rng(seed).normal(size=(len(n_actions), *n_actions))
    run = regret_matching(payoffs, 200, 2)
    assert run.joint.shape == (51, 2, *n_actions) and run.largest_regret.shape == (51, 2)
    for k, e in np.ndindex(51, 2):
        expected = largest_coarse_violation(payoffs, run.joint[k, e])
        assert run.largest_regret[k, e] == pytest.approx(expected, abs=1e-10)
        assert run.joint[k, e].sum() == pytest.approx(1)


@pytest.mark.parametrize(
    "payoffs", [PENNIES, CHICKEN, SHAPLEY], ids=["pennies", "chicken", "shapley"]
)
def test_regret_falls_as_the_bound_says(payoffs):
    """Blackwell's argument: the expected sum of squared positive regrets is at most t A D² after t rounds, where D is
    the largest gain, so that the largest average regret is at most D √(A/t) on average, for each agent."""
    run = regret_matching(payoffs, 5_000, 20)
    bounds = [
        np.abs(deviation_gains(payoffs, i, coarse=True)).max() * np.sqrt(payoffs.shape[1 + i])
        for i in (0, 1)
    ]
    mean = np.maximum(run.largest_regret, 0).mean(axis=1)
    assert (mean <= sum(bounds) / np.sqrt(run.rounds)).all()
    assert mean[-1] < 0.02 * np.abs(payoffs).max()
    assert largest_coarse_violation(payoffs, run.joint[-1].mean(axis=0)) < 0.02


@pytest.mark.parametrize("seed", range(4))
def test_in_zero_sum_games_the_frequencies_approach_an_equilibrium(seed):
    """What best responses to the frequencies gain is at most the sum of both agents' regrets."""
    matrix = np.random.default_rng(seed).integers(-4, 5, size=(3, 4))
    run = regret_matching([matrix, -matrix], 5_000, 5)
    one, other = run.joint.sum(axis=3), run.joint.sum(axis=2)
    gain = (other @ matrix.T).max(axis=-1) - (one @ matrix).min(axis=-1)
    assert (gain > -1e-12).all() and (gain <= 2 * run.largest_regret + 1e-9).all()
    assert gain[-1].max() < 0.25 and gain[-1].mean() < 0.5 * gain[2].mean()


@given(seed_numbers)
def test_a_seed_runs_alone_as_beside_others(seed):
    payoffs = np.random.default_rng(seed).normal(size=(2, 2, 3))
    together = regret_matching(payoffs, 60, [3, 1, 4])
    alone = regret_matching(payoffs, 60, [4])
    assert np.array_equal(together.joint[:, 2], alone.joint[:, 0])
    assert np.array_equal(together.largest_regret[:, 2], alone.largest_regret[:, 0])


@given(
    arrays(float, (4, 3), elements=st.integers(0, 5)),
    arrays(float, 4, elements=st.floats(0, 1 - 2**-53)),
)
def test_sampling_inverts_the_cumulative_distribution(weights, uniform):
    strategy = regret_matching_strategy(weights)
    drawn = sample_actions(strategy, uniform)
    for row, u, action in zip(strategy, uniform, drawn):
        assert row[action] > 0 and row[:action].sum() <= u + 1e-12
        assert u <= row[: action + 1].sum() + 1e-12


def test_short_runs_are_recorded_after_every_round():
    assert regret_matching(PENNIES, 4, 2).rounds.tolist() == [1, 2, 3, 4]
    assert len(regret_matching(PENNIES, 200, 2).rounds) == 51


def test_strategies_by_hand():
    regrets = np.array([[3.0, -2.0, 1.0], [-1.0, -5.0, 0.0], [0.0, 0.0, 7.0]])
    expected = [[0.75, 0, 0.25], [1 / 3, 1 / 3, 1 / 3], [0, 0, 1]]
    assert np.allclose(regret_matching_strategy(regrets), expected)


def test_a_game_without_choices_or_stakes_is_played():
    run = regret_matching(np.zeros((2, 1, 3)), 50, 4)
    assert (run.largest_regret == 0).all() and np.allclose(run.joint.sum(axis=3), 1)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((random_game(np.random.default_rng(0)), 9), "game: has 3 states"),
        ((np.zeros((2, 2)), 9), "game: expected payoffs"),
        ((PENNIES, 1), "n_rounds is 1"),
        ((PENNIES, 9.0), "n_rounds"),
        ((PENNIES, 99, 0), "seeds is 0"),
        ((PENNIES, 99, [1, -1]), r"seeds\[1\]"),
    ],
)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        regret_matching(*arguments)
