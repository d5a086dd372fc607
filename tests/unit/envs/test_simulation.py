"""Sampling from a game: frequencies, clocks, two reasons for an end, and the order of joint actions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, seed_numbers

from marl_lessons.envs import MarkovGame, Worlds, crossroads, two_cars
from marl_lessons.envs.stepping import OutcomeTable

LAST = np.nextafter(1.0, 0.0)


def within_five_sigma(seen: np.ndarray, probabilities: np.ndarray) -> bool:
    n = len(seen)
    frequency = np.bincount(seen, minlength=len(probabilities)) / n
    possible = (probabilities > 0) | (frequency == 0)
    spread = np.sqrt(probabilities * (1 - probabilities) / n)
    return bool(
        possible.all() and (np.abs(frequency - probabilities) <= 5 * spread + 5 / n).all()
    )  # 5/n: rare events


@pytest.mark.parametrize("n_actions", [(3,), (2, 3), (2, 3, 4)])
@pytest.mark.parametrize("outcomes", [False, True])
def test_frequencies_and_rewards_of_every_joint_action(n_actions, outcomes):
    game = random_game(np.random.default_rng(7), 4, n_actions, outcomes=outcomes, terminal=False)
    rng, n = np.random.default_rng(8), 4_000
    for state in range(2):
        for actions in np.ndindex(n_actions):
            worlds = Worlds(game, n)
            worlds.reset(rng)
            worlds.states[:] = state
            step = worlds.step(np.tile(actions, (n, 1)), rng)
            assert within_five_sigma(step.states, game.transition[(state, *actions)])
            expected = game.reward[(slice(None), state, *actions)]
            error = step.rewards.std(axis=0) / np.sqrt(n)
            assert (np.abs(step.rewards.mean(axis=0) - expected) <= 5 * error + 1e-12).all()
            if outcomes:
                paid = game.outcome_reward[(slice(None), state, *actions)]
                assert np.array_equal(step.rewards, paid[:, step.states].T)
            assert not step.terminated.any() and not step.truncated.any()


def test_worlds_with_different_states_and_actions_do_not_mix():
    game = random_game(np.random.default_rng(1), 5, (2, 3), outcomes=True, terminal=False)
    rng = np.random.default_rng(2)
    worlds = Worlds(game, 500)
    before = worlds.reset(rng)
    for _ in range(20):
        actions = np.stack([rng.integers(2, size=500), rng.integers(3, size=500)], axis=1)
        step = worlds.step(actions, rng)
        a, b = actions.T
        assert (game.transition[before, a, b, step.states] > 0).all()
        assert np.array_equal(step.rewards, game.outcome_reward[:, before, a, b, step.states].T)
        before = step.states


@given(seed_numbers, st.booleans())
def test_impossible_outcomes_are_never_sampled(seed, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 6, (2, 2), outcomes=outcomes)
    table, kernel = OutcomeTable(game), game.joint_transition.reshape(-1, 6)
    pairs = np.arange(len(kernel))
    for u in (0.0, 5e-324, 0.5, LAST, *rng.random(5)):
        states, rewards = table.sample(pairs, np.full(len(pairs), u))
        assert (kernel[pairs, states] > 0).all()
        if outcomes:
            assert np.array_equal(
                rewards, game.outcome_reward.reshape(2, -1, 6)[:, pairs, states].T
            )
        else:
            assert np.array_equal(rewards, game.reward.reshape(2, -1).T)


def test_impossible_outcomes_where_rounding_leaves_a_gap():
    """Ten probabilities of 0.1 sum to 0.9999999999999999; states of probability 0 stand before and after
    them."""
    row = np.r_[0.0, np.full(10, 0.1), 0.0]
    kernel = np.broadcast_to(row, (12, 1, 12)).copy()
    kernel[0, 0] = np.full(12, 1 / 12)  # makes every pair's list of outcomes 12 long
    table = OutcomeTable(MarkovGame(kernel, np.zeros((1, 12, 1)), 0.9))
    for u in (0.0, LAST, 1 - 2e-16):
        states, _ = table.sample(np.arange(1, 12), np.full(11, u))
        assert ((states >= 1) & (states <= 10)).all()
    assert (
        len(
            {
                int(table.sample(np.array([1]), np.array([u]))[0][0])
                for u in np.linspace(0.05, 0.95, 10)
            }
        )
        == 10
    )


def test_each_outcome_has_a_half_open_interval():
    """Probabilities 1/2, 1/4, 1/4 stand for [0, 1/2), [1/2, 3/4) and [3/4, 1)."""
    kernel = np.broadcast_to([0.25, 0.5, 0.25], (3, 1, 3))
    table = OutcomeTable(MarkovGame(kernel, np.zeros((1, 3, 1)), 0.9))
    uniform = np.array([0.0, 0.25, np.nextafter(0.5, 0), 0.5, np.nextafter(0.75, 0), 0.75, LAST])
    assert table.sample(np.zeros(7, dtype=int), uniform)[0].tolist() == [1, 1, 1, 0, 0, 2, 2]


@given(seed_numbers)
def test_the_sampled_share_of_the_unit_interval_is_the_probability(seed):
    game = random_game(np.random.default_rng(seed), 4, (2,))
    table, grid = OutcomeTable(game), (np.arange(2_000) + 0.5) / 2_000
    for pair in range(8):
        states, _ = table.sample(np.full(2_000, pair), grid)
        share = np.bincount(states, minlength=4) / 2_000
        assert np.abs(share - game.joint_transition.reshape(-1, 4)[pair]).max() <= 2 / 2_000


def corridor(length: int) -> MarkovGame:
    """State s leads to s + 1; the last is terminal; each step pays its number."""
    transition = np.eye(length, k=1)[:, None]
    transition[-1, 0, -1] = 1.0
    reward = np.arange(1.0, length + 1)[None, :, None]
    reward[0, -1] = 0.0
    return MarkovGame(transition, reward, 0.9, np.eye(length)[0], np.arange(length) == length - 1)


@pytest.mark.parametrize(
    "limit, terminated, truncated",
    [(None, 3, None), (4, 3, None), (3, 3, None), (2, None, 2), (1, None, 1)],
)
def test_terminated_and_truncated_are_kept_apart(limit, terminated, truncated):
    """A terminal state reached in the very last step allowed is a termination, not a truncation."""
    rng, worlds = np.random.default_rng(0), Worlds(corridor(4), 2, limit)
    worlds.reset(rng)
    for count in range(1, 10):
        step = worlds.step(np.zeros((2, 1), dtype=int), rng)
        assert step.states.tolist() == [count, count] and step.rewards.tolist() == [
            [count],
            [count],
        ]
        assert step.terminated.tolist() == [count == terminated] * 2
        assert step.truncated.tolist() == [count == truncated] * 2
        if count in (terminated, truncated):
            break
    assert worlds.ended.all()
    with pytest.raises(ValueError, match="world 0 has ended"):
        worlds.step(np.zeros((2, 1), dtype=int), rng)


def test_one_ended_world_stops_all_until_it_is_begun_again():
    rng, worlds = np.random.default_rng(0), Worlds(corridor(3), 3, time_limit=5)
    actions = np.zeros((3, 1), dtype=int)
    with pytest.raises(ValueError, match="reset"):
        worlds.step(actions, rng)
    worlds.reset(rng)
    worlds.step(actions, rng)
    worlds.reset_where(np.array([False, True, False]), rng)
    step = worlds.step(actions, rng)
    assert step.terminated.tolist() == [True, False, True] and step.states.tolist() == [2, 1, 2]
    with pytest.raises(ValueError, match="world 0 has ended"):
        worlds.step(actions, rng)
    states = worlds.reset_where(step.terminated, rng)
    assert states.tolist() == [0, 1, 0] and worlds.ages.tolist() == [0, 1, 0]


def test_the_clock_starts_anew_with_each_episode():
    rng, worlds = (
        np.random.default_rng(0),
        Worlds(MarkovGame(np.ones((1, 1, 1)), np.ones((1, 1, 1)), 0.9), 1, 3),
    )
    for _ in range(3):
        worlds.reset(rng)
        ends = [bool(worlds.step(np.zeros((1, 1), dtype=int), rng).truncated[0]) for _ in range(3)]
        assert ends == [False, False, True]


def test_episodes_begin_as_often_as_the_initial_distribution_says():
    game = crossroads()
    states = Worlds(game, 20_000).reset(np.random.default_rng(3))
    assert within_five_sigma(states, game.initial)


def test_results_do_not_change_with_later_steps():
    rng, worlds = np.random.default_rng(0), Worlds(two_cars(), 4)
    start = worlds.reset(rng)
    first = worlds.step(np.zeros((4, 2), dtype=int), rng)
    kept = [array.copy() for array in (start, *first)]
    worlds.step(np.ones((4, 2), dtype=int), rng)
    worlds.reset(rng)
    assert all(np.array_equal(a, b) for a, b in zip(kept, (start, *first), strict=True))
    first.states[:] = 99
    assert (worlds.states < 10).all()


@pytest.mark.parametrize("actions", [
    None, 0, "go", [0, 0], [[0], [0]], [[0, 2], [0, 0]], [[0, -1], [0, 0]], [[0.0, 0.0]] * 2, [[True, True]] * 2,
    [[0, None]] * 2, [[0, 3], [0, 0]], np.zeros((3, 2), dtype=int), np.zeros((2, 2, 1), dtype=int),
])  # fmt: skip
def test_wrong_actions(actions):
    rng, worlds = np.random.default_rng(0), Worlds(two_cars(), 2)
    worlds.reset(rng)
    before = worlds.states.copy()
    with pytest.raises(ValueError, match="actions"):
        worlds.step(actions, rng)
    assert np.array_equal(worlds.states, before) and (worlds.ages == 0).all()


def test_each_agent_has_its_own_range_of_actions():
    game = random_game(np.random.default_rng(0), 3, (2, 3), terminal=False)
    rng, worlds = np.random.default_rng(0), Worlds(game, 1)
    worlds.reset(rng)
    worlds.step(np.array([[1, 2]]), rng)
    with pytest.raises(ValueError, match=r"actions\[0, 0\] is 2; allowed are 0 to 1"):
        worlds.step(np.array([[2, 1]]), rng)
    with pytest.raises(ValueError, match=r"actions\[0, 1\] is 3; allowed are 0 to 2"):
        worlds.step(np.array([[1, 3]]), rng)


@pytest.mark.parametrize("name", ["n_worlds", "time_limit"])
@pytest.mark.parametrize("value", [0, -1, 2.0, "2", True, float("nan"), [2]])
def test_wrong_counts(name, value):
    with pytest.raises(ValueError, match=name):
        Worlds(two_cars(), **{"n_worlds": 2, name: value})


@pytest.mark.parametrize(
    "which", [None, True, [0, 1], [True], ["a", "b"], np.ones((2, 1), dtype=bool), np.array([0])]
)
def test_wrong_choice_of_worlds(which):
    with pytest.raises(ValueError, match="which"):
        Worlds(two_cars(), 2).reset_where(which, np.random.default_rng(0))


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint32, np.int64, np.uint64])
def test_integers_of_any_kind_are_actions(kind):
    worlds = Worlds(crossroads(distance=50), 2)
    worlds.reset(np.random.default_rng(0))
    states = worlds.step(np.ones((2, 1), dtype=kind), np.random.default_rng(1)).states
    assert (np.unravel_index(states, (2, 3, 50))[2] == 49).all() and (states < 150).all()


@pytest.mark.parametrize("name, use", [
    ("game", lambda: Worlds("game", 2)),
    ("rng", lambda: Worlds(two_cars(), 2).reset(None)),
    ("rng", lambda: Worlds(two_cars(), 2).reset(7)),
    ("which", lambda: Worlds(two_cars(), 2).reset_where([[True], [True, False]], np.random.default_rng(0))),
    ("actions", lambda: Worlds(two_cars(), 2).step([[0, 1], [0]], np.random.default_rng(0))),
])  # fmt: skip
def test_refused_by_name(name, use):
    with pytest.raises(ValueError, match=name):
        use()
