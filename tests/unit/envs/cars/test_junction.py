"""The Traffic Junction: every rule by hand and against a plain version; yardsticks in closed form; what slots would tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_junction import OUTSIDE, PlainJunction

from marl_lessons.envs.cars.junction import (
    BRAKE,
    GAS,
    TrafficJunction,
    full_information_rule,
    never_brake,
    reserve,
)
from marl_lessons.envs.cars.junction_roads import LEVELS
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.stepping import BatchedWorlds, GameWorlds
from marl_lessons.evaluation.statistics import play_episodes, share

NORTH_ROUTE, WEST_ROUTE = 0, 1  # of the easy level: from the north, from the west


def situation(*cars, level="easy", rate=0.0, n_worlds=1, **options):
    """A world at the start of an episode with ``cars`` (route, progress) put by hand in slots 0, 1, …"""
    world = TrafficJunction(level, n_worlds, arrival_rate=rate, **options)
    world.reset(np.random.default_rng(0))
    for slot, (route, progress) in enumerate(cars):
        world._states[:, slot] = world.roads.first_state[route] + progress
    return world


def go(world, *actions, seed=0):
    """One step; slots that are not named give gas."""
    joint = np.full((world.n_worlds, world.n_agents), GAS)
    joint[:, : len(actions)] = actions
    return world.step(joint, np.random.default_rng(seed))


def look(world):
    """What all see at the moment, without a step."""
    return world.reset_where(np.zeros(world.n_worlds, dtype=bool), np.random.default_rng(0))


def test_it_follows_the_protocol():
    world = TrafficJunction("medium", 3)
    assert isinstance(world, BatchedWorlds)
    assert (world.n_worlds, world.n_agents, world.n_actions) == (3, 10, (2,) * 10)
    assert (GAS, BRAKE) == (0, 1)
    seen = world.reset(np.random.default_rng(0))
    step = go(world)
    assert seen.shape == step.observations.shape == (3, 10, 61)
    assert seen.dtype == step.observations.dtype == np.float32
    assert step.rewards.shape == step.terminated.shape == world.active.shape == (3, 10)
    assert step.rewards.dtype == np.float64
    assert step.truncated.shape == step.ended.shape == (3,)


@pytest.mark.parametrize(
    ("level", "n_cars", "steps", "rate", "sizes"),
    [("easy", 5, 20, 0.3, (17, 137)), ("medium", 10, 40, 0.2, (61, 533)), ("hard", 20, 80, 0.05, (149, 1325))],
)  # fmt: skip
def test_what_a_level_prescribes(level, n_cars, steps, rate, sizes):
    for vision, size in enumerate(sizes):
        world = TrafficJunction(level, vision=vision)
        assert world.observation_sizes == (size,) * n_cars
    assert (world.n_agents, world.time_limit, world.arrival_rate) == (n_cars, steps, rate)
    assert world.n_local_states == 1 + sum(len(route) for route in world.roads.routes)


def test_an_episode_begins_without_cars_and_all_see_zeros():
    world = TrafficJunction("hard", 4, vision=1, arrival_rate=1.0)
    seen = world.reset(np.random.default_rng(0))
    assert not world.active.any() and not seen.any()
    assert go(world).observations.any(axis=(1, 2)).all()


def test_gas_drives_on_and_brake_stays():
    world = situation((NORTH_ROUTE, 0), (WEST_ROUTE, 4))
    go(world, GAS, BRAKE)
    assert world.cells[0, :2].tolist() == [[1, 3], [3, 4]]
    go(world, BRAKE, GAS)
    assert world.cells[0, :2].tolist() == [[1, 3], [3, 5]]
    assert world.progress[0].tolist() == [1, 5, -1, -1, -1]
    assert world.route[0].tolist() == [NORTH_ROUTE, WEST_ROUTE, -1, -1, -1]
    assert world.last_actions[0, :2].tolist() == [BRAKE, GAS]


def test_time_on_the_road_costs_more_and_more_driving_or_not():
    world = situation((NORTH_ROUTE, 0), (WEST_ROUTE, 0))
    rewards = [go(world, GAS, BRAKE).rewards[0] for _ in range(4)]
    assert np.allclose(rewards, [[-0.01 * k, -0.01 * k, 0, 0, 0] for k in (1, 2, 3, 4)])
    assert world.waited[0].tolist() == [4, 4, 0, 0, 0]


def test_time_counts_from_the_arrival():
    world = situation(rate=1.0, max_cars=2)
    assert go(world).rewards.tolist() == [[0, 0]]
    world.arrival_rate = 0.0
    assert np.allclose(go(world).rewards, -0.01)


def test_both_cars_pay_again_in_every_step_in_which_they_share_a_cell():
    world = situation((NORTH_ROUTE, 2), (WEST_ROUTE, 2), (WEST_ROUTE, 0))
    for waited in (1, 2, 3):
        rewards = go(world, *((GAS, GAS, BRAKE) if waited == 1 else (BRAKE,) * 3)).rewards
        assert np.allclose(rewards, np.array([[-10, -10, 0, 0, 0]]) - 0.01 * waited * world.active)
        assert world.collided[0].tolist() == [True, True, False, False, False]
    assert np.allclose(go(world, GAS, BRAKE, BRAKE).rewards[0, :2], -0.04)  # they drive on, apart


def test_three_cars_in_a_cell_pay_no_more_than_two():
    world = situation(*[(NORTH_ROUTE, 3)] * 2, (WEST_ROUTE, 3))
    assert np.allclose(go(world, BRAKE, BRAKE, BRAKE).rewards[0, :3], -10.01)


def test_all_cars_drive_at_once():
    """A queue drives on without collision, in whatever order its cars are numbered."""
    for cars in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        world = situation(*((NORTH_ROUTE, k) for k in cars))
        assert np.allclose(go(world).rewards[0, :3], -0.01)
    crossing = situation((NORTH_ROUTE, 3), (WEST_ROUTE, 2))
    assert np.allclose(go(crossing).rewards[0, :2], -0.01)  # one leaves the crossing as one enters


def test_nobody_looks_whether_the_entry_is_free():
    world = situation((NORTH_ROUTE, 0), rate=1.0, max_cars=2)
    step = go(world, BRAKE)
    assert world.cells[0].tolist() == [[0, 3], [0, 3]] and world.failed[0]
    assert np.allclose(step.rewards, [[-10.01, -10]])


def test_the_entry_is_free_for_the_next_if_the_first_drives_on():
    world = situation((NORTH_ROUTE, 0), rate=1.0, max_cars=2)
    assert np.allclose(go(world, GAS).rewards, [[-0.01, 0]])
    assert not world.failed[0]


def test_the_first_entry_gets_the_last_slot():
    for seed in range(20):
        world = situation(rate=1.0, max_cars=3)
        go(world, seed=seed)
        assert sorted(world.route[0]) == [-1, NORTH_ROUTE, WEST_ROUTE]
        go(world, seed=seed)
        assert sorted(world.route[0]) == [NORTH_ROUTE, NORTH_ROUTE, WEST_ROUTE]
        go(world, seed=seed)
        assert world.active.sum() == 3
    hard = situation(rate=1.0, max_cars=3, level="hard", n_worlds=50)
    go(hard)
    assert np.array_equal(np.sort(hard.route // 7, axis=1), np.tile([0, 1, 2], (50, 1)))


def test_slots_and_routes_are_drawn_evenly():
    world = TrafficJunction("medium", 6000, arrival_rate=1.0)
    world.reset(np.random.default_rng(0))
    go(world, seed=3)
    first_entry = world.route // 3 == 0
    slots = np.bincount(np.nonzero(first_entry)[1], minlength=10)
    turns = np.bincount(world.route[first_entry], minlength=3)
    for counts in (slots, turns):
        expected = 6000 / len(counts)
        assert (np.abs(counts - expected) < 4.5 * np.sqrt(expected)).all()
    assert (
        np.bincount(np.nonzero(world.route // 3 == 3)[1]).min() > 500
    )  # no slot is left to the last


def test_the_car_that_leaves_gets_nothing_and_sees_nothing():
    world = situation((NORTH_ROUTE, 6), (NORTH_ROUTE, 6), (WEST_ROUTE, 6))
    world.last_actions = np.ones_like(world.last_actions)
    step = go(world, GAS, BRAKE, GAS)
    assert step.terminated[0].tolist() == [True, False, True, False, False]
    assert np.allclose(step.rewards[0], [0, -0.01, 0, 0, 0])
    assert world.active[0].tolist() == [False, True, False, False, False]
    assert not step.observations[0, [0, 2]].any() and world.waited[0, 0] == 0


def test_a_slot_is_used_again_in_the_step_in_which_its_car_leaves():
    world = situation((WEST_ROUTE, 6), rate=1.0, max_cars=1)
    world.waited[:] = 9
    step = go(world, GAS)
    assert step.terminated[0, 0] and world.active[0, 0]
    assert (world.route[0, 0], world.progress[0, 0], world.waited[0, 0]) == (NORTH_ROUTE, 0, 0)
    assert step.rewards[0, 0] == 0 and step.observations[0, 0, 2 + 7] == 1
    assert not go(world, BRAKE).terminated.any()


@pytest.mark.parametrize("clean", [False, True])
def test_a_new_car_sees_the_last_action_of_its_slot_unless_mended(clean):
    world = situation((NORTH_ROUTE, 6), max_cars=1, clean_observations=clean)
    assert go(world, BRAKE).observations[0, 0, 0] == 1
    assert go(world, GAS).observations[0, 0, 0] == 0  # no car
    world.arrival_rate = 1.0
    assert go(world, GAS).observations[0, 0, 0] == (0 if clean else 1)
    assert go(world, GAS).observations[0, 0, 0] == 0


def test_a_failure_is_remembered_until_the_episode_is_over():
    world = situation((NORTH_ROUTE, 3), (WEST_ROUTE, 3))
    go(world, GAS, BRAKE)
    assert not world.failed[0]
    world = situation((NORTH_ROUTE, 3), (WEST_ROUTE, 2))
    go(world, BRAKE, GAS)
    assert world.failed[0]
    for _ in range(19):
        step = go(world)
        assert world.failed[0] and not world.collided.any()
    assert step.ended[0] and not look(world).any()
    world.reset(np.random.default_rng(0))
    assert not world.failed[0]


def test_observations_number_by_number():
    """Two cars in cell (3, 2), the second one braking; a third on (5, 3), a cell that looks like no road."""
    world = situation((WEST_ROUTE, 1), (WEST_ROUTE, 2), (NORTH_ROUTE, 5))
    seen = go(world, GAS, BRAKE, BRAKE).observations[0]
    expected = np.zeros((5, 17))
    expected[0, [1, 2 + 2, 16]] = 1, 1, 2
    expected[1, [0, 1, 2 + 2, 16]] = 1, 1, 1, 2
    expected[2, [0, 2 + 12, 16]] = 1, 1, 1
    assert np.array_equal(seen, expected)


def test_observations_of_a_window_number_by_number():
    world = situation((NORTH_ROUTE, 2), (WEST_ROUTE, 2), (WEST_ROUTE, 4), vision=1)
    window = look(world)[0, 0, 2:].reshape(3, 3, 15)
    classes = [[12, 8, 12], [12, 9, 12], [2, 10, 4]]
    assert np.array_equal(window[..., :14].argmax(axis=-1), classes)
    assert np.array_equal(window[..., :14].sum(axis=-1), np.ones((3, 3)))
    assert np.array_equal(window[..., 14], [[0, 0, 0], [0, 1, 0], [1, 0, 1]])
    edge = situation((NORTH_ROUTE, 6), (NORTH_ROUTE, 5), vision=1)
    window = look(edge)[0, 0, 2:].reshape(3, 3, 15)
    classes = [[12, 12, 12], [12, 13, 12], [12, 12, 12]]  # (5, 3) looks as if there were no road
    assert np.array_equal(window[..., :14].argmax(axis=-1), classes)
    assert np.array_equal(window[..., 14], [[0, 1, 0], [0, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize("level", LEVELS)
def test_clean_observations_tell_all_cells_of_the_road_apart(level):
    distinct = {}
    for clean in (False, True):
        world = TrafficJunction(level, max_cars=1, clean_observations=clean)
        world.reset(np.random.default_rng(0))
        seen = {}
        for state in range(1, world.n_local_states):
            world._states[:] = state
            observation = look(world)[0, 0, 2:]
            assert observation[-1] == observation[:-1].sum() == 1
            seen[tuple(world.cells[0, 0])] = observation.argmax()
        distinct[clean] = len(set(seen.values()) - {OUTSIDE[level]})
        assert len(seen) == world.roads.place_at.max()
    assert distinct[True] == len(seen)
    assert distinct[False] == len(seen) - (level == "easy")


def test_the_clock_ends_episodes():
    world = situation(time_limit=3, n_worlds=2)
    ended = [go(world) for _ in range(3)]
    assert [step.truncated.tolist() for step in ended] == [[False] * 2, [False] * 2, [True] * 2]
    assert all(np.array_equal(step.ended, step.truncated) for step in ended)
    with pytest.raises(ValueError, match="has ended"):
        go(world)
    world.reset_where(np.array([True, False]), np.random.default_rng(0))
    assert world.ages.tolist() == [0, 3]
    with pytest.raises(ValueError, match="world 1 has ended"):
        go(world)
    with pytest.raises(ValueError, match="world 0 has ended"):
        go(TrafficJunction())


def test_nobody_takes_part_when_the_episode_is_over_though_cars_are_still_there():
    world = situation((NORTH_ROUTE, 0), time_limit=2, n_worlds=2)
    for ended in (False, True):
        step = go(world, BRAKE)
        assert world.ended.tolist() == step.ended.tolist() == [ended] * 2
        assert (world.local_states[:, 0] > 0).all()
        assert world.active.tolist() == [[not ended, False, False, False, False]] * 2
    world.reset_where(np.array([True, False]), np.random.default_rng(0))
    world._states[0, 1] = 1
    assert world.active.tolist() == [[False, True, False, False, False], [False] * 5]
    assert world.ended.tolist() == [False, True]


def test_what_is_handed_out_cannot_change_the_roads():
    world = situation((NORTH_ROUTE, 0))
    with pytest.raises(ValueError, match="read-only"):
        world.local_states[:] = 0
    with pytest.raises(ValueError, match="read-only"):
        go(world) and world.local_states.fill(3)
    before = world.local_states
    kept = before.copy()
    world.arrival_rate = 1.0
    go(world)
    assert np.array_equal(before, kept) and not np.array_equal(world.local_states, kept)


def test_the_reward_of_a_slot_given_away_is_the_new_cars():
    """One slot is free in the very step in which its car leaves; the new car is hit on arrival by one that brakes."""
    world = situation((NORTH_ROUTE, 6), (NORTH_ROUTE, 0), rate=1.0, max_cars=2)
    step = go(world, GAS, BRAKE)
    assert step.terminated[0].tolist() == [True, False]
    assert world.cells[0].tolist() == [[0, 3], [0, 3]] and world.waited[0].tolist() == [0, 1]
    assert np.allclose(step.rewards, [[-10, -10.01]])


def test_a_new_episode_leaves_other_worlds_and_old_arrays_alone():
    world = situation((NORTH_ROUTE, 3), (WEST_ROUTE, 3), n_worlds=2)
    step = go(world, BRAKE, BRAKE)
    before = {name: getattr(world, name) for name in ("local_states", "waited", "failed", "collided")}  # fmt: skip
    copies = {name: array.copy() for name, array in before.items()}
    seen = world.reset_where(np.array([True, False]), np.random.default_rng(0))
    assert not seen[0].any() and np.array_equal(seen[1], step.observations[1])
    assert not world.active[0].any() and world.active[1, :2].all()
    assert world.failed.tolist() == [False, True] and world.ages.tolist() == [0, 1]
    assert world.waited[0].sum() == 0 and world.last_actions.tolist() == [[0] * 5, [1, 1, 0, 0, 0]]
    assert all(np.array_equal(before[name], copies[name]) for name in before)


def test_arrivals_do_not_depend_on_how_the_cars_drive():
    arrivals = []
    for action in (GAS, BRAKE):
        world, rng = TrafficJunction("hard", 5, max_cars=200), np.random.default_rng(4)
        world.reset(rng)
        entered = []
        for _ in range(80):
            world.step(np.full((5, 200), action), rng)
            new = world.active & (world.waited == 0)
            entered.append([sorted(world.route[e, new[e]]) for e in range(5)])
        arrivals.append(entered)
    assert (
        arrivals[0] == arrivals[1]
        and sum(len(cars) for moment in arrivals[0] for cars in moment) > 100
    )


settings = st.tuples(
    st.sampled_from(list(LEVELS)), st.integers(0, 2), st.sampled_from([0.05, 0.3, 0.7, 1.0]),
    st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 10**6),
)  # fmt: skip


@given(settings)
def test_step_by_step_as_the_plain_version(setting):
    level, vision, rate, braking, seed = setting
    n_worlds, choose = 2, np.random.default_rng(seed)
    world = TrafficJunction(level, n_worlds, vision=vision, arrival_rate=rate)
    plain = [PlainJunction(level, vision, rate) for _ in range(n_worlds)]
    world.reset(np.random.default_rng(seed))
    for moment in range(25):
        actions = (choose.random((n_worlds, world.n_agents)) < braking).astype(int)
        numbers = np.random.default_rng(seed + moment).random((3, plain[0].n_entries, n_worlds))
        step = world.step(actions, np.random.default_rng(seed + moment))
        for e, one in enumerate(plain):
            rewards, left = one.step(actions[e].tolist(), numbers[:, :, e].tolist())
            assert np.allclose(step.rewards[e], rewards, rtol=0, atol=1e-12)
            assert step.terminated[e].tolist() == left and world.failed[e] == one.failed
            there = [car is not None for car in one.cars]
            assert (world.local_states[e] > 0).tolist() == there
            assert world.active[e].tolist() == [car and not world.ended[e] for car in there]
            assert world.waited[e].tolist() == [car["waited"] if car else 0 for car in one.cars]
        if moment % 8 == 7 or step.ended.any():
            seen = [[one.observation(slot) for slot in range(one.n_slots)] for one in plain]
            assert np.array_equal(step.observations, np.array(seen, dtype=np.float32))
        if step.ended.any():
            world.reset_where(step.ended, np.random.default_rng(0))
            for one in plain:
                one.reset()


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"level": "extreme"}, "level"), ({"level": 3}, "level"), ({"level": ["easy"]}, "level"),
        ({"n_worlds": 0}, "n_worlds"), ({"n_worlds": True}, "n_worlds"), ({"vision": -1}, "vision"),
        ({"vision": 3}, "vision"), ({"vision": 1.0}, "vision"), ({"arrival_rate": 1.5}, "arrival_rate"),
        ({"arrival_rate": float("nan")}, "arrival_rate"), ({"arrival_rate": True}, "arrival_rate"),
        ({"max_cars": 0}, "max_cars"), ({"time_limit": 0}, "time_limit"),
        ({"clean_observations": 1}, "clean_observations"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        TrafficJunction(**arguments)


def test_a_rate_is_checked_while_it_runs():
    with pytest.raises(ValueError, match=r"^arrival_rate"):
        TrafficJunction().arrival_rate = -0.1


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
        with pytest.raises(ValueError, match=r"^worlds: expected a TrafficJunction"):
            rule(bad)


WEST = 1  # the road with the second entry
LAST_SLOT = 4  # is filled when the roads are full


class LowestSlotFirst(TrafficJunction):
    """New cars take the lowest free slot."""

    def _let_arrive(self, arrival, slot, way):
        super()._let_arrive(arrival, slot * 0, way)


def last_one_brakes_once(world, observations=None, cell=0, road=WEST):
    """A blind rule for cars that know their slot: the last slot's car on ``road`` brakes once, on ``cell``."""
    there = (world.route == road) & (world.progress == cell) & (world.last_actions == GAS)
    return np.where(there & (np.arange(5) == LAST_SLOT), BRAKE, GAS)


def success(act, make=LowestSlotFirst, n_episodes=20_000):
    """The share of episodes without a collision (standard error at most 0.0035)."""
    world = make("easy", n_episodes)
    played = play_episodes(world, act, 1, np.random.default_rng(0), lambda w: w.failed)
    return (~played.measured).mean()


@pytest.mark.parametrize("cell", [0, 1, 2])
def test_braking_once_in_the_last_slot_beats_never_braking(cell):
    """About 34 %, where never braking gives 28 %: why slots are given at random."""
    better = success(lambda world, seen: last_one_brakes_once(world, cell=cell))
    assert abs(better - 0.34) < 0.012


def test_slots_given_at_random_tell_nothing():
    worse = success(lambda world, seen: last_one_brakes_once(world), TrafficJunction)
    assert worse < 0.28
