"""How well a particle can be steered to a place: a controller, and exact optima to hold it against.

One axis of a moving particle under physics "mpe2": p ← p + 0.1 v, v ← 0.75 v + 0.5 u, with a force u from -1 to 1; under
physics "openai", the order of Lowe et al. (2017), v is new before p moves. The axes do not affect each other. These are the
numbers of a particle that nothing touches, with a full push of 5 and no limit of speed: the listener of speaker-listener. They do
not hold for spread or tag, whose agents collide, and tag's have other pushes and limits.

Under "mpe2" a force shows in the position after the step that follows its own, so an episode of T steps has T - 1 forces that
matter; under "openai" all T do. Speaker-listener costs the squared distance to the goal after each step, so its best return
is a least-squares problem with bounds. Returns are those of ``returns="mpe2"``; "openai" doubles them. Episodes begin at rest.
Functions whose docstring names no ValueError are pure functions of checked arrays and check nothing.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_count, as_float_array
from marl_lessons.envs.particle_actions import as_bounded
from marl_lessons.envs.particle_physics import PHYSICS
from marl_lessons.envs.particle_scenes import FARTHEST, as_choice

TIME_STEP, KEPT_VELOCITY, PUSH = 0.1, 0.75, 0.5
# Of all such pairs, the ones with which a told listener of speaker-listener returns most on average, under physics "mpe2".
PULL, BRAKE = 14.0, 2.7


def pull(offset: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """``[..., 2]``: the force wanted, without bounds: towards a place ``offset[..., 2]`` away, against ``velocity[..., 2]``."""
    return PULL * offset - BRAKE * velocity


def steer(offset: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """``[..., 2]``: the force from -1 to 1 that carries a particle with ``velocity`` to a place ``offset[..., 2]`` away.

    Proportional-derivative control, cut off where the force is as large as it can be, with gains chosen for physics "mpe2".
    Raises ValueError naming the argument.
    """
    offset = as_float_array("offset", offset, (..., 2))
    velocity = as_float_array("velocity", velocity, offset.shape)
    return np.clip(pull(offset, velocity), -1.0, 1.0)


def responses(time_limit: int, physics: str = "mpe2") -> np.ndarray:
    """``[T, T - 1]``: how far a force of 1 at step s has carried a particle after step t + 1, on one axis.

    ``[T, T]`` under ``physics`` "openai", where the last force shows at once. Raises ValueError naming the argument.
    """
    steps = np.arange(as_count("time_limit", time_limit))
    since = steps[:, None] - steps[None, :-1]
    if as_choice("physics", physics, tuple(PHYSICS)) == "openai":
        since = steps[:, None] - steps + 1
    carried = PUSH * TIME_STEP * (1 - KEPT_VELOCITY ** np.maximum(since, 0)) / (1 - KEPT_VELOCITY)
    return np.where(since > 0, carried, 0.0)


def bounded_least_squares(matrix: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """``[B, k]``: the x with entries from -1 to 1 that minimise |``matrix[T, k]`` x - ``wanted[B, T]``|², for B problems at once.

    Guess which entries lie at a bound, solve for the others, and let :func:`next_bounds` correct the guess, until nothing is
    left to correct: that proves the minimum of this convex problem (Karush-Kuhn-Tucker). Raises ValueError naming ``matrix``,
    also if its columns are not independent, or ``wanted``, also if that takes more than 1,000 rounds.
    """
    matrix = _as_matrix(matrix)
    wanted = as_float_array("wanted", wanted, (None, len(matrix)))
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
    raise ValueError("wanted: some problem was not solved within 1,000 rounds")


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
    speaker-listener under the ``physics`` "mpe2" or "openai", and is one agent's return with ``returns="mpe2"``. Raises
    ValueError naming the argument.
    """
    start = _as_places("start", start, (None, 2))
    target = _as_places("target", target, start.shape)
    matrix = responses(time_limit, physics)
    offsets = (target - start).reshape(-1, 1)
    wanted = np.repeat(offsets, len(matrix), axis=1)
    missed = wanted - bounded_least_squares(matrix, wanted) @ matrix.T
    return -np.square(missed).sum(axis=1).reshape(start.shape).sum(axis=1)


def best_untold_return(start, landmarks, time_limit: int = 25, physics: str = "mpe2") -> np.ndarray:
    """``[E]``: the largest expected return of a listener that never learns which of ``landmarks[E, L, 2]`` is the goal.

    Each is the goal equally often. The mean of |p - l|² over the landmarks is |p - c|² + V, with their centre c and their mean
    squared distance V from it: so the listener steers to c, and pays V in every step. Holds where
    :func:`best_listener_return` does. Raises ValueError naming the argument.
    """
    start = _as_places("start", start, (None, 2))
    landmarks = _as_places("landmarks", landmarks, (len(start), None, 2))
    centre = landmarks.mean(axis=1)
    spread = np.square(landmarks - centre[:, None]).sum(axis=2).mean(axis=1)
    return best_listener_return(start, centre, time_limit, physics) - time_limit * spread


def best_late_return(start, landmarks, time_limit: int = 25, physics: str = "mpe2") -> np.ndarray:
    """``[E]``: the largest expected return of a listener that learns after its first step which of ``landmarks[E, L, 2]`` is the goal.

    A word said in one step is heard in the next, so no pair of speaker and listener does better. Each landmark is the goal
    equally often; the first force must serve them all, the others are chosen for each. Holds where
    :func:`best_listener_return` does. Raises ValueError naming the argument.
    """
    start = _as_places("start", start, (None, 2))
    landmarks = _as_places("landmarks", landmarks, (len(start), None, 2))
    matrix, n = responses(time_limit, physics), landmarks.shape[1]
    joint = np.hstack([np.tile(matrix[:, :1], (n, 1)), np.kron(np.eye(n), matrix[:, 1:])])
    offsets = (landmarks - start[:, None]).transpose(0, 2, 1).reshape(-1, n)
    wanted = np.repeat(offsets, len(matrix), axis=1)
    missed = wanted - bounded_least_squares(joint, wanted) @ joint.T
    return -np.square(missed).sum(axis=1).reshape(start.shape).sum(axis=1) / n


def _as_matrix(matrix) -> np.ndarray:
    """``[T, k]``, k at least 0, with independent columns; raises ValueError naming ``matrix`` otherwise."""
    if isinstance(matrix, np.ndarray) and matrix.ndim == 2 and len(matrix) and not matrix.shape[1]:
        return matrix.astype(
            float
        )  # nothing can be done: an episode of one step under physics "mpe2"
    matrix = as_float_array("matrix", matrix, (None, None))
    rank = np.linalg.matrix_rank(matrix)
    if rank < matrix.shape[1]:
        raise ValueError(
            f"matrix: {matrix.shape[1]} columns, of which {rank} are independent; all must be"
        )
    return matrix


def _as_places(name: str, value, shape) -> np.ndarray:
    """``value`` as an array of ``shape``; raises ValueError naming it, also for places farther than worlds allow."""
    array = as_float_array(name, value, shape)
    return as_bounded(name, array, array.shape, -FARTHEST, FARTHEST)
