"""The influence of messages drawn on the roads of the Traffic Junction: how much is listened where, and to whom."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from marl_lessons.checks import as_indices, as_number
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.cars.junction_roads import LEVELS, STEPS, Level, network
from marl_lessons.evaluation.talk.influence import PlaceMeans
from marl_lessons.viz.cars import draw_junction
from marl_lessons.viz.style import BLACK, GREY, new_figure

BITS = LinearSegmentedColormap.from_list("bits", ["#fdf3e7", "#f0a35e", "#D55E00", "#7a3300"])
WORDS_UP_TO = 8  # cells; in larger maps numbers would not fit into a cell


def on_cells(level: Level, means: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """``[size, size]``: means by state, ``means[S]`` of ``counts[S]`` cars, as means over all cars in each cell.

    A cell that several routes share gets the mean of all its cars; where there were none it is nan. Pure: checks nothing.
    """
    place, place_at = network(level).place, network(level).place_at
    cars = np.bincount(place, counts, minlength=place_at.max() + 1)
    total = np.bincount(place, np.where(counts > 0, means, 0.0) * counts, minlength=len(cars))
    by_place = np.divide(total, cars, out=np.full(len(cars), np.nan), where=cars > 0)
    by_place[0] = np.nan
    return by_place[place_at]


def draw_influence(
    ax: Axes,
    level: Level,
    influence: PlaceMeans,
    title: str = "",
    listener: int | None = None,
    highest: float = 1.0,
) -> None:
    """Colour each cell by the mean influence on cars that stand there, bits; on small maps the number is written in it.

    ``influence`` as :func:`~marl_lessons.evaluation.talk.influence.by_place` makes it. With ``listener``, the number of a state, it
    is that of :func:`~marl_lessons.evaluation.talk.influence.by_pair`: cells are coloured by the influence of cars that speak there
    on a listener in that state, whose cell gets a frame. ``highest``: the end of the colour scale.
    """
    if not isinstance(ax, Axes):
        raise ValueError(f"ax: expected axes as new_figure() makes them, got {ax!r:.80}")
    if not isinstance(title, str):
        raise ValueError(f"title: expected a text, got {title!r:.80}")
    level, highest = _as_level(level), as_number("highest", highest, 0.0, 1e6, open_low=True)
    means, counts = _row(level, influence, listener)
    draw_junction(ax, TrafficJunction(level.name), title=title)
    _draw_headings(ax, level)
    for (row, column), bits in np.ndenumerate(on_cells(level, means, counts)):
        if np.isnan(bits):
            continue
        share, corner = min(bits / highest, 1.0), (column - 0.46, row - 0.46)
        ax.add_patch(Rectangle(corner, 0.92, 0.92, facecolor=BITS(share), linewidth=0, zorder=3))
        if level.size <= WORDS_UP_TO:
            ink = "white" if share > 0.5 else BLACK
            style = {"ha": "center", "va": "center", "fontsize": 8.5, "color": ink, "zorder": 4}
            ax.text(column, row, f"{bits:.2f}", **style)
    if listener is not None:
        row, column = network(level).cell[listener] - 0.46
        frame = {"facecolor": "none", "edgecolor": BLACK, "linewidth": 2.2, "zorder": 5}
        ax.add_patch(Rectangle((column, row), 0.92, 0.92, **frame))


def draw_influence_maps(
    level: Level,
    maps: Mapping[str, tuple[PlaceMeans, int | None]],
    highest: float = 1.0,
    label: str = "influence of messages (bits)",
) -> Figure:
    """Maps side by side with one colour scale: ``maps[title]`` is (influence, listener) as for :func:`draw_influence`.

    At most four.
    """
    if not isinstance(maps, Mapping) or not 1 <= len(maps) <= 4:
        raise ValueError(f"maps: expected one to four maps by title, got {maps!r:.80}")
    for title, pair in maps.items():
        if not isinstance(pair, tuple) or isinstance(pair, PlaceMeans) or len(pair) != 2:
            raise ValueError(f"maps[{title!r:.40}]: expected (influence, listener or None)")
    if not isinstance(label, str):
        raise ValueError(f"label: expected a text, got {label!r:.80}")
    side, scale = 2.75 if len(maps) > 1 else 3.6, 0.75
    width = side * len(maps) + scale
    figure, axes = new_figure(
        1,
        len(maps),
        size=(width, side + 0.3),
        left=0.02,
        right=1 - scale / width,
        bottom=0.03,
        top=1 - 0.36 / (side + 0.3),
        wspace=0.06,
    )
    for ax, (title, (influence, listener)) in zip(axes, maps.items()):
        draw_influence(ax, level, influence, title, listener, highest)
    bar = figure.add_axes((1 - (scale - 0.08) / width, 0.06, 0.14 / width, 0.78))
    figure.colorbar(ScalarMappable(Normalize(0, highest), BITS), cax=bar)
    bar.set_ylabel(label, fontsize=9)
    bar.grid(False)
    bar.tick_params(labelsize=8.5)
    return figure


def _draw_headings(ax: Axes, level: Level) -> None:
    """An arrow on the right-hand verge beside each entry: which way the cars drive."""
    look = {"arrowstyle": "-|>,head_length=0.3,head_width=0.16", "color": GREY}
    look |= {"shrinkA": 0, "shrinkB": 0, "linewidth": 1.2}
    for cell, heading in level.entries:
        ahead, beside = np.array(STEPS[heading]), np.array(STEPS[(heading + 1) % 4])
        row, column = cell + 0.8 * beside - 0.4 * ahead
        ax.annotate(
            "",
            (column + 0.9 * ahead[1], row + 0.9 * ahead[0]),
            (column, row),
            arrowprops=look,
        )


def _as_level(level) -> Level:
    if not isinstance(level, Level) or LEVELS.get(level.name) != level:
        raise ValueError(f"level: expected a level of LEVELS, as frames.level, got {level!r:.80}")
    return level


def _row(level: Level, influence, listener) -> tuple[np.ndarray, np.ndarray]:
    """``means[S]`` and ``counts[S]`` of what is to be drawn."""
    if not isinstance(influence, PlaceMeans):
        raise ValueError(
            f"influence: expected PlaceMeans, as by_place(...) makes them, got {influence!r:.80}"
        )
    means, counts = influence
    if not isinstance(means, np.ndarray) or not isinstance(counts, np.ndarray):
        raise ValueError(f"influence: expected two arrays, got {influence!r:.80}")
    n_states = len(network(level).route)
    shape = (n_states,) * (1 if listener is None else 2)
    if means.shape != shape or counts.shape != shape:
        hint = "by_place without a listener, by_pair with one"
        raise ValueError(
            f"influence: expected shape {shape} ({hint}), got {means.shape} and {counts.shape}"
        )
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ValueError("influence.counts: expected whole numbers of at least 0")
    if means.dtype.kind not in "iuf" or not (means[counts > 0] >= 0).all() or np.isinf(means).any():
        raise ValueError("influence.means: expected bits of at least 0 wherever cars were counted")
    if listener is None:
        return means, counts
    listener = int(as_indices("listener", listener, (), n_states))
    if listener == 0:
        raise ValueError("listener is 0, which stands for no car; allowed are states from 1 on")
    return means[listener], counts[listener]
