"""The Traffic Junction drawn from above: roads, and cars as small boxes whose colour says where they came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle
from matplotlib.transforms import Affine2D

from marl_lessons.checks import as_count, as_indices
from marl_lessons.envs.traffic_junction import BRAKE, TrafficJunction, check_junction
from marl_lessons.envs.traffic_routes import EAST, NORTH, SOUTH, STEPS, WEST
from marl_lessons.viz.crossing import LINE, ROAD, VERGE
from marl_lessons.viz.style import BLACK, BLUE, GREEN, LIGHT_COLOURS, PINK, VERMILION, new_figure

CAR_COLOURS = {SOUTH: VERMILION, EAST: BLUE, NORTH: PINK, WEST: GREEN}  # by the heading on arrival
SIDE_BY_SIDE = 0.2  # cells from the middle of a cell, at most, for cars that share it
Act = Callable[[TrafficJunction, np.ndarray], np.ndarray]


def heading_at(route: Sequence[tuple[int, int]], progress: int) -> int:
    """The heading with which a car leaves the cell ``route[progress]``; on the last cell, that with which it came."""
    k = min(progress, len(route) - 2)
    (row, column), (next_row, next_column) = route[k : k + 2]
    return STEPS.index((next_row - row, next_column - column))


def draw_junction(
    ax: Axes, world: TrafficJunction, which: int = 0, title: str = "", status: str = ""
) -> None:
    """World number ``which`` at this moment. A car has red lights at its rear if its last action was to brake.

    Its colour says from which side it came: north, west, south or east. A star marks each cell where cars have collided.
    ``status`` is written below. Raises ValueError naming ``world`` or ``which``.
    """
    world = check_junction("world", world)
    which = int(as_indices("which", which, (), world.n_worlds))
    size = world.level.size
    ax.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), xticks=[], yticks=[], aspect="equal")
    ax.set_facecolor(VERGE)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    _draw_roads(ax, world)
    cells, there, collided = (
        world.cells[which],
        world.local_states[which] > 0,
        world.collided[which],
    )
    for slot in np.flatnonzero(there):
        route = world.roads.routes[world.route[which, slot]]
        shares = np.flatnonzero(there & (cells == cells[slot]).all(axis=1))
        side = 2 * np.searchsorted(shares, slot) / max(len(shares) - 1, 1) - (len(shares) > 1)
        draw_road_car(
            ax,
            *(cells[slot] + SIDE_BY_SIDE * side),
            heading=heading_at(route, world.progress[which, slot]),
            colour=CAR_COLOURS[heading_at(route, 0)],
            brakes=world.last_actions[which, slot] == BRAKE,
        )
    for row, column in np.unique(cells[collided], axis=0):
        draw_star(ax, row, column)
    ax.set_title(title)
    if status:
        ax.set_xlabel(status, fontsize=9, color=BLACK, loc="left")


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
    they drive. The films end with the shortest episode. Raises ValueError naming the argument.
    """
    if not len(worlds) == len(acts) == len(titles) > 0:
        raise ValueError(
            f"titles: one world, one act and one title belong together; got {len(worlds)}, {len(acts)}, {len(titles)}"
        )
    for k, world in enumerate(worlds):
        check_junction(f"worlds[{k}]", world)
    if len({id(world) for world in worlds}) < len(worlds):
        raise ValueError("worlds: one world is given twice; each film needs a world of its own")
    n_steps, seed = as_count("n_steps", n_steps), as_count("seed", seed, low=0)
    return _frames(worlds, acts, seed, n_steps, titles)


def _frames(worlds, acts, seed: int, n_steps: int, titles) -> Iterator[Figure]:
    generators = [np.random.default_rng(seed) for _ in worlds]
    seen = [world.reset(rng) for world, rng in zip(worlds, generators)]
    passed = [0] * len(worlds)
    for moment in range(n_steps + 1):
        if moment:
            for k, (world, act, rng) in enumerate(zip(worlds, acts, generators)):
                step = world.step(act(world, seen[k]), rng)
                seen[k] = step.observations
                passed[k] += int(step.terminated[0].sum())
        figure, axes = _new_film(worlds)
        for ax, world, title, through in zip(axes, worlds, titles, passed):
            so_far = "failed: cars have collided" if world.failed[0] else "no collision so far"
            status = f"step {moment}: {through} passed, {so_far}"
            draw_junction(ax, world, 0, title, status)
        yield figure
        if any(world.ended[0] for world in worlds):
            return


def _new_film(worlds) -> tuple[Figure, list[Axes]]:
    """A figure with room for all ``worlds`` side by side."""
    width = 3.3 if len(worlds) > 1 else 3.8
    return new_figure(
        1,
        len(worlds),
        size=(width * len(worlds), width + 0.35),
        left=0.02,
        right=0.98,
        bottom=0.08,
        top=0.91,
        wspace=0.06,
    )


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
