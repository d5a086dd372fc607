"""Deep independent Q-learning: its equations by hand and by plain loops, its runs on worlds whose answers are known exactly."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.algorithms.deep import iql
from marl_lessons.algorithms.deep.iql import (
    DeepIQLConfig,
    GreedyPolicy,
    agent_values,
    choose_actions,
    double_q_target,
    q_update,
    td_loss,
    train_iql,
    with_agent_id,
)
from marl_lessons.algorithms.deep.networks import copy_parameters, init_mlp, mlp
from marl_lessons.algorithms.deep.replay import Batch, Replay
from marl_lessons.algorithms.tables.rules import one_draw_for_all
from marl_lessons.algorithms.tables.schedules import Linear, PerVisit
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.stepping import BatchedStep, GameWorlds
from marl_lessons.evaluation.statistics import play_episodes

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


# Runs


class Clock:
    """Worlds whose agents see the time as a one-hot vector, or nothing but a 1; ``pay(actions[E, n])`` gives the rewards.

    An episode terminates, or is truncated, after ``n_steps`` steps.
    """

    def __init__(
        self, n_worlds, n_agents, n_actions, n_steps, pay, *, terminates=False, sees_time=False
    ):
        self.n_worlds, self.n_agents, self.n_actions = n_worlds, n_agents, (n_actions,) * n_agents
        self.n_steps, self.pay, self.terminates = n_steps, pay, terminates
        self.size = n_steps + 1 if sees_time else 1
        self.observation_sizes = (self.size,) * n_agents
        self.active = np.ones((n_worlds, n_agents), dtype=bool)
        self.time = np.zeros(n_worlds, dtype=int)
        self.actions = []

    @property
    def ended(self):
        return self.time == self.n_steps

    def see(self):
        time = self.time if self.size > 1 else 0 * self.time
        return np.repeat(np.eye(self.size, dtype=np.float32)[time][:, None], self.n_agents, axis=1)

    def reset(self, rng):
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.time[which] = 0
        return self.see()

    def step(self, actions, rng):
        assert actions.shape == (self.n_worlds, self.n_agents) and (self.time < self.n_steps).all()
        self.actions.append(actions.copy())
        self.time += 1
        ended = self.time == self.n_steps
        terminated = np.repeat((ended & self.terminates)[:, None], self.n_agents, axis=1)
        rewards = np.asarray(self.pay(actions), dtype=float)
        return BatchedStep(self.see(), rewards, terminated, ended & (not self.terminates), ended)


def always_one(actions):
    return np.ones(actions.shape)


def differ(actions):
    """Anti-coordination of two agents: 1 for both if their actions differ."""
    return np.repeat(actions[:, :1] != actions[:, 1:], 2, axis=1)


def quick(**settings):
    usual = {
        "n_steps": 200,
        "hidden_sizes": (16,),
        "learning_rate": 0.01,
        "batch_size": 32,
        "buffer_size": 1000,
        "learn_from": 5,
        "target_interval": 20,
        "n_records": 2,
    }
    return DeepIQLConfig(**{**usual, **settings})


def same_parameters(a, b, **tolerance):
    return all(
        torch.allclose(p, q, **tolerance) for p, q in zip(a.parameters, b.parameters, strict=True)
    )


@pytest.mark.parametrize("share", [True, False])
def test_the_reward_of_a_terminal_step_is_learned(share):
    """An episode of one step with reward 1 has Q = 1: its only transition is not to be masked away."""
    worlds = Clock(8, 2, 2, 1, always_one, terminates=True)
    history = train_iql(worlds, quick(share_parameters=share, epsilon=1.0), seeds=2)
    q = history.policy.values(np.ones((2, 2, 1)))
    assert q.shape == (2, 2, 2) and q == pytest.approx(np.ones((2, 2, 2)), abs=0.02)


@pytest.mark.parametrize(
    ("bootstraps", "expected"),
    [(True, 1 / (1 - 0.95)), (False, 1 / (1 - 0.95 * 24 / 25))],
    ids=["bootstraps", "stops"],
)
def test_truncation_is_no_termination(bootstraps, expected):
    """Reward 1 for ever, cut short every 25 steps and observed as one state: Q = 1 + γQ, hence 20.

    Who takes the cut for an end has 1 step in 25 that is followed by nothing: Q = 1 + γ (24/25) Q, hence 11.4.
    """
    worlds = Clock(25, 1, 1, 25, always_one)

    def stagger(worlds, step):  # so that the cuts come at a steady rate
        if step == 0:
            worlds.time[:] = np.arange(25)

    config = quick(
        n_steps=700,
        target_interval=5,
        bootstrap_on_truncation=bootstraps,
        updates_per_step=1,
        batch_size=64,
    )
    history = train_iql(worlds, config, seeds=1, before_step=stagger)
    q = history.policy.values(np.ones((1, 1, 1))).item()
    assert q == pytest.approx(expected, rel=0.06)


def test_what_is_stored_is_what_came_before_the_reset(monkeypatch):
    """The last transition of an episode leads to the last observation, not to the first of the next episode."""
    stored = []

    class Spy(Replay):
        def add(self, *fields):
            stored.append([torch.as_tensor(x).numpy().copy() for x in fields])
            super().add(*fields)

    monkeypatch.setattr(iql, "Replay", Spy)
    worlds = Clock(4, 2, 2, 3, always_one, sees_time=True)
    train_iql(worlds, quick(n_steps=7, agent_id=False, reward_scale=0.5), seeds=2)
    before = [fields[0].argmax(axis=-1) for fields in stored]
    after = [fields[3].argmax(axis=-1) for fields in stored]
    assert [set(x.ravel()) for x in before] == [{0}, {1}, {2}, {0}, {1}, {2}, {0}]
    assert [set(x.ravel()) for x in after] == [{1}, {2}, {3}, {1}, {2}, {3}, {1}]
    for fields, chosen in zip(stored, worlds.actions, strict=True):
        assert (fields[1].reshape(4, 2) == chosen).all()  # worlds 0 and 1 are seed 0's
        assert (fields[2] == 0.5).all() and not fields[4].any() and fields[5].all()


@pytest.mark.parametrize("share", [True, False])
def test_agents_that_take_no_part_teach_nothing(share):
    """Whatever is told of agent 1 while it takes no part, agent 0 learns the same, bit for bit."""

    def run(told):
        worlds = Clock(4, 2, 2, 1, lambda a: np.stack([a[:, 0] == 1, told * (a[:, 1] + 1)], axis=1))
        worlds.active[:, 1] = False
        see = worlds.see
        worlds.see = lambda: see() * np.array([[[1.0], [told]]], dtype=np.float32)
        config = quick(n_steps=60, share_parameters=share, discount=0.0)
        return train_iql(worlds, config, seeds=2).policy

    quiet, loud = run(0.0), run(1000.0)
    assert same_parameters(quiet, loud, atol=0.0, rtol=0.0)
    assert (quiet(np.ones((2, 2, 1)))[:, 0] == 1).all()


@pytest.mark.parametrize("agent_id", [True, False])
def test_a_shared_network_needs_an_id_where_agents_should_differ(agent_id):
    """Both agents see the same. Without id they take the same greedy action, always; with it every seed parts them."""
    worlds = Clock(8 * 4, 2, 2, 1, differ, terminates=True)
    config = quick(
        n_steps=400,
        epsilon=Linear(1.0, 0.05, 600),
        agent_id=agent_id,
        learn_from=10,
        buffer_size=400,
    )
    history = train_iql(worlds, config, seeds=8)
    seen = np.ones((8, 2, 1))
    actions = history.policy(seen)
    assert (actions[:, 0] != actions[:, 1]).tolist() == [agent_id] * 8
    values = history.policy.values(seen)
    assert agent_id or np.array_equal(values[:, 0], values[:, 1])


def test_agents_with_networks_of_their_own_learn_different_actions():
    worlds = Clock(8, 2, 3, 1, lambda a: a == [[0, 2]], terminates=True)
    config = quick(share_parameters=False, agent_id=False, epsilon=1.0)
    history = train_iql(worlds, config, seeds=2)
    assert history.policy(np.ones((6, 2, 1))).tolist() == [[0, 2]] * 6
    assert history.policy.values(np.ones((2, 2, 1))) == pytest.approx(
        np.repeat([[[1, 0, 0], [0, 0, 1]]], 2, axis=0), abs=0.05
    )


@pytest.mark.parametrize(
    "worlds",
    [GameWorlds(two_cars(), 6, time_limit=20), TrafficJunction("easy", 6, vision=1)],
    ids=["two cars", "traffic junction"],
)
def test_the_courses_own_worlds_can_be_learned_in(worlds):
    history = train_iql(worlds, quick(n_steps=45, updates_per_step=1), seeds=3)
    assert (history.episodes[-1] >= 4).all() and np.isfinite(history.losses[-1]).all()
    actions = history.policy(worlds.reset(np.random.default_rng(0)))
    assert worlds.step(actions, np.random.default_rng(1)).rewards.shape == actions.shape


def test_every_seed_learns_in_its_own_worlds():
    """Worlds 0-3 pay action 0, worlds 4-7 action 1, worlds 8-11 action 2: one seed each."""
    paid = np.repeat([0, 1, 2], 4)[:, None]
    worlds = Clock(12, 1, 3, 1, lambda a: a == paid, terminates=True)
    policy = train_iql(worlds, quick(epsilon=1.0), seeds=3).policy
    assert policy(np.ones((6, 1, 1))).ravel().tolist() == [0, 0, 1, 1, 2, 2]
    for s in range(3):
        assert policy.of_seed(s)(np.ones((2, 1, 1))).ravel().tolist() == [s, s]


def test_of_seed_takes_all_networks_of_a_seed():
    generators = [torch.Generator().manual_seed(m) for m in range(6)]
    parameters = [p.detach() for p in init_mlp((4, 5, 2), generators)]
    policy = GreedyPolicy(parameters, 3, 2, share_parameters=False, agent_id=True)
    seen = np.random.default_rng(0).normal(size=(6, 2, 2))
    both = policy.values(seen)
    for s in range(3):
        alone = policy.of_seed(s).values(seen[2 * s : 2 * s + 2])
        assert alone == pytest.approx(both[2 * s : 2 * s + 2], abs=1e-6)


def explored(correlated, seeds=2):
    """Which of 3 agents explored, ``[steps·E, 3]``: networks that never learn, and 50 actions to be seen by."""
    worlds = Clock(40, 3, 50, 5, always_one)
    config = quick(n_steps=300, updates_per_step=0, epsilon=0.3, correlated_exploration=correlated)
    policy = train_iql(worlds, config, seeds).policy
    greedy = policy(np.ones((40, 3, 1)))
    return np.array(worlds.actions) != greedy


@pytest.mark.parametrize("correlated", [True, False])
def test_agents_explore_together_or_each_on_its_own(correlated):
    """ε = .3 and 49 of 50 random actions differ from the greedy one: p = .294 for each agent, either way.

    Two agents at once: .3 (49/50)² if one number decides for both, p² if each has its own; 12,000 worlds and steps.
    """
    explore = explored(correlated).reshape(-1, 3)
    p = 0.3 * 49 / 50
    both = 0.3 * (49 / 50) ** 2 if correlated else p**2
    error = np.sqrt(0.25 / len(explore))
    assert explore.mean(axis=0) == pytest.approx(np.full(3, p), abs=5 * error)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert (explore[:, i] & explore[:, j]).mean() == pytest.approx(both, abs=5 * error)
    # Worlds explore at different moments, and moments follow no pattern.
    together = explored(correlated)[..., 0]
    for a, b in (
        (together[:, 0], together[:, 1]),
        (together[:, 0], together[:, 20]),
        (together[:-1], together[1:]),
    ):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)


def test_exploration_follows_each_seeds_own_rate():
    online = init_mlp((1, 2), [torch.Generator().manual_seed(s) for s in (0, 1)])
    with torch.no_grad():
        for p in online:
            p.zero_()
    uniform = np.random.default_rng(0).random((2, 2, 500, 2))
    seen, config = torch.ones(2, 500, 2, 1), quick()
    actions = choose_actions(online, seen, np.array([[0.0], [1.0]]), uniform, config)
    assert (actions[0] == 0).all() and actions[1].mean() == pytest.approx(0.5, abs=0.1)
    assert (choose_actions(online, seen, 0.0, uniform, config) == 0).all()


def test_a_run_can_be_repeated_and_does_not_depend_on_its_neighbours():
    """In worlds without chance a seed's run is the same beside others, but for rounding."""

    def run(seeds):
        worlds = Clock(2 * len(seeds), 2, 2, 3, lambda a: a + 0.5 * differ(a), sees_time=True)
        return train_iql(worlds, quick(n_steps=30), seeds)

    first, again, alone = run((3, 5, 8)), run((3, 5, 8)), run((5,))
    assert same_parameters(first.policy, again.policy, atol=0.0, rtol=0.0)
    assert not same_parameters(first.policy.of_seed(0), first.policy.of_seed(1), atol=1e-3)
    assert same_parameters(first.policy.of_seed(1), alone.policy, atol=1e-4)
    assert first.returns[1].tolist() == alone.returns[0].tolist()


def test_the_history_of_a_run():
    worlds = Clock(6, 2, 2, 5, lambda a: np.ones(a.shape) * [[1.0, 2.0]])
    told, begun = [], []
    config = quick(
        n_steps=22, n_records=2, epsilon=Linear(1.0, 0.0, 10), reward_scale=0.1, learn_from=12
    )
    history = train_iql(
        worlds,
        config,
        seeds=(4, 9, 1),
        progress=told.append,
        evaluate=lambda policy: policy(np.ones((3, 2, 1))).shape,
        before_step=lambda w, step: begun.append((w is worlds, step)),
    )
    assert history.seeds == (4, 9, 1) and history.steps.tolist() == [0, 11, 22]
    assert told == [0.0, 0.5, 1.0] and begun == [(True, step) for step in range(22)]
    assert history.evaluations.tolist() == [[3, 2]] * 3
    assert history.episodes.tolist() == [[0] * 3, [4] * 3, [8] * 3]  # two worlds, five steps each
    assert history.epsilon == pytest.approx(np.repeat([[1.0], [0.6], [0.2]], 3, axis=1))
    assert np.isnan(history.losses[:2]).all() and (history.losses[2] > 0).all()
    for returns, ended_at in zip(history.returns, history.ended_at, strict=True):
        assert returns.tolist() == [[5.0, 10.0]] * 8
        assert ended_at.tolist() == [5, 5, 10, 10, 15, 15, 20, 20]
    assert len(history.policies) == 3 and history.policy is history.policies[-1]
    assert same_parameters(history.policies[0], history.policies[1], atol=0.0)
    assert not same_parameters(history.policies[1], history.policies[2], atol=1e-4)


def test_episodes_are_counted_for_the_seed_that_played_them():
    """Seed 0's first world ends after 1 step and again after 6, its second after 3; seed 1's after 5."""

    def stagger(worlds, step):
        if step == 0:
            worlds.time[:] = [4, 2, 0, 0]

    rewards = np.array([[1.0], [10.0], [100.0], [1000.0]])
    worlds = Clock(4, 1, 2, 5, lambda a: rewards)
    history = train_iql(worlds, quick(n_steps=6), seeds=2, before_step=stagger)
    assert history.episodes.tolist() == [[0, 0], [2, 0], [3, 2]]
    assert history.returns[0].tolist() == [[1.0], [30.0], [5.0]]
    assert history.returns[1].tolist() == [[500.0], [5000.0]]
    assert [ended.tolist() for ended in history.ended_at] == [[1, 3, 6], [5, 5]]


def test_a_learning_rate_that_falls_is_the_one_of_its_step():
    """A line that is level is a constant; one that has ended at 0 leaves the networks as they are."""

    def parameters(rate, n_steps):
        config = quick(n_steps=n_steps, n_records=1, learning_rate=rate)
        return train_iql(Clock(4, 2, 2, 5, always_one), config, seeds=2).policy

    level, constant = Linear(0.01, 0.01, 7, per="step"), 0.01
    assert same_parameters(parameters(level, 30), parameters(constant, 30), rtol=0, atol=0)
    falling = Linear(0.01, 0.0, 20, per="step")
    assert same_parameters(parameters(falling, 21), parameters(falling, 60), rtol=0, atol=0)
    assert not same_parameters(parameters(falling, 12), parameters(falling, 13), rtol=0, atol=1e-6)
    rates = [quick(learning_rate=falling).learning_rate_at(step) for step in (0, 5, 20, 30)]
    assert rates == pytest.approx([0.01, 0.0075, 0.0, 0.0])
    assert quick(learning_rate=0.003).learning_rate_at(100) == 0.003


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_steps", 2.5),
        ("hidden_sizes", 64),
        ("learning_rate", float("nan")),
        ("learning_rate", Linear(0.1, 0.0, 10)),  # counts episodes
        ("learning_rate", Linear(0.0, 0.1, 10, per="step")),
        ("learning_rate", PerVisit()),
        ("discount", 1.01),
        ("batch_size", 0),
        ("updates_per_step", -1),
        ("learn_from", None),
        ("target_interval", 0),
        ("double_q", 1),
        ("epsilon", PerVisit()),
        ("epsilon", Linear),
        ("share_parameters", "yes"),
        ("correlated_exploration", 0),
        ("reward_scale", 0.0),
        ("n_records", 10**6),
    ],
)
def test_impossible_settings_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        DeepIQLConfig(**{field: value})


def unequal():
    worlds = Clock(4, 2, 2, 5, always_one)
    worlds.n_actions = (2, 3)
    return worlds


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"worlds": "traffic"}, "worlds"),
        ({"seeds": 3}, "worlds: there are 4.*multiple of 3"),
        ({"config": {"n_steps": 3}}, "config"),
        ({"config": quick(buffer_size=1)}, "buffer_size"),
        ({"seeds": []}, "seeds"),
        ({"device": "abacus"}, "^device"),
        ({"worlds": unequal()}, r"^worlds: .*numbers of actions"),
        *(
            ({name: True}, f"^{name}: expected a function or None, got True")
            for name in ("progress", "evaluate", "before_step")
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, word):
    worlds = Clock(4, 2, 2, 5, always_one)
    with pytest.raises(ValueError, match=word):
        train_iql(**{"worlds": worlds, "config": quick(), "seeds": 2, **arguments})
    assert not worlds.actions, "refused before the first step"


def test_worlds_that_bring_something_else_are_refused():
    """At the first step, and before it."""
    worlds = Clock(4, 2, 2, 5, always_one)
    right = worlds.step
    worlds.step = lambda actions, rng: right(actions, rng)._replace(truncated=False)
    with pytest.raises(ValueError, match=r"^worlds: expected truncated to be booleans"):
        train_iql(worlds, quick(), 2)
    assert len(worlds.actions) == 1
    worlds.reset = lambda rng: np.ones((4, 1, 2), np.float32)
    with pytest.raises(ValueError, match=r"^worlds: expected observations"):
        train_iql(worlds, quick(), 2)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_at_the_next_record(wrong):
    worlds = Clock(4, 2, 2, 50, lambda a: np.where(a == 1, wrong, 0.0))
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=r"^worlds: an observation"):
        train_iql(worlds, quick(n_steps=40), 2)
    assert len(worlds.actions) == 20, "records are 20 steps apart"

    worlds = Clock(4, 2, 2, 50, always_one)
    see = worlds.see
    worlds.see = lambda: np.where(len(worlds.actions) < 3, see(), wrong).astype(np.float32)
    with pytest.raises(ValueError, match=r"^worlds: an observation"):
        train_iql(worlds, quick(n_steps=40, updates_per_step=0), 2)


def test_divergence_is_refused():
    worlds = Clock(4, 2, 2, 50, lambda a: np.full(a.shape, 1e15))
    with pytest.raises(ValueError, match=r"^config: losses or parameters"):
        train_iql(worlds, quick(n_steps=40, reward_scale=1e6), 2)


def test_records_are_20_or_every_step():
    assert DeepIQLConfig().n_records == 20 and DeepIQLConfig(n_steps=7).n_records == 7
    history = train_iql(Clock(2, 1, 2, 5, always_one), quick(n_steps=7, n_records=None), seeds=2)
    assert history.steps.tolist() == list(range(8))


def test_the_example_of_the_docstring_runs():
    lines = train_iql.__doc__.split("worlds::")[1].split("Raises")[0].strip().splitlines()
    assert len(lines) == 6
    code = "\n".join(line.strip() for line in lines).replace("n_steps=500", "n_steps=25")
    names = {"TrafficJunction": TrafficJunction, "DeepIQLConfig": DeepIQLConfig, "Linear": Linear}
    exec(
        code.replace("progress=print", "progress=None"), names | {"train_iql": train_iql, "np": np}
    )


@pytest.fixture(scope="module")
def learned():
    return train_iql(Clock(4, 2, 2, 5, always_one), quick(n_steps=2), 2)


BEYOND = np.ones((4, 2, 1)) * [[[1.0]], [[1e39]], [[1.0]], [[1.0]]]


@pytest.mark.parametrize(
    "wrong",
    [np.ones((4, 2)), np.ones((4, 3, 1)), np.ones((4, 2, 2)), np.ones((3, 2, 1)), [["a"]],
     np.full((2, 2, 1), np.nan), BEYOND],
)  # fmt: skip
def test_a_policy_names_impossible_observations(learned, wrong):
    for ask in (learned.policy, learned.policy.values, lambda seen: learned.policy.act(None, seen)):
        with pytest.raises(ValueError, match=r"^observations"):
            ask(wrong)


@pytest.mark.parametrize("which", [-1, 2, True, 1.0, "0", None, np.array([0])])
def test_a_policy_of_no_such_seed_is_refused(learned, which):
    with pytest.raises(ValueError, match=r"^which is"):
        learned.policy.of_seed(which)


def test_a_policy_plays_episodes_as_it_is(learned):
    """For all learners with networks alike."""
    worlds = Clock(6, 2, 2, 5, always_one)
    rng = np.random.default_rng(0)
    for act in (learned.policy, learned.policy.act):
        assert play_episodes(worlds, act, 1, rng).returns.shape == (6, 2)
    assert (np.array(worlds.actions) == learned.policy(np.ones((6, 2, 1)))).all()


def test_a_history_shows_itself_in_a_line(learned):
    assert repr(learned).startswith("DeepHistory(") and len(repr(learned)) < 1000
    assert len(repr(learned.policy)) < 500


def test_what_is_set_for_all_of_torch_and_numpy_changes_nothing():
    """Double precision by default, gradients switched off in either way, NumPy that raises at an underflow."""

    def run():
        return train_iql(Clock(4, 2, 2, 5, always_one), quick(n_steps=20), 2).policy

    expected = run()
    torch.set_default_dtype(torch.float64)
    try:
        assert same_parameters(run(), expected, atol=0.0, rtol=0.0)
        assert (expected.values(np.ones((2, 2, 1))).dtype) == np.float32
    finally:
        torch.set_default_dtype(torch.float32)
    for switched_off in (torch.no_grad(), torch.inference_mode(), np.errstate(all="raise")):
        with switched_off:
            assert same_parameters(run(), expected, atol=0.0, rtol=0.0)
