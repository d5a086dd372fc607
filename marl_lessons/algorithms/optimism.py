"""Optimistic updates for teams: trust good news more than bad news, because bad news may be the partner's fault.

:func:`hysteretic_step`, :func:`leniency`, :func:`cooler` and :func:`changes_policy` are pure functions of arrays that their
callers have checked: they check nothing themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.algorithms.schedules import Schedule, as_schedule
from marl_lessons.checks import as_number


@dataclass(frozen=True)
class Hysteretic:
    """Two learning rates: α for good news, β for bad (Matignon, Laurent & Le Fort-Piat 2007). Raises ValueError.

    negative_step_size   β, where the TD error is negative: a number in [0, 1] or a schedule, typically α / 10. β = α is
                         plain Q-learning; β = 0 never forgets the best that ever happened.
    """

    negative_step_size: Schedule | float = 0.01

    def __post_init__(self):
        """Check the field and turn a number into a constant schedule."""
        checked = as_schedule("negative_step_size", self.negative_step_size)
        object.__setattr__(self, "negative_step_size", checked)


@dataclass(frozen=True)
class Distributed:
    """Distributed Q-learning (Lauer & Riedmiller 2000, Sec. 3): no bad news at all, and a policy that is kept.

    A table entry never falls. The policy of a state is a table of its own: it changes only when the state's best value
    rises, to the action that made it rise. So two agents that have found one of several equally good joint actions at the
    same moment stay with it. Begin with values that every joint action can beat, or the first table is never beaten.
    """


@dataclass(frozen=True)
class Lenient:
    """Lenient Q-learning, LMRL2 (Wei & Luke 2016): forgive at first, when the partner still explores. Raises ValueError.

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
        above_zero = {"start": 1e9, "decay": 1.0, "leniency": 1e9, "exploration": 1e9}
        for name, high in above_zero.items():
            number = as_number(name, getattr(self, name), 0.0, high, open_low=True)
            object.__setattr__(self, name, number)
        object.__setattr__(self, "coldest", as_number("coldest", self.coldest, 1e-6, 1e9))
        object.__setattr__(self, "diffusion", as_number("diffusion", self.diffusion, 0.0, 1.0))


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
