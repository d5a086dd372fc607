"""Networks side by side: against plain loops, torch's own layers, finite differences, and each network alone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from marl_lessons.algorithms.deep.networks import copy_parameters, init_mlp, mlp, move_towards


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def as_modules(parameters, m):
    """Network m as torch's own layers, with the same numbers."""
    layers = []
    for weight, bias in zip(parameters[::2], parameters[1::2]):
        linear = nn.Linear(*weight.shape[1:])
        with torch.no_grad():
            linear.weight.copy_(weight[m].T)
            linear.bias.copy_(bias[m, 0])
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    n_networks=st.integers(1, 3),
    n_rows=st.integers(1, 4),
    seed=st.integers(0, 1000),
)
def test_outputs_are_those_of_plain_loops(sizes, n_networks, n_rows, seed):
    parameters = init_mlp(sizes, generators(*range(seed, seed + n_networks)))
    x = torch.randn(n_networks, n_rows, sizes[0], generator=generators(seed)[0])
    y = mlp(parameters, x)
    assert y.shape == (n_networks, n_rows, sizes[-1])
    for m in range(n_networks):
        for row in range(n_rows):
            h = x[m, row].tolist()
            for k in range(len(sizes) - 1):
                weight, bias = parameters[2 * k][m].tolist(), parameters[2 * k + 1][m, 0].tolist()
                h = [
                    bias[j] + sum(h[i] * weight[i][j] for i in range(len(h)))
                    for j in range(len(bias))
                ]
                if k < len(sizes) - 2:
                    h = [max(0.0, value) for value in h]
            assert y[m, row].tolist() == pytest.approx(h, abs=1e-5)


def test_gradients_agree_with_finite_differences():
    parameters = [
        p.detach().double().requires_grad_() for p in init_mlp((3, 5, 4, 2), generators(1, 2))
    ]
    x = torch.randn(2, 6, 3, dtype=torch.float64, generator=generators(3)[0])
    assert torch.autograd.gradcheck(lambda *p: mlp(p, x), parameters)


def test_initial_numbers_are_uniform_within_the_bounds_of_torchs_layers():
    parameters = init_mlp((16, 400, 2), generators(0, 1, 2))
    for values, bound in zip(parameters, (1 / 4, 1 / 4, 1 / 20, 1 / 20)):
        assert values.abs().max() <= bound
    weights = parameters[0].detach().numpy().ravel()  # 19,200 numbers
    assert weights.mean() == pytest.approx(0, abs=5 * 0.25 / math.sqrt(3 * len(weights)))
    assert weights.std() == pytest.approx(0.25 / math.sqrt(3), rel=0.03)
    assert np.abs(weights).max() > 0.249


def test_a_network_does_not_depend_on_its_neighbours():
    alone = init_mlp((3, 4, 2), generators(7))
    beside = init_mlp((3, 4, 2), generators(1, 7, 9))
    for a, b in zip(alone, beside):
        assert torch.equal(a[0], b[1]) and not torch.equal(b[0], b[1])


def test_a_generator_named_twice_goes_on_drawing():
    shared = generators(7)[0]
    twice = init_mlp((3, 4, 2), [shared, shared])
    for first, alone in zip(twice, init_mlp((3, 4, 2), generators(7))):
        assert torch.equal(first[0], alone[0]) and not torch.equal(first[0], first[1])


def test_networks_trained_together_learn_as_torchs_modules_alone():
    """Adam treats every entry on its own: with one loss per network, M networks are M runs."""
    parameters = init_mlp((4, 8, 8, 2), generators(1, 2, 3))
    modules = [as_modules(parameters, m) for m in range(3)]
    draw = generators(4)[0]
    x, y = torch.randn(3, 16, 4, generator=draw), torch.randn(3, 16, 2, generator=draw)
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        (mlp(parameters, x) - y).square().mean(dim=(1, 2)).sum().backward()
        optimizer.step()
    for m, module in enumerate(modules):
        alone = torch.optim.Adam(module.parameters(), lr=0.01)
        before = (module(x[m]) - y[m]).square().mean().item()
        for _ in range(60):
            alone.zero_grad()
            (module(x[m]) - y[m]).square().mean().backward()
            alone.step()
        after = (module(x[m]) - y[m]).square().mean().item()
        assert after < 0.7 * before
        assert torch.allclose(mlp(parameters, x)[m], module(x[m]), atol=1e-4)


def test_copies_share_no_memory_and_no_gradient():
    online = init_mlp((2, 3, 2), generators(0))
    target = copy_parameters(online)
    assert not any(p.requires_grad for p in target)
    with torch.no_grad():
        online[0].add_(1.0)
    assert torch.allclose(online[0] - target[0], torch.ones(1, 2, 3))


@pytest.mark.parametrize(("rate", "expected"), [(0.0, 2.0), (0.25, 3.0), (1.0, 6.0)])
def test_a_target_moves_the_given_share_of_the_way(rate, expected):
    target, online = [torch.full((1, 2, 2), 2.0)], [torch.full((1, 2, 2), 6.0, requires_grad=True)]
    move_towards(target, online, rate)
    assert target[0].tolist() == [[[expected] * 2] * 2] and not target[0].requires_grad
    assert online[0].tolist() == [[[6.0] * 2] * 2]


def test_networks_are_float32_whatever_torchs_default_is():
    expected = init_mlp((3, 4, 2), generators(7))
    torch.set_default_dtype(torch.float64)
    try:
        made = init_mlp((3, 4, 2), generators(7))
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(map(torch.equal, made, expected))
