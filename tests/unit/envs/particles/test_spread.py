"""simple_spread pays what a loop over bodies counts, and what follows from the two parts of mpe2's reward."""

import numpy as np
import pytest

from marl_lessons.envs import simple_spread


def returns_of(worlds, actions, start):
    """``[E, n]``: the sum of rewards of one episode."""
    worlds.place(**start)
    rng = np.random.default_rng(0)
    return sum(worlds.step(joint, rng).rewards for joint in actions)


def crowded_start(n_worlds, n_bodies, rng):
    return {"positions": rng.uniform(-0.5, 0.5, (n_worlds, n_bodies, 2))}


def test_returns_of_the_original_follow_from_those_of_mpe2():
    """Over 25 steps: 3 (-Σ D) - c - 75, c the collisions counted by each of both; here from both parts of mpe2's reward."""
    rng = np.random.default_rng(1)
    start, actions = crowded_start(50, 6, rng), rng.integers(5, size=(25, 50, 3))
    shared = returns_of(simple_spread(50, local_ratio=0.0), actions, start)
    own = returns_of(simple_spread(50, local_ratio=1.0), actions, start)
    mixed = returns_of(simple_spread(50), actions, start)
    openai = returns_of(simple_spread(50, returns="openai"), actions, start)
    np.testing.assert_allclose(shared, shared[:, :1].repeat(3, axis=1))
    assert (own == np.round(own)).all() and own.sum() < -100
    np.testing.assert_allclose(mixed, 0.5 * shared + 0.5 * own)
    expected = 3 * shared[:, 0] + own.sum(axis=1) - 75
    np.testing.assert_allclose(openai, expected[:, None].repeat(3, axis=1))


def test_spread_pays_what_a_loop_over_bodies_counts():
    rng = np.random.default_rng(2)
    worlds, team = simple_spread(20, n_agents=4), simple_spread(20, n_agents=4, returns="openai")
    start, action = crowded_start(20, 8, rng), np.zeros((20, 4), dtype=int)
    worlds.place(**start), team.place(**start)
    paid, shared = worlds.step(action, rng).rewards, team.step(action, rng).rewards
    for e, bodies in enumerate(
        start["positions"]
    ):  # at rest and unpushed: nobody moves in the first step
        agents, landmarks = bodies[:4], bodies[4:]
        far = sum(min(np.linalg.norm(a - l) for a in agents) for l in landmarks)  # noqa: E741
        hits = [[np.linalg.norm(a - b) < 0.3 for b in agents] for a in agents]
        for i in range(4):
            assert paid[e, i] == pytest.approx(-0.5 * far - 0.5 * (sum(hits[i]) - 1))
        assert shared[e] == pytest.approx(-4 * far - sum(map(sum, hits)))
