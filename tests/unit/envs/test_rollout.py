"""One episode: it follows the kernel and the policy, and says why it ended."""

import numpy as np
import pytest
from random_games import random_game, random_policies

from marl_lessons.envs import crossroads, two_cars
from marl_lessons.envs.stepping import rollout
from marl_lessons.solvers import policy_iteration


def test_an_episode_is_possible_under_game_and_policies():
    rng = np.random.default_rng(0)
    game = random_game(rng, 5, (2, 3), outcomes=True)
    policies = random_policies(rng, game)
    for _ in range(50):
        episode = rollout(game, policies, rng, time_limit=30)
        steps = len(episode.actions)
        assert episode.states.shape == (
            steps + 1,
        ) and episode.actions.shape == episode.rewards.shape == (
            steps,
            2,
        )
        assert game.initial[episode.states[0]] > 0
        for s, (a, b), paid, t in zip(
            episode.states[:-1], *episode[1:3], episode.states[1:], strict=True
        ):
            assert not game.terminal[s] and policies[0][s, a] > 0 and policies[1][s, b] > 0
            assert game.transition[s, a, b, t] > 0 and np.array_equal(
                paid, game.outcome_reward[:, s, a, b, t]
            )
        assert episode.terminated == game.terminal[episode.states[-1]]
        assert episode.terminated or steps == 30


def test_mean_return_is_the_exact_value():
    game = crossroads()
    solution, rng = policy_iteration(game), np.random.default_rng(5)
    returns = []
    for _ in range(1_500):
        rewards = rollout(game, [solution.policy], rng, time_limit=2_000).rewards[:, 0]
        returns.append(rewards @ game.discount ** np.arange(len(rewards)))
    assert abs(np.mean(returns) - solution.v @ game.initial) < 4 * np.std(
        returns, ddof=1
    ) / np.sqrt(len(returns))


def test_actions_are_drawn_from_the_policies():
    game = random_game(np.random.default_rng(2), 1, (2, 3), terminal=False)
    policies = [np.array([[0.3, 0.7]]), np.array([[0.2, 0.0, 0.8]])]
    actions = rollout(game, policies, np.random.default_rng(3), time_limit=4_000).actions
    for agent, policy in enumerate(policies):
        frequency = np.bincount(actions[:, agent], minlength=policy.shape[1]) / len(actions)
        assert (
            np.abs(frequency - policy[0]) <= 5 * np.sqrt(policy[0] * (1 - policy[0]) / len(actions))
        ).all()
    together = np.mean((actions[:, 0] == 1) & (actions[:, 1] == 2))
    assert abs(together - 0.56) < 5 * np.sqrt(0.56 * 0.44 / len(actions))


def test_start_and_time_limit():
    game, policies = (
        two_cars(slip=0.0),
        [np.eye(2)[np.ones(10, dtype=int)], np.eye(2)[np.zeros(10, dtype=int)]],
    )
    episode = rollout(game, policies, np.random.default_rng(0), time_limit=7, start=5)
    assert episode.states.tolist() == [5, 2, 2, 2, 2, 2, 2, 2] and episode.terminated is False
    assert (
        episode.rewards[:, 0].tolist() == [1, 0, 0, 0, 0, 0, 0]
        and episode.rewards[:, 1].tolist() == [-1] * 7
    )
    crash = rollout(game, [policies[0]] * 2, np.random.default_rng(0), start=4)
    assert (
        crash.states.tolist() == [4, 9]
        and crash.terminated is True
        and crash.rewards.tolist() == [[-11, -11]]
    )


@pytest.mark.parametrize(
    "name, settings",
    [("start", {"start": value}) for value in (-1, 10, 9, 0, 1.0, "1", True, [1])]
    + [("time_limit", {"time_limit": value}) for value in (0, -3, 2.5, "9", None, True)],
)
def test_wrong_arguments(name, settings):
    with pytest.raises(ValueError, match=name):
        rollout(two_cars(), [np.full((10, 2), 0.5)] * 2, np.random.default_rng(0), **settings)


def test_wrong_policies():
    for policies in (None, [], [np.full((10, 2), 0.5)], [np.full((10, 2), 0.4)] * 2):
        with pytest.raises(ValueError, match="policies"):
            rollout(two_cars(), policies, np.random.default_rng(0))


@pytest.mark.parametrize(
    "name, game, rng", [("game", "game", np.random.default_rng(0)), ("rng", two_cars(), 3)]
)
def test_wrong_game_or_generator(name, game, rng):
    with pytest.raises(ValueError, match=name):
        rollout(game, [np.full((10, 2), 0.5)] * 2, rng)
