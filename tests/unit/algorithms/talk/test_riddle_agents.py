"""Prisoners: memory and channel against torch and closed forms; what they see, say and do, and what channels do to them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plain_riddle import cells_of, episode_of

from marl_lessons.algorithms.talk.riddle_agents import (
    N_VOICE,
    RiddlePolicy,
    best_words,
    error_chance,
    gru_cell,
    hard_message,
    init_gru,
    of_visitor,
    prisoners_see,
    soft_message,
)
from marl_lessons.envs.games.riddle import every_sequence

KINDS = ("dial", "rial", "silent")


def policy_of(kind, seeds=(0, 1), n_agents=3, n_hidden=12, scale=3.0):
    """Networks with large random numbers, whose words and deeds vary."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    parameters = init_gru(3 + n_agents, n_hidden, 2 + N_VOICE[kind], generators)
    return RiddlePolicy([scale * p.detach() for p in parameters], kind, n_agents)


def some_days(n_episodes, n_agents=3, seed=0):
    return np.random.default_rng(seed).integers(n_agents, size=(n_episodes, 4 * n_agents - 6))


def test_what_a_prisoner_sees():
    here = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    heard, last = torch.tensor([[0.75, 0.0]]), torch.tensor([[[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]])
    seen = prisoners_see(here, heard, last)
    assert seen[0, 0].tolist() == [[0, 0, 0, 1, 0, 0], [1, 0.5, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]
    assert seen[0, 1].tolist() == [[0, 0, -1, 1, 0, 0], [0, 0, 0, 0, 1, 0], [1, -1, 0, 0, 0, 1]]


def test_values_of_the_visitor():
    values = torch.arange(24.0).reshape(1, 2, 2, 3, 2)
    today = torch.tensor([[[0, 2], [1, 1]]])
    assert of_visitor(values, today).tolist() == [[[[0, 1], [10, 11]], [[14, 15], [20, 21]]]]


def test_words_without_exploration():
    logits = torch.tensor([[-0.1], [0.0], [0.2], [0.7]])
    assert best_words("dial", logits).tolist() == [0, 0, 1, 1]
    assert best_words("rial", torch.tensor([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])).tolist() == [
        1,
        0,
        0,
    ]
    assert best_words("silent", torch.zeros(3, 0)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("n_agents", [3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_play_is_that_of_plain_loops(kind, n_agents):
    policy, today = policy_of(kind, n_agents=n_agents), some_days(12, n_agents)
    play = policy.play(today)
    assert play.said.shape == play.heard.shape == play.tells.shape == (2, *today.shape)
    for m in range(2):
        network = cells_of(policy.parameters, m)
        for e, visitors in enumerate(today.tolist()):
            said = []

            def speak(day, output, said=said):
                bit = {"dial": output[2:3] > 0, "rial": output[3:4] > output[2:3]}.get(kind)
                said.append(0.0 if bit is None else float(bit))
                return said[-1], torch.tensor(said[-1])

            outputs = episode_of(network, kind, n_agents, visitors, speak)
            assert play.said[m, e].tolist() == said == play.heard[m, e].tolist()
            tells = [bool(o[who][1] > o[who][0]) for o, who in zip(outputs, visitors)]
            assert play.tells[m, e].tolist() == tells
    assert kind == "silent" or 0.05 < play.said.mean() < 0.95


def test_a_policy_of_one_seed_plays_as_it_did_beside_others():
    policy, today = policy_of("rial", seeds=(5, 6, 7)), every_sequence(3)
    together = policy.play(today)
    for seed in range(3):
        alone = policy.of_seed(seed).play(today)
        for a, b in zip(alone[1:], together[1:]):
            assert (a[0] == b[seed]).all()
    assert together.scores.shape == (3,)


def test_a_channel_that_changes_nothing_changes_nothing():
    for kind in KINDS:
        policy, today = policy_of(kind), some_days(50)
        plain, through = policy.play(today), policy.play(today, lambda messages, present: messages)
        assert all(np.array_equal(a, b) for a, b in zip(plain, through))


def test_a_channel_meets_the_words_of_the_day_and_their_speaker():
    policy, today, calls = policy_of("dial"), some_days(5), []

    def channel(messages, present):
        calls.append((messages.copy(), present.copy()))
        return np.where(present[..., None], 0.25, 99.0)

    play = policy.play(today, channel)
    assert len(calls) == 12 and (play.heard == 0.25).all()
    for k, (messages, present) in enumerate(calls):
        seed, day = divmod(k, 6)
        assert messages.shape == (5, 3, 1) and present.dtype == bool
        assert present.argmax(1).tolist() == today[:, day].tolist() and (present.sum(1) == 1).all()
        assert messages.sum(axis=(1, 2)).tolist() == play.said[seed, :, day].tolist()
        assert (messages[~present] == 0).all()


def test_words_lost_on_the_way_matter_and_speakers_know_what_they_said():
    """Muted: the next visitor hears 0, but who spoke remembers its own word."""
    policy, today = policy_of("dial", seeds=(3,)), some_days(8, seed=4)
    play = policy.play(today, lambda messages, present: 0 * messages)
    network = cells_of(policy.parameters, 0)
    for e, visitors in enumerate(today.tolist()):
        said = []

        def speak(day, output, said=said):
            said.append(float(output[2] > 0))
            return said[-1], torch.zeros(())

        episode_of(network, "dial", 3, visitors, speak)
        assert play.said[0, e].tolist() == said
    assert (play.heard == 0).all() and play.said.any()


def test_a_channel_with_a_memory_forgets_before_every_seed():
    class Late:
        def __init__(self):
            self.forgotten = 0

        def forget(self):
            self.forgotten += 1
            self.before = None

        def __call__(self, messages, present):
            now = messages.sum(axis=1, keepdims=True)
            old, self.before = (0 * now if self.before is None else self.before), now
            return np.broadcast_to(old, messages.shape)

    policy, today, late = policy_of("dial", seeds=(0, 1, 2)), some_days(30), Late()
    play = policy.play(today, late)
    assert late.forgotten == 3
    assert (play.heard[..., 0] == 0).all() and (play.heard[..., 1:] == play.said[..., :-1]).all()


def days(*shape, day=0, kind=int):
    return lambda policy: policy.play(np.full(shape, day, dtype=kind))


def with_channel(channel):
    return lambda policy: policy.play(some_days(4), channel)


@pytest.mark.parametrize(("name", "uses"), [
    ("today", [days(4, 5), days(6), days(4, 6, kind=float), days(4, 6, day=3), days(4, 6, day=-1), days(0, 6)]),
    ("today", [lambda policy: policy.play("days"), lambda policy: policy.play(None)]),
    ("channel", [with_channel(wrong) for wrong in (
        "mute", 3, lambda messages, present: None, lambda messages, present: messages[:, :, 0],
        lambda messages, present: messages[:2], lambda messages, present: messages * np.nan,
        lambda messages, present: messages + np.inf, lambda messages, present: messages[: len(present) - 1])]),
    ("which", [lambda policy, which=which: policy.of_seed(which) for which in (-1, 2, True, 1.0, "0", None)]),
])  # fmt: skip
def test_refused_by_name(name, uses):
    for use in uses:
        with pytest.raises(ValueError, match=name):
            use(policy_of("dial"))


def test_a_channel_that_writes_on_what_it_is_given_changes_no_speaker():
    def vandal(messages, present):
        present[:] = False
        return messages

    policy, today = policy_of("dial"), some_days(4)
    assert np.array_equal(policy.play(today, vandal).said, policy.play(today).said)


def test_soft_messages_are_those_of_plain_python():
    logits, noise = (0.0, 1.5, -3.0, 2.0), (0.0, -0.5, 0.25, 1.0)
    heard = soft_message(torch.tensor(logits), 2.0, torch.tensor(noise))
    for m, xi, value in zip(logits, noise, heard.tolist()):
        assert value == pytest.approx(1 / (1 + math.exp(-(m + 2 * xi))), abs=1e-6)


def test_soft_messages_lie_between_0_and_1_even_far_away():
    logits = torch.tensor([-1e4, -50.0, 0.0, 50.0, 1e4])
    heard = soft_message(logits, 0.0, torch.zeros(5))
    assert heard.tolist() == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-6)


def test_a_bit_turns_where_the_logit_is_0_not_where_it_is_one_half():
    logits = torch.tensor([-2.0, -1e-6, 0.0, 1e-6, 0.25, 0.49, 0.51, 3.0])
    assert hard_message(logits).tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    bits = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    without_noise = soft_message(bits, 2.0, torch.zeros(1000))
    assert torch.equal(hard_message(bits), (without_noise > 0.5).float())


def test_a_gradient_passes_soft_messages_and_no_bit():
    logit = torch.tensor([0.3, -1.0], requires_grad=True)
    noise = torch.tensor([0.5, 0.1])
    heard = soft_message(logit, 2.0, noise)
    (gradient,) = torch.autograd.grad(heard.sum(), logit)
    assert gradient.tolist() == pytest.approx((heard * (1 - heard)).tolist())
    assert not hard_message(logit).requires_grad


@pytest.mark.parametrize("logit", [-4.0, -0.5, 0.7, 2.0])
def test_noise_turns_a_bit_over_as_often_as_said(logit):
    noise = np.random.default_rng(0).standard_normal(200_000)
    heard = soft_message(torch.tensor(logit), 2.0, torch.as_tensor(noise))
    turned = ((heard > 0.5) != (logit > 0)).double().mean().item()
    expected = error_chance(torch.tensor(logit, dtype=torch.float64), 2.0).item()
    assert turned == pytest.approx(expected, abs=5 * math.sqrt(0.25 / 200_000))
    assert expected == pytest.approx(math.erfc(abs(logit) / 2 / math.sqrt(2)) / 2)


def test_a_logit_of_0_is_heard_as_anything():
    assert error_chance(torch.zeros(1), 2.0).item() == 0.5


def recurrent_step(parameters, x, h):
    *gates, weight, bias = parameters
    h = gru_cell(gates, x, h)
    return torch.baddbmm(bias, h, weight), h


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@given(
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 3)),
    n_networks=st.integers(1, 3),
    n_rows=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_a_sequence_is_that_of_torchs_own_layers(sizes, n_networks, n_rows, seed):
    parameters = init_gru(*sizes, generators(*range(seed, seed + n_networks)))
    x = torch.randn(4, n_networks, n_rows, sizes[0], generator=generators(seed)[0])
    h = torch.zeros(n_networks, n_rows, sizes[1])
    cells = [cells_of(parameters, m) for m in range(n_networks)]
    memories = list(h)
    for now in x:
        y, h = recurrent_step(parameters, now, h)
        assert y.shape == (n_networks, n_rows, sizes[2])
        for m, (cell, last) in enumerate(cells):
            memories[m] = cell(now[m], memories[m])
            assert torch.allclose(h[m], memories[m], atol=1e-5)
            assert torch.allclose(y[m], last(memories[m]), atol=1e-5)


def test_initial_numbers_are_uniform_within_the_bounds_of_torchs_layers():
    parameters = init_gru(7, 100, 5, generators(0, 1, 2))
    shapes = [(7, 300), (1, 300), (100, 300), (1, 300), (100, 5), (1, 5)]
    assert [p.shape for p in parameters] == [(3, *shape) for shape in shapes]
    for values in parameters:
        assert values.abs().max() <= 0.1 and values.requires_grad and values.is_leaf
    memory = parameters[2].detach().numpy().ravel()  # 90,000 numbers
    assert memory.mean() == pytest.approx(0, abs=5 * 0.1 / math.sqrt(3 * len(memory)))
    assert memory.std() == pytest.approx(0.1 / math.sqrt(3), rel=0.02)
    assert np.abs(memory).max() > 0.099


def test_a_network_does_not_depend_on_its_neighbours():
    alone = init_gru(3, 4, 2, generators(7))
    beside = init_gru(3, 4, 2, generators(1, 7, 9))
    for a, b in zip(alone, beside):
        assert torch.equal(a[0], b[1]) and not torch.equal(b[0], b[1])
