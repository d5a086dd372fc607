"""Playing whole episodes: every world contributes as many, long or short, and measures are read at the end."""

import numpy as np
import pytest

from marl_lessons.envs.cars.junction import TrafficJunction, never_brake
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.envs.stepping import BatchedStep, GameWorlds
from marl_lessons.evaluation.statistics import play_episodes, share


class Countdown:
    """World e's episodes last e + 1 steps; agent 0 gets its action every step, agent 1 the number of the step."""

    n_worlds, n_agents, n_actions, observation_sizes = 3, 2, (4, 4), (1, 1)
    active = np.ones((3, 2), dtype=bool)

    def __init__(self):
        self.age, self.resets = np.zeros(3, dtype=int), np.zeros(3, dtype=int)

    @property
    def ended(self):
        return self.age == np.arange(1, 4)

    def reset(self, rng):
        return self.reset_where(np.ones(3, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.age, self.resets = np.where(which, 0, self.age), self.resets + which
        return np.repeat(self.age, 2).reshape(3, 2, 1).astype(np.float32)

    def step(self, actions, rng):
        assert (self.age < np.arange(1, 4)).all(), "a world that had ended was stepped"
        self.age = self.age + 1
        seen = np.repeat(self.age, 2).reshape(3, 2, 1).astype(np.float32)
        rewards = np.stack([actions[:, 0], self.age], axis=1).astype(float)
        ended = self.age == np.arange(1, 4)
        return BatchedStep(seen, rewards, np.repeat(ended, 2).reshape(3, 2), ~ended & False, ended)


def act_on_age(world, observations):
    return observations[:, :, 0].astype(int)


def test_returns_count_one_episode_of_each_world_and_round():
    played = play_episodes(Countdown(), act_on_age, 2, np.random.default_rng(0), lambda w: w.age)
    assert played.returns.tolist() == [[0, 1], [1, 3], [3, 6]] * 2
    assert played.measured.tolist() == [1, 2, 3] * 2


def test_without_a_measure_nothing_is_measured():
    assert play_episodes(Countdown(), act_on_age, 1, np.random.default_rng(0)).measured is None


def test_a_measure_may_have_more_axes():
    played = play_episodes(
        Countdown(), act_on_age, 2, np.random.default_rng(0), lambda w: np.stack([w.age] * 2, 1)
    )
    assert played.measured.shape == (6, 2)


def test_it_plays_the_junction():
    world = TrafficJunction("easy", 30)
    rng = np.random.default_rng(3)
    played = play_episodes(world, lambda w, _: never_brake(w), 2, rng, lambda w: w.failed)
    by_hand, other = [], TrafficJunction("easy", 30)
    rng = np.random.default_rng(3)
    for _ in range(2):
        other.reset(rng)
        by_hand.append(sum(other.step(never_brake(other), rng).rewards for _ in range(20)))
    assert np.allclose(played.returns, np.concatenate(by_hand))
    assert np.array_equal(played.measured, played.returns.min(axis=1) < -9)


def test_a_share_and_its_error():
    assert share(np.array([True, False, False, False])) == (0.25, np.sqrt(0.25 * 0.75 / 4))
    assert share(np.ones(3, dtype=bool)) == (1.0, 0.0)


@pytest.mark.parametrize("bad", [[], [[True]], [1, 0], [0.5], "yes", None, [[True], [True, False]]])
def test_a_share_of_nothing_is_refused(bad):
    with pytest.raises(ValueError, match=r"^flags"):
        share(bad)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"world": 3}, "world"), ({"act": None}, "act"), ({"n_rounds": 0}, "n_rounds"),
        ({"rng": 1}, "rng"), ({"measure": 2}, "measure"), ({"measure": lambda w: 1}, "measure"),
        ({"measure": lambda w: np.zeros(2)}, "measure"),
        ({"measure": lambda w: [[1], [1, 2], [3]]}, "measure: expected it to return an array"),
        ({"measure": lambda w: [None] * 3}, "measure: expected it to return an array"),
        ({"measure": lambda w: np.zeros((3, w.age.max()))}, "measure: returned shapes"),
        ({"max_steps": 0}, "max_steps"), ({"max_steps": True}, "max_steps"),
    ],
)  # fmt: skip
def test_bad_arguments_are_refused(change, name):
    arguments = {"world": Countdown(), "act": act_on_age, "n_rounds": 1, "rng": np.random.default_rng(0)}  # fmt: skip
    with pytest.raises(ValueError, match=f"^{name}"):
        play_episodes(**{**arguments, **change})


def test_worlds_that_never_end_are_given_up():
    """Episodes of world 2 last 3 steps: 3 are enough, 2 are not; and a game without end has no chance at all."""
    arguments = Countdown(), act_on_age, 2, np.random.default_rng(0)
    assert play_episodes(*arguments, max_steps=3).returns.shape == (6, 2)
    with pytest.raises(ValueError, match=r"^world: an episode has not ended after 2 steps"):
        play_episodes(*arguments, max_steps=2)
    endless = GameWorlds(matrix_game([[[1.0, 2.0]], [[1.0, 2.0]]]), 2)
    with pytest.raises(ValueError, match=r"^world: an episode has not ended after 50 steps"):
        play_episodes(endless, lambda w, _: np.zeros((2, 2), int), 1, arguments[-1], max_steps=50)
