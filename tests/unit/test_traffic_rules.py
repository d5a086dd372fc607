"""Yardsticks of the Traffic Junction: closed forms, what the original program yields, and a rule that never collides."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.envs.cars.junction import (
    BRAKE,
    TrafficJunction,
    full_information_rule,
    never_brake,
    reserve,
)
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.stepping import GameWorlds
from marl_lessons.evaluation.statistics import play_episodes, share

# Never braking in the program of Singh et al. (2019), measured with it: the level, the rate of arrivals, then the share
# of successes with its standard error and the mean return of a slot with its standard error.
ORIGINAL = [
    ("easy", 0.1, 0.8347, 0.0068, -0.850, 0.031),
    ("easy", 0.3, 0.2737, 0.0081, -4.756, 0.067),
    ("medium", 0.05, 0.7227, 0.0116, -2.406, 0.116),
    ("medium", 0.2, 0.0407, 0.0051, -21.01, 0.364),
    ("hard", 0.02, 0.6422, 0.0160, -2.908, 0.143),
    ("hard", 0.05, 0.0811, 0.0091, -12.55, 0.325),
]  # fmt: skip
# The same for a rule with full information: success and mean return.
FULL_INFORMATION = [
    ("easy", 0.1, 1.0, -0.13), ("easy", 0.3, 0.995, -0.39), ("medium", 0.05, 1.0, -0.56),
    ("medium", 0.2, 1.0, -1.83), ("hard", 0.02, 1.0, -1.01), ("hard", 0.05, 1.0, -2.47),
]  # fmt: skip


def play(rule, level, rate, n_episodes, seed=0, **options):
    world = TrafficJunction(level, n_episodes, arrival_rate=rate, **options)
    return play_episodes(
        world, lambda w, _: rule(w), 1, np.random.default_rng(seed), lambda w: w.failed
    )


@pytest.mark.parametrize(("level", "rate", "success", "error", "mean", "mean_error"), ORIGINAL)
def test_never_braking_fares_as_in_the_original(level, rate, success, error, mean, mean_error):
    played = play(never_brake, level, rate, 3000)
    seen = share(~played.measured)
    assert abs(seen.value - success) < 3 * np.hypot(error, seen.error)
    returns = played.returns.mean(axis=1)
    seen_error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - mean) < 3 * np.hypot(mean_error, seen_error)


@pytest.mark.parametrize(("level", "rate", "success", "mean"), FULL_INFORMATION)
def test_full_information_nearly_always_succeeds(level, rate, success, mean):
    played = play(full_information_rule, level, rate, 1000)
    assert abs((~played.measured).mean() - success) < 0.008
    assert abs(played.returns.mean() - mean) < 0.03 * abs(mean) + 0.01


@pytest.mark.parametrize("rate", [0.1, 0.3])
def test_never_braking_without_a_limit_on_cars_has_a_closed_form(rate):
    """Easy: two cars collide if they arrive in the same of the first 17 steps; they meet three steps later."""
    played = play(never_brake, "easy", rate, 6000, max_cars=14)
    expected = (1 - rate**2) ** 17
    error = np.sqrt(expected * (1 - expected) / 6000)
    assert abs((~played.measured).mean() - expected) < 4 * error


@pytest.mark.parametrize(("level", "rate"), [("easy", 0.1), ("medium", 0.02), ("hard", 0.01)])
def test_always_braking_has_a_closed_form(level, rate):
    """Nobody leaves its entry, so no entry may see a second arrival; the limit on cars does not matter before that."""
    world = TrafficJunction(level)
    n_steps, n_entries, n = world.time_limit, len(world.level.entries), 6000
    played = play(lambda w: np.full(w.active.shape, BRAKE), level, rate, n)
    one_entry = (1 - rate) ** n_steps + n_steps * rate * (1 - rate) ** (n_steps - 1)
    expected = one_entry**n_entries
    assert abs((~played.measured).mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize(
    ("level", "rate", "n_worlds"), [("easy", 0.3, 500), ("medium", 0.9, 100), ("hard", 0.5, 60)]
)
def test_under_the_rule_only_new_arrivals_are_hit(level, rate, n_worlds):
    world, rng = TrafficJunction(level, n_worlds, arrival_rate=rate), np.random.default_rng(1)
    world.reset(rng)
    hits = 0
    for _ in range(world.time_limit):
        shared = world.collided.any(axis=1)
        world.step(full_information_rule(world), rng)
        for e in np.flatnonzero(world.collided.any(axis=1) & ~shared):
            cells = world.cells[e]
            for cell in np.unique(cells[world.collided[e]], axis=0):
                there = (cells == cell).all(axis=1)
                assert (world.waited[e, there] == 0).any() and (world.progress[e, there] == 0).all()
                hits += 1
    assert hits > 0 or level == "medium"


places = st.lists(st.integers(0, 6), min_size=6, max_size=6)


@given(places, places, st.permutations(range(6)))
def test_no_two_come_to_the_same_place_unless_they_stood_there(here, ahead, priority):
    here, ahead, priority = (np.array([x]) for x in (here, ahead, priority))
    ahead = np.where(ahead == here, 0, ahead)
    goes = reserve(here, ahead, priority)[0]
    after = np.where(goes, ahead, here)[0]
    for i in range(6):
        others = [j for j in range(6) if j != i]
        if goes[i] and after[i] > 0:
            assert all(after[j] != after[i] for j in others)
        if not goes[i]:  # not without need: somebody with a better claim is there then
            assert any(
                after[j] == ahead[0, i] and (not goes[j] or priority[0, j] > priority[0, i])
                for j in others
            )


def test_a_ring_of_cars_may_turn():
    here, ahead = np.array([[1, 2, 3, 4]]), np.array([[2, 3, 4, 1]])
    assert reserve(here, ahead, np.array([[4, 3, 2, 1]])).all()
    assert not reserve(here, np.array([[2, 3, 4, 4]]), np.array([[4, 3, 2, 1]]))[0, :3].any()


def test_the_car_longer_on_the_road_goes_first():
    world = TrafficJunction("easy", 2, arrival_rate=0.0)
    world.reset(np.random.default_rng(0))
    world._states[:, :2] = world.roads.first_state + 2
    world.waited = np.array([[5, 2, 0, 0, 0], [3, 4, 0, 0, 0]])
    assert full_information_rule(world)[:, :2].tolist() == [[0, 1], [1, 0]]
    assert not never_brake(world).any() and never_brake(world).shape == (2, 5)


@pytest.mark.parametrize("rule", [never_brake, full_information_rule])
def test_a_rule_can_be_given_as_it_is(rule):
    played = [
        play_episodes(TrafficJunction("easy", 20), act, 1, np.random.default_rng(2)).returns
        for act in (rule, lambda world, _: rule(world))
    ]
    assert np.array_equal(*played) and played[0].any()
    for bad in (GameWorlds(two_cars(), 2), None, TrafficJunction):
        with pytest.raises(ValueError, match=r"^world: expected a TrafficJunction"):
            rule(bad)
