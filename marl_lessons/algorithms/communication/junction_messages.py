"""What the cars of the Traffic Junction, easy level, tell each other, and the bits that a listener makes of it.

Every car says which route it is on and how far along. A listener with a table cannot keep all that. It asks at most three
questions, each answered by yes or no.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marl_lessons.algorithms.communication.listening import Language
from marl_lessons.checks import as_count
from marl_lessons.envs.traffic_junction import TrafficJunction, check_junction

QUESTIONS = (
    "Does a car of the other road stand before the crossing?",
    "Is there a car one cell ahead on my own road?",
    "Is there a car two cells ahead on my own road?",
)


def say_route_and_cell(worlds: TrafficJunction) -> np.ndarray:
    """``[E, n, 2]``: each car says its route and which cell of it, both counted from 1, so that 0 means nothing was said.

    Raises ValueError naming ``worlds`` if they are not the easy level of the Traffic Junction.
    """
    worlds = _check_easy(worlds)
    return np.stack([worlds.route, worlds.progress], axis=2) + 1


def answers(worlds: TrafficJunction, messages: np.ndarray) -> np.ndarray:
    """``[3, E, n]`` booleans: the answers to the ``QUESTIONS`` that each car finds in ``messages[E, n, n-1, 2]``.

    Only the cell right before the crossing counts for the first. A pure function of what
    :func:`say_route_and_cell` says; numbers are rounded, since they may come through a noisy channel. The messages are not
    checked.
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


def hear_bits(n_bits: int) -> Callable:
    """``hear``: the answers to the first ``n_bits`` of the ``QUESTIONS`` as one number, Σ_k 2^k · answer k.

    Raises ValueError naming ``n_bits``, which is 0 to 3.
    """
    n_bits = as_count("n_bits", n_bits, low=0)
    if n_bits > len(QUESTIONS):
        raise ValueError(f"n_bits is {n_bits}; allowed are 0 to {len(QUESTIONS)}")

    def hear(worlds, messages, spoke):
        weights = 2 ** np.arange(n_bits)
        return np.tensordot(weights, answers(worlds, messages)[:n_bits], axes=1)

    return hear


def junction_language(worlds: TrafficJunction, n_bits: int) -> Language:
    """A language of 0 to 3 bits for ``ListeningWorlds(worlds, *junction_language(worlds, n_bits))``.

    Raises ValueError naming ``worlds``, if they are not the easy level of the Traffic Junction, or ``n_bits``.
    """
    _check_easy(worlds)
    return Language(say_route_and_cell, hear_bits(n_bits), 2 ** int(n_bits))


def _check_easy(worlds) -> TrafficJunction:
    worlds = check_junction("worlds", worlds)
    if worlds.level.name != "easy":
        raise ValueError(f"worlds: level {worlds.level.name}; these questions are for the easy one")
    return worlds
