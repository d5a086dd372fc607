"""Whole episodes of particle worlds, recorded step by step: what pictures of them are drawn from."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_float_array, as_generator, as_indices
from marl_lessons.envs.particle_actions import as_bounded
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

    ``act(worlds, observations[E, n, d])`` returns the actions; of a trained run it is ``run.policy.act``, not the policy
    itself. Raises ValueError naming the argument, ``worlds`` also if there is no ``rng`` and their episodes do not end
    together, or are over, and naming ``actions`` if ``act`` returns none.
    """
    worlds = check_particles("worlds", worlds)
    check_function("act", act, "worlds", "observations")
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
        chosen = act(worlds, seen)
        step = worlds.step(chosen, unused)
        actions.append(np.array(chosen))
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
    """Return recorded episodes as they are: Frames of a ``scene``, finite, in the shapes that :class:`Frames` says.

    Raises ValueError naming ``scene``, ``name`` or a field of it, as ``name.rewards``.
    """
    if not isinstance(scene, Scene):
        raise ValueError(f"scene: expected a Scene, as worlds.scene, got {scene!r:.80}")
    if not isinstance(frames, Frames):
        raise ValueError(f"{name}: expected Frames as record(...) makes them, got {frames!r:.80}")
    for field, array in frames._asdict().items():
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{name}.{field}: expected an array, got {array!r:.80}")
    n, choices = scene.n_agents, np.array(scene.choices)
    if frames.positions.shape[2:] != (len(scene.sizes), 2) or len(frames.positions) < 2:
        raise ValueError(
            f"{name}.positions: expected (T+1, E, {len(scene.sizes)}, 2) of {scene.name}, got {frames.positions.shape}"
        )
    moments, episodes = frames.positions.shape[:2]
    as_float_array(f"{name}.positions", frames.positions, (moments, None, None, 2))
    as_float_array(f"{name}.velocities", frames.velocities, (moments, episodes, n, 2))
    said = moments, episodes, n, scene.n_words
    as_bounded(f"{name}.messages", frames.messages, said, 0.0, 1.0)
    as_indices(f"{name}.goals", frames.goals, (episodes,), max(scene.n_goals, 1))
    done = moments - 1, episodes, n
    if frames.actions.ndim == 4:
        as_float_array(f"{name}.actions", frames.actions, (*done, choices.max()))
    else:
        as_indices(f"{name}.actions", frames.actions, done, choices)
    as_float_array(f"{name}.rewards", frames.rewards, done)
    return frames


def check_function(name: str, function, *arguments: str) -> Callable:
    """Return a function as it is; raises ValueError naming ``name`` unless it can be called with so many ``arguments``."""
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise ValueError(
            f"{name}: expected a function of {' and '.join(arguments)}, got {function!r:.80}"
        ) from error
    except ValueError:  # a function from elsewhere that does not say what it takes
        pass
    return function
