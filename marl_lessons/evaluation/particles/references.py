"""Reference ways of acting in the particle worlds, and the best returns possible: what learners there are measured against. Lesson 09.

A way of acting is a function ``act(worlds, observations[E, n, d])`` that returns actions, as
:func:`~marl_lessons.evaluation.statistics.play_episodes` takes it. It reads nothing of ``worlds`` but the form of its actions
and views, so it also acts in mpe2's own environments. The scenes are those of Lowe et al. (2017).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import linear_sum_assignment

from marl_lessons.checks import as_count, as_float_array, as_generator
from marl_lessons.envs.stepping import are_continuous, check_batched_worlds

TIME_STEP, KEPT_VELOCITY, PUSH = 0.1, 0.75, 0.5
# Of all such pairs, the ones with which a told listener of speaker-listener returns most on average, under physics "mpe2".
PULL, BRAKE = 14.0, 2.7


def pull(offset: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """``[..., 2]``: the force wanted, without bounds: towards a place ``offset[..., 2]`` away, against ``velocity[..., 2]``."""
    return PULL * offset - BRAKE * velocity


def responses(time_limit: int, physics: str = "mpe2") -> np.ndarray:
    """``[T, T - 1]``: how far a force of 1 at step s has carried a particle after step t + 1, on one axis.

    ``[T, T]`` under ``physics`` "openai", where the last force shows at once.
    """
    steps = np.arange(time_limit)
    since = steps[:, None] - steps[None, :-1]
    if physics == "openai":
        since = steps[:, None] - steps + 1
    carried = PUSH * TIME_STEP * (1 - KEPT_VELOCITY ** np.maximum(since, 0)) / (1 - KEPT_VELOCITY)
    return np.where(since > 0, carried, 0.0)


def bounded_least_squares(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """``[B, k]``: the x with entries from -1 to 1 that minimise |``matrix[T, k]`` x - ``wanted[B, T]``|², for B problems at once.

    Guess which entries lie at a bound, solve for the others, and let :func:`next_bounds` correct the guess, until nothing is
    left to correct: that proves the minimum of this convex problem (Karush-Kuhn-Tucker). The columns must be independent.
    """
    curvature, linear = matrix.T @ matrix, wanted @ matrix
    bounds, eye = np.zeros(linear.shape, dtype=int), np.eye(matrix.shape[1])
    x, waiting = np.zeros_like(linear), np.arange(len(linear))
    for n_round in range(1000):
        held = bounds[waiting]
        system = np.where((held == 0)[:, :, None], curvature, eye)
        given = np.where(held == 0, linear[waiting], held)
        x[waiting] = np.linalg.solve(system, given[..., None])[..., 0]
        slope = linear[waiting] - x[waiting] @ curvature
        new = next_bounds(held, x[waiting], slope, one_by_one=n_round >= 30)
        bounds[waiting], waiting = new, waiting[(new != held).any(axis=1)]
        if not len(waiting):
            return x
    raise RuntimeError("some problem was not solved within 1,000 rounds")


def next_bounds(held: np.ndarray, x: np.ndarray, slope: np.ndarray, one_by_one: bool) -> np.ndarray:
    """``[B, k]``: which entries to hold at -1 or 1 next, 0 for none, after those in ``held`` led to ``x`` with ``slope``.

    An entry beyond a bound is held there, one whose ``slope`` leads away from its bound is let go. All at once is fast but
    may go round in circles; ``one_by_one``, always the first, is slow but ends (Murty's rule).
    """
    beyond = np.where(np.abs(x) > 1, np.sign(x), 0)
    new = np.where(held == 0, beyond, np.where(held * slope < 0, 0, held)).astype(int)
    if one_by_one:
        wrong = new != held
        first = wrong & (wrong.cumsum(axis=1) == 1)
        new = np.where(first, new, held)
    return new


def best_listener_return(start, target, time_limit: int = 25, physics: str = "mpe2") -> np.ndarray:
    """``[E]``: the largest return -Σ_t |p_t - target|² that a listener at rest at ``start[E, 2]`` can reach, ``target[E, 2]`` known.

    p_1 to p_T are its places after each of ``time_limit`` steps, with forces from -1 to 1 on each axis. Holds for the listener of
    speaker-listener under the ``physics`` "mpe2" or "openai", and is one agent's return with ``returns="mpe2"``.
    """
    start = as_float_array("start", start, (None, 2))
    target = as_float_array("target", target, start.shape)
    matrix = responses(as_count("time_limit", time_limit), physics)
    offsets = (target - start).reshape(-1, 1)
    wanted = np.repeat(offsets, len(matrix), axis=1)
    missed = wanted - bounded_least_squares(matrix, wanted) @ matrix.T
    return -np.square(missed).sum(axis=1).reshape(start.shape).sum(axis=1)


def best_untold_return(start, landmarks, time_limit: int = 25, physics: str = "mpe2") -> np.ndarray:
    """``[E]``: the largest expected return of a listener that never learns which of ``landmarks[E, L, 2]`` is the goal.

    Each is the goal equally often. The mean of |p - l|² over the landmarks is |p - c|² + V, with their centre c and their mean
    squared distance V from it: so the listener steers to c, and pays V in every step. Holds where
    :func:`best_listener_return` does.
    """
    start = as_float_array("start", start, (None, 2))
    landmarks = as_float_array("landmarks", landmarks, (len(start), None, 2))
    centre = landmarks.mean(axis=1)
    spread = np.square(landmarks - centre[:, None]).sum(axis=2).mean(axis=1)
    return best_listener_return(start, centre, time_limit, physics) - time_limit * spread


def best_late_return(start, landmarks, time_limit: int = 25, physics: str = "mpe2") -> np.ndarray:
    """``[E]``: the largest expected return of a listener that learns after its first step which of ``landmarks[E, L, 2]`` is the goal.

    A word said in one step is heard in the next, so no pair of speaker and listener does better. Each landmark is the goal
    equally often; the first force must serve them all, the others are chosen for each. Holds where
    :func:`best_listener_return` does.
    """
    start = as_float_array("start", start, (None, 2))
    landmarks = as_float_array("landmarks", landmarks, (len(start), None, 2))
    matrix, n = responses(as_count("time_limit", time_limit), physics), landmarks.shape[1]
    joint = np.hstack([np.tile(matrix[:, :1], (n, 1)), np.kron(np.eye(n), matrix[:, 1:])])
    offsets = (landmarks - start[:, None]).transpose(0, 2, 1).reshape(-1, n)
    wanted = np.repeat(offsets, len(matrix), axis=1)
    missed = wanted - bounded_least_squares(joint, wanted) @ joint.T
    return -np.square(missed).sum(axis=1).reshape(start.shape).sum(axis=1) / n


# A mover's action: nothing, left, right, down, up. A speaker's: one of three words.
MOVES, WORDS = 5, 3
DISCRETE_MOVES = np.array([[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]])


def no_op(worlds, observations: np.ndarray) -> np.ndarray:
    """Nobody moves; a speaker says word 0, or, where words are vectors, zeros."""
    return np.zeros(_shape(worlds), dtype=float if are_continuous(worlds) else int)


def random_actions(rng: np.random.Generator) -> Callable:
    """A way of acting that draws every action, or every entry of its vectors, uniformly from ``rng``.

    It is made, ``play_episodes(worlds, random_actions(rng), …)``, where the others here are given as they are.
    """
    rng = as_generator("rng", rng)

    def act(worlds, observations: np.ndarray) -> np.ndarray:
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
    seen = _checked(worlds, observations, "spread", (6 * n,) * n, (MOVES,) * n)
    return seen[..., :2], seen[..., 4 : 4 + 2 * n].reshape(len(seen), n, n, 2)


def _listener_views(worlds, observations) -> tuple[np.ndarray, ...]:
    """The listener's velocity ``[E, 2]``, landmarks ``[E, 3, 2]``, what the speaker sees and the last message, ``[E, 3]``."""
    check_batched_worlds("worlds", worlds, continuous=None)
    seen = _checked(worlds, observations, "speaker-listener", (3, 11), (WORDS, MOVES))
    speaker, listener = seen[:, 0], seen[:, 1]
    return listener[:, :2], listener[:, 2:8].reshape(-1, 3, 2), speaker[:, :3], listener[:, 8:11]


def _shape(worlds) -> tuple[int, ...]:
    """The shape of joint actions, ``[E, n]`` or ``[E, n, k]``."""
    shape = worlds.n_worlds, worlds.n_agents
    return (*shape, max(worlds.action_sizes)) if are_continuous(worlds) else shape


def _checked(worlds, observations, scene: str, views: tuple, actions: tuple) -> np.ndarray:
    """The observations as an array ``[E, n, d]``; raises ValueError if ``worlds`` do not look and act as a ``scene`` does."""
    acting = worlds.action_sizes if are_continuous(worlds) else worlds.n_actions
    if worlds.observation_sizes != views or acting != actions:
        raise ValueError(
            f"worlds: expected worlds of {scene} with views {views} and actions {actions}, "
            f"got {worlds.observation_sizes} and {acting}"
        )
    return as_float_array("observations", observations, (worlds.n_worlds, len(views), max(views)))
