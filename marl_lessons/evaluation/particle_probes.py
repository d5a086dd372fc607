"""Situations of particle worlds, recorded for questions of the kind "what follows if these agents act like this here?".

A policy is a function from observations ``[P, n, d]`` to actions ``[P, n, k]``, both arrays, that gives every agent's actions
and draws no random numbers. P recorded situations are the P worlds of one object. :func:`situation` checks nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_float_array, as_generator
from marl_lessons.envs.batched import are_continuous
from marl_lessons.envs.particle_actions import as_bounded
from marl_lessons.envs.particle_scenes import as_state
from marl_lessons.envs.particles import ParticleWorlds
from marl_lessons.evaluation.particle_frames import check_function

Policy = Callable[[np.ndarray], np.ndarray]


class Probes(NamedTuple):
    """P recorded situations, and what everyone did there.

    positions ``[P, m, 2]``, velocities ``[P, n, 2]``, messages ``[P, n, c]``, goals ``[P]``  as in
                  :class:`~marl_lessons.envs.particles.ParticleWorlds`; the messages are those heard in ``observations``
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
    :func:`~marl_lessons.evaluation.particle_frames.record` takes ``run.policy.act``. The worlds are left in the state in which
    they were. Raises ValueError naming ``worlds``, ``policy`` or ``rng``.
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

    Changes the worlds' state. Raises ValueError naming the array.
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
