"""Critics with blinkers: what they are asked is what a plain loop puts together, and what is hidden has no effect."""

import pytest
import torch
from maddpg_worlds import quick

from marl_lessons.algorithms.deep.maddpg import MADDPGRun, train_maddpg
from marl_lessons.algorithms.deep.maddpg_update import Pieces, by_agent
from marl_lessons.algorithms.deep.maddpg_variants import BLINKERS, own_part
from marl_lessons.algorithms.deep.networks import mlp
from marl_lessons.envs import simple_speaker_listener, simple_spread

HIDES = {
    "all observations, own action": (False, True),
    "own observation, all actions": (True, False),
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def begun(name, make=simple_spread):
    """A run after some steps and updates, and a batch of it."""
    worlds = make(4, continuous_actions=True)
    run = MADDPGRun(worlds, quick(n_steps=40), 0, "cpu", BLINKERS[name])
    for _ in range(40):
        run.step()
    return run, by_agent(run.replay.sample(8, [run.generator]))


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
    run, batch = begun(name, make)
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
    run, batch = begun(name)
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
        run = MADDPGRun(worlds, quick(n_steps=60), 0, "cpu", pieces)
        before = run.nets.critics[0].detach().clone()
        for _ in range(60):
            run.step()
        return (run.nets.critics[0] != before).any(dim=-1)

    n, d = 3, 18
    hides_sight, hides_actions = HIDES[name]
    hidden, ordinary = moved(BLINKERS[name]), moved(None)
    others_sight, others_acts = slice(d, n * d), slice(n * d + 5, None)
    assert ordinary[0, others_sight].any() and ordinary[0, others_acts].any()
    assert hidden[0, others_sight].any() == (not hides_sight)
    assert hidden[0, others_acts].any() == (not hides_actions)


def test_the_names_can_be_trained_with():
    worlds = simple_speaker_listener(4, continuous_actions=True)
    histories = [train_maddpg(worlds, quick(), pieces=BLINKERS[name]) for name in BLINKERS]
    first, second = (history.policy.actors[0] for history in histories)
    assert not torch.equal(first, second)
