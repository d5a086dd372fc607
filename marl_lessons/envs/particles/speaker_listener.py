"""simple_speaker_listener: one agent knows the goal, the other can go there (Lowe et al. 2017; mpe2's v4). Lesson 09."""

from __future__ import annotations

from functools import partial

import numpy as np

from marl_lessons.checks import as_choice
from marl_lessons.envs.particles.scenes import RETURNS, Scene, State
from marl_lessons.envs.particles.worlds import ParticleWorlds

SPEAKER, LISTENER = 0, 1
COLOURS = np.full((3, 3), 0.15) + 0.5 * np.eye(3)  # of the landmarks: red, green, blue


def simple_speaker_listener(
    n_worlds: int = 1,
    *,
    continuous_actions: bool = False,
    time_limit: int = 25,
    physics: str = "mpe2",
    returns: str = "mpe2",
) -> ParticleWorlds:
    """E worlds in which a speaker that cannot move tells a listener which of three landmarks to go to; nobody collides.

    With d the listener's distance from the goal, ``returns`` "mpe2" pays both -d², "openai" the sum over both, -2 d².
    ``physics`` as in :func:`~marl_lessons.envs.particles.spread.simple_spread`.
    """
    returns = as_choice("returns", returns, RETURNS)
    factor = {"mpe2": 1.0, "openai": 2.0}[returns]
    scene = Scene(
        name="simple_speaker_listener",
        agent_names=("speaker_0", "listener_0"),
        sizes=np.array([0.075] * 2 + [0.04] * 3),
        collides=np.zeros(5, dtype=bool),
        start=np.ones(5),
        strengths=np.array([0.0, 5.0]),
        observation_sizes=(3, 11),
        views=speaker_listener_views,
        rewards=partial(speaker_listener_rewards, factor=factor),
        settings={"returns": returns},
        speaks=np.array([True, False]),
        n_words=3,
        n_goals=3,
    )
    return ParticleWorlds(scene, n_worlds, continuous_actions, time_limit, physics)


def speaker_listener_views(state: State) -> np.ndarray:
    """The speaker sees the goal's colour; the listener its own velocity, the landmarks from its place, the message."""
    seen = np.zeros((2, 11, len(state.goals)))
    seen[SPEAKER, :3] = COLOURS[state.goals].T
    seen[LISTENER, :2] = state.velocities[LISTENER]
    seen[LISTENER, 2:8] = (state.positions[2:] - state.positions[LISTENER]).reshape(6, -1)
    seen[LISTENER, 8:] = state.messages[SPEAKER]
    return seen


def speaker_listener_rewards(state: State, factor: float) -> np.ndarray:
    """``factor`` · (-d²) for both, d the listener's distance from the goal; the sum over both agents has factor 2."""
    goals = state.positions[2 + state.goals, :, np.arange(len(state.goals))].T  # landmarks: 2, 3, 4
    cost = np.square(state.positions[LISTENER] - goals).sum(axis=0)
    return np.stack([-factor * cost, -factor * cost])
