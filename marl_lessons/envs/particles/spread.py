"""simple_spread: N agents shall cover N landmarks and not collide (Lowe et al. 2017; mpe2's simple_spread_v3). Lesson 09."""

from __future__ import annotations

from functools import partial

import numpy as np

from marl_lessons.checks import as_choice, as_count, as_number
from marl_lessons.envs.particles.physics import Pairs, colliding_pairs, lengths, overlaps
from marl_lessons.envs.particles.scenes import RETURNS, Scene, State, view_order
from marl_lessons.envs.particles.worlds import ParticleWorlds

USUAL_RATIO = 0.5


def simple_spread(
    n_worlds: int = 1,
    *,
    n_agents: int = 3,
    continuous_actions: bool = False,
    time_limit: int = 25,
    local_ratio: float = USUAL_RATIO,
    physics: str = "mpe2",
    returns: str = "mpe2",
) -> ParticleWorlds:
    """E worlds in which N agents shall cover N landmarks and not collide.

    With D the sum over landmarks of the distance to the nearest agent, and c_i the agents that agent i overlaps with:
    ``returns`` "mpe2" pays (1 - ρ)(-D) - ρ c_i, ρ being the ``local_ratio``; "openai", as in Lowe et al. (2017), pays every
    agent Σ_i (-D - c_i - 1). ``physics``: "mpe2", or "openai" for the order of a step in Lowe et al. (2017), see
    :mod:`~marl_lessons.envs.particles.physics`.
    """
    n = as_count("n_agents", n_agents)
    ratio = as_number("local_ratio", local_ratio, 0.0, 1.0)
    returns = as_choice("returns", returns, RETURNS)
    if returns == "openai" and ratio != USUAL_RATIO:
        raise ValueError(
            f"local_ratio is {ratio}; returns 'openai' have no such ratio, allowed is the default {USUAL_RATIO}"
        )
    sizes, collides = np.repeat([0.15, 0.05], n), np.repeat([True, False], n)
    pairs = colliding_pairs(sizes, collides, n)
    if returns == "mpe2":
        rewards = partial(spread_rewards, pairs=pairs, local_ratio=ratio)
    else:
        rewards = partial(spread_team_rewards, pairs=pairs)
    scene = Scene(
        name="simple_spread",
        agent_names=tuple(f"agent_{i}" for i in range(n)),
        sizes=sizes,
        collides=collides,
        start=np.ones(2 * n),
        strengths=np.full(n, 5.0),
        observation_sizes=(4 + 2 * n + 4 * (n - 1),) * n,
        views=partial(spread_views, order=view_order(n, n)),
        rewards=rewards,
        settings={"n_agents": n, "local_ratio": ratio, "returns": returns},
    )
    return ParticleWorlds(scene, n_worlds, continuous_actions, time_limit, physics)


def spread_views(state: State, order: np.ndarray) -> np.ndarray:
    """Own velocity and position; landmarks and other agents from there, in ``order[n, m - 1]``; two zeros for each other agent.

    The zeros are the messages of agents that cannot speak.
    """
    n = len(state.velocities)
    own = state.positions[:n, None]
    bodies = state.positions[order] - own
    silence = np.zeros((n, n - 1, *own.shape[2:]))
    seen = np.concatenate([state.velocities[:, None], own, bodies, silence], axis=1)
    return seen.reshape(n, -1, own.shape[-1])


def spread_rewards(state: State, pairs: Pairs, local_ratio: float) -> np.ndarray:
    """r_i = (1 - ρ)(-D) + ρ (-c_i), with ρ the ``local_ratio``."""
    shared, own = uncovered(state), collisions(state, pairs)
    return 0.0 - (1 - local_ratio) * shared - local_ratio * own


def spread_team_rewards(state: State, pairs: Pairs) -> np.ndarray:
    """Σ_i (-D - c_i - 1) for every agent: the shared reward of Lowe et al. (2017), where each also collides with itself."""
    each = -uncovered(state) - collisions(state, pairs) - 1
    return np.broadcast_to(each.sum(axis=0), each.shape).copy()


def uncovered(state: State) -> np.ndarray:
    """``[E]``: D, the sum over landmarks of the distance to the nearest agent."""
    n = len(state.velocities)
    distances = lengths(state.positions[n:, None] - state.positions[:n])
    return distances.min(axis=1).sum(axis=0)


def collisions(state: State, pairs: Pairs) -> np.ndarray:
    """``[n, E]``: c_i, how many other bodies each agent overlaps with."""
    return np.abs(pairs.signs) @ overlaps(state.positions, pairs)
