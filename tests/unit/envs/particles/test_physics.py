"""The physics of particle worlds against closed forms, conservation laws and a plain loop over bodies."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.envs.particles.physics import (
    advance_mpe2,
    advance_openai,
    colliding_pairs,
    contact_force,
    lengths,
    next_velocities,
    overlaps,
)

ORDERS = {"mpe2": advance_mpe2, "openai": advance_openai}
UNLIMITED = np.array([np.inf])


def one_body(position, velocity):
    return np.array(position, float).reshape(1, 2, 1), np.array(velocity, float).reshape(1, 2, 1)


@pytest.mark.parametrize("order, share", [("mpe2", 0.4), ("openai", 0.3)])
def test_a_body_without_force_glides_as_far_as_the_geometric_series_says(order, share):
    """Δt v Σ_t 0.75^t, from t = 0 with the old velocity, from t = 1 with the new one."""
    position, velocity = one_body([0.5, -1.0], [2.0, 1.0])
    for _ in range(200):
        position, velocity = ORDERS[order](position, velocity, np.zeros((1, 2, 1)), UNLIMITED)
    np.testing.assert_allclose(position.ravel(), [0.5 + share * 2.0, -1.0 + share], atol=1e-12)


@pytest.mark.parametrize("order", ORDERS)
def test_a_steady_force_leads_to_the_terminal_speed(order):
    """v = 0.75 v + 0.1 F has the fixed point F · 0.1 / 0.25."""
    position, velocity = one_body([0, 0], [0, 0])
    for _ in range(200):
        position, velocity = ORDERS[order](position, velocity, np.full((1, 2, 1), 5.0), UNLIMITED)
    np.testing.assert_allclose(velocity.ravel(), [2.0, 2.0], atol=1e-12)


def test_the_force_shows_one_step_later_in_mpe2():
    position, velocity = one_body([0, 0], [0, 0])
    force = np.array([5.0, 0.0]).reshape(1, 2, 1)
    assert advance_mpe2(position, velocity, force, UNLIMITED)[0].ravel().tolist() == [0, 0]
    np.testing.assert_allclose(
        advance_openai(position, velocity, force, UNLIMITED)[0].ravel(), [0.05, 0]
    )


def test_speeds_are_limited_and_directions_kept():
    velocities = np.array([[4.0, 0.4, 0.0], [3.0, 0.3, 0.0]])[None]
    limited = next_velocities(velocities / 0.75, np.zeros_like(velocities), np.array([1.0]))
    np.testing.assert_allclose(
        limited[0], [[0.8, 0.4, 0.0], [0.6, 0.3, 0.0]], rtol=1e-15, atol=1e-16
    )
    steady = next_velocities(velocities / 0.75, np.zeros_like(velocities), UNLIMITED)
    np.testing.assert_allclose(steady, velocities, rtol=1e-15)


@given(st.floats(1e-3, 1.0), st.floats(0.0, 2 * math.pi))
def test_the_contact_force_is_the_soft_overlap(distance, angle):
    reach, k = 0.3, 1e-3
    offset = np.array([distance * math.cos(angle), distance * math.sin(angle)]).reshape(1, 2, 1)
    force = contact_force(offset, np.array([reach]))[0, :, 0]
    x = (reach - distance) / k
    softplus = max(x, 0) + math.log1p(math.exp(-abs(x)))
    np.testing.assert_allclose(
        force, 100 * k * softplus * offset[0, :, 0] / distance, rtol=1e-9, atol=1e-15
    )


def test_far_and_touching_bodies_have_known_forces():
    reach = np.array([0.3, 0.3, 0.3])
    offsets = np.zeros((3, 2, 1))
    offsets[:, 0, 0] = [0.3, 0.1, 5.0]
    force = contact_force(offsets, reach)
    np.testing.assert_allclose(force[:, 0, 0], [0.1 * math.log(2), 100 * 0.2, 0.0], atol=1e-12)
    assert not force[:, 1].any()


@pytest.mark.parametrize("offset", [0.0, 5e-324, 1e-300, 1e-155, 1e-100])
def test_the_force_is_finite_however_close_two_bodies_are(offset):
    force = contact_force(np.array([offset, -offset]).reshape(1, 2, 1), np.array([0.3]))
    assert np.isfinite(force).all() and (lengths(force) <= 30 * (1 + 1e-12)).all()
    if offset == 0:
        assert not force.any()
    if offset == 1e-100:
        np.testing.assert_allclose(force[0, :, 0], [30 / 2**0.5, -30 / 2**0.5])


def test_pairs_are_those_of_which_both_collide_and_one_moves():
    sizes, collides = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([True, True, True, False, True])
    pairs = colliding_pairs(sizes, collides, 2)
    found = set(zip(pairs.first.tolist(), pairs.second.tolist()))
    assert found == {(0, 1), (0, 2), (0, 4), (1, 2), (1, 4)}
    np.testing.assert_allclose(pairs.reach, sizes[pairs.first] + sizes[pairs.second])
    for p, (i, j) in enumerate(zip(pairs.first, pairs.second)):
        expected = [1.0, -1.0] if (i, j) == (0, 1) else [float(i == 0), float(i == 1)]
        assert pairs.signs[:, p].tolist() == expected


def test_bodies_overlap_below_their_reach_and_not_at_it():
    pairs = colliding_pairs(np.array([0.25, 0.25]), np.array([True, True]), 2)
    positions = np.zeros((2, 2, 3))
    positions[1, 0] = [0.5, np.nextafter(0.5, 0), 0.6]
    assert overlaps(positions, pairs).tolist() == [[False, True, False]]


def plain_step(scene, positions, velocities, pushes, order):
    """One world, one step, as loops over bodies: the definition of the physics word by word."""
    n, m = scene.n_agents, len(scene.sizes)
    forces = [[scene.strengths[i] * pushes[i][axis] for axis in (0, 1)] for i in range(n)]
    for i in range(n):
        for j in range(m):
            if i == j or not (scene.collides[i] and scene.collides[j]):
                continue
            dx, dy = (positions[i][axis] - positions[j][axis] for axis in (0, 1))
            distance = math.hypot(dx, dy)
            x = (scene.sizes[i] + scene.sizes[j] - distance) / 0.001
            size = 100 * 0.001 * (max(x, 0) + math.log1p(math.exp(-abs(x))))
            forces[i][0] += size * dx / distance
            forces[i][1] += size * dy / distance
    positions, velocities = [list(p) for p in positions], [list(v) for v in velocities]
    for i in range(n):
        old = velocities[i]
        new = [0.75 * old[axis] + 0.1 * forces[i][axis] for axis in (0, 1)]
        speed = math.hypot(*new)
        if speed > scene.max_speeds[i]:
            new = [v / speed * scene.max_speeds[i] for v in new]
        moving = old if order == "mpe2" else new
        positions[i] = [positions[i][axis] + 0.1 * moving[axis] for axis in (0, 1)]
        velocities[i] = new
    return positions, velocities


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("make", [simple_spread, simple_speaker_listener, simple_tag])
def test_whole_episodes_are_those_of_the_plain_loop(make, order):
    rng = np.random.default_rng(11)
    worlds = make(30, continuous_actions=True, physics=order)
    scene, n = worlds.scene, worlds.n_agents
    crowded = np.where(np.arange(30) % 2, 0.3, 1.0)[:, None, None]
    positions = crowded * rng.uniform(-1, 1, (30, len(scene.sizes), 2))
    worlds.place(positions)
    states = [(p, np.zeros((n, 2))) for p in positions]
    touched = 0
    held = rng.random((5, 30, n, 5)).repeat(5, axis=0)
    for actions in held:
        touched += int((worlds.contacts > 0).sum())
        worlds.step(actions, rng)
        for e in range(30):
            pushes = [(a[2] - a[1], a[4] - a[3]) for a in actions[e]]
            states[e] = plain_step(scene, *states[e], pushes, order)
        np.testing.assert_allclose(worlds.positions, [s[0] for s in states], atol=1e-9)
        np.testing.assert_allclose(worlds.velocities, [s[1] for s in states], atol=1e-9)
    assert touched == 0 if make is simple_speaker_listener else touched > 30
