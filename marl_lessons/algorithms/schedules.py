"""Step sizes and exploration rates as functions of progress.

A schedule maps a :class:`Progress` to one number per learner. What it counts (steps, episodes or visits) is the whole
difference between schedules that learn and schedules that stop exploring before anything was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_number


class Progress(NamedTuple):
    """How far a run of E seeds and n agents is.

    ``step`` counts environment steps from 0, ``episode[E, 1]`` the episodes that each seed has finished, and ``visits[E, n]``
    the updates of the present state and action, this one included (None where a schedule sets the exploration).
    """

    step: int
    episode: np.ndarray
    visits: np.ndarray | None


Schedule = Callable[[Progress], np.ndarray | float]


@dataclass(frozen=True)
class Constant:
    """The same value for ever: ``value`` in [0, 1]."""

    value: float

    def __post_init__(self):
        as_number("value", self.value, 0.0, 1.0)

    def __call__(self, progress: Progress) -> float:
        """The value, whatever the progress."""
        return self.value


@dataclass(frozen=True)
class PerVisit:
    """n^-power at the n-th visit of a state and action.

    power 1 is the sample average. The Robbins-Monro conditions (the steps sum to infinity, their squares do not) hold for
    1/2 < power <= 1 (Sutton & Barto 2018, Eq. 2.7).
    """

    power: float = 1.0

    def __post_init__(self):
        as_number("power", self.power, 0.0, 10.0)

    def __call__(self, progress: Progress) -> np.ndarray:
        """``[E, n]``: the step size at the present visit."""
        return progress.visits**-self.power


@dataclass(frozen=True)
class _Decay:
    """max(floor, start · rate^count)."""

    start: float
    rate: float
    floor: float = 0.0

    def __post_init__(self):
        as_number("start", self.start, 0.0, 1.0)
        as_number("rate", self.rate, 0.0, 1.0)
        as_number("floor", self.floor, 0.0, 1.0)

    def after(self, count):
        """The value after ``count`` decays."""
        return np.maximum(self.floor, self.start * self.rate**count)


class PerEpisode(_Decay):
    """Decays once every episode: max(floor, start · rate^episode), each seed by its own episodes."""

    def __call__(self, progress: Progress) -> np.ndarray:
        """``[E, 1]``: the value in each seed's present episode."""
        return self.after(progress.episode)


class PerStep(_Decay):
    """Decays at every single step: max(floor, start · rate^step). The famous slip, here to be diagnosed."""

    def __call__(self, progress: Progress) -> np.ndarray:
        """The value at this step."""
        return self.after(progress.step)


def as_schedule(name: str, value) -> Schedule:
    """A schedule as it is, a number as :class:`Constant`; raises ValueError naming ``name`` for anything else."""
    if callable(value):
        return value
    return Constant(as_number(name, value, 0.0, 1.0))
