"""The first look: two cars before and after learning, and the course as a road. Lesson 00."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.course import COURSE, Lesson
from marl_lessons.envs.stepping import Episode
from marl_lessons.viz.cars import ROAD, draw_meeting, glide
from marl_lessons.viz.curves import draw_seeds
from marl_lessons.viz.style import BLUE, GREY, new_figure

FRAMES_PER_STEP = 3
BEYOND = -1.3  # where a car that has passed waits, in cells beyond the crossing's centre
IN_A_ROW = 5  # stops of the course before the road turns
ROW, SHIFT = 1.4, 0.21  # inches from one row of stops to the next, and from a stop to its label
CENTRED = {"ha": "center", "va": "center"}


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
    """Cells to go, crashed? and a status line for each frame."""
    film = []
    for number, episode in enumerate(episodes, start=1):
        positions, crashed = meeting_positions(episode, distance)
        path = glide(positions, FRAMES_PER_STEP)
        status = f"attempt {number} of {len(episodes)}"
        film += [(tuple(at), crashed and k == len(path) - 1, status) for k, at in enumerate(path)]
        film += [film[-1]] * pause
    return film


def draw_crash_rate(attempts: np.ndarray, rates: np.ndarray) -> Figure:
    """Crashes per 100 attempts, ``rates[K, E]`` in blocks that end at ``attempts[K]``, for E seeds."""
    figure, (ax,) = new_figure(size=(7.4, 2.9))
    draw_seeds(ax, attempts, rates, f"median of {rates.shape[1]} seeds")
    ax.set(xlabel="attempt", ylabel="crashes per 100 attempts")
    ax.set(ylim=(0, None), xlim=(attempts[0], attempts[-1]))
    ax.set_title("Two cars learn to cross: crashes become rare in every seed")
    ax.legend(loc="upper right")
    return figure


def draw_course(lessons: Sequence[Lesson] = COURSE) -> Figure:
    """The course as a winding road with a stop for each of ``lessons``; filled stops can be visited today."""
    rows = -(-len(lessons) // IN_A_ROW)
    height = ROW * rows + 0.45  # inches
    figure, (ax,) = new_figure(
        size=(7.4, height), left=0.01, right=0.99, bottom=0, top=1 - 0.4 / height
    )
    row, column = np.divmod(np.arange(len(lessons)), IN_A_ROW)
    x, y = np.where(row % 2, IN_A_ROW - 1 - column, column), -ROW * row
    ax.plot(
        x, y, color=ROAD, linewidth=22, linestyle="-", solid_capstyle="round",
        solid_joinstyle="round", zorder=1,
    )  # fmt: skip
    ax.plot(x, y, color="white", linewidth=1.2, linestyle=(0, (6, 6)), zorder=2)
    for k, (lesson, *place) in enumerate(zip(lessons, x, y)):
        fill, edge, ink = (BLUE, BLUE, "white") if lesson.file else ("white", GREY, "#555555")
        ax.plot(*place, "o", markersize=21, color=fill, markeredgecolor=edge, zorder=3)
        ax.text(*place, lesson.number, color=ink, weight="bold", zorder=4, **CENTRED)
        road_turns_down = column[k] == IN_A_ROW - 1 and k + 1 < len(lessons)
        label = "\n".join(textwrap.wrap(lesson.title, 17, break_on_hyphens=False))
        beside = {"va": "bottom"} if road_turns_down else {"va": "top"}
        shift = SHIFT if road_turns_down else -SHIFT
        ax.text(place[0], place[1] + shift, label, ha="center", fontsize=8.8, zorder=4, **beside)
    ax.set(xlim=(-0.55, IN_A_ROW - 0.45), ylim=(-ROW * (rows - 0.5), ROW / 2), xticks=[], yticks=[])
    ax.set_title(
        "The course: from one car to a city (filled: ready; empty: in preparation)", loc="center"
    )
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return figure
