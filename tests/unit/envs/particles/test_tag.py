"""Tag: who is paid for a catch, what leaving the field costs, and what each agent sees."""

import numpy as np
import pytest

from marl_lessons.envs import simple_tag
from marl_lessons.envs.particles.tag import boundary_cost


def test_tag_pays_each_pair_to_all_chasers_and_by_each_prey():
    worlds = simple_tag(1, n_prey=2, n_chasers=3, n_obstacles=0)
    # Chasers 0 and 1 overlap with prey 0 (reach 0.125), chaser 2 with nobody; prey 1 is beyond the field.
    positions = [[[0.1, 0], [-0.1, 0], [0, 0.2], [0, 0], [1.0, -0.95]]]
    worlds.place(positions)
    rewards = worlds.step(np.zeros((1, 5), dtype=int), np.random.default_rng(0)).rewards
    np.testing.assert_allclose(rewards, [[20, 20, 20, -20, -1.5]])


@pytest.mark.parametrize(
    "x, cost", [(0, 0), (0.9, 0), (0.95, 0.5), (1.0, 1.0), (1.5, np.e), (2.0, np.e**2), (2.2, 10), (1e6, 10)]
)  # fmt: skip
def test_the_boundary_costs_more_the_farther_out(x, cost):
    assert boundary_cost(np.array([x]))[0] == pytest.approx(cost)


def test_every_part_of_an_observation_stands_where_mpe2_has_it():
    worlds = simple_tag(1, n_prey=2, n_chasers=1, n_obstacles=1)
    positions = np.array([[[0.0, 0.1], [0.5, 0.6], [-0.5, -0.7], [0.9, -0.9]]])
    velocities = np.array([[[0.01, 0.02], [0.03, 0.04], [0.05, 0.06]]])
    worlds.place(positions, velocities)
    (p0, p1, p2, obstacle), (v0, v1, v2) = positions[0], velocities[0]
    expected = [
        [*v0, *p0, *(obstacle - p0), *(p1 - p0), *(p2 - p0), *v1, *v2],
        [*v1, *p1, *(obstacle - p1), *(p0 - p1), *(p2 - p1), *v2, 0, 0],
        [*v2, *p2, *(obstacle - p2), *(p0 - p2), *(p1 - p2), *v1, 0, 0],
    ]
    np.testing.assert_array_equal(worlds.observe()[0], expected)
    assert worlds.observation_sizes == (14, 12, 12)
