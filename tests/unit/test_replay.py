"""The replay buffer against a plain list, and its samples against the uniform distribution."""

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.algorithms.replay import Replay


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


def add(replay, numbers):
    """Store one step; ``numbers[S, E]`` are the numbers of its transitions."""
    rows = [
        [transition(k, replay.n_agents, replay.observation_size) for k in row] for row in numbers
    ]
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
        add(replay, numbers)
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


def test_a_sample_is_whole_transitions():
    replay = Replay(10, n_seeds=2, n_agents=3, observation_size=2)
    add(replay, [[1, 2, 3, 4], [11, 12, 13, 14]])
    batch = replay.sample(20, generators(0, 1))
    assert batch.observations.shape == (2, 20, 3, 2) and batch.actions.shape == (2, 20, 3)
    assert batch.actions.dtype == torch.int64
    assert batch.terminated.dtype == batch.active.dtype == torch.bool
    for s, b in np.ndindex(2, 20):
        for name, expected in transition(numbers_of(batch)[s, b], 3, 2).items():
            assert getattr(batch, name)[s, b].tolist() == expected.tolist()


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


@pytest.mark.parametrize("name", ["capacity", "n_seeds", "n_agents", "observation_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, None])
def test_impossible_sizes_are_refused(name, value):
    sizes = {"capacity": 5, "n_seeds": 1, "n_agents": 1, "observation_size": 1, name: value}
    with pytest.raises(ValueError, match=name):
        Replay(**sizes)


def test_an_empty_buffer_gives_no_sample():
    with pytest.raises(ValueError, match="empty"):
        Replay(5, 1, 1, 1).sample(4, generators(0))


def test_impossible_samples_are_refused():
    replay = Replay(5, 2, 1, 1)
    add(replay, [[1], [2]])
    with pytest.raises(ValueError, match="batch_size"):
        replay.sample(0, generators(0, 1))
    with pytest.raises(ValueError, match="generators"):
        replay.sample(4, generators(0))
    with pytest.raises(ValueError, match=r"generators\[1\]"):
        replay.sample(4, [*generators(0), np.random.default_rng(1)])


@pytest.mark.parametrize(
    "name", ["observations", "actions", "rewards", "next_observations", "terminated", "active"]
)
def test_wrong_shapes_are_refused(name):
    replay = Replay(5, n_seeds=1, n_agents=2, observation_size=3)
    step = {k: v[None, None] for k, v in transition(1, 2, 3).items()}
    for wrong in (step[name][0], step[name][..., :1], np.repeat(step[name], 2, axis=0), 3.0):
        with pytest.raises(ValueError, match=f"^{name}: expected shape"):
            replay.add(**{**step, name: wrong})
    assert len(replay) == 0


def test_no_worlds_are_refused():
    replay = Replay(10, 2, 3, 4)
    seen, told = np.ones((2, 0, 3, 4)), np.ones((2, 0, 3))
    with pytest.raises(ValueError, match=r"^observations: .*at least one world"):
        replay.add(seen, told, told, seen, told, told)


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


def test_more_worlds_than_room_are_refused():
    with pytest.raises(ValueError, match="capacity"):
        add(Replay(2, 1, 1, 1), [[1, 2, 3]])
