"""Returns measured by playing agree with values that are computed."""

import numpy as np
import pytest
from random_games import random_game, random_policies

from marl_lessons.envs import MarkovGame, crossroads, two_cars
from marl_lessons.evaluation.statistics import discounted_returns
from marl_lessons.solvers import policy_evaluation, policy_iteration


def agrees(returns: np.ndarray, value: float) -> bool:
    return abs(returns.mean() - value) <= 4 * returns.std(ddof=1) / np.sqrt(len(returns)) + 1e-9


def test_one_agent():
    game = crossroads()
    best, rng = policy_iteration(game), np.random.default_rng(0)
    assert agrees(discounted_returns(game, [best.policy], 4_000, rng)[:, 0], best.v @ game.initial)
    half = np.full((32, 2), 0.5)
    value = policy_evaluation(game, half).v @ game.initial
    assert agrees(discounted_returns(game, [half], 4_000, rng)[:, 0], value)


@pytest.mark.parametrize("n_actions", [(2, 3), (3, 2, 2)])
def test_every_agent_of_a_game(n_actions):
    game = random_game(np.random.default_rng(1), 4, n_actions, outcomes=True)
    policies = random_policies(np.random.default_rng(2), game)
    returns = discounted_returns(game, policies, 4_000, np.random.default_rng(3))
    assert returns.shape == (4_000, len(n_actions))
    for agent, policy in enumerate(policies):
        value = policy_evaluation(game.induced_mdp(agent, policies), policy).v @ game.initial
        assert agrees(returns[:, agent], value)


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_time_limit_by_hand(limit):
    game = MarkovGame(np.ones((1, 1, 1)), np.ones((1, 1, 1)), 0.5)
    returns = discounted_returns(game, [np.ones((1, 1))], 3, np.random.default_rng(0), limit)
    assert returns.tolist() == [[2 - 0.5 ** (limit - 1)]] * 3


def test_an_ended_episode_counts_no_more():
    """Two steps that pay 5 and 7, then the end: later episodes of the same copy must not be added."""
    transition = np.zeros((3, 1, 3))
    transition[[0, 1, 2], 0, [1, 2, 2]] = 1.0
    game = MarkovGame(
        transition, [[[5.0], [7.0], [0.0]]], 0.5, [0.5, 0.5, 0], np.array([False, False, True])
    )
    returns = discounted_returns(game, [np.ones((3, 1))], 50, np.random.default_rng(0))[:, 0]
    assert sorted(set(returns.tolist())) == [7.0, 8.5]


@pytest.mark.parametrize("name", ["n_episodes", "time_limit"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "3", None, True])
def test_wrong_counts(name, value):
    settings = {"n_episodes": 2, "time_limit": 5, name: value}
    with pytest.raises(ValueError, match=name):
        discounted_returns(
            two_cars(), [np.full((10, 2), 0.5)] * 2, rng=np.random.default_rng(0), **settings
        )


@pytest.mark.parametrize(
    "name, game, rng",
    [("game", "game", np.random.default_rng(0)), ("rng", two_cars(), None), ("rng", two_cars(), 3)],
)
def test_wrong_game_or_generator(name, game, rng):
    with pytest.raises(ValueError, match=name):
        discounted_returns(game, [np.full((10, 2), 0.5)] * 2, 5, rng)
