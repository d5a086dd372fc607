"""The recorded runs in data/ were made with the settings that the recording script has today."""

import importlib.util
from dataclasses import asdict
from pathlib import Path

import pytest

from marl_lessons.evaluation.recorded import data_file, load_about, load_curves

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks/maddpg_runs.py"
spec = importlib.util.spec_from_file_location("maddpg_runs", SCRIPT)
recording = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recording)


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
    assert f"maddpg_runs {name} " in about["command"]
