"""Payoffs drawn as tables and regions: best responses, correlated equilibria and the fair light, against known answers."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from marl_lessons.envs import CATALOGUE, payoffs_of
from marl_lessons.viz.games import matrix_games
from marl_lessons.viz.style import png


def test_every_corner_of_the_light_draws_another_picture() -> None:
    corners = itertools.product((-20, -1), (0.8, 8), (-3, 0.5))  # crash, go, both wait
    assert len({png(matrix_games.draw_light(*corner)) for corner in corners}) == 8


def test_the_region_is_bounded_by_correlated_equilibria() -> None:
    region = matrix_games.correlated_region(payoffs_of(CATALOGUE["chicken"].game))
    corners = {tuple(np.round(p, 6)) for p in region}
    assert corners == {(7, 2), (2, 7), (5.25, 5.25), (3.6, 3.6)}


def test_the_fair_light() -> None:
    assert np.allclose(matrix_games.fair_light(payoffs_of(CATALOGUE["crossing"].game)), 1)
    assert np.allclose(matrix_games.fair_light(payoffs_of(CATALOGUE["chicken"].game)), 4.5)
    assert matrix_games.fair_light(payoffs_of(CATALOGUE["matching pennies"].game)) is None


def test_boxes_mark_best_responses_and_shades_equilibria() -> None:
    marks = matrix_games.best_response_marks(payoffs_of(CATALOGUE["prisoner's dilemma"].game))
    assert marks[0].tolist() == [[False, False], [True, True]]
    assert marks[1].tolist() == [[False, True], [False, True]]
    figure = matrix_games.draw_payoff_tables({"x": CATALOGUE["stag hunt"].game})
    shades = [patch.get_facecolor() for patch in figure.axes[0].patches]
    assert len(set(shades)) == 2 and shades[0] == shades[3] and shades[1] == shades[2]


@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_best_responses_are_told_apart_at_any_size_of_payoffs(size: float) -> None:
    """Small differences count beside a payoff of a million, and in a game of small payoffs."""
    row = [[0, 1e6], [2, 0], [3, 1], [3, 2]]
    column = [[1, 0], [1, 3], [1, 3], [2, 0]]
    rows, columns = matrix_games.best_response_marks(size * np.array([row, column]))
    assert rows.T.tolist() == [[False, False, True, True], [True, False, False, False]]
    assert columns.tolist() == [[True, False], [False, True], [False, True], [True, False]]


def test_what_differs_by_rounding_ties() -> None:
    payoffs = np.array([[[0.1 + 0.2], [0.3]], [[0.0], [0.0]]])
    assert matrix_games.best_response_marks(payoffs).all()
