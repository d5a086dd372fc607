"""Critics as they are left behind: what each sees, against networks computed by hand."""

import numpy as np
import pytest
import torch

from marl_lessons.algorithms.deep.actor_policy import Critics
from marl_lessons.algorithms.deep.networks import init_mlp

N, E, D, K = 2, 5, 3, 2


def by_hand(parameters, agent, x):
    """One network's answers to the rows x, in plain NumPy."""
    w1, b1, w2, b2 = (p[agent].detach().double().numpy() for p in parameters)
    return (np.maximum(x @ w1 + b1, 0) @ w2 + b2)[:, 0]


@pytest.mark.parametrize("central", [True, False])
def test_each_critic_sees_what_it_should(central):
    size = (N if central else 1) * (D + K)
    generators = [torch.Generator().manual_seed(i) for i in range(N)]
    parameters = init_mlp((size, 4, 1), generators)
    rng = np.random.default_rng(0)
    seen, done = rng.normal(size=(E, N, D)), rng.random((E, N, K))
    values = Critics(parameters, central)(seen, done)
    assert values.shape == (E, N)
    for i in range(N):
        parts = [seen.reshape(E, -1), done.reshape(E, -1)] if central else [seen[:, i], done[:, i]]
        expected = by_hand(parameters, i, np.concatenate(parts, axis=1))
        np.testing.assert_allclose(values[:, i], expected, atol=1e-5)


def test_bad_input_is_named():
    generators = [torch.Generator().manual_seed(i) for i in range(N)]
    critics = Critics(init_mlp((N * (D + K), 4, 1), generators), True)
    seen, done = np.zeros((E, N, D)), np.zeros((E, N, K))
    for bad in (np.zeros((E, N + 1, D)), "no", np.full((E, N, D), np.nan)):
        with pytest.raises(ValueError, match=r"^observations"):
            critics(bad, done)
    for bad in (np.zeros((E + 1, N, K)), np.zeros((E, N, K + 1)), None):
        with pytest.raises(ValueError, match=r"^actions"):
            critics(seen, bad)
