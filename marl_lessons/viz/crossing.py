"""The crossing drawn from above: roads, a light, and cars as rounded boxes with a letter on the roof."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

from marl_lessons.viz.style import BLACK, BLUE, GREY, LIGHT_COLOURS, VERMILION

ROAD, VERGE, LINE = "#d9dade", "#f1f4ec", "#ffffff"
CAR_COLOURS = (BLUE, VERMILION)
LANE = 1.0  # a cell is 1 long and the lane is 1 wide


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
    ax.text(
        x + dx,
        y + dy,
        letter,
        color="white",
        ha="center",
        va="center",
        fontsize=9,
        weight="bold",
        zorder=7,
    )


def draw_light(ax: Axes, phase: str, x: float, y: float) -> None:
    """A traffic light with three lamps, the one of ``phase`` lit and named beside it."""
    ax.add_patch(FancyBboxPatch((x - 0.62, y - 0.24), 1.24, 0.48, boxstyle="round,pad=0,rounding_size=0.12",
                                facecolor="#333333", edgecolor="none", zorder=4))  # fmt: skip
    for k, name in enumerate(("green", "yellow", "red")):
        lit = name == phase
        ax.add_patch(
            Circle(
                (x - 0.38 + 0.38 * k, y),
                0.15,
                facecolor=LIGHT_COLOURS[name] if lit else "#5a5a5a",
                zorder=5,
            )
        )
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


def _ground(ax: Axes, left: float, right: float, bottom: float, top: float) -> None:
    ax.set(
        xlim=(left, right),
        ylim=(bottom, top),
        xticks=[],
        yticks=[],
        aspect="equal",
        facecolor=VERGE,
    )
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _caption(ax: Axes, title: str, status: str) -> None:
    ax.set_title(title)
    if status:
        ax.set_xlabel(status, fontsize=9, color=BLACK, loc="left")


def glide(positions: np.ndarray, frames_per_step: int) -> np.ndarray:
    """``[(T)·frames + 1, ...]``: ``positions[T+1, ...]`` with evenly spaced points put between them, for smooth motion."""
    steps = len(positions) - 1
    moments = np.linspace(0, steps, steps * frames_per_step + 1)
    before = np.minimum(moments.astype(int), max(steps - 1, 0))
    share = (moments - before).reshape(-1, *(1,) * (positions.ndim - 1))
    return positions[before] * (1 - share) + positions[np.minimum(before + 1, steps)] * share
