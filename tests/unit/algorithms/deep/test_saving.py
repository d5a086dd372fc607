"""Runs in files: one that stopped goes on as if it had not, whatever stops it, and other files are refused."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from corridor_worlds import CorridorWorlds
from maddpg_worlds import ToyWorlds, always_one, quick

from marl_lessons.algorithms.deep.iql import DeepIQLConfig, train_iql
from marl_lessons.algorithms.deep.maddpg import train_maddpg
from marl_lessons.algorithms.deep.saving import load_run, save_run
from marl_lessons.envs import simple_speaker_listener, simple_spread


class Stop(Exception):
    """What stops a run in its middle."""


def stopping(worlds, at):
    """``worlds`` whose step number ``at`` stops the run."""
    calls, step = [], worlds.step

    def counted(actions, rng):
        calls.append(0)
        if len(calls) == at:
            raise Stop
        return step(actions, rng)

    worlds.step = counted
    return worlds


def speak(continuous=True, **settings):
    settings = {"n_worlds": 3, "time_limit": 7, **settings}
    return simple_speaker_listener(continuous_actions=continuous, **settings)


class SavedCorridor(CorridorWorlds):
    """Worlds of others, which can be saved."""

    def snapshot(self):
        return {"places": self.local_states.copy(), "age": self.age.copy()}

    def restore(self, snapshot):
        self.local_states, self.age = snapshot["places"], snapshot["age"]


def see_actions(policy):
    n, d = policy.n_agents, policy.parameters[0].shape[1] - policy.n_agents
    return policy(np.random.default_rng(0).random((2, n, d)))


IQL = DeepIQLConfig(n_steps=50, hidden_sizes=(8,), batch_size=16, buffer_size=70, n_records=5)
MADDPG = quick(n_steps=50, n_records=5, buffer_size=70, updates_per_step=2)
SEEN = np.random.default_rng(0).random((2, 2, 11)).astype(np.float32)
LEARNERS = {
    "MADDPG, vectors": lambda worlds=None, **told: train_maddpg(
        worlds or speak(), MADDPG, 3, evaluate=lambda policy: policy(SEEN), **told
    ),
    "MADDPG, numbers": lambda worlds=None, **told: train_maddpg(
        worlds or speak(False), MADDPG, 3, evaluate=lambda policy: policy(SEEN), **told
    ),
    "independent Q-learning": lambda worlds=None, **told: train_iql(
        worlds or SavedCorridor(4, 2), IQL, (5, 3), evaluate=see_actions, **told
    ),
}
WORLDS = dict(zip(LEARNERS, (speak, lambda: speak(False), lambda: SavedCorridor(4, 2))))


def tensors(policy):
    return policy.actors if hasattr(policy, "actors") else policy.parameters


def assert_same(a, b):
    """All that two histories hold, but for the seconds."""
    for name in ("steps", "updates", "episodes", "losses", "noise", "epsilon", "evaluations"):
        x, y = getattr(a, name), getattr(b, name)
        assert (x is None) == (y is None)
        assert x is None or (x.dtype == y.dtype and np.array_equal(x, y, equal_nan=True)), name
    for mine, theirs in zip((*a.returns, *a.ended_at), (*b.returns, *b.ended_at), strict=True):
        assert np.array_equal(mine, theirs)
    for mine, theirs in zip(a.policies, b.policies, strict=True):
        assert all(map(torch.equal, tensors(mine), tensors(theirs)))


@pytest.mark.parametrize("learner", LEARNERS)
def test_resuming_equals_not_stopping(tmp_path, learner):
    """Stopped in its first steps, in the midst of an episode, again later; what came after the last record is done again."""
    train, path, told = LEARNERS[learner], tmp_path / "run.pt", []
    for at in (8, 26, 13):
        with pytest.raises(Stop):
            train(stopping(WORLDS[learner](), at), save_to=path)
    resumed = train(save_to=path, progress=told.append)
    assert_same(resumed, train())
    assert told == [0.8, 1.0]
    before = path.read_bytes()
    assert_same(train(save_to=str(path)), resumed)  # a finished run is told again
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.pt"]


KILLED = """
    import os, signal, sys
    from test_saving import LEARNERS, speak
    worlds, steps = speak(), []
    step = worlds.step

    def killed(actions, rng):
        steps.append(0)
        if len(steps) == 25:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(actions, rng)

    worlds.step = killed
    LEARNERS["MADDPG, vectors"](worlds, save_to=sys.argv[1])
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_process_leaves_a_run_that_goes_on(tmp_path):
    here = Path(__file__).parent
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / "run.pt")]
    paths = {"PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])}
    killed = subprocess.run(
        command, cwd=here.parents[3], env=os.environ | paths, capture_output=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    train = LEARNERS["MADDPG, vectors"]
    assert_same(train(save_to=tmp_path / "run.pt"), train())


def other(**changes):
    """Train with the arguments of the saved run, some changed."""
    usual = {
        "worlds": speak(),
        "config": MADDPG,
        "seed": 3,
        "evaluate": lambda policy: policy(SEEN),
    }
    return lambda path: train_maddpg(**{**usual, **changes}, save_to=path)


@pytest.mark.parametrize(
    ("train", "word"),
    [
        (other(seed=4), "save_to: .* holds another run, .*seed 3.*; this is .*seed 4"),
        (other(config=replace(MADDPG, discount=0.5)), r"save_to: .*discount=0\.5"),
        (other(worlds=speak(n_worlds=4)), "save_to: .*another run"),
        (other(worlds=speak(continuous=False)), "save_to: .*another run"),
        (other(worlds=simple_spread(3, continuous_actions=True)), "save_to: .*another run"),
        (other(worlds=speak(time_limit=8)), "time_limit"),
        (lambda path: train_iql(SavedCorridor(4, 2), IQL, 2, save_to=path), "another run"),
    ],
)
def test_another_run_does_not_go_on(tmp_path, train, word):
    path = tmp_path / "run.pt"
    with pytest.raises(Stop):
        other(worlds=stopping(speak(), 15))(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=word):
        train(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda held: held[:-1],
        lambda held: held[:3000] + bytes([held[3000] ^ 1]) + held[3001:],
        lambda held: b"",
        lambda held: b"not a run at all, but long enough to be taken for one",
    ],
    ids=["cut", "one bit", "empty", "text"],
)
def test_a_damaged_file_is_refused_and_left(tmp_path, damage):
    path = tmp_path / "run.pt"
    other(config=quick(n_steps=4, n_records=1))(path)
    path.write_bytes(damage(path.read_bytes()))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"^save_to: .*run\.pt holds no run, or a damaged one"):
        other(config=quick(n_steps=4, n_records=1))(path)
    assert path.read_bytes() == before


def test_every_kind_of_part_comes_back(tmp_path):
    def parts(seed):
        rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        weight = torch.rand(3, generator=generator).requires_grad_()
        adam = torch.optim.Adam([weight], lr=0.1)
        weight.square().sum().backward()
        adam.step()
        worlds = ToyWorlds(3, (2, 2), always_one, sees=(2, 2))
        worlds.reset(rng)
        return {
            "numbers": [rng, generator], "weight": weight, "adam": adam, "worlds": worlds,
            "noise": rng.random((2, 2)),
        }  # fmt: skip

    kept, others = parts(0), parts(1)
    save_run(tmp_path / "run.pt", "a run", kept)
    load_run(tmp_path / "run.pt", "a run", others)
    assert torch.equal(kept["weight"], others["weight"]) and others["weight"].requires_grad
    assert (kept["noise"] == others["noise"]).all()
    assert (kept["worlds"].secrets == others["worlds"].secrets).all()
    for one in (kept, others):
        one["weight"].grad = torch.ones(3)
        one["adam"].step()
    assert torch.equal(kept["weight"], others["weight"])
    (rng, generator), (rng2, generator2) = kept["numbers"], others["numbers"]
    assert rng.random() == rng2.random()
    assert torch.equal(torch.rand(2, generator=generator), torch.rand(2, generator=generator2))


def test_saving_touches_no_other_file(tmp_path):
    (tmp_path / "run.pt.part").write_text("mine")
    save_run(tmp_path / "run.pt", "a run", {"n": 1})
    assert (tmp_path / "run.pt.part").read_text() == "mine"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run.pt", "run.pt.part"]
