"""Batched worlds: what is asked of them, what is refused, and a game as such worlds."""

import copy
import pickle
import re

import numpy as np
import pytest
from corridor_worlds import CorridorWorlds
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, seed_numbers

from marl_lessons.envs import (
    BlindCrossing,
    MarkovGame,
    Worlds,
    as_parallel_env,
    simple_speaker_listener,
    simple_spread,
    two_cars,
)
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.cars.two_cars import GO, WAIT, two_cars_state
from marl_lessons.envs.stepping import (
    BatchedWorlds,
    GameWorlds,
    are_continuous,
    as_joint_actions,
    check_batched_worlds,
    check_going_on,
    one_hot,
)

VECTORS = simple_speaker_listener(2, continuous_actions=True)
KINDS = [GameWorlds(two_cars(), 3), TrafficJunction("easy", 2), BlindCrossing(2), CorridorWorlds(2, 3), simple_spread(2)]  # fmt: skip


@pytest.mark.parametrize("worlds", [*KINDS, VECTORS], ids=lambda worlds: type(worlds).__name__)
def test_worlds_pass_as_they_are(worlds):
    vectors = worlds is VECTORS
    assert are_continuous(worlds) == vectors and isinstance(worlds, BatchedWorlds)
    for continuous in (vectors, None):
        assert check_batched_worlds("worlds", worlds, continuous=continuous) is worlds
    assert worlds.ended.dtype == bool and worlds.ended.shape == (worlds.n_worlds,)
    assert worlds.ended.all() and not worlds.active.any(), "no episode has begun"
    pickle.loads(pickle.dumps(worlds)).reset(np.random.default_rng(0))
    assert worlds.ended.all()
    worlds = copy.deepcopy(worlds)
    worlds.reset(np.random.default_rng(0))
    assert not worlds.ended.any()


def test_worlds_introduce_themselves_in_one_line():
    assert repr(VECTORS) == "ParticleWorlds(n_worlds=2, n_agents=2, action_sizes=(3, 5))"
    assert repr(KINDS[0]) == "GameWorlds(n_worlds=3, n_agents=2, n_actions=(2, 2))"
    assert repr(Worlds(two_cars(), 4)) == "Worlds(n_worlds=4, n_agents=2, n_actions=(2, 2))"


@pytest.mark.parametrize(
    "worlds", [*KINDS[:3], simple_spread(2), VECTORS], ids=lambda worlds: type(worlds).__name__
)
def test_bad_calls_are_named(worlds):
    """One table for all worlds of the course: the checks are written once."""
    worlds, rng = copy.deepcopy(worlds), np.random.default_rng(0)
    shape = (worlds.n_worlds, worlds.n_agents)
    fine = np.zeros((*shape, 5)) if are_continuous(worlds) else np.zeros(shape, dtype=int)
    with pytest.raises(ValueError, match=r"^world 0 has ended; call reset or reset_where first$"):
        worlds.step(fine, rng)
    worlds.reset(rng)
    for actions in (fine[:1], fine + 7, fine - 1, fine.astype(str), fine[0, 0], None, "go", 1.5):
        with pytest.raises(ValueError, match=r"^actions"):
            worlds.step(actions, rng)
    for wrong in (None, 0, np.random):
        for call in (lambda w=wrong: worlds.reset(w), lambda w=wrong: worlds.step(fine, w)):
            with pytest.raises(ValueError, match=r"^rng"):
                call()
    for which in ([True], [0] * shape[0], True, None, np.array(True)):
        with pytest.raises(ValueError, match=r"^which"):
            worlds.reset_where(which, rng)
    worlds.step(fine, rng)


def test_the_first_world_that_has_ended_is_named():
    with pytest.raises(ValueError, match=r"^world 1 has ended; call reset or reset_where first$"):
        check_going_on(np.array([False, True, True]))


def test_vectors_are_bounded_and_nothing_stands_behind_an_agents_own_entries():
    actions = np.full((2, 2, 5), 0.5)
    actions[:, 0, 3:] = [-3.0, 1e308]
    read = as_joint_actions(VECTORS, actions)
    assert read[:, 0].tolist() == [[0.5, 0.5, 0.5, 0, 0]] * 2 and (read[:, 1] == 0.5).all()
    assert actions[0, 0, 4] == 1e308, "the caller's array stays as it is"
    for place, value in [
        ((0, 0, 2), -0.01),
        ((1, 1, 4), 1.01),
        ((1, 1, 0), np.nan),
        ((0, 0, 3), np.inf),
    ]:
        wrong = np.full((2, 2, 5), 0.5)
        wrong[place] = value
        with pytest.raises(ValueError, match="^" + re.escape(f"actions{list(place)} is")):
            as_joint_actions(VECTORS, wrong)


@pytest.mark.parametrize(
    "bad, continuous, message",
    [
        (None, False, "expected batched worlds as TrafficJunction or GameWorlds, got None without n_worlds$"),
        (None, True, r"expected batched worlds as simple_spread\(..., continuous_actions=True\), got None"),
        (None, None, r"expected batched worlds as TrafficJunction or GameWorlds, or simple_spread\(.*\), got None"),
        ("worlds", None, "without n_worlds$"), (GameWorlds, False, "without"), (Worlds(two_cars(), 1), False, "without observation_sizes$"),
        (two_cars(), False, r"without n_worlds; GameWorlds\(game, n_worlds\) makes them of a game$"),
        (VECTORS, False, "as TrafficJunction.* without n_actions; those made with continuous_actions=False have it$"),
        (simple_spread(2), True, "as simple_spread.* without action_sizes; those made with continuous_actions=True have it$"),
        (as_parallel_env(CorridorWorlds(1, 2)), None, "; from_parallel_env makes them of PettingZoo environments$"),
    ],
)  # fmt: skip
def test_other_things_are_refused_with_a_way_out(bad, continuous, message):
    with pytest.raises(ValueError, match=f"^those: .*{message}"):
        check_batched_worlds("those", bad, continuous)


class Changed:
    """Worlds with one attribute changed or, for None, left out."""

    def __init__(self, inside, name, value):
        own = "action_sizes" if are_continuous(inside) else "n_actions"
        for member in ("n_worlds", "n_agents", own, "observation_sizes", "active", "ended",
                       "reset", "reset_where", "step"):  # fmt: skip
            if member != name:
                setattr(self, member, getattr(inside, member))
            elif value is not None:
                setattr(self, member, value)


@pytest.mark.parametrize("inside, name, values", [
    (CorridorWorlds(2, 2), "n_worlds", [0, "2"]),
    (CorridorWorlds(2, 2), "n_agents", [True]),
    (CorridorWorlds(2, 2), "n_actions", [[2, 2], (2,), (2, 0), 2]),
    (CorridorWorlds(2, 2), "observation_sizes", [(3, 3, 3), (3, 2.5)]),
    (CorridorWorlds(2, 2), "ended", [np.zeros(3, dtype=bool), [0, 1]]),
    (CorridorWorlds(2, 2), "active", [np.ones(2, dtype=bool), np.ones((2, 2))]),
    (VECTORS, "action_sizes", [[3, 5], (3,), (3, 0), (3, 5.0), 5]),
    (VECTORS, "active", [np.zeros((2, 3), dtype=bool)]),
])  # fmt: skip
def test_attributes_of_other_shapes_are_named(inside, name, values):
    kind = are_continuous(inside)
    check_batched_worlds("worlds", Changed(inside, "", None), kind)
    for value in values:
        with pytest.raises(ValueError, match=rf"^worlds\.{name}"):
            check_batched_worlds("worlds", Changed(inside, name, value), kind)
    with pytest.raises(ValueError, match=f"^worlds: .* without {name}$"):
        check_batched_worlds("worlds", Changed(inside, name, None), kind)


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


def test_what_the_protocol_asks_for():
    worlds = GameWorlds(two_cars(), 3)
    assert isinstance(worlds, BatchedWorlds)
    assert (worlds.n_worlds, worlds.n_agents, worlds.n_actions) == (3, 2, (2, 2))
    assert worlds.observation_sizes == (10, 10) and worlds.n_local_states == 10
    observations = worlds.reset(np.random.default_rng(0))
    assert observations.shape == (3, 2, 10) and worlds.active.shape == (3, 2)


def test_what_was_handed_out_stays_as_it_was():
    worlds, rng = GameWorlds(two_cars(), 1, time_limit=1), np.random.default_rng(0)
    handed = [worlds.reset(rng), worlds.states, worlds.active, worlds.local_states, worlds.ended]
    handed += worlds.step(np.array([[GO, GO]]), rng)
    handed += [worlds.states, worlds.ended]
    copies = [array.copy() for array in handed]
    worlds.reset(rng)
    worlds.step(np.array([[GO, WAIT]]), rng)
    for array, copied in zip(handed, copies, strict=True):
        np.testing.assert_array_equal(array, copied)


def test_one_hot_of_any_shape():
    assert one_hot(np.array(2), 3).tolist() == [0, 0, 1]
    assert one_hot(np.array([[0, 1]]), 2).tolist() == [[[1, 0], [0, 1]]]


@pytest.mark.parametrize("arguments, name", [
    ((None, 1), "game"),
    ((two_cars(), 0), "n_worlds"),
    ((two_cars(), True), "n_worlds"),
    ((two_cars(), 1, 0), "time_limit"),
    ((two_cars(), 1, 2.5), "time_limit"),
])  # fmt: skip
def test_bad_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        GameWorlds(*arguments)


def test_a_single_agent_is_a_world_too():
    chain = MarkovGame(np.eye(3)[[1, 2, 2]][:, None], np.ones((1, 3, 1)) * [[[1], [1], [0]]], 1.0,
                       np.eye(3)[0], np.arange(3) == 2)  # fmt: skip
    worlds, rng = GameWorlds(chain, 1), np.random.default_rng(0)
    assert worlds.reset(rng).tolist() == [[[1, 0, 0]]]
    assert not worlds.step([[0]], rng).ended[0]
    assert worlds.step([[0]], rng).terminated.tolist() == [[True]]
