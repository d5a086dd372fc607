"""The first look: a meeting as it went, and a course of any length on whose road no two labels touch."""

from __future__ import annotations

import numpy as np
import pytest

from marl_lessons.course import COURSE, Lesson
from marl_lessons.envs import two_cars
from marl_lessons.envs.stepping import Episode, rollout
from marl_lessons.viz.one_agent.first_look import (
    BEYOND,
    FRAMES_PER_STEP,
    draw_course,
    draw_crash_rate,
    meeting_frames,
    meeting_positions,
)


def test_cars_stand_where_the_state_says() -> None:
    names = two_cars(distance=2).state_names
    states = [names.index(f"car 0: 2 to go, car 1: {cells} to go") for cells in (1, 0)]
    places, crashed = meeting_positions(Episode(np.array(states), None, None, False), 2)
    assert places.tolist() == [[2, 1], [2, BEYOND]] and not crashed
    end = Episode(np.array([names.index("crashed")]), None, None, True)
    places, crashed = meeting_positions(end, 2)
    assert crashed and (places == 0).all()


def test_films_run_as_long_as_the_longer_one() -> None:
    game = two_cars(distance=1, slip=0.0)
    go, wait = (np.tile(row, (game.n_states, 1)) for row in ([0.0, 1.0], [1.0, 0.0]))
    rng = np.random.default_rng(0)
    crash, pass_ = rollout(game, [go, go], rng), rollout(game, [go, wait], rng, time_limit=2)
    pages = list(meeting_frames([crash], [pass_, pass_], 1, ("before", "after"), pause=2))
    assert len(pages) == 2 * (2 * FRAMES_PER_STEP + 1 + 2)
    assert [ax.get_title(loc="left") or ax.get_title() for ax in pages[0].axes] == [
        "before",
        "after",
    ]


def test_crash_rates_are_medians() -> None:
    rates = np.random.default_rng(0).random((5, 7))
    (ax,) = draw_crash_rate(np.arange(5), rates).axes
    (line,) = (line for line in ax.lines if line.get_label() == "median of 7 seeds")
    np.testing.assert_allclose(line.get_ydata(), np.median(rates, axis=1))


MANY = [
    Lesson(f"{k:02}", "MADDPG: a critic that sees everyone", "", file="" if k % 2 else "x")
    for k in range(23)
]


@pytest.mark.parametrize("lessons", [COURSE, COURSE[:3], COURSE[:5], MANY], ids=len)
def test_every_lesson_has_its_stop_and_no_two_labels_touch(lessons) -> None:
    figure = draw_course(lessons)
    (ax,) = figure.axes
    numbers, labels = ax.texts[::2], ax.texts[1::2]
    assert [text.get_text() for text in numbers] == [lesson.number for lesson in lessons]
    titles = [text.get_text().replace("\n", " ") for text in labels]
    assert titles == [lesson.title for lesson in lessons]
    stops = [line for line in ax.lines if line.get_marker() == "o"]
    filled = [line.get_markerfacecolor() != "white" for line in stops]
    assert filled == [bool(lesson.file) for lesson in lessons]
    boxes = [item.get_window_extent() for item in (*labels, *stops)]
    for k, box in enumerate(boxes):
        assert ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1
        assert ax.bbox.y0 <= box.y0 and box.y1 <= ax.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:k])
