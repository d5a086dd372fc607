"""The car at the light: a slow simulator written from the words of the description, and every parameter at its ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.envs import crossroads
from marl_lessons.envs.cars.one_car import light_kernel
from marl_lessons.solvers import policy_iteration

FOLLOWS = {"green": "yellow", "yellow": "red", "red": "green"}
chances = st.sampled_from([0.0, 1.0]) | st.floats(0.0, 1.0)
durations = st.sampled_from([1.0, 2.0, 1e6]) | st.floats(1.0, 30.0)


def one_second(
    state, action: str, grip: float, crash_probability: float, seconds: dict[str, float]
):
    """Everything that may happen within one second: {(next state, event): probability}. Events: "", pass,
    crash."""
    speed, phase, to_go = state
    cars = {}  # (speed, cells to go) afterwards, None once the car is in the crossing
    if speed == "stopped":
        cars = {("moving" if action == "go" else "stopped", to_go): 1.0}
    elif to_go == 1:
        cars = {None: 1.0}
    elif action == "go":
        cars = {("moving", to_go - 1): 1.0}
    else:
        cars = {("stopped", to_go - 1): grip, ("moving", to_go - 1): 1.0 - grip}
    happens = {}
    for car, chance in cars.items():
        if car is None:
            crash = crash_probability if phase == "red" else 0.0
            happens["passed", "pass"] = chance * (1.0 - crash)
            happens["crashed", "crash"] = chance * crash
            continue
        changes = 1.0 / seconds[phase]
        for light, p in ((phase, 1.0 - changes), (FOLLOWS[phase], changes)):
            happens[(car[0], light, car[1]), ""] = chance * p
    return {key: p for key, p in happens.items() if p > 0}


def index(state, distance: int) -> int:
    """The numbering that the description promises."""
    if state in ("passed", "crashed"):
        return 6 * distance + (state == "crashed")
    speed, phase, to_go = state
    table = np.arange(6 * distance).reshape(2, 3, distance)
    return int(table[("moving", "stopped").index(speed), list(FOLLOWS).index(phase), to_go - 1])


@given(
    st.integers(1, 6),
    chances,
    chances,
    durations,
    durations,
    durations,
    st.floats(-50, 50),
    st.floats(-50, 50),
    st.floats(-5, 5),
)
def test_every_transition_and_reward(
    distance, grip, crash_probability, green, yellow, red, crash, arrival, step
):
    game = crossroads(distance, green, yellow, red, grip, crash_probability, crash, arrival, step)
    seconds = {"green": green, "yellow": yellow, "red": red}
    assert game.n_states == 6 * distance + 2 and game.action_names == (("brake", "go"),)
    for speed in ("moving", "stopped"):
        for phase in FOLLOWS:
            for to_go in range(1, distance + 1):
                s = index((speed, phase, to_go), distance)
                assert (
                    game.state_names[s] == f"{to_go} to go, {speed}, {phase}"
                    and not game.terminal[s]
                )
                for a, action in enumerate(("brake", "go")):
                    expected, mean = np.zeros(game.n_states), 0.0
                    for (after, event), p in one_second(
                        (speed, phase, to_go), action, grip, crash_probability, seconds
                    ).items():
                        paid = step + {"": 0.0, "pass": arrival, "crash": crash}[event]
                        t = index(after, distance)
                        expected[t] += p
                        mean += p * paid
                        if p > 1e-12:
                            assert game.outcome_reward[0, s, a, t] == pytest.approx(paid, abs=1e-12)
                    assert np.allclose(game.transition[s, a], expected, atol=1e-12)
                    assert game.reward[0, s, a] == pytest.approx(mean, abs=1e-10)
    assert np.flatnonzero(game.terminal).tolist() == [6 * distance, 6 * distance + 1]
    assert game.state_names[-2:] == ("passed", "crashed")


def reachable(game) -> np.ndarray:
    found, frontier = set(), set(np.flatnonzero(game.initial).tolist())
    while frontier:
        found |= frontier
        frontier = {
            int(t) for s in frontier for t in np.flatnonzero(game.transition[s].sum(axis=0))
        } - found
    return np.isin(np.arange(game.n_states), list(found))


@pytest.mark.parametrize("distance", [1, 2, 5, 9])
def test_every_state_is_reachable(distance):
    assert reachable(crossroads(distance)).all()


def test_what_the_extremes_make_unreachable():
    stopped = np.arange(30).reshape(2, 3, 5)[1]
    ice = reachable(crossroads(grip=0.0))
    assert not ice[stopped[:, :-1]].any() and ice[stopped[:, -1]].all()
    assert not reachable(crossroads(crash_probability=0.0))[-1]
    assert reachable(crossroads(green=1, yellow=1, red=1)).all()


@given(st.integers(1, 5), durations, durations, durations)
def test_an_episode_begins_stopped_with_the_lights_own_frequencies(distance, green, yellow, red):
    game = crossroads(distance, green, yellow, red)
    starts = [index(("stopped", phase, distance), distance) for phase in FOLLOWS]
    frequencies = np.array([green, yellow, red]) / (green + yellow + red)
    assert np.allclose(game.initial[starts], frequencies) and game.initial.sum() == pytest.approx(1)
    assert np.count_nonzero(game.initial) == 3
    kernel = light_kernel(np.array([green, yellow, red]))
    assert np.allclose(
        frequencies @ kernel, frequencies, atol=1e-12
    )  # it is the stationary distribution
    assert np.allclose(1 / (1 - np.diag(kernel)), [green, yellow, red])  # mean durations in seconds


def test_a_light_that_is_never_dangerous_is_driven_through():
    """Without crashes: one second to set off, one for each cell; v* by hand."""
    game = crossroads(crash_probability=0.0, discount=0.95)
    seconds = 1 + 5
    expected = -sum(0.95**k for k in range(seconds)) + 0.95 ** (seconds - 1) * 10
    solution = policy_iteration(game)
    assert solution.v @ game.initial == pytest.approx(expected)
    assert (solution.policy[np.arange(30).reshape(2, 3, 5)[1].ravel()] == [0, 1]).all()


NAN = float("nan")


@pytest.mark.parametrize(
    "name, values",
    [
        ("distance", (0, -1, 2.0, "5", None, True, NAN)),
        *((phase, (0.999, 0, -1, NAN, np.inf, None, "6", [6])) for phase in FOLLOWS),
        *((name, (-1e-9, 1 + 1e-9, NAN, None, "much", [0.5])) for name in ("grip", "crash_probability")),
        *((f"{n}_reward", (NAN, np.inf, 1e308, None, "a", [1])) for n in ("crash", "arrival", "step")),
        ("discount", (-0.1, 1.0, 1.1, NAN, None, "big")),
    ],
)  # fmt: skip
def test_wrong_parameters(name, values):
    for value in values:
        with pytest.raises(ValueError, match=name):
            crossroads(**{name: value})
