"""The game as one decision maker with all actions faces it: the same numbers, and nothing that learning could move."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, random_policies, seed_numbers

from marl_lessons.algorithms.tables.independent_q import (
    IndependentConfig,
    behaviour_policies,
    independent_q_learning,
)
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.games.catalogue import speed_check
from marl_lessons.evaluation.moving_target.drift import drift, kernel_drift, reward_drift
from marl_lessons.evaluation.moving_target.induced import (
    induced_arrays,
    joint_action_mdp,
    product_policy,
)
from marl_lessons.solvers.markov_games import joint_policy_evaluation
from marl_lessons.solvers.planning import policy_evaluation


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


@given(seed_numbers, st.booleans())
def test_a_joint_policy_is_worth_there_what_the_agents_get_here(seed, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, (2, 3), outcomes=outcomes)
    policies = random_policies(rng, game)
    values = joint_policy_evaluation(game, policies)
    for agent in range(2):
        mdp = joint_action_mdp(game, agent)
        there = policy_evaluation(mdp, game.joint_policy(policies)).v
        np.testing.assert_allclose(there, values[agent], atol=1e-9)


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


@pytest.mark.parametrize("agent", [2, -1, True, 0.0, None])
def test_an_agent_that_is_none_is_refused(agent):
    with pytest.raises(ValueError, match=r"^agent"):
        joint_action_mdp(two_cars(), agent)


def test_what_is_no_game_is_refused():
    with pytest.raises(ValueError, match=r"^game"):
        joint_action_mdp(np.eye(3), 0)
