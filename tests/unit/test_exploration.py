"""Exploration noise: its recursion, its strength and how alike neighbouring steps are."""

import numpy as np
import pytest

from marl_lessons.algorithms.deep.maddpg import correlated_noise


def path(correlation, n_steps=400, n_paths=500, seed=0):
    """Noise ``[n_steps, n_paths]`` that begins with standard deviation 1."""
    rng = np.random.default_rng(seed)
    noise = [rng.standard_normal(n_paths)]
    for _ in range(n_steps - 1):
        noise.append(correlated_noise(noise[-1], correlation, rng))
    return np.array(noise)


def test_one_step_is_a_mixture_of_the_old_and_the_new():
    before = np.array([[1.0, -2.0], [0.5, 3.0]])
    fresh = np.random.default_rng(4).standard_normal((2, 2))
    after = correlated_noise(before, 0.6, np.random.default_rng(4))
    assert after == pytest.approx(0.6 * before + 0.8 * fresh)


def test_without_correlation_the_noise_is_white():
    fresh = np.random.default_rng(4).standard_normal(3)
    assert (correlated_noise(np.full(3, 9.0), 0.0, np.random.default_rng(4)) == fresh).all()


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_noise_keeps_its_strength_and_forgets_geometrically(correlation):
    """Standard deviation 1 at all times; correlation ρ^k between steps k apart."""
    noise = path(correlation)
    assert noise[-1].std() == pytest.approx(1.0, abs=0.12)
    assert noise.std() == pytest.approx(1.0, abs=0.03)
    assert noise.mean() == pytest.approx(0.0, abs=0.04)
    for k in (1, 2, 5):
        alike = (noise[k:] * noise[:-k]).mean()
        assert alike == pytest.approx(correlation**k, abs=0.05)


def test_entries_are_independent():
    noise = path(0.6)
    assert np.corrcoef(noise[:, 0], noise[:, 1])[0, 1] == pytest.approx(0.0, abs=0.25)
    assert np.corrcoef(noise.T)[np.triu_indices(500, 1)].mean() == pytest.approx(0.0, abs=0.01)


def test_what_went_before_is_left_as_it_was():
    before = np.ones(3)
    correlated_noise(before, 0.6, np.random.default_rng(0))
    assert (before == 1).all()
