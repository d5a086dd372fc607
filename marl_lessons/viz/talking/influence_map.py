"""The influence of messages drawn on the roads of the Traffic Junction: how much is listened where. Lesson 10."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.cars.junction_roads import STEPS, Level, network
from marl_lessons.evaluation.talk.influence import PlaceMeans
from marl_lessons.viz.cars import draw_junction
from marl_lessons.viz.style import BLACK, GREY, new_figure

BITS = LinearSegmentedColormap.from_list("bits", ["#fdf3e7", "#f0a35e", "#D55E00", "#7a3300"])
WORDS_UP_TO = 8  # cells; in larger maps numbers would not fit into a cell


def draw_influence_maps(
    level: Level,
    maps: Mapping[str, PlaceMeans],
    highest: float = 1.0,
    label: str = "influence of messages (bits)",
) -> Figure:
    """Maps side by side with one colour scale from 0 to ``highest`` bits: ``maps[title]`` is drawn by :func:`draw_influence`.

    At most four.
    """
    side, scale = 2.75 if len(maps) > 1 else 3.6, 0.75
    width, height = side * len(maps) + scale, side + 0.3
    figure, axes = new_figure(1, len(maps), size=(width, height), left=0.02, right=1 - scale / width,
                              bottom=0.03, top=1 - 0.36 / height, wspace=0.06)  # fmt: skip
    for ax, (title, influence) in zip(axes, maps.items()):
        draw_influence(ax, level, influence, title, highest)
    bar = figure.add_axes((1 - (scale - 0.08) / width, 0.06, 0.14 / width, 0.78))
    figure.colorbar(ScalarMappable(Normalize(0, highest), BITS), cax=bar)
    bar.set_ylabel(label, fontsize=9)
    bar.grid(False)
    bar.tick_params(labelsize=8.5)
    return figure


def draw_influence(
    ax: Axes, level: Level, influence: PlaceMeans, title: str = "", highest: float = 1.0
) -> None:
    """Colour each cell by the mean influence on cars that stand there, bits; on small maps the number is written in it.

    ``influence`` as :func:`~marl_lessons.evaluation.talk.influence.by_place` makes it; ``highest``: the end of the colour scale.
    """
    n_states = len(network(level).route)
    if influence.means.shape != (n_states,):
        raise ValueError(
            f"influence: expected the means of {n_states} states, as by_place(...) makes them, got "
            f"shape {influence.means.shape}"
        )
    draw_junction(ax, TrafficJunction(level.name), title=title)
    _draw_headings(ax, level)
    for (row, column), bits in np.ndenumerate(on_cells(level, *influence)):
        if np.isnan(bits):
            continue
        share, corner = min(bits / highest, 1.0), (column - 0.46, row - 0.46)
        ax.add_patch(Rectangle(corner, 0.92, 0.92, facecolor=BITS(share), linewidth=0, zorder=3))
        if level.size <= WORDS_UP_TO:
            ink = "white" if share > 0.5 else BLACK
            style = {"ha": "center", "va": "center", "fontsize": 8.5, "color": ink, "zorder": 4}
            ax.text(column, row, f"{bits:.2f}", **style)


def on_cells(level: Level, means: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """``[size, size]``: means by state, ``means[S]`` of ``counts[S]`` cars, as means over all cars in each cell.

    A cell that several routes share gets the mean of all its cars; where there were none it is nan.
    """
    place, place_at = network(level).place, network(level).place_at
    cars = np.bincount(place, counts, minlength=place_at.max() + 1)
    total = np.bincount(place, np.where(counts > 0, means, 0.0) * counts, minlength=len(cars))
    by_place = np.divide(total, cars, out=np.full(len(cars), np.nan), where=cars > 0)
    by_place[0] = np.nan
    return by_place[place_at]


def _draw_headings(ax: Axes, level: Level) -> None:
    """An arrow on the right-hand verge beside each entry: which way the cars drive."""
    look = {"arrowstyle": "-|>,head_length=0.3,head_width=0.16", "color": GREY}
    look |= {"shrinkA": 0, "shrinkB": 0, "linewidth": 1.2}
    for cell, heading in level.entries:
        ahead, beside = np.array(STEPS[heading]), np.array(STEPS[(heading + 1) % 4])
        row, column = cell + 0.8 * beside - 0.4 * ahead
        tip = (column + 0.9 * ahead[1], row + 0.9 * ahead[0])
        ax.annotate("", tip, (column, row), arrowprops=look)
