"""Whole episodes of particle worlds, recorded step by step: what pictures of them are drawn from."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_generator
from marl_lessons.envs.particle_scenes import Scene
from marl_lessons.envs.particles import ParticleWorlds

Act = Callable[[ParticleWorlds, np.ndarray], np.ndarray]


class Frames(NamedTuple):
    """One recorded episode of T steps in each of E worlds; moment 0 is its beginning.

    positions ``[T+1, E, m, 2]``, velocities ``[T+1, E, n, 2]``, messages ``[T+1, E, n, c]``, goals ``[E]``: as the worlds have
    them; actions ``[T, E, n]`` or ``[T, E, n, k]``; rewards ``[T, E, n]``
    """

    positions: np.ndarray
    velocities: np.ndarray
    messages: np.ndarray
    goals: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray


def record(worlds: ParticleWorlds, act: Act, rng: np.random.Generator | None = None) -> Frames:
    """Play one episode in each world: a fresh one drawn from ``rng``, or, without it, from the present state to the end.

    ``act(worlds, observations[E, n, d])`` returns the actions. Raises ValueError naming the argument, ``worlds`` also if
    there is no ``rng`` and their episodes do not end together, or are over.
    """
    worlds = check_particles("worlds", worlds)
    if not callable(act):
        raise ValueError(f"act: expected a function, got {act!r:.80}")
    if rng is not None:
        worlds.reset(as_generator("rng", rng))
    if worlds.ended.any() or np.ptp(worlds.ages) > 0:
        raise ValueError(
            "worlds: expected episodes that go on and are equally old; reset or place them, or give rng"
        )
    unused = np.random.default_rng(0)  # steps of particle worlds draw no numbers
    seen, actions, rewards = worlds.observe().astype(np.float32), [], []
    states = [worlds.snapshot()]
    while not worlds.ended.any():
        actions.append(np.array(act(worlds, seen)))
        step = worlds.step(actions[-1], unused)
        seen = step.observations
        rewards.append(step.rewards)
        states.append(worlds.snapshot())
    moving = ("positions", "velocities", "messages")
    stacked = [np.stack([state[name] for state in states]) for name in moving]
    return Frames(*stacked, worlds.goals, np.stack(actions), np.stack(rewards))


def check_particles(name: str, worlds) -> ParticleWorlds:
    """Return particle worlds as they are; raises ValueError naming ``name`` for anything else."""
    if not isinstance(worlds, ParticleWorlds):
        raise ValueError(
            f"{name}: expected particle worlds as simple_spread(...), got {worlds!r:.80}"
        )
    return worlds


def check_frames(name: str, frames, scene: Scene) -> Frames:
    """Return recorded episodes as they are; raises ValueError naming ``name`` unless they are Frames of a ``scene``."""
    if not isinstance(scene, Scene):
        raise ValueError(f"scene: expected a Scene, as worlds.scene, got {scene!r:.80}")
    if not isinstance(frames, Frames):
        raise ValueError(f"{name}: expected Frames as record(...) makes them, got {frames!r:.80}")
    steps, n, episodes = len(frames.rewards), scene.n_agents, len(frames.goals)
    shapes = (len(scene.sizes), 2), (n, 2), (n, scene.n_words)
    wanted = [(steps + 1, episodes, *shape) for shape in shapes]
    if [array.shape for array in frames[:3]] != wanted:
        raise ValueError(
            f"{name}.positions: of shape {frames.positions.shape}, which is no {scene.name}"
        )
    return frames
