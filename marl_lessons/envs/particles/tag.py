"""simple_tag: slow chasers hunt faster prey among obstacles (Lowe et al. 2017; mpe2's simple_tag_v3). Lesson 09."""

from __future__ import annotations

from functools import partial

import numpy as np

from marl_lessons.checks import as_count
from marl_lessons.envs.particles.physics import lengths
from marl_lessons.envs.particles.scenes import Scene, State, view_order
from marl_lessons.envs.particles.worlds import ParticleWorlds

CATCH = 10.0
CHASER, PREY, OBSTACLE = 0.075, 0.05, 0.2  # radii


def simple_tag(
    n_worlds: int = 1,
    *,
    n_prey: int = 1,
    n_chasers: int = 3,
    n_obstacles: int = 2,
    continuous_actions: bool = False,
    time_limit: int = 25,
    physics: str = "mpe2",
) -> ParticleWorlds:
    """E worlds in which slow chasers, the first agents, hunt faster prey among obstacles.

    Each overlap of a chaser and a prey brings every chaser 10 and costs that prey 10. A prey pays besides for leaving the
    field. ``physics`` as in :func:`~marl_lessons.envs.particles.spread.simple_spread`.
    """
    n_prey, n_chasers = as_count("n_prey", n_prey), as_count("n_chasers", n_chasers)
    n_obstacles = as_count("n_obstacles", n_obstacles, low=0)
    n, kinds = n_chasers + n_prey, (n_chasers, n_prey, n_obstacles)
    chasers, prey = (
        [f"{who}_{i}" for i in range(k)] for who, k in zip(("adversary", "agent"), kinds)
    )
    shared = 4 + 2 * n_obstacles + 2 * (n - 1)
    watched = watched_prey(n_chasers, n_prey)
    scene = Scene(
        name="simple_tag",
        agent_names=(*chasers, *prey),
        sizes=np.repeat([CHASER, PREY, OBSTACLE], kinds),
        collides=np.ones(sum(kinds), dtype=bool),
        start=np.repeat([1.0, 1.0, 0.9], kinds),
        strengths=np.repeat([3.0, 4.0], kinds[:2]),
        observation_sizes=(shared + 2 * n_prey,) * n_chasers
        + (shared + 2 * (n_prey - 1),) * n_prey,
        views=partial(tag_views, order=view_order(n, n_obstacles), watched=watched),
        rewards=partial(tag_rewards, n_chasers=n_chasers),
        settings={"n_chasers": n_chasers, "n_prey": n_prey, "n_obstacles": n_obstacles},
        max_speeds=np.repeat([1.0, 1.3], kinds[:2]),
    )
    return ParticleWorlds(scene, n_worlds, continuous_actions, time_limit, physics)


def watched_prey(n_chasers: int, n_prey: int) -> np.ndarray:
    """``[n, n_prey]``: the prey whose velocity each agent sees: all but itself; n stands for nobody."""
    n_agents = n_chasers + n_prey
    prey = range(n_chasers, n_agents)
    rows = [[j for j in prey if j != i] for i in range(n_agents)]
    return np.array([row + [n_agents] * (n_prey - len(row)) for row in rows])


def tag_views(state: State, order: np.ndarray, watched: np.ndarray) -> np.ndarray:
    """Own velocity and position; obstacles and other agents from there, in ``order[n, m - 1]``; velocities of ``watched`` prey."""
    n = len(state.velocities)
    own = state.positions[:n, None]
    bodies = state.positions[order] - own
    nobody = np.zeros((1, *own.shape[2:]))
    prey = np.concatenate([state.velocities, nobody])[watched]
    seen = np.concatenate([state.velocities[:, None], own, bodies, prey], axis=1)
    return seen.reshape(n, -1, own.shape[-1])


def tag_rewards(state: State, n_chasers: int) -> np.ndarray:
    """Every chaser gets 10 for each pair of a chaser and a prey that overlap; the prey pays 10, and at the boundary."""
    chasers = state.positions[:n_chasers]
    prey = state.positions[n_chasers : len(state.velocities)]
    caught = lengths(prey[:, None] - chasers) < CHASER + PREY
    paid = CATCH * caught.sum(axis=1) + boundary_cost(np.abs(prey)).sum(axis=1)
    gained = np.broadcast_to(CATCH * caught.sum(axis=(0, 1)), (n_chasers, caught.shape[-1]))
    return np.concatenate([gained, 0.0 - paid])


def boundary_cost(x: np.ndarray) -> np.ndarray:
    """What a prey pays for its coordinates' absolute values ``x``: nothing below 0.9, 10 (x - 0.9) up to 1, then e^(2x-2), at most 10."""
    beyond = np.minimum(np.exp(np.minimum(2 * x - 2, 3.0)), 10.0)
    return np.where(x < 0.9, 0.0, np.where(x < 1.0, 10 * (x - 0.9), beyond))
