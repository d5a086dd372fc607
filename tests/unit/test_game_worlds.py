"""A game as batched worlds: one-hot states, two reasons for an end, the game's own chances and rewards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, seed_numbers

from marl_lessons.envs import MarkovGame, two_cars
from marl_lessons.envs.cars.two_cars import GO, WAIT, two_cars_state
from marl_lessons.envs.stepping import BatchedWorlds, GameWorlds, one_hot


def decoded(observations: np.ndarray) -> np.ndarray:
    """``[E]``: the state that every agent of a world sees, after a check that all see one and the same."""
    assert observations.dtype == np.float32
    assert set(np.unique(observations)) <= {0.0, 1.0} and (observations.sum(axis=2) == 1).all()
    states = observations.argmax(axis=2)
    assert (states == states[:, :1]).all()
    return states[:, 0]


@given(seed_numbers, st.integers(1, 6), st.sampled_from([None, 1, 4]), st.booleans())
def test_every_step_is_one_of_the_game(seed, n_worlds, time_limit, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 4, (2, 3), outcomes=outcomes)
    worlds = GameWorlds(game, n_worlds, time_limit)
    assert not worlds.active.any()
    before, ages = decoded(worlds.reset(rng)), np.zeros(n_worlds, dtype=int)
    assert (game.initial[before] > 0).all() and worlds.active.all()
    for _ in range(12):
        actions = rng.integers([2, 3], size=(n_worlds, 2))
        observations, rewards, terminated, truncated, ended = worlds.step(actions, rng)
        after = decoded(observations)
        ages += 1
        for e in range(n_worlds):
            assert game.transition[(before[e], *actions[e], after[e])] > 0
            for i in range(2):
                table = game.reward[i] if not outcomes else game.outcome_reward[i]
                at = (before[e], *actions[e]) + ((after[e],) if outcomes else ())
                assert rewards[e, i] == table[at]
                assert terminated[e, i] == game.terminal[after[e]]
                assert worlds.local_states[e, i] == worlds.states[e] == after[e]
                assert worlds.active[e, i] == (not ended[e]) and worlds.ended[e] == ended[e]
            late = time_limit is not None and ages[e] >= time_limit
            assert truncated[e] == (late and not game.terminal[after[e]])
            assert ended[e] == (late or game.terminal[after[e]])
        assert rewards.dtype == np.float64 and terminated.dtype == truncated.dtype == bool
        ages[ended] = 0
        before = decoded(worlds.reset_where(ended, rng))
        assert np.array_equal(before[~ended], after[~ended]) and worlds.active.all()


def test_two_cars_that_never_slip():
    """The way of both cars is certain: one passes, then the other; or they crash."""
    worlds, rng = GameWorlds(two_cars(slip=0.0), 2), np.random.default_rng(0)
    worlds.reset(rng)
    plan = [([GO, WAIT], [GO, GO]), ([GO, GO], [GO, GO])]
    first = worlds.step(np.array(plan[0]), rng)
    assert worlds.states.tolist() == [two_cars_state(1, 2), two_cars_state(1, 1)]
    assert first.rewards.tolist() == [[-1, -1], [-1, -1]] and not first.ended.any()
    second = worlds.step(np.array(plan[1]), rng)
    assert second.rewards.tolist() == [[1, -1], [-11, -11]]
    assert second.terminated.tolist() == [[False, False], [True, True]]
    assert second.observations[1, :, -1].tolist() == [1, 1], "the crash is seen"
    with pytest.raises(ValueError, match="world 1 has ended"):
        worlds.step(np.array(plan[1]), rng)
    worlds.reset_where(np.array([False, True]), rng)
    assert worlds.states.tolist() == [two_cars_state(0, 1), two_cars_state(2, 2)]


def test_frequencies_of_the_outcomes():
    game = random_game(np.random.default_rng(3), 4, (2, 2), terminal=False)
    n, rng = 20_000, np.random.default_rng(4)
    worlds = GameWorlds(game, n)
    before = decoded(worlds.reset(rng))
    after = decoded(worlds.step(np.tile([1, 0], (n, 1)), rng).observations)
    for s in range(4):
        p, seen = game.transition[s, 1, 0], after[before == s]
        frequency = np.bincount(seen, minlength=4) / len(seen)
        assert (np.abs(frequency - p) <= 5 * np.sqrt(p * (1 - p) / len(seen)) + 1e-12).all()


def test_what_the_protocol_asks_for():
    worlds = GameWorlds(two_cars(), 3)
    assert isinstance(worlds, BatchedWorlds)
    assert (worlds.n_worlds, worlds.n_agents, worlds.n_actions) == (3, 2, (2, 2))
    assert worlds.observation_sizes == (10, 10) and worlds.n_local_states == 10
    observations = worlds.reset(np.random.default_rng(0))
    assert observations.shape == (3, 2, 10) and worlds.active.shape == (3, 2)


def test_nothing_handed_out_is_a_view_of_the_inside():
    worlds, rng = GameWorlds(two_cars(), 1), np.random.default_rng(0)
    observations, states, active = worlds.reset(rng), worlds.states, worlds.active
    local_states, start = worlds.local_states, worlds.states.item()
    ended = worlds.ended
    for array in (observations, states, active, local_states, ended):
        array[...] = array.dtype == bool and array is ended
    assert worlds.states.item() == start and worlds.active.all() and not worlds.ended.any()


def test_one_hot_of_any_shape():
    assert one_hot(np.array(2), 3).tolist() == [0, 0, 1]
    assert one_hot(np.array([[0, 1]]), 2).tolist() == [[[1, 0], [0, 1]]]


@pytest.mark.parametrize(
    "arguments, name",
    [
        ((None, 1), "game"),
        ((two_cars(), 0), "n_worlds"),
        ((two_cars(), True), "n_worlds"),
        ((two_cars(), 1, 0), "time_limit"),
        ((two_cars(), 1, 2.5), "time_limit"),
    ],
)
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        GameWorlds(*arguments)


def test_bad_calls_are_named():
    worlds, rng = GameWorlds(two_cars(), 2), np.random.default_rng(0)
    with pytest.raises(ValueError, match="has ended; call reset"):
        worlds.step(np.zeros((2, 2), dtype=int), rng)
    with pytest.raises(ValueError, match=r"^rng"):
        worlds.reset(7)
    worlds.reset(rng)
    for actions in ([[0, 0]], [[0, 2], [0, 0]], [[0.0, 1.0]] * 2, [[True, False]] * 2, "go"):
        with pytest.raises(ValueError, match=r"^actions"):
            worlds.step(actions, rng)
    with pytest.raises(ValueError, match=r"^which"):
        worlds.reset_where([0, 1], rng)


def test_a_single_agent_is_a_world_too():
    chain = MarkovGame(np.eye(3)[[1, 2, 2]][:, None], np.ones((1, 3, 1)) * [[[1], [1], [0]]], 1.0,
                       np.eye(3)[0], np.arange(3) == 2)  # fmt: skip
    worlds, rng = GameWorlds(chain, 1), np.random.default_rng(0)
    assert worlds.reset(rng).tolist() == [[[1, 0, 0]]]
    assert not worlds.step([[0]], rng).ended[0]
    assert worlds.step([[0]], rng).terminated.tolist() == [[True]]
