"""Speaker and listener: what they hear, see and pay."""

import numpy as np
import pytest

from marl_lessons.envs import simple_speaker_listener


def begun(make, n_worlds=4, **settings):
    worlds = make(n_worlds, **settings)
    worlds.reset(np.random.default_rng(0))
    return worlds


def returns_of(worlds, actions, start):
    """``[E, n]``: the sum of rewards of one episode."""
    worlds.place(**start)
    rng = np.random.default_rng(0)
    return sum(worlds.step(joint, rng).rewards for joint in actions)


def crowded_start(n_worlds, n_bodies, rng):
    return {"positions": rng.uniform(-0.5, 0.5, (n_worlds, n_bodies, 2))}


def test_speaker_and_listener_are_paid_twice_by_the_original():
    rng = np.random.default_rng(3)
    start = {**crowded_start(30, 5, rng), "goals": rng.integers(3, size=30)}
    actions = rng.integers([3, 5], size=(25, 30, 2))
    once = returns_of(simple_speaker_listener(30), actions, start)
    twice = returns_of(simple_speaker_listener(30, returns="openai"), actions, start)
    np.testing.assert_allclose(twice, once.sum(axis=1, keepdims=True).repeat(2, axis=1))


def test_a_listener_at_rest_pays_what_two_random_points_are_apart():
    """E d² = 2 · (1/3 + 1/3) for independent uniform points of [-1, 1]²; 25 steps."""
    worlds, rng = simple_speaker_listener(20_000), np.random.default_rng(4)
    worlds.reset(rng)
    still = np.zeros((20_000, 2), dtype=int)
    returns = sum(worlds.step(still, rng).rewards[:, 0] for _ in range(25))
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() + 25 * 4 / 3) < 4 * error < 1.0


def test_the_listener_hears_what_was_said_in_the_step_before():
    worlds, rng = begun(simple_speaker_listener, 2), np.random.default_rng(0)
    assert not worlds.observe()[:, 1, 8:].any() and not worlds.messages.any()
    for words in ([0, 2], [1, 1], [2, 0]):
        step = worlds.step(np.array([[word, 0] for word in words]), rng)
        np.testing.assert_array_equal(step.observations[:, 1, 8:], np.eye(3)[words])
    worlds = begun(simple_speaker_listener, 1, continuous_actions=True)
    said = [[[0.1, 0.2, 0.3, 0.9, 0.9], [0, 0, 0, 0, 0]]]
    seen = worlds.step(np.array(said), rng).observations
    np.testing.assert_allclose(seen[0, 1, 8:], [0.1, 0.2, 0.3])
    assert worlds.messages.tolist() == [[[0.1, 0.2, 0.3], [0, 0, 0]]]


def test_the_speaker_sees_the_colour_of_the_goal():
    worlds = simple_speaker_listener(3)
    worlds.place(np.zeros((3, 5, 2)), goals=[0, 1, 2])
    colours = [[0.65, 0.15, 0.15], [0.15, 0.65, 0.15], [0.15, 0.15, 0.65]]
    np.testing.assert_allclose(worlds.observe()[:, 0, :3], colours)
    assert not worlds.observe()[:, 0, 3:].any()


def test_a_word_is_no_move():
    worlds = begun(simple_speaker_listener, 1)
    with pytest.raises(ValueError, match=r"^actions\[0, 0\] is 3; allowed are 0 to 2"):
        worlds.step(np.array([[3, 0]]), np.random.default_rng(0))
