"""The three lines that make a tabular learner: act, form a target, move towards it. Lessons 02, 05 and 06.

All are pure functions of arrays. What teams of independent learners do otherwise follows: optimism, and a memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from marl_lessons.algorithms.settings import RATE, SHARE, check_settings
from marl_lessons.algorithms.tables.schedules import Schedule, as_schedule
from marl_lessons.checks import as_number

ABOVE_ZERO = partial(as_number, low=0.0, high=1e9, open_low=True)


def epsilon_greedy(q: np.ndarray, epsilon: np.ndarray | float, uniform: np.ndarray) -> np.ndarray:
    """Actions ``[...]``: random with probability ε, otherwise a greedy one (Sutton & Barto 2018, Sec. 2.2).

    ``q[..., A]`` action values, ``uniform[2, ...]`` random numbers in [0, 1): the first decides whether to explore, the
    second which action. The lowest index wins a tie. A random action may be the greedy one.
    """
    explore = uniform[0] < epsilon
    random_action = (uniform[1] * q.shape[-1]).astype(np.intp)
    return np.where(explore, random_action, q.argmax(axis=-1))


def one_draw_for_all(uniform: np.ndarray) -> np.ndarray:
    """Random numbers ``[2, ..., n]`` with which all agents of a world explore at the same moments.

    ``uniform[0, ..., i]`` decides whether agent i explores; here the first agent's number decides for all. Each still draws
    its own random action. Some published programs do this. It eases coordination in a way that is open to no agent on its own.
    """
    whether, which = uniform
    return np.stack([np.broadcast_to(whether[..., :1], which.shape), which])


def sample_actions(policy: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Actions ``[...]`` drawn from ``policy[..., A]`` with the random numbers ``uniform[...]`` in [0, 1).

    Inverse transform sampling: the first action at which the cumulative probability exceeds the number.
    """
    cumulative = policy.cumsum(axis=-1)
    cumulative /= cumulative[..., -1:]  # the last is exactly 1, so that some action is drawn
    return (uniform[..., None] < cumulative).argmax(axis=-1)


def draw_actions(
    policy: np.ndarray, epsilon: np.ndarray | float, uniform: np.ndarray
) -> np.ndarray:
    """Actions ``[...]``: with probability ε any action with equal chance, otherwise drawn from ``policy[..., A]``.

    ``uniform[2, ...]`` are random numbers in [0, 1): the first decides whether to explore, the second which action.
    """
    explore = uniform[0] < epsilon
    random_action = (uniform[1] * policy.shape[-1]).astype(np.intp)
    return np.where(explore, random_action, sample_actions(policy, uniform[1]))


def boltzmann_policy(q: np.ndarray, temperature: np.ndarray | float) -> np.ndarray:
    """``[..., A]``: Boltzmann exploration, π(a) proportional to exp(Q(a) / τ) (Sutton & Barto 2018, Eq. 13.2).

    ``q[..., A]`` action values, -inf for an action that does not exist; ``temperature`` τ > 0, a number or ``[...]``. A
    high temperature makes all actions alike, a low one nearly always takes the greedy action.
    """
    preference = (q - q.max(axis=-1, keepdims=True)) / np.asarray(temperature)[..., None]
    weight = np.exp(preference)
    return weight / weight.sum(axis=-1, keepdims=True)


def q_learning_target(
    reward: np.ndarray, next_q: np.ndarray, terminated: np.ndarray, discount: float
) -> np.ndarray:
    """``[...]``: r + γ max_a' Q(s', a'), and r alone where the episode terminated (Sutton & Barto 2018, Eq. 6.8).

    ``reward[...]``, ``next_q[..., A]`` the values of s', ``terminated[...]`` booleans. Truncation is no termination.
    """
    return reward + discount * np.where(terminated, 0.0, next_q.max(axis=-1))


def sarsa_target(
    reward: np.ndarray,
    next_q: np.ndarray,
    next_action: np.ndarray,
    terminated: np.ndarray,
    discount: float,
) -> np.ndarray:
    """``[...]``: r + γ Q(s', a') for the action a' that will be taken, r alone on termination (S&B 2018, Eq. 6.7)."""
    taken = np.take_along_axis(next_q, next_action[..., None], axis=-1)[..., 0]
    return reward + discount * np.where(terminated, 0.0, taken)


def td_update(
    table: np.ndarray, index, target: np.ndarray, step_size: np.ndarray | float
) -> np.ndarray:
    """Move ``table[index]`` by the fraction ``step_size`` towards ``target``, in place; returns the TD errors δ.

    ``index`` selects the entries (state, action) to move, no entry twice. δ = target - table[index] (Eq. 6.8).
    """
    error = target - table[index]
    table[index] += step_size * error
    return error


# Optimism in teams: trust good news more than bad news, because bad news may be the partner's fault.


@dataclass(frozen=True)
class Hysteretic:
    """Two learning rates: α for good news, β for bad (Matignon, Laurent & Le Fort-Piat 2007).

    negative_step_size   β, where the TD error is negative: a number in [0, 1] or a schedule, typically α / 10. β = α is
                         plain Q-learning; β = 0 never forgets the best that ever happened.
    """

    negative_step_size: Schedule | float = 0.01

    def __post_init__(self):
        """Check the field and turn a number into a constant schedule."""
        check_settings(self, negative_step_size=as_schedule)


@dataclass(frozen=True)
class Distributed:
    """Distributed Q-learning (Lauer & Riedmiller 2000, Sec. 3): no bad news at all, and a policy that is kept.

    A table entry never falls. The policy of a state is a table of its own: it changes only when the state's best value
    rises, to the action that made it rise. So two agents that have found one of several equally good joint actions at the
    same moment stay with it: for sure where α is 1, as in the paper, so that both know at once what an action is worth.
    Begin with values that every joint action can beat, or the first table is never beaten.
    """


@dataclass(frozen=True)
class Lenient:
    """Lenient Q-learning, LMRL2 (Wei & Luke 2016): forgive at first, when the partner still explores.

    Every entry has a temperature. Bad news is ignored with a probability that is close to 1 while the entry is hot.

    start        temperature T of every entry at the beginning, above 0 (typical 50)
    decay        δ: factor by which an entry cools at each visit, in (0, 1] (typical 0.995)
    leniency     θ: how much a temperature forgives, above 0 (typical 1)
    coldest      once the mean temperature of a state is below this, its greedy action is taken (typical 2)
    exploration  ω: above that, actions are drawn by Boltzmann exploration at ω times the mean temperature (typical 1;
                 above 0). LMRL2 explores so, and by nothing else: the config's ε and temperature are not used, and ε is
                 recorded as 0.
    diffusion    τ: share of the next state's mean temperature that an entry takes over, in [0, 1] (typical 0.1)
    """

    start: float = 50.0
    decay: float = 0.995
    leniency: float = 1.0
    coldest: float = 2.0
    exploration: float = 1.0
    diffusion: float = 0.1

    def __post_init__(self):
        """Check every field."""
        check_settings(
            self,
            start=ABOVE_ZERO,
            decay=RATE,
            leniency=ABOVE_ZERO,
            coldest=partial(as_number, low=1e-6, high=1e9),
            exploration=ABOVE_ZERO,
            diffusion=SHARE,
        )


def hysteretic_step(
    error: np.ndarray, step_size: np.ndarray | float, negative_step_size: np.ndarray | float
) -> np.ndarray:
    """``[...]``: α where the TD error δ is 0 or positive, β where it is negative (Matignon et al. 2007, Eq. 5)."""
    return np.where(error < 0, negative_step_size, step_size)


def leniency(temperature: np.ndarray, theta: float) -> np.ndarray:
    """``[...]``: probability exp(-1 / (θT)) that bad news about an entry of temperature T is ignored (Wei & Luke 2016)."""
    return np.exp(-1 / (theta * temperature))


def cooler(
    temperature: np.ndarray, next_mean: np.ndarray, decay: float, diffusion: float, ends: np.ndarray
) -> np.ndarray:
    """``[...]``: an entry's temperature after a visit: δ [(1 - τ) T + τ T̄(s')], δ T if the episode ended (Wei & Luke 2016)."""
    mixed = (1 - diffusion) * temperature + diffusion * next_mean
    return decay * np.where(ends, temperature, mixed)


def changes_policy(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """``[...]`` booleans: whether a state's best value has risen, from ``before[..., A]`` to ``after[..., A]``."""
    return after.max(axis=-1) > before.max(axis=-1)


# A memory of recent transitions, from which a tabular learner draws what it learns from (experience replay).


class Memory:
    """The latest transitions of E seeds and n agents, ``capacity[n]`` of each agent; 1 is learning from the present one."""

    def __init__(self, capacity: np.ndarray, n_seeds: int):
        """``capacity``: how many transitions each agent keeps."""
        self.capacity, self.stored = np.asarray(capacity), 0
        self._rings: list[np.ndarray] | None = None
        self._place = np.ogrid[:n_seeds, : len(self.capacity)]

    def exchange(self, uniform: np.ndarray, *present: np.ndarray) -> list[np.ndarray]:
        """Store the ``present`` transition, given by arrays ``[E, n]``, and return ``[B, E, n]``: B drawn from those kept.

        Each agent of each seed draws its own with ``uniform[B, E, n]`` in [0, 1); every kept one has the same chance.
        """
        if self._rings is None:
            shape = (self.capacity.max(), *present[0].shape)
            self._rings = [np.empty(shape, part.dtype) for part in present]
        newest = self.stored % self.capacity
        self.stored += 1
        age = (uniform * np.minimum(self.stored, self.capacity)).astype(np.intp)
        drawn = (newest - age) % self.capacity
        seed, agent = self._place
        for ring, part in zip(self._rings, present):
            ring[newest, seed, agent] = part
        return [ring[drawn, seed, agent] for ring in self._rings]
