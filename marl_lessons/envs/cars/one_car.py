"""The running example with one agent: a car approaches a traffic light on a slippery road. Lessons 01, 02 and 04."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.markov_game import MarkovGame, single_rewards

BRAKE, GO = 0, 1
MOVING, STOPPED = 0, 1
PHASES = ("green", "yellow", "red")


def crossroads(
    distance: int = 5,
    green: float = 6.0,
    yellow: float = 2.0,
    red: float = 6.0,
    grip: float = 0.6,
    crash_probability: float = 0.9,
    crash_reward: float = -20.0,
    arrival_reward: float = 10.0,
    step_reward: float = -1.0,
    discount: float = 0.95,
) -> MarkovGame:
    """A car ``distance`` cells before a light that changes at random: an MDP with 6·distance + 2 states, 2 actions.

    State: (speed, phase, cells to go) with speed moving or stopped, phase green, yellow or red. One step is one second.
    ``go`` carries a moving car one cell ahead and sets a stopped car in motion. ``brake`` carries a moving car one cell
    ahead too and stops it there with probability ``grip``; otherwise it slides on, still moving. A moving car in the
    last cell enters the crossing whatever it does. Then it crashes with probability ``crash_probability`` if the light
    is red, and passes otherwise; either way the episode ends.

    green, yellow, red: mean duration of each phase in seconds, at least 1 (each second it ends with probability 1/mean).
    Rewards: ``step_reward`` each second, plus ``arrival_reward`` on passing or ``crash_reward`` on crashing.

    States are numbered so that ``v[:-2].reshape(2, 3, distance)`` is the table speed x phase x (cells to go - 1); the
    last two states are "passed" and "crashed". An episode begins stopped, ``distance`` cells away, with the light's
    phases as frequent as they last.
    """
    distance = as_count("distance", distance)
    means = zip(PHASES, (green, yellow, red))
    durations = np.array([as_number(name, mean, 1.0, 1e6) for name, mean in means])
    light = light_kernel(durations)
    grip = as_number("grip", grip, 0.0, 1.0)
    crash_probability = as_number("crash_probability", crash_probability, 0.0, 1.0)
    rewards = single_rewards(
        crash_reward=crash_reward, arrival_reward=arrival_reward, step_reward=step_reward
    )
    n_states = 6 * distance + 2
    passed, crashed = n_states - 2, n_states - 1
    transition = np.zeros((n_states, 2, n_states))
    for state in range(n_states - 2):
        speed, phase, cell = np.unravel_index(state, (2, 3, distance))
        for action in (BRAKE, GO):
            for probability, next_speed, next_cell in _drive(speed, cell, action, grip):
                if next_cell < 0:
                    hit = crash_probability * (PHASES[phase] == "red")
                    transition[state, action, passed] += probability * (1 - hit)
                    transition[state, action, crashed] += probability * hit
                else:
                    first = np.ravel_multi_index((next_speed, 0, next_cell), (2, 3, distance))
                    transition[state, action, first + distance * np.arange(3)] += (
                        probability * light[phase]
                    )
    transition[[passed, crashed], :, [passed, crashed]] = 1.0
    terminal = np.arange(n_states) >= passed
    outcome_reward = np.full((1, n_states, 2, n_states), rewards[2])
    outcome_reward[..., passed] += rewards[1]
    outcome_reward[..., crashed] += rewards[0]
    outcome_reward[0, terminal] = 0.0
    starts = np.ravel_multi_index((STOPPED, np.arange(3), distance - 1), (2, 3, distance))
    initial = np.zeros(n_states)
    initial[starts] = durations / durations.sum()
    names = [
        f"{d} to go, {speed}, {p}"
        for speed in ("moving", "stopped")
        for p in PHASES
        for d in range(1, distance + 1)
    ]
    return MarkovGame(
        transition,
        None,
        discount,
        initial,
        terminal,
        outcome_reward,
        state_names=(*names, "passed", "crashed"),
        action_names=(("brake", "go"),),
        name="crossroads",
    )


def light_kernel(durations: np.ndarray) -> np.ndarray:
    """``[3, 3]``: probability that phase (row) is followed by phase (column) one second later.

    Each phase lasts a geometric time with the mean ``durations[3]`` in seconds (at least 1) and is followed by the next of
    green, yellow, red, green.
    """
    ends = 1 / durations[:, None]
    return np.eye(3) * (1 - ends) + np.roll(np.eye(3), 1, axis=1) * ends


def _drive(speed: int, cell: int, action: int, grip: float) -> list[tuple[float, int, int]]:
    """Outcomes (probability, speed, cell) of one second; ``cell`` counts from 0, and -1 is the crossing itself."""
    if speed == STOPPED:
        return [(1.0, MOVING if action == GO else STOPPED, cell)]
    if action == GO or cell == 0:
        return [(1.0, MOVING, cell - 1)]
    return [(grip, STOPPED, cell - 1), (1 - grip, MOVING, cell - 1)]
