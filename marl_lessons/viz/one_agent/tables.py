"""Tables of the crossing drawn as maps, phase of the light by cells to go: values and decisions. Lessons 01 and 02."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap

from marl_lessons.envs.cars.one_car import PHASES

EITHER, BRAKE, GO = 0, 1, 2
DECISIONS = ("either", "brake", "go")
DECISION_COLOURS = ("#e3e3e3", "#f4b183", "#9fcbe8")
ADVANTAGE_COLOURS = LinearSegmentedColormap.from_list("brake-go", ["#e58b3a", "#ffffff", "#5aa9dc"])
TIE = 1e-9


def approach_table(values: np.ndarray, speed: int = 0) -> np.ndarray:
    """``[3, distance]``: the crossing's ``values[6·distance + 2]`` for one speed (0 moving, 1 stopped), phase by cells."""
    distance = (len(values) - 2) // 6
    return np.asarray(values)[:-2].reshape(2, 3, distance)[speed]


def decisions(q: np.ndarray, speed: int = 0) -> np.ndarray:
    """``[3, distance]``: 0 either, 1 brake, 2 go, from the crossing's action values ``q[S, 2]``."""
    advantage = approach_table(q[:, 1] - q[:, 0], speed)
    return np.where(np.abs(advantage) < TIE, EITHER, np.where(advantage > 0, GO, BRAKE))


def draw_decisions(
    ax: Axes, q: np.ndarray, title: str, speed: int = 0, highlight: tuple[int, int] | None = None
) -> None:
    """What to do at each (phase, cells to go), named in words; ``highlight`` = (phase, cells) gets a frame."""
    table = decisions(q, speed)[:, ::-1]
    _table(ax, table, ListedColormap(DECISION_COLOURS), -0.5, 2.5, title)
    for (row, column), decision in np.ndenumerate(table):
        ax.text(column, row, DECISIONS[decision], ha="center", va="center", fontsize=9)
    if highlight is not None:
        phase, cells = highlight
        x, y = table.shape[1] - cells - 0.47, phase - 0.47
        ax.plot(
            [x, x + 0.94, x + 0.94, x, x],
            [y, y, y + 0.94, y + 0.94, y],
            color="black",
            linewidth=2,
            linestyle="-",
        )


def draw_approach_values(
    ax: Axes,
    v: np.ndarray,
    title: str,
    limits: tuple[float, float],
    speed: int = 0,
    q: np.ndarray | None = None,
) -> None:
    """Values at each (phase, cells to go), printed and coloured between ``limits``; with ``q``, the decision below."""
    table = approach_table(v, speed)[:, ::-1]
    _table(ax, table, "cividis", *limits, title)
    words = None if q is None else decisions(q, speed)[:, ::-1]
    for (row, column), value in np.ndenumerate(table):
        word = "" if words is None else f"\n{DECISIONS[words[row, column]]}"
        draw_number(ax, column, row, value, limits, f"{value:.1f}{word}")


def draw_advantages(ax: Axes, q: np.ndarray, title: str, speed: int = 0) -> None:
    """Q(go) - Q(brake) at each (phase, cells to go), printed with its sign; blue where going is better."""
    table = approach_table(q[:, 1] - q[:, 0], speed)[:, ::-1]
    shade = np.sign(table) * np.sqrt(
        np.minimum(np.abs(table), 4.0)
    )  # small differences stay visible
    _table(ax, shade, ADVANTAGE_COLOURS, -2.5, 2.5, title)
    for (row, column), value in np.ndenumerate(table):
        text = "0" if abs(value) < TIE else f"{value:+.2f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=8.5)


def _table(ax: Axes, table: np.ndarray, colours, low: float, high: float, title: str) -> None:
    ax.imshow(table, cmap=colours, vmin=low, vmax=high, aspect="auto")
    distance = table.shape[1]
    ax.set(
        xticks=range(distance),
        xticklabels=range(distance, 0, -1),
        yticks=range(3),
        yticklabels=PHASES,
    )
    ax.set(xlabel="cells to the crossing (it is on the right)", title=title)
    ax.grid(False)
    ax.tick_params(length=0)
    for edge in np.arange(distance - 1) + 0.5:
        ax.axvline(edge, color="white", linewidth=1.5, linestyle="-")
    for edge in (0.5, 1.5):
        ax.axhline(edge, color="white", linewidth=1.5, linestyle="-")


def draw_number(
    ax: Axes, x: float, y: float, value: float, limits: tuple[float, float], text: str
) -> None:
    """``text`` in the middle of a cell whose colour tells ``value`` between ``limits``."""
    ax.text(x, y, text, ha="center", va="center", fontsize=8.5, color=ink(value, limits))


def ink(value: float, limits: tuple[float, float]) -> str:
    """White on the dark half of the colour scale, black on the bright one."""
    return "white" if value < limits[0] + 0.5 * (limits[1] - limits[0]) else "black"
