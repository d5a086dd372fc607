"""Step sizes and exploration rates by hand."""

import numpy as np
import pytest

from marl_lessons.algorithms import (
    Constant,
    PerEpisode,
    PerStep,
    PerVisit,
    Progress,
    TabularConfig,
    q_learning,
)
from marl_lessons.algorithms.schedules import as_schedule
from marl_lessons.envs import MarkovGame

PROGRESS = Progress(3, np.array([[0], [2]]), np.array([[1, 4], [9, 16]]))
LOOP = MarkovGame(np.ones((1, 1, 1)), [[[1.0]]], 0.0)


def test_values_by_hand():
    assert Constant(0.3)(PROGRESS) == 0.3
    assert PerVisit(0.5)(PROGRESS) == pytest.approx(np.array([[1, 1 / 2], [1 / 3, 1 / 4]]))
    assert PerVisit()(PROGRESS) == pytest.approx(np.array([[1, 1 / 4], [1 / 9, 1 / 16]]))
    assert PerEpisode(0.8, 0.5)(PROGRESS).tolist() == [[0.8], [0.2]]
    assert PerEpisode(0.8, 0.5, 0.4)(PROGRESS).tolist() == [[0.8], [0.4]]
    assert PerStep(0.8, 0.5)(PROGRESS) == 0.1 and PerStep(0.8, 0.5, 0.3)(PROGRESS) == 0.3
    assert PerEpisode(0.8, 0.0).after(np.array([0, 1])).tolist() == [0.8, 0.0]


def test_the_first_visit_counts_one():
    """With α = 1/n the table is the mean of the rewards seen; the initial value is forgotten at the first
    visit."""
    rewards = MarkovGame(
        np.full((2, 1, 2), 0.5), None, 0.0, outcome_reward=[[[[0.0, 1.0]], [[0.0, 1.0]]]]
    )
    history = q_learning(
        rewards, TabularConfig(200, PerVisit(), 0.0, 1, initial_value=77.0, n_records=200), 3
    )
    earned = np.array([r for r in history.returns])  # every episode is one step
    n, q = history.visits[-1, :, :, 0], history.q[-1, :, :, 0]
    assert (n * q).sum(axis=1) == pytest.approx(earned.sum(axis=1))


def test_step_size_by_step_and_by_episode():
    """γ = 0 and reward 1 from 0: 1 - Q is the product of (1 - α) so far."""
    for schedule, alphas in (
        (PerStep(0.5, 0.5), [0.5 * 0.5**k for k in range(8)]),
        (PerEpisode(0.5, 0.5), [0.5 * 0.5 ** (k // 3) for k in range(8)]),
        (PerVisit(2.0), [(k + 1.0) ** -2 for k in range(8)]),
    ):
        history = q_learning(LOOP, TabularConfig(8, schedule, 0.0, 3, n_records=8), 1)
        assert 1 - history.q[:, 0, 0, 0] == pytest.approx(
            np.cumprod([1.0, *(1 - np.array(alphas))])
        )


@pytest.mark.parametrize("schedule", [Constant, PerVisit, PerEpisode, PerStep])
def test_wrong_values(schedule):
    fields = (
        {"value": 0.5}
        if schedule is Constant
        else {"power": 0.5}
        if schedule is PerVisit
        else {"start": 0.5, "rate": 0.5, "floor": 0}
    )
    for name in fields:
        for wrong in (
            -0.1,
            10.5 if name == "power" else 1.1,
            float("nan"),
            float("inf"),
            None,
            "fast",
            [0.5],
            1j,
        ):
            with pytest.raises(ValueError, match=name):
                schedule(**{**fields, name: wrong})


def test_numbers_become_constants():
    assert as_schedule("alpha", 0.5) == Constant(0.5) and as_schedule(
        "alpha", PerVisit(0.7)
    ) == PerVisit(0.7)
    for wrong in (None, "fast", -1, 2, float("nan"), [0.5], {}):
        with pytest.raises(ValueError, match="alpha"):
            as_schedule("alpha", wrong)


@pytest.mark.parametrize("power", [1, 2])
def test_whole_numbers_as_power(power):
    visits = np.array([[1], [4]])
    assert PerVisit(power)(Progress(0, np.zeros((2, 1)), visits)).tolist() == [[1.0], [4.0**-power]]


@pytest.mark.parametrize(
    "name, build",
    [
        ("epsilon", lambda: TabularConfig(epsilon=PerVisit())),
        ("step_size", lambda: TabularConfig(step_size=PerVisit)),
        ("epsilon", lambda: TabularConfig(epsilon=PerStep)),
        ("value", lambda: Constant("0.5")),
        ("start", lambda: PerStep(True, 0.9)),
        ("rate", lambda: PerEpisode(1.0, "0.9")),
        ("power", lambda: PerVisit("0.7")),
        ("step_size", lambda: TabularConfig(step_size="0.1")),
    ],
)
def test_refused_by_name(name, build):
    with pytest.raises(ValueError, match=name):
        build()


def test_fields_are_kept_as_floats():
    for schedule in (Constant(1), PerVisit(1), PerStep(1, 0, 0), PerEpisode(np.float32(0.5), 1)):
        assert all(type(value) is float for value in vars(schedule).values())
