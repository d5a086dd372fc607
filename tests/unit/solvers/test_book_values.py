"""The grids of Sutton & Barto (2018) against the book's digits and against answers worked out here by other
means."""

import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from random_games import solve_in_fractions

from marl_lessons.envs import cliff_walking, corner_grid, jumping_grid
from marl_lessons.envs.stepping import rollout
from marl_lessons.solvers import policy_evaluation, policy_iteration, value_iteration

MOVES = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}

PRINTED = tomllib.loads(
    (Path(__file__).parents[3] / "data/textbook_values.toml").read_text(encoding="utf-8")
)


def digits(example: str) -> np.ndarray:
    """The printed table of an example, row after row."""
    return np.array(PRINTED[example]["values"], dtype=float).ravel()


def uniform(mdp) -> np.ndarray:
    return np.full((mdp.n_states, mdp.n_actions[0]), 1 / mdp.n_actions[0])


def jump(row: int, column: int, move: tuple[int, int]) -> tuple[int, int, int]:
    """Next row, next column and reward of Example 3.5, from the book's text."""
    if (row, column) == (0, 1):
        return 4, 1, 10
    if (row, column) == (0, 3):
        return 2, 3, 5
    r, c = row + move[0], column + move[1]
    return (r, c, 0) if 0 <= r < 5 and 0 <= c < 5 else (row, column, -1)


def test_random_policy_on_the_jumping_grid_has_the_books_digits():
    v = policy_evaluation(jumping_grid(), uniform(jumping_grid())).v
    assert np.array_equal(np.round(v, 1) + 0.0, digits("example_3_5"))


@pytest.mark.parametrize("method", ["linear", "iterative"])
def test_random_policy_on_the_jumping_grid_equals_a_rational_solution(method):
    gamma, quarter = Fraction(9, 10), Fraction(1, 4)
    system = [[Fraction(i == j) for j in range(25)] for i in range(25)]
    right = [Fraction(0)] * 25
    for s in range(25):
        for move in MOVES.values():
            r, c, paid = jump(*divmod(s, 5), move)
            system[s][5 * r + c] -= gamma * quarter
            right[s] += quarter * paid
    exact = np.array([float(x) for x in solve_in_fractions(system, right)])
    v = policy_evaluation(jumping_grid(), uniform(jumping_grid()), method, tolerance=1e-9).v
    assert np.abs(v - exact).max() < 1e-8


@pytest.mark.parametrize("solver", [value_iteration, policy_iteration])
def test_optimum_of_the_jumping_grid(solver):
    v = dict.fromkeys(np.ndindex(5, 5), 0.0)
    for _ in range(400):  # 0.9^400 < 1e-18
        v = {
            cell: max(p + 0.9 * v[r, c] for r, c, p in (jump(*cell, m) for m in MOVES.values()))
            for cell in v
        }
    solved = solver(jumping_grid()).v
    assert np.abs(solved - np.array(list(v.values()))).max() < 1e-7
    assert np.abs(solved - digits("example_3_8")).max() < 0.00501
    assert solved[1] == pytest.approx(10 / (1 - 0.9**5), abs=1e-7)


@pytest.mark.parametrize("method", ["linear", "iterative"])
def test_random_policy_on_the_corner_grid_has_integer_values(method):
    v = policy_evaluation(corner_grid(), uniform(corner_grid()), method, tolerance=1e-9).v
    assert np.abs(v - digits("example_4_1")).max() < 1e-8
    assert v[0] == v[15] == 0


@pytest.mark.parametrize("solver", [value_iteration, policy_iteration])
def test_optimum_of_the_corner_grid_is_the_distance_to_a_corner(solver):
    distance = [min(r + c, 6 - r - c) for r, c in np.ndindex(4, 4)]
    assert np.array_equal(solver(corner_grid()).v, -np.array(distance, dtype=float))


@pytest.mark.parametrize("solver", [value_iteration, policy_iteration])
def test_cliff_walking_costs_thirteen_steps_along_the_edge(solver):
    game, solution = cliff_walking(), solver(cliff_walking())
    assert solution.v @ game.initial == pytest.approx(-13, abs=1e-9)
    episode = rollout(game, [solution.policy], np.random.default_rng(0))
    assert episode.states.tolist() == [36, *range(24, 36), 47]
    assert episode.terminated and episode.rewards.sum() == -13
