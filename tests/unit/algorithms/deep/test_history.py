"""The recorder: who ended when, what is due, what a history holds, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from marl_lessons.algorithms.deep.history import Recorder


def recorder(n_steps=4, n_records=2, seeds=(7, 9)):
    """Two seeds with two worlds each, one agent."""
    config = SimpleNamespace(n_steps=n_steps, n_records=n_records)
    return Recorder(config, seeds, n_worlds=2, n_agents=1, n_losses=len(seeds))


def run(made):
    """Rewards 1, 10, 100, 1000 in the four worlds; the second ends at step 1, the last two at step 3."""
    ends = {1: [1], 3: [2, 3]}
    for step in range(5):
        if made.is_due():
            made.record(step, [torch.tensor([float(step)])], lambda policy: [policy, 2.0], rate=0.5)
        if step < 4:
            ended = np.isin(np.arange(4), ends.get(step + 1, []))
            made.step_made(np.array([[1.0], [10.0], [100.0], [1000.0]]), ended)
            made.update_made(torch.tensor([step, 10.0 * step]))
    return made


def test_a_history_by_hand():
    made = run(recorder())
    history = made.history(lambda parameters: parameters[0].item(), epsilon=made.column("rate"))
    assert history.steps.tolist() == [0, 2, 4] and history.env_steps.tolist() == [0, 4, 8]
    assert history.updates.tolist() == [0, 2, 4] and history.seeds == (7, 9)
    assert history.episodes.tolist() == [[0, 0], [1, 0], [1, 2]]
    assert np.isnan(history.losses[0]).all()
    assert history.losses[1:].tolist() == [[0.5, 5.0], [2.5, 25.0]]
    assert history.policies == (0.0, 2.0, 4.0) and history.policy == 4.0
    assert history.evaluations.tolist() == [[0, 2], [2, 2], [4, 2]]
    assert [returns.tolist() for returns in history.returns] == [[[10.0]], [[300.0], [3000.0]]]
    assert [ended.tolist() for ended in history.ended_at] == [[1], [3, 3]]
    assert history.epsilon.tolist() == [0.5] * 3 and history.critics is None


def test_a_run_too_short_for_an_episode_has_none():
    made = recorder(n_steps=1, n_records=1)
    made.record(None, [], None)
    history = made.history(lambda parameters: None)
    assert history.evaluations is None and [r.shape for r in history.returns] == [(0, 1), (0, 1)]
    assert history.losses.shape == (1, 2) and np.isnan(history.losses).all()


def test_who_answers_nothing_has_no_evaluations():
    made = recorder()
    made.record(None, [], lambda policy: None)
    assert made.history(lambda parameters: None).evaluations is None


def test_a_recorder_goes_on_from_a_snapshot():
    half, whole = recorder(), run(recorder())
    half.record(0, [torch.tensor([0.0])], None, rate=0.5)
    half.restore({**run(recorder()).snapshot(), "seeds": [7, 9]})
    one, other = (r.history(lambda parameters: parameters[0].item()) for r in (half, whole))
    assert one.policies == other.policies and one.seeds == other.seeds == (7, 9)
    assert not half.is_due()
    assert repr(one).count("\n") == 0 and len(repr(one)) < 1000


def test_losses_are_forgotten_once_recorded():
    made = recorder()
    made.update_made(torch.ones(2))
    assert len(made.losses) == 1
    made.record(None, [], None)
    assert made.losses == [] and made.column("losses") == pytest.approx(np.ones((1, 2)))
