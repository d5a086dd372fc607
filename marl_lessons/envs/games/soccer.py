"""Littman's soccer: a small zero-sum game in which every deterministic policy can be beaten. Lesson 04."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_indices, as_position
from marl_lessons.envs.markov_game import MarkovGame

A, B = 0, 1
ACTIONS = ("north", "south", "east", "west", "stand")
STEPS = ((-1, 0), (1, 0), (0, 1), (0, -1), (0, 0))  # (rows down, columns to the right)
LARGEST = 1740  # states before anyone scores, on a grid of 5 by 6: arrays of 600 MB
Cell = tuple[int, int]


class Position(NamedTuple):
    """Where the players stand, as (row, column) counted from the upper left, and who has the ball: 0 is A, 1 is B."""

    a: Cell
    b: Cell
    ball: int


def soccer(rows: int = 4, columns: int = 5, discount: float = 0.9) -> MarkovGame:
    """Soccer for two on a grid (Littman 1994, Sec. 5): agent 0 is A, agent 1 is B; 5 actions each.

    Both choose at the same time, then the two moves are made one after the other, each order with probability 1/2. A move
    into the other player's cell fails, and the player who stands there has the ball afterwards, whoever had it before. A
    move off the grid fails too, with one exception: A scores by carrying the ball out to the left, B to the right, in a row
    of the goals. These are the one or two rows in the middle (rows 1 and 2 of 4, row 1 of 3). Scoring pays +1, costs the
    other player 1 and ends the game. Nobody can score an own goal: Littman's players score in "the appropriate goal" alone.
    It would make no difference to the values, since standing still is never worse than losing.

    At the start A is in the upper and B in the lower of the two middle rows, columns // 4 cells away from the side they
    defend (A in column 3 and B in column 1 of 5), and either has the ball with probability 1/2.

    S = 2·c·(c-1) + 2 states for c = rows·columns cells, 762 on the usual grid: :func:`soccer_state` and
    :func:`soccer_position` number them; the last two are "A has scored" and "B has scored". The arrays take
    200·S² bytes, 116 MB on the usual grid.
    """
    rows, columns = as_count("rows", rows), as_count("columns", columns, low=2)
    n_playing = _n_playing(rows, columns)
    if n_playing > LARGEST:
        raise ValueError(
            f"rows is {rows}, columns {columns}: {n_playing} states would take {200 * n_playing**2 / 1e9:.1f} GB; allowed "
            f"are at most {LARGEST} states, as many as 5 by 6 has"
        )
    scored, n_states = {A: n_playing, B: n_playing + 1}, n_playing + 2
    transition = np.zeros((n_states, 5, 5, n_states))
    positions = [soccer_position(state, rows, columns) for state in range(n_playing)]
    for state, position in enumerate(positions):
        for actions in np.ndindex(5, 5):
            for order in ((A, B), (B, A)):
                after = _play(position, actions, order, rows, columns)
                target = scored[after] if after in scored else _index(after, rows, columns)
                transition[(state, *actions, target)] += 0.5
    paid = np.zeros((2, n_states, 1, 1, n_states))  # whatever the actions were
    for scorer, end in scored.items():
        transition[end, ..., end] = 1.0
        paid[scorer, :n_playing, ..., end] = 1.0
        paid[1 - scorer, :n_playing, ..., end] = -1.0
    words = ("A ({},{}) with ball, B ({},{})", "A ({},{}), B ({},{}) with ball")
    names = [words[p.ball].format(*p.a, *p.b) for p in positions]
    initial = np.zeros(n_states)
    a, b = (goal_rows(rows)[0], columns - 1 - columns // 4), (goal_rows(rows)[-1], columns // 4)
    initial[[_index(Position(a, b, ball), rows, columns) for ball in (A, B)]] = 0.5
    return MarkovGame(
        transition,
        None,
        discount,
        initial,
        np.arange(n_states) >= n_playing,
        np.broadcast_to(paid, (2, *transition.shape)),
        state_names=(*names, "A has scored", "B has scored"),
        action_names=(ACTIONS, ACTIONS),
        name="soccer",
    )


def soccer_state(a: Cell, b: Cell, ball: int, rows: int = 4, columns: int = 5) -> int:
    """The number of the state with A in cell ``a``, B in cell ``b`` (row, column), and the ball with A (0) or B (1)."""
    size = as_count("rows", rows), as_count("columns", columns, low=2)
    a, b = (as_indices(name, cell, (2,), np.array(size)) for name, cell in (("a", a), ("b", b)))
    if (a == b).all():
        raise ValueError(
            f"b is {tuple(b.tolist())}, where A stands; two players never share a cell"
        )
    ball = as_position("ball", ball, 2)
    return _index(Position(tuple(a.tolist()), tuple(b.tolist()), ball), *size)


def soccer_position(state: int, rows: int = 4, columns: int = 5) -> Position:
    """Who stands where and has the ball in ``state``, before anyone has scored."""
    rows, columns = as_count("rows", rows), as_count("columns", columns, low=2)
    state = as_position("state", state, _n_playing(rows, columns))
    a, rest = divmod(state, 2 * (rows * columns - 1))
    b, ball = divmod(rest, 2)
    b += b >= a  # B stands in any cell but A's
    return Position(divmod(a, columns), divmod(b, columns), ball)


def goal_rows(rows: int) -> tuple[int, ...]:
    """The one or two middle rows of ``rows``, in which both goals lie."""
    return tuple(sorted({(rows - 1) // 2, rows // 2}))


def _play(position: Position, actions: tuple[int, int], order: tuple, rows: int, columns: int):
    """The position after both moves, made in the given ``order``; or the scorer, A or B."""
    for player in order:
        position = _move(position, player, actions[player], rows, columns)
        if position in (A, B):
            return position
    return position


def _move(position: Position, player: int, action: int, rows: int, columns: int):
    """The position after one move of ``player``; or the scorer, A or B."""
    (row, column), other = position[player], position[1 - player]
    row, column = row + STEPS[action][0], column + STEPS[action][1]
    if (row, column) == other:
        return position._replace(ball=1 - player)
    if 0 <= row < rows and 0 <= column < columns:
        return position._replace(**{"ab"[player]: (row, column)})
    through_goal = row in goal_rows(rows) and column == (-1, columns)[player]
    return player if through_goal and position.ball == player else position


def _index(position: Position, rows: int, columns: int) -> int:
    """The number of the state with this ``position``."""
    a, b = (row * columns + column for row, column in (position.a, position.b))
    return 2 * (a * (rows * columns - 1) + b - (b > a)) + position.ball


def _n_playing(rows: int, columns: int) -> int:
    """The number of states before anyone has scored."""
    return 2 * rows * columns * (rows * columns - 1)
