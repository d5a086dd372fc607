"""What CONTRIBUTING.md and the README tell contributors is true of the package."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from marl_lessons.envs import from_parallel_env
from marl_lessons.viz.widgets import MAX_CONTROLS
from tools.checkout import AuthoringError
from tools.skeleton import write_lesson

ROOT = Path(__file__).resolve().parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """What stands under a heading of CONTRIBUTING.md."""
    return CONTRIBUTING.split(f"## {title}\n")[1].split("\n## ")[0]


LESSON_RULES = section("Adding a lesson, in ten lines")
RULES = dict(re.findall(r"^(\d+)\. (.*)$", LESSON_RULES, flags=re.MULTILINE))


def test_the_example_is_no_lesson_of_the_course() -> None:
    """Nobody overwrites a lesson by following the rules, and writing one leaves them as they are."""
    text = " ".join(RULES.values())
    assert re.findall(r"\b\d\d[_.]\w", text) == []
    assert set(re.findall(r"\bNN_\w+", text)) == {"NN_my_lesson"}
    with pytest.raises(AuthoringError, match="two digits"):
        write_lesson(ROOT, "NN_my_lesson", "My lesson")


def test_the_files_that_the_rules_name_exist() -> None:
    for rule, file in (("2", "tests/test_imports.py"), ("7", "tests/lessons/test_budget.py")):
        assert f"`{file}`" in RULES[rule] and (ROOT / file).is_file()


def test_the_limits_that_the_rules_name_are_the_tests_own() -> None:
    budget = (ROOT / "tests/lessons/test_budget.py").read_text(encoding="utf-8")
    seconds, size = re.search(
        r"cpu_seconds: float = (\d+).*?peak_mb: float = (\d+)", budget, flags=re.DOTALL
    ).groups()
    assert f"{seconds} CPU seconds or {size} MB" in RULES["7"]
    assert {4: "four"}[MAX_CONTROLS] + " controls" in RULES["5"]


def test_both_files_ask_for_as_many_seeds() -> None:
    """Ten, and five where networks are trained."""
    assert "at least 10 seeds, 5 where networks are trained" in RULES["6"]
    assert "at least 10 seeds (5 where networks are trained)" in " ".join(README.split())


@pytest.mark.parametrize("name", ["as_parallel_env", "from_parallel_env", "TrafficJunction"])
def test_the_readme_names_the_doors_to_other_environments(name: str) -> None:
    assert name in README.split("## For contributors")[1]
    assert hasattr(importlib.import_module("marl_lessons.envs"), name)


def test_the_readmes_way_from_an_environment_to_a_score_works() -> None:
    """As printed, with fewer steps."""
    pytest.importorskip("torch")
    from mpe2 import simple_spread_v3

    from marl_lessons.algorithms.deep.iql import DeepIQLConfig, train_iql
    from marl_lessons.evaluation import play_episodes

    (printed,) = re.findall(r"```python\n(worlds = .*?)```", README, flags=re.DOTALL)
    names = {"MyEnv": simple_spread_v3.parallel_env, "np": np, "DeepIQLConfig": DeepIQLConfig}
    names |= {f.__name__: f for f in (from_parallel_env, train_iql, play_episodes)}
    exec(printed.replace("5_000", "30"), names)
    assert names["score"] < 0


def test_the_readme_names_every_room_once() -> None:
    table = README.split("| folder | what it holds |")[1].split("\n\n")[0]
    rows = {re.search(r"`(\w+)`", row)[1]: row for row in table.splitlines()[2:]}
    for above in [*rooms_in(ROOT / "marl_lessons"), ROOT / "tools"]:
        told = {room.name: rows[above.name].count(f"`{room.name}`") for room in rooms_in(above)}
        assert set(told.values()) <= {1}, f"{above.name}: {told}"


def rooms_in(folder: Path) -> list[Path]:
    """The folders in it that hold something of ours."""
    return [path for path in folder.iterdir() if path.is_dir() and path.name[0].isalpha()]


def test_the_readme_says_where_deep_learners_are_imported_from() -> None:
    path = ROOT / "marl_lessons/algorithms/deep/iql.py"
    assert "`train_iql` is imported from `marl_lessons.algorithms.deep.iql`" in README
    assert "def train_iql(" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("title", ["Adding a world", "Adding a learner", "Adding a figure"])
def test_what_a_section_names_exists(title: str) -> None:
    """Paths lead somewhere; names stand in a file or folder that the section names. ``my_…`` is the contributor's own."""
    told = re.findall(r"`([^`]+)`", section(title))
    paths = {path for text in told for path in re.findall(r"\w+/[\w./]+", text)}
    paths = {path for path in paths if "my_" not in path}
    assert len(paths) > 4 and [path for path in sorted(paths) if not (ROOT / path).exists()] == []
    known = set(re.findall(r"\w+", " ".join(paths)))
    known |= {inside.name for path in paths for inside in (ROOT / path).glob("*")}
    for file in filter(Path.is_file, (ROOT / path for path in paths)):
        known |= set(re.findall(r"\w+", file.read_text(encoding="utf-8")))
    code = " ".join(text for text in told if not text.startswith("ruff ") and "/" not in text)
    names = {name for name in re.findall(r"[^\W\d]\w*", code) if "my_" not in name}
    assert len(names) > 4 and sorted(names - known) == []
