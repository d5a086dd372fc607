"""What agents see and earn in the three particle scenes: one function each.

Pure functions of states that :class:`~marl_lessons.envs.particles.ParticleWorlds` keeps valid: they check nothing
themselves. Worlds are the last axis. Views are ``[n, d, E]``, d the largest view, shorter ones end with zeros; rewards are
``[n, E]``. Contents and order of the views and all numbers are those of mpe2, unless a function says otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.envs.particle_physics import Pairs, lengths, overlaps

# The speaker sees the goal landmark's colour: red, green or blue.
COLOURS = np.full((3, 3), 0.15) + 0.5 * np.eye(3)
CATCH = 10.0


class State(NamedTuple):
    """E worlds: ``positions[m, 2, E]`` (agents first, then landmarks), ``velocities[n, 2, E]`` of the agents, the last
    ``messages[n, c, E]``, zeros at the start, and the number ``goals[E]`` of the goal landmark, where the scene has one.
    """

    positions: np.ndarray
    velocities: np.ndarray
    messages: np.ndarray
    goals: np.ndarray


def view_order(n_agents: int, n_landmarks: int) -> np.ndarray:
    """``[n, m - 1]``: the bodies in the order in which each agent sees them: landmarks, then the other agents."""
    agents, landmarks = range(n_agents), [*range(n_agents, n_agents + n_landmarks)]
    order = [landmarks + [other for other in agents if other != i] for i in agents]
    return np.array(order, dtype=int).reshape(n_agents, -1)


def watched_prey(n_chasers: int, n_prey: int) -> np.ndarray:
    """``[n, n_prey]``: the prey whose velocity each agent sees: all but itself; n stands for nobody."""
    n_agents = n_chasers + n_prey
    prey = range(n_chasers, n_agents)
    rows = [[j for j in prey if j != i] for i in range(n_agents)]
    return np.array([row + [n_agents] * (n_prey - len(row)) for row in rows])


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


def tag_views(state: State, order: np.ndarray, watched: np.ndarray) -> np.ndarray:
    """Own velocity and position; obstacles and other agents from there, in ``order[n, m - 1]``; velocities of ``watched`` prey."""
    n = len(state.velocities)
    own = state.positions[:n, None]
    bodies = state.positions[order] - own
    nobody = np.zeros((1, *own.shape[2:]))
    prey = np.concatenate([state.velocities, nobody])[watched]
    seen = np.concatenate([state.velocities[:, None], own, bodies, prey], axis=1)
    return seen.reshape(n, -1, own.shape[-1])


def speaker_listener_views(state: State) -> np.ndarray:
    """The speaker (0) sees the goal's colour; the listener (1) its own velocity, the landmarks from its place, the message."""
    speaker, listener = 0, 1
    seen = np.zeros((2, 11, len(state.goals)))
    seen[speaker, :3] = COLOURS[state.goals].T
    seen[listener, :2] = state.velocities[listener]
    seen[listener, 2:8] = (state.positions[2:] - state.positions[listener]).reshape(6, -1)
    seen[listener, 8:] = state.messages[speaker]
    return seen


def uncovered(state: State) -> np.ndarray:
    """``[E]``: D, the sum over landmarks of the distance to the nearest agent."""
    n = len(state.velocities)
    distances = lengths(state.positions[n:, None] - state.positions[:n])
    return distances.min(axis=1).sum(axis=0)


def collisions(state: State, pairs: Pairs) -> np.ndarray:
    """``[n, E]``: c_i, how many other bodies each agent overlaps with."""
    return np.abs(pairs.signs) @ overlaps(state.positions, pairs)


def spread_rewards(state: State, pairs: Pairs, local_ratio: float) -> np.ndarray:
    """r_i = (1 - ρ)(-D) + ρ (-c_i), with ρ the ``local_ratio``."""
    shared, own = uncovered(state), collisions(state, pairs)
    return 0.0 - (1 - local_ratio) * shared - local_ratio * own


def spread_team_rewards(state: State, pairs: Pairs) -> np.ndarray:
    """Σ_i (-D - c_i - 1) for every agent: the shared reward of Lowe et al. (2017), where each also collides with itself."""
    each = -uncovered(state) - collisions(state, pairs) - 1
    return np.broadcast_to(each.sum(axis=0), each.shape).copy()


def speaker_listener_rewards(state: State, factor: float) -> np.ndarray:
    """``factor`` · (-d²) for both, d the listener's distance from the goal; the sum over both agents has factor 2."""
    speaker_and_listener, listener = 2, 1
    goals = state.positions[speaker_and_listener + state.goals, :, np.arange(len(state.goals))].T
    cost = np.square(state.positions[listener] - goals).sum(axis=0)
    return np.stack([-factor * cost, -factor * cost])


def boundary_cost(x: np.ndarray) -> np.ndarray:
    """What a prey pays for its coordinates' absolute values ``x``: nothing below 0.9, 10 (x - 0.9) up to 1, then e^(2x-2), at most 10."""
    beyond = np.minimum(np.exp(np.minimum(2 * x - 2, 3.0)), 10.0)
    return np.where(x < 0.9, 0.0, np.where(x < 1.0, 10 * (x - 0.9), beyond))


def tag_rewards(state: State, n_chasers: int, reach: float) -> np.ndarray:
    """Every chaser gets 10 for each pair of a chaser and a prey closer than ``reach``; the prey pays 10, and at the boundary."""
    chasers = state.positions[:n_chasers]
    prey = state.positions[n_chasers : len(state.velocities)]
    caught = lengths(prey[:, None] - chasers) < reach
    paid = CATCH * caught.sum(axis=1) + boundary_cost(np.abs(prey)).sum(axis=1)
    gained = np.broadcast_to(CATCH * caught.sum(axis=(0, 1)), (n_chasers, caught.shape[-1]))
    return np.concatenate([gained, 0.0 - paid])
