"""The check of what is installed: it says in words what is missing or too old."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import marl_lessons.environment as environment
from marl_lessons.course import COURSE
from marl_lessons.environment import CURE, FOR_SOME, NEEDED, NO_TORCH, check_environment

NUMPY = tuple(int(part) for part in metadata.version("numpy").split(".")[:2])


def test_everything_that_the_lessons_need_is_here():
    lines = check_environment()
    assert len(lines) == len(NEEDED) + 2 and lines[-1] == "Everything is in place."
    assert all(line.startswith("fine ") for line in lines[:-1])


@pytest.mark.parametrize(
    "name, lowest, state",
    [
        ("numpy", (1, 0), "fine"),
        ("numpy", NUMPY, "fine"),
        ("numpy", (NUMPY[0], NUMPY[1] + 1), "TOO OLD"),
        ("numpy", (NUMPY[0] + 1, 0), "TOO OLD"),
        ("no-such-distribution", (0, 1), "MISSING"),
    ],
)
def test_one_requirement(name, lowest, state):
    python, line, verdict = check_environment([(name, lowest, "this test")])
    assert python.startswith("fine") and "Python 3.11 or newer" in python
    text = f"{name} {lowest[0]}.{lowest[1]} or newer, for this test"
    assert line.split(name)[0].strip() == state and line.endswith(text)
    assert verdict == ("Everything is in place." if state == "fine" else CURE)


def test_one_that_is_missing_does_not_hide_behind_one_that_is_fine():
    lines = check_environment([("numpy", (1, 0), "a"), ("no-such-distribution", (1, 0), "b")])
    assert [line.split()[0] for line in lines[:3]] == ["fine", "fine", "MISSING"]
    assert lines[-1] == CURE


@pytest.mark.parametrize(
    "version, state",
    [("2", "TOO OLD"), ("2.4", "TOO OLD"), ("2.5.0rc1", "fine"), ("2.10", "fine"), ("3", "fine")],
)
def test_versions_are_compared_as_numbers(monkeypatch, version, state):
    monkeypatch.setattr(environment.metadata, "version", lambda name: version)
    assert check_environment([("anything", (2, 5), "x")])[1].startswith(state)


@pytest.mark.parametrize("system, machine", environment.WITHOUT_TORCH)
def test_where_torch_cannot_be_installed_no_vain_cure_is_named(monkeypatch, system, machine):
    monkeypatch.setattr(environment.sys, "platform", system)
    monkeypatch.setattr(environment.platform, "machine", lambda: machine)
    assert check_environment([("torch", (99,), "lesson 06")])[-1] == NO_TORCH
    both = [("torch", (99,), "lesson 06"), ("no-such-distribution", (1, 0), "b")]
    assert check_environment(both)[-1] == CURE
    assert check_environment([("numpy", (1, 0), "a")])[-1] == "Everything is in place."


@pytest.mark.parametrize(
    "system, machine, wanted",
    [
        ("linux", "x86_64", True),
        ("linux", "aarch64", True),
        ("darwin", "arm64", True),
        ("win32", "AMD64", True),
        *((*place, False) for place in environment.WITHOUT_TORCH),
    ],
)
def test_requirements_leave_out_torch_exactly_there(system, machine, wanted):
    text = (Path(__file__).parents[2] / "requirements.txt").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("torch==")]
    marker = Requirement(line).marker
    assert marker.evaluate({"sys_platform": system, "platform_machine": machine}) == wanted


def test_what_single_lessons_need_follows_the_syllabus():
    needed = {library for lesson in COURSE for library in lesson.needs}
    assert needed == set(FOR_SOME)
    for name, _, purpose in NEEDED[-len(FOR_SOME) :]:
        numbers = [lesson.number for lesson in COURSE if name in lesson.needs]
        assert re.findall(r"\d+", purpose) == numbers and purpose.startswith("lesson")


def test_an_old_python(monkeypatch):
    monkeypatch.setattr(environment, "LOWEST_PYTHON", (sys.version_info[0], 99))
    lines = check_environment([])
    assert lines[0].startswith("TOO OLD") and lines[-1] == CURE
