"""Actors that MADDPG leaves behind: one by one against plain networks, and what they refuse."""

import numpy as np
import pytest
import torch
from hypothesis import given
from random_games import seed_numbers

from marl_lessons.algorithms.deep.actor_policy import ActorPolicy, Critics
from marl_lessons.algorithms.deep.networks import init_mlp
from marl_lessons.envs import simple_speaker_listener
from marl_lessons.evaluation.particles.frames import record, record_probes
from marl_lessons.evaluation.statistics import play_episodes

ACTIONS, SEEN = (2, 4, 3), (3, 1, 5)


def policy(seed, continuous):
    actors = init_mlp((5, 6, 4), [torch.Generator().manual_seed(seed)] * 3)
    return ActorPolicy([p.detach() * 2 for p in actors], ACTIONS, SEEN, continuous)


def observations(seed, n_worlds=7):
    seen = np.random.default_rng(seed).standard_normal((n_worlds, 3, 5))
    return (seen * (np.arange(5) < np.array(SEEN)[:, None])).astype(np.float32)


def plain_logits(actors, i, seen):
    w1, b1, w2, b2 = (p[i].double().numpy() for p in actors)
    return np.maximum(0, seen.astype(float) @ w1 + b1[0]) @ w2 + b2[0]


@given(seed_numbers)
def test_vectors_are_sigmoids_of_each_agents_own_network(seed):
    joint, seen = policy(seed, True), observations(seed)
    actions = joint(seen)
    assert actions.shape == (7, 3, 4) and (0 <= actions).all() and (actions <= 1).all()
    for e, i in np.ndindex(7, 3):
        expected = 1 / (1 + np.exp(-plain_logits(joint.actors, i, seen[e, i])))
        assert actions[e, i, : ACTIONS[i]] == pytest.approx(expected[: ACTIONS[i]], abs=1e-5)
        assert (actions[e, i, ACTIONS[i] :] == 0).all()


@given(seed_numbers)
def test_whole_numbers_are_the_best_of_an_agents_own_actions(seed):
    joint, seen = policy(seed, False), observations(seed)
    actions = joint(seen)
    assert actions.shape == (7, 3) and actions.dtype.kind == "i"
    for e, i in np.ndindex(7, 3):
        z = plain_logits(joint.actors, i, seen[e, i])[: ACTIONS[i]]
        assert actions[e, i] < ACTIONS[i] and z[actions[e, i]] >= z.max() - 1e-5


@pytest.mark.parametrize("continuous", [True, False])
def test_one_agents_part_alone_is_the_same(continuous):
    joint, seen = policy(3, continuous), observations(3)
    actions = joint(seen)
    for i in range(3):
        mine = joint.of_agent(i)(seen[:, i, : SEEN[i]])
        expected = actions[:, i, : ACTIONS[i]] if continuous else actions[:, i]
        assert mine.shape == expected.shape
        assert mine == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("continuous", [True, False])
def test_an_agent_acts_on_its_own_observation_alone(continuous):
    joint, seen = policy(3, continuous), observations(3)
    for i in range(3):
        others = np.where(np.arange(3)[:, None] == i, seen, observations(4))
        assert (joint(others)[:, i] == joint(seen)[:, i]).all()


def test_worlds_do_not_disturb_each_other():
    joint, seen = policy(3, True), observations(3)
    assert joint(seen[2:3])[0] == pytest.approx(joint(seen)[2], abs=1e-6)


WRONG = [
    *(("observations", seen) for seen in (np.zeros((2, 3, 4)), np.zeros((2, 2, 5)), np.zeros((3, 5)))),
    *(("observations", seen) for seen in (np.zeros((0, 3, 5)), np.full((2, 3, 5), np.nan), "seen", None)),
    *(("agent", who) for who in (-1, 3, 1.0, True, None, "0")),
    *((r"observation\b", seen) for seen in (np.zeros((2, 4)), np.zeros(3), np.full((1, 3), np.inf), None)),
    (r"observation\b", [[None] * 3]),
]  # fmt: skip


@pytest.mark.parametrize(("named", "wrong"), WRONG)
def test_what_policies_refuse(named, wrong):
    joint = policy(0, True)
    ask = {"observations": joint, "agent": joint.of_agent}.get(named, joint.of_agent(0))
    with pytest.raises(ValueError, match=f"^{named}"):
        ask(wrong)


@pytest.mark.parametrize("continuous", [True, False])
def test_entries_behind_an_agents_own_have_no_effect(continuous):
    """Neither in the joint policy nor in one agent's part, which takes its own width or the widest agent's."""
    joint, seen = policy(3, continuous), observations(3)
    junk = np.where(np.arange(5) < np.array(SEEN)[:, None], seen, 1e3)
    assert (joint(junk) == joint(seen)).all()
    for i in range(3):
        alone = joint.of_agent(i)
        assert (alone(junk[:, i]) == alone(seen[:, i])).all()
        assert (alone(seen[:, i]) == alone(seen[:, i, : SEEN[i]])).all()


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("value", [1e300, -1e39, 3e38])
def test_observations_that_float32_cannot_compute_with_are_refused(value, continuous):
    """3e38 is a number of float32, but what a network makes of it is not."""
    joint = policy(0, continuous)
    seen = np.where(np.arange(5) % 2 == 0, 1.0, -1.0) * np.full((2, 3, 5), value)
    with pytest.raises(ValueError, match=r"^observations"):
        joint(seen)
    with pytest.raises(ValueError, match=r"^observation\b"):
        joint.of_agent(2)(seen[:, 2])


@pytest.mark.parametrize("central", [True, False])
def test_each_critic_sees_what_it_should(central):
    n, n_worlds, d, k = 2, 5, 3, 2
    size = (n if central else 1) * (d + k)
    generators = [torch.Generator().manual_seed(i) for i in range(n)]
    parameters = init_mlp((size, 4, 1), generators)
    rng = np.random.default_rng(0)
    seen, done = rng.normal(size=(n_worlds, n, d)), rng.random((n_worlds, n, k))
    values = Critics(parameters, central, d)(seen, done)
    assert values.shape == (n_worlds, n)
    for i in range(n):
        parts = (
            [seen.reshape(n_worlds, -1), done.reshape(n_worlds, -1)]
            if central
            else [seen[:, i], done[:, i]]
        )
        expected = plain_logits([p.detach() for p in parameters], i, np.concatenate(parts, axis=1))[
            :, 0
        ]
        np.testing.assert_allclose(values[:, i], expected, atol=1e-5)


def critics(central=True):
    generators = [torch.Generator().manual_seed(i) for i in range(2)]
    return Critics(init_mlp(((2 if central else 1) * 5, 4, 1), generators), central, 3)


@pytest.mark.parametrize("central", [True, False])
def test_critics_tell_observations_from_actions(central):
    """Two of one too many and one too few add up, and were taken for each other."""
    seen = np.ones((4, 2, 3))
    asked = critics(central)
    with pytest.raises(ValueError, match=r"^observations: expected numbers of shape \(any, 2, 3\)"):
        asked(np.ones((4, 2, 2)), np.ones((4, 2, 3)))
    with pytest.raises(ValueError, match=r"^actions: expected numbers of shape \(4, 2, 2\)"):
        asked(seen, np.ones((4, 2, 3)))


def test_critics_refuse_what_float32_cannot_compute_with():
    seen, done = np.ones((4, 2, 3)), np.ones((4, 2, 2))
    with pytest.raises(ValueError, match=r"^observations\[0, 0, 0\] is 1e\+300"):
        critics()(1e300 * seen, done)
    with pytest.raises(ValueError, match=r"^actions\[0, 0, 0\] is -1e\+300"):
        critics()(seen, -1e300 * done)
    steep = Critics([10 * p.detach() for p in critics().parameters], True, 3)
    with pytest.raises(ValueError, match=r"^observations, actions: so large"):
        steep(3e38 * seen, done)


def test_play_episodes_and_record_take_act_and_record_probes_takes_the_policy():
    actors = init_mlp((11, 4, 5), [torch.Generator().manual_seed(0)] * 2)
    joint = ActorPolicy([p.detach() for p in actors], (3, 5), (3, 11), True)
    worlds, rng = simple_speaker_listener(2, continuous_actions=True), np.random.default_rng(0)
    assert play_episodes(worlds, joint.act, 1, rng).returns.shape == (2, 2)
    assert record(worlds, joint.act, rng).actions.shape == (25, 2, 2, 5)
    assert record_probes(worlds, joint, rng).actions.shape == (2, 2, 5)
