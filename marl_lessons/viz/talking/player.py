"""The player of junctions whose cars talk: who says what to whom at one moment, and who drives otherwise for having heard it. Lesson 10.

Words are vectors. Their colours are places on a map of all words that were said in the recording, see
:mod:`~marl_lessons.viz.talking.word_colours`.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from marl_lessons.checks import as_position
from marl_lessons.envs.cars.junction import BRAKE, TrafficJunction
from marl_lessons.envs.cars.junction_roads import STEPS, network
from marl_lessons.evaluation.talk.influence import TalkFrames
from marl_lessons.viz.cars import (
    HEADING_COLOURS,
    beside_each_other,
    draw_junction,
    draw_road_car,
    draw_star,
    heading_at,
)
from marl_lessons.viz.style import BLACK, GREY, LIGHT_COLOURS, ORANGE, new_figure
from marl_lessons.viz.talking.word_colours import WordMap, map_words

LINES_TO = ("who acts otherwise", "everybody", "nobody")
WIDEST = 2.4  # points: the arrow of the largest weight in the recording
FAINTEST = 0.03  # of the largest weight: no arrow for less
CLOSE = 0.05  # of the map's width and height: words as close as this share a box
DOES = ("drives", "brakes")
STRIPE = 0.28  # of a cell's height: the red bar where a car brakes


def draw_talk(
    frames: TalkFrames,
    moment: int = 0,
    world: int = 0,
    lines_to: str = LINES_TO[0],
    words: WordMap | None = None,
) -> Figure:
    """Widget: world number ``world`` of a recording at ``moment``: cars, what they say, to whom, and what for.

    Left: the junction. A car with red lights at its rear brakes now. The box beside it holds its number, in the colour of what
    it says; a white one with a dotted edge is silent. An arrow leads from a speaker to a listener, the wider the more the
    listener weighs it; ``lines_to``: one of LINES_TO. A ring marks a car that would do otherwise if every message were zeros, a
    star a collision. Right: the whole recording, a row for each slot and a column for each moment, in the colours of what is
    said, a red bar where the car brakes and a dot where it would do otherwise. Below it all words of the recording on a map of
    their first two principal components, from which the colours come; numbers stand where the words of now are.

    ``words``: the map of these ``frames``, ``map_words(frames.messages, frames.speaks)``, which then is not computed for each
    picture.
    """
    moment = as_position("moment", moment, len(frames.actions))
    world = as_position("world", world, frames.actions.shape[1])
    if lines_to not in LINES_TO:
        raise ValueError(f"lines_to is {lines_to!r:.80}; allowed are {', '.join(LINES_TO)}")
    if words is None:
        words = map_words(frames.messages, frames.speaks & frames.active)
    figure, (road, rows, plane) = new_figure(1, 3, size=(7.8, 4.3))
    road.set_position((0.01, 0.075, 0.47, 0.85))
    rows.set_position((0.7, 0.53, 0.285, 0.39))
    plane.set_position((0.535, 0.085, 0.45, 0.285))
    _draw_road(road, frames, words, moment, world, lines_to)
    _draw_rows(rows, frames, words, moment, world)
    _draw_map(plane, frames, words, moment, world)
    return figure


def acts_otherwise(frames: TalkFrames) -> np.ndarray:
    """``[T, E, n]`` booleans: where a car is that would do something else if every message were zeros."""
    return frames.active & (frames.actions != frames.muted)


def _draw_road(
    ax: Axes, frames: TalkFrames, words: WordMap, moment: int, world: int, lines_to: str
) -> None:
    """The junction with its cars, their boxes and rings, and the arrows from speakers to listeners."""
    draw_junction(ax, TrafficJunction(frames.level.name))
    roads, now = network(frames.level), (moment, world)
    there, otherwise = np.flatnonzero(frames.active[now]), acts_otherwise(frames)[now]
    middles, side = beside_each_other(frames.cells[now])
    for i in there:
        route = roads.routes[roads.route[frames.states[now][i]]]
        heading = heading_at(route, roads.progress[frames.states[now][i]])
        colour = HEADING_COLOURS[heading_at(route, 0)]
        draw_road_car(ax, *middles[i], heading, colour, frames.actions[now][i] == BRAKE)
        # On its right, off the road; those of cars that share a cell in a row.
        ahead, right = np.array(STEPS[heading]), np.array(STEPS[(heading + 1) % 4])
        box = frames.cells[now][i] + 0.8 * right + 0.3 * side[i] * ahead
        box = np.clip(box, -0.2, frames.level.size - 0.8)
        _draw_box(ax, box, i, words.colours[now][i], frames.speaks[now][i])
        if otherwise[i]:
            ax.add_patch(Circle(middles[i][::-1], 0.56, fill=False, edgecolor=ORANGE, linewidth=2.6, zorder=9))  # fmt: skip
    for row, column in np.unique(frames.cells[now][frames.collided[now]], axis=0):
        draw_star(ax, row, column)
    if lines_to != LINES_TO[2]:
        listeners = [i for i in there if otherwise[i] or lines_to == LINES_TO[1]]
        _draw_arrows(ax, frames, words, now, middles, listeners)
    ax.set_title(f"Moment {moment} of {len(frames.actions) - 1}")
    cars = f"{len(there)} car{'s' if len(there) != 1 else ''}"
    status = f"{cars}, {int(otherwise.sum())} would do otherwise if nothing were said"
    ax.set_xlabel(status, fontsize=9, color=BLACK, loc="left")


def _draw_box(ax: Axes, middle: np.ndarray, i: int, colour: np.ndarray, speaks: bool) -> None:
    """The number of car ``i`` in a box, in the colour of its word, or white with a dotted edge if it is silent."""
    row, column = middle
    face, line, width = (colour, "-", 0.8) if speaks else ((1.0, 1.0, 1.0), ":", 1.0)
    ax.add_patch(Rectangle((column - 0.27, row - 0.27), 0.54, 0.54, facecolor=face, edgecolor=BLACK,
                           linestyle=line, linewidth=width, zorder=10))  # fmt: skip
    ax.text(column, row, str(i + 1), color=_ink_on(face), fontsize=8, weight="bold", ha="center",
            va="center_baseline", zorder=11)  # fmt: skip


def _ink_on(colour) -> str:
    """A colour for letters on ``colour``."""
    return "white" if np.dot(colour, (0.3, 0.59, 0.11)) < 0.5 else BLACK


def _draw_arrows(ax: Axes, frames, words, now, middles: np.ndarray, listeners: list[int]) -> None:
    """An arrow from each speaker to each of the ``listeners``, in its word's colour, as wide as its weight says."""
    weights, largest = frames.weights[now], frames.weights.max()
    for i in listeners:
        heard = frames.active[now] & frames.speaks[now] & (weights[i] > FAINTEST * largest)
        for j in np.flatnonzero(heard & (np.arange(len(heard)) != i)):
            width = WIDEST * weights[i, j] / largest
            ax.add_patch(FancyArrowPatch(
                middles[j][::-1], middles[i][::-1], arrowstyle="-|>", mutation_scale=7 + 2 * width,
                connectionstyle="arc3,rad=0.25", shrinkA=10, shrinkB=13, color=words.colours[now][j],
                linewidth=width, zorder=4,
            ))  # fmt: skip


def _draw_rows(ax: Axes, frames: TalkFrames, words: WordMap, moment: int, world: int) -> None:
    """A row for each slot, a column for each moment: colours of words, red bars of brakes, dots; the present in a frame."""
    active, actions = frames.active[:, world], frames.actions[:, world]
    n_moments, n = active.shape
    image = np.where(active[..., None], words.colours[:, world], 1.0).swapaxes(0, 1)
    ax.imshow(image, aspect="auto", interpolation="nearest", zorder=1)
    bars = [Rectangle((t - 0.5, i + 0.5 - STRIPE), 1, STRIPE) for t, i in np.argwhere(active & (actions == BRAKE))]  # fmt: skip
    red = LIGHT_COLOURS["red"]
    ax.add_collection(PatchCollection(bars, facecolors=red, linewidths=0, zorder=2))
    t, i = np.nonzero(acts_otherwise(frames)[:, world])
    ax.plot(t, i - 0.1, "o", color="white", markeredgecolor=BLACK, markersize=3.6, markeredgewidth=0.8, zorder=3)  # fmt: skip
    ax.add_patch(Rectangle((moment - 0.5, -0.5), 1, n, fill=False, edgecolor=BLACK, linewidth=1.6, zorder=4, clip_on=False))  # fmt: skip
    for k in range(1, n):
        ax.axhline(k - 0.5, color="white", linewidth=1.5, linestyle="-", zorder=2.5)
    labels = [_in_words(frames, moment, world, i) for i in range(n)]
    ax.set_yticks(range(n), labels, fontsize=9 if n <= 6 else 7.5)
    ax.set(xlim=(-0.5, n_moments - 0.5), ylim=(n - 0.5, -0.5), title="Words, brakes, and why")
    told = "moment (red: brakes; dot: otherwise if nothing were said)"
    ax.set_xlabel(told, labelpad=1, fontsize=8.5, loc="right")
    ax.tick_params(length=0)
    ax.grid(False)


def _in_words(frames: TalkFrames, moment: int, world: int, i: int) -> str:
    """What car ``i`` does at one moment, and what else it would do if it heard nothing."""
    at = moment, world, i
    if not frames.active[at]:
        return f"{i + 1}: no car"
    does = f"{i + 1} {DOES[frames.actions[at]]}"
    return f"{does}, else {DOES[frames.muted[at]]}" if acts_otherwise(frames)[at] else does


def _draw_map(ax: Axes, frames: TalkFrames, words: WordMap, moment: int, world: int) -> None:
    """All words of the recording on the plane of their two components; those of now as boxes with the speaker's number."""
    said = words.scores[frames.speaks & frames.active]
    unique, first = np.unique(said.round(3), axis=0, return_index=True)
    colours = words.colours[frames.speaks & frames.active][first]
    ax.scatter(*unique.T, c=colours, s=16, linewidths=0.3, edgecolors=GREY, zorder=3)
    now = np.flatnonzero(frames.speaks[moment, world] & frames.active[moment, world])
    scores, colours = words.scores[moment, world], words.colours[moment, world]
    for group in near_each_other(scores[now], CLOSE * np.ptp(said, axis=0) if len(said) else 1.0):
        first, names = now[group[0]], ",".join(str(i + 1) for i in now[group])
        ax.text(*scores[first], names, color=_ink_on(colours[first]), fontsize=8, weight="bold",
                ha="center", va="center_baseline", zorder=6, bbox={"facecolor": colours[first],
                "edgecolor": BLACK, "linewidth": 0.8, "pad": 2.5})  # fmt: skip
    ax.set_title(f"All words: 2 components hold {words.share:.0%}")
    ax.set(xticklabels=[], yticklabels=[], xlabel="first component", ylabel="second one")
    ax.margins(0.1, 0.18)
    ax.tick_params(length=0)


def near_each_other(places: np.ndarray, reach: np.ndarray) -> list[list[int]]:
    """The numbers of ``places[k, 2]`` in groups: each joins the first group whose first place is within ``reach[2]``."""
    groups: list[list[int]] = []
    for k, place in enumerate(places):
        for group in groups:
            if (np.abs(place - places[group[0]]) <= reach).all():
                group.append(k)
                break
        else:
            groups.append([k])
    return groups
