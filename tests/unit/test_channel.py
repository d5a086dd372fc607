"""DIAL's channel: against closed forms, frequencies of noise, and where its gradient is."""

import math

import numpy as np
import pytest
import torch

from marl_lessons.algorithms.talk.riddle_agents import hard_message, misheard, soft_message


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


def test_bits_keep_shape_and_type():
    logits = torch.zeros(2, 3, 4, dtype=torch.float64)
    assert hard_message(logits).shape == (2, 3, 4) and hard_message(logits).dtype == torch.float64


@pytest.mark.parametrize("logit", [-4.0, -0.5, 0.7, 2.0])
def test_noise_turns_a_bit_over_as_often_as_said(logit):
    noise = np.random.default_rng(0).standard_normal(200_000)
    heard = soft_message(torch.tensor(logit), 2.0, torch.as_tensor(noise))
    turned = ((heard > 0.5) != (logit > 0)).double().mean().item()
    expected = misheard(torch.tensor(logit, dtype=torch.float64), 2.0).item()
    assert turned == pytest.approx(expected, abs=5 * math.sqrt(0.25 / 200_000))
    assert expected == pytest.approx(math.erfc(abs(logit) / 2 / math.sqrt(2)) / 2)


def test_a_logit_of_0_is_heard_as_anything():
    assert misheard(torch.zeros(1), 2.0).item() == 0.5
