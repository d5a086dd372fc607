"""Cars drawn from above: one or two before a crossing, and many on the Traffic Junction. Lessons 00, 01, 03, 06 and 10."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Polygon, Rectangle
from matplotlib.transforms import Affine2D

from marl_lessons.checks import as_count, as_kind
from marl_lessons.envs.cars.junction import BRAKE, TrafficJunction
from marl_lessons.envs.cars.junction_roads import EAST, NORTH, SOUTH, STEPS, WEST
from marl_lessons.viz.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    LIGHT_COLOURS,
    PINK,
    VERMILION,
    new_figure,
)

ROAD, VERGE, LINE = "#d9dade", "#f1f4ec", "#ffffff"
CAR_COLOURS = (BLUE, VERMILION)
LANE = 1.0  # a cell is 1 long and the lane is 1 wide
# On the Traffic Junction: by the heading with which a car has arrived.
HEADING_COLOURS = {SOUTH: VERMILION, EAST: BLUE, NORTH: PINK, WEST: GREEN}
SIDE_BY_SIDE = 0.2  # cells from the middle of a cell, at most, for cars that share it
Act = Callable[[TrafficJunction, np.ndarray], np.ndarray]


def _ground(ax: Axes, left: float, right: float, bottom: float, top: float) -> None:
    ax.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal")
    ax.set_facecolor(VERGE)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _caption(ax: Axes, title: str, status: str) -> None:
    ax.set_title(title)
    if status:
        ax.set_xlabel(status, fontsize=9, color=BLACK, loc="left")


def draw_car(
    ax: Axes, x: float, y: float, heading: str = "east", colour: str = BLUE, letter: str = "A"
) -> None:
    """A car centred at (x, y), driving "east" or "north", with ``letter`` on its roof."""
    east = heading == "east"
    length, width = (0.72, 0.44) if east else (0.44, 0.72)
    box = FancyBboxPatch(
        (x - length / 2, y - width / 2), length, width, boxstyle="round,pad=0,rounding_size=0.13",
        facecolor=colour, edgecolor=BLACK, linewidth=0.8, zorder=5,
    )  # fmt: skip
    ax.add_patch(box)
    glass = (x + 0.16, y - 0.16, 0.1, 0.32) if east else (x - 0.16, y + 0.16, 0.32, 0.1)
    ax.add_patch(Rectangle(glass[:2], *glass[2:], facecolor="#dbeaf5", edgecolor="none", zorder=6))
    dx, dy = (-0.08, 0) if east else (0, -0.08)
    style = {"color": "white", "ha": "center", "va": "center", "fontsize": 9, "weight": "bold"}
    ax.text(x + dx, y + dy, letter, **style, zorder=7)


def draw_light(ax: Axes, phase: str, x: float, y: float) -> None:
    """A traffic light with three lamps, the one of ``phase`` lit and named beside it."""
    ax.add_patch(FancyBboxPatch((x - 0.62, y - 0.24), 1.24, 0.48, boxstyle="round,pad=0,rounding_size=0.12",
                                facecolor="#333333", edgecolor="none", zorder=4))  # fmt: skip
    for k, (name, colour) in enumerate(LIGHT_COLOURS.items()):
        colour = colour if name == phase else "#5a5a5a"
        ax.add_patch(Circle((x - 0.38 + 0.38 * k, y), 0.15, facecolor=colour, zorder=5))
    ax.text(x + 0.75, y, phase, va="center", ha="left", fontsize=9, zorder=5)


def draw_approach(
    ax: Axes, distance: int, cells: float, phase: str, title: str = "", status: str = ""
) -> None:
    """One car ``cells`` cells before a light in ``phase``, on a road of ``distance`` cells; 0 is the crossing itself.

    Negative ``cells`` are beyond the crossing. ``status`` is written under the road.
    """
    left = -distance - 0.5
    _ground(ax, left, 2.2, -1.15, 1.25)
    ax.add_patch(Rectangle((left, -LANE / 2), 2.7 + distance, LANE, color=ROAD, zorder=1))
    ax.add_patch(Rectangle((-0.5, -1.15), LANE, 2.4, color=ROAD, zorder=1))
    ax.plot([-0.55, -0.55], [-0.5, 0.5], color=LINE, linewidth=4, zorder=2)
    for cell in range(1, distance + 1):
        ax.text(-cell, -0.8, str(cell), ha="center", va="center", fontsize=9, color=GREY)
        ax.plot([-cell - 0.5] * 2, [-0.5, 0.5], color=LINE, linewidth=0.8, linestyle=":", zorder=2)
    draw_light(ax, phase, -1.4, 0.88)
    draw_car(ax, -cells, 0.0)
    _caption(ax, title, status)


def draw_meeting(
    ax: Axes,
    distance: int,
    cells: tuple[float, float],
    crashed: bool,
    title: str = "",
    status: str = "",
) -> None:
    """Two cars before the same crossing: A from the west, B from the south, ``cells`` = cells to go of each.

    0 is the crossing itself, negative numbers are beyond it. A crash is drawn as a star. ``status`` is written below.
    """
    low, high = -distance - 0.6, 1.7
    _ground(ax, low, high, low, high)
    ax.add_patch(Rectangle((low, -LANE / 2), high - low, LANE, color=ROAD, zorder=1))
    ax.add_patch(Rectangle((-LANE / 2, low), LANE, high - low, color=ROAD, zorder=1))
    for cell in range(1, distance + 1):
        ax.plot([-cell + 0.5] * 2, [-0.5, 0.5], color=LINE, linewidth=0.8, linestyle=":", zorder=2)
        ax.plot([-0.5, 0.5], [-cell + 0.5] * 2, color=LINE, linewidth=0.8, linestyle=":", zorder=2)
    draw_car(ax, -cells[0], 0.0, "east", CAR_COLOURS[0], "A")
    draw_car(ax, 0.0, -cells[1], "north", CAR_COLOURS[1], "B")
    if crashed:
        ax.plot(
            0, 0, marker=(9, 1, 0), markersize=34, color="#F0C000", markeredgecolor=BLACK, zorder=8
        )
        ax.text(0, 0, "crash", ha="center", va="center", fontsize=7.5, weight="bold", zorder=9)
    _caption(ax, title, status)


def glide(positions: np.ndarray, frames_per_step: int) -> np.ndarray:
    """``[(T)·frames + 1, ...]``: ``positions[T+1, ...]`` with evenly spaced points put between them, for smooth motion."""
    steps = len(positions) - 1
    moments = np.linspace(0, steps, steps * frames_per_step + 1)
    before = np.minimum(moments.astype(int), max(steps - 1, 0))
    share = (moments - before).reshape(-1, *(1,) * (positions.ndim - 1))
    return positions[before] * (1 - share) + positions[np.minimum(before + 1, steps)] * share


def heading_at(route: Sequence[tuple[int, int]], progress: int) -> int:
    """The heading with which a car leaves the cell ``route[progress]``; on the last cell, that with which it came."""
    k = min(progress, len(route) - 2)
    (row, column), (next_row, next_column) = route[k : k + 2]
    return STEPS.index((next_row - row, next_column - column))


def _draw_roads(ax: Axes, world: TrafficJunction) -> None:
    """The lanes, with dotted lines between cells on the easy level, and a dashed one between lanes that run in parallel."""
    size, lanes = world.level.size, world.level.lanes
    for lane in lanes:
        ax.add_patch(Rectangle((-0.5, lane - 0.5), size, 1, color=ROAD, linewidth=0, zorder=1))
        ax.add_patch(Rectangle((lane - 0.5, -0.5), 1, size, color=ROAD, linewidth=0, zorder=1))
    paint = {"color": LINE, "linewidth": 0.7, "zorder": 2}
    for row, column in zip(*np.nonzero(world.roads.place_at)):
        if row in lanes and column in lanes:
            continue
        along_row = row in lanes
        before = (column, row) if along_row else (row, column)
        edge, middle = before[0] - 0.5, before[1]
        line = np.array([[edge, edge], [middle - 0.4, middle + 0.4]])
        ax.plot(*(line if along_row else line[::-1]), linestyle=":", **paint)
        if middle + 1 in lanes:
            line = np.array([[edge + 0.2, edge + 0.8], [middle + 0.5, middle + 0.5]])
            ax.plot(*(line if along_row else line[::-1]), linestyle="-", **paint)


def draw_road_car(
    ax: Axes, row: float, column: float, heading: int, colour: str, brakes: bool
) -> None:
    """A car seen from above, with a windscreen in front, and red lights at the rear while it brakes."""
    turn = Affine2D().rotate_deg(90 * (heading - EAST)).translate(column, row) + ax.transData
    box = FancyBboxPatch(
        (-0.38, -0.23), 0.76, 0.46, boxstyle="round,pad=0,rounding_size=0.12",
        facecolor=colour, edgecolor=BLACK, linewidth=0.6, zorder=5,
    )  # fmt: skip
    glass = Rectangle((0.08, -0.16), 0.12, 0.32, facecolor="#dbeaf5", edgecolor="none", zorder=6)
    parts = [box, glass]
    if brakes:
        parts += [
            Rectangle((-0.5, side), 0.16, 0.15, facecolor=LIGHT_COLOURS["red"], edgecolor="none", zorder=7)
            for side in (-0.23, 0.08)
        ]  # fmt: skip
    for part in parts:
        part.set_transform(turn)
        ax.add_patch(part)


def draw_star(ax: Axes, row: int, column: int) -> None:
    """A star in the middle of a cell."""
    angles = np.arange(18) * np.pi / 9
    radius = np.where(np.arange(18) % 2, 0.22, 0.42)
    corners = np.stack([column + radius * np.sin(angles), row - radius * np.cos(angles)], axis=1)
    ax.add_patch(Polygon(corners, facecolor="#F0C000", edgecolor=BLACK, linewidth=0.6, zorder=8))


def beside_each_other(cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middles ``[n, 2]`` of cars in ``cells[n, 2]``, beside each other where they share one, and how far aside ``[n]`` each is.

    Of k cars that share a cell the first is at 1 - k, the next at 3 - k, and so on to k - 1; one alone is at 0.
    """
    same = (cells[:, None] == cells).all(axis=2)
    side, count = 2 * np.tril(same, -1).sum(axis=1) + 1 - same.sum(axis=1), same.sum(axis=1)
    return cells + SIDE_BY_SIDE * (side / np.maximum(count - 1, 1))[:, None], side


def draw_junction(
    ax: Axes, world: TrafficJunction, which: int = 0, title: str = "", status: str = ""
) -> None:
    """World number ``which`` at this moment. A car has red lights at its rear if its last action was to brake.

    Its colour says from which side it came: north, west, south or east. A star marks each cell where cars have collided.
    ``status`` is written below.
    """
    end = world.level.size - 0.5
    _ground(ax, -0.5, end, end, -0.5)
    _draw_roads(ax, world)
    cells, there = world.cells[which], np.flatnonzero(world.local_states[which])
    for slot, middle in zip(there, beside_each_other(cells[there])[0]):
        route = world.roads.routes[world.route[which, slot]]
        draw_road_car(
            ax,
            *middle,
            heading=heading_at(route, world.progress[which, slot]),
            colour=HEADING_COLOURS[heading_at(route, 0)],
            brakes=world.last_actions[which, slot] == BRAKE,
        )
    for row, column in np.unique(cells[world.collided[which]], axis=0):
        draw_star(ax, row, column)
    _caption(ax, title, status)


def junction_frames(
    worlds: Sequence[TrafficJunction],
    acts: Sequence[Act],
    seed: int,
    n_steps: int,
    titles: Sequence[str],
) -> Iterator[Figure]:
    """``n_steps`` + 1 frames of one episode of each of ``worlds``, side by side: their first copies, driven by ``acts``.

    ``act(world, observations[E, n, d])`` returns the actions ``[E, n]``. Every world has a generator from the same ``seed``:
    the same cars arrive in worlds of the same level and size, as long as there is room for them, and what differs is how
    they drive. The films end with the shortest episode.
    """
    if not len(worlds) == len(acts) == len(titles) > 0:
        raise ValueError(
            f"titles: one world, one act and one title belong together; got {len(worlds)}, {len(acts)}, {len(titles)}"
        )
    for k, world in enumerate(worlds):
        as_kind(f"worlds[{k}]", world, TrafficJunction)
    if len({id(world) for world in worlds}) < len(worlds):
        raise ValueError("worlds: one world is given twice; each film needs a world of its own")
    n_steps, seed = as_count("n_steps", n_steps), as_count("seed", seed, low=0)
    return _drive(worlds, acts, seed, n_steps, titles)


def _drive(worlds, acts, seed: int, n_steps: int, titles) -> Iterator[Figure]:
    generators = [np.random.default_rng(seed) for _ in worlds]
    seen = [world.reset(rng) for world, rng in zip(worlds, generators)]
    passed = [0] * len(worlds)
    for moment in range(n_steps + 1):
        if moment:
            for k, (world, act, rng) in enumerate(zip(worlds, acts, generators)):
                step = world.step(act(world, seen[k]), rng)
                seen[k] = step.observations
                passed[k] += int(step.terminated[0].sum())
        width = 3.3 if len(worlds) > 1 else 3.8
        size = (width * len(worlds), width + 0.35)
        figure, axes = new_figure(
            1, len(worlds), size, left=0.02, right=0.98, bottom=0.08, top=0.91, wspace=0.06
        )
        for ax, world, title, through in zip(axes, worlds, titles, passed):
            so_far = "failed: cars have collided" if world.failed[0] else "no collision so far"
            status = f"step {moment}: {through} passed, {so_far}"
            draw_junction(ax, world, 0, title, status)
        yield figure
        if any(world.ended[0] for world in worlds):
            return
