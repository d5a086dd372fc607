"""Policies of agents that talk, in two phases: what a channel is given, what comes of what it returns, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from marl_lessons.algorithms.talk.commnet import CommNet
from marl_lessons.evaluation.talk.channels import Delay, mute, noise, shuffle

SHAPE = (6, 3, 4)  # two seeds, three worlds each; three agents


@pytest.fixture(params=[False, True], ids=["equal", "attention"])
def policy(request):
    network = CommNet((6, 5), attention=request.param)
    generators = [torch.Generator().manual_seed(seed) for seed in (4, 5)]
    parameters = [p.detach() for p in network.init(4, 3, generators)]
    return network.policy(parameters, 2, 3)


def seen(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=SHAPE) * (rng.random(SHAPE[:2]) < 0.8)[..., None]


def test_the_two_phases_are_the_policy(policy):
    said = policy.messages(seen())
    assert said.shape == (6, 3, policy.network.width)
    assert np.array_equal(policy.values_after(seen(), said), policy.values(seen()))
    assert np.array_equal(policy.answer(seen(), said), policy(seen()))
    assert np.array_equal(policy(seen()), policy.values(seen()).argmax(axis=-1))
    assert policy.values(seen()).shape == (*SHAPE[:2], 3)


def test_the_channel_is_told_what_is_said_and_by_whom(policy):
    told = []

    def channel(messages, speaks):
        told.append((messages, speaks))
        return messages

    same = policy.through(channel)
    assert np.array_equal(same.values(seen()), policy.values(seen()))
    ((messages, speaks),) = told
    assert np.array_equal(messages, policy.messages(seen()))
    assert np.array_equal(speaks, seen().any(axis=-1)) and not speaks.all()
    assert np.array_equal(policy.speaks(seen()), speaks)


def test_what_the_channel_returns_is_what_is_heard(policy):
    other = policy.messages(seen(1))
    heard = policy.through(lambda messages, speaks: other)
    assert np.array_equal(heard.values(seen()), policy.values_after(seen(), other))
    assert not np.allclose(heard.values(seen()), policy.values(seen()))
    # What is said is said before any channel; another channel replaces this one, it does not come behind it.
    assert np.array_equal(heard.messages(seen()), policy.messages(seen()))
    assert np.array_equal(heard.through(None).values(seen()), policy.values(seen()))


def test_who_is_listened_to(policy):
    weights = policy.weights(seen())
    assert weights.shape == (6, 3, 3) and (weights[:, range(3), range(3)] == 0).all()
    assert (weights[~policy.speaks(seen())[:, None].repeat(3, axis=1)] == 0).all()
    n_heard = policy.speaks(seen()).sum(axis=1, keepdims=True) - policy.speaks(seen())
    assert weights.sum(axis=-1) == pytest.approx((n_heard > 0).astype(float))


def test_what_arrives_from_whoever_is_absent_is_not_heard(policy):
    loud = policy.through(lambda m, speaks: np.where(speaks[..., None], m, 1e6))
    assert np.array_equal(loud.values(seen()), policy.values(seen()))


def test_the_interventions_of_the_package_fit(policy):
    rng = np.random.default_rng(0)
    muted = policy.values_after(seen(), np.zeros_like(policy.messages(seen())))
    assert np.array_equal(policy.through(mute()).values(seen()), muted)
    late = policy.through(Delay(1))
    assert np.array_equal(late.values(seen()), muted)
    for channel in (noise(0.5, rng), shuffle(rng)):
        assert not np.allclose(policy.through(channel).values(seen()), policy.values(seen()))


def test_one_seeds_policy_alone(policy):
    both = policy.values(seen())
    for s in range(2):
        alone = policy.of_seed(s).values(seen()[3 * s : 3 * s + 3])
        assert alone == pytest.approx(both[3 * s : 3 * s + 3], abs=1e-6)
    assert policy.through(mute()).of_seed(1).channel is not None
    for which in (-1, 2, True, 1.0, None):
        with pytest.raises(ValueError, match=r"^which is"):
            policy.of_seed(which)


@pytest.mark.parametrize(
    "wrong",
    [
        np.ones((6, 3)),
        np.ones((6, 3, 5)),
        np.ones((6, 2, 4)),
        np.ones((5, 3, 4)),
        np.ones((0, 3, 4)),
        np.full(SHAPE, np.nan),
        np.full(SHAPE, np.inf),
        [["a"]],
        None,
    ],
)
def test_impossible_observations_are_refused(policy, wrong):
    for ask in (policy, policy.values, policy.messages, policy.speaks):
        with pytest.raises(ValueError, match=r"^observations"):
            ask(wrong)


def test_impossible_messages_are_refused(policy):
    said = policy.messages(seen())
    broken = said.copy()
    broken[1, 2, 0] = np.nan
    for wrong in (said[:, :, :-1], said[:3], said[:, :2], broken, "hello", None):
        for ask in (policy.answer, policy.values_after):
            with pytest.raises(ValueError, match=r"^messages"):
                ask(seen(), wrong)
        with pytest.raises(ValueError, match=r"^channel: what it returns"):
            policy.through(lambda m, speaks, wrong=wrong: wrong)(seen())


def test_numbers_beyond_all_answers_are_refused(policy):
    for ask in (policy, policy.messages, policy.speaks, policy.weights):
        with pytest.raises(ValueError, match=r"^observations.*so large"):
            ask(np.full(SHAPE, 1e308))
    with pytest.raises(ValueError, match=r"messages.*so large"):
        policy.answer(seen(), np.full((6, 3, policy.network.width), 1e308))


@pytest.mark.parametrize("wrong", ["mute", 3, np.zeros(3)])
def test_a_channel_is_a_function(policy, wrong):
    with pytest.raises(ValueError, match=r"^channel: expected a function"):
        policy.through(wrong)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        *(({"n_seeds": n}, "n_seeds") for n in (0, 1, 3, True, 2.0, None)),
        *(({"n_agents": n}, "n_agents") for n in (0, True, None, "3")),
        *(({"channel": c}, "channel: expected a function") for c in (3, "mute")),
    ],
)
def test_fields_that_do_not_fit_are_refused(policy, change, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        replace(policy, **change)
