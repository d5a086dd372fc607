"""Other parts for MADDPG: for each fault a check that MADDPG passes and the fault fails; blinkers hide what they should."""

import numpy as np
import pytest
import torch
from maddpg_worlds import ToyWorlds, always_one, quick, watched_run

from marl_lessons.algorithms.deep.actor_policy import allowed_entries
from marl_lessons.algorithms.deep.maddpg import explore, train_maddpg
from marl_lessons.algorithms.deep.maddpg_update import (
    MADDPGConfig,
    Networks,
    Pieces,
    actor_step,
    by_agent,
    critic_values,
    everyone,
)
from marl_lessons.algorithms.deep.maddpg_variants import BLINKERS, FAULTS, own_part
from marl_lessons.algorithms.deep.networks import copy_parameters, init_mlp, mlp
from marl_lessons.envs import simple_speaker_listener, simple_spread


def right_or(fault):
    """Both versions of a test: with the right parts it must pass, with the faulty ones it must not."""
    versions = [(Pieces(), True), (FAULTS[fault], False)]
    return pytest.mark.parametrize(("pieces", "right"), versions, ids=["right", "faulty"])


def drawn(run, n_rows):
    """A batch from the run's replay, agents first."""
    return by_agent(run.replay.sample(n_rows, [torch.Generator().manual_seed(1)]))


def stored(run):
    """Everything in the replay, agents first: ``[n, stored, ·]``, in the order in which it came."""
    rows = run.replay.snapshot()["rows"][0].transpose(0, 1)
    d, k = run.nets.actors[0].shape[1], run.nets.allowed.shape[2]
    seen, later, actions, told = rows.split([d, d, k, 3], dim=-1)
    return seen, actions, told[..., 0], later, told[..., 1] > 0


def mean_value(run):
    """``[n]``: what the critics say of all stored transitions, on average."""
    seen, actions = (everyone(part) for part in stored(run)[:2])
    with torch.no_grad():
        return critic_values(run.nets.critics, seen, actions).mean(dim=1).numpy()


def test_every_fault_is_tested_here():
    assert set(FAULTS) == {
        "no target networks",
        "ends are dropped",
        "gradient into the others",
        "actions held small, not logits",
        "speaker is not paid",
        "rows mixed up",
    }


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
def test_faults_run_without_a_word_and_change_what_is_learned(name, continuous):
    """A fault is no crash: that is what makes it one. Its actors are not those of MADDPG."""

    def pay(actions, secrets):
        return secrets

    def learned(pieces):
        worlds = ToyWorlds(4, (2, 3), pay, n_steps=3, continuous=continuous, sees=(2, 3))
        config = quick(n_steps=20, logit_weight=1.0, n_records=1)
        return train_maddpg(worlds, config, pieces=pieces).policy.actors

    assert any((a != b).any() for a, b in zip(learned(FAULTS[name]), learned(None)))


@right_or("no target networks")
@pytest.mark.parametrize("central", [True, False], ids=["central", "independent"])
@pytest.mark.parametrize("part", ["actors", "critics"])
def test_1_targets_come_from_the_target_networks_alone(pieces, right, central, part):
    worlds = ToyWorlds(4, (2, 3), always_one, n_steps=3, sees=(2, 3))
    run = watched_run(worlds, 3, central=central, learn_from=99)
    batch = drawn(run, 8)
    before = pieces.next_values(run.nets, batch, central)
    with torch.no_grad():
        for p in getattr(run.nets, part):
            p += 0.5
    assert torch.equal(before, pieces.next_values(run.nets, batch, central)) == right


def test_2_the_reward_of_the_only_step_is_learned():
    """Episodes of one step with reward 1: Q = 1."""
    run = watched_run(ToyWorlds(4, (1, 1), always_one), 200, target_rate=0.2)
    assert mean_value(run) == pytest.approx(np.ones(2), abs=0.02)


@right_or("ends are dropped")
def test_2_the_reward_of_the_last_step_is_learned(pieces, right):
    """Two steps that look the same, each paid 1, γ = 1/2: Q = 1 + γ/2 · Q = 4/3; who never learns from the last has 1 + γ Q = 2."""
    worlds = ToyWorlds(4, (1, 1), always_one, n_steps=2)
    run = watched_run(worlds, 300, pieces, target_rate=0.2, discount=0.5, batch_size=64)
    assert mean_value(run) == pytest.approx(np.full(2, 4 / 3 if right else 2.0), abs=0.08)


@pytest.mark.parametrize(
    ("bootstraps", "discount", "expected"),
    [(True, 0.85, 1 / 0.15), (False, 0.85, 1 / (1 - 0.85 * 24 / 25)), (True, 0.95, 20.0)],
    ids=["right", "faulty", "right, farther"],
)
def test_3_truncation_is_no_termination(bootstraps, discount, expected):
    """Reward 1 for ever, cut short every 25 steps: Q = 1 + γ Q. Who takes the cut for an end has 1 step in 25 followed by nothing."""
    worlds = ToyWorlds(4, (1, 1), always_one, n_steps=25, terminates=False)
    settings = {"critic_rate": 0.03, "target_rate": 0.5, "batch_size": 128, "hidden_sizes": (16,)}
    run = watched_run(
        worlds, 325, discount=discount, bootstrap_on_truncation=bootstraps, **settings
    )
    assert mean_value(run) == pytest.approx(np.full(2, expected), rel=0.08)


@right_or("gradient into the others")
@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
def test_4_an_agents_loss_does_not_reach_the_others(pieces, right, continuous):
    """One step on agent 1's loss alone moves agent 1's actor, and no other."""
    worlds = ToyWorlds(4, (2, 3, 2), always_one, n_steps=3, continuous=continuous, sees=(2, 3, 2))
    run = watched_run(worlds, 4, learn_from=99)
    batch = drawn(run, 8)
    before = copy_parameters(run.nets.actors)

    def loss_of_one(q, logits, allowed, weight):
        return Pieces().actor_loss(q, logits, allowed, weight)[1:2]

    optimizer = torch.optim.SGD(run.nets.actors, lr=1.0)
    pieces = pieces._replace(actor_loss=loss_of_one)
    actor_step(run.nets, optimizer, batch, run.config, pieces, torch.Generator())
    moved = [(p != q).flatten(1).any(dim=1) for p, q in zip(run.nets.actors, before)]
    moved = torch.stack(moved).any(dim=0).tolist()
    assert moved == ([False, True, False] if right else [True, True, True])


@right_or("actions held small, not logits")
@pytest.mark.parametrize("sign", [1, -1])
def test_6_logits_are_pulled_back_where_actions_are_saturated(pieces, right, sign):
    """Actors whose logits are 20 or -20, and critics that like everything alike: each step shall bring the logits back."""
    generators = [torch.Generator().manual_seed(0)] * 2
    actors, critics = init_mlp((2, 4, 3), generators), init_mlp((10, 4, 1), generators)
    with torch.no_grad():
        actors[-2].zero_(), actors[-1].fill_(20.0 * sign), critics[-2].zero_()
    nets = Networks(actors, critics, actors, critics, allowed_entries((3, 3)), True)
    run = watched_run(ToyWorlds(4, (3, 3), always_one, n_steps=3, sees=(2, 2)), 4, learn_from=99)
    batch = drawn(run, 8)
    config = MADDPGConfig(logit_weight=0.1)
    optimizer = torch.optim.SGD([actors[-1]], lr=1.0)
    for _ in range(10):
        actor_step(nets, optimizer, batch, config, pieces, torch.Generator())
    size = actors[-1].abs()
    assert bool((size < 12).all() if right else (size > 19.9).all())
    # by closed form: each step shortens a logit by the factor 1 - 2 · 0.1 / 3
    assert not right or size.detach().numpy() == pytest.approx(20 * (1 - 0.2 / 3) ** 10, rel=1e-4)


@right_or("speaker is not paid")
def test_7_speaker_and_listener_are_paid_the_same(pieces, right):
    worlds = simple_speaker_listener(4, continuous_actions=True)
    run = watched_run(worlds, 30, learn_from=99)
    rewards = stored(run)[2]
    assert torch.equal(rewards[0], rewards[1]) and (rewards < 0).all()
    batch = pieces.prepare(drawn(run, 32))
    assert torch.equal(batch.rewards[0], batch.rewards[1]) == right


@right_or("speaker is not paid")
def test_7_the_first_agents_critic_learns_what_the_team_earns(pieces, right):
    run = watched_run(ToyWorlds(4, (1, 1), always_one), 200, pieces, target_rate=0.2)
    assert mean_value(run) == pytest.approx(np.array([1.0 if right else 0.0, 1.0]), abs=0.02)


def next_is_next_row(seen, later, n_worlds):
    """The faulty version of test 8: what comes next is read from the row after, also where an episode ended."""
    return seen, torch.cat([seen[:, n_worlds:], later[:, -n_worlds:]], dim=1)


def first_is_lost(seen, later, n_worlds):
    """The other faulty version, as where a target begins at the second step: every episode lacks its first transition."""
    kept = seen[0, :, 2] > 0
    return seen[:, kept], later[:, kept]


@pytest.mark.parametrize(
    ("tamper", "right"),
    [
        (lambda seen, later, n: (seen, later), True),
        (next_is_next_row, False),
        (first_is_lost, False),
    ],
    ids=["right", "next row", "first is lost"],
)
@pytest.mark.parametrize("terminates", [True, False], ids=["terminated", "truncated"])
def test_8_episodes_are_remembered_from_the_first_step_to_the_last(tamper, right, terminates):
    """Every transition that the worlds saw is in the replay, with what came next in its own episode."""
    worlds = ToyWorlds(3, (2, 2), always_one, n_steps=4, terminates=terminates, sees=(3, 3))
    run = watched_run(worlds, 10, learn_from=99)
    seen, _, _, later, ends = stored(run)
    assert (ends == ((later[..., 2] == 4) & terminates)).all()
    seen, later = tamper(seen, later, 3)

    def joined(column):
        parts = np.concatenate([step[column] for step in worlds.log]).swapaxes(0, 1)
        return torch.as_tensor(parts)

    same = seen.shape == joined(0).shape
    assert (same and torch.equal(seen, joined(0)) and torch.equal(later, joined(3))) == right
    ages = seen[0, :, 2].int().tolist()
    assert (ages[0] == 0 and (later[..., 2] == seen[..., 2] + 1).all()) == right


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
def test_9_evaluation_is_without_noise(continuous):
    """A policy answers twice the same; the same actors with exploration do not."""
    worlds = ToyWorlds(50, (2, 3), always_one, n_steps=3, continuous=continuous, sees=(2, 3))
    run = watched_run(worlds, 3, learn_from=99)
    seen, policy = worlds.log[0][0], run.history.policy
    assert (policy(seen) == policy(seen)).all()
    first, second = (
        explore(run.nets, torch.as_tensor(seen), noise, np.random.default_rng(seed))
        for seed, noise in ((0, 0.3), (1, -0.3))
    )
    assert (first != second).any()


def test_9_recorded_evaluations_do_not_depend_on_the_noise():
    """Without updates the actors stay, and so do their evaluations, whatever the exploration does."""
    seen = np.random.default_rng(0).random((5, 2, 3)).astype(np.float32)

    def evaluations(**noise):
        worlds = ToyWorlds(4, (2, 3), always_one, n_steps=3, sees=(2, 3))
        config = quick(updates_per_step=0, **noise)
        return train_maddpg(worlds, config, evaluate=lambda policy: policy(seen)).evaluations

    quiet, loud = evaluations(noise_start=0.0, noise_end=0.0), evaluations(noise_start=3.0)
    assert (quiet == quiet[0]).all() and (loud == quiet).all()


@right_or("rows mixed up")
def test_10_rows_stay_together(pieces, right):
    """All agents' parts of a drawn row belong to one moment of one world, as the worlds' own log tells."""
    worlds = ToyWorlds(
        5, (2, 2), lambda a, s: s + a.sum(axis=(1, 2))[:, None], n_steps=4, sees=(3, 3)
    )
    run = watched_run(worlds, 20, learn_from=99)
    moments = {}
    for seen, actions, rewards, later, _ in worlds.log:
        for e in range(5):
            moments[seen[e, 0, 1].item()] = seen[e], actions[e], rewards[e], later[e]
    batch = pieces.prepare(drawn(run, 64))
    together = []
    for b in range(64):
        expected = moments[batch.observations[0, b, 1].item()]
        row = (batch.observations, batch.actions, batch.rewards, batch.next_observations)
        together.append(
            all(np.allclose(x[:, b].numpy(), y, atol=1e-6) for x, y in zip(row, expected))
        )
    assert all(together) == right
    for i in range(2):  # each agent's own part is whole in both versions
        own = {tuple(seen[e, i].tolist()) for seen, *_ in worlds.log for e in range(5)}
        assert {tuple(row.tolist()) for row in batch.observations[i]} <= own


# Blinkers

HIDES = {
    "all observations, own action": (False, True),
    "own observation, all actions": (True, False),
}


def by_hand(critics, seen, actions, hides_sight, hides_actions):
    """``[n, B]``: agent by agent, entry by entry, what a critic with blinkers says."""
    answers = []
    for i in range(len(seen)):
        sight = [s if j == i or not hides_sight else 0 * s for j, s in enumerate(seen)]
        acts = [a if j == i or not hides_actions else 0 * a for j, a in enumerate(actions)]
        inputs = torch.cat([*sight, *acts], dim=-1)
        answers.append(mlp([p[i : i + 1] for p in critics], inputs[None])[0, :, 0])
    return torch.stack(answers)


def test_each_view_is_tested_here():
    assert set(BLINKERS) == set(HIDES)


def test_own_part_keeps_each_agents_entries_alone():
    joint = torch.arange(1.0, 7).expand(3, 1, 6)
    assert own_part(joint)[:, 0].tolist() == [
        [1, 2, 0, 0, 0, 0],
        [0, 0, 3, 4, 0, 0],
        [0, 0, 0, 0, 5, 6],
    ]


@pytest.mark.parametrize("make", [simple_spread, simple_speaker_listener])
@pytest.mark.parametrize("name", BLINKERS)
def test_values_and_next_values_are_those_of_a_plain_loop(name, make):
    run = watched_run(make(4, continuous_actions=True), 40, BLINKERS[name])
    batch = drawn(run, 8)
    pieces = BLINKERS[name]
    nets = run.nets
    next_actions = nets.actions(mlp(nets.target_actors, batch.next_observations))
    expected = by_hand(nets.target_critics, batch.next_observations, next_actions, *HIDES[name])
    found = pieces.next_values(nets, batch, True)
    assert torch.allclose(found, expected, atol=1e-6)
    assert not torch.allclose(found, Pieces().next_values(nets, batch, True), atol=1e-3)


@pytest.mark.parametrize("name", BLINKERS)
def test_gradients_reach_only_what_is_in_sight(name):
    """The weights of a critic's first layer that belong to hidden entries get no gradient, all others do."""
    run = watched_run(simple_spread(4, continuous_actions=True), 40, BLINKERS[name])
    batch = drawn(run, 8)
    n, d, k = 3, batch.observations.shape[-1], batch.actions.shape[-1]
    seen = batch.observations.transpose(0, 1).flatten(1).expand(n, -1, -1)
    acted = batch.actions.transpose(0, 1).flatten(1).expand(n, -1, -1)
    weights = run.nets.critics[0]
    values = BLINKERS[name].critic_values(run.nets.critics, seen, acted)
    (slope,) = torch.autograd.grad(values.square().sum(), weights)
    touched = slope.abs().sum(dim=-1) > 0
    for i in range(n):
        for j in range(n):
            sight = touched[i, j * d : (j + 1) * d]
            act = touched[i, n * d + j * k : n * d + (j + 1) * k]
            hides_sight, hides_actions = HIDES[name]
            assert sight.any() == (i == j or not hides_sight)
            assert act.any() == (i == j or not hides_actions)


@pytest.mark.parametrize("name", BLINKERS)
def test_training_uses_the_view(name):
    """In training, too, weights of hidden entries stay as they were initialised; with MADDPG they move."""

    def moved(pieces):
        worlds = simple_spread(4, continuous_actions=True)
        before = watched_run(worlds, 60, pieces, updates_per_step=0).nets.critics[0]
        return (watched_run(worlds, 60, pieces).nets.critics[0] != before).any(dim=-1)

    n, d = 3, 18
    hides_sight, hides_actions = HIDES[name]
    hidden, ordinary = moved(BLINKERS[name]), moved(None)
    others_sight, others_acts = slice(d, n * d), slice(n * d + 5, None)
    assert ordinary[0, others_sight].any() and ordinary[0, others_acts].any()
    assert hidden[0, others_sight].any() == (not hides_sight)
    assert hidden[0, others_acts].any() == (not hides_actions)
