"""The grids move and pay as Sutton & Barto (2018) say."""

import numpy as np
import pytest

from marl_lessons.envs import cliff_walking, corner_grid, jumping_grid

MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}


def jump(row: int, column: int, move: tuple[int, int]) -> tuple[int, int, int]:
    """Next row, next column and reward of Example 3.5, from the book's text."""
    if (row, column) == (0, 1):
        return 4, 1, 10
    if (row, column) == (0, 3):
        return 2, 3, 5
    r, c = row + move[0], column + move[1]
    return (r, c, 0) if 0 <= r < 5 and 0 <= c < 5 else (row, column, -1)


def test_jumping_grid_pays_and_moves_as_the_book_says():
    game = jumping_grid()
    assert game.action_names == (tuple(MOVES),)
    for s in range(25):
        for a, move in enumerate(MOVES.values()):
            r, c, paid = jump(*divmod(s, 5), move)
            assert game.transition[s, a, 5 * r + c] == 1 and game.reward[0, s, a] == paid
    assert not game.terminal.any()


def test_every_step_on_the_corner_grid_costs_one_until_a_corner_is_reached():
    game = corner_grid()
    assert np.flatnonzero(game.terminal).tolist() == [0, 15]
    assert (game.reward[0, 1:15] == -1).all() and not game.reward[0, [0, 15]].any()
    assert game.transition[5].argmax(axis=1).tolist() == [1, 6, 9, 4]
    assert game.transition[3].argmax(axis=1).tolist() == [3, 3, 7, 2], "the edge stops a step"


def test_a_step_into_the_cliff_costs_100_and_leads_back():
    game = cliff_walking()
    for column in range(1, 11):
        above = 24 + column
        assert game.reward[0, above, 2] == -100 and game.transition[above, 2, 36] == 1
    assert game.reward[0, 36, 1] == -100 and game.transition[36, 1, 36] == 1
    assert game.reward[0, 35, 2] == -1 and game.transition[35, 2, 47] == 1
    assert np.flatnonzero(game.terminal).tolist() == [47] and game.initial[36] == 1
    alive = ~game.terminal
    assert (game.reward[0, alive] == -100).sum() >= 11
    entered = game.transition[np.r_[0:37, 47]].sum(axis=(0, 1)) > 0
    assert not entered[37:47].any()


def test_the_grid_that_never_ends_has_no_undiscounted_value() -> None:
    with pytest.raises(ValueError, match="discount"):
        jumping_grid(1.0)
