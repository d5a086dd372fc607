"""All equilibria of the crossing are drawn where they are worth what they are, whatever the sliders say."""

from __future__ import annotations

import itertools

import numpy as np

from marl_lessons.envs import two_cars
from marl_lessons.solvers import stationary_equilibria
from marl_lessons.viz.games import equilibria
from marl_lessons.viz.style import png


def title(ax) -> str:
    """An axes' title, wherever the style in force has put it."""
    return ax.get_title(loc="left") or ax.get_title()


def test_every_corner_draws_another_picture() -> None:
    corners = itertools.product((1, 12), (0.0, 0.4), (-30, -3))  # urgency, slip, crash
    assert len({png(equilibria.draw_all_equilibria(*corner)) for corner in corners}) >= 6


def test_all_equilibria_are_drawn_where_they_are_worth_what_they_are() -> None:
    figure = equilibria.draw_all_equilibria(urgency=3.0, slip=0.1)
    plane, *maps = figure.axes
    found = stationary_equilibria(two_cars(2, 0.1, urgency=(3.0, 1.0)))
    points = np.array([line.get_xydata()[0] for line in plane.lines])
    assert np.allclose(points, equilibria.start_values(found)) and len(maps) == len(found) == 5
    texts = [{text.get_text() for text in ax.texts} for ax in maps]
    assert "B goes" in texts[0] and "A goes" in texts[1] and any("0.31" in t for t in texts[2])


def test_more_equilibria_than_maps() -> None:
    figure = equilibria.draw_all_equilibria(slip=0.0)
    assert title(figure.axes[0]) == "7 equilibria (6 drawn)"
    assert len(figure.axes) == 1 + equilibria.MOST_MAPS
