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
    fixed,
    garble,
    mute,
    noise,
    shuffle,
    under_interventions,
)
from marl_lessons.evaluation.talk.information import information_from_counts, joint_counts

EVERYBODY = np.ones((4, 2), dtype=bool)


def generator(seed=0):
    return np.random.default_rng(seed)


def spoken(rng, kind="vectors", n_worlds=4, n=2, width=3):
    """Messages that nobody says twice, and who is present."""
    present = rng.random((n_worlds, n)) < 0.6
    if kind == "vectors":
        return rng.normal(size=(n_worlds, n, width)).astype(np.float32), present
    return rng.permutation(n_worlds * n).reshape(n_worlds, n), present


CHANNELS = {
    "mute": lambda: mute(),
    "fixed": lambda: fixed([0.5, -1.0, 2.0]),
    "shuffle": lambda: shuffle(generator()),
    "noise": lambda: noise(0.5, generator()),
    "late": lambda: Delay(1),
}
WHOLE = {
    "fixed": lambda: fixed(1),
    "shuffle": lambda: shuffle(generator()),
    "garble": lambda: garble(0.7, 8, generator()),
    "late": lambda: Delay(2, before=7),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_vectors_arrive_as_new_vectors_and_the_absent_are_left_alone(name):
    messages, present = spoken(generator(1))
    before = messages.copy()
    heard = CHANNELS[name]()(messages, present)
    assert heard.shape == messages.shape and heard.dtype == messages.dtype
    assert np.array_equal(heard[~present], messages[~present])
    assert not np.shares_memory(heard, messages) and np.array_equal(messages, before)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_arrive_as_whole_numbers(name):
    messages, present = spoken(generator(1), "whole")
    before = messages.copy()
    heard = WHOLE[name]()(messages, present)
    assert heard.shape == messages.shape and heard.dtype.kind == "i"
    assert np.array_equal(heard[~present], messages[~present])
    assert not np.shares_memory(heard, messages) and np.array_equal(messages, before)


def test_vectors_of_whole_numbers_or_flags_are_heard_as_floats():
    bits = np.ones((4, 2, 3), dtype=int)
    assert (fixed([0.5] * 3)(bits, EVERYBODY) == 0.5).all()
    heard = noise(0.1, generator())(bits > 0, EVERYBODY)
    assert heard.std() == pytest.approx(0.1, rel=0.5)


def test_muted_agents_say_nothing_and_fixed_ones_the_same():
    messages, present = spoken(generator(2))
    assert (mute()(messages, present)[present] == 0).all()
    assert (fixed([0.5, -1.0, 2.0])(messages, present)[present] == [0.5, -1, 2]).all()
    numbers, present = spoken(generator(2), "whole")
    assert (fixed(3)(numbers, present)[present] == 3).all()


@pytest.mark.parametrize("kind", ["vectors", "whole"])
@given(seed=seed_numbers, n_worlds=st.integers(2, 9))
def test_shuffling_moves_every_message_to_another_world_and_the_same_agent(kind, seed, n_worlds):
    rng = generator(seed)
    messages, present = spoken(rng, kind, n_worlds)
    heard = shuffle(rng)(messages, present)
    for i in range(2):
        worlds = np.flatnonzero(present[:, i])
        said, got = messages[worlds, i].tolist(), heard[worlds, i].tolist()
        assert sorted(map(repr, said)) == sorted(map(repr, got))
        stayed = [s == g for s, g in zip(said, got)]
        assert not any(stayed) if len(worlds) > 1 else all(stayed)


def test_every_other_world_is_as_likely_a_source_of_what_is_heard():
    rng, numbers = generator(5), np.arange(4)[:, None]
    shuffled, present = shuffle(rng), np.ones((4, 1), dtype=bool)
    heard = np.array([shuffled(numbers, present)[:, 0] for _ in range(6000)])
    for e in range(4):
        counts = np.bincount(heard[:, e], minlength=4)
        assert counts[e] == 0
        assert abs(counts[np.arange(4) != e] - 2000).max() < 5 * np.sqrt(6000 * 2 / 9)


def test_shuffled_messages_tell_nothing_about_their_world():
    states = generator(6).integers(4, size=(5000, 1))
    heard = shuffle(generator(7))(states, np.ones_like(states, dtype=bool))
    before = information_from_counts(joint_counts(states, states, 4, 4))
    after = information_from_counts(joint_counts(states, heard, 4, 4))
    assert before > 1.9 and abs(after) < 0.005
    assert np.array_equal(np.bincount(states[:, 0]), np.bincount(heard[:, 0]))


def test_noise_has_the_scale_it_was_given():
    messages = np.full((500, 4, 5), 3.0)
    heard = noise(0.5, generator())(messages, np.ones((500, 4), dtype=bool))
    assert heard.mean() == pytest.approx(3.0, abs=4 * 0.5 / 100)
    assert heard.std() == pytest.approx(0.5, rel=0.03)
    assert np.array_equal(noise(0, generator())(messages, np.ones((500, 4), bool)), messages)


def test_garbled_bits_are_a_symmetric_channel():
    """A share of 2e errs with chance e: 1 - H(e) of one bit arrives."""
    bits = generator(1).integers(2, size=(20_000, 1))
    heard = garble(0.22, 2, generator(2))(bits, np.ones_like(bits, dtype=bool))
    assert (heard != bits).mean() == pytest.approx(0.11, abs=4 * np.sqrt(0.11 * 0.89 / 20_000))
    arrives = information_from_counts(joint_counts(bits, heard, 2, 2))
    assert arrives == pytest.approx(0.5, abs=0.03)  # H(0.11) is 0.5


# --- Delay


@pytest.mark.parametrize("kind", ["vectors", "whole"])
@given(seed=seed_numbers, steps=st.integers(0, 4))
def test_what_is_heard_was_said_that_many_moments_ago_by_who_stayed(kind, seed, steps):
    rng, channel, past = generator(seed), Delay(steps, before=9), []
    for moment in range(10):
        past.append(spoken(rng, kind))
        heard = channel(*past[-1])
        for e, i in np.ndindex(4, 2):
            if not past[-1][1][e, i]:
                expected = past[-1][0][e, i]
            elif moment >= steps and all(p[e, i] for _, p in past[moment - steps :]):
                expected = past[moment - steps][0][e, i]
            else:
                expected = 9
            assert np.array_equal(heard[e, i], np.broadcast_to(expected, heard[e, i].shape))


def test_what_a_caller_does_with_its_arrays_afterwards_is_not_heard():
    channel, messages = Delay(1), np.ones((4, 2, 1))
    channel(messages, EVERYBODY)[:] = 5
    messages[:] = 7
    assert (channel(messages, EVERYBODY) == 1).all()


def test_what_is_forgotten_is_not_heard():
    channel = Delay(1)
    channel.forget(np.array([True, False]))  # nothing to forget yet
    one = np.ones((4, 2, 1))
    channel(one, EVERYBODY)
    channel.forget(np.array([True, False, False, True]))
    assert channel(2 * one, EVERYBODY)[:, 0, 0].tolist() == [0, 1, 1, 0]
    assert (channel(3 * one, EVERYBODY) == 2).all()
    channel.forget()
    assert (channel(4 * one, EVERYBODY) == 0).all()
    channel.forget()
    assert channel(np.ones((2, 1, 5)), np.ones((2, 1), dtype=bool)).shape == (2, 1, 5)


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


def test_luck_is_the_same_for_every_channel():
    worlds, channels = Whispers(50), {"muted": mute(), "again": fixed([0.0]), "wrong": fixed([1.0])}
    found = under_interventions(Listeners(), worlds, channels, good, n_rounds=2, seed=1)
    assert found["muted"] == found["again"]
    assert found["muted"].mean_return + found["wrong"].mean_return == pytest.approx(2)
    later = under_interventions(Listeners(), worlds, {"muted": mute()}, good, n_rounds=2, seed=1)
    assert later["muted"] == found["muted"]


def test_nothing_is_heard_from_an_earlier_episode():
    """Long episodes of worlds where nobody is ever absent: each round begins with silence, heard as the first sign."""
    heard = []

    class Noting(Delay):
        def __call__(self, messages, present):
            heard.append(super().__call__(messages, present))
            return heard[-1]

    channels = {"late": Noting(2, before=5)}
    under_interventions(Listeners(), Whispers(3, length=4), channels, good, n_rounds=3, seed=0)
    silent = [(h == 5).all() for h in heard]
    assert silent == [True, True, False, False] * 3


# --- Errors

VECTORS, NUMBERS = np.zeros((4, 2, 3)), np.zeros((4, 2), dtype=int)
NAN = np.full((4, 2, 3), np.nan)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: mute()(NUMBERS, EVERYBODY), "messages"),
        (lambda: mute()(NAN, EVERYBODY), "messages"),
        (lambda: mute()("hello", EVERYBODY), "messages"),
        (lambda: mute()([[1.0], [2.0, 3.0]], EVERYBODY), "messages"),
        (lambda: mute()(VECTORS, EVERYBODY[:3]), "present"),
        (lambda: mute()(VECTORS, EVERYBODY.astype(int)), "present"),
        (lambda: mute()(VECTORS, None), "present"),
        (lambda: fixed(True), "message"),
        (lambda: fixed(-1), "message"),
        (lambda: fixed([]), "message"),
        (lambda: fixed([np.inf]), "message"),
        (lambda: fixed([[1.0]]), "message"),
        (lambda: fixed(2**31), "message"),
        (lambda: fixed([1e300]), "message"),
        (lambda: mute()(VECTORS, [[True], [True, False]]), "present"),
        (lambda: fixed([1.0])(VECTORS, EVERYBODY), "messages"),
        (lambda: fixed([1.0])(NUMBERS, EVERYBODY), "messages"),
        (lambda: fixed(1)(VECTORS, EVERYBODY), "messages"),
        (lambda: shuffle(3), "rng"),
        (lambda: shuffle(generator())(VECTORS[:1], EVERYBODY[:1]), "messages"),
        (lambda: shuffle(generator())(VECTORS[0, 0], EVERYBODY), "messages"),
        (lambda: shuffle(generator())(NUMBERS - 1, EVERYBODY), "messages"),
        (lambda: noise(-0.1, generator()), "scale"),
        (lambda: noise(np.inf, generator()), "scale"),
        (lambda: noise(np.nan, generator()), "scale"),
        (lambda: noise(0.1, np.random), "rng"),
        (lambda: noise(0.1, generator())(NUMBERS, EVERYBODY), "messages"),
        (lambda: garble(1.5, 2, generator()), "share_garbled"),
        (lambda: garble(0.5, 0, generator()), "n_messages"),
        (lambda: garble(0.5, 10**30, generator()), "n_messages"),
        (lambda: garble(0.5, 2, None), "rng"),
        (lambda: garble(0.5, 2, generator())(NUMBERS + 2, EVERYBODY), "messages"),
        (lambda: garble(0.5, 2, generator())(VECTORS, EVERYBODY), "messages"),
        (lambda: Delay(-1), "steps"),
        (lambda: Delay(1.0), "steps"),
        (lambda: Delay(1, before=np.inf), "before"),
        (lambda: Delay(10**30), "steps"),
        (lambda: Delay(1, before=1e300), "before"),
        (lambda: Delay(1, before=2**31)(NUMBERS, EVERYBODY), "messages"),
        (lambda: Delay(1, before="no"), "before"),
        (lambda: Delay(1, before=0.5)(NUMBERS, EVERYBODY), "messages"),
        (lambda: Delay(1, before=-1)(NUMBERS, EVERYBODY), "messages"),
        (lambda: Delay(1).forget([1, 0]), "which"),
        (lambda: Delay(1).forget([[True], [True, False]]), "which"),
    ],
)
def test_errors_name_the_argument(call, name):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()


def test_other_shapes_need_a_fresh_start():
    channel = Delay(1)
    channel(VECTORS, EVERYBODY)
    with pytest.raises(ValueError, match=r"^messages"):
        channel(VECTORS[:, :, :2], EVERYBODY)
    with pytest.raises(ValueError, match=r"^which"):
        channel.forget(np.ones(5, dtype=bool))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"policy": lambda observations: 0}, "policy"),
        ({"policy": SimpleNamespace(through=mute)}, "policy"),
        ({"worlds": 3}, "worlds"),
        ({"channels": {}}, "channels"),
        ({"channels": [mute()]}, "channels"),
        ({"channels": {"muted": "mute"}}, "channels"),
        ({"success": None}, "success"),
        ({"success": lambda worlds: np.ones(3, dtype=bool)}, "success"),
        ({"success": lambda worlds: np.ones(5)}, "success"),
        ({"n_rounds": 0}, "n_rounds"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
    ],
)
def test_errors_of_the_evaluation_name_the_argument(change, name):
    arguments = {
        "policy": Listeners(),
        "worlds": Whispers(5),
        "channels": {"muted": mute()},
        "success": good,
        "n_rounds": 1,
        "seed": 0,
    }
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        under_interventions(**{**arguments, **change})


def test_the_codes_of_several_seeds_are_not_mixed():
    policy = Listeners()
    policy.n_seeds = 5
    with pytest.raises(ValueError, match="of_seed"):
        under_interventions(policy, Whispers(5), {"muted": mute()}, good, n_rounds=1, seed=0)
