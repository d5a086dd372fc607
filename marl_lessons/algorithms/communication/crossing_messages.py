"""What two drivers at the blind crossing can tell each other, from nothing at all to how far away they are.

Drivers that share a table have the same habits. So a message helps in two ways: by what it tells about the other car, and,
if it differs between the two, by giving them a reason to behave differently. What listeners do with messages checks nothing.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.communication.listening import Language
from marl_lessons.checks import as_count, as_generator
from marl_lessons.envs.blind_crossing import BlindCrossing, check_crossing

MOST_SYMBOLS = 1_000_000
KINDS = ("nothing", "one bit", "distance", "random symbol")


def say_place(worlds: BlindCrossing) -> np.ndarray:
    """``[E, 2, 1]``: each car says where it is, 1 on the crossing, 1 + d with d cells to go.

    Raises ValueError naming ``worlds``.
    """
    return check_crossing("worlds", worlds).local_states[:, :, None]


def hear_nothing(worlds: BlindCrossing, messages: np.ndarray, spoke: np.ndarray) -> np.ndarray:
    """``[E, 2]``: zeros, whatever the ``messages[E, 2, 1, w]`` are."""
    return np.zeros(spoke.shape[:2], dtype=int)


def hear_who_is_nearer(
    worlds: BlindCrossing, messages: np.ndarray, spoke: np.ndarray
) -> np.ndarray:
    """``[E, 2]``: 1 if the other car is there and nearer than oneself, by its own ``messages[E, 2, 1, 1]``, otherwise 0."""
    other = messages[:, :, 0, 0]
    return ((other > 0) & (other < worlds.local_states)).astype(int)


def hear_place(worlds: BlindCrossing, messages: np.ndarray, spoke: np.ndarray) -> np.ndarray:
    """``[E, 2]``: the place that the other car names in ``messages[E, 2, 1, 1]``, rounded; 0 if it is silent."""
    return np.clip(np.rint(messages[:, :, 0, 0]), 0, worlds.n_local_states - 1).astype(int)


def crossing_language(
    worlds: BlindCrossing,
    kind: str,
    rng: np.random.Generator | None = None,
    n_symbols: int = 2,
) -> Language:
    """A language for ``ListeningWorlds(worlds, *crossing_language(worlds, kind))``.

    nothing        nobody listens: what a driver knows is its own place
    one bit        each says its place, and listens for one thing: is the other nearer? See :func:`hear_who_is_nearer`
    distance       each says its place and hears the other's: the table grows by the number of places
    random symbol  each says one of ``n_symbols`` that ``rng`` draws anew every second, and hears the other's; where there is
                   nobody to say one it hears a symbol all the same, so that silence tells nothing either

    Raises ValueError naming ``worlds``, ``kind``, ``rng`` (needed for the random symbol) or ``n_symbols``.
    """
    worlds = check_crossing("worlds", worlds)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind is {kind!r:.80}; allowed are {', '.join(KINDS)}")
    if kind == "nothing":
        return Language(say_place, hear_nothing, 1)
    if kind == "one bit":
        return Language(say_place, hear_who_is_nearer, 2)
    if kind == "distance":
        return Language(say_place, hear_place, worlds.n_local_states)
    n_symbols, rng = as_count("n_symbols", n_symbols), as_generator("rng", rng)
    if n_symbols > MOST_SYMBOLS:
        raise ValueError(f"n_symbols is {n_symbols}; allowed are at most {MOST_SYMBOLS}")

    def say_anything(worlds):
        return rng.integers(n_symbols, size=(worlds.n_worlds, 2, 1))

    def hear_symbol(worlds, messages, spoke):
        static = rng.integers(n_symbols, size=spoke.shape[:2])
        symbol = np.clip(np.rint(messages[:, :, 0, 0]), 0, n_symbols - 1).astype(int)
        return np.where(spoke[:, :, 0], symbol, static)

    return Language(say_anything, hear_symbol, n_symbols)
