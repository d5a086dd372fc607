"""A game keeps arrays of its own that nobody can change; its views agree with each other."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, random_policies, seed_numbers

from marl_lessons.envs import MarkovGame, cliff_walking, crossroads, jumping_grid, two_cars

ARRAYS = ("transition", "reward", "initial", "terminal", "outcome_reward")


@pytest.mark.parametrize(
    "game", [crossroads(), two_cars(), cliff_walking(), jumping_grid()], ids=lambda game: game.name
)
def test_arrays_are_read_only_and_fields_are_frozen(game):
    for key in ARRAYS:
        array = getattr(game, key)
        if array is not None:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(game, key, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        game.discount = 0.5


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_callers_arrays_stay_theirs(order):
    given = random_game(np.random.default_rng(0), 3, (2, 3), outcomes=True)
    mine = {key: np.array(getattr(given, key), order=order) for key in ARRAYS if key != "reward"}
    before = {key: array.copy() for key, array in mine.items()}
    game = MarkovGame(reward=None, discount=0.9, **mine)
    for key, array in mine.items():
        assert np.array_equal(array, before[key]) and array.flags.writeable
        array[...] = 0
        assert np.allclose(getattr(game, key), before[key], atol=1e-15)
    assert np.array_equal(game.joint_transition.reshape(game.transition.shape), game.transition)


def test_policies_given_are_not_changed():
    game = two_cars()
    policies = [np.full((10, 2), 0.5) for _ in range(2)]
    game.joint_policy(policies)[...] = 0
    for checked in game.check_policies(policies):
        checked[...] = 0
    game.induced_mdp(0, policies)
    assert all((policy == 0.5).all() and policy.flags.writeable for policy in policies)


def test_defaults():
    game = random_game(np.random.default_rng(0), 4, (2, 3))
    assert game.initial == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert game.state_names == ("0", "1", "2", "3") and game.action_names == (
        ("0", "1"),
        ("0", "1", "2"),
    )
    assert (game.n_agents, game.n_states, game.n_actions) == (2, 4, (2, 3))
    assert not game.is_mdp and not game.is_matrix_game
    matrix = MarkovGame(np.ones((1, 2, 2, 1)), np.zeros((2, 1, 2, 2)), 0)
    assert matrix.is_matrix_game and not matrix.terminal.any() and matrix.initial.tolist() == [1]
    assert jumping_grid().is_mdp


def test_probabilities_within_the_tolerance_are_made_exact():
    row = np.array([1 / 3, 1 / 3, 1 / 3 + 9e-9])
    game = MarkovGame(np.broadcast_to(row, (3, 1, 3)), np.zeros((1, 3, 1)), 0.9, row)
    assert game.transition[0, 0] == pytest.approx(row / row.sum(), abs=1e-16)
    assert np.abs(game.transition.sum(axis=-1) - 1).max() < 1e-15


@given(seed_numbers, st.sampled_from([(3,), (2, 3), (3, 1, 2)]), st.booleans())
def test_joint_views_number_the_actions_in_c_order(seed, n_actions, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions, outcomes=outcomes)
    policies = random_policies(rng, game)
    joint_policy = game.joint_policy(policies)
    joint = 0
    for actions in np.ndindex(n_actions):
        at = (slice(None), *actions)
        assert np.array_equal(game.joint_transition[:, joint], game.transition[at])
        assert np.array_equal(game.joint_reward[:, :, joint], game.reward[(slice(None), *at)])
        product = np.prod([policies[i][:, a] for i, a in enumerate(actions)], axis=0)
        assert np.allclose(joint_policy[:, joint], product, atol=1e-14)
        joint += 1
    assert joint_policy.shape == (3, joint) and np.allclose(joint_policy.sum(axis=1), 1)


@given(seed_numbers)
def test_expected_reward_is_the_mean_over_outcomes(seed):
    game = random_game(np.random.default_rng(seed), 3, (2, 3), outcomes=True)
    for i, s, a, b in np.ndindex(2, 3, 2, 3):
        mean = sum(
            game.transition[s, a, b, t] * game.outcome_reward[i, s, a, b, t] for t in range(3)
        )
        assert game.reward[i, s, a, b] == pytest.approx(mean, abs=1e-12)


@given(seed_numbers, st.booleans())
def test_another_beginning_shares_all_other_arrays(seed, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 4, (2, 3), outcomes=outcomes)
    initial = np.append(rng.dirichlet(np.ones(3)), 0.0)
    before = game.initial.copy()
    begun = game.with_initial(initial)
    assert np.allclose(begun.initial, initial) and np.array_equal(game.initial, before)
    assert begun.transition is game.transition and begun.reward is game.reward
    assert begun.outcome_reward is game.outcome_reward and not begun.initial.flags.writeable
    for wrong in ([0, 0, 0, 1], [1, 0, 0], [0.5, 0.4, 0, 0], [2, -1, 0, 0], "abc"):
        with pytest.raises(ValueError, match="initial"):
            game.with_initial(wrong)


def test_a_game_introduces_itself_in_one_line():
    game = random_game(np.random.default_rng(0), 3, (2, 3), discount=0.9)
    assert repr(game) == "MarkovGame('game': 2 agents, 3 states, actions (2, 3), discount 0.9)"
