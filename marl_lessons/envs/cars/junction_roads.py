"""Roads and routes of the Traffic Junction: lanes on a grid of cells, and the ways through them. Lessons 06 and 10.

A cell is (row, column), counted from the upper left. Cars keep to the right. Every row and column named in a level's
``lanes`` is a lane of one direction; where a row and a column cross, the cell belongs to a crossing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

Cell = tuple[int, int]
NORTH, EAST, SOUTH, WEST = range(4)
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # (rows down, columns to the right) of each heading
STRAIGHT, RIGHT, LEFT = 0, 1, -1  # a turn is added to the heading


@dataclass(frozen=True)
class Level:
    """A level of difficulty: its map and its usual settings (IC3Net: Singh et al. 2019, Sec. 4.1 and their program).

    name          "easy", "medium" or "hard"
    size          the grid has size · size cells
    lanes         which rows are lanes; the columns of the same numbers are lanes, too
    entries       where cars arrive and with which heading, in the order in which the entries are served
    n_turns       at how many crossings a car may choose between straight on, right and left; then it goes straight on
    max_cars      N, as many cars at most are on the roads at once
    time_limit    steps of an episode
    first_rate    the probability of an arrival per entry and step with which the original training begins
    final_rate    the same with which it ends; the level is judged with this one
    """

    name: str
    size: int
    lanes: tuple[int, ...]
    entries: tuple[tuple[Cell, int], ...]
    n_turns: int
    max_cars: int
    time_limit: int
    first_rate: float
    final_rate: float


EASY = Level(
    name="easy",
    size=7,
    lanes=(3,),
    entries=(((0, 3), SOUTH), ((3, 0), EAST)),
    n_turns=0,
    max_cars=5,
    time_limit=20,
    first_rate=0.1,
    final_rate=0.3,
)
MEDIUM = Level(
    name="medium",
    size=14,
    lanes=(6, 7),
    entries=(((0, 6), SOUTH), ((13, 7), NORTH), ((7, 0), EAST), ((6, 13), WEST)),
    n_turns=1,
    max_cars=10,
    time_limit=40,
    first_rate=0.05,
    final_rate=0.2,
)
HARD = Level(
    name="hard",
    size=18,
    lanes=(4, 5, 12, 13),
    entries=(
        *(((0, column), SOUTH) for column in (4, 12)),
        *(((row, 0), EAST) for row in (5, 13)),
        *(((17, column), NORTH) for column in (5, 13)),
        *(((row, 17), WEST) for row in (4, 12)),
    ),
    n_turns=2,
    max_cars=20,
    time_limit=80,
    first_rate=0.02,
    final_rate=0.05,
)
LEVELS = {level.name: level for level in (EASY, MEDIUM, HARD)}


class Network(NamedTuple):
    """The M routes of a level as tables. State 0 is "no car"; then every (route, position on it) has a number.

    routes                one tuple of cells for each route, numbered entry by entry
    routes_from ``[R, K]``  the K routes that begin at each of the R entries
    first_state ``[M]``   the state of a car on the first cell of each route
    route ``[S]``         the route of each state, -1 for "no car"
    progress ``[S]``      how many cells of its route lie behind the car, -1 for "no car"
    cell ``[S, 2]``       row and column, -1 for "no car"
    place ``[S]``         the cell's number among the C cells of all roads, 1 to C; 0 for "no car"
    leaves ``[S]`` booleans  the last cell of a route: gas leads off the road
    place_at ``[size, size]``  the numbers of the cells; 0 where there is no road
    """

    routes: tuple[tuple[Cell, ...], ...]
    routes_from: np.ndarray
    first_state: np.ndarray
    route: np.ndarray
    progress: np.ndarray
    cell: np.ndarray
    place: np.ndarray
    leaves: np.ndarray
    place_at: np.ndarray


def drive(level: Level, start: Cell, heading: int, turns: tuple[int, ...]) -> tuple[Cell, ...]:
    """The cells from ``start`` to the edge of the map, taking ``turns`` at the first crossings, then straight on.

    A crossing has two lanes each way: who turns right leaves it after one cell, who turns left goes on to the second cell
    first, which lies in the lane of the new direction.
    """
    (row, column), route, coming, turn, inside = start, [], iter(turns), STRAIGHT, 0
    while 0 <= row < level.size and 0 <= column < level.size:
        route.append((row, column))
        inside = inside + 1 if row in level.lanes and column in level.lanes else 0
        if inside == 1:
            turn = next(coming, STRAIGHT)
        if (turn, inside) in ((RIGHT, 1), (LEFT, 2)):
            heading = (heading + turn) % 4
        row, column = row + STEPS[heading][0], column + STEPS[heading][1]
    return tuple(route)


def routes_from_entry(level: Level, start: Cell, heading: int) -> tuple[tuple[Cell, ...], ...]:
    """All routes from one entry: straight on first, then right, then left, at the first crossing and then at the second.

    A car whose first turn leads it past no other crossing has no second choice: that is one route.
    """
    choices = product((STRAIGHT, RIGHT, LEFT), repeat=level.n_turns)
    return tuple(dict.fromkeys(drive(level, start, heading, turns) for turns in choices))


@cache
def network(level: Level) -> Network:
    """The routes of ``level`` and their tables, made once and not to be written to."""
    ways = [routes_from_entry(level, *entry) for entry in level.entries]
    routes = tuple(route for from_entry in ways for route in from_entry)
    lengths = [len(route) for route in routes]
    first_state = 1 + np.cumsum([0, *lengths[:-1]])
    cell = np.array([(-1, -1), *(cell for route in routes for cell in route)])
    leaves = np.zeros(len(cell), dtype=bool)
    leaves[first_state + lengths - 1] = True
    road = np.zeros((level.size, level.size), dtype=bool)
    road[level.lanes, :] = road[:, level.lanes] = True
    place_at = road * np.cumsum(road).reshape(road.shape)
    place = place_at[tuple(cell.T)]
    place[0] = 0
    tables = Network(
        routes,
        routes_from=np.arange(len(routes)).reshape(len(ways), -1),
        first_state=first_state,
        route=np.array([-1, *np.repeat(np.arange(len(routes)), lengths)]),
        progress=np.array([-1, *(k for length in lengths for k in range(length))]),
        cell=cell,
        place=place,
        leaves=leaves,
        place_at=place_at,
    )
    for table in tables[1:]:
        table.setflags(write=False)
    return tables
