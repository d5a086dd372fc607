"""What the cars of the Traffic Junction see: their last action, their route, and a window of cells around them.

Pure functions and tables; what they are given was checked by :class:`~marl_lessons.envs.traffic_junction.TrafficJunction`.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from marl_lessons.envs.traffic_routes import Level, network


class Views(NamedTuple):
    """Tables from which observations of d numbers are put together, V of them for each of the w² cells of the window.

    fixed ``[S, d]`` float32    what follows from a car's route and position alone; zeros for state 0, "no car"
    window ``[S, w²]``          which places lie in the window of a car in each state, 0 for cells without road
    counts                      the entries that count the cars in each cell of the window
    """

    fixed: np.ndarray
    window: np.ndarray
    counts: slice


def cell_classes(level: Level, clean: bool) -> tuple[np.ndarray, int]:
    """The class ``[size, size]`` of each cell, and how many there are, as Singh et al. (2019) number them.

    First come the cells of the rows that are lanes, then those of the columns, road by road; a crossing has the number
    from its column. The next class is "outside", for cells without road; one class is spare; the last counts cars.

    The original reserves 2 · 6 classes for the lanes of the easy level, as if they had 6 cells; they have 7. So cell
    (5, 3) is in class 12, "outside". ``clean`` gives it the class of the crossing's row, which is not in use otherwise.
    """
    n_lanes = len(level.lanes)
    outside = 2 * n_lanes * (level.size - level.size % 2)
    classes = np.full((level.size, level.size), outside)
    classes[level.lanes, :] = np.arange(n_lanes * level.size).reshape(n_lanes, -1)
    width = min(n_lanes, 2)  # a road has one lane or two
    for road, columns in enumerate(np.reshape(level.lanes, (-1, width))):
        first = (n_lanes + road * width) * level.size
        classes[:, columns] = first + np.arange(width * level.size).reshape(-1, width)
    if clean and level.size % 2:
        crossing = level.lanes[0]
        classes[outside - level.size, crossing] = crossing
    return classes, outside + 3


@cache
def views(level: Level, vision: int, clean: bool) -> Views:
    """The tables of ``level`` for cars that see ``vision`` cells far to each side, made once and not to be written to."""
    roads = network(level)
    classes, n_classes = cell_classes(level, clean)
    outside, width = classes[0, 0], 2 * vision + 1
    cells = roads.cell[1:, :, None] + np.arange(width)  # in a grid with ``vision`` cells of margin
    rows, columns = cells[:, 0, :, None], cells[:, 1, None, :]
    seen = np.pad(classes, vision, constant_values=outside)[rows, columns]
    window = np.pad(roads.place_at, vision)[rows, columns]
    n_states, n_seen = len(roads.route), width * width
    fixed = np.zeros((n_states, 2 + n_seen * n_classes), dtype=np.float32)
    fixed[1:, 1] = roads.route[1:] / (len(roads.routes) - 1)
    fixed[1:, 2:] = np.eye(n_classes, dtype=np.float32)[seen].reshape(n_states - 1, -1)
    window = np.concatenate([np.zeros((1, n_seen), dtype=int), window.reshape(-1, n_seen)])
    tables = Views(fixed, window, slice(1 + n_classes, None, n_classes))
    for table in tables[:2]:
        table.setflags(write=False)
    return tables


def cars_at(places: np.ndarray, n_places: int) -> np.ndarray:
    """``[E, n_places]``: how many cars stand in each place, from the ``places[E, n]`` of all cars; none in place 0."""
    offset = np.arange(len(places))[:, None] * n_places
    counts = np.bincount((places + offset).ravel(), minlength=len(places) * n_places)
    counts = counts.reshape(len(places), n_places)
    counts[:, 0] = 0
    return counts


def look_up(counts: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``counts[e, p]`` for every place p in ``places[E, ...]`` of world e."""
    offset = np.arange(len(counts)).reshape(-1, *(1,) * (places.ndim - 1)) * counts.shape[1]
    return counts.take(places + offset)


def observe(tables: Views, states: np.ndarray, last_actions: np.ndarray, counts: np.ndarray):
    """``[E, n, d]`` float32: what cars in ``states[E, n]`` see, with ``counts[E, C+1]`` cars in the C places.

    An observation is (last action, route / (M - 1), window); the window has one unit vector for the class of each of its
    cells, row by row, whose last entry is the number of cars there, the observer included. No car sees zeros.
    """
    observations = tables.fixed.take(states, axis=0)
    observations[..., 0] = last_actions * (states > 0)
    observations[..., tables.counts] = look_up(counts, tables.window.take(states, axis=0))
    return observations
