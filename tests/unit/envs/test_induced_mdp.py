"""The MDP that one agent faces, against sums written out, simulation, and the bound on its drift."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, random_policies, random_policy, seed_numbers, value_by_solving

from marl_lessons.envs import Worlds, two_cars
from marl_lessons.solvers import policy_evaluation

sizes = st.sampled_from([(2, 3), (3, 2), (2, 3, 4), (3, 1, 2), (4, 2, 3)])


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
def test_its_policy_is_worth_what_the_joint_policy_is(seed, n_actions):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    policies = random_policies(rng, game)
    joint = game.joint_policy(policies)
    chain = np.einsum("sa,sat->st", joint, game.joint_transition)
    for agent in range(len(n_actions)):
        expected = np.linalg.solve(
            np.eye(3) - 0.9 * chain, (joint * game.joint_reward[agent]).sum(axis=1)
        )
        mdp = game.induced_mdp(agent, policies)
        assert np.allclose(policy_evaluation(mdp, policies[agent]).v, expected, atol=1e-10)
        assert np.allclose(value_by_solving(mdp, policies[agent]), expected, atol=1e-10)


@given(seed_numbers, sizes)
def test_the_agents_own_policy_is_ignored(seed, n_actions):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    policies = random_policies(rng, game)
    for own in (None, "junk", np.zeros(3)):
        mdp = game.induced_mdp(0, [own, *policies[1:]])
        assert np.array_equal(mdp.transition, game.induced_mdp(0, policies).transition)


@given(seed_numbers, sizes, st.floats(0, 1))
def test_drift_is_bounded_by_the_change_of_the_others_policies(seed, n_actions, step):
    """max TV of kernels <= max_s TV of the others' joint policies <= sum of their TVs; reward: 2 R_max TV."""
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    old = random_policies(rng, game)
    new = [(1 - step) * p + step * random_policy(rng, *p.shape) for p in old]
    before, after = game.induced_mdp(0, old), game.induced_mdp(0, new)

    def total_variation(p, q):
        return 0.5 * np.abs(p - q).sum(axis=-1)

    neutral = np.eye(n_actions[0])[np.zeros(3, dtype=int)]
    joint = total_variation(
        game.joint_policy([neutral, *old[1:]]), game.joint_policy([neutral, *new[1:]])
    )
    single = sum(total_variation(p, q) for p, q in zip(old[1:], new[1:], strict=True))
    kernel_drift = total_variation(before.transition, after.transition).max()
    assert kernel_drift <= joint.max() + 1e-12 and (joint <= single + 1e-12).all()
    reward_drift = np.abs(before.reward - after.reward).max()
    assert reward_drift <= 2 * np.abs(game.reward[0]).max() * joint.max() + 1e-12


def test_sampled_rewards_average_to_the_expected_reward():
    game = two_cars(distance=1, slip=0.3)
    policy = np.full((game.n_states, 2), 0.5)
    mdp = game.induced_mdp(0, [None, policy])
    start, n = int(game.initial.argmax()), 40_000
    rng = np.random.default_rng(0)
    for action in range(2):
        alone, both = Worlds(mdp, n), Worlds(game, n)
        alone.reset(rng), both.reset(rng)
        paid = alone.step(np.full((n, 1), action), rng)
        together = both.step(np.stack([np.full(n, action), rng.integers(2, size=n)], axis=1), rng)
        error = paid.rewards[:, 0].std() / np.sqrt(n) + 1e-12
        assert abs(paid.rewards[:, 0].mean() - mdp.reward[0, start, action]) < 5 * error
        assert abs(together.rewards[:, 0].mean() - mdp.reward[0, start, action]) < 5 * error
        for state in range(game.n_states):
            p = mdp.transition[start, action, state]
            for seen in (paid.states, together.states):
                assert abs((seen == state).mean() - p) <= 5 * np.sqrt(p * (1 - p) / n) + 1e-12


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
