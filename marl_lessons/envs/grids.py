"""Grids of Sutton & Barto (2018): small problems whose answers are printed in the book. Lessons 01 and 02."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marl_lessons.envs.markov_game import MarkovGame

MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # (row, column) of up, right, down, left
MOVE_NAMES = ("up", "right", "down", "left")

Cell = tuple[int, int]


def jumping_grid(discount: float = 0.9) -> MarkovGame:
    """The 5x5 grid of Examples 3.5 and 3.8: from A every action leads to A' and pays +10, from B to B' and pays +5.

    Stepping off the grid leaves the cell unchanged and pays -1; nothing ends. State index: 5·row + column.
    """
    jumps = {(0, 1): ((4, 1), 10.0), (0, 3): ((2, 3), 5.0)}

    def rule(cell: Cell, move: Cell) -> tuple[Cell, float]:
        if cell in jumps:
            return jumps[cell]
        target = _clip(cell, move, (5, 5))
        return target, -1.0 if target == cell else 0.0

    return _grid((5, 5), rule, discount, name="jumping grid")


def corner_grid() -> MarkovGame:
    """The 4x4 grid of Example 4.1: -1 for every step until one of two opposite corners is reached; γ = 1."""
    return _grid(
        (4, 4),
        lambda cell, move: (_clip(cell, move, (4, 4)), -1.0),
        1.0,
        {(0, 0), (3, 3)},
        name="corner grid",
    )


def cliff_walking() -> MarkovGame:
    """The 4x12 grid of Example 6.6: -1 a step, from the lower left to the lower right corner, along a cliff; γ = 1.

    A step into the cliff (the cells between the two corners) pays -100 and leads back to the start; the episode goes on.
    The cliff's own cells are numbered but never entered. State index: 12·row + column.
    """
    start, goal = (3, 0), (3, 11)

    def rule(cell: Cell, move: Cell) -> tuple[Cell, float]:
        target = _clip(cell, move, (4, 12))
        in_cliff = target[0] == 3 and 0 < target[1] < 11
        return (start, -100.0) if in_cliff else (target, -1.0)

    return _grid((4, 12), rule, 1.0, {goal}, start, name="cliff walking")


def _clip(cell: Cell, move: Cell, shape: Cell) -> Cell:
    row = min(max(cell[0] + move[0], 0), shape[0] - 1)
    column = min(max(cell[1] + move[1], 0), shape[1] - 1)
    return row, column


def _grid(
    shape: Cell,
    rule: Callable[[Cell, Cell], tuple[Cell, float]],
    discount: float,
    goals: set[Cell] = frozenset(),
    start: Cell | None = None,
    name: str = "grid",
) -> MarkovGame:
    """A deterministic grid from ``rule(cell, move) -> (next cell, reward)``; ``goals`` are terminal."""
    cells = list(np.ndindex(shape))
    index = {cell: s for s, cell in enumerate(cells)}
    transition = np.zeros((len(cells), 4, len(cells)))
    reward = np.zeros((1, len(cells), 4))
    for cell, s in index.items():
        for action, move in enumerate(MOVES):
            target, paid = (cell, 0.0) if cell in goals else rule(cell, move)
            transition[s, action, index[target]] = 1.0
            reward[0, s, action] = paid
    terminal = np.array([cell in goals for cell in cells])
    initial = None if start is None else np.eye(len(cells))[index[start]]
    return MarkovGame(
        transition,
        reward,
        discount,
        initial,
        terminal,
        episodic=bool(goals),  # where nothing ends, there is nothing to promise
        state_names=tuple(f"row {r}, column {c}" for r, c in cells),
        action_names=(MOVE_NAMES,),
        name=name,
    )
