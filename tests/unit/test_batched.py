"""What counts as batched worlds, and what is said about what does not."""

import numpy as np
import pytest
from corridor_worlds import CorridorWorlds

from marl_lessons.envs import Worlds, two_cars
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.particles.worlds import simple_speaker_listener, simple_spread
from marl_lessons.envs.stepping import (
    BatchedWorlds,
    ContinuousWorlds,
    GameWorlds,
    are_continuous,
    check_batched_worlds,
    check_going_on,
)


@pytest.mark.parametrize(
    "worlds", [GameWorlds(two_cars(), 3), TrafficJunction("easy", 2), CorridorWorlds(2, 3)]
)
def test_worlds_pass_as_they_are(worlds):
    assert check_batched_worlds("worlds", worlds) is worlds and isinstance(worlds, BatchedWorlds)
    assert worlds.ended.dtype == bool and worlds.ended.shape == (worlds.n_worlds,)
    assert worlds.ended.all() and not worlds.active.any(), "no episode has begun"
    worlds.reset(np.random.default_rng(0))
    assert not worlds.ended.any()


@pytest.mark.parametrize("bad", [None, 3, "worlds", TrafficJunction, GameWorlds, two_cars(), Worlds(two_cars(), 1)])  # fmt: skip
def test_other_things_are_refused(bad):
    with pytest.raises(ValueError, match=r"^those: expected batched worlds .* without "):
        check_batched_worlds("those", bad)


class Changed:
    """Two worlds of two agents, with one attribute changed or, for None, left out."""

    def __init__(self, name, value):
        inside = CorridorWorlds(2, 2)
        for member in ("n_worlds", "n_agents", "n_actions", "observation_sizes", "active", "ended",
                       "reset", "reset_where", "step"):  # fmt: skip
            if member != name:
                setattr(self, member, getattr(inside, member))
            elif value is not None:
                setattr(self, member, value)


@pytest.mark.parametrize(
    "name, value",
    [
        ("n_worlds", 0), ("n_worlds", "2"), ("n_agents", True), ("n_actions", [2, 2]), ("n_actions", (2,)),
        ("n_actions", (2, 0)), ("n_actions", 2), ("observation_sizes", (3, 3, 3)), ("observation_sizes", (3, 2.5)),
        ("ended", np.zeros(3, dtype=bool)), ("ended", [0, 1]), ("active", np.ones(2, dtype=bool)), ("active", np.ones((2, 2))),
    ],
)  # fmt: skip
def test_attributes_of_other_shapes_are_named(name, value):
    check_batched_worlds("worlds", Changed("", None))
    with pytest.raises(ValueError, match=rf"^worlds\.{name}"):
        check_batched_worlds("worlds", Changed(name, value))


@pytest.mark.parametrize("name", ["ended", "active", "n_agents", "reset_where", "step"])
def test_what_is_missing_is_named(name):
    with pytest.raises(ValueError, match=f"^worlds: .* without {name}$"):
        check_batched_worlds("worlds", Changed(name, None))


def test_the_first_world_that_has_ended_is_named():
    check_going_on(np.zeros(3, dtype=bool))
    with pytest.raises(ValueError, match=r"^world 1 has ended; call reset or reset_where first$"):
        check_going_on(np.array([False, True, True]))


VECTORS = simple_speaker_listener(2, continuous_actions=True)


@pytest.mark.parametrize("worlds", [simple_spread(2), TrafficJunction("easy", 2)])
def test_worlds_with_numbers_for_actions_are_known(worlds):
    assert not are_continuous(worlds)
    assert isinstance(worlds, BatchedWorlds) and not isinstance(worlds, ContinuousWorlds)
    for continuous in (False, None):
        assert check_batched_worlds("worlds", worlds, continuous=continuous) is worlds
    with pytest.raises(ValueError, match=r"^worlds: .* as simple_spread.* without action_sizes$"):
        check_batched_worlds("worlds", worlds, continuous=True)


def test_worlds_with_vectors_for_actions_are_known():
    assert are_continuous(VECTORS)
    assert isinstance(VECTORS, ContinuousWorlds) and not isinstance(VECTORS, BatchedWorlds)
    for continuous in (True, None):
        assert check_batched_worlds("worlds", VECTORS, continuous=continuous) is VECTORS
    for call in (lambda: check_batched_worlds("worlds", VECTORS),
                 lambda: check_batched_worlds("worlds", VECTORS, continuous=False)):  # fmt: skip
        with pytest.raises(
            ValueError, match=r"^worlds: .* as TrafficJunction.* without n_actions$"
        ):
            call()


def test_an_example_of_each_kind_that_is_allowed_is_given():
    numbers, vectors = (
        "TrafficJunction or GameWorlds",
        r"simple_spread\(..., continuous_actions=True\)",
    )
    for continuous, example in (
        (False, numbers),
        (True, vectors),
        (None, f"{numbers}, or {vectors}"),
    ):
        with pytest.raises(
            ValueError, match=f"^worlds: expected batched worlds as {example}, got None"
        ):
            check_batched_worlds("worlds", None, continuous=continuous)


@pytest.mark.parametrize("wrong", [None, [0, 1], np.zeros(2), "no"])
def test_ends_are_flags(wrong):
    with pytest.raises(ValueError, match=r"^ended"):
        check_going_on(wrong)


class ChangedVectors:
    """Two continuous worlds of two agents, with one attribute changed or, for None, left out."""

    def __init__(self, name, value):
        for member in ("n_worlds", "n_agents", "action_sizes", "observation_sizes", "active", "ended",
                       "reset", "reset_where", "step"):  # fmt: skip
            if member != name:
                setattr(self, member, getattr(VECTORS, member))
            elif value is not None:
                setattr(self, member, value)


@pytest.mark.parametrize("continuous", [True, None])
@pytest.mark.parametrize(
    "name, value",
    [
        ("action_sizes", [3, 5]), ("action_sizes", (3,)), ("action_sizes", (3, 0)), ("action_sizes", (3, 5.0)),
        ("action_sizes", 5), ("observation_sizes", (3,)), ("n_agents", 0), ("ended", np.zeros(3, dtype=bool)),
        ("active", np.zeros((2, 3), dtype=bool)),
    ],
)  # fmt: skip
def test_attributes_of_continuous_worlds_are_named(name, value, continuous):
    check_batched_worlds("worlds", ChangedVectors("", None), continuous=continuous)
    with pytest.raises(ValueError, match=rf"^worlds\.{name}"):
        check_batched_worlds("worlds", ChangedVectors(name, value), continuous=continuous)


@pytest.mark.parametrize("name", ["action_sizes", "ended", "reset_where", "step"])
def test_what_continuous_worlds_lack_is_named(name):
    with pytest.raises(ValueError, match=f"^worlds: .* without {name}$"):
        check_batched_worlds("worlds", ChangedVectors(name, None), continuous=True)


@pytest.mark.parametrize("thing", [None, "worlds", two_cars()])
def test_what_is_neither_kind_is_refused(thing):
    assert not are_continuous(thing)
    with pytest.raises(ValueError, match=r"^those: expected batched worlds .* without "):
        check_batched_worlds("those", thing, continuous=None)
