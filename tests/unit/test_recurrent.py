"""Networks with memory side by side: against torch's own layers, plain loops, finite differences, and each alone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from plain_riddle import cells_of

from marl_lessons.algorithms.talk.riddle_agents import gru_cell, init_gru, recurrent_step


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


def test_one_step_is_that_of_plain_python():
    parameters = init_gru(2, 3, 1, generators(5))
    w, b, u, c = (p[0].tolist() for p in parameters[:4])
    x, h = [0.7, -1.2], [0.1, -0.4, 0.9]

    def gate(k):
        of_x = b[0][k] + sum(x[i] * w[i][k] for i in range(2))
        return of_x, c[0][k] + sum(h[i] * u[i][k] for i in range(3))

    expected = []
    for j in range(3):
        reset = 1 / (1 + math.exp(-sum(gate(j))))
        update = 1 / (1 + math.exp(-sum(gate(3 + j))))
        seen, kept = gate(6 + j)
        new = math.tanh(seen + reset * kept)
        expected.append((1 - update) * new + update * h[j])
    result = gru_cell(parameters[:4], torch.tensor([[x]]), torch.tensor([[h]]))
    assert result[0, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_gradients_through_time_agree_with_finite_differences():
    parameters = [p.detach().double().requires_grad_() for p in init_gru(2, 3, 2, generators(1, 2))]
    x = torch.randn(3, 2, 4, 2, dtype=torch.float64, generator=generators(3)[0])

    def last_output(*p):
        h = torch.zeros(2, 4, 3, dtype=torch.float64)
        for now in x:
            y, h = recurrent_step(p, now, h)
        return y

    assert torch.autograd.gradcheck(last_output, parameters)


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


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "3", None, (4,)])
def test_impossible_sizes_are_refused(place, wrong):
    sizes = [3, 4, 2]
    sizes[place] = wrong
    with pytest.raises(ValueError, match=("n_inputs", "n_hidden", "n_outputs")[place]):
        init_gru(*sizes, generators(0))
