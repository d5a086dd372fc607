"""The physics of the particle worlds: bodies that push each other apart, in two orders of a step. Lesson 09.

Pure functions of arrays that their callers have checked: they check nothing themselves. Worlds are the last axis:
``positions[m, 2, E]`` of m bodies, agents first; ``velocities[n, 2, E]`` and ``forces[n, 2, E]`` of the n agents. So each
operation runs over long rows of neighbouring numbers, which is what makes hundreds of worlds cheap. All masses are 1.

Formulas of Lowe et al. (2017) and of mpe2, which differ in the order of a step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

TIME_STEP = 0.1  # seconds
DAMPING = 0.25  # share of its velocity that a body loses in a step
CONTACT_FORCE = 100.0  # per unit of overlap
CONTACT_MARGIN = 0.001  # how soft the contact is, a length
NO_DISTANCE = 1e-150  # below this two bodies share one point


class Pairs(NamedTuple):
    """The P pairs of bodies that can collide, an agent always first: the indices ``first[P]`` and ``second[P]``.

    ``reach[P]``: the distance below which they overlap, the sum of their sizes. ``signs[n, P]``: how a pair's force acts on
    each agent: 1 on the first of the pair, -1 on the second, 0 on all others. Landmarks stand still whatever hits them.
    """

    first: np.ndarray
    second: np.ndarray
    reach: np.ndarray
    signs: np.ndarray


def colliding_pairs(sizes: np.ndarray, collides: np.ndarray, n_agents: int) -> Pairs:
    """The pairs among bodies with ``sizes[m]``, where both ``collides[m]`` and at least one is an agent."""
    first, second = np.triu_indices(len(sizes), k=1)
    kept = collides[first] & collides[second] & (first < n_agents)
    first, second = first[kept], second[kept]
    agents = np.arange(n_agents)[:, None]
    signs = (agents == first).astype(float) - (agents == second)
    return Pairs(first, second, sizes[first] + sizes[second], signs)


def lengths(vectors: np.ndarray) -> np.ndarray:
    """``[..., E]``: the lengths √(x² + y²) of ``vectors[..., 2, E]``."""
    return np.sqrt(np.square(vectors).sum(axis=-2))


def overlaps(positions: np.ndarray, pairs: Pairs) -> np.ndarray:
    """``[P, E]`` booleans: which pairs are closer than their reach."""
    distances = lengths(positions[pairs.first] - positions[pairs.second])
    return distances < pairs.reach[:, None]


@np.errstate(under="ignore")  # far from contact the force is 0
def contact_force(offsets: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """``[P, 2, E]``: the force on the first body of each pair, which lies at ``offsets[P, 2, E]`` from the second.

    f = 100 · k log(1 + exp((reach - d) / k)) · offset / d, with d the distance and k = 0.001: about 100 times the overlap,
    and almost 0 from a few k beyond the ``reach[P]`` on. Bodies at one and the same point get no force, since no direction
    leads apart (the formula, and mpe2 with it, gives 0/0).
    """
    distances = lengths(offsets)
    overlap = CONTACT_MARGIN * np.logaddexp(0.0, (reach[:, None] - distances) / CONTACT_MARGIN)
    strength = CONTACT_FORCE * overlap / np.maximum(distances, NO_DISTANCE)
    return strength[:, None] * offsets


def total_force(own: np.ndarray, positions: np.ndarray, pairs: Pairs) -> np.ndarray:
    """``[n, 2, E]``: each agent's ``own[n, 2, E]`` force, and those of all bodies that it touches."""
    if not len(pairs.first):
        return own
    contacts = contact_force(positions[pairs.first] - positions[pairs.second], pairs.reach)
    return own + np.tensordot(pairs.signs, contacts, axes=1)


def next_velocities(
    velocities: np.ndarray, forces: np.ndarray, max_speeds: np.ndarray
) -> np.ndarray:
    """v ← (1 - damping) v + F Δt, shortened where it is longer than ``max_speeds[n]`` (infinite: no limit)."""
    velocities = (1 - DAMPING) * velocities + TIME_STEP * forces
    excess = lengths(velocities) / max_speeds[:, None]
    return velocities / np.maximum(excess, 1.0)[:, None]


def advance_mpe2(
    positions: np.ndarray, velocities: np.ndarray, forces: np.ndarray, max_speeds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities after a step of mpe2: agents move with the OLD velocity, a force shows one step later."""
    n_agents = len(velocities)
    positions = positions.copy()
    positions[:n_agents] += TIME_STEP * velocities
    velocities = next_velocities(velocities, forces, max_speeds)
    return positions, velocities


def advance_openai(
    positions: np.ndarray, velocities: np.ndarray, forces: np.ndarray, max_speeds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities after a step of Lowe et al. (2017): agents move with the NEW velocity, a force shows at once."""
    n_agents = len(velocities)
    velocities = next_velocities(velocities, forces, max_speeds)
    positions = positions.copy()
    positions[:n_agents] += TIME_STEP * velocities
    return positions, velocities


PHYSICS = {"mpe2": advance_mpe2, "openai": advance_openai}
