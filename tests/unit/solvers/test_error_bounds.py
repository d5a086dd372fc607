"""``error_bound`` is a promise: the true value is never farther away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import (
    optimum_by_enumeration,
    random_mdp,
    random_policy,
    random_terminating_mdp,
    seed_numbers,
    value_by_solving,
)

from marl_lessons.envs import MarkovGame, cliff_walking
from marl_lessons.solvers import policy_evaluation, policy_iteration, value_iteration
from marl_lessons.solvers.planning import largest_horizon, policy_horizon

tolerances = st.floats(-8, 2).map(lambda exponent: 10.0**exponent)
discounts = st.sampled_from([0.0, 1e-6, 0.5, 0.9, 0.99, 0.998])


@given(seed_numbers, discounts, tolerances, st.floats(0.01, 100))
def test_value_iteration_with_a_discount(seed, discount, tolerance, scale):
    mdp = random_mdp(np.random.default_rng(seed), 3, 2, discount, scale)
    solution, exact = value_iteration(mdp, tolerance), optimum_by_enumeration(mdp)
    assert solution.error_bound <= tolerance
    assert np.abs(solution.v - exact).max() <= solution.error_bound + 1e-12 * (
        1 + np.abs(exact).max()
    ) / (1 - discount)


@given(seed_numbers, tolerances)
def test_value_iteration_without_a_discount(seed, tolerance):
    mdp = random_terminating_mdp(np.random.default_rng(seed), 4, 3)
    solution, exact = value_iteration(mdp, tolerance), optimum_by_enumeration(mdp)
    assert solution.error_bound <= tolerance
    assert np.abs(solution.v - exact).max() <= solution.error_bound + 1e-11


@given(seed_numbers, tolerances, st.sampled_from([0.0, 0.9, 0.99, 1.0]))
def test_policy_evaluation_by_sweeps(seed, tolerance, discount):
    rng = np.random.default_rng(seed)
    mdp, policy = random_terminating_mdp(rng, 4, 3, discount), random_policy(rng, 4, 3)
    solution, exact = (
        policy_evaluation(mdp, policy, "iterative", tolerance),
        value_by_solving(mdp, policy),
    )
    assert solution.error_bound <= tolerance
    assert np.abs(solution.v - exact).max() <= solution.error_bound + 1e-11


def test_a_discount_very_close_to_one():
    mdp = random_mdp(np.random.default_rng(5), 3, 2, 1 - 1e-4)
    solution = value_iteration(mdp, tolerance=1.0)
    assert np.abs(solution.v - optimum_by_enumeration(mdp)).max() <= solution.error_bound <= 1.0


def test_the_sweeps_stop_at_the_first_sweep_that_suffices():
    """A loop that pays 1 with γ = 1/2: after k sweeps v = 2 - 2^(1-k), and the error bound is the exact
    error."""
    mdp = MarkovGame(np.ones((1, 1, 1)), np.ones((1, 1, 1)), 0.5)
    for k in (1, 2, 5, 10):
        solution = value_iteration(mdp, tolerance=2.0 ** (1 - k))
        assert (
            solution.sweeps == k
            and solution.v[0] == 2 - 2.0 ** (1 - k)
            and solution.error_bound == 2.0 ** (1 - k)
        )


@given(seed_numbers, st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_horizon_of_a_policy_is_the_value_of_a_reward_of_one(seed, discount):
    rng = np.random.default_rng(seed)
    mdp, policy = random_terminating_mdp(rng, 4, 2, discount), random_policy(rng, 4, 2)
    reward = np.ones((1, 4, 2))
    reward[:, -1] = 0.0
    steps = value_by_solving(
        MarkovGame(mdp.transition, reward, discount, terminal=mdp.terminal), policy
    )
    assert policy_horizon(mdp, policy) == pytest.approx(max(steps.max(), 1.0), rel=1e-9)
    longest = optimum_by_enumeration(
        MarkovGame(mdp.transition, reward, discount, terminal=mdp.terminal)
    ).max()
    assert largest_horizon(mdp) >= longest * (1 - 1e-12)
    if discount == 1:
        assert largest_horizon(mdp) == pytest.approx(longest, rel=2e-6)


def test_too_few_sweeps_are_refused():
    mdp = random_mdp(np.random.default_rng(0), 3, 2, 0.99)
    with pytest.raises(ValueError, match="max_sweeps"):
        value_iteration(mdp, max_sweeps=10)
    with pytest.raises(ValueError, match="max_sweeps"):
        policy_evaluation(mdp, np.full((3, 2), 0.5), "iterative", max_sweeps=10)


def test_no_guarantee_where_some_policy_never_terminates():
    assert value_iteration(cliff_walking()).error_bound == np.inf


def test_the_bound_holds_for_long_horizons():
    """Two ways to leave with probabilities 1e-4 and a little less: the horizon must be that of the slower
    one."""
    leave = np.array([1e-4, 1e-4 * (1 - 0.9e-5)])
    transition = np.zeros((2, 2, 2))
    transition[0, :, 0], transition[0, :, 1], transition[1, :, 1] = 1 - leave, leave, 1.0
    mdp = MarkovGame(transition, [[[0.0, 1.0], [0.0, 0.0]]], 1.0, terminal=np.array([False, True]))
    solution = value_iteration(mdp, tolerance=100.0)
    assert abs(solution.v[0] - 1 / leave[1]) <= solution.error_bound


def test_policy_iteration_is_exact_close_to_discount_one():
    """Two loops that pay 1 and 1.00000009: the second is better by 9e-5 at γ = 0.999."""
    mdp = MarkovGame(np.ones((1, 2, 1)), [[[1.0, 1.0 + 0.9e-7]]], 0.999)
    solution = policy_iteration(mdp)
    assert abs(solution.v[0] - (1 + 0.9e-7) / (1 - 0.999)) <= solution.error_bound + 1e-8


def test_no_guarantee_in_spite_of_values_that_no_longer_change():
    """Waiting for ever costs nothing, so all values are 0 from the start: still no theorem says so."""
    wait = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    reward = [[[0.0, -1.0], [0.0, 0.0]]]
    mdp = MarkovGame(wait, reward, 1.0, terminal=np.array([False, True]), episodic=True)
    solution = value_iteration(mdp)
    assert solution.sweeps == 1 and solution.error_bound == np.inf


@given(seed_numbers, st.sampled_from([0.0, 0.9, 0.999, 1.0]))
def test_policy_iterations_bound(seed, discount):
    mdp = random_terminating_mdp(np.random.default_rng(seed), 4, 3, discount, scale=100)
    solution, exact = policy_iteration(mdp), optimum_by_enumeration(mdp)
    rounding = 1e-11 * (1 + np.abs(exact).max())
    assert np.abs(solution.v - exact).max() <= solution.error_bound + rounding
    assert solution.error_bound <= 1e-6


@pytest.mark.parametrize("gap, bound", [(0.0, 0.0), (0.9e-9, 0.9e-6), (0.9e-13, 0.0)])
def test_what_policy_iteration_leaves_is_said(gap, bound):
    """Two loops that pay 1 and a little more, γ = 0.999, values of 1,000: an advantage of 0.9e-9 counts as a
    tie, one of 0.9e-13 as rounding."""
    mdp = MarkovGame(np.ones((1, 2, 1)), [[[1.0, 1.0 + gap]]], 0.999)
    solution = policy_iteration(mdp)
    assert solution.sweeps == 0 and solution.error_bound == pytest.approx(bound, rel=1e-3)


def test_no_bound_on_what_is_left_without_a_horizon():
    """The same at γ = 1: an advantage within the tie, while another action never ends."""
    transition = np.zeros((2, 3, 2))
    transition[0, :, 1], transition[1, :, 1] = 1.0, 1.0
    transition[0, 2] = [1.0, 0.0]
    reward = [[[1e3, 1e3 + 0.9e-9, -1.0], [0.0, 0.0, 0.0]]]
    mdp = MarkovGame(transition, reward, 1.0, terminal=np.array([False, True]), episodic=True)
    assert policy_iteration(mdp).error_bound == np.inf


@given(seed_numbers, st.floats(-9, -1))
def test_largest_horizon_is_an_upper_bound_even_for_slow_exits(seed, exponent):
    """From every state one leaves with probability 10^exponent to 3 · 10^exponent, depending on the action."""
    rng = np.random.default_rng(seed)
    leave = 10.0**exponent * rng.uniform(1, 3, size=(3, 3))
    transition = np.zeros((4, 3, 4))
    transition[:3, :, :3] = rng.dirichlet(np.ones(3), size=(3, 3)) * (1 - leave[..., None])
    transition[:3, :, 3], transition[3, :, 3] = leave, 1.0
    mdp = MarkovGame(transition, np.zeros((1, 4, 3)), 1.0, terminal=np.arange(4) == 3)
    reward = np.ones((1, 4, 3))
    reward[:, -1] = 0.0
    longest = optimum_by_enumeration(MarkovGame(transition, reward, 1.0, terminal=mdp.terminal))
    rounding = 1e-15 * 10.0**-exponent  # relative, from the conditioning of the linear systems
    assert largest_horizon(mdp) >= longest.max() * (1 - 10 * rounding)
    assert largest_horizon(mdp) <= longest.max() * (1 + 1e-11 + 1e4 * rounding)


def test_an_exit_that_rounding_loses_gives_no_horizon():
    transition = np.array([[[1.0, 1e-20]], [[0.0, 1.0]]])
    mdp = MarkovGame(transition, np.zeros((1, 2, 1)), 1.0, terminal=np.array([False, True]))
    assert largest_horizon(mdp) == np.inf
