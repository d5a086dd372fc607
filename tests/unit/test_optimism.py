"""Optimistic updates by hand, their limits, and settings that are refused."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.algorithms.tables.history import TabularConfig
from marl_lessons.algorithms.tables.independent_q import IndependentConfig, independent_q_learning
from marl_lessons.algorithms.tables.rules import (
    Hysteretic,
    Lenient,
    changes_policy,
    cooler,
    hysteretic_step,
    leniency,
)
from marl_lessons.algorithms.tables.schedules import Constant, PerVisit
from marl_lessons.envs.games.catalogue import lottery_game

NAN, INF = float("nan"), float("inf")


def test_two_step_sizes():
    error = np.array([[-2.0, -1e-300, 0.0], [-0.0, 1e-300, 3.0]])
    assert hysteretic_step(error, 0.5, 0.125).tolist() == [[0.125, 0.125, 0.5], [0.5, 0.5, 0.5]]
    own = np.array([[0.1, 0.2, 0.3]])
    assert hysteretic_step(error, own, own / 10)[0].tolist() == [0.1 / 10, 0.2 / 10, 0.3]


@given(st.floats(1e-3, 1e6), st.floats(1e-3, 1e3))
def test_leniency(temperature, theta):
    got = leniency(np.array([temperature, 2 * temperature]), theta)
    assert got[0] == pytest.approx(math.exp(-1 / (theta * temperature)), rel=1e-12)
    assert 0 <= got[0] <= got[1] <= 1 and leniency(temperature, 2 * theta) >= got[0]


def test_leniency_of_hot_and_cold_entries():
    assert leniency(np.array([1e9, 1.0, 1e-9]), 1.0) == pytest.approx([1, 1 / math.e, 0], abs=1e-8)


def test_cooling_by_hand():
    heat, mean, ends = np.array([40.0, 40.0]), np.array([10.0, 10.0]), np.array([False, True])
    assert cooler(heat, mean, 0.5, 0.25, ends) == pytest.approx([0.5 * 32.5, 20.0])
    assert cooler(heat, mean, 1.0, 0.0, ends).tolist() == [40.0, 40.0]
    assert cooler(heat, mean, 1.0, 1.0, ends).tolist() == [10.0, 40.0]


def test_policies_change_only_for_something_better():
    before = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [0.0, -np.inf]])
    after = np.array([[2.0, 2.0], [1.0, 2.5], [1.5, 2.0], [0.5, -np.inf]])
    assert changes_policy(before, after).tolist() == [False, True, False, True]


def coin(high: float, low: float, chance: float):
    """One agent with one action that earns ``high`` with ``chance`` and ``low`` otherwise."""
    return lottery_game([[[high]], [[low]]], (chance, 1 - chance))


@pytest.mark.parametrize("high, low, chance", [(14.0, 0.0, 0.5), (3.0, -5.0, 0.2)])
def test_the_bias_of_hysteretic_learners(high, low, chance):
    """E[ΔQ] = p α (h - Q) + (1 - p) β (l - Q) is 0 at Q = (p α h + (1 - p) β l) / (p α + (1 - p) β).

    For rewards of two values the mean of Q at equilibrium is exactly that, since Q stays between the two. It is far from
    the expected reward.
    """
    alpha, beta = 0.02, 0.004
    config = IndependentConfig(
        4_000, alpha, initial_value=high, optimism=Hysteretic(beta), n_records=40
    )
    q = independent_q_learning(coin(high, low, chance), config, 100).q[20:, :, 0, 0, 0]
    up, down = chance * alpha, (1 - chance) * beta
    fixed = (up * high + down * low) / (up + down)
    # Variance of the stationary distribution, from E[(Q + ΔQ - Q*)^2] = E[(Q - Q*)^2], at most range^2 α / 2.
    assert abs(q.mean() - fixed) < 5 * (high - low) * math.sqrt(alpha / 2) / math.sqrt(100)
    assert abs(fixed - (chance * high + (1 - chance) * low)) > 1


def test_an_agent_that_never_hears_bad_news_remembers_the_best():
    for wrong in (0.0, Constant(0.0)):
        config = IndependentConfig(
            300, 0.5, initial_value=-1.0, optimism=Hysteretic(wrong), n_records=300
        )
        q = independent_q_learning(coin(14.0, 0.0, 0.5), config, 20).q[:, :, 0, 0, 0]
        assert (np.diff(q, axis=0) >= 0).all() and (q[-1] > 13.99).all()


def test_forgiveness_ends():
    """A hot learner ignores bad news and holds the best; when its entries are cold it knows the mean."""
    hot = Lenient(start=1e9, decay=1.0, diffusion=0.0)
    cold = Lenient(start=1e-3, decay=1.0, diffusion=0.0)
    fields = {"n_steps": 3_000, "step_size": 0.02, "n_records": 1, "initial_value": -1.0}
    game = coin(14.0, 0.0, 0.5)
    forgiving, plain = (
        independent_q_learning(game, IndependentConfig(**fields, optimism=optimism), 50)
        for optimism in (hot, cold)
    )
    usual = independent_q_learning(game, TabularConfig(**fields), 50)
    assert (forgiving.q[-1, :, 0, 0, 0] > 13.9).all()
    assert plain.q[-1, :, 0, 0, 0].mean() == pytest.approx(7.0, abs=5 * 7 * 0.1 / math.sqrt(50))
    assert usual.q[-1, :, 0, 0, 0].mean() == pytest.approx(7.0, abs=5 * 7 * 0.1 / math.sqrt(50))


def test_a_half_forgiving_learner():
    """Bad news counts with probability 1 - e^(-1/θT), as if its step size were α (1 - e^(-1/θT))."""
    theta, temperature, alpha = 2.0, 3.0, 0.02
    lenient = Lenient(temperature, 1.0, theta, 1e-6, 1.0, 0.0)
    config = IndependentConfig(6_000, alpha, optimism=lenient, initial_value=7.0, n_records=60)
    q = independent_q_learning(coin(14.0, 0.0, 0.5), config, 100).q[30:, :, 0, 0, 0]
    counts = 1 - math.exp(-1 / (theta * temperature))
    assert abs(q.mean() - 14 / (1 + counts)) < 5 * 14 * math.sqrt(alpha / 2) / math.sqrt(100)


@pytest.mark.parametrize("value", [-0.1, 1.1, NAN, INF, None, "small", [0.1], True, 1j, PerVisit])
def test_wrong_negative_step_sizes(value):
    with pytest.raises(ValueError, match=r"^negative_step_size\b"):
        Hysteretic(value)


def test_negative_step_sizes():
    assert Hysteretic(1).negative_step_size == Constant(1.0)
    assert Hysteretic().negative_step_size == Constant(0.01)
    assert Hysteretic(PerVisit(0.7)).negative_step_size == PerVisit(0.7)


@pytest.mark.parametrize(
    "name, values",
    [
        ("start", (0, -1.0, 1e10)),
        ("decay", (0, -0.5, 1.01)),
        ("leniency", (0, -1.0, 1e10)),
        ("coldest", (0, 1e-7, -1.0, 1e10)),
        ("exploration", (0, -1.0, 1e10)),
        ("diffusion", (-0.1, 1.1)),
    ],
)
def test_wrong_lenient_settings(name, values):
    for value in (*values, NAN, INF, None, "warm", [0.5], True, 1j):
        with pytest.raises(ValueError, match=rf"^{name}\b"):
            Lenient(**{name: value})


def test_lenient_settings_are_kept_as_floats():
    lenient = Lenient(1, 1, 1, 1, 1, 0)
    assert all(type(value) is float for value in vars(lenient).values())
    usual = Lenient()
    assert (usual.start, usual.decay, usual.leniency, usual.coldest) == (50.0, 0.995, 1.0, 2.0)
    assert (usual.exploration, usual.diffusion) == (1.0, 0.1)
