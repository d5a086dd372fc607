"""How much an agent's particle world moves while the others learn, if it knows its own action, or everyone's.

Given the state and all actions, rewards and the next state obey a law that no policy changes. Given the own action alone they
do not: the others' policies are part of that law. Here worlds and policies are deterministic, so the total variation of
:mod:`~marl_lessons.evaluation.moving_target.drift` would be 0 or 1. Distances between what follows are measured instead.

Situations and policies are those of :mod:`~marl_lessons.evaluation.particles.frames`. :func:`follow` and :func:`distances`
check nothing: they are given what the other functions have checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_float_array, as_position
from marl_lessons.envs.particles.worlds import ParticleWorlds
from marl_lessons.evaluation.particles.frames import (
    Policy,
    Probes,
    as_acting,
    as_probes,
    check_function,
    check_worlds,
    situation,
)

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
    given = np.arange(check_worlds(worlds).n_agents) == as_agent(agent, worlds)
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
    given = np.ones(check_worlds(worlds).n_agents, dtype=bool)
    return _law_drift(worlds, probes, policies, as_agent(agent, worlds), horizon, given[:, None])


def bootstrap_drift(critic: Critic, observations, policies: Sequence[Policy]) -> np.ndarray:
    """``[K-1, n]``: mean over x' of |Q_i(x', μ^{z+1}(x')) - Q_i(x', μ^z(x'))|, for one critic that does not change.

    So far the bootstrapped part of a target moves when policies change and nothing else, even where the law of rewards and
    next states is fixed. ``critic(observations[P, n, d], actions[P, n, k])`` returns ``[P, n]``, Q_i for each agent i;
    ``observations[P, n, d]``: the situations x'.
    """
    x = as_float_array("observations", observations, (None, None, None)).astype(np.float32)
    critic = check_function("critic", critic, "observations", "actions")
    values = []
    for z, policy in enumerate(as_policies(policies)):
        actions = as_float_array(
            f"policies[{z}](observations)", policy(x.copy()), (*x.shape[:2], None)
        )
        values.append(
            as_float_array("critic(observations, actions)", critic(x.copy(), actions), x.shape[:2])
        )
    return np.abs(np.diff(values, axis=0)).mean(axis=1)


def as_agent(agent: int, worlds: ParticleWorlds) -> int:
    """``agent`` as it is; raises ValueError naming it unless it is the number of one."""
    return as_position("agent", agent, worlds.n_agents)


def as_policies(policies: Sequence[Policy]) -> list[Policy]:
    """``policies`` as a list; raises ValueError naming them unless they are two functions or more."""
    if not isinstance(policies, list | tuple) or len(policies) < 2:
        raise ValueError(f"policies: expected a list of 2 functions or more, got {policies!r:.80}")
    for z, policy in enumerate(policies):
        check_function(f"policies[{z}]", policy, "observations")
    return list(policies)


def _law_drift(worlds, probes, policies, agent, horizon, given) -> LawDrift:
    """Entry z: what follows under policy z, against what follows once the agents not ``given`` have changed to z + 1."""
    policies = [as_acting(f"policies[{z}]", p, worlds) for z, p in enumerate(as_policies(policies))]
    if as_count("horizon", horizon) > worlds.time_limit:
        raise ValueError(
            f"horizon is {horizon}; allowed is at most the time limit, {worlds.time_limit}"
        )
    before, drifts = worlds.snapshot(), []
    try:
        probes = as_probes(probes, worlds)
        what_follows = partial(follow, worlds, probes, given)
        for now, later in pairwise(policies):
            rewards, seen = what_follows(now, now, horizon)
            new_rewards, new_seen = what_follows(now, later, horizon)
            paid = np.abs(new_rewards - rewards)[:, agent].mean()
            drifts.append((paid, distances(new_seen[:, agent], seen[:, agent])))
    finally:
        worlds.restore(before)
    return LawDrift(*np.array(drifts).T)
