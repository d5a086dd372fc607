"""Two cars at one crossing: a slow simulator written from the words of the description."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.envs import two_cars, two_cars_state
from marl_lessons.envs.cars.two_cars import first_to_pass

chances = st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0)


def one_second(state: tuple[int, int], actions: tuple[str, str], slip: float):
    """Everything that may happen: {(next state, who entered): probability}."""
    happens = {}
    for first in (True, False):
        for second in (True, False):
            chance, after, entered = 1.0, [], []
            for car, advances in enumerate((first, second)):
                can = state[car] >= 1 and actions[car] == "go"
                chance *= (1.0 - slip if advances else slip) if can else (0.0 if advances else 1.0)
                after.append(state[car] - 1 if advances else state[car])
                entered.append(advances and state[car] == 1)
            if chance > 0:
                key = ("crashed" if all(entered) else tuple(after), tuple(entered))
                happens[key] = happens.get(key, 0.0) + chance
    return happens


@given(st.integers(1, 4), chances, st.floats(-50, 50), st.floats(-50, 50), st.floats(-5, 5))
def test_every_transition_and_reward(distance, slip, crash, passing, step):
    game = two_cars(distance, slip, crash, passing, step)
    table = np.arange((distance + 1) ** 2).reshape(distance + 1, distance + 1)
    assert game.n_states == table.size + 1 and game.state_names[-1] == "crashed"
    for state in np.ndindex(table.shape):
        s = table[state]
        assert game.state_names[s] == f"car 0: {state[0]} to go, car 1: {state[1]} to go"
        assert game.terminal[s] == (state == (0, 0))
        if game.terminal[s]:
            continue
        for joint in np.ndindex(2, 2):
            expected, mean = np.zeros(game.n_states), np.zeros(2)
            for (after, entered), p in one_second(
                state, tuple(("wait", "go")[a] for a in joint), slip
            ).items():
                t = table.size if after == "crashed" else table[after]
                expected[t] += p
                for car in range(2):
                    paid = step if state[car] > 0 else 0.0
                    if after == "crashed":
                        paid += crash
                    elif entered[car]:
                        paid += passing
                    mean[car] += p * paid
                    if p > 1e-12:
                        assert game.outcome_reward[(car, s, *joint, t)] == pytest.approx(
                            paid, abs=1e-12
                        )
            assert np.allclose(game.transition[(s, *joint)], expected, atol=1e-12)
            assert np.allclose(game.reward[(slice(None), s, *joint)], mean, atol=1e-10)
    assert game.terminal[-1] and game.initial[table[distance, distance]] == 1


def test_a_crash_needs_both_to_enter_in_the_same_second():
    game, table = two_cars(distance=3), np.arange(16).reshape(4, 4)
    crash = game.transition[..., -1].max(axis=(1, 2)) > 0
    assert np.flatnonzero(crash).tolist() == [table[1, 1], 16]
    assert game.transition[table[1, 1], 1, 1, -1] == pytest.approx(0.81)
    assert game.transition[table[1, 1]].reshape(4, -1)[:3, -1].tolist() == [0, 0, 0]


def test_a_car_that_has_passed_stays_passed_and_pays_no_more():
    game, table = two_cars(distance=3), np.arange(16).reshape(4, 4)
    for other in range(1, 4):
        for s, car in ((table[0, other], 0), (table[other, 0], 1)):
            after = np.flatnonzero(game.transition[s].sum(axis=(0, 1)))
            assert all(np.argwhere(table == t)[0][car] == 0 for t in after)
            assert (game.reward[car, s] == 0).all() and (game.reward[1 - car, s] != 0).all()


@given(st.integers(1, 3), chances, st.floats(-5, 5), st.floats(-9, 9), st.floats(-9, 9))
def test_urgency_multiplies_what_a_second_costs_a_car(distance, slip, step, first, second):
    game = two_cars(distance, slip, step_reward=step, urgency=(first, second))
    for car, urgency in enumerate((first, second)):
        alike = two_cars(distance, slip, step_reward=urgency * step)
        assert np.allclose(game.reward[car], alike.reward[car], atol=1e-10)
        assert np.allclose(game.outcome_reward[car], alike.outcome_reward[car], atol=1e-10)
        assert np.array_equal(game.transition, alike.transition)


def test_without_urgency_both_cars_pay_the_step_reward():
    game, plain = two_cars(2, urgency=(1, 1)), two_cars(2)
    assert np.array_equal(game.outcome_reward, plain.outcome_reward)
    table = np.arange(9).reshape(3, 3)
    ambulance = two_cars(2, urgency=(10, 1)).reward
    assert (ambulance[:, table[2, 2], 0, 0] == [-10, -1]).all()
    assert (ambulance[:, table[0, 2], 0, 0] == [0, -1]).all()
    assert (plain.reward[:, table[2, 2], 0, 0] == [-1, -1]).all()


@pytest.mark.parametrize("name, values", [
    ("distance", (0, 31, 1.0, "2", None, True)),
    ("slip", (-0.1, 1.1, float("nan"), None, "ice")),
    *((name, (float("nan"), float("-inf"), None, "a")) for name in ("crash_reward", "pass_reward", "step_reward")),
    ("discount", (-0.1, 1.0, 2, None, "b")),
    ("urgency", (None, "ab", 1.0, (1,), (1, 2, 3), (1, float("nan")), (float("inf"), 1), (1, "a"))),
])  # fmt: skip
def test_wrong_parameters(name, values):
    for value in values:
        with pytest.raises(ValueError, match=name):
            two_cars(**{name: value})


def test_first_to_pass_reads_the_states() -> None:
    names = two_cars(distance=2).state_names
    state = {
        cells: names.index(f"car 0: {cells[0]} to go, car 1: {cells[1]} to go")
        for cells in np.ndindex(3, 3)
    }
    assert first_to_pass([state[2, 2], state[1, 1], state[1, 0], state[0, 0]], 2) == 1
    assert first_to_pass([state[2, 2], state[1, 2], state[0, 2]], 2) == 0
    assert first_to_pass([state[2, 2], state[1, 1], names.index("crashed")], 2) is None
    assert first_to_pass([state[2, 2]], 2) is None


@given(st.integers(1, 4))
def test_states_are_numbered_as_they_are_named(distance):
    game = two_cars(distance)
    for cells in np.ndindex(distance + 1, distance + 1):
        name = game.state_names[two_cars_state(*cells, distance)]
        assert name == f"car 0: {cells[0]} to go, car 1: {cells[1]} to go"


@pytest.mark.parametrize(
    "name, value", [("cells_0", 3), ("cells_1", -1), ("cells_1", 1.0), ("distance", 0)]
)
def test_states_that_do_not_exist(name, value):
    with pytest.raises(ValueError, match=name):
        two_cars_state(**({"cells_0": 1, "cells_1": 1} | {name: value}))
