"""Routes of the Traffic Junction: their number, lengths and ends, right-hand traffic, and no other way through."""

import numpy as np
import pytest

from marl_lessons.envs.cars.junction_roads import (
    EAST,
    EASY,
    HARD,
    LEVELS,
    MEDIUM,
    NORTH,
    SOUTH,
    STEPS,
    WEST,
    network,
)

ALL = pytest.mark.parametrize("level", LEVELS.values(), ids=LEVELS)
LANE_HEADINGS = {  # of the rows and of the columns that are lanes: traffic keeps to the right
    "easy": ({3: EAST}, {3: SOUTH}),
    "medium": ({6: WEST, 7: EAST}, {6: SOUTH, 7: NORTH}),
    "hard": (
        {4: WEST, 5: EAST, 12: WEST, 13: EAST},
        {4: SOUTH, 5: NORTH, 12: SOUTH, 13: NORTH},
    ),
}


def ways_through(level, cell, heading, turns_left, may_turn, path=()):
    """All legal paths to the edge: at a crossing's cells a car may change to the other lane, once a crossing."""
    rows, columns = LANE_HEADINGS[level.name]
    if not all(0 <= x < level.size for x in cell):
        return {path}
    path = (*path, cell)
    crossing = cell[0] in rows and cell[1] in columns
    found = set()
    for out in {rows.get(cell[0]), columns.get(cell[1])} - {None}:
        turned = out != heading
        if turned and not (crossing and may_turn and turns_left):
            continue
        following = (cell[0] + STEPS[out][0], cell[1] + STEPS[out][1])
        leaves = crossing and not (following[0] in rows and following[1] in columns)
        # A crossing counts as a chance to turn when the car leaves it, used or not.
        chances = turns_left - leaves
        found |= ways_through(
            level, following, out, chances, leaves or (may_turn and not turned), path
        )
    return found


@ALL
def test_routes_are_all_the_legal_ways(level):
    tables = network(level)
    for numbers, (cell, heading) in zip(tables.routes_from, level.entries):
        routes = [tables.routes[m] for m in numbers]
        legal = ways_through(level, cell, heading, level.n_turns, True)
        assert set(routes) == legal and len(routes) == len(legal)


@ALL
def test_cars_keep_to_their_lanes(level):
    rows, columns = LANE_HEADINGS[level.name]
    for route in network(level).routes:
        steps = np.diff(route, axis=0)
        assert (np.abs(steps).sum(axis=1) == 1).all() and len(set(route)) == len(route)
        for (row, column), step in zip(route, map(tuple, steps.tolist())):
            assert STEPS.index(step) in (rows.get(row), columns.get(column))


@pytest.mark.parametrize(
    ("level", "n_routes", "lengths"),
    [(EASY, 2, {7}), (MEDIUM, 12, {13, 14, 15}), (HARD, 56, {9, 11, 16, 17, 18, 19, 20, 25, 26, 27})],
    ids=LEVELS,
)  # fmt: skip
def test_number_and_lengths(level, n_routes, lengths):
    tables = network(level)
    assert len(tables.routes) == tables.routes_from.size == n_routes
    assert {len(route) for route in tables.routes} == lengths
    per_entry = n_routes // len(level.entries)
    assert tables.routes_from.tolist() == np.arange(n_routes).reshape(-1, per_entry).tolist()


def test_easy_routes_cross_in_the_middle():
    assert network(EASY).routes == (
        ((0, 3), (1, 3), (2, 3), (3, 3), (4, 3), (5, 3), (6, 3)),
        ((3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (3, 5), (3, 6)),
    )


def test_medium_routes_go_straight_then_right_then_left():
    routes = network(MEDIUM).routes
    assert [(route[0], route[-1], len(route)) for route in routes] == [
        ((0, 6), (13, 6), 14), ((0, 6), (6, 0), 13), ((0, 6), (7, 13), 15),
        ((13, 7), (0, 7), 14), ((13, 7), (7, 13), 13), ((13, 7), (6, 0), 15),
        ((7, 0), (7, 13), 14), ((7, 0), (13, 6), 13), ((7, 0), (0, 7), 15),
        ((6, 13), (6, 0), 14), ((6, 13), (0, 7), 13), ((6, 13), (13, 6), 15),
    ]  # fmt: skip
    assert routes[2][5:10] == ((5, 6), (6, 6), (7, 6), (7, 7), (7, 8))  # left: by the second cell


def test_hard_routes_in_order_of_their_turns():
    """Straight-straight, straight-right, straight-left, then right first, then left first."""
    tables = network(HARD)
    ends = [[tables.routes[m][-1] for m in row] for row in tables.routes_from]
    lengths = [[len(tables.routes[m]) for m in row] for row in tables.routes_from]
    near, far = [18, 17, 27, 9, 19, 26, 20], [18, 25, 19, 17, 16, 26, 11]
    assert lengths == [near, far, far, near, far, near, near, far]
    assert ends[0] == [(17, 4), (12, 0), (13, 17), (4, 0), (5, 17), (17, 12), (0, 13)]
    assert ends[1] == [(17, 12), (12, 0), (13, 17), (4, 0), (0, 5), (17, 4), (5, 17)]
    starts = [tables.routes[row[0]][0] for row in tables.routes_from]
    assert starts == [(0, 4), (0, 12), (5, 0), (13, 0), (17, 5), (17, 13), (4, 17), (12, 17)]


@ALL
def test_tables_say_what_the_routes_say(level):
    tables = network(level)
    state = 1
    for number, route in enumerate(tables.routes):
        assert tables.first_state[number] == state
        for position, cell in enumerate(route):
            assert (tables.route[state], tables.progress[state]) == (number, position)
            assert tuple(tables.cell[state]) == cell
            assert tables.place[state] == tables.place_at[cell] > 0
            assert tables.leaves[state] == (position == len(route) - 1)
            state += 1
    assert state == len(tables.route)
    assert tables.route[0] == tables.progress[0] == -1 and tables.place[0] == 0
    assert tables.cell[0].tolist() == [-1, -1] and not tables.leaves[0]
    road = {cell for route in tables.routes for cell in route}
    assert sorted(tables.place_at[tables.place_at > 0]) == list(range(1, len(road) + 1))
    assert {tuple(cell) for cell in np.argwhere(tables.place_at).tolist()} == road


@ALL
def test_tables_cannot_be_written_to(level):
    with pytest.raises(ValueError, match="read-only"):
        network(level).cell[0] = 0
