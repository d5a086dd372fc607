"""Step sizes and exploration rates as functions of progress. Lessons 00, 02, 04, 05, 06 and 10.

A schedule maps a :class:`Progress` to one number per learner. What it counts (steps, episodes or visits) is the whole
difference between schedules that learn and schedules that stop exploring before anything was seen.

A schedule of your own is any function of a :class:`Progress`. What it returns is not checked, since that would cost time at
every step: take care that it lies in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_choice, as_count, as_number


class Progress(NamedTuple):
    """How far a run of E seeds and n agents is.

    ``step`` counts environment steps from 0, ``episode[E, 1]`` the episodes that each seed has finished, and ``visits[E, n]``
    the updates of the present state and action, this one included (None where a schedule sets the exploration; the visits of
    the present state where it sets a rate of WoLF-PHC).
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
        _check_fields(self, value=1.0)

    def __call__(self, progress: Progress) -> float:
        """The value, whatever the progress."""
        return self.value


@dataclass(frozen=True)
class PerVisit:
    """n^-power at the n-th visit of a state and action.

    power 1 is the sample average. The Robbins-Monro conditions (the steps sum to infinity, their squares do not) hold for
    1/2 < power <= 1 (Sutton & Barto 2018, Eq. 2.7). It is a schedule of step sizes only: when an action is yet to be
    chosen, there are no visits of it to count.
    """

    power: float = 1.0

    def __post_init__(self):
        _check_fields(self, power=10.0)

    def __call__(self, progress: Progress) -> np.ndarray:
        """``[E, n]``: the step size at the present visit."""
        return progress.visits**-self.power


@dataclass(frozen=True)
class _Decay:
    """max(floor, start · rate^count), all three in [0, 1]."""

    start: float
    rate: float
    floor: float = 0.0

    def __post_init__(self):
        _check_fields(self, start=1.0, rate=1.0, floor=1.0)

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


@dataclass(frozen=True)
class Linear:
    """From ``start`` in a straight line to ``end``, reached after ``over`` episodes (or ``per="step"``: steps), then constant.

    In a matrix game played again and again, where a step is all there is of an episode, count steps.
    """

    start: float
    end: float
    over: int
    per: str = "episode"

    def __post_init__(self):
        _check_fields(self, start=1.0, end=1.0)
        object.__setattr__(self, "over", as_count("over", self.over))
        as_choice("per", self.per, ("episode", "step"))

    def __call__(self, progress: Progress) -> np.ndarray | float:
        """The value in each seed's present episode, ``[E, 1]``, or at this step."""
        count = progress.episode if self.per == "episode" else progress.step
        return self.start + (self.end - self.start) * np.minimum(count / self.over, 1.0)


class PerAgent:
    """One schedule for each agent: ``PerAgent("step_size", (0.02, 0.2))``."""

    def __init__(self, name: str, values):
        """``values``: a number in [0, 1] or a schedule for each of n agents, as a tuple or a list."""
        if not isinstance(values, tuple | list) or not values:
            raise ValueError(
                f"{name}: expected one number or schedule for each agent, got {values!r:.80}"
            )
        self.parts = tuple(as_schedule(f"{name}[{i}]", value) for i, value in enumerate(values))
        are_numbers = all(isinstance(part, Constant) for part in self.parts)
        self._numbers = np.array([p.value for p in self.parts]) if are_numbers else None

    def __call__(self, progress: Progress) -> np.ndarray:
        """``[n]`` for n numbers, otherwise ``[E, n]``; leading axes as those of ``progress.visits``."""
        if self._numbers is not None:
            return self._numbers
        columns = []
        for i, part in enumerate(self.parts):
            visits = None if progress.visits is None else progress.visits[..., i : i + 1]
            columns.append(part(progress._replace(visits=visits)))
        columns = np.broadcast_arrays(progress.episode, *columns)[1:]
        return np.concatenate(columns, axis=-1)


def as_schedule(name: str, value) -> Schedule:
    """A schedule as it is, a number as :class:`Constant`."""
    if isinstance(value, type):
        raise ValueError(
            f"{name}: {value.__name__} is a class; give a schedule made from it, as {value.__name__}(...)"
        )
    return value if callable(value) else Constant(as_number(name, value, 0.0, 1.0))


def as_exploration(name: str, value) -> Schedule:
    """An exploration rate as a schedule, from a schedule or a number; neither :class:`PerVisit` nor :class:`PerAgent`."""
    schedule = as_schedule(name, value)
    if isinstance(schedule, PerVisit):
        raise ValueError(
            f"{name}: PerVisit counts the visits of an action, but ε is needed before one is chosen; "
            "use a number, Linear, PerEpisode or PerStep"
        )
    if isinstance(schedule, PerAgent):
        raise ValueError(
            f"{name}: expected one number or schedule for all agents, got a PerAgent with {len(schedule.parts)}"
        )
    return schedule


def _check_fields(schedule, **highest: float) -> None:
    """Replace the named fields of a frozen ``schedule`` by checked floats in [0, highest]."""
    for name, high in highest.items():
        object.__setattr__(schedule, name, as_number(name, getattr(schedule, name), 0.0, high))
