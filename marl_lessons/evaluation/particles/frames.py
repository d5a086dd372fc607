"""Particle worlds recorded: whole episodes step by step, for pictures, and single situations, for questions. Lesson 09."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_generator
from marl_lessons.envs.particles.worlds import ParticleWorlds
from marl_lessons.envs.stepping import are_continuous

Act = Callable[[ParticleWorlds, np.ndarray], np.ndarray]
Policy = Callable[[np.ndarray], np.ndarray]


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

    ``act(worlds, observations[E, n, d])`` returns the actions; of a trained run it is ``run.policy.act``, or ``run.policy``.
    Raises ValueError naming ``worlds`` also if there is no ``rng`` and their episodes do not end together, or are over.
    """
    worlds, act = check_particles("worlds", worlds), getattr(act, "act", act)
    if not callable(act):
        raise ValueError(f"act: expected a function of worlds and observations, got {act!r:.80}")
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


class Probes(NamedTuple):
    """P recorded situations, and what everyone did there: what follows if these agents act like this here?

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

    ``policy(observations[P, n, d])`` returns the actions: of a trained run it is ``run.policy`` itself. The worlds are left
    in the state in which they were.
    """
    before, kept = check_vectors(worlds).snapshot(), None
    observations = worlds.reset(as_generator("rng", rng))
    chosen = rng.integers(worlds.time_limit, size=worlds.n_worlds)
    own = np.arange(max(worlds.action_sizes)) < np.array(worlds.action_sizes)[:, None]
    try:
        for step in range(worlds.time_limit):
            actions = policy(observations) * own
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


def check_particles(name: str, worlds) -> ParticleWorlds:
    """Particle worlds as they are; raises ValueError naming ``name`` for anything else."""
    if not isinstance(worlds, ParticleWorlds):
        raise ValueError(
            f"{name}: expected particle worlds as simple_spread(...), got {worlds!r:.80}"
        )
    return worlds


def check_vectors(worlds) -> ParticleWorlds:
    """Particle worlds whose actions are vectors, as they are; raises ValueError naming ``worlds`` for anything else."""
    if not are_continuous(check_particles("worlds", worlds)):
        raise ValueError(
            f"worlds: expected particle worlds with continuous_actions=True, got {worlds!r:.80}"
        )
    return worlds


def _replace_where(which: np.ndarray, new: Probes, old: Probes) -> Probes:
    """The situations of ``new`` where ``which[P]`` is True, those of ``old`` elsewhere."""
    choose = lambda a, b: np.where(which.reshape(-1, *[1] * (a.ndim - 1)), a, b)  # noqa: E731
    return Probes(*map(choose, new, old))
