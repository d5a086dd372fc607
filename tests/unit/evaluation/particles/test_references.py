"""Reference ways of acting in the particle worlds, and the exact optima of steering, against loops, theorems and mpe2."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, minimize

from marl_lessons.envs import mpe_worlds, simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.evaluation.particles import references as references
from marl_lessons.evaluation.particles.references import (
    best_late_return,
    best_listener_return,
    best_untold_return,
    bounded_least_squares,
    pull,
    responses,
)
from marl_lessons.evaluation.statistics import play_episodes

SCENES = {
    "simple_spread": (simple_spread, ["no_op", "random", "to_nearest", "to_assigned"]),
    "simple_speaker_listener": (
        simple_speaker_listener,
        ["no_op", "random", "untold_listener", "told_one_step_late", "told_listener"],
    ),
    "simple_tag": (simple_tag, ["no_op", "random"]),
}
CASES = [(scene, name) for scene, (_, names) in SCENES.items() for name in names]


def way_of_acting(name, seed=0):
    if name == "random":
        return references.random_actions(np.random.default_rng(seed))
    return getattr(references, name)


def fly(forces, start=0.0):
    """Places after each step of one particle on one axis, step by step."""
    p, v, places = start, 0.0, []
    for u in forces:
        p, v = p + 0.1 * v, 0.75 * v + 0.5 * u
        places.append(p)
    return np.array(places)


@given(st.integers(0, 10**6), st.integers(1, 8), st.floats(0.1, 10))
def test_bounded_least_squares_meets_the_conditions_of_a_minimum(seed, k, scale):
    rng = np.random.default_rng(seed)
    matrix, wanted = rng.normal(size=(k + 3, k)), scale * rng.normal(size=(20, k + 3))
    x = bounded_least_squares(matrix, wanted)
    slope = (wanted - x @ matrix.T) @ matrix
    assert (np.abs(x) <= 1 + 1e-12).all()
    inside, up, down = np.abs(x) < 1 - 1e-9, x >= 1 - 1e-9, x <= -1 + 1e-9
    assert np.abs(slope[inside]).max(initial=0) < 1e-8 * max(scale, 1)
    assert slope[up].min(initial=0) > -1e-8 and slope[down].max(initial=0) < 1e-8
    for row, solution in zip(wanted[:3], x):
        other = lsq_linear(matrix, row, (-1, 1), method="bvls").x
        assert np.allclose(solution, other, atol=1e-6)


def test_thousands_of_flights_meet_the_conditions_of_a_minimum():
    """Some of these sets of bounds go round in circles until they are corrected one by one."""
    rng, matrix = np.random.default_rng(1), responses(25)
    wanted = np.repeat(rng.uniform(-2, 2, (3000, 1)), 25, axis=1)
    x = bounded_least_squares(matrix, wanted)
    slope = (wanted - x @ matrix.T) @ matrix
    assert np.abs(x).max() < 1 + 1e-12 and np.abs(slope[np.abs(x) < 1]).max() < 1e-12
    assert (slope * x)[np.abs(x) >= 1].min() > -1e-12


@given(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
def test_a_near_target_is_reached_in_two_steps(x, y):
    """One push of 20 d, one of -15 d to brake: only the place after the first step costs something."""
    best = best_listener_return(np.zeros((1, 2)), [[x, y]])
    assert best[0] == pytest.approx(-(x**2) - y**2, abs=1e-12)


@pytest.mark.parametrize("time_limit", [2, 5, 10])
def test_a_far_target_is_approached_at_full_force(time_limit):
    target = np.array([[2.0, -1.9]])
    places = np.stack([fly(np.ones(time_limit)), -fly(np.ones(time_limit))], axis=1)
    expected = -np.square(places - target).sum()
    assert best_listener_return(np.zeros((1, 2)), target, time_limit)[0] == pytest.approx(expected)


def steered(start, target, control, time_limit=25):
    p, v, cost = start.copy(), np.zeros_like(start), np.zeros(len(start))
    for _ in range(time_limit):
        p, v = p + 0.1 * v, 0.75 * v + 0.5 * np.clip(control(target - p, v), -1, 1)
        cost += np.square(target - p).sum(axis=1)
    return -cost


def test_no_controller_beats_the_optimum_and_the_references_come_close():
    rng = np.random.default_rng(0)
    start, target = rng.uniform(-1, 1, (2, 1000, 2))
    best = best_listener_return(start, target)
    gap = best - steered(start, target, pull)
    assert gap.min() > -1e-9 and gap.mean() < 0.002 and gap.max() < 0.02
    others = []
    for gain, brake in [(20, 3.5), (10, 2), (5, 1.5), (14, 2.2), (14, 3.2), (30, 6)]:
        loss = best - steered(start, target, lambda o, v, g=gain, b=brake: g * o - b * v)
        assert loss.min() > -1e-9
        others.append(loss.mean())
    bang_bang = best - steered(start, target, lambda o, v: np.sign(o - 0.4 * v))
    assert bang_bang.min() > -1e-9
    assert gap.mean() < min(*others, bang_bang.mean())


def test_the_expected_optimum_of_a_told_listener():
    """Offsets on an axis have the density (2 - |d|) / 4 on [-2, 2], so the mean is an integral of one variable."""
    nodes, weights = np.polynomial.legendre.leggauss(200)
    d = np.stack([nodes + 1, np.zeros(200)], axis=1)
    expected = 2 * (weights * (1 - nodes) / 2) @ best_listener_return(np.zeros((200, 2)), d)
    assert expected == pytest.approx(-5.7212, abs=5e-4)
    start, target = np.random.default_rng(1).uniform(-1, 1, (2, 4000, 2))
    sample = best_listener_return(start, target)
    assert abs(sample.mean() - expected) < 4 * sample.std() / np.sqrt(4000)


def test_an_untold_listener_does_best_at_the_centre():
    """Against one problem in which the same forces serve every landmark."""
    rng = np.random.default_rng(2)
    start, landmarks, matrix = (
        rng.uniform(-1, 1, (6, 2)),
        rng.uniform(-1, 1, (6, 3, 2)),
        responses(25),
    )
    stacked = np.tile(matrix, (3, 1))
    for e in range(6):
        expected = 0.0
        for axis in range(2):
            offsets = np.repeat(landmarks[e, :, axis] - start[e, axis], 25)
            expected -= (
                np.square(
                    offsets - stacked @ lsq_linear(stacked, offsets, (-1, 1), tol=1e-14).x
                ).sum()
                / 3
            )
        assert best_untold_return(start, landmarks)[e] == pytest.approx(expected, abs=1e-6)


def test_a_listener_told_late_lies_between():
    rng = np.random.default_rng(3)
    start, landmarks = rng.uniform(-1, 1, (200, 2)), rng.uniform(-1, 1, (200, 3, 2))
    told = np.mean([best_listener_return(start, landmarks[:, k]) for k in range(3)], axis=0)
    late, untold = best_late_return(start, landmarks), best_untold_return(start, landmarks)
    assert (told >= late - 1e-9).all() and (late >= untold - 1e-9).all()
    assert 0.02 < (told - late).mean() < 0.3 and (late - untold).mean() > 7
    same = np.repeat(landmarks[:, :1], 3, axis=1)
    assert np.allclose(best_late_return(start, same), best_listener_return(start, landmarks[:, 0]))

    def cost(forces, offsets):
        flights = [fly([forces[0], *rest]) for rest in forces[1:].reshape(3, -1)]
        return np.square(np.array(flights) - offsets[:, None]).sum() / 3

    bounds = [(-1, 1)] * (1 + 3 * 5)
    for e in range(2):
        offsets = landmarks[e] - start[e]
        axes = [minimize(cost, np.zeros(16), x, bounds=bounds, tol=1e-12).fun for x in offsets.T]
        assert best_late_return(start[e : e + 1], landmarks[e : e + 1], 6)[0] == pytest.approx(
            -sum(axes), abs=1e-4
        )


THREE = np.zeros((1, 3, 2))


@pytest.mark.parametrize("function, arguments, name", [
    *((function, (start, THREE), "start") for function in (best_listener_return, best_untold_return, best_late_return)
      for start in ([0, 0], [[0, np.nan]], None)),
    (best_listener_return, ([[0, 0]], [[1, 1], [0, 0]]), "target"),
    (best_listener_return, ([[0, 0]], [[1, "a"]]), "target"),
    (best_untold_return, ([[0, 0]], [[1, 1]]), "landmarks"),
    (best_late_return, ([[0, 0]], np.zeros((2, 3, 2))), "landmarks"),
    (best_listener_return, ([[0, 0]], [[1, 1]], 0), "time_limit"),
    (best_untold_return, ([[0, 0]], THREE, 2.5), "time_limit"),
    (best_late_return, ([[0, 0]], THREE, True), "time_limit"),
])  # fmt: skip
def test_bad_arguments_of_the_optima(function, arguments, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        function(*arguments)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_forces_become_actions(x, y):
    vector = references.as_vectors(np.array([x, y]))
    assert ((vector >= 0) & (vector <= 1)).all() and vector[0] == 0
    assert vector[2] - vector[1] == np.clip(x, -1, 1) and vector[4] - vector[3] == np.clip(y, -1, 1)
    number = references.as_numbers(np.array([x, y]))
    if max(abs(x), abs(y)) < 0.499:
        assert number == 0
    elif max(abs(x), abs(y)) > 0.501 and abs(abs(x) - abs(y)) > 1e-3:
        assert number == ([1, 2][x > 0] if abs(x) > abs(y) else [3, 4][y > 0])


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("scene, name", CASES)
def test_the_same_episodes_in_our_worlds_and_in_mpe2(scene, name, continuous):
    """Our world is begun with the seeds that the bridge gives mpe2; actions cross the bridge as float32."""
    real = mpe_worlds(scene, 1, continuous_actions=continuous)
    theirs = play_episodes(real, way_of_acting(name), 2, np.random.default_rng(3)).returns
    seeds, act = np.random.default_rng(3), way_of_acting(name)
    for returns in theirs:
        ours = SCENES[scene][0](1, continuous_actions=continuous)
        rng = np.random.default_rng(int(seeds.integers(2**31)))
        assert play_episodes(ours, act, 1, rng).returns[0] == pytest.approx(returns, abs=1e-3)


# Mean return of an agent (in tag: of a chaser, and of the prey), continuous and discrete, from 4,000 episodes.
EXPECTED = {
    ("simple_spread", "no_op"): (-24.28, -24.28),
    ("simple_spread", "random"): (-25.3, -26.5),
    ("simple_spread", "to_nearest"): (-15.3, -16.0),
    ("simple_spread", "to_assigned"): (-5.66, -7.31),
    ("simple_speaker_listener", "no_op"): (-33.33, -33.33),  # 25 · 4 / 3 exactly
    ("simple_speaker_listener", "random"): (-36.4, -40.0),
    ("simple_speaker_listener", "untold_listener"): (-14.43, -15.41),
    ("simple_speaker_listener", "told_one_step_late"): (-5.84, -7.52),
    ("simple_speaker_listener", "told_listener"): (-5.72, -7.37),
    ("simple_tag", "no_op"): ((0.74, -4.74), (0.74, -4.74)),
    ("simple_tag", "random"): ((3.27, -10.8), (4.43, -15.9)),
}


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("scene, name", CASES)
def test_what_the_references_return(scene, name, continuous):
    worlds = SCENES[scene][0](1500, continuous_actions=continuous)
    played = play_episodes(worlds, way_of_acting(name, 7), 1, np.random.default_rng(11)).returns
    returns = played[:, [0, -1]] if scene == "simple_tag" else played.mean(axis=1)
    error = returns.std(axis=0) / np.sqrt(len(returns))
    expected = np.array(EXPECTED[scene, name][0 if continuous else 1])
    assert (np.abs(returns.mean(axis=0) - expected) < 4 * error + 0.01).all()


def test_played_listeners_stay_within_what_is_possible():
    worlds, rng = simple_speaker_listener(1000, continuous_actions=True), np.random.default_rng(5)
    worlds.reset(rng)
    positions, goals = worlds.positions, np.arange(1000) % 3
    start, landmarks = positions[:, 1], positions[:, 2:]

    def play(name):
        seen, total = worlds.place(positions, goals=goals), 0.0
        for _ in range(25):
            step = worlds.step(getattr(references, name)(worlds, seen), rng)
            seen, total = step.observations, total + step.rewards[:, 1]
        return total

    best = best_listener_return(start, landmarks[np.arange(1000), goals])
    told, late = play("told_listener"), play("told_one_step_late")
    assert (told <= best + 1e-5).all() and (best - told).mean() < 0.002
    assert (late <= best + 1e-5).all() and (best - late).mean() < 0.4
    spread = np.square(landmarks - landmarks.mean(axis=1, keepdims=True)).sum(axis=2)
    centre = play("untold_listener")
    assert centre.mean() < best_untold_return(
        start, landmarks
    ).mean() + 25 * spread.std() / np.sqrt(1000)


def test_spread_of_other_sizes():
    for n in (1, 2, 4):
        worlds, rng = (
            simple_spread(50, n_agents=n, continuous_actions=True),
            np.random.default_rng(0),
        )
        assigned = play_episodes(worlds, references.to_assigned, 1, rng).returns.mean()
        nearest = play_episodes(
            worlds, references.to_nearest, 1, np.random.default_rng(0)
        ).returns.mean()
        assert assigned == pytest.approx(nearest) if n == 1 else assigned > nearest


def test_worlds_and_observations_that_do_not_fit_are_refused():
    spread, listener, tag = simple_spread(2), simple_speaker_listener(2), simple_tag(2)
    seen = {w: w.reset(np.random.default_rng(0)) for w in (spread, listener, tag)}
    expected = {"to_nearest": spread, "to_assigned": spread}
    expected |= dict.fromkeys(SCENES["simple_speaker_listener"][1][2:], listener)
    for name, right in expected.items():
        for worlds in {spread, listener, tag} - {right}:
            with pytest.raises(ValueError, match=r"^worlds: expected worlds of sp"):
                way_of_acting(name)(worlds, seen[worlds])
        for bad in (seen[tag], seen[right][0], np.full(seen[right].shape, np.nan), None):
            with pytest.raises(ValueError, match=r"^observations"):
                way_of_acting(name)(right, bad)
        with pytest.raises(ValueError, match=r"^worlds"):
            way_of_acting(name)("listener", seen[right])
    with pytest.raises(ValueError, match=r"^rng"):
        references.random_actions(3)


# The same in the worlds themselves, with both orders of a step

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
