"""What the non-stationarity microscope looks at: two games, runs of two learners in them, and what is measured all along.

Every run has a twin: the same game, the same seed, the same two learners, but the partner's table stands still where in the
run it moves, or the other way round.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from marl_lessons.algorithms import IndependentConfig
from marl_lessons.algorithms.one_run import one_run
from marl_lessons.checks import as_count
from marl_lessons.envs.catalogue import speed_check
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.two_cars import two_cars, two_cars_state
from marl_lessons.evaluation.own_world import OwnWorld, own_world

MEMORY = 200  # steps that the microscope looks back, about what a step size of 0.02 remembers
EQUILIBRIUM = tuple(strategy[0] for strategy in speed_check().equilibria[0])  # speed, check


@dataclass(frozen=True, eq=False)
class Scene:
    """A game under the microscope, seen by agent 0.

    ``n_steps`` long, with a record every ``every`` steps; ``step_sizes`` and ``temperatures`` of agents 0 and 1; ``state``,
    in which the decisive choice is made; ``action``, whose entries alone are looked at, or None for all.
    """

    name: str
    game: MarkovGame
    n_steps: int
    every: int
    step_sizes: tuple[float, float]
    temperatures: tuple[float, float]
    state: int
    action: int | None = None

    def config(self, **changes) -> IndependentConfig:
        """The learners' settings, with ``changes`` of fields of :class:`IndependentConfig`."""
        usual = {
            "n_steps": self.n_steps,
            "step_size": self.step_sizes,
            "temperature": self.temperatures,
            "time_limit": None,
        }
        settings = usual | changes
        return IndependentConfig(**settings, n_records=settings["n_steps"] // self.every)


CROSSING = Scene(
    "crossing", two_cars(distance=2), 5000, 50, (0.02, 0.02), (0.2, 0.2), two_cars_state(1, 1)
)
# Only speeding is looked at: keeping the limit pays the same whatever the patrol does, and its entry is never wrong.
SPEED_CHECK = Scene(
    "speed check", speed_check().game, 6000, 25, (0.02, 0.002), (0.5, 0.05), 0, action=0
)


@functools.lru_cache(maxsize=32)
def observe(
    scene: Scene, step_size: float, partner_step_size: float, learns: tuple[int, int], seed: int
) -> tuple[OwnWorld, OwnWorld, int]:
    """A run in which the partner learns from step ``learns[0]`` to ``learns[1]``, its twin, and where the two part ways."""
    twin_learns, parting = twin_of(learns, scene.n_steps)
    runs = []
    for window in (learns, twin_learns):
        config = scene.config(
            step_size=(step_size, partner_step_size), learns=(None, as_window(window))
        )
        history = one_run(scene.game, config, seed)
        lag = MEMORY // scene.every
        runs.append(own_world(scene.game, history, config, lag, scene.state, scene.action))
    return runs[0], runs[1], parting


def as_learns(learns, n_steps: int) -> tuple[int, int]:
    """``learns`` as two whole numbers (first, end) from 0 to ``n_steps``; raises ValueError naming ``learns`` otherwise."""
    if not isinstance(learns, tuple | list) or len(learns) != 2:
        raise ValueError(f"learns: expected None or (first, end), got {learns!r:.80}")
    first, end = (as_count(f"learns[{k}]", step, low=0) for k, step in enumerate(learns))
    if max(first, end) > n_steps:
        raise ValueError(f"learns is {(first, end)}; allowed are steps from 0 to {n_steps}")
    return first, end


def as_window(learns: tuple[int, int]) -> tuple[int, int]:
    """``learns`` as a window for :class:`IndependentConfig`; an empty one as a window that is over before the first step."""
    first, end = learns
    return (first, end) if first < end else (10**9, 10**9 + 1)


def twin_of(learns: tuple[int, int], n_steps: int) -> tuple[tuple[int, int], int]:
    """When the twin's partner learns, and the step at which the two runs part ways.

    Released partner (begins late): the twin's is never released. Frozen partner: the twin's goes on. A partner that always
    learns: the twin's is frozen half-way. A partner that never learns: the twin's is released half-way.
    """
    first, end = learns
    half = as_count("n_steps", n_steps) // 2
    if first >= end:
        return (half, n_steps), half
    if first > 0:
        return (0, 0), first
    return ((0, n_steps), end) if end < n_steps else ((0, half), half)
