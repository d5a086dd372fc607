"""Runs of MADDPG: that they learn, what they record, and that a run which stopped goes on as if it had not."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from corridor_worlds import CorridorWorlds
from maddpg_worlds import TalkWorlds, ToyWorlds, always_one, quick

from marl_lessons.algorithms.deep import maddpg
from marl_lessons.algorithms.deep.maddpg import MADDPGRun, resume_maddpg, train_maddpg
from marl_lessons.algorithms.deep.maddpg_update import MADDPGConfig, Pieces
from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.envs.stepping import BatchedStep


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Stop(Exception):
    """What stops a run in its middle."""


def speak(n_worlds=3, continuous=True, **settings):
    settings = {"time_limit": 7, **settings}
    return simple_speaker_listener(n_worlds, continuous_actions=continuous, **settings)


def first_actions(policy):
    seen = np.random.default_rng(0).random((2, len(policy.action_sizes), 11)).astype(np.float32)
    return policy(seen)


def assert_same(a, b):
    """All that two histories hold, but for the seconds."""
    for name in ("steps", "env_steps", "updates", "noise", "losses", "returns", "ended_at"):
        x, y = getattr(a, name), getattr(b, name)
        assert x.dtype == y.dtype and np.array_equal(x, y, equal_nan=True), name
    assert a.seed == b.seed and len(a.policies) == len(b.policies)
    assert (a.evaluations is None) == (b.evaluations is None)
    assert a.evaluations is None or np.array_equal(a.evaluations, b.evaluations)
    for mine, theirs in zip(a.policies, b.policies):
        assert all(torch.equal(p, q) for p, q in zip(mine.actors, theirs.actors, strict=True))
        assert mine.action_sizes == theirs.action_sizes
        assert mine.observation_sizes == theirs.observation_sizes
        assert mine.continuous == theirs.continuous


def differ(a, b):
    last = zip(a.policy.actors, b.policy.actors, strict=True)
    return any(not torch.equal(p, q) for p, q in last)


# What it learns


# Every setting that matters is named: what is learned within a second must not hang on the defaults.
LEARNER = {
    "hidden_sizes": (32,),
    "batch_size": 64,
    "buffer_size": 10_000,
    "actor_rate": 0.01,
    "critic_rate": 0.01,
    "target_rate": 0.05,
    "learn_from": 10,
    "noise_start": 0.35,
    "noise_end": 0.1,
    "noise_over": 200,
    "noise_correlation": 0.6,
    "n_records": 1,
}


def meet(actions, secrets):
    """Both pay the squared gap between their difference and half the difference of their secrets."""
    gap = actions[:, 0, 0] - actions[:, 1, 0] - (secrets[:, 0] - secrets[:, 1]) / 2
    return np.repeat(-(gap[:, None] ** 2), 2, axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_vectors_that_must_fit_each_other_are_learned(seed):
    """The optimum is 0, where a_i = s_i / 2 + c with the same c; actions that ignore the secrets pay 1/24 or more.

    One agent that uses its secret while the other does not still pays 1/48 = 0.021.
    """
    config = MADDPGConfig(n_steps=400, **LEARNER)
    history = train_maddpg(ToyWorlds(16, (1, 2), meet, sees=(2, 2)), config, seed)
    worlds, rng = ToyWorlds(2000, (1, 2), meet, sees=(2, 2)), np.random.default_rng(5)
    paid = worlds.step(history.policy(worlds.reset(rng)), rng).rewards
    assert paid.mean() > -0.008


def both_right(actions, secrets):
    """1 for both if each tells whether its secret is above one half; one that errs spoils it for both."""
    right = (actions == (secrets > 0.5)).all(axis=1)
    return np.repeat(right[:, None], 2, axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_whole_numbers_are_learned_through_gumbel_noise(seed):
    """The optimum is 1; 1/2 is what is left where one agent knows its part and the other guesses, 1/4 where both do."""
    config = MADDPGConfig(n_steps=400, **LEARNER)
    settings = {"continuous": False, "sees": (2, 2)}
    history = train_maddpg(ToyWorlds(16, (2, 3), both_right, **settings), config, seed)
    worlds, rng = ToyWorlds(2000, (2, 3), both_right, **settings), np.random.default_rng(5)
    paid = worlds.step(history.policy(worlds.reset(rng)), rng).rewards
    assert paid.mean() > 0.75


# What is recorded


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
def test_what_a_history_holds(continuous):
    told, seen = [], []
    config = quick(n_steps=30, learn_from=6, updates_per_step=2, noise_start=0.5, noise_end=0.1)

    def evaluate(policy):
        seen.append(policy)
        return [1.0, len(seen)]

    history = train_maddpg(
        speak(continuous=continuous), config, seed=4, progress=told.append, evaluate=evaluate
    )
    assert history.steps.tolist() == [0, 10, 20, 30]
    assert history.env_steps.tolist() == [0, 30, 60, 90]
    assert history.updates.tolist() == [0, 8, 28, 48]
    assert history.noise == pytest.approx([0.5, 0.5 - 0.4 * 8 / 50, 0.5 - 0.4 * 28 / 50, 0.116])
    assert history.losses.shape == (4, 2) and np.isnan(history.losses[0]).all()
    assert (history.losses[1:] > 0).all() and (np.diff(history.seconds) > 0).all()
    assert history.evaluations.tolist() == [[1, 1], [1, 2], [1, 3], [1, 4]]
    assert history.returns.shape == (12, 2) and history.seed == 4
    assert history.ended_at.tolist() == [7] * 3 + [14] * 3 + [21] * 3 + [28] * 3
    assert told == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert len(history.policies) == 4 and history.policy is history.policies[-1]
    for policy, at_record in zip(history.policies, seen, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(policy.actors, at_record.actors))


def test_returns_are_sums_of_what_the_worlds_paid():
    worlds = ToyWorlds(3, (2, 2), lambda a, s: s, n_steps=4)
    history = train_maddpg(worlds, quick(n_steps=12, n_records=1))
    paid = np.array([step[2] for step in worlds.log]).reshape(3, 4, 3, 2)
    assert history.returns == pytest.approx(paid.sum(axis=1).reshape(9, 2))


def test_losses_are_means_since_the_record_before():
    told = []

    def loss(q, target):
        told.append((target - q).square().mean(dim=1))
        return told[-1]

    config = quick(n_steps=20, learn_from=10, n_records=4)
    history = train_maddpg(speak(), config, pieces=Pieces(critic_loss=loss))
    assert np.isnan(history.losses[:3]).all() and len(told) == 10
    for k, part in ((3, told[:5]), (4, told[5:])):
        assert history.losses[k] == pytest.approx(torch.stack(part).mean(dim=0).tolist(), rel=1e-5)


def test_nothing_is_learned_before_its_time():
    history = train_maddpg(speak(), quick(n_steps=10, learn_from=10, n_records=1))
    assert history.updates.tolist() == [0, 0]
    assert all(map(torch.equal, history.policies[0].actors, history.policy.actors))


def test_exploration_stays_within_the_allowed_actions():
    """Noise far stronger than the actions: entries stay in [0, 1], 0 behind an agent's own, and reach both ends."""
    worlds = ToyWorlds(20, (1, 3), always_one, n_steps=3)
    train_maddpg(worlds, quick(n_steps=9, noise_start=3.0, n_records=1))
    actions = np.array([step[1] for step in worlds.log])
    assert actions.min() == 0 and actions.max() == 1 and (actions[:, :, 0, 1:] == 0).all()
    assert ((actions == 0) | (actions == 1))[:, :, 1].mean() > 0.7


@pytest.mark.parametrize("scale", [0.0, 0.05])
def test_exploration_is_as_strong_as_it_is_told(scale):
    worlds = ToyWorlds(400, (2, 2), always_one, n_steps=5)
    config = quick(n_steps=10, learn_from=99, noise_start=scale, n_records=1)
    policy = train_maddpg(worlds, config).policy
    for seen, actions, *_ in worlds.log:
        apart = actions - policy(seen)
        assert apart.std() == pytest.approx(scale, rel=0.1, abs=1e-7)
        assert apart.mean() == pytest.approx(0.0, abs=0.01)


def test_exploration_calms_down_with_the_updates():
    """The actors all but stand still; after two updates the noise is as weak as it ends."""
    worlds = ToyWorlds(400, (2, 2), always_one, n_steps=5)
    settings = {"noise_start": 0.1, "noise_end": 0.02, "noise_over": 2, "actor_rate": 1e-9}
    policy = train_maddpg(worlds, quick(n_steps=6, learn_from=2, n_records=1, **settings)).policy
    strength = [(actions - policy(seen)).std() for seen, actions, *_ in worlds.log]
    assert strength == pytest.approx([0.1, 0.1, 0.1, 0.06, 0.02, 0.02], rel=0.1)


def test_exploration_noise_is_correlated_within_an_episode_alone():
    worlds = ToyWorlds(1000, (2, 2), always_one, n_steps=4)
    config = quick(n_steps=8, learn_from=99, noise_start=0.05, noise_correlation=0.8, n_records=1)
    policy = train_maddpg(worlds, config).policy
    noise = [(actions - policy(seen)).ravel() for seen, actions, *_ in worlds.log]
    alike = [np.corrcoef(x, y)[0, 1] for x, y in pairwise(noise)]
    assert alike == pytest.approx([0.8, 0.8, 0.8, 0.0, 0.8, 0.8, 0.8], abs=0.06)


def test_whole_numbers_explore_as_the_softmax_says():
    worlds = ToyWorlds(5000, (2, 3), always_one, n_steps=3, continuous=False)
    config = quick(n_steps=3, learn_from=99, n_records=1, buffer_size=5000)
    actors = train_maddpg(worlds, config).policy.actors
    w1, b1, w2, b2 = (p.double().numpy() for p in actors)
    actions = np.array([step[1] for step in worlds.log])
    for i, size in enumerate((2, 3)):
        z = (np.maximum(0, w1[i, 0] + b1[i, 0]) @ w2[i] + b2[i, 0])[:size]
        expected = np.exp(z) / np.exp(z).sum()
        shares = [(actions[..., i] == a).mean() for a in range(size)]
        assert shares == pytest.approx(expected, abs=0.02)


# One seed, one run


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
@pytest.mark.parametrize("central", [True, False], ids=["central", "independent"])
def test_a_seed_decides_everything(continuous, central):
    config = quick(n_steps=30, central=central)
    a, b, c = (train_maddpg(speak(continuous=continuous), config, seed) for seed in (1, 1, 2))
    assert_same(a, b)
    assert differ(a, c) and (a.returns != c.returns).any()
    assert differ(
        a, train_maddpg(speak(continuous=continuous), quick(n_steps=30, central=not central), 1)
    )


def test_evaluation_and_progress_do_not_disturb_a_run():
    config = quick(n_steps=30)
    watched = train_maddpg(speak(), config, evaluate=first_actions, progress=lambda share: None)
    assert not differ(watched, train_maddpg(speak(), config))


def test_large_seeds_and_a_device_as_torch_names_it():
    config = quick(n_steps=10, n_records=1)
    a = train_maddpg(speak(), config, 2**62, device=torch.device("cpu"))
    assert_same(a, train_maddpg(speak(), config, 2**62, device="cpu"))


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
@pytest.mark.parametrize("make", [simple_spread, simple_speaker_listener, simple_tag])
def test_all_particle_worlds_can_be_learned_in(make, continuous):
    history = train_maddpg(make(2, continuous_actions=continuous), quick(n_steps=30))
    assert np.isfinite(history.losses[-1]).all() and history.updates[-1] == 25
    seen = make(2).reset(np.random.default_rng(0))
    assert len(history.policy(seen)) == 2


@pytest.mark.parametrize("name", ["simple_spread", "simple_speaker_listener", "simple_tag"])
def test_mpe2_can_be_learned_in(name):
    pytest.importorskip("mpe2", reason="mpe2 is optional")
    from marl_lessons.envs import mpe_worlds

    for continuous in (True, False):
        worlds = mpe_worlds(name, 2, continuous_actions=continuous, time_limit=10)
        history = train_maddpg(worlds, quick(n_steps=30))
        assert history.updates[-1] == 25 and len(history.returns) == 6


def test_observations_in_double_precision_are_taken():
    worlds = ToyWorlds(3, (2, 2), always_one, n_steps=4)
    see = worlds.see
    worlds.see = lambda: see().astype(float)
    same = ToyWorlds(3, (2, 2), always_one, n_steps=4)
    assert_same(train_maddpg(worlds, quick(n_steps=20)), train_maddpg(same, quick(n_steps=20)))


# Stop and go on


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
@pytest.mark.parametrize("by", ["progress", "evaluate", "worlds"])
def test_a_run_that_stopped_goes_on_as_if_it_had_not(tmp_path, continuous, by):
    """Stopped between two records, in the midst of an episode; what came after the last save is done again."""
    config = quick(n_steps=50, n_records=5, buffer_size=70, updates_per_step=2)
    whole = train_maddpg(speak(continuous=continuous), config, 3, evaluate=first_actions)
    calls, worlds = [0], speak(continuous=continuous)

    def stop(kind, last):
        calls[0] += kind == by
        if kind == by and calls[0] == last:
            raise Stop

    def evaluate(policy):
        stop("evaluate", 4)
        return first_actions(policy)

    step = worlds.step
    worlds.step = lambda actions, rng: (stop("worlds", 26), step(actions, rng))[1]
    path = tmp_path / "run.pt"
    settings = {"progress": lambda share: stop("progress", 4), "evaluate": evaluate}
    with pytest.raises(Stop):
        train_maddpg(worlds, config, 3, save_to=path, **settings)
    told = []
    resumed = resume_maddpg(
        path, speak(continuous=continuous), progress=told.append, evaluate=first_actions
    )
    assert_same(resumed, whole)
    first = {"progress": 0.6, "evaluate": 0.4, "worlds": 0.4}[by]
    assert told == pytest.approx([*np.arange(first, 0.9, 0.2), 1.0])
    assert (np.diff(resumed.seconds) > 0).all()


def test_a_run_can_be_stopped_again_and_again(tmp_path):
    config, path = quick(n_steps=40, n_records=4), tmp_path / "run.pt"

    def one_more():
        shares = []

        def progress(share):
            shares.append(share)
            if len(shares) == 2:
                raise Stop

        return progress

    with pytest.raises(Stop):
        train_maddpg(speak(), config, save_to=path, progress=one_more())
    for _ in range(2):
        with pytest.raises(Stop):
            resume_maddpg(path, speak(), progress=one_more())
    assert_same(resume_maddpg(path, speak()), train_maddpg(speak(), config))


def test_faulty_pieces_go_on_as_well(tmp_path):
    config, path = quick(n_steps=20, n_records=2), tmp_path / "run.pt"
    pieces = Pieces(prepare=lambda batch: batch._replace(rewards=0 * batch.rewards))
    stops = iter([None, None, Stop])

    def progress(share):
        if next(stops) is Stop:
            raise Stop

    with pytest.raises(Stop):
        train_maddpg(speak(), config, save_to=path, pieces=pieces, progress=progress)
    assert_same(resume_maddpg(path, speak()), train_maddpg(speak(), config, pieces=pieces))


def test_a_finished_run_is_returned_as_it_is(tmp_path):
    path = tmp_path / "run.pt"
    whole = train_maddpg(speak(), quick(n_steps=10), save_to=str(path), evaluate=first_actions)
    before = path.read_bytes()
    assert_same(resume_maddpg(str(path), speak()), whole)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.pt"]


KILLED = """
    import os, signal, sys, torch
    torch.set_num_threads(1)
    from marl_lessons.algorithms.deep.maddpg import train_maddpg
    from marl_lessons.algorithms.deep.maddpg_update import MADDPGConfig
    from marl_lessons.envs import simple_speaker_listener

    worlds = simple_speaker_listener(3, continuous_actions=True, time_limit=7)
    calls, step = [], worlds.step

    def kill_at_the_25th(actions, rng):
        calls.append(0)
        if len(calls) == 25:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(actions, rng)

    worlds.step = kill_at_the_25th
    config = MADDPGConfig(n_steps=30, hidden_sizes=(8,), batch_size=16, learn_from=5, n_records=3)
    train_maddpg(worlds, config, 1, save_to=sys.argv[1])
"""


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
def test_a_run_that_stopped_before_its_second_record_goes_on(tmp_path, continuous):
    """Stopped in the midst of its first steps; the file holds the record at step 0."""
    config, path, calls = quick(n_steps=20, n_records=2), tmp_path / "run.pt", []
    worlds = speak(continuous=continuous)
    step = worlds.step

    def stop_at_the_8th(actions, rng):
        calls.append(0)
        if len(calls) == 8:
            raise Stop
        return step(actions, rng)

    worlds.step = stop_at_the_8th
    with pytest.raises(Stop):
        train_maddpg(worlds, config, 2, save_to=path, evaluate=first_actions)
    told, fresh = [], speak(continuous=continuous)
    resumed = resume_maddpg(path, fresh, progress=told.append, evaluate=first_actions)
    whole = train_maddpg(speak(continuous=continuous), config, 2, evaluate=first_actions)
    assert told == [0, 0.5, 1]
    assert_same(resumed, whole)


def assert_equal_states(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        a, b = list(a.values()), list(b.values())
    if isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_equal_states(x, y)
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    else:
        assert a == b or (a != a and b != b)


class SharingWorlds(ToyWorlds):
    """Worlds whose snapshots are what they go on with, and which go on with what they restore."""

    def snapshot(self):
        return {"ages": self.ages, "secrets": self.secrets, "more": {"place": [1, "x", None]}}

    def restore(self, snapshot):
        assert snapshot["more"] == {"place": [1, "x", None]}
        self.ages, self.secrets = snapshot["ages"], snapshot["secrets"]

    def reset_where(self, which, rng):
        self.secrets[:] += 0.0
        return super().reset_where(which, rng)


def recorded_run(n_steps=16):
    worlds = SharingWorlds(3, (2, 2), lambda a, s: s, n_steps=3, sees=(2, 2))
    run = MADDPGRun(worlds, quick(n_steps=32, n_records=4), 0, "cpu", None)
    run.record(None)
    for k in range(n_steps):
        run.step()
        if (k + 1) % 8 == 0:
            run.record(None)
    return run


def test_a_state_in_memory_stays_as_it_is():
    """Neither the run that it was taken from changes it, nor one that goes on from it; and both go on alike."""
    run = recorded_run()
    state = run.state()
    kept = copy.deepcopy(state)
    other = recorded_run(0)
    other.restore(state)
    for one in (run, other):
        for _ in range(8):
            one.step()
        one.record(None)
        assert_equal_states(state, kept)
    a, b = run.state(), other.state()
    for each in (a, b):
        for record in (*each["records"], each):
            record["seconds"] = 0.0
    assert_equal_states(a, b)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_process_leaves_a_run_that_goes_on(tmp_path):
    path, root = tmp_path / "run.pt", Path(__file__).parents[2]
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(path)]
    killed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    config = MADDPGConfig(n_steps=30, hidden_sizes=(8,), batch_size=16, learn_from=5, n_records=3)
    assert_same(resume_maddpg(path, speak()), train_maddpg(speak(), config, 1))


# What saving refuses


def saved(tmp_path, worlds=None, **settings):
    """A file with a run that stopped after one of two records."""
    path, stops = tmp_path / "run.pt", iter([None, Stop])

    def progress(share):
        if next(stops) is Stop:
            raise Stop

    config = quick(**{"n_steps": 16, "n_records": 2, **settings})
    with pytest.raises(Stop):
        train_maddpg(worlds or speak(), config, save_to=path, progress=progress)
    return path


def test_an_existing_file_is_never_written_over(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(ValueError, match="save_to"):
        train_maddpg(speak(), quick(), save_to=path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("wrong", [5, b"run.pt", ["run.pt"], True])
def test_save_to_is_a_path(wrong):
    with pytest.raises(ValueError, match="save_to"):
        train_maddpg(speak(), quick(), save_to=wrong)


def test_save_to_needs_a_folder(tmp_path):
    for wrong in (tmp_path / "none" / "run.pt", tmp_path):
        with pytest.raises(ValueError, match="save_to"):
            train_maddpg(speak(), quick(), save_to=wrong)


def test_empty_names_and_folders_are_told_apart_from_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for wrong, said in [
        ("", "expected the name of a file, .* got ''"),
        (".", "is a folder; name a file in it"),
        (tmp_path, "is a folder; name a file in it, such as .*run.pt"),
        ("x" * 300, "cannot be a file|File name too long"),
    ]:
        with pytest.raises(ValueError, match=f"^save_to: .*{said}"):
            train_maddpg(speak(), quick(), save_to=wrong)
    with pytest.raises(ValueError, match=r"^path: expected the name of a file, .* got ''"):
        resume_maddpg("", speak())
    with pytest.raises(
        ValueError, match=r"^path: .* holds no saved run \(it is a folder; name the file"
    ):
        resume_maddpg(tmp_path, speak())
    with pytest.raises(ValueError, match=r"^path: "):
        resume_maddpg("x" * 300, speak())
    assert os.listdir(tmp_path) == []


class OddSnapshots(ToyWorlds):
    """Worlds whose snapshot no file can hold."""

    odd = None

    def snapshot(self):
        return self.odd


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [1, 2],
        {"a": object()},
        {"a": [{1, 2}]},
        {"a": np.array(["x"])},
        {"a": np.array([None])},
    ],
)
def test_snapshots_that_a_file_cannot_hold_are_refused_at_once(tmp_path, odd):
    worlds = OddSnapshots(3, (2, 2), always_one, n_steps=3)
    worlds.odd = odd
    with pytest.raises(ValueError, match=r"^worlds: .*snapshot\(\)"):
        train_maddpg(worlds, quick(), save_to=tmp_path / "run.pt")
    assert os.listdir(tmp_path) == []


def test_a_failed_write_leaves_the_old_run_whole(tmp_path, monkeypatch):
    path = saved(tmp_path)
    before = path.read_bytes()

    def half(state, target):
        Path(target).write_bytes(b"half of it")
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(maddpg.torch, "save", half)
        with pytest.raises(OSError, match="no space"):
            resume_maddpg(path, speak())
    assert path.read_bytes() == before
    config = quick(n_steps=16, n_records=2)
    assert_same(resume_maddpg(path, speak()), train_maddpg(speak(), config))


def test_worlds_without_snapshots_are_fine_unless_a_run_is_saved(tmp_path):
    config, path = quick(n_steps=10, n_records=1), tmp_path / "run.pt"
    assert train_maddpg(TalkWorlds(3, continuous=True), config).updates[-1] == 5
    with pytest.raises(ValueError, match=r"worlds: .*snapshot"):
        train_maddpg(TalkWorlds(3, continuous=True), config, save_to=path)
    assert not path.exists()
    saved(tmp_path)
    with pytest.raises(ValueError, match=r"worlds: .*snapshot"):
        resume_maddpg(path, TalkWorlds(3, continuous=True))


# What resuming refuses


class Harmful:
    """A pickle that would make a folder if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def garbage(kind, path, harm):
    if kind == "text":
        path.write_text("hello")
    if kind == "empty":
        path.write_bytes(b"")
    if kind == "pickle":
        path.write_bytes(pickle.dumps(Harmful(harm), protocol=2))
    if kind == "torch file":
        torch.save({"config": Harmful(harm), "networks": 0, "records": 0}, path)
    if kind == "tensor":
        torch.save(torch.zeros(3), path)
    if kind == "cut short":
        path.write_bytes(path.read_bytes()[:-500])
    if kind == "folder":
        path.unlink()
        path.mkdir()
    if kind == "nothing":
        path.unlink()


@pytest.mark.parametrize(
    "kind",
    ["text", "empty", "pickle", "torch file", "tensor", "cut short", "folder", "nothing"],
)
def test_files_that_hold_no_run_are_refused_and_not_run(tmp_path, kind):
    path, harm = saved(tmp_path), tmp_path / "harm"
    garbage(kind, path, harm)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ValueError, match="path"):
        resume_maddpg(path, speak())
    assert not harm.exists()
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("wrong", [None, 5, b"run.pt"])
def test_path_is_a_path(wrong):
    with pytest.raises(ValueError, match="path"):
        resume_maddpg(wrong, speak())


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("config", 3),
        ("config", {"n_steps": 5, "unknown": 2}),
        ("config", {"n_steps": -5}),
        ("seed", -1),
        ("networks", None),
        ("replay", None),
        ("records", None),
    ],
)
def test_files_with_a_part_that_is_wrong_or_missing_are_refused(tmp_path, part, value):
    path = saved(tmp_path)
    state = torch.load(path, weights_only=True)
    if value is None:
        del state[part]
    else:
        state[part] = value
    torch.save(state, path)
    with pytest.raises(ValueError, match="path"):
        resume_maddpg(path, speak())


PARTS = (
    "config seed kind networks optimizers replay worlds rng generator noise seen total counts "
    "seconds ended records"
).split()


def changed(tmp_path, change):
    """A file with a saved run of which ``change`` has changed something."""
    path = saved(tmp_path)
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)
    return path


@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_a_file_must_be_there(tmp_path, part):
    path = changed(tmp_path, lambda state: state.pop(part))
    with pytest.raises(ValueError, match=rf"^path: .*{part}"):
        resume_maddpg(path, speak())


def test_the_parts_are_those_that_a_run_saves(tmp_path):
    assert set(torch.load(saved(tmp_path), weights_only=True)) == set(PARTS)


@pytest.mark.parametrize("value", [3, None, "x", [], {}, 2.5, torch.zeros(2)], ids=repr)
@pytest.mark.parametrize("part", PARTS)
def test_a_garbled_part_is_the_files_fault(tmp_path, part, value):
    """A seed of 3 and 2.5 seconds are no damage."""
    if (part, repr(value)) in (("seed", "3"), ("seconds", "2.5"), ("ended", "[]")):
        return
    path = changed(tmp_path, lambda state: state.update({part: value}))
    with pytest.raises(ValueError, match=r"^path"):
        resume_maddpg(path, speak())


def put(*places, value):
    """A change of one place deep inside a state."""

    def change(state):
        for place in places[:-1]:
            state = state[place]
        state[places[-1]] = value

    return change


NAN = float("nan")
DAMAGES = {
    "a network broadcasts": put("networks", 0, 0, value=torch.zeros(())),
    "a network is not finite": put("networks", 1, 0, value=torch.full((2, 32, 8), NAN)),
    "a network is missing": put("networks", value=[[], [], []]),
    "noise of another shape": put("noise", value=torch.zeros(1, 2, 5)),
    "observations of another shape": put("seen", value=torch.zeros(3, 1, 11)),
    "totals as whole numbers": put("total", value=torch.zeros(3, 2, dtype=int)),
    "one count": put("counts", value=[8]),
    "other counts": put("counts", value=[4, 3]),
    "counts that are text": put("counts", value=["8", "3"]),
    "a random generator of another kind": put("rng", "bit_generator", value="MT19937"),
    "a generator cut short": put("generator", value=torch.zeros(5, dtype=torch.uint8)),
    "no moments of Adam": put("optimizers", 0, "state", value={}),
    "moments of another shape": put("optimizers", 1, "state", 0, "exp_avg", value=torch.zeros(2)),
    "one optimizer": put("optimizers", value=[]),
    "a replay that lost rows": put("replay", "n_stored", value=5),
    "a record without losses": put("records", 1, value={"step": 8}),
    "losses as text": put("records", 1, "losses", value="none"),
    "a record of another step": put("records", 1, "step", value=7),
    "no record": put("records", value=[]),
    "actors of another shape": put("records", 0, "actors", value=[torch.zeros(2)] * 4),
    "an answer of evaluate that is text": put("records", 0, "evaluation", value="good"),
    "episodes without an end": put("ended", 0, value=[torch.zeros(3, 2)]),
    "episodes of another number of agents": put("ended", 0, value=[torch.zeros(3), torch.zeros(3)]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_deep_inside_a_file_is_found_before_the_run_goes_on(tmp_path, damage):
    path, told = changed(tmp_path, DAMAGES[damage]), []
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"^path"):
        resume_maddpg(path, speak(), progress=told.append)
    assert told == [] and path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("time_limit", {"time_limit": 8}),
        ("physics", {"physics": "openai"}),
        ("returns", {"returns": "openai"}),
        ("n_worlds", {"n_worlds": 4}),
        ("continuous", {"continuous": False}),
    ],
)
def test_worlds_of_other_rules_cannot_go_on_with_a_run(tmp_path, name, settings):
    """All sizes may be the same: the message says what differs."""
    path = saved(tmp_path)
    with pytest.raises(ValueError, match=rf"^worlds: expected {name} to be .*, got .*run\.pt"):
        resume_maddpg(path, speak(**settings))


def test_too_many_worlds_are_the_worlds_fault(tmp_path):
    """The buffer of the run holds no step of them, but nobody gave a config."""
    path = saved(tmp_path, buffer_size=3)
    with pytest.raises(ValueError, match=r"^worlds: expected n_worlds to be 3, got 4"):
        resume_maddpg(path, speak(4))


def test_worlds_that_tell_no_kind_cannot_go_on_for_those_that_do(tmp_path):
    path, worlds = saved(tmp_path), speak()
    worlds.snapshot = lambda: {"positions": np.zeros(2)}
    with pytest.raises(ValueError, match=r"^worlds: expected scene to be .*, got nothing"):
        resume_maddpg(path, worlds)


OTHERS = {
    "number": lambda: speak(4),
    "one": lambda: speak(1),
    "kind of actions": lambda: speak(continuous=False),
    "scene": lambda: simple_spread(3, continuous_actions=True),
    "other scene": lambda: simple_tag(3, continuous_actions=True),
    "none": lambda: None,
    "own worlds": lambda: ToyWorlds(3, (5, 3), always_one, n_steps=7, sees=(3, 1)),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_worlds_cannot_go_on_with_a_run(tmp_path, kind):
    path = saved(tmp_path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="worlds"):
        resume_maddpg(path, OTHERS[kind]())
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["run.pt"]


def test_vectors_cannot_go_on_with_a_run_of_whole_numbers(tmp_path):
    """Networks, replay and state have the same shapes; all that differs is what the actions mean."""
    path = saved(tmp_path, speak(continuous=False))
    with pytest.raises(ValueError, match="worlds"):
        resume_maddpg(path, speak(continuous=True))


def test_evaluation_cannot_begin_end_or_change_in_the_middle(tmp_path):
    path = saved(tmp_path)
    with pytest.raises(ValueError, match="evaluate"):
        resume_maddpg(path, speak(), evaluate=first_actions)
    shapes = iter([1.0, [1.0, 2.0]])
    with pytest.raises(ValueError, match="evaluate"):
        train_maddpg(speak(), quick(n_steps=4, n_records=1), evaluate=lambda policy: next(shapes))


# What training refuses


class EarlyLeaver(ToyWorlds):
    """Agent 1 leaves after the first of three steps, or takes part only from the second step on."""

    late = False

    @property
    def active(self):
        there = super().active
        there[:, 1] &= (self.ages > 0) == self.late
        return there


@pytest.mark.parametrize("late", [False, True])
def test_agents_that_leave_early_or_come_late_are_refused(late):
    worlds = EarlyLeaver(2, (2, 2), always_one, n_steps=3)
    worlds.late = late
    with pytest.raises(ValueError, match="worlds: an agent"):
        train_maddpg(worlds, quick(n_steps=6))
    with pytest.raises(ValueError, match="worlds: an agent"):
        train_maddpg(CorridorWorlds(3, 2), quick(n_steps=20))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("worlds", None),
        ("worlds", "simple_spread"),
        ("config", {"n_steps": 3}),
        ("config", 3),
        ("seed", -1),
        ("seed", 1.5),
        ("seed", True),
        ("seed", None),
        ("device", "abacus"),
        ("device", 3.5),
        ("progress", 1),
        ("evaluate", "all"),
        ("pieces", {"next_values": None}),
        ("pieces", Pieces(next_values=None)),
        ("pieces", Pieces(critic_loss=lambda q, target: None)),
    ],
)
def test_wrong_arguments_are_named(name, wrong):
    arguments = {"worlds": speak(), "config": quick(n_steps=5, learn_from=2), name: wrong}
    with pytest.raises(ValueError, match=name):
        train_maddpg(**arguments)


@pytest.mark.parametrize("answer", ["good", [[1.0], [1.0, 2.0]], {"a": 1}, 10**400])
def test_answers_of_evaluate_are_numbers(answer):
    with pytest.raises(ValueError, match="evaluate"):
        train_maddpg(speak(), quick(n_steps=5), evaluate=lambda policy: answer)


def test_a_buffer_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="config: buffer_size"):
        train_maddpg(speak(3), quick(buffer_size=2))
    assert train_maddpg(speak(3), quick(n_steps=9, buffer_size=3)).updates[-1] == 4


def bad(value):
    def pay(actions, secrets):
        return np.full(secrets.shape, value)

    return pay


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e60])
def test_rewards_that_are_no_numbers_are_the_worlds_fault(value):
    with pytest.raises(ValueError, match="worlds"):
        train_maddpg(ToyWorlds(2, (2, 2), bad(value), n_steps=3), quick(n_steps=20))


def test_learning_that_diverges_is_the_configs_fault():
    """Squares of rewards as large as 1e30 are beyond float32, and a critic whose loss is NaN becomes NaN."""

    def lost(q, target):
        return (q * np.nan).mean(dim=1)

    with pytest.raises(ValueError, match="config"):
        train_maddpg(speak(), quick(), pieces=Pieces(critic_loss=lost))
    with pytest.raises(ValueError, match="config"):
        train_maddpg(ToyWorlds(2, (2, 2), bad(1e30)), quick())


class WrongShapes(ToyWorlds):
    """Worlds that break the protocol in one place."""

    fault = "begin"

    def reset(self, rng):
        seen = super().reset(rng)
        return seen[:, :, :0] if self.fault == "begin" else seen

    def step(self, actions, rng):
        step = super().step(actions, rng)
        if self.fault == "step":
            return tuple(step)
        return BatchedStep(step[0], step[1][:, :1], *step[2:])


@pytest.mark.parametrize("fault", ["begin", "step", "rewards"])
def test_worlds_that_break_the_protocol_are_named(fault):
    worlds = WrongShapes(2, (2, 2), always_one, n_steps=3)
    worlds.fault = fault
    with pytest.raises(ValueError, match="worlds"):
        train_maddpg(worlds, quick(n_steps=5))


# Settings


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(
            (name, 0)
            for name in ("n_steps", "batch_size", "buffer_size", "noise_over", "n_records")
        ),
        *((name, -1) for name in ("updates_per_step", "learn_from", "n_steps", "n_records")),
        *((name, 2.5) for name in ("n_steps", "updates_per_step", "learn_from", "batch_size")),
        *((name, 1) for name in ("central", "bootstrap_on_truncation")),
        *((name, 0.0) for name in ("actor_rate", "critic_rate", "target_rate")),
        *((name, 1.1) for name in ("actor_rate", "critic_rate", "target_rate", "discount")),
        *((name, -0.1) for name in ("discount", "noise_start", "noise_end", "logit_weight")),
        *((name, np.nan) for name in ("discount", "noise_start", "logit_weight", "actor_rate")),
        *((name, "1") for name in ("discount", "actor_rate", "n_steps", "central")),
        *((name, True) for name in ("discount", "n_steps", "batch_size", "logit_weight")),
        *(("noise_correlation", value) for value in (1.0, -0.1, None)),
        *(("hidden_sizes", value) for value in ((), 64, (64, 0), (6.5,), "64")),
        ("n_records", 61),
    ],
)
def test_settings_that_make_no_sense_are_named(name, wrong):
    with pytest.raises(ValueError, match=name):
        quick(**{name: wrong})


def test_usual_settings():
    config = MADDPGConfig()
    assert config.n_records == 20 and config.central and config.bootstrap_on_truncation
    assert MADDPGConfig(n_steps=3).n_records == 3
    assert MADDPGConfig(hidden_sizes=[8, 4]).hidden_sizes == (8, 4)


def test_noise_falls_along_a_straight_line():
    config = quick(noise_start=0.5, noise_end=0.1, noise_over=100)
    scales = [config.noise_scale(k) for k in (0, 25, 100, 1000)]
    assert scales == pytest.approx([0.5, 0.4, 0.1, 0.1])


def test_actors_and_critics_have_their_own_learning_rates():
    run = MADDPGRun(speak(), quick(actor_rate=0.002, critic_rate=0.003), 0, "cpu", None)
    groups = [optimizer.param_groups[0] for optimizer in run.optimizers]
    assert [group["lr"] for group in groups] == [0.002, 0.003]
    for group, part in zip(groups, (run.nets.actors, run.nets.critics)):
        assert all(p is q for p, q in zip(group["params"], part, strict=True))


def test_networks_are_as_large_as_told():
    for central, width in ((True, 2 * (11 + 5)), (False, 11 + 5)):
        nets = MADDPGRun(speak(), quick(central=central, hidden_sizes=(7, 6)), 0, "cpu", None).nets
        shapes = [tuple(p.shape) for p in nets.critics[::2]]
        assert shapes == [(2, width, 7), (2, 7, 6), (2, 6, 1)]
        assert [tuple(p.shape) for p in nets.actors[::2]] == [(2, 11, 7), (2, 7, 6), (2, 6, 5)]
        for slow, fast in ((nets.target_actors, nets.actors), (nets.target_critics, nets.critics)):
            assert all(torch.equal(p, q) and p is not q for p, q in zip(slow, fast))
