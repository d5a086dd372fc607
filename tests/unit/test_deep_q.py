"""The equations of deep Q-learning: by hand, by plain loops, and by their gradients in closed form."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.algorithms.deep.iql import (
    DeepIQLConfig,
    agent_values,
    double_q_target,
    q_update,
    td_loss,
    with_agent_id,
)
from marl_lessons.algorithms.deep.networks import copy_parameters, init_mlp, mlp
from marl_lessons.algorithms.deep.replay import Batch
from marl_lessons.algorithms.tables.rules import one_draw_for_all

seed_numbers = st.integers(0, 10_000)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def random_batch(seed, n_seeds=2, n_rows=5, n_agents=3, d=4, n_actions=2):
    rng = np.random.default_rng(seed)
    shape = (n_seeds, n_rows, n_agents)
    return Batch(
        observations=torch.tensor(rng.normal(size=(*shape, d)), dtype=torch.float32),
        actions=torch.tensor(rng.integers(n_actions, size=shape)),
        rewards=torch.tensor(rng.normal(size=shape), dtype=torch.float32),
        next_observations=torch.tensor(rng.normal(size=(*shape, d)), dtype=torch.float32),
        terminated=torch.tensor(rng.random(shape) < 0.3),
        active=torch.tensor(rng.random(shape) < 0.7),
        ages=torch.zeros(shape[:2], dtype=torch.int64),
    )


def test_the_target_by_hand():
    online, target = torch.tensor([[1.0, 5.0], [7.0, 2.0]]), torch.tensor([[9.0, 3.0], [4.0, 8.0]])
    y = double_q_target(
        torch.tensor([10.0, 20.0]), online, target, torch.tensor([False, True]), 0.5
    )
    assert y.tolist() == [11.5, 20.0]  # the online network chooses 1, worth 3 and not 9


@given(seed_numbers)
def test_the_target_by_plain_loops(seed):
    rng = np.random.default_rng(seed)
    reward, online, target = rng.normal(size=4), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    ends = rng.random(4) < 0.5
    y = double_q_target(*map(torch.tensor, (reward, online, target, ends)), 0.9)
    dqn = double_q_target(*map(torch.tensor, (reward, target, target, ends)), 0.9)
    for k in range(4):
        best = max(range(3), key=lambda a, k=k: online[k, a])
        assert y[k].item() == pytest.approx(reward[k] + 0.9 * target[k, best] * (not ends[k]))
        assert dqn[k].item() == pytest.approx(reward[k] + 0.9 * max(target[k]) * (not ends[k]))


@given(seed_numbers)
def test_the_loss_and_its_gradient_in_closed_form(seed):
    """L = Σ (y - q)² / N over active agents; dL/dq = -2 (y - q) / N for the action taken, 0 elsewhere."""
    batch = random_batch(seed)
    q = torch.randn(2, 5, 3, 2, generator=generators(seed)[0], requires_grad=True)
    loss = td_loss(q, batch.actions, batch.rewards, batch.active)
    loss.sum().backward()
    for s in range(2):
        rows = [k for k in np.ndindex(5, 3) if batch.active[(s, *k)]]
        expected = torch.zeros(5, 3, 2)
        errors = []
        for b, i in rows:
            a = batch.actions[s, b, i].item()
            errors.append((batch.rewards[s, b, i] - q[s, b, i, a]).item())
            expected[b, i, a] = -2 * errors[-1] / len(rows)
        assert loss[s].item() == pytest.approx(np.mean(np.square(errors)), rel=1e-5)
        assert torch.allclose(q.grad[s], expected, atol=1e-6)


def test_agents_that_take_no_part_have_no_influence():
    batch = random_batch(3)
    q = torch.randn(2, 5, 3, 2, generator=generators(3)[0])
    for rubbish in (1e6, float("inf"), float("nan")):
        other = torch.where(batch.active[..., None], q, rubbish).requires_grad_()
        goal = torch.where(batch.active, batch.rewards, -rubbish)
        loss = td_loss(other, batch.actions, goal, batch.active)
        assert torch.equal(loss, td_loss(q, batch.actions, batch.rewards, batch.active))
        loss.sum().backward()
        assert (other.grad[~batch.active] == 0).all() and other.grad.isfinite().all()


def test_without_active_agents_there_is_nothing_to_learn():
    q = torch.ones(2, 4, 3, 2, requires_grad=True)
    active = torch.zeros(2, 4, 3, dtype=torch.bool)
    active[1, 0, 0] = True
    loss = td_loss(q, torch.zeros(2, 4, 3, dtype=torch.int64), torch.full((2, 4, 3), 3.0), active)
    assert loss.tolist() == [0.0, 4.0]
    loss.sum().backward()
    assert (q.grad[0] == 0).all()


def test_an_agent_id_is_one_hot_and_follows_the_observation():
    seen = with_agent_id(torch.arange(12.0).reshape(2, 3, 2))
    assert seen[1].tolist() == [[6, 7, 1, 0, 0], [8, 9, 0, 1, 0], [10, 11, 0, 0, 1]]
    assert seen.shape == (2, 3, 5)


@pytest.mark.parametrize("share", [True, False])
def test_each_agent_is_valued_by_its_own_network(share):
    observations = torch.randn(2, 5, 3, 4, generator=generators(0)[0])
    parameters = init_mlp((4, 6, 2), generators(*range(2 if share else 6)))
    q = agent_values(parameters, observations, share)
    assert q.shape == (2, 5, 3, 2)
    for s, b, i in np.ndindex(2, 5, 3):
        m = s if share else 3 * s + i
        alone = mlp([p[m : m + 1] for p in parameters], observations[s, b, i].reshape(1, 1, 4))
        assert torch.allclose(q[s, b, i], alone[0, 0], atol=1e-6)


@pytest.mark.parametrize("double_q", [True, False])
def test_one_update_of_a_linear_network_in_closed_form(double_q):
    """The semi-gradient step: w_a ← w_a + η (2/N) Σ (y - w_a·x) x over the rows with action a, y held fixed.

    A gradient that leaked into the target would change the step, or the target network.
    """
    batch, rate = random_batch(5), 0.1
    online, target = (
        init_mlp((4, 2), generators(1, 2)),
        copy_parameters(init_mlp((4, 2), generators(3, 4))),
    )
    w, b = (p.detach().double().numpy().copy() for p in online)
    w_slow, b_slow = (p.double().numpy().copy() for p in target)
    config = DeepIQLConfig(double_q=double_q, discount=0.9)
    losses = q_update(online, target, torch.optim.SGD(online, lr=rate), batch, config)
    for s in range(2):
        step_w, step_b, errors = np.zeros((4, 2)), np.zeros(2), []
        n_active = batch.active[s].sum().item()
        for row, i in np.ndindex(5, 3):
            if not batch.active[s, row, i]:
                continue
            x = batch.observations[s, row, i].double().numpy()
            following = batch.next_observations[s, row, i].double().numpy()
            fast, slow = following @ w[s] + b[s, 0], following @ w_slow[s] + b_slow[s, 0]
            best = np.argmax(fast if double_q else slow)
            y = batch.rewards[s, row, i].item()
            y += 0.0 if batch.terminated[s, row, i] else 0.9 * slow[best]
            a = batch.actions[s, row, i].item()
            errors.append(y - (x @ w[s] + b[s, 0])[a])
            step_w[:, a] += rate * 2 / n_active * errors[-1] * x
            step_b[a] += rate * 2 / n_active * errors[-1]
        assert losses[s].item() == pytest.approx(np.mean(np.square(errors)), rel=1e-4)
        assert online[0][s].detach().numpy() == pytest.approx(w[s] + step_w, abs=1e-5)
        assert online[1][s, 0].detach().numpy() == pytest.approx(b[s, 0] + step_b, abs=1e-5)
    assert (target[0].numpy() == w_slow.astype(np.float32)).all()
    assert all(p.grad is None for p in target)


def test_one_draw_decides_for_all_agents_of_a_world_but_not_for_other_worlds():
    uniform = np.random.default_rng(0).random((2, 3, 4, 5))
    before = uniform.copy()
    together = one_draw_for_all(uniform)
    assert (together[0] == uniform[0, :, :, :1]).all() and (together[1] == uniform[1]).all()
    assert len(np.unique(together[0])) == 12 and (uniform == before).all()
