"""Dynamic programming: theorems as properties of random MDPs, and error bounds that keep their promise."""

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

from marl_lessons.envs import MarkovGame, cliff_walking, crossroads, two_cars
from marl_lessons.evaluation import nash_conv
from marl_lessons.solvers import (
    action_values,
    best_response,
    greedy_policy,
    planning,
    policy_evaluation,
    policy_iteration,
    value_iteration,
)
from marl_lessons.solvers.planning import improve, largest_horizon, policy_horizon, towards_the_end

discounts = st.sampled_from([0.0, 0.3, 0.9, 0.99])
sizes = st.tuples(st.integers(1, 5), st.integers(1, 4))


@given(seed_numbers, sizes, discounts)
def test_action_values_by_the_definition(seed, size, discount):
    rng = np.random.default_rng(seed)
    mdp, v = random_mdp(rng, *size, discount), rng.normal(size=size[0])
    q = action_values(v, mdp.joint_transition, mdp.joint_reward[0], discount)
    for s, a in np.ndindex(size):
        expected = mdp.reward[0, s, a] + discount * sum(
            mdp.transition[s, a, t] * v[t] for t in range(size[0])
        )
        assert q[s, a] == pytest.approx(expected, abs=1e-12)


@given(seed_numbers, sizes, discounts, st.booleans())
def test_policy_evaluation_linear_iterative_and_by_hand(seed, size, discount, ends):
    rng = np.random.default_rng(seed)
    if ends and size[0] > 1:
        mdp = random_terminating_mdp(rng, *size, discount=1.0)
    else:
        mdp = random_mdp(rng, *size, discount)
    policy = random_policy(rng, *size)
    exact = value_by_solving(mdp, policy)
    linear, swept = (
        policy_evaluation(mdp, policy),
        policy_evaluation(mdp, policy, "iterative", tolerance=1e-7),
    )
    assert np.abs(linear.v - exact).max() < 1e-9
    assert np.abs(swept.v - exact).max() <= swept.error_bound + 1e-10 and swept.error_bound <= 1e-7
    assert np.abs((policy * linear.q).sum(axis=1) - linear.v).max() < 1e-9
    assert np.allclose(linear.policy, policy, atol=1e-15) and np.array_equal(
        swept.history[-1], swept.v
    )
    assert (swept.history[0] == 0).all() and len(swept.history) == swept.sweeps + 1


@given(seed_numbers, sizes, discounts, st.booleans())
def test_policy_iteration_is_optimal_and_climbs(seed, size, discount, ends):
    rng = np.random.default_rng(seed)
    size = (min(size[0], 4), min(size[1], 3))
    if ends and size[0] > 1:
        mdp = random_terminating_mdp(rng, *size, discount=1.0)
    else:
        mdp = random_mdp(rng, *size, discount)
    exact = optimum_by_enumeration(mdp)
    solution = policy_iteration(mdp, random_policy(rng, *size))
    assert (
        np.abs(solution.v - exact).max() < 1e-8
        and np.abs(policy_iteration(mdp).v - exact).max() < 1e-8
    )
    assert (np.diff(solution.history, axis=0) >= -1e-9).all()
    assert solution.policies.shape == (solution.sweeps + 1, *size)
    for v, policy in zip(solution.history, solution.policies, strict=True):
        assert np.abs(value_by_solving(mdp, policy) - v).max() < 1e-9
    assert np.abs(solution.q.max(axis=1) - exact).max() < 1e-8


def test_greedy_policy_takes_the_first_of_equals():
    q = np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 2.0], [-1.0, -3.0, -2.0]])
    assert np.array_equal(greedy_policy(q), [[1, 0, 0], [0, 1, 0], [1, 0, 0]])


def test_improvement_keeps_the_old_action_on_a_tie():
    q = np.array([[1.0, 1.0], [0.0, 1.0]])
    policy = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert np.array_equal(improve(q, policy), [[0, 1], [0, 1]])


def test_policy_iteration_begins_with_a_policy_that_terminates():
    """A corridor of four cells whose first action stays put: only the second leads on."""
    transition = np.stack([np.eye(4), np.eye(4, k=1) + np.diag([0, 0, 0, 1.0])], axis=1)
    reward = np.full((1, 4, 2), -1.0)
    reward[:, 3] = 0.0
    mdp = MarkovGame(transition, reward, 1.0, terminal=np.arange(4) == 3, episodic=True)
    assert towards_the_end(mdp)[:3].argmax(axis=1).tolist() == [1, 1, 1]
    assert policy_iteration(mdp).v.tolist() == [-3, -2, -1, 0]
    with pytest.raises(ValueError, match="policy never terminates from state"):
        policy_evaluation(mdp, np.eye(2)[[1, 0, 1, 0]])


def test_terminal_states_are_worth_nothing():
    rng = np.random.default_rng(1)
    mdp = random_terminating_mdp(rng, 5, 2, discount=0.9)
    for solution in (
        value_iteration(mdp),
        policy_iteration(mdp),
        policy_evaluation(mdp, random_policy(rng, 5, 2)),
    ):
        assert solution.v[-1] == 0 and (solution.q[-1] == 0).all()


def test_policy_iteration_stops_in_spite_of_rounding(monkeypatch):
    """Two equal states paying 1e5, and one that chooses between them and is worth 0: there is nothing to
    improve."""
    calls = []

    def counted(q, policy):
        calls.append(1)
        assert len(calls) < 100, "policy iteration does not stop"
        return improve(q, policy)

    monkeypatch.setattr(planning, "improve", counted)
    stay, discount, paid = 0.95, 0.9, 1e5
    transition = np.zeros((3, 2, 3))
    transition[[0, 1], :, [0, 1]], transition[[0, 1], :, 2] = stay, 1 - stay
    transition[2, [0, 1], [0, 1]] = 1.0
    reward = np.full((1, 3, 2), paid)
    reward[0, 2] = -discount * paid / (1 - discount * stay)
    solution = policy_iteration(MarkovGame(transition, reward, discount))
    assert len({p.tobytes() for p in solution.policies}) == len(solution.policies)
    assert (
        np.abs(solution.v[:2] - paid / (1 - discount * stay)).max() <= solution.error_bound + 1e-6
    )


@pytest.mark.parametrize("large", [0.0, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("small", [1.0, 1e-5, 1e-12, 1e-200])
def test_large_values_elsewhere_hide_no_small_ones(large, small):
    """Two states that never meet: one pays ``large`` whatever is done, the other nothing or ``small``."""
    transition = np.broadcast_to(np.eye(2)[:, None], (2, 2, 2))
    mdp = MarkovGame(transition, [[[large, large], [0.0, small]]], 0.999)
    solution = policy_iteration(mdp)
    assert solution.v == pytest.approx([1e3 * large, 1e3 * small], rel=1e-9)
    assert solution.error_bound <= 1e-9 * 1e3 * small
    alone = MarkovGame(mdp.transition, mdp.reward, 0.999, initial=[0, 1])
    assert nash_conv(alone, [[[1, 0], [1, 0]]]) == pytest.approx(1e3 * small, rel=1e-9)
    assert best_response(alone, 0, [None]).policy[1].tolist() == [0, 1]


def test_rewards_that_cancel_do_not_make_an_episode_endless():
    """Going costs 0.3 and pays 0.1 + 0.2, which rounding makes a little less or more than waiting for nothing."""
    for paid in (0.1 + 0.2, 0.3, np.nextafter(0.3, 0)):
        transition = np.zeros((3, 2, 3))
        transition[0, [0, 1], [0, 1]] = transition[1, :, 2] = transition[2, :, 2] = 1.0
        reward = [[[0.0, -0.3], [paid, paid], [0.0, 0.0]]]
        mdp = MarkovGame(transition, reward, 1.0, terminal=[False, False, True], episodic=True)
        solution = policy_iteration(mdp)
        assert solution.policy[0].tolist() == [0, 1] and abs(solution.v[0]) < 1e-15


tolerances = st.floats(-8, 2).map(lambda exponent: 10.0**exponent)
close_discounts = st.sampled_from([0.0, 1e-6, 0.5, 0.9, 0.99, 0.998])


@given(seed_numbers, close_discounts, tolerances, st.floats(0.01, 100))
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


NAN = float("nan")


UNIFORM = np.full((32, 2), 0.5)


@pytest.mark.parametrize("name, values", [
    ("mdp", [None, "mdp", 3, np.zeros((2, 2)), {}, two_cars()]),
    ("policy", [None, "best", 1.0, UNIFORM[:-1], UNIFORM[:, :1], UNIFORM.T, UNIFORM * 1.1, -UNIFORM, UNIFORM * NAN,
                [[1.0], [0.5, 0.5]]]),
    ("method", [None, "Linear", "", 1, ["linear"]]),
    ("tolerance", [0, -1e-9, NAN, None, "x", [1]]),
    ("max_sweeps", [0, -1, 2.0, "9", None, True]),
])  # fmt: skip
def test_refused_by_name(name, values):
    """By every planner that has the argument; ``policy_iteration`` may be given no policy."""
    evaluation = {"mdp": crossroads(), "policy": UNIFORM, "method": "iterative"}
    for value in values:
        planners = [(policy_evaluation, evaluation)]
        if name in ("mdp", "tolerance", "max_sweeps"):
            planners.append((value_iteration, {"mdp": crossroads()}))
        if name == "mdp" or (name == "policy" and value is not None):
            planners.append((policy_iteration, {"mdp": crossroads()}))
        for planner, fine in planners:
            with pytest.raises(ValueError, match=name):
                planner(**fine | {name: value})
