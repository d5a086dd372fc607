"""What agents of a particle world do: pushes and words, read from whole numbers or from vectors.

Actions come as ``[E, n]`` or ``[E, n, k]``; what is read from them has the worlds last, as all of the particle worlds.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_float_array, as_indices

# The direction of each move: nothing, left, right, down, up.
MOVE_X, MOVE_Y = np.array([[0.0, -1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, -1.0, 1.0]])


def read_moves(
    actions: np.ndarray, n_worlds: int, choices: tuple[int, ...], n_words: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pushes ``[n, 2, E]`` of length 0 or 1 and words ``[n, c, E]``, 1 for the chosen one, of whole numbers ``actions[E, n]``.

    Agent i's are below ``choices[i]``. Every agent's number is read both ways; its scene knows who moves and who speaks.
    Raises ValueError naming ``actions``.
    """
    moves = as_indices("actions", actions, (n_worlds, len(choices)), np.array(choices)).T
    pushes = np.stack([MOVE_X[moves], MOVE_Y[moves]], axis=1)
    words = moves[:, None] == np.arange(n_words)[:, None]
    return pushes, words.astype(float)


def read_vectors(
    actions: np.ndarray, n_worlds: int, choices: tuple[int, ...], n_words: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pushes ``[n, 2, E]`` and words ``[n, c, E]`` of vectors ``actions[E, n, k]`` with entries in [0, 1], otherwise as above.

    A vector is [nothing, left, right, down, up] or one number for each word; opposite pushes cancel. What stands behind an
    agent's ``choices[i]`` entries is ignored, if it is finite. Raises ValueError naming ``actions``.
    """
    k = max(choices)
    vectors = as_float_array("actions", actions, (n_worlds, len(choices), k))
    vectors[:, np.arange(k) >= np.array(choices)[:, None]] = 0.0
    as_bounded("actions", vectors, vectors.shape, 0.0, 1.0)
    vectors = vectors.transpose(1, 2, 0).copy()
    _, left, right, down, up = range(5)
    pushes = [vectors[:, right] - vectors[:, left], vectors[:, up] - vectors[:, down]]
    return np.stack(pushes, axis=1), vectors[:, :n_words]


def as_bounded(name: str, value, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """``value`` as a float64 array of ``shape`` with entries from ``low`` to ``high``; raises ValueError naming ``name``."""
    array = as_float_array(name, value, shape)
    bad = np.argwhere((array < low) | (array > high))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"{name}{list(index)} is {array[index]}; allowed are numbers from {low:g} to {high:g}"
        )
    return array
