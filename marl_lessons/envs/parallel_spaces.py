"""What PettingZoo's agents may do and see, in the form of batched worlds: the spaces on both sides of the bridge.

Two ways of acting cross it. A ``Discrete`` space becomes whole numbers from 0, a bounded ``Box`` with one axis a vector of
numbers from 0 to 1. PettingZoo and Gymnasium are imported when a space is read or made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_float_array
from marl_lessons.envs.game_worlds import one_hot

ALLOWED_ACTIONS = (
    "allowed are Discrete and Box of shape (k,) with finite low < high, of one kind for all agents"
)


class ActionWriter(NamedTuple):
    """How an agent's entry of the actions becomes an action of its environment.

    size    number of actions, or of a vector's entries
    write   from a whole number 0 to size - 1, or a vector of numbers from 0 to 1, to what the environment expects
    """

    size: int
    write: Callable


def import_pettingzoo():
    """The class ``pettingzoo.ParallelEnv`` and the module ``gymnasium.spaces``; ImportError says what to install."""
    try:
        from gymnasium import spaces
        from pettingzoo import ParallelEnv
    except ImportError as error:
        raise ImportError(
            "this bridge needs PettingZoo; in a terminal run: python -m pip install pettingzoo"
        ) from error
    return ParallelEnv, spaces


def action_writers(spaces: dict) -> tuple[bool, list[ActionWriter]]:
    """Whether actions are vectors, and the writer of each agent, from ``spaces``, an action space for each agent's name.

    Raises ValueError naming ``make_env`` for the first agent with another space than allowed, or of another kind than the
    first agent's.
    """
    kinds = import_pettingzoo()[1]
    first, space_of_first = next(iter(spaces.items()))
    continuous = isinstance(space_of_first, kinds.Box)
    for name, space in spaces.items():
        if not (_is_bounded_vector(space) or isinstance(space, kinds.Discrete)):
            raise ValueError(f"make_env: {name!r} has the action space {space}; {ALLOWED_ACTIONS}")
        if isinstance(space, kinds.Box) != continuous:
            raise ValueError(
                f"make_env: {name!r} has the action space {space}, {first!r} has {space_of_first}; {ALLOWED_ACTIONS}"
            )
    writer = _vector_writer if continuous else _number_writer
    return continuous, [writer(space) for space in spaces.values()]


def between(vector: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """``[k]``: the numbers from 0 to 1 in ``vector[k]`` stretched to [low, high]; 0 and 1 yield the bounds themselves.

    Computed in float64, then rounded to the type of ``low`` and ``high``, without leaving them.
    """
    stretched = low.astype(np.float64) * (1 - vector) + high.astype(np.float64) * vector
    return np.clip(stretched.astype(low.dtype), low, high)


def as_unit_vectors(name: str, value, shape: tuple[int, ...], sizes) -> np.ndarray:
    """Return ``value`` as float64 numbers of ``shape``; the first ``sizes`` of the last axis must lie in [0, 1].

    ``sizes`` is one number, or ``[n]`` of them for the last axis but one. What stands behind them must be finite. Raises
    ValueError naming ``name``.
    """
    array = as_float_array(name, value, shape)
    own = np.arange(shape[-1]) < np.asarray(sizes)[..., None]
    bad = np.argwhere(((array < 0) | (array > 1)) & own)
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(f"{name}{list(index)} is {array[index]}; allowed is a number in [0, 1]")
    return array


def observation_reader(name, space) -> tuple[int, Callable]:
    """How many numbers an agent sees, and the function that makes a float32 vector of an observation.

    Raises ValueError naming ``make_env`` for a space that is neither ``Box`` nor ``Discrete``.
    """
    spaces = import_pettingzoo()[1]
    if isinstance(space, spaces.Discrete):
        return int(space.n), lambda seen: _read_number(name, space, seen)
    if isinstance(space, spaces.Box):
        return int(np.prod(space.shape)), lambda seen: _read_box(name, seen)
    raise ValueError(
        f"make_env: {name!r} has the observation space {space}; allowed are Box and Discrete"
    )


def _is_bounded_vector(space) -> bool:
    """Whether a space is a ``Box`` of vectors of real numbers with finite low < high."""
    if not isinstance(space, import_pettingzoo()[1].Box):
        return False
    if len(space.shape) != 1 or not space.shape[0] or space.dtype.kind != "f":
        return False
    return bool(
        np.isfinite(space.low).all()
        and np.isfinite(space.high).all()
        and (space.low < space.high).all()
    )


def _number_writer(space) -> ActionWriter:
    """Whole numbers from 0 become those of a ``Discrete`` space, which may begin elsewhere."""
    first = int(space.start)
    return ActionWriter(int(space.n), lambda action: first + int(action))


def _vector_writer(space) -> ActionWriter:
    """Numbers from 0 to 1 become those of a bounded ``Box``; what stands behind the agent's own entries is left out."""
    size = space.shape[0]
    return ActionWriter(size, lambda action: between(action[:size], space.low, space.high))


def _read_number(name, space, seen) -> np.ndarray:
    """An observation in a ``Discrete`` space as a one-hot vector."""
    number = np.asarray(seen)
    if number.size != 1 or number.dtype.kind not in "iu" or not space.contains(int(number.item())):
        raise ValueError(f"make_env: {name!r} sees {seen!r:.80}; its space is {space}")
    return one_hot(number - int(space.start), int(space.n)).reshape(-1)


def _read_box(name, seen) -> np.ndarray:
    """An observation in a ``Box`` as a vector, whose numbers must be finite, also as float32."""
    as_float_array(f"make_env: what {name!r} sees", seen, (...,))
    with np.errstate(over="ignore"):
        vector = np.asarray(seen, np.float32).reshape(-1)
    if not np.isfinite(vector).all():
        raise ValueError(f"make_env: {name!r} sees a number too large for float32")
    return vector
