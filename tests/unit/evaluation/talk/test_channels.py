"""Interventions on messages: what arrives, who is left alone, and what becomes of a team that needs its channel."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import seed_numbers

from marl_lessons.envs.stepping import BatchedStep
from marl_lessons.evaluation.talk.channels import (
    Delay,
    mute,
    noise,
    shuffle,
    under_interventions,
)

EVERYBODY = np.ones((4, 2), dtype=bool)


def generator(seed=0):
    return np.random.default_rng(seed)


def spoken(rng, n_worlds=4, n=2, width=3):
    """Messages that nobody says twice, and who is present."""
    present = rng.random((n_worlds, n)) < 0.6
    return rng.normal(size=(n_worlds, n, width)).astype(np.float32), present


CHANNELS = {
    "mute": lambda: mute(),
    "shuffle": lambda: shuffle(generator()),
    "noise": lambda: noise(0.5, generator()),
    "late": lambda: Delay(1),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_vectors_arrive_as_new_vectors_and_the_absent_are_left_alone(name):
    messages, present = spoken(generator(1))
    before = messages.copy()
    heard = CHANNELS[name]()(messages, present)
    assert heard.shape == messages.shape and heard.dtype == messages.dtype
    assert np.array_equal(heard[~present], messages[~present])
    assert not np.shares_memory(heard, messages) and np.array_equal(messages, before)


@given(seed=seed_numbers, n_worlds=st.integers(2, 9))
def test_shuffling_moves_every_message_to_another_world_and_the_same_agent(seed, n_worlds):
    rng = generator(seed)
    messages, present = spoken(rng, n_worlds)
    heard = shuffle(rng)(messages, present)
    for i in range(2):
        worlds = np.flatnonzero(present[:, i])
        said, got = messages[worlds, i].tolist(), heard[worlds, i].tolist()
        assert sorted(map(repr, said)) == sorted(map(repr, got))
        stayed = [s == g for s, g in zip(said, got)]
        assert not any(stayed) if len(worlds) > 1 else all(stayed)


def test_every_other_world_is_as_likely_a_source_of_what_is_heard():
    rng, numbers = generator(5), np.arange(4.0)[:, None, None]
    shuffled, present = shuffle(rng), np.ones((4, 1), dtype=bool)
    heard = np.array([shuffled(numbers, present)[:, 0, 0] for _ in range(6000)]).astype(int)
    for e in range(4):
        counts = np.bincount(heard[:, e], minlength=4)
        assert counts[e] == 0
        assert abs(counts[np.arange(4) != e] - 2000).max() < 5 * np.sqrt(6000 * 2 / 9)


def test_noise_has_the_scale_it_was_given():
    messages = np.full((500, 4, 5), 3.0)
    heard = noise(0.5, generator())(messages, np.ones((500, 4), dtype=bool))
    assert heard.mean() == pytest.approx(3.0, abs=4 * 0.5 / 100)
    assert heard.std() == pytest.approx(0.5, rel=0.03)
    assert np.array_equal(noise(0, generator())(messages, np.ones((500, 4), bool)), messages)


# --- Delay
@given(seed=seed_numbers, steps=st.integers(0, 4))
def test_what_is_heard_was_said_that_many_moments_ago_by_who_stayed(seed, steps):
    rng, channel, past = generator(seed), Delay(steps), []
    for moment in range(10):
        past.append(spoken(rng))
        heard = channel(*past[-1])
        for e, i in np.ndindex(4, 2):
            if not past[-1][1][e, i]:
                expected = past[-1][0][e, i]
            elif moment >= steps and all(p[e, i] for _, p in past[moment - steps :]):
                expected = past[moment - steps][0][e, i]
            else:
                expected = 0
            assert np.array_equal(heard[e, i], np.broadcast_to(expected, heard[e, i].shape))


def test_what_a_caller_does_with_its_arrays_afterwards_is_not_heard():
    channel, messages = Delay(1), np.ones((4, 2, 1))
    channel(messages, EVERYBODY)[:] = 5
    messages[:] = 7
    assert (channel(messages, EVERYBODY) == 1).all()


# --- A team that needs its channel
class Whispers:
    """Each of two agents sees a sign, and is to name the sign that the other sees, in each of ``length`` steps."""

    n_agents, n_actions, observation_sizes = 2, (2, 2), (1, 1)

    def __init__(self, n_worlds=400, length=2):
        self.n_worlds, self.length = n_worlds, length
        self.age, self.signs = np.full(n_worlds, length), np.ones((n_worlds, 2))
        self.good = np.ones(n_worlds, dtype=bool)

    @property
    def ended(self):
        return self.age >= self.length

    @property
    def active(self):
        return np.repeat(~self.ended[:, None], 2, axis=1)

    def reset(self, rng):
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.age, self.good = np.where(which, 0, self.age), self.good | which
        return self._draw(rng)

    def _draw(self, rng):
        self.signs = rng.choice([-1.0, 1.0], size=(self.n_worlds, 2))
        return self.signs[:, :, None].astype(np.float32)

    def step(self, actions, rng):
        right = actions == (self.signs[:, ::-1] > 0)
        self.age, self.good = self.age + 1, self.good & right.all(axis=1)
        ended = np.repeat(self.ended[:, None], 2, axis=1)
        never = np.zeros(self.n_worlds, dtype=bool)
        return BatchedStep(self._draw(rng), right.astype(float), ended, never, self.ended)


@dataclass
class Listeners:
    """They say what they see and believe what they hear."""

    channel: object = None
    n_seeds: int = 1

    def act(self, worlds, observations):
        return self(observations)

    def through(self, channel):
        return Listeners(channel)

    def __call__(self, observations):
        heard = observations
        if self.channel is not None:
            heard = self.channel(observations, (observations != 0).any(axis=2))
        return (heard[:, ::-1, 0] > 0).astype(int)


def good(worlds):
    return worlds.good


def test_a_team_that_needs_its_channel():
    channels = {
        "as trained": None,
        "clear": noise(0.0, generator()),
        "muted": mute(),
        "shuffled": shuffle(generator(1)),
        "contrary": lambda messages, present: -messages,
        "loud": noise(1.0, generator(2)),
        "late": Delay(1),
    }
    found = under_interventions(Listeners(), Whispers(), channels, good, n_rounds=3, seed=4)
    assert list(found) == list(channels)
    for name in ("as trained", "clear"):
        assert found[name].success == (1.0, 0.0)
        assert (found[name].mean_return, found[name].return_error) == (2.0, 0.0)
    assert found["contrary"].success.value == found["contrary"].mean_return == 0.0
    heard_right = 0.8413447  # a standard normal number is less than 1
    for name, chance in [("muted", 0.5), ("shuffled", 0.5), ("late", 0.5), ("loud", heard_right)]:
        outcome, expected = found[name], chance**4
        error = np.sqrt(expected * (1 - expected) / 1200)
        assert outcome.success.value == pytest.approx(expected, abs=4 * error)
        assert outcome.success.error == pytest.approx(error, rel=0.3)
        per_episode = np.sqrt(chance * (1 - chance))  # of the mean of two agents over two steps
        assert outcome.return_error == pytest.approx(per_episode / np.sqrt(1200), rel=0.1)
        assert outcome.mean_return == pytest.approx(2 * chance, abs=4 * outcome.return_error)


def test_nothing_is_heard_from_an_earlier_episode():
    """Long episodes of worlds where nobody is ever absent: each round begins with silence, heard as the first sign."""
    heard = []

    class Noting(Delay):
        def __call__(self, messages, present):
            heard.append(super().__call__(messages, present))
            return heard[-1]

    channels = {"late": Noting(2)}
    under_interventions(Listeners(), Whispers(3, length=4), channels, good, n_rounds=3, seed=0)
    silent = [(h == 0).all() for h in heard]
    assert silent == [True, True, False, False] * 3


@pytest.mark.parametrize("name, changes", [
    ("policy", [{"policy": lambda observations: 0}]),
    ("policy: expected", [{"policy": SimpleNamespace(through=mute)}]),
    ("policy: it is that of 5 seeds; .*of_seed", [{"policy": Listeners(n_seeds=5)}]),
    ("world", [{"worlds": 3}]),
    ("channels", [{"channels": {}}, {"channels": [mute()]}, {"channels": {"muted": "mute"}}]),
    ("success", [{"success": None}, {"success": lambda worlds: np.ones(3, dtype=bool)},
        {"success": lambda worlds: np.ones(5)}]),
    ("n_rounds", [{"n_rounds": 0}]),
    ("seed", [{"seed": -1}, {"seed": None}]),
])  # fmt: skip
def test_errors_of_the_evaluation_name_the_argument(name, changes):
    for change in changes:
        arguments = {
            "policy": Listeners(),
            "worlds": Whispers(5),
            "channels": {"muted": mute()},
            "success": good,
            "n_rounds": 1,
            "seed": 0,
        }
        with pytest.raises(ValueError, match=rf"^{name}"):
            under_interventions(**{**arguments, **change})


@pytest.mark.parametrize("name, calls", [
    ("rng", [lambda: shuffle(3), lambda: noise(0.1, np.random)]),
    ("messages", [lambda: shuffle(generator())(np.zeros((1, 2, 3)), EVERYBODY[:1])]),
    ("scale", [lambda: noise(-0.1, generator()), lambda: noise(np.nan, generator())]),
    ("steps", [lambda: Delay(-1), lambda: Delay(1.0)]),
])  # fmt: skip
def test_errors_name_the_argument(name, calls):
    for call in calls:
        with pytest.raises(ValueError, match=rf"^{name}\b"):
            call()
