"""Two cars that meet: the smallest crossing in which the other driver matters. Lessons 00, 04, 05 and 06."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_count, as_float_array, as_number, as_position
from marl_lessons.envs.markov_game import MarkovGame, single_rewards

WAIT, GO = 0, 1
FARTHEST = 30  # cells; the tables grow with the fourth power: 200 MB there, 22 GB at 100


def two_cars(
    distance: int = 2,
    slip: float = 0.1,
    crash_reward: float = -10.0,
    pass_reward: float = 2.0,
    step_reward: float = -1.0,
    discount: float = 0.95,
    urgency: tuple[float, float] = (1.0, 1.0),
) -> MarkovGame:
    """Two cars, each ``distance`` cells before the same crossing, on crossing roads; both see both positions.

    State: (cells to go of car 0, of car 1), each 0 (passed) to ``distance``, and "crashed". ``go`` carries a car one cell
    ahead, except that with probability ``slip`` it stays; ``wait`` stays. A car that leaves its last cell enters the
    crossing: alone, it passes (``pass_reward``); if both enter in the same second they crash (``crash_reward`` each) and
    the episode ends. It also ends when both have passed. Each second costs ``urgency[i] * step_reward`` to every car i that
    has not yet passed when the second begins: an ambulance has a larger urgency than a car out for a drive.

    States are numbered so that ``v[:-1].reshape(distance + 1, distance + 1)`` is a table by both cars' cells to go; the last
    state is "crashed".
    """
    distance = as_count("distance", distance)
    if distance > FARTHEST:
        raise ValueError(f"distance is {distance}; allowed are 1 to {FARTHEST}")
    slip = as_number("slip", slip, 0.0, 1.0)
    crash, passing, step = single_rewards(
        crash_reward=crash_reward, pass_reward=pass_reward, step_reward=step_reward
    )
    delay = step * as_float_array("urgency", urgency, (2,))
    shape = (distance + 1, distance + 1)
    crashed = shape[0] * shape[1]
    n_states = crashed + 1
    transition = np.zeros((n_states, 2, 2, n_states))
    outcome_reward = np.zeros((2, n_states, 2, 2, n_states))
    for state, cells in enumerate(np.ndindex(shape)):
        for actions in np.ndindex(2, 2):
            for moves in np.ndindex(2, 2):
                probability = np.prod(
                    [_move_probability(c, a, m, slip) for c, a, m in zip(cells, actions, moves)]
                )
                if probability == 0:
                    continue
                after = [c - m for c, m in zip(cells, moves)]
                enters = [m == 1 and c == 1 for c, m in zip(cells, moves)]
                target = crashed if all(enters) else int(np.ravel_multi_index(after, shape))
                transition[(state, *actions, target)] += probability
                for car in range(2):
                    paid = delay[car] * (cells[car] > 0) + (
                        crash if all(enters) else passing * enters[car]
                    )
                    outcome_reward[(car, state, *actions, target)] = paid
    transition[crashed, ..., crashed] = 1.0
    terminal = np.zeros(n_states, dtype=bool)
    terminal[[0, crashed]] = True
    outcome_reward[:, terminal] = 0.0
    names = [f"car 0: {c} to go, car 1: {d} to go" for c, d in np.ndindex(shape)]
    return MarkovGame(
        transition,
        None,
        discount,
        np.eye(n_states)[crashed - 1],
        terminal,
        outcome_reward,
        state_names=(*names, "crashed"),
        action_names=(("wait", "go"),) * 2,
        name="two cars",
    )


def two_cars_state(cells_0: int, cells_1: int, distance: int = 2) -> int:
    """The number of the state with ``cells_0`` and ``cells_1`` cells to go in ``two_cars(distance)``."""
    size = as_count("distance", distance) + 1
    return as_position("cells_0", cells_0, size) * size + as_position("cells_1", cells_1, size)


def _move_probability(cells: int, action: int, moves: int, slip: float) -> float:
    """Probability that a car with ``cells`` to go moves ahead (``moves`` = 1) or stays (0) under ``action``."""
    ahead = (1 - slip) if action == GO and cells > 0 else 0.0
    return ahead if moves else 1 - ahead


def first_to_pass(states: np.ndarray, distance: int) -> int | None:
    """Which car (0 or 1) passed first in an episode's ``states[T+1]`` of :func:`two_cars`; None if neither did.

    Two cars never pass in the same second: that is a crash. ``distance`` as in :func:`two_cars`.
    """
    for state in states:
        if state < (distance + 1) ** 2:
            cells = divmod(int(state), distance + 1)
            if 0 in cells:
                return cells.index(0)
    return None
