"""Measures of communication: channels whose answers are known, theorems of information theory, exact biases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_kernel, seed_numbers

from marl_lessons.evaluation.talk.information import (
    bits_per_step,
    causal_influence,
    entropy,
    entropy_from_counts,
    mutual_information,
)

ROUNDING = 1e-12


UNIFORM_4 = np.full(4, 0.25)


def h2(e: float) -> float:
    """Entropy of a coin that falls on one side with chance e, bits."""
    return sum(-x * math.log2(x) for x in (e, 1 - e) if x > 0)


def plain_information(joint) -> float:
    """I(X; Y) by its definition as a divergence, entry by entry."""
    total = 0.0
    for x, y in np.ndindex(*joint.shape):
        if joint[x, y] > 0:
            total += joint[x, y] * math.log2(joint[x, y] / (joint[x].sum() * joint[:, y].sum()))
    return total


def plain_influence(policy, chances) -> float:
    """CIC of one state, by its definition."""
    total = 0.0
    for m, a in np.ndindex(*policy.shape):
        usual = sum(chances[k] * policy[k, a] for k in range(len(chances)))
        if chances[m] * policy[m, a] > 0:
            total += chances[m] * policy[m, a] * math.log2(policy[m, a] / usual)
    return total


def random_joint(rng, *shape) -> np.ndarray:
    """Chances of every combination; some never happen."""
    joint = rng.dirichlet(np.full(math.prod(shape), 0.4)).reshape(shape)
    joint[rng.random(shape) < 0.2] = 0.0
    joint.flat[0] += 0.1
    return joint / joint.sum()


# --- Known answers
@pytest.mark.parametrize(
    ("p", "bits"),
    [([1.0], 0), ([0.0, 1.0], 0), ([0.5, 0.5], 1), ([0.25] * 4, 2), ([0.5, 0.25, 0.25, 0], 1.5)],
)
def test_entropies_known_by_heart(p, bits):
    assert entropy(p) == pytest.approx(bits, abs=ROUNDING)
    assert not np.signbit(entropy(p))


@pytest.mark.parametrize("e", [0.0, 0.05, 0.11, 0.3, 0.5, 0.9, 1.0])
def test_the_binary_symmetric_channel_carries_1_minus_the_entropy_of_its_errors(e):
    channel = np.array([[1 - e, e], [e, 1 - e]])
    assert mutual_information(channel / 2) == pytest.approx(1 - h2(e), abs=ROUNDING)
    assert causal_influence(channel, [0.5, 0.5]) == pytest.approx(1 - h2(e), abs=ROUNDING)
    q = 0.2 * (1 - e) + 0.8 * e  # chance of the first sign where the input is not uniform
    assert causal_influence(channel, [0.2, 0.8]) == pytest.approx(h2(q) - h2(e), abs=ROUNDING)


@pytest.mark.parametrize("e", [0.0, 0.25, 0.6, 1.0])
def test_the_erasure_channel_carries_what_is_not_erased(e):
    channel = np.concatenate([(1 - e) * np.eye(4), np.full((4, 1), e)], axis=1)
    assert mutual_information(channel / 4) == pytest.approx(2 * (1 - e), abs=ROUNDING)
    p = np.array([0.7, 0.1, 0.1, 0.1])
    expected = (1 - e) * -sum(p * np.log2(p))
    assert causal_influence(channel, p) == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize(("code", "bits"), [
    ([2, 0, 3, 1], 2.0),
    ([0, 0, 1, 1], 1.0),
    ([0, 1, 1, 1], h2(0.25)),
    ([0, 1, 2, 2], 1.5),
    ([3] * 4, 0.0),
])  # fmt: skip
def test_a_deterministic_code_tells_the_entropy_of_its_messages(code, bits):
    sender = np.eye(4)[code]
    assert mutual_information(sender / 4) == pytest.approx(bits, abs=ROUNDING)
    assert entropy(UNIFORM_4 @ sender) == pytest.approx(bits, abs=ROUNDING)


def test_leading_axes_are_measured_one_by_one():
    rng = np.random.default_rng(0)
    joints = np.array([[random_joint(rng, 3, 2) for _ in range(4)] for _ in range(5)])
    found = mutual_information(joints)
    assert found.shape == (5, 4)
    assert found[3, 2] == pytest.approx(plain_information(joints[3, 2]), abs=ROUNDING)
    counts = rng.integers(1, 9, size=(5, 4, 3))
    alone = entropy_from_counts(counts[3, 2])
    assert entropy_from_counts(counts)[3, 2] == pytest.approx(alone, abs=ROUNDING)


# --- Theorems
@given(seed_numbers)
def test_information_is_the_divergence_from_independence_and_symmetric(seed):
    joint = random_joint(np.random.default_rng(seed), 4, 3)
    found = mutual_information(joint)
    assert found == pytest.approx(plain_information(joint), abs=1e-10)
    assert found == pytest.approx(mutual_information(joint.T), abs=ROUNDING)
    assert 0 <= found <= min(entropy(joint.sum(0)), entropy(joint.sum(1))) + ROUNDING
    assert mutual_information(np.outer(joint.sum(1), joint.sum(0))) == pytest.approx(0, abs=1e-10)


# --- Listening
@given(seed_numbers, st.integers(1, 5), st.integers(1, 4))
def test_causal_influence_is_its_definition_and_keeps_its_bounds(seed, n_messages, n_actions):
    rng = np.random.default_rng(seed)
    policy = random_kernel(rng, (2, 3, n_messages), n_actions)
    chances = random_kernel(rng, (2, 3), n_messages)
    found = causal_influence(policy, chances)
    assert found.shape == (2, 3)
    for index in np.ndindex(2, 3):
        assert found[index] == pytest.approx(
            plain_influence(policy[index], chances[index]), abs=1e-10
        )
    assert (found >= 0).all()
    assert (found <= min(np.log2(n_messages), np.log2(n_actions)) + ROUNDING).all()
    deaf = np.broadcast_to(policy[:, :, :1], policy.shape)
    assert causal_influence(deaf, chances) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(("n_messages", "n_actions"), [(4, 4), (2, 5), (6, 3), (8, 2)])
def test_the_bound_is_reached_by_who_obeys(n_messages, n_actions):
    policy = np.eye(n_actions)[np.arange(n_messages) % n_actions]
    found = causal_influence(policy, np.full(n_messages, 1 / n_messages))
    assert found == pytest.approx(np.log2(min(n_messages, n_actions)), abs=ROUNDING)


@given(seed_numbers)
def test_a_mean_over_messages_in_place_of_the_sum_adds_the_logarithm_of_their_number(seed):
    """The slip of the paper's program: its marginal of the action is a mean over messages, so it is M times too small."""
    rng = np.random.default_rng(seed)
    policy, chances = rng.dirichlet(np.ones(2), size=4), rng.dirichlet(np.ones(4))
    joint = chances[:, None] * policy
    slipped = (joint * np.log2(joint / (chances[:, None] * joint.mean(axis=0)))).sum()
    assert causal_influence(policy, chances) == pytest.approx(slipped - 2, abs=1e-9)
    nobody_listens = np.broadcast_to(policy[:1], policy.shape)
    assert causal_influence(nobody_listens, chances) == pytest.approx(0, abs=1e-9)


def test_influence_is_averaged_after_it_is_computed():
    """In one state the listener obeys, in the other it does the opposite: on average it seems deaf."""
    policy = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    assert causal_influence(policy, [0.5, 0.5]) == pytest.approx([1, 1])
    assert causal_influence(policy.mean(axis=0), [0.5, 0.5]) == pytest.approx(0, abs=ROUNDING)


def test_a_message_that_is_never_sent_has_no_influence():
    policy = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert causal_influence(policy, [1.0, 0.0, 0.0]) == 0
    assert causal_influence(policy, [0.5, 0.5, 0.0]) == pytest.approx(1)
    assert causal_influence(policy, [1 - 1e-300, 1e-300, 0.0]) == pytest.approx(0, abs=ROUNDING)


def test_the_correction_of_an_entropy_counts_what_occurred():
    """Three of four kinds in eight samples: 2 / (2 · 8 · ln 2) bits more."""
    assert entropy_from_counts([4, 2, 2, 0]) == pytest.approx(1.5 + 1 / (8 * math.log(2)))
    assert entropy_from_counts([5, 0]) == 0


@given(st.floats(0, 1), seed_numbers)
def test_what_a_gated_channel_carries(talking, seed):
    """With silence as a sign of its own it is the entropy of M + 1 signs: the chain rule again."""
    messages = np.random.default_rng(seed).dirichlet(np.ones(3))
    assert bits_per_step(talking, messages) == pytest.approx(talking * entropy(messages))
    signs = np.array([1 - talking, *(talking * messages)])
    assert bits_per_step(talking, messages, silence_tells=True) == pytest.approx(
        entropy(signs / signs.sum()), abs=1e-9
    )


@pytest.mark.parametrize("name, calls", [
    ("p", [lambda: entropy([0.5, 0.6]), lambda: entropy([]), lambda: entropy("ab")]),
    ("joint", [lambda: mutual_information([0.5, 0.5]), lambda: mutual_information([[0.5, 0.5], [0.5, 0.5]])]),
    ("counts", [lambda: entropy_from_counts([0, 0]), lambda: entropy_from_counts([1, -1, 3])]),
    ("chances", [lambda: causal_influence(np.eye(2), [0.2, 0.2, 0.6]),
        lambda: causal_influence(np.eye(2), [0.2, 0.2])]),
    ("policy", [lambda: causal_influence(np.ones((2, 2)), [0.5, 0.5])]),
    ("talking", [lambda: bits_per_step(1.1, [0.5, 0.5])]),
    ("messages", [lambda: bits_per_step(0.5, [0.5, 0.4])]),
    ("silence_tells", [lambda: bits_per_step(0.5, [0.5, 0.5], silence_tells=1)]),
])  # fmt: skip
def test_errors_name_the_argument(name, calls):
    for call in calls:
        with pytest.raises(ValueError, match=rf"^{name}\b"):
            call()
