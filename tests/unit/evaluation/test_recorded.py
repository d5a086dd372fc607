"""Recorded curves: what is written is what is read, to 2 decimals, and a file is there in full or not at all."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from marl_lessons.evaluation.recorded import Curves, data_file, load_about, load_curves, save_curves

ABOUT = {"command": "python train.py --seeds 2", "versions": {"numpy": "2.0"}, "cores": 2}
NUMBERS = st.floats(-1e4, 1e4)


def curves(n_measured=3, n_seeds=2, seed=0):
    rng = np.random.default_rng(seed)
    steps = np.cumsum(rng.integers(1, 5000, n_measured))
    seconds = rng.uniform(0, 3, (n_measured, n_seeds)).cumsum(axis=0)
    return Curves(steps, rng.normal(-12, 5, (n_measured, n_seeds)), seconds, np.arange(n_seeds) + 7)


@given(returns=arrays(float, st.tuples(st.integers(1, 5), st.integers(1, 4)), elements=NUMBERS))
def test_what_is_written_is_read(returns, tmp_path_factory):
    k, s = returns.shape
    clock = np.arange(k)[:, None] + np.linspace(0, 0.123, s)
    kept = Curves(np.arange(1, k + 1) * 1000, returns, clock, np.arange(s))
    path = tmp_path_factory.mktemp("kept") / "curves.json"
    save_curves(path, {"a, b": kept, "é": curves()}, ABOUT)
    found = load_curves(str(path))
    assert list(found) == ["a, b", "é"] and load_about(path) == ABOUT
    assert np.array_equal(found["a, b"].env_steps, kept.env_steps)
    assert np.array_equal(found["a, b"].seeds, kept.seeds)
    assert found["a, b"].returns.shape == (k, s)
    assert np.abs(found["a, b"].returns - returns).max() <= 0.005 + 1e-9
    assert np.abs(found["a, b"].seconds - clock).max() <= 0.005 + 1e-9


def test_the_file_has_a_line_for_each_seed(tmp_path):
    path = tmp_path / "curves.json"
    two = Curves([10, 20], [[-1.234, -5.0], [-2.0, -0.001]], [[0, 1], [2, 3.456]], [4, 9])
    save_curves(path, {"x": two}, ABOUT)
    lines = [line.strip().rstrip(",") for line in path.read_text(encoding="utf-8").splitlines()]
    assert "[-1.23, -2.0]" in lines and "[-5.0, 0.0]" in lines
    assert (
        "[1.0, 3.46]" in lines and '"seeds": [4, 9]' in lines and '"env_steps": [10, 20]' in lines
    )
    assert json.loads(path.read_text())["about"] == ABOUT


def test_a_file_is_only_replaced_if_asked_for(tmp_path):
    path = tmp_path / "curves.json"
    save_curves(path, {"x": curves()}, ABOUT)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"^path: .* exists; give overwrite=True"):
        save_curves(path, {"x": curves(seed=1)}, ABOUT)
    assert path.read_bytes() == before
    save_curves(path, {"x": curves(seed=1)}, ABOUT, overwrite=True)
    assert path.read_bytes() != before


def test_a_write_that_fails_leaves_everything_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "curves.json"
    save_curves(path, {"x": curves()}, ABOUT)
    before = path.read_bytes()

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        save_curves(path, {"x": curves(seed=1)}, ABOUT, overwrite=True)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["curves.json"]


@pytest.mark.parametrize("name, changes", [
    ("env_steps", [[3, 2, 4], [1.0, 2.0, 3.0], [-1, 2, 3]]),
    ("returns", [np.zeros((2, 2)), np.full((3, 2), np.nan)]),
    ("seconds", [-np.ones((3, 2)), np.array([[1, 1], [0, 2], [3, 3]])]),
    ("seeds", [[1, 1], [True, False]]),
])  # fmt: skip
def test_curves_that_cannot_be_are_refused(name, changes):
    for changed in changes:
        good = curves()
        fields = {n: getattr(good, n) for n in ("env_steps", "returns", "seconds", "seeds")}
        with pytest.raises(ValueError, match=f"^{name}"):
            Curves(**(fields | {name: changed}))


@pytest.mark.parametrize("bad", [{}, [curves()], {"x": 3}, {1: curves()}])
def test_only_curves_by_label_are_written(tmp_path, bad):
    with pytest.raises(ValueError, match=r"^curves_by_label"):
        save_curves(tmp_path / "c.json", bad, ABOUT)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["", "{", 100_000 * "[", "[]", '{"about": {}}', '{"about": {}, "curves": {"x": {}}}']
)
def test_a_file_without_curves_is_refused(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ValueError, match=r"^path: .*c.json"):
        load_curves(tmp_path / "c.json")


def test_files_in_data_are_found_and_others_refused():
    root = Path(__file__).resolve().parents[3]
    assert data_file("README.md").read_text(encoding="utf-8").startswith("# Data")
    assert (root / "data" / "../README.md").is_file()  # it exists, but a name is no way around
    for bad in (
        "no_such_file.json",
        "../README.md",
        "./README.md",
        str(root / "data/README.md"),
        "",
    ):
        with pytest.raises(ValueError, match=r"^name: there is no file"):
            data_file(bad)


def test_seeds_are_those_that_arrays_can_hold(tmp_path):
    fields = {"env_steps": [1], "returns": [[0.0]], "seconds": [[0.0]]}
    largest = 2**63 - 1
    save_curves(tmp_path / "c.json", {"x": Curves(**fields, seeds=[largest])}, ABOUT)
    assert load_curves(tmp_path / "c.json")["x"].seeds.tolist() == [largest]
    for bad in (2**63, 2**200, -1, 0.5, None, "7"):
        with pytest.raises(ValueError, match=r"^seeds"):
            Curves(**fields, seeds=[bad])


def test_every_package_is_installed():
    root = Path(__file__).resolve().parents[3]
    named = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    folders = [p.parent.relative_to(root) for p in (root / "marl_lessons").rglob("__init__.py")]
    expected = {".".join(folder.parts) for folder in folders} | {"marl_lessons.data"}
    assert set(named["tool"]["setuptools"]["packages"]) == expected


@pytest.mark.parametrize(("decimals", "expected"), [(0, 1.0), (2, 1.23), (4, 1.2346)])
def test_numbers_are_rounded_to_as_many_decimals_as_asked_for(tmp_path, decimals, expected):
    curves = Curves([0, 1], [[1.23456], [0.0]], [[0.0], [1.0]], [3])
    save_curves(tmp_path / "x.json", {"a": curves}, {"made": "here"}, decimals=decimals)
    assert load_curves(tmp_path / "x.json")["a"].returns[0, 0] == expected
