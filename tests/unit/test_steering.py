"""What steering's exact bounds hold for: both orders of a step, and nothing but a lone particle of speaker-listener."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.envs import simple_speaker_listener
from marl_lessons.evaluation.particles.references import (
    best_late_return,
    best_listener_return,
    best_untold_return,
    bounded_least_squares,
    responses,
    steer,
)

PHYSICS = ["mpe2", "openai"]


def flown(physics, start, landmarks, goals, pushes):
    """What the worlds themselves pay for pushes ``[T, E, 2]``, ``[E]``."""
    n_worlds = len(start)
    worlds = simple_speaker_listener(
        n_worlds, continuous_actions=True, physics=physics, time_limit=len(pushes)
    )
    speaker = np.zeros((n_worlds, 1, 2))
    worlds.place(np.concatenate([speaker, start[:, None], landmarks], axis=1), goals=goals)
    total, rng = 0.0, np.random.default_rng(0)
    for push in pushes:
        actions = np.zeros((n_worlds, 2, 5))
        actions[:, 1, 1::2], actions[:, 1, 2::2] = np.maximum(-push, 0), np.maximum(push, 0)
        total = total + worlds.step(actions, rng).rewards[:, 1]
    return total


@pytest.mark.parametrize("physics", PHYSICS)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=25))
def test_responses_are_the_flight_of_the_worlds_own_listener(physics, forces):
    """One axis; the worlds pay minus the squared distance from the start, which is the goal."""
    pushes = np.zeros((len(forces), 1, 2))
    pushes[:, 0, 0] = forces
    paid = flown(physics, np.zeros((1, 2)), np.zeros((1, 3, 2)), [0], pushes)
    matrix = responses(len(forces), physics)
    used = np.array(forces)[: matrix.shape[1]]
    assert matrix.shape == (len(forces), len(forces) - (physics == "mpe2"))
    assert paid[0] == pytest.approx(-np.square(matrix @ used).sum(), abs=1e-12)


@pytest.mark.parametrize("physics", PHYSICS)
def test_the_best_return_is_reached_in_the_worlds_and_not_beaten(physics):
    """The pushes of the optimum return what it says; other pushes, near to them or far, return less."""
    rng = np.random.default_rng(0)
    start, landmarks = rng.uniform(-1, 1, (30, 2)), rng.uniform(-1, 1, (30, 3, 2))
    goals = rng.integers(3, size=30)
    target = landmarks[np.arange(30), goals]
    best = best_listener_return(start, target, 12, physics)
    matrix = responses(12, physics)
    wanted = np.repeat((target - start).reshape(-1, 1), 12, axis=1)
    forces = bounded_least_squares(matrix, wanted).reshape(30, 2, -1).transpose(2, 0, 1)
    pushes = np.zeros((12, 30, 2))
    pushes[: len(forces)] = forces
    assert flown(physics, start, landmarks, goals, pushes) == pytest.approx(best, abs=1e-9)
    for size in (0.02, 0.5, 2.0):
        other = np.clip(pushes + size * rng.standard_normal(pushes.shape), -1, 1)
        assert (flown(physics, start, landmarks, goals, other) < best + 1e-9).all()


def test_forces_that_show_at_once_are_worth_one_step():
    """openai's T steps are mpe2's T + 1, the first of which, where nothing shows yet, is not paid."""
    start, target = np.random.default_rng(1).uniform(-1, 1, (2, 50, 2))
    apart = np.square(target - start).sum(axis=1)
    later = best_listener_return(start, target, 11) + apart
    assert best_listener_return(start, target, 10, "openai") == pytest.approx(later, abs=1e-9)


def test_late_and_untold_listeners_keep_their_order_in_the_other_physics():
    rng = np.random.default_rng(2)
    start, landmarks = rng.uniform(-1, 1, (50, 2)), rng.uniform(-1, 1, (50, 3, 2))
    told, late, untold = (
        np.mean([best_listener_return(start, landmarks[:, k], 9, "openai") for k in range(3)], 0),
        best_late_return(start, landmarks, 9, "openai"),
        best_untold_return(start, landmarks, 9, "openai"),
    )
    assert (told >= late - 1e-9).all() and (late >= untold - 1e-9).all()
    assert (late > best_late_return(start, landmarks, 9)).all()
    assert (untold > best_untold_return(start, landmarks, 9)).all()
    # One step alone: the first force serves all landmarks, as if none was ever told.
    once = best_late_return(start, landmarks, 1, "openai")
    assert once == pytest.approx(best_untold_return(start, landmarks, 1, "openai"), abs=1e-9)


CALLS = {
    "best_listener_return": (best_listener_return, {"start": [[0, 0]], "target": [[1, 1]]}),
    "best_untold_return": (best_untold_return, {"start": [[0, 0]], "landmarks": [[[1, 1]]]}),
    "best_late_return": (best_late_return, {"start": [[0, 0]], "landmarks": [[[1, 1]]]}),
    "responses": (responses, {}),
    "steer": (steer, {"offset": [[1, 1]], "velocity": [[0, 0]]}),
    "bounded_least_squares": (bounded_least_squares, {"matrix": np.eye(2), "wanted": [[1, 2]]}),
}
ANY = (None, "x", 3.5, [[1], [1, 2]], {}, [[None, None]], [[np.nan, 0.0]], [[1j, 0]])
WRONG = [
    (call, name, value) for call, (_, good) in CALLS.items() for name in good for value in ANY
] + [
    *((call, "time_limit", v) for call in list(CALLS)[:4] for v in (0, None, 2.0, True, "5")),
    *((call, "physics", v) for call in list(CALLS)[:4] for v in ("mpe", None, 3, ["mpe2"])),
    *((call, "start", [[1e200, 0.0]]) for call in list(CALLS)[:3]),
    ("best_listener_return", "target", [[0.0, -1e7]]),
    ("best_late_return", "landmarks", [[[0.0, -1e7]]]),
    ("bounded_least_squares", "matrix", np.ones((2, 2))),
    ("bounded_least_squares", "matrix", np.zeros((2, 1))),
    ("bounded_least_squares", "wanted", [[1, 2, 3]]),
]


@pytest.mark.parametrize(("call", "name", "value"), WRONG)
def test_wrong_arguments_of_steering_are_named(call, name, value):
    """Also places so far away that squares of distances would be infinite."""
    function, good = CALLS[call]
    good = {**good, **({"time_limit": 5} if name == "time_limit" else {})}
    good = {**good, **({"time_limit": 5} if call == "responses" else {})}
    function(**good)
    with pytest.raises(ValueError, match=f"^{name}"):
        function(**{**good, name: value})


def test_docstrings_say_what_the_bounds_hold_for():
    for function in (best_listener_return, best_untold_return, best_late_return):
        assert "Holds" in function.__doc__
    assert "speaker-listener" in best_listener_return.__doc__
