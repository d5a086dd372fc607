"""Theorems of dynamic programming as properties of random MDPs."""

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

from marl_lessons.envs import MarkovGame
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
from marl_lessons.solvers.planning import improve, towards_the_end

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


@given(seed_numbers, sizes, discounts)
def test_no_policy_beats_the_optimum_and_its_greedy_policy_attains_it(seed, size, discount):
    rng = np.random.default_rng(seed)
    mdp = random_mdp(rng, *size, discount)
    best = value_iteration(mdp, tolerance=1e-9)
    for _ in range(5):
        assert (policy_evaluation(mdp, random_policy(rng, *size)).v <= best.v + 1e-8).all()
    attained = policy_evaluation(mdp, best.policy).v
    assert np.abs(attained - best.v).max() <= 2e-9 * (1 + discount / (1 - discount)) + 1e-9


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
