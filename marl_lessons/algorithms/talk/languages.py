"""What drivers can tell each other: at the blind crossing and at the Traffic Junction, easy level. Lesson 10."""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.talk.worlds import Language
from marl_lessons.checks import as_count, as_generator, as_kind
from marl_lessons.envs.cars.blind_crossing import BlindCrossing
from marl_lessons.envs.cars.junction import TrafficJunction

KINDS = ("nothing", "one bit", "distance", "random symbol")


def say_place(worlds: BlindCrossing) -> np.ndarray:
    """``[E, 2, 1]``: each car says where it is, 1 on the crossing, 1 + d with d cells to go."""
    return worlds.local_states[:, :, None]


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
    worlds: BlindCrossing, kind: str, rng: np.random.Generator | None = None
) -> Language:
    """A language for ``ListeningWorlds(worlds, *crossing_language(worlds, kind))``.

    nothing        nobody listens: what a driver knows is its own place
    one bit        each says its place, and listens for one thing: is the other nearer? See :func:`hear_who_is_nearer`
    distance       each says its place and hears the other's: the table grows by the number of places
    random symbol  each says 0 or 1, as ``rng`` draws anew every second, and hears the other's; where there is nobody to say one
                   it hears a symbol all the same, so that silence tells nothing either
    """
    worlds = as_kind("worlds", worlds, BlindCrossing)
    if kind == "nothing":
        return Language(say_place, hear_nothing, 1)
    if kind == "one bit":
        return Language(say_place, hear_who_is_nearer, 2)
    if kind == "distance":
        return Language(say_place, hear_place, worlds.n_local_states)
    if kind != "random symbol":
        raise ValueError(f"kind is {kind!r:.80}; allowed are {', '.join(KINDS)}")
    rng = as_generator("rng", rng)

    def say_anything(worlds):
        return rng.integers(2, size=(worlds.n_worlds, 2, 1))

    def hear_symbol(worlds, messages, spoke):
        static = rng.integers(2, size=spoke.shape[:2])
        symbol = np.clip(np.rint(messages[:, :, 0, 0]), 0, 1).astype(int)
        return np.where(spoke[:, :, 0], symbol, static)

    return Language(say_anything, hear_symbol, 2)


# At the junction every car says which route it is on and how far along. A listener with a table cannot keep all that: it asks
# at most three questions, each answered by yes or no.
QUESTIONS = (
    "Does a car of the other road stand before the crossing?",
    "Is there a car one cell ahead on my own road?",
    "Is there a car two cells ahead on my own road?",
)


def say_route_and_cell(worlds: TrafficJunction) -> np.ndarray:
    """``[E, n, 2]``: each car says its route and which cell of it, both counted from 1, so that 0 means nothing was said."""
    return np.stack([worlds.route, worlds.progress], axis=2) + 1


def answers(worlds: TrafficJunction, messages: np.ndarray) -> np.ndarray:
    """``[3, E, n]`` booleans: the answers to the ``QUESTIONS`` that each car finds in ``messages[E, n, n-1, 2]``.

    Only the cell right before the crossing counts for the first. What :func:`say_route_and_cell` says is rounded, since it
    may come through a noisy channel.
    """
    route, cell = np.rint(messages[..., 0]), np.rint(messages[..., 1])
    own_route, own_cell = np.moveaxis(say_route_and_cell(worlds), 2, 0)[..., None]
    other_road = (route > 0) & (route != own_route)
    own_road = route == own_route
    last_cell = worlds.level.lanes[0]  # the crossing is cell number last_cell + 1
    found = [
        other_road & (cell == last_cell),
        own_road & (cell == own_cell + 1),
        own_road & (cell == own_cell + 2),
    ]
    return np.any(found, axis=3)


def junction_language(worlds: TrafficJunction, n_bits: int) -> Language:
    """A language of 0 to 3 bits for ``ListeningWorlds(worlds, *junction_language(worlds, n_bits))``, on the easy level.

    A car hears the answers to the first ``n_bits`` of the ``QUESTIONS`` as one number, Σ_k 2^k · answer k.
    """
    level = as_kind("worlds", worlds, TrafficJunction).level.name
    if level != "easy":
        raise ValueError(f"worlds: level {level}; these questions are for the easy one")
    if as_count("n_bits", n_bits, low=0) > len(QUESTIONS):
        raise ValueError(f"n_bits is {n_bits}; allowed are 0 to {len(QUESTIONS)}")
    weights = 2 ** np.arange(n_bits)

    def hear(worlds, messages, spoke):
        return np.tensordot(weights, answers(worlds, messages)[:n_bits], axes=1)

    return Language(say_route_and_cell, hear, 2 ** int(n_bits))
