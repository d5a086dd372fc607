"""Reference ways of acting in the particle worlds: what learners there are measured against.

Each is a function ``act(worlds, observations[E, n, d])`` that returns actions, as
:func:`~marl_lessons.evaluation.episodes.play_episodes` takes it. It reads nothing of ``worlds`` but the form of its actions
and views, so it also acts in mpe2's own environments (:func:`~marl_lessons.envs.mpe.mpe_worlds`). The scenes are those
of Lowe et al. (2017). All raise ValueError naming ``worlds`` or ``observations``; :func:`as_vectors` and :func:`as_numbers`
check nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment

from marl_lessons.checks import as_float_array, as_generator
from marl_lessons.envs.batched import are_continuous, check_batched_worlds
from marl_lessons.evaluation.steering import pull

# A mover's action: nothing, left, right, down, up. A speaker's: one of three words.
MOVES, WORDS = 5, 3
DISCRETE_MOVES = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])


def no_op(worlds, observations: np.ndarray) -> np.ndarray:
    """Nobody moves; a speaker says word 0, or, where words are vectors, zeros."""
    _check(worlds, observations)
    return np.zeros(_shape(worlds), dtype=float if are_continuous(worlds) else int)


def random_actions(rng: np.random.Generator) -> Callable:
    """An ``act`` that draws every action, or every entry of its vectors, uniformly. Raises ValueError naming ``rng``."""
    rng = as_generator("rng", rng)

    def act(worlds, observations: np.ndarray) -> np.ndarray:
        _check(worlds, observations)
        if are_continuous(worlds):
            return rng.random(_shape(worlds))
        return rng.integers(worlds.n_actions, size=_shape(worlds))

    return act


def to_nearest(worlds, observations: np.ndarray) -> np.ndarray:
    """Spread: every agent steers to the landmark nearest to it, whatever the others do."""
    velocities, offsets = _spread_views(worlds, observations)
    choice = np.square(offsets).sum(axis=-1).argmin(axis=-1)
    return _moves(worlds, pull(_chosen(offsets, choice), velocities))


def to_assigned(worlds, observations: np.ndarray) -> np.ndarray:
    """Spread: the agents share the landmarks out so that their squared distances add up to the least, anew in every step.

    Squared distances avoid long ways, so the last landmark is covered sooner than with distances as they are.
    """
    velocities, offsets = _spread_views(worlds, observations)
    costs = np.square(offsets).sum(axis=-1)
    choice = np.array([linear_sum_assignment(table)[1] for table in costs])
    return _moves(worlds, pull(_chosen(offsets, choice), velocities))


def told_listener(worlds, observations: np.ndarray) -> np.ndarray:
    """Speaker-listener: the listener knows what the speaker sees, without delay, and steers to the goal. No words are needed."""
    velocity, offsets, sight, _ = _listener_views(worlds, observations)
    offset = _chosen(offsets, sight.argmax(axis=1))
    return _listener_moves(worlds, pull(offset, velocity), np.zeros(len(sight), dtype=int))


def told_one_step_late(worlds, observations: np.ndarray) -> np.ndarray:
    """Speaker-listener as it is played at best: the speaker names the goal, the listener steers to the landmark last named.

    Before it hears the first word, it steers to the centre of the landmarks.
    """
    velocity, offsets, sight, message = _listener_views(worlds, observations)
    named = _chosen(offsets, message.argmax(axis=1))
    heard = message.any(axis=1)[:, None]
    offset = np.where(heard, named, offsets.mean(axis=1))
    return _listener_moves(worlds, pull(offset, velocity), sight.argmax(axis=1))


def untold_listener(worlds, observations: np.ndarray) -> np.ndarray:
    """Speaker-listener: the listener ignores all words and steers to the centre of the landmarks."""
    velocity, offsets, sight, _ = _listener_views(worlds, observations)
    return _listener_moves(
        worlds, pull(offsets.mean(axis=1), velocity), np.zeros(len(sight), dtype=int)
    )


def as_vectors(forces: np.ndarray) -> np.ndarray:
    """``[..., 5]``: the action vectors with the wanted ``forces[..., 2]``, cut off at 1: 0, left, right, down, up."""
    forces = np.clip(forces, -1.0, 1.0)
    minus, plus = np.maximum(-forces, 0.0), np.maximum(forces, 0.0)
    x, y = 0, 1
    return np.stack(
        [np.zeros(forces.shape[:-1]), minus[..., x], plus[..., x], minus[..., y], plus[..., y]],
        axis=-1,
    )


def as_numbers(forces: np.ndarray) -> np.ndarray:
    """``[...]``: which of the five moves comes closest to the wanted ``forces[..., 2]``."""
    distances = np.square(forces[..., None, :] - DISCRETE_MOVES).sum(axis=-1)
    return distances.argmin(axis=-1)


def _moves(worlds, forces: np.ndarray) -> np.ndarray:
    """Actions with the wanted ``forces[..., 2]``, in the form that ``worlds`` take."""
    return as_vectors(forces) if are_continuous(worlds) else as_numbers(forces)


def _listener_moves(worlds, forces: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Actions of a speaker that says ``words[E]`` and a listener with the wanted ``forces[E, 2]``."""
    moves = _moves(worlds, forces)
    if not are_continuous(worlds):
        return np.stack([words, moves], axis=1)
    said = np.eye(MOVES)[words]
    return np.stack([said, moves], axis=1)


def _chosen(offsets: np.ndarray, choice: np.ndarray) -> np.ndarray:
    """``[..., 2]``: the entry ``choice[...]`` of ``offsets[..., L, 2]``."""
    return np.take_along_axis(offsets, choice[..., None, None], axis=-2)[..., 0, :]


def _spread_views(worlds, observations) -> tuple[np.ndarray, np.ndarray]:
    """Velocities ``[E, n, 2]``, and the landmarks ``[E, n, n, 2]`` as each agent sees them from its place."""
    n = check_batched_worlds("worlds", worlds, continuous=None).n_agents
    seen = _check(worlds, observations, "spread", (6 * n,) * n, (MOVES,) * n)
    return seen[..., :2], seen[..., 4 : 4 + 2 * n].reshape(len(seen), n, n, 2)


def _listener_views(worlds, observations) -> tuple[np.ndarray, ...]:
    """The listener's velocity ``[E, 2]``, landmarks ``[E, 3, 2]``, what the speaker sees and the last message, ``[E, 3]``."""
    seen = _check(worlds, observations, "speaker-listener", (3, 11), (WORDS, MOVES))
    speaker, listener = seen[:, 0], seen[:, 1]
    return listener[:, :2], listener[:, 2:8].reshape(-1, 3, 2), speaker[:, :3], listener[:, 8:11]


def _shape(worlds) -> tuple[int, ...]:
    """The shape of joint actions, ``[E, n]`` or ``[E, n, k]``."""
    shape = worlds.n_worlds, worlds.n_agents
    return (*shape, max(worlds.action_sizes)) if are_continuous(worlds) else shape


def _check(worlds, observations, scene=None, views=None, actions=None) -> np.ndarray:
    """The observations as an array ``[E, n, d]``; raises ValueError if ``worlds`` do not look and act as a ``scene`` does."""
    check_batched_worlds("worlds", worlds, continuous=None)
    acting = worlds.action_sizes if are_continuous(worlds) else worlds.n_actions
    if scene is not None and (worlds.observation_sizes != views or acting != actions):
        raise ValueError(
            f"worlds: expected worlds of {scene} with views {views} and actions {actions}, "
            f"got {worlds.observation_sizes} and {acting}"
        )
    shape = worlds.n_worlds, worlds.n_agents, max(worlds.observation_sizes)
    return as_float_array("observations", observations, shape)
