"""Gymnasium's toy-text environments: exact values, and their own rollouts as witnesses."""

import gymnasium
import numpy as np
import pytest

from marl_lessons.envs import MarkovGame
from marl_lessons.solvers import (
    action_values,
    optimality_backup,
    policy_iteration,
    value_iteration,
)


def lake(discount: float, size: str = "4x4", slippery: bool = True):
    return MarkovGame.from_gymnasium(
        gymnasium.make("FrozenLake-v1", map_name=size, is_slippery=slippery), discount
    )


def latest(name: str) -> str:
    """The newest version of an environment that this Gymnasium has."""
    return max(
        (key for key in gymnasium.registry if key.startswith(name + "-v")),
        key=lambda key: int(key.split("-v")[1]),
    )


def greedy_episode(env, policy, discount: float, seed: int, limit: int = 5000):
    """First state, discounted return and final state of one episode on Gymnasium's own environment."""
    state, _ = env.reset(seed=seed)
    first, total, weight = int(state), 0.0, 1.0
    for _ in range(limit):
        state, reward, terminated, _, _ = env.step(int(policy[int(state)].argmax()))
        total, weight = total + weight * float(reward), weight * discount
        if terminated:
            return first, total, int(state)
    raise AssertionError("the optimal policy did not end the episode")


@pytest.mark.parametrize("size, discount, value", [
    ("4x4", 0.99, 0.542026),
    ("4x4", 0.9, 0.068891),
    ("4x4", 1.0, 14 / 17),
    ("8x8", 0.99, 0.414640),
])  # fmt: skip
def test_slippery_lake(size, discount, value):
    game = lake(discount, size)
    solved = policy_iteration(game).v @ game.initial
    assert solved == pytest.approx(value, abs=6e-7)
    if discount == 1.0:
        assert solved == pytest.approx(14 / 17, abs=1e-9)
    else:
        assert value_iteration(game, tolerance=1e-9).v @ game.initial == pytest.approx(
            solved, abs=2e-9
        )


def test_slippery_lake_more_states():
    v = policy_iteration(lake(0.99)).v
    assert np.abs(v[:4] - [0.542, 0.4988, 0.4707, 0.4569]).max() < 6e-5
    assert v[14] == pytest.approx(0.8628, abs=6e-5)


def test_lake_without_slip():
    game = lake(0.99, slippery=False)
    assert policy_iteration(game).v[0] == pytest.approx(0.99**5, abs=1e-6)
    assert value_iteration(game).v[0] == pytest.approx(0.99**5, abs=1e-6)


def test_hundred_steps_on_the_lake():
    """The best value within Gymnasium's limit of 100 steps, of the γ = 0.99 policy, and of acting at
    random."""
    game, policy = lake(1.0), policy_iteration(lake(0.99)).policy
    best, kept, random = (np.zeros(16) for _ in range(3))
    for _ in range(100):
        best = optimality_backup(best, game.joint_transition, game.joint_reward[0], 1.0)
        kept = (policy * action_values(kept, game.joint_transition, game.joint_reward[0], 1.0)).sum(
            axis=1
        )
        random = action_values(random, game.joint_transition, game.joint_reward[0], 1.0).mean(
            axis=1
        )
    assert best[0] == pytest.approx(0.744190, abs=6e-7)
    assert kept[0] == pytest.approx(0.740165, abs=6e-7)
    assert random[0] == pytest.approx(0.01394, abs=6e-6)


def test_the_lakes_own_episodes_agree_with_the_exact_value():
    game = lake(0.99)
    solution, env = policy_iteration(game), gymnasium.make("FrozenLake-v1").unwrapped
    returns = [greedy_episode(env, solution.policy, 0.99, seed)[1] for seed in range(1500)]
    error = np.std(returns, ddof=1) / np.sqrt(len(returns))
    assert abs(np.mean(returns) - solution.v[0]) < 4 * error
    ends = [greedy_episode(env, solution.policy, 0.99, seed)[2] for seed in range(50)]
    assert game.terminal[ends].all()


@pytest.mark.parametrize("name", ["Taxi", "CliffWalking"])
@pytest.mark.parametrize("discount", [0.95, 1.0])
def test_deterministic_environments_agree_episode_by_episode(name, discount):
    env = gymnasium.make(latest(name))
    game = MarkovGame.from_gymnasium(env, discount)
    solution = policy_iteration(game)
    starts = []
    for seed in range(60):
        first, total, last = greedy_episode(env.unwrapped, solution.policy, discount, seed)
        assert total == pytest.approx(solution.v[first], abs=1e-9)
        assert game.initial[first] > 0 and game.terminal[-1 if name == "Taxi" else last]
        starts.append(solution.v[first])
    spread = np.std(starts, ddof=1) / np.sqrt(len(starts))
    assert abs(np.mean(starts) - solution.v @ game.initial) <= 4 * spread + 1e-9
    if name == "CliffWalking" and discount == 1.0:
        assert solution.v @ game.initial == pytest.approx(-13, abs=1e-9)


def test_every_row_of_the_taxi_is_read_also_those_of_states_that_no_episode_reaches():
    """The values are those of the published table itself, iterated here: what follows on termination counts nothing."""
    env = gymnasium.make(latest("Taxi"))
    game, table, v = MarkovGame.from_gymnasium(env, 0.9), env.unwrapped.P, np.zeros(500)
    assert game.n_states == 501 and np.flatnonzero(game.terminal).tolist() == [500]
    rows = [[table[s][a][0] for a in range(6)] for s in range(500)]
    target, reward, done = (np.array([[row[k] for row in r] for r in rows]) for k in (1, 2, 3))
    assert np.array_equal(game.reward[0, :500], reward)
    for _ in range(400):
        v = (reward + 0.9 * np.where(done, 0.0, v[target])).max(axis=1)
    assert np.abs(policy_iteration(game).v[:500] - v).max() < 1e-9


class Doubled(gymnasium.RewardWrapper):
    def reward(self, reward):
        return 2 * reward


@pytest.mark.parametrize("make", [
    lambda: gymnasium.make(latest("Taxi"), fickle_passenger=True), lambda: Doubled(gymnasium.make("FrozenLake-v1")),
    lambda: gymnasium.make("FrozenLake-v1").unwrapped.__class__,
])  # fmt: skip
def test_an_environment_that_does_not_play_by_its_table_is_refused(make):
    with pytest.raises(ValueError, match=r"^env: "):
        MarkovGame.from_gymnasium(make(), 0.9)


def test_the_trial_play_leaves_the_environment_as_it_was():
    env, other = (gymnasium.make("FrozenLake-v1") for _ in range(2))
    first = [e.reset(seed=3)[0] for e in (env, other)]
    MarkovGame.from_gymnasium(env, 0.9)
    assert first[0] == first[1]
    assert [env.step(2)[:2] for _ in range(4)] == [other.step(2)[:2] for _ in range(4)]


class Table:
    """An environment that is nothing but its table."""

    def __init__(self, table, initial):
        self.P, self.initial_state_distrib = table, np.array(initial)


def test_a_state_entered_with_and_without_ending_gets_a_separate_end():
    table = {0: {0: [(0.25, 1, 1.0, True), (0.75, 1, 2.0, False)]}, 1: {0: [(1.0, 0, 4.0, False)]}}
    game = MarkovGame.from_gymnasium(Table(table, [1.0, 0.0]), 0.5)
    assert (
        game.n_states == 3
        and game.terminal.tolist() == [False, False, True]
        and game.state_names[2] == "end"
    )
    assert game.transition[0, 0].tolist() == [0, 0.75, 0.25]
    # v0 = 1.75 + 0.375 v1 and v1 = 4 + v0/2
    assert policy_iteration(game).v == pytest.approx([3.25 / 0.8125, 4 + 1.625 / 0.8125, 0])


def test_rewards_of_transitions_to_one_state_are_averaged():
    table = {
        0: {0: [(0.2, 1, 1.0, True), (0.3, 1, 3.0, True), (0.5, 0, 0.0, False)]},
        1: {0: [(1.0, 1, 0, True)]},
    }
    game = MarkovGame.from_gymnasium(Table(table, [1.0, 0.0]), 0.9)
    assert game.outcome_reward[0, 0, 0, 1] == pytest.approx((0.2 + 0.9) / 0.5)
    assert game.reward[0, 0, 0] == pytest.approx(1.1)


def test_a_start_that_is_also_an_end_stays_alive():
    table = {0: {0: [(1.0, 1, 0.0, False)]}, 1: {0: [(1.0, 0, 1.0, True)]}}
    game = MarkovGame.from_gymnasium(Table(table, [1.0, 0.0]), 1.0)
    assert not game.terminal[0] and game.terminal[2]
    assert policy_iteration(game).v.tolist() == [1, 1, 0]


NAN, INF = float("nan"), float("inf")


class Anything:
    """An environment with the given attributes."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


SURE = {0: {0: [(1.0, 0, 0.0, False)]}}


STEP = (1.0, 0, 0.0, False)
TABLES = [
    {0: 5}, {1: {0: [STEP]}, 0: 5}, {"a": {}, 0: {}}, {"a": {0: [STEP]}}, {0: {}}, {0: {"go": [STEP]}}, {0: {0: None}},
    {0: {0: "ab"}}, {1: {0: [(1.0, 1, 0.0, False)]}}, {0: {0: [STEP]}, 1: {1: [STEP]}},
    *({0: {0: outcomes}} for outcomes in (
        [], [5], [(1.0, 0)], [(*STEP, "more")], [("1.0", 0, 0.0, False)], [(NAN, 0, 0.0, False)],
        [(-0.5, 0, 0.0, False), (1.5, 0, 0.0, False)], [(0.5, 0, 0.0, False)], [STEP, (0.5, 0, 0.0, False)],
        [(1.0, 5, 0.0, False)], [(1.0, -1, 0.0, False)], [(1.0, 0.0, 0.0, False)], [(1.0, None, 0.0, False)],
        [(1.0, 0, "much", False)], [(1.0, 0, INF, False)], [(1.0, 0, 0.0, "no")])),
]  # fmt: skip
STARTS = ["x", [0.5], [1.5], [NAN], ["1"], [[1.0]], [-1.0], [0.5, 0.5], {}]
REFUSED = [
    None, 3, "env", Anything(), Anything(P=None), Anything(P={}), Anything(P=[1]), Anything(P=SURE),
    *(Anything(P=table, initial_state_distrib=np.eye(len(table))[0]) for table in TABLES),
    *(Anything(P=SURE, initial_state_distrib=start) for start in STARTS),
]  # fmt: skip


@pytest.mark.parametrize("env", REFUSED)
def test_wrong_environments(env):
    with pytest.raises(ValueError, match=r"^env"):
        MarkovGame.from_gymnasium(env, 0.9)
