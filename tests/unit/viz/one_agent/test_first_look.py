"""The first look: a meeting as it went, and a course of any length on whose road no two labels touch."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from marl_lessons.course import COURSE, Lesson
from marl_lessons.viz.one_agent.first_look import (
    BEYOND,
    draw_course,
    draw_crash_rate,
    meeting_frames,
    meeting_positions,
)

PASSED = SimpleNamespace(states=np.array([8, 5, 2, 0]))  # state 3 a + b: a and b cells to go
CRASHED = SimpleNamespace(states=np.array([8, 4, 9]))


def test_where_the_cars_of_an_episode_are() -> None:
    places, crashed = meeting_positions(PASSED, 2)
    assert places.tolist() == [[2, 2], [1, 2], [BEYOND, 2], [BEYOND, BEYOND]] and not crashed
    places, crashed = meeting_positions(CRASHED, 2)
    assert places.tolist() == [[2, 2], [1, 1], [0, 0]] and crashed


def test_two_films_side_by_side_last_as_long_as_the_longer_one() -> None:
    pages = list(meeting_frames([CRASHED], [PASSED, CRASHED], 2, ("before", "after")))
    alone = list(meeting_frames([PASSED, CRASHED], [CRASHED], 2, ("before", "after")))
    assert len(pages) == len(alone) > len(list(meeting_frames([CRASHED], [CRASHED], 2, ("", ""))))
    assert [ax.get_title() for ax in pages[0].axes] == ["before", "after"]


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
