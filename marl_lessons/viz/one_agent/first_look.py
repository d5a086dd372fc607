"""Figures of lesson 00, the first look: two cars before and after learning, and the course as a road."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.course import COURSE
from marl_lessons.envs.stepping import Episode
from marl_lessons.viz.cars import ROAD, draw_meeting, glide
from marl_lessons.viz.curves import draw_seeds
from marl_lessons.viz.style import BLUE, GREY, new_figure

FRAMES_PER_STEP = 3
BEYOND = -1.3  # where a car that has passed waits, in cells beyond the crossing's centre


def meeting_positions(episode: Episode, distance: int) -> tuple[np.ndarray, bool]:
    """Cells to go ``[T+1, 2]`` of both cars in an episode of :func:`~marl_lessons.envs.cars.two_cars.two_cars`; crashed?

    A car that has passed is drawn beyond the crossing, a crashed one in its middle.
    """
    crashed_state = (distance + 1) ** 2
    places = []
    for state in episode.states:
        if state == crashed_state:
            places.append((0.0, 0.0))
        else:
            cells = np.unravel_index(state, (distance + 1, distance + 1))
            places.append(tuple(float(c) if c > 0 else BEYOND for c in cells))
    return np.array(places), bool(episode.states[-1] == crashed_state)


def meeting_frames(
    left: Sequence[Episode],
    right: Sequence[Episode],
    distance: int,
    titles: tuple[str, str],
    pause: int = 4,
) -> Iterator[Figure]:
    """Frames of two films side by side: the episodes of ``left`` one after the other, and those of ``right``."""
    films = [_film(episodes, distance, pause) for episodes in (left, right)]
    for moment in range(max(len(film) for film in films)):
        figure, axes = new_figure(
            1, 2, size=(6.6, 3.5), left=0.02, right=0.98, bottom=0.08, top=0.88, wspace=0.06
        )
        for ax, film, title in zip(axes, films, titles):
            cells, crashed, status = film[min(moment, len(film) - 1)]
            draw_meeting(ax, distance, cells, crashed, title, status)
        yield figure


def _film(
    episodes: Sequence[Episode], distance: int, pause: int
) -> list[tuple[tuple[float, float], bool, str]]:
    film = []
    for number, episode in enumerate(episodes, start=1):
        positions, crashed = meeting_positions(episode, distance)
        path = glide(positions, FRAMES_PER_STEP)
        for k, cells in enumerate(path):
            film.append(
                (
                    tuple(cells),
                    crashed and k == len(path) - 1,
                    f"attempt {number} of {len(episodes)}",
                )
            )
        film += [film[-1]] * pause
    return film


def draw_crash_rate(attempts: np.ndarray, rates: np.ndarray) -> Figure:
    """Crashes per 100 attempts, ``rates[K, E]`` in blocks that end at ``attempts[K]``, for E seeds."""
    figure, (ax,) = new_figure(size=(7.4, 2.9))
    draw_seeds(ax, attempts, rates, f"median of {rates.shape[1]} seeds")
    ax.set(
        xlabel="attempt",
        ylabel="crashes per 100 attempts",
        ylim=(0, None),
        xlim=(attempts[0], attempts[-1]),
    )
    ax.set_title("Two cars learn to cross: crashes become rare in every seed")
    ax.legend(loc="upper right")
    return figure


def draw_course() -> Figure:
    """The course as a road with thirteen stops; filled stops can be visited today."""
    figure, (ax,) = new_figure(size=(7.4, 4.6), left=0.01, right=0.99, bottom=0.02, top=0.92)
    where = [
        (x, y) for y, row in ((3, range(5)), (2, range(4, -1, -1)), (1, range(3))) for x in row
    ]
    x, y = np.array(where, dtype=float).T
    ax.plot(
        x,
        y,
        color=ROAD,
        linewidth=22,
        solid_capstyle="round",
        solid_joinstyle="round",
        linestyle="-",
        zorder=1,
    )
    ax.plot(x, y, color="white", linewidth=1.2, linestyle=(0, (6, 6)), zorder=2)
    for lesson, place in zip(COURSE, where):
        ready = lesson.file is not None
        ax.plot(
            *place,
            "o",
            markersize=21,
            color=BLUE if ready else "white",
            markeredgecolor=BLUE if ready else GREY,
            zorder=3,
        )
        ax.text(
            *place,
            lesson.number,
            ha="center",
            va="center",
            color="white" if ready else "#555555",
            weight="bold",
            zorder=4,
        )
        label = "\n".join(_wrap(lesson.title, 17))
        road_turns_down = lesson.number in ("04", "09")  # there the label stands above the stop
        shift, side = (0.26, "bottom") if road_turns_down else (-0.26, "top")
        ax.text(place[0], place[1] + shift, label, ha="center", va=side, fontsize=8.8, zorder=4)
    ax.set(xlim=(-0.55, 4.55), ylim=(0.4, 3.6), xticks=[], yticks=[])
    ax.set_title(
        "The course: from one car to a city (filled: ready; empty: in preparation)", loc="center"
    )
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return figure


def _wrap(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if len(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines
