"""The recorded runs in data/ were made with the settings that the recording script has today; scripts refuse by name."""

import argparse
import importlib
import re
import sys
from dataclasses import asdict
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from marl_lessons.evaluation.recorded import data_file, load_about, load_curves

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
recording = importlib.import_module("tools.recordings.maddpg_runs")
talk = importlib.import_module("tools.recordings.talk_runs")


@pytest.mark.parametrize("name", recording.RUNS)
def test_a_recording_says_truly_how_it_was_made(name):
    path, experiment = data_file(f"maddpg_{name}.json"), recording.RUNS[name]
    curves, about = load_curves(path), load_about(path)
    assert list(curves) == [label for label, *_ in experiment.tasks]
    for label, config, _ in experiment.tasks:
        settings = {key: str(value) for key, value in asdict(config).items()}
        assert about["settings"][label] == settings, label
        assert curves[label].seeds.tolist() == list(range(100, 110))
        assert curves[label].env_steps[-1] == config.n_steps * experiment.n_worlds
        assert len(curves[label].env_steps) == config.n_records + 1
    assert about["worlds"] == experiment.n_worlds
    start = "python -m tools.recordings.maddpg_runs "
    assert about["command"].startswith(start)
    given = recording.read_arguments([*about["command"].removeprefix(start).split(), "--overwrite"])
    assert (given.name, given.seeds) == (name, 10)


@pytest.mark.parametrize("name", talk.RUNS)
def test_a_recording_of_talk_says_truly_how_it_was_made(name):
    path, experiment = data_file(f"talk_{name}.json"), talk.RUNS[name]
    curves, about = load_curves(path), load_about(path)
    assert list(curves) == [label for task in experiment.tasks for label in talk.labels(task)]
    assert about["settings"] == talk.about(name, 1)["settings"]
    for task in experiment.tasks:
        for label in talk.labels(task):
            assert curves[label].seeds.tolist() == list(range(100, 110))
            assert len(curves[label].env_steps) == task.config.n_records + 1
            n_steps = (
                task.config.n_updates * task.config.n_episodes
                if experiment.level is None
                else task.config.n_steps * talk.N_WORLDS
            )
            assert curves[label].env_steps[-1] == n_steps
    assert about["command"].startswith("python -m tools.recordings.talk_runs " + name)


def test_the_recorded_command_names_the_number_of_seeds_if_it_is_another():
    assert recording.about("words", 2)["command"].endswith("maddpg_runs words --processes 2")
    command = recording.about("words", 2, 3)["command"]
    assert command == "python -m tools.recordings.maddpg_runs words --processes 2 --seeds 3"


def test_a_recording_is_not_replaced_unless_asked_for(capsys):
    with pytest.raises(SystemExit):
        recording.read_arguments(["words"])
    assert "maddpg_words.json exists; give --overwrite" in capsys.readouterr().err
    assert recording.read_arguments(["words", "--overwrite"]).overwrite


def test_contributors_are_told_the_command_that_works():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, arguments = re.search(
        r"`(python -m tools\.recordings\.maddpg_runs) (NAME [^`]*)`", text
    ).groups()
    given = recording.read_arguments([*arguments.replace("NAME", "words").split(), "--overwrite"])
    assert given.name == "words" and given.processes == 2
    assert "[CONTRIBUTING.md](CONTRIBUTING.md#recorded-runs)" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
    assert "\n## Recorded runs\n" in text


@pytest.fixture
def script(request, monkeypatch):
    """One of the scripts, imported; what the public implementation needs is not installed here."""
    monkeypatch.syspath_prepend(ROOT)
    parts = ("agilerl", "agilerl.algorithms", "agilerl.components", "agilerl.components.data", "agilerl.components.replay_buffer", "agilerl.vector", "agilerl.vector.pz_async_vec_env")  # fmt: skip
    if request.param == "public_maddpg":
        for part in (*parts, "mpe2"):
            monkeypatch.setitem(sys.modules, part, MagicMock())
    folder = "recordings" if request.param.endswith("_runs") else "benchmarks"
    name = f"tools.{folder}.{request.param}"
    yield importlib.import_module(name)
    sys.modules.pop(name)


REFUSED = [
    ("maddpg_runs", ["words", "--overwrite", "--seeds", "0"], "--seeds: expected a whole number of at least 1, got '0'"),
    ("maddpg_runs", ["words", "--overwrite", "--seeds", "-3"], "--seeds"),
    ("maddpg_runs", ["words", "--overwrite", "--seeds", "2.5"], "--seeds: expected a whole number of at least 1, got '2.5'"),
    ("maddpg_runs", ["words", "--overwrite", "--processes", "0"], "--processes: expected a whole number of at least 1"),
    ("maddpg_runs", ["nothing"], "invalid choice"),
    ("maddpg", ["--seeds", "0"], "--seeds: expected a whole number of at least 1"),
    ("maddpg", ["--public-seeds", "x"], "--public-seeds: expected a whole number of at least 1, got 'x'"),
    ("maddpg", ["--public-seconds", "nan"], "--public-seconds: expected a number of seconds above 0"),
    ("maddpg", ["--public-seconds", "0"], "--public-seconds: expected a number of seconds above 0"),
    ("maddpg", ["--public", "/no/such/python"], "--public: there is no program '/no/such/python'"),
    ("public_maddpg", ["--seed", "1.5"], "--seed: expected a whole number of at least 0, got '1.5'"),
    ("public_maddpg", ["--seconds", "-1"], "--seconds: expected a number of seconds above 0"),
    ("public_maddpg", ["--every", "7"], "--every: 7 env steps are no step of 8 worlds"),
    ("public_maddpg", ["--every", "0"], "--every"),
    ("public_maddpg", ["--change", "[1]"], "--change: expected a JSON object, got '[1]'"),
    ("public_maddpg", ["--change", '{"worlds": 0}'], "0 worlds"),
]  # fmt: skip


@pytest.mark.parametrize(("script", "arguments", "message"), REFUSED, indirect=["script"])
def test_arguments_that_make_no_sense_are_refused(script, arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        script.read_arguments(arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("script", "arguments", "expected"),
    [
        ("maddpg_runs", ["words", "--overwrite"], {"seeds": 10, "processes": 1}),
        ("maddpg", ["--public", sys.executable, "--seeds", "3"], {"seeds": 3, "public_seeds": 3}),
        ("public_maddpg", ["--change", '{"worlds": 16}'], {"change": {"worlds": 16}, "seed": 0}),
        ("public_maddpg", ["--seed", "0", "--seconds", "90.0"], {"seconds": 90.0, "every": 2000}),
    ],
    indirect=["script"],
)
def test_arguments_keep_their_defaults_and_all_have_help(script, arguments, expected, monkeypatch):
    parsers, parse = [], argparse.ArgumentParser.parse_args

    def remembered(parser, *args):
        parsers.append(parser)
        return parse(parser, *args)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", remembered)
    given = vars(script.read_arguments(arguments))
    assert {name: given[name] for name in expected} == expected
    assert all(action.help for action in parsers[0]._actions)
