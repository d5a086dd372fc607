"""The replay buffer against a plain list, and its samples against the uniform distribution."""

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.algorithms.deep.replay import Replay


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def transition(number, n_agents, d):
    """Everything about the transition of this number, different for every agent; flags by its digits."""
    agents = np.arange(n_agents)
    return {
        "observations": number + agents[:, None] / 8 + np.arange(d) / 64,
        "actions": (number + agents) % 5,
        "rewards": -number - agents / 8,
        "next_observations": number + 0.5 + agents[:, None] / 8 + np.arange(d) / 64,
        "terminated": (number + agents) % 2 == 0,
        "active": (number // 2 + agents) % 3 > 0,
    }


def add(replay, numbers, d=1):
    """Store one step; ``numbers[S, E]`` are the numbers of its transitions, ``d`` the size of an observation."""
    rows = [[transition(k, replay.n_agents, d) for k in row] for row in numbers]
    fields = rows[0][0].keys()
    replay.add(**{f: np.array([[row[f] for row in world] for world in rows]) for f in fields})


def numbers_of(batch):
    return batch.observations[:, :, 0, 0].numpy().astype(int)


@given(
    capacity=st.integers(2, 9),
    n_worlds=st.integers(1, 2),
    n_steps=st.integers(1, 12),
    seed=st.integers(0, 99),
)
def test_it_keeps_the_latest_and_knows_their_ages(capacity, n_worlds, n_steps, seed):
    replay = Replay(capacity, n_seeds=2, n_agents=2, observation_size=3)
    kept = [deque(maxlen=capacity), deque(maxlen=capacity)]
    for step in range(n_steps):
        numbers = [[1000 * s + step * n_worlds + e for e in range(n_worlds)] for s in range(2)]
        add(replay, numbers, 3)
        for s in range(2):
            kept[s].extend(numbers[s])
    assert len(replay) == len(kept[0])
    batch = replay.sample(200, generators(seed, seed + 1))
    for s in range(2):
        drawn = numbers_of(batch)[s]
        assert set(drawn) == set(
            kept[s]
        )  # 200 draws from at most 9 miss one with probability below 1e-9
        ages = [len(kept[s]) - 1 - kept[s].index(k) for k in drawn]
        assert batch.ages[s].tolist() == ages


def test_samples_are_uniform():
    replay = Replay(50, n_seeds=1, n_agents=1, observation_size=1)
    for k in range(60):
        add(replay, [[k]])
    drawn = numbers_of(replay.sample(20_000, generators(3)))[0] - 10
    counts = np.bincount(drawn, minlength=50)
    # chi-square with 49 degrees of freedom: mean 49, standard deviation 10
    assert ((counts - 400) ** 2 / 400).sum() < 49 + 5 * 10 and counts.sum() == 20_000


def test_seeds_never_mix_and_draw_on_their_own():
    """Seed 7's sample is the same alone and beside others, and holds nothing of theirs."""
    alone, beside = Replay(8, 1, 1, 1), Replay(8, 3, 1, 1)
    for step in range(6):
        add(alone, [[200 + step]])
        add(beside, [[100 + step], [200 + step], [300 + step]])
    three = numbers_of(beside.sample(64, generators(5, 7, 9)))
    assert (three // 100 == [[1], [2], [3]]).all()
    assert (three[1] == numbers_of(alone.sample(64, generators(7)))[0]).all()
    assert (three[0] - 100 != three[1] - 200).any()


def test_a_sample_does_not_change_when_its_rows_are_overwritten():
    replay = Replay(2, 1, 1, 1)
    add(replay, [[1, 2]])
    batch = replay.sample(4, generators(0))
    before = numbers_of(batch).tolist()
    add(replay, [[8, 9]])
    assert numbers_of(batch).tolist() == before


def test_it_tells_whether_its_numbers_are_finite():
    for name, wrong in (
        ("observations", np.nan),
        ("rewards", np.inf),
        ("next_observations", -np.inf),
    ):
        replay, step = Replay(3, 1, 2, 2), transition(1, 2, 2)
        replay.add(**{key: value[None, None] for key, value in step.items()})
        assert replay.is_finite()
        step[name] = np.where(np.arange(2) == 1, wrong, step[name])
        replay.add(**{key: value[None, None] for key, value in step.items()})
        assert not replay.is_finite()


# Actions that are vectors


def coded(replay, step, n_worlds):
    """One step of every seed, each number made of its seed, moment, world and agent, and of the column it is for."""
    s, e, i = np.ogrid[: replay.n_seeds, :n_worlds, : replay.n_agents]
    code = 1000.0 * s + 100 * step + 10 * e + i
    columns = lambda first, count: code[..., None] + (first + np.arange(count)) / 64  # noqa: E731
    return {
        "observations": columns(0, 2),
        "actions": columns(10, 4),
        "rewards": -code,
        "next_observations": columns(30, 2),
        "terminated": (step + e + i + s) % 2 == 0,
        "active": (step + 2 * e + i + s) % 3 > 0,
    }


def coded_replay(capacity=7, n_steps=5, n_worlds=2, device="cpu"):
    replay = Replay(capacity, n_seeds=2, n_agents=3, observation_size=2, action_size=4, device=device)  # fmt: skip
    for step in range(n_steps):
        replay.add(**coded(replay, step, n_worlds))
    return replay


def test_the_columns_of_one_transition_stay_together():
    """Each agent's action, reward, next observation and flags belong to the same moment and world, and are its own."""
    batch = coded_replay().sample(40, generators(0, 1))
    assert batch.actions.shape == (2, 40, 3, 4) and batch.actions.dtype == torch.float32
    moments = set()
    for s, b in np.ndindex(2, 40):
        code = int(batch.observations[s, b, 0, 0])
        step, world = code % 1000 // 100, code % 100 // 10
        moments.add((s, step, world))
        for i in range(3):
            number = 1000 * s + 100 * step + 10 * world + i
            assert batch.observations[s, b, i].tolist() == [number, number + 1 / 64]
            assert batch.actions[s, b, i].tolist() == [number + (10 + j) / 64 for j in range(4)]
            assert batch.rewards[s, b, i] == -number
            assert batch.next_observations[s, b, i].tolist() == [number + x / 64 for x in (30, 31)]
            assert batch.terminated[s, b, i] == ((step + world + i + s) % 2 == 0)
            assert batch.active[s, b, i] == ((step + 2 * world + i + s) % 3 > 0)
    # of 5 moments of 2 worlds the first three transitions were overwritten, in both seeds
    assert moments == {(s, *divmod(k, 2)) for s in range(2) for k in range(3, 10)}


def test_vectors_with_one_entry_are_no_whole_numbers():
    replay = Replay(3, 1, 2, 1, action_size=1)
    step = {k: v[None, None] for k, v in transition(1, 2, 1).items()}
    step["actions"] = np.array([0.25, 0.75]).reshape(1, 1, 2, 1)
    replay.add(**step)
    actions = replay.sample(1, generators(0)).actions
    assert actions.tolist() == [[[[0.25], [0.75]]]]


def test_seeds_may_come_one_after_the_other():
    """``[S·E, …]``, as worlds hand them out, is stored as ``[S, E, …]`` is."""
    flat, apart = coded_replay(n_steps=0), coded_replay(n_steps=3)
    for step in range(3):
        told = coded(flat, step, 2)
        flat.add(**{name: value.reshape(4, *value.shape[2:]) for name, value in told.items()})
    assert same(flat.sample(9, generators(1, 2)), apart.sample(9, generators(1, 2)))


def test_an_action_that_is_not_finite_is_seen():
    replay = coded_replay()
    step = coded(replay, 1, 1)
    step["actions"][1, 0, 2, 3] = np.nan
    assert replay.is_finite()
    replay.add(**step)
    assert not replay.is_finite()


# Stopping and going on


def same(one, other):
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 6])  # capacity 7: empty, partly full, and gone round
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(stop, tmp_path):
    whole = coded_replay(n_steps=9)
    torch.save(coded_replay(n_steps=stop).snapshot(), tmp_path / "replay.pt")
    resumed = coded_replay(n_steps=0)
    resumed.restore(torch.load(tmp_path / "replay.pt", weights_only=True))
    assert len(resumed) == min(2 * stop, 7)
    for step in range(stop, 9):
        resumed.add(**coded(resumed, step, 2))
    ours, theirs = generators(3, 4), generators(3, 4)
    for _ in range(3):
        assert same(resumed.sample(20, ours), whole.sample(20, theirs))


def test_whole_numbers_survive_a_stop():
    whole, resumed = Replay(4, 1, 2, 3), Replay(4, 1, 2, 3)
    for k in range(6):
        add(whole, [[k]], 3)
    resumed.restore(whole.snapshot())
    found = resumed.sample(9, generators(1))
    assert same(found, whole.sample(9, generators(1))) and found.actions.dtype == torch.int64


def test_a_snapshot_holds_what_is_stored_and_is_a_copy():
    replay = coded_replay(capacity=50, n_steps=3)
    snapshot = replay.snapshot()
    assert snapshot["rows"].shape == (2, 6, 3, 2 * 2 + 4 + 3)
    assert snapshot["rows"].untyped_storage().nbytes() == 4 * snapshot["rows"].numel()
    assert snapshot["n_stored"] == 6
    before = snapshot["rows"].clone()
    for step in range(3, 60):
        replay.add(**coded(replay, step, 2))
    assert torch.equal(snapshot["rows"], before)
    other = coded_replay(capacity=50, n_steps=3)
    other.restore(snapshot)
    snapshot["rows"].zero_()
    assert same(other.sample(9, generators(1, 2)), coded_replay(50, 3).sample(9, generators(1, 2)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a second device")
def test_a_snapshot_moves_between_devices():
    there = coded_replay(device="cuda")
    here = coded_replay(n_steps=0)
    here.restore(there.snapshot())
    assert same(here.sample(9, generators(1, 2)), coded_replay().sample(9, generators(1, 2)))
