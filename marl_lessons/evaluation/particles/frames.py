"""Whole episodes of particle worlds, recorded step by step: what pictures of them are drawn from."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_bounded, as_float_array, as_generator, as_indices
from marl_lessons.envs.particles.scenes import Scene, as_state
from marl_lessons.envs.particles.worlds import ParticleWorlds
from marl_lessons.envs.stepping import are_continuous

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
    """Return recorded episodes as they are: Frames of a ``scene``, finite, in the shapes that :class:`Frames` says."""
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


# Situations of particle worlds, recorded for questions of the kind "what follows if these agents act like this here?".

Policy = Callable[[np.ndarray], np.ndarray]


class Probes(NamedTuple):
    """P recorded situations, and what everyone did there.

    positions ``[P, m, 2]``, velocities ``[P, n, 2]``, messages ``[P, n, c]``, goals ``[P]``  as in
                  :class:`~marl_lessons.envs.particles.worlds.ParticleWorlds`; the messages are those heard in ``observations``
    observations  ``[P, n, d]``: what the agents saw
    actions       ``[P, n, k]``: what they did
    """

    positions: np.ndarray
    velocities: np.ndarray
    messages: np.ndarray
    goals: np.ndarray
    observations: np.ndarray
    actions: np.ndarray


def record_probes(worlds: ParticleWorlds, policy: Policy, rng: np.random.Generator) -> Probes:
    """Play one episode by ``policy`` in each of P worlds and record one of its situations, each step's equally likely.

    ``policy(observations[P, n, d])`` returns the actions: of a trained run it is ``run.policy`` itself, where
    :func:`~marl_lessons.evaluation.particles.frames.record` takes ``run.policy.act``. The worlds are left in the state in which
    they were.
    """
    act = as_acting("policy", policy, check_worlds(worlds))
    before, kept = worlds.snapshot(), None
    observations = worlds.reset(as_generator("rng", rng))
    chosen = rng.integers(worlds.time_limit, size=worlds.n_worlds)
    try:
        for step in range(worlds.time_limit):
            actions = act(observations)
            bodies = worlds.positions, worlds.velocities, worlds.messages, worlds.goals
            now = Probes(*bodies, observations, actions)
            kept = now if kept is None else _replace_where(step == chosen, now, kept)
            observations = worlds.step(actions, rng).observations
    finally:
        worlds.restore(before)
    return kept


def situation(probes: Probes) -> dict[str, np.ndarray]:
    """The probes' states as a snapshot of their worlds, in episodes that have only begun."""
    state = {name: getattr(probes, name) for name in Probes._fields[:4]}
    ages = np.zeros(len(probes.goals), dtype=int)
    return {**state, "ages": ages, "ended": ages > 0}


def check_worlds(worlds: ParticleWorlds) -> ParticleWorlds:
    """``worlds`` as they are; raises ValueError naming them unless they are particle worlds whose actions are vectors."""
    if not isinstance(worlds, ParticleWorlds) or not are_continuous(worlds):
        raise ValueError(
            f"worlds: expected particle worlds with continuous_actions=True, got {worlds!r:.80}"
        )
    return worlds


def as_acting(name: str, policy: Policy, worlds: ParticleWorlds) -> Policy:
    """``policy`` as a function whose actions are checked; raises ValueError naming ``name`` for anything that is no such function."""
    check_function(name, policy, "observations")
    return lambda observations: _as_actions(
        f"{name}(observations)", policy(observations.copy()), worlds
    )


def as_probes(probes: Probes, worlds: ParticleWorlds) -> Probes:
    """``probes`` checked: one situation for each of the worlds, with the observations that belong to it.

    Changes the worlds' state.
    """
    if not isinstance(probes, Probes):
        raise ValueError(
            f"probes: expected Probes, as record_probes makes them, got {probes!r:.80}"
        )
    as_state(worlds.scene, worlds.n_worlds, probes._asdict(), name="probes.{}")
    worlds.restore(situation(probes))
    seen = worlds.observe()
    observations = as_float_array("probes.observations", probes.observations, seen.shape)
    wrong = np.argwhere(~np.isclose(observations, seen, rtol=1e-5, atol=1e-5))
    if len(wrong):
        index = tuple(int(i) for i in wrong[0])
        raise ValueError(
            f"probes.observations{list(index)} is {observations[index]:g}; in this state the agent sees {seen[index]:g}"
        )
    actions = _as_actions("probes.actions", probes.actions, worlds)
    return probes._replace(observations=observations.astype(np.float32), actions=actions)


def _as_actions(name: str, value, worlds: ParticleWorlds) -> np.ndarray:
    """Actions ``[P, n, k]`` with every agent's own entries in [0, 1], and zeros behind them; or ValueError."""
    k = max(worlds.action_sizes)
    actions = as_float_array(name, value, (worlds.n_worlds, worlds.n_agents, k))
    actions[:, np.arange(k) >= np.array(worlds.action_sizes)[:, None]] = 0.0
    return as_bounded(name, actions, actions.shape, 0.0, 1.0)


def _replace_where(which: np.ndarray, new: Probes, old: Probes) -> Probes:
    """The situations of ``new`` where ``which[P]`` is True, those of ``old`` elsewhere."""
    choose = lambda a, b: np.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b)  # noqa: E731
    return Probes(*map(choose, new, old))
