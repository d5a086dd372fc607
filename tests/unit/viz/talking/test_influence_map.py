"""Maps of influence: every cell shows the mean of its cars, and nothing is drawn that was not measured."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from marl_lessons.envs.cars.junction_roads import EASY, LEVELS, MEDIUM, network
from marl_lessons.evaluation.talk.influence import PlaceMeans
from marl_lessons.viz.style import new_figure, png
from marl_lessons.viz.talking.influence_map import (
    BITS,
    draw_influence,
    draw_influence_maps,
    on_cells,
)

S = len(network(EASY).route)  # 15: no car, 7 cells southwards, 7 cells eastwards


def measured(n_states=S, seed=0):
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 50, size=n_states)
    counts[0] = 0
    means = rng.random(n_states)
    means[0] = np.nan
    return PlaceMeans(means, counts)


def drawn(*args, **settings):
    figure, (ax,) = new_figure(size=(3, 3))
    draw_influence(ax, *args, **settings)
    png(figure)
    return ax


def squares(ax):
    """Face colours of the coloured cells by (row, column)."""
    found = {}
    for patch in ax.patches:
        if isinstance(patch, Rectangle) and patch.get_width() == 0.92:
            column, row = np.round(np.array(patch.get_xy()) + 0.46).astype(int)
            found.setdefault((row, column), []).append(patch)
    return found


def test_cells_have_the_mean_of_all_their_cars():
    means, counts = measured()
    means[0], counts[0] = 0.5, 3  # no car stands nowhere
    cells = on_cells(EASY, means, counts)
    for k in range(7):
        if k != 3:
            assert cells[k, 3] == pytest.approx(means[1 + k])
            assert cells[3, k] == pytest.approx(means[8 + k])
    crossing = (means[4] * counts[4] + means[11] * counts[11]) / (counts[4] + counts[11])
    assert cells[3, 3] == pytest.approx(crossing)
    assert np.isnan(cells).sum() == 49 - 13


@pytest.mark.parametrize("level", LEVELS.values(), ids=lambda level: level.name)
def test_cells_against_a_plain_loop(level):
    tables = network(level)
    means, counts = measured(len(tables.route))
    counts[::3], means[::3] = 0, np.nan
    cells, cars = np.zeros((2, level.size, level.size))
    for state in range(1, len(tables.route)):
        if counts[state]:
            cells[tuple(tables.cell[state])] += counts[state] * means[state]
            cars[tuple(tables.cell[state])] += counts[state]
    expected = np.where(cars > 0, cells / np.where(cars > 0, cars, 1), np.nan)
    assert on_cells(level, means, counts) == pytest.approx(expected, nan_ok=True)


def test_numbers_and_colours_stand_in_their_cells():
    influence = measured()
    influence.counts[[5, 6]], influence.means[5] = 0, np.nan  # two cells where nobody was asked
    ax = drawn(EASY, influence, "Listened", highest=2.0)
    cells = on_cells(EASY, *influence)
    texts = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts if t.get_text()}  # fmt: skip
    known = {(row, column) for row, column in np.argwhere(~np.isnan(cells)).tolist()}
    assert set(texts) == set(squares(ax)) == known and len(known) == 11
    assert all(text == f"{cells[cell]:.2f}" for cell, text in texts.items())
    for cell, (patch,) in squares(ax).items():
        assert patch.get_facecolor() == pytest.approx(to_rgba(BITS(cells[cell] / 2.0)))
    assert ax.get_title() == "Listened"


def test_on_large_maps_colours_must_do():
    ax = drawn(MEDIUM, measured(len(network(MEDIUM).route)))
    assert [t for t in ax.texts if t.get_text()] == [] and len(squares(ax)) == 52
    assert len(ax.texts) == len(MEDIUM.entries)  # arrows that tell which way the cars drive


def test_maps_side_by_side_share_one_scale():
    figure = draw_influence_maps(EASY, {"a": measured(), "b": measured(seed=3)}, 2.0, "bits")
    *maps, bar = figure.axes
    assert [ax.get_title() for ax in maps] == ["a", "b"]
    assert bar.get_ylabel() == "bits" and bar.get_ylim() == (0, 2)
    assert len({png(draw_influence_maps(EASY, {"a": measured(seed=s)})) for s in (0, 1)}) == 2
    with pytest.raises(ValueError, match=r"^influence: expected the means of 15 states"):
        draw_influence_maps(EASY, {"a": measured(16)})
