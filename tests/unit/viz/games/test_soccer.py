"""Soccer drawn: exact values, both mixtures as they are played, and any pitch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from marl_lessons.envs import Position, soccer, soccer_state
from marl_lessons.solvers import shapley_iteration
from marl_lessons.viz.games import soccer as pitch
from marl_lessons.viz.style import png


def title(ax) -> str:
    """An axes' title, wherever the style in force has put it."""
    return ax.get_title(loc="left") or ax.get_title()


@pytest.fixture(scope="module")
def solution():
    return shapley_iteration(soccer(), tolerance=1e-6)


def test_corners_of_the_pitch(solution) -> None:
    pictures = set()
    for a, b, ball in itertools.product(((0, 0), (3, 4)), ((0, 0), (2, 1), (3, 4)), (0, 1)):
        pictures.add(png(pitch.draw_position(solution, a, b, ball)))
    assert len(pictures) == 9  # four positions twice, and one picture that says "not in one cell"


def test_the_pitch_shows_the_exact_value_and_both_mixtures(solution) -> None:
    figure = pitch.draw_position(solution, (1, 1), (1, 0), 0)
    field, bars = figure.axes
    assert title(field) == "Worth +0.3152 to A"
    widths = [patch.get_width() for patch in bars.patches]
    state = soccer_state((1, 1), (1, 0), 0)
    position = Position((1, 1), (1, 0), 0)
    played = [pitch.as_played(p[state], position, i) for i, p in enumerate(solution.policies)]
    assert np.allclose(widths, np.concatenate(played))
    arrows = [text for text in field.texts if getattr(text, "arrow_patch", None)]
    moving = sum((p[:4] > pitch.SHOWN).sum() for p in played)
    assert len(arrows) == moving


def test_moves_off_the_field_are_drawn_as_standing() -> None:
    strategy = np.array([0.1, 0.2, 0.3, 0.25, 0.15])  # north, south, east, west, stand
    corner = Position((0, 0), (2, 4), 1)
    assert np.allclose(pitch.as_played(strategy, corner, 0), [0, 0.2, 0.3, 0, 0.5])
    assert np.allclose(pitch.as_played(strategy, corner, 1), strategy)  # B scores to the east
    without = Position((2, 0), (2, 4), 1)
    assert np.allclose(pitch.as_played(strategy, without, 0), [0.1, 0.2, 0.3, 0, 0.4])


def test_a_pitch_of_another_size() -> None:
    small = shapley_iteration(soccer(3, 4), tolerance=1e-6)
    figure = pitch.draw_position(small, (0, 2), (0, 3), 0, rows=3, columns=4)
    assert title(figure.axes[0]) == "Worth +0.7290 to A"


def test_matches_show_every_seed_and_their_medians() -> None:
    judged = {name: np.random.default_rng(k).random((5, 3)) for k, name in enumerate("ab")}
    for column, ax in enumerate(pitch.draw_matches(judged).axes):
        medians = [np.median(values[:, column]) for values in judged.values()]
        assert np.allclose([bar.get_width() for bar in ax.patches], medians)
        assert np.allclose(
            [line.get_xdata() for line in ax.lines], [v[:, column] for v in judged.values()]
        )
