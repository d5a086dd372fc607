"""Step sizes and exploration rates by hand."""

import numpy as np
import pytest

from marl_lessons.algorithms import (
    Constant,
    Linear,
    PerEpisode,
    PerStep,
    PerVisit,
    Progress,
    TabularConfig,
    q_learning,
)
from marl_lessons.algorithms.tables.schedules import PerAgent, as_schedule
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


def test_numbers_become_constants():
    assert as_schedule("alpha", 0.5) == Constant(0.5) and as_schedule(
        "alpha", PerVisit(0.7)
    ) == PerVisit(0.7)
    for wrong in (None, "fast", -1, 2, float("nan"), [0.5], {}):
        with pytest.raises(ValueError, match="alpha"):
            as_schedule("alpha", wrong)


def test_fields_are_kept_as_floats():
    for schedule in (Constant(1), PerVisit(1), PerStep(1, 0, 0), PerEpisode(np.float32(0.5), 1)):
        assert all(type(value) is float for value in vars(schedule).values())


def test_straight_lines_by_hand():
    assert Linear(1.0, 0.2, 4)(PROGRESS) == pytest.approx(np.array([[1.0], [0.6]]))
    assert Linear(1.0, 0.2, 6, "step")(PROGRESS) == pytest.approx(0.6)
    for over, expected in ((3, 0.2), (2, 0.2), (1, 0.2)):
        assert Linear(1.0, 0.2, over, "step")(PROGRESS) == pytest.approx(expected)
    assert Linear(1.0, 0.2, 1)(PROGRESS) == pytest.approx(np.array([[1.0], [0.2]]))
    assert Linear(0.0, 1.0, 2)(PROGRESS).tolist() == [[0.0], [1.0]]  # upwards, too
    line = [Linear(0.9, 0.1, 8, "step")(PROGRESS._replace(step=k)) for k in range(12)]
    assert np.diff(line, 2)[:6] == pytest.approx(np.zeros(6), abs=1e-12)
    assert line[0] == 0.9 and line[8:] == pytest.approx([0.1] * 4)


def test_one_schedule_for_each_agent():
    numbers = PerAgent("alpha", (0.25, 1))(PROGRESS)
    assert numbers.tolist() == [0.25, 1.0]
    mixed = PerAgent("alpha", [PerVisit(0.5), PerEpisode(0.8, 0.5)])(PROGRESS)
    assert mixed == pytest.approx(np.array([[1, 0.8], [1 / 3, 0.2]]))
    mixed = PerAgent("alpha", (0.3, PerVisit(1.0)))(PROGRESS)
    assert mixed == pytest.approx(np.array([[0.3, 1 / 4], [0.3, 1 / 16]]))
    mixed = PerAgent("alpha", (PerStep(0.8, 0.5), Constant(0.5)))(PROGRESS._replace(visits=None))
    assert mixed == pytest.approx(np.array([[0.1, 0.5], [0.1, 0.5]]))


def test_one_schedule_for_each_agent_and_draw_of_a_batch():
    """Several transitions are learned from at once: visits have an axis in front."""
    visits = np.arange(1, 13).reshape(3, 2, 2)
    mixed = PerAgent("alpha", (PerVisit(1.0), 0.5))(PROGRESS._replace(visits=visits))
    expected = np.stack([1 / visits[..., 0], np.full((3, 2), 0.5)], axis=-1)
    assert mixed == pytest.approx(expected)


NO_SHARE = (-0.1, 1.1, float("nan"), float("inf"), None, "fast", [0.5], True, 1j)


@pytest.mark.parametrize(
    ("kind", "fine", "wrong"),
    [
        (Constant, {}, {"value": NO_SHARE}),
        (PerVisit, {}, {"power": (-0.1, 10.5, float("nan"), None, "0.7")}),
        (PerEpisode, {"start": 0.5, "rate": 0.5}, {"start": NO_SHARE, "floor": NO_SHARE}),
        (PerStep, {"start": 0.5}, {"rate": NO_SHARE}),
        (
            Linear,
            {"start": 1.0, "end": 0.1, "over": 5},
            {"start": NO_SHARE, "end": NO_SHARE, "over": (0, 2.5, "5", None, True), "per": ("steps", None, np.ones(2))},
        ),
        (PerAgent, {"name": "values"}, {"values": (None, 0.1, (), "ab", {}, (0.1, PerVisit), (0.1, 2))}),
    ],
)  # fmt: skip
def test_wrong_values(kind, fine, wrong):
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=rf"^{name}\b"):
                kind(**{**fine, name: value})
