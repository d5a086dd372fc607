"""The blind crossing against a slow simulator written from its rules, and what a driver can see of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers

from marl_lessons.envs.cars.blind_crossing import BlindCrossing, blind_crossing_game
from marl_lessons.envs.cars.two_cars import GO, WAIT
from marl_lessons.envs.stepping import BatchedWorlds, check_batched_worlds


def rng(seed=0):
    return np.random.default_rng(seed)


class PlainCar:
    """A car by the words of the rules: cells to go, and when it drove onto the crossing."""

    def __init__(self, cells):
        self.cells, self.entered, self.left = cells, None, False


def plain_second(cars, actions, second, crash, passing, step):
    """Advance two cars by one second; returns both rewards and whether they crashed."""
    rewards = [step if car.entered is None else 0.0 for car in cars]
    new = []
    for i, car in enumerate(cars):
        if car.entered is not None:
            car.left = True
        elif actions[i] == 1:
            car.cells -= 1
            if car.cells == 0:
                car.entered = second
                new.append(i)
    entered = [car.entered for car in cars]
    crashed = bool(new) and None not in entered and abs(entered[0] - entered[1]) < 2
    for i in (0, 1):
        rewards[i] += crash if crashed else passing * (i in new)
    return rewards, crashed


def one_start(cells, **options):
    """A single world that begins with these ``cells`` to go."""
    worlds = BlindCrossing(1, **options)
    for seed in range(10_000):
        worlds.reset(rng(seed))
        if worlds.distances[0].tolist() == list(cells):
            return worlds
    raise AssertionError("no such start")


def play(worlds, *plan):
    """The rewards ``[T, 2]`` and the last step of one world under joint actions."""
    steps = [worlds.step(np.array([actions]), rng()) for actions in plan]
    return [step.rewards[0].tolist() for step in steps], steps[-1]


def test_it_follows_the_protocol():
    worlds = BlindCrossing(3)
    assert check_batched_worlds("worlds", worlds) is worlds and isinstance(worlds, BatchedWorlds)
    assert (worlds.n_agents, worlds.n_actions, worlds.observation_sizes) == (2, (2, 2), (7, 7))
    assert worlds.n_local_states == 8 and worlds.ended.all() and not worlds.active.any()
    seen = worlds.reset(rng())
    assert worlds.active.all() and not worlds.ended.any()
    step = worlds.step(np.ones((3, 2), dtype=int), rng())
    assert seen.shape == step.observations.shape == (3, 2, 7)
    assert seen.dtype == step.observations.dtype == np.float32
    assert step.rewards.shape == step.terminated.shape == (3, 2)
    assert step.rewards.dtype == np.float64 and step.terminated.dtype == bool
    assert step.truncated.shape == step.ended.shape == (3,)


@given(
    seed_numbers,
    st.integers(2, 5),
    st.integers(1, 14),
    st.floats(-20, 20),
    st.floats(-20, 20),
    st.floats(-3, 3),
    st.sampled_from([0.3, 0.7, 1.0]),
)
def test_every_second_is_as_the_plain_rules_say(seed, distance, limit, crash, passing, step, going):
    generator, n = rng(seed), 6
    worlds = BlindCrossing(n, distance=distance, crash_reward=crash, pass_reward=passing, step_reward=step, time_limit=limit)  # fmt: skip
    worlds.reset(generator)
    cars, ages = [None] * n, [0] * n
    for _ in range(25):
        for e in range(n):
            if ages[e] == 0:
                cars[e] = [PlainCar(int(d)) for d in worlds.distances[e]]
        actions = (generator.random((n, 2)) < going).astype(int)
        before = worlds.active.copy()
        result = worlds.step(actions, generator)
        for e in range(n):
            rewards, crashed = plain_second(cars[e], actions[e], ages[e], crash, passing, step)
            ages[e] += 1
            assert result.rewards[e] == pytest.approx(rewards, abs=1e-12)
            gone = [car.left for car in cars[e]]
            finished = crashed or all(gone)
            assert worlds.crashed[e] == crashed
            assert result.truncated[e] == (ages[e] >= limit and not finished)
            assert result.ended[e] == worlds.ended[e] == (ages[e] >= limit or finished)
            for i, car in enumerate(cars[e]):
                place = -1 if car.left else car.cells
                assert result.terminated[e, i] == (before[e, i] and (crashed or gone[i]))
                assert worlds.active[e, i] == (not gone[i] and not result.ended[e])
                if not crashed:
                    assert worlds.distances[e, i] == place
                    assert worlds.local_states[e, i] == place + 1
                    wanted = np.zeros(distance + 1)
                    wanted[place : place + 1] = 1.0
                    assert result.observations[e, i].tolist() == wanted.tolist()
        if result.ended.any():
            worlds.reset_where(result.ended, generator)
        ages = [0 if over else age for over, age in zip(result.ended, ages)]


def test_starts_are_different_and_equally_likely():
    worlds = BlindCrossing(6000, distance=4)
    worlds.reset(rng())
    pairs, counts = np.unique(worlds.distances, axis=0, return_counts=True)
    assert pairs.tolist() == [[a, b] for a in range(1, 5) for b in range(1, 5) if a != b]
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500)


def test_one_cell_apart_crash_and_the_first_keeps_what_it_got():
    rewards, last = play(one_start((2, 1)), [GO, GO], [GO, GO])
    assert rewards == [[-1, 9], [-11, -10]]
    assert last.terminated.all() and last.ended.all() and not last.truncated.any()


def test_two_cells_apart_both_pass():
    worlds = one_start((3, 1))
    rewards, last = play(worlds, [GO, GO], [GO, WAIT], [GO, WAIT])
    assert rewards == [[-1, 9], [-1, 0], [9, 0]] and not last.ended.any()
    assert worlds.active.tolist() == [[True, False]]
    _, last = play(worlds, [WAIT, GO])
    assert last.rewards.tolist() == [[0, 0]] and last.terminated.tolist() == [[True, False]]
    assert last.ended.all() and not worlds.crashed.any()


def test_who_waits_a_second_passes_behind():
    rewards, last = play(one_start((1, 2)), [GO, GO], [GO, WAIT], [GO, GO], [GO, GO])
    assert rewards == [[9, -1], [0, -1], [0, 9], [0, 0]] and last.ended.all()


def test_cars_that_enter_in_the_same_second_get_nothing_for_it():
    rewards, last = play(one_start((1, 2)), [WAIT, GO], [GO, GO])
    assert rewards == [[-1, -1], [-11, -11]] and last.terminated.all()


def test_cars_that_wait_are_cut_short_and_their_story_goes_on():
    worlds = one_start((1, 2), time_limit=3)
    rewards, last = play(worlds, *[[WAIT, WAIT]] * 3)
    assert rewards == [[-1, -1]] * 3
    assert last.truncated.all() and last.ended.all() and not last.terminated.any()
    assert not worlds.active.any()


def test_a_car_sees_nothing_of_the_other():
    seen = {}
    worlds = BlindCrossing(400)
    observations = worlds.reset(rng())
    for own, view in zip(worlds.distances[:, 0], observations[:, 0]):
        assert seen.setdefault(own, view.tolist()) == view.tolist()
    assert len(seen) == 6 and (observations.sum(axis=2) == 1).all()


def test_worlds_that_go_on_are_left_alone_by_a_new_beginning():
    worlds = BlindCrossing(50)
    worlds.reset(rng())
    worlds.step(np.ones((50, 2), dtype=int), rng())
    before, which = worlds.distances, np.arange(50) % 2 == 0
    worlds.reset_where(which, rng(1))
    assert np.array_equal(worlds.distances[~which], before[~which])
    assert (worlds.distances[which] > 0).all() and not worlds.ended.any()


def test_the_game_is_finite_with_tables_by_both_places():
    game = blind_crossing_game(3)
    assert game.n_states == 26 and game.n_actions == (2, 2)
    assert game.state_names[5 * 2 + 4] == "car 0 1 to go, car 1 3 to go"
    assert game.state_names[5] == "car 0 on the crossing, car 1 away"
    assert np.flatnonzero(game.terminal).tolist() == [0, 25]
    assert (game.transition.max(axis=-1) == 1).all()


@pytest.mark.parametrize("value", [None, "6", 1, 0, -3, 2.5, True, 31, 10**9, np.nan, [6]])
def test_bad_distances_are_refused(value):
    for call in (blind_crossing_game, lambda d: BlindCrossing(distance=d)):
        with pytest.raises(ValueError, match="distance"):
            call(value)


bad = st.none() | st.text(max_size=3) | st.booleans() | st.just(float("nan")) | st.just(1e300)
bad_count = st.none() | st.text(max_size=3) | st.booleans() | st.floats() | st.integers(-5, 0)


@given(bad, bad_count)
def test_other_bad_arguments_are_named(value, count):
    for name in ("crash_reward", "pass_reward", "step_reward"):
        with pytest.raises(ValueError, match=name):
            BlindCrossing(distance=2, **{name: value})
    for name in ("n_worlds", "time_limit"):
        with pytest.raises(ValueError, match=name):
            BlindCrossing(**{"distance": 2, name: count})
