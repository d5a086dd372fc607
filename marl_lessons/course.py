"""The syllabus: every lesson with its question, stated once."""

from __future__ import annotations

from typing import NamedTuple


class Lesson(NamedTuple):
    """A stop of the course: ``file`` in ``notebooks/``, or None while it is in preparation; ``minutes`` for a student;
    ``needs``: the libraries it uses that not every lesson does."""

    number: str
    title: str
    question: str
    minutes: int | None = None
    file: str | None = None
    needs: tuple[str, ...] = ()


COURSE = (
    Lesson(
        "00",
        "Start here",
        "Is everything in place, and where does the road lead?",
        25,
        "00_start_here.ipynb",
    ),
    Lesson(
        "01",
        "One car, one light",
        "Brake or go, and how can one be sure?",
        90,
        "01_one_car_one_light.ipynb",
        ("gymnasium",),
    ),
    Lesson(
        "02",
        "Learning from experience",
        "Can driving alone teach what we computed?",
        85,
        "02_learning_from_experience.ipynb",
    ),
    Lesson(
        "03",
        "Two cars meet",
        "What does optimal mean when the other driver decides too?",
        120,
        "03_two_cars_meet.ipynb",
    ),
    Lesson(
        "04",
        "From games to Markov games",
        "Who should slow down, and when?",
        110,
        "04_from_games_to_markov_games.ipynb",
    ),
    Lesson(
        "05",
        "The moving target",
        "What happens to a learner when the other one learns?",
        155,
        "05_the_moving_target.ipynb",
    ),
    Lesson(
        "06",
        "Independent Q-learning",
        "How far does learning alone carry many cars?",
        150,
        "06_independent_q_learning.ipynb",
        ("torch",),
    ),
    Lesson("07", "Sharing a reward", "Whose merit was it: can one value be split among many?"),
    Lesson(
        "08", "Counterfactual credit", "What would have happened had this car done something else?"
    ),
    Lesson(
        "09",
        "MADDPG: a critic that sees everyone",
        "What does a critic that sees everyone change, and what not?",
        160,
        "09_maddpg.ipynb",
        ("torch", "mpe2"),
    ),
    Lesson(
        "10",
        "Learning to communicate",
        "What would cars say, and would anybody listen?",
        160,
        "10_learning_to_communicate.ipynb",
        ("torch",),
    ),
    Lesson("11", "A city of cars", "Does it hold together when the road network grows?"),
    Lesson("12", "Many seeds, many machines", "When is a result a result?"),
)


def ready_lessons() -> tuple[Lesson, ...]:
    """The lessons that can be opened today."""
    return tuple(lesson for lesson in COURSE if lesson.file is not None)


def lessons_with(library: str) -> str:
    """The lessons that use ``library``, in words: "lessons 06, 09 and 10"."""
    *others, last = (lesson.number for lesson in ready_lessons() if library in lesson.needs)
    return f"lessons {', '.join(others)} and {last}" if others else f"lesson {last}"
