"""How much an agent's particle world moves while the others learn, if it knows its own action, or everyone's. Lesson 09.

Given the state and all actions, rewards and the next state obey a law that no policy changes. Given the own action alone they
do not: the others' policies are part of that law. Here worlds and policies are deterministic, so the total variation of
:mod:`~marl_lessons.evaluation.moving_target.drift` would be 0 or 1. Distances between what follows are measured instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_position
from marl_lessons.envs.particles.worlds import ParticleWorlds
from marl_lessons.evaluation.particles.frames import Policy, Probes, check_vectors, situation

Critic = Callable[[np.ndarray, np.ndarray], np.ndarray]


class LawDrift(NamedTuple):
    """How far what follows an agent's action moved, ``[K-1]`` each: entry z compares policies z and z + 1.

    rewards            mean absolute change of the agent's rewards, summed over the horizon
    next_observations  mean Euclidean distance between what the agent sees at the horizon
    """

    rewards: np.ndarray
    next_observations: np.ndarray


def follow(
    worlds: ParticleWorlds,
    probes: Probes,
    given: np.ndarray,
    own: Policy,
    others: Policy,
    horizon: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Rewards ``[P, n]`` summed over ``horizon`` steps from the probes' states on, and the observations ``[P, n, d]`` after the last.

    The agents where ``given[n, 1]`` is True begin with their actions of the probes and go on by the policy ``own``; all
    other agents follow the policy ``others`` from the first step on. Changes the worlds' state.
    """
    rng = np.random.default_rng(0)  # steps take a generator but draw nothing
    actions = np.where(given, probes.actions, others(probes.observations))
    worlds.restore(situation(probes))
    step = worlds.step(actions, rng)
    rewards = step.rewards
    for _ in range(horizon - 1):
        actions = np.where(given, own(step.observations), others(step.observations))
        step = worlds.step(actions, rng)
        rewards = rewards + step.rewards
    return rewards, step.observations


def distances(now: np.ndarray, then: np.ndarray) -> float:
    """Mean over P rows of the Euclidean distance between two arrays ``[P, d]``."""
    return float(np.sqrt(np.square(now - then).sum(axis=-1)).mean())


def own_law_drift(
    worlds: ParticleWorlds,
    probes: Probes,
    policies: Sequence[Policy],
    agent: int,
    horizon: int = 3,
) -> LawDrift:
    """How far rewards and observations of ``agent`` move with the others' policies, its own action given.

    With G_i(x, a_i; z') = Σ_{t<H} r_i(x_t, a_t), where x_0 = x, agent i does a_i first and μ^z_i(o_i) afterwards, and every
    other agent j does μ^z'_j(o_j): entry z of the rewards is the mean over the probes of |G_i(x, a_i; z+1) - G_i(x, a_i; z)|,
    that of the observations the mean distance between both o_{i,H}. Only the others change from one to the other.

    H is the ``horizon``. Under physics "mpe2" a push moves a body in the second step, and the answer to a word in the third:
    one step alone shows no drift of the rewards. ``policies``: K, at least 2. The worlds are left in the state in which they
    were.
    """
    given = np.arange(check_vectors(worlds).n_agents) == agent
    return _law_drift(worlds, probes, policies, agent, horizon, given[:, None])


def joint_law_drift(
    worlds: ParticleWorlds,
    probes: Probes,
    policies: Sequence[Policy],
    agent: int,
    horizon: int = 3,
) -> LawDrift:
    """The same with every agent's action given: 0, since no action comes from a policy that changes.

    All do as the probes say in the first step, and follow policy z afterwards (Lowe et al. 2017, Section 4.1: the world of a
    critic that knows all actions stays the same as the policies change).
    """
    given = np.ones((check_vectors(worlds).n_agents, 1), dtype=bool)
    return _law_drift(worlds, probes, policies, agent, horizon, given)


def bootstrap_drift(critic: Critic, observations, policies: Sequence[Policy]) -> np.ndarray:
    """``[K-1, n]``: mean over x' of |Q_i(x', μ^{z+1}(x')) - Q_i(x', μ^z(x'))|, for one critic that does not change.

    So far the bootstrapped part of a target moves when policies change and nothing else, even where the law of rewards and
    next states is fixed. ``critic(observations[P, n, d], actions[P, n, k])`` returns ``[P, n]``, Q_i for each agent i;
    ``observations[P, n, d]``: the situations x'.
    """
    values = [
        np.asarray(critic(observations, policy(observations)), dtype=float) for policy in policies
    ]
    return np.abs(np.diff(values, axis=0)).mean(axis=1)


def _law_drift(worlds, probes, policies, agent, horizon, given) -> LawDrift:
    """Entry z: what follows under policy z, against what follows once the agents not ``given`` have changed to z + 1."""
    agent, horizon = as_position("agent", agent, worlds.n_agents), as_count("horizon", horizon)
    before, drifts = worlds.snapshot(), []
    try:
        for now, later in pairwise(policies):
            rewards, seen = follow(worlds, probes, given, now, now, horizon)
            new_rewards, new_seen = follow(worlds, probes, given, now, later, horizon)
            paid = np.abs(new_rewards - rewards)[:, agent].mean()
            drifts.append((paid, distances(new_seen[:, agent], seen[:, agent])))
    finally:
        worlds.restore(before)
    return LawDrift(*np.array(drifts).T)
