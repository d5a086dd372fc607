"""Actors that MADDPG leaves behind: one by one against plain networks, and what they refuse."""

import numpy as np
import pytest
import torch
from hypothesis import given
from random_games import seed_numbers

from marl_lessons.algorithms.actor_policy import ActorPolicy
from marl_lessons.algorithms.networks import init_mlp

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


@pytest.mark.parametrize("continuous", [True, False])
def test_the_same_question_has_the_same_answer(continuous):
    joint, seen = policy(3, continuous), observations(3)
    assert (joint(seen) == joint(seen)).all()
    assert (joint.act(None, seen) == joint(seen)).all()


def test_worlds_do_not_disturb_each_other():
    joint, seen = policy(3, True), observations(3)
    assert joint(seen[2:3])[0] == pytest.approx(joint(seen)[2], abs=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3, 4)),
        np.zeros((2, 2, 5)),
        np.zeros((3, 5)),
        np.zeros((0, 3, 5)),
        np.full((2, 3, 5), np.nan),
        "seen",
        None,
    ],
    ids=["width", "agents", "axes", "no world", "nan", "text", "none"],
)
def test_other_observations_are_refused(wrong):
    with pytest.raises(ValueError, match="observations"):
        policy(0, True)(wrong)


@pytest.mark.parametrize("wrong", [-1, 3, 1.0, True, None, "0"])
def test_other_agents_are_refused(wrong):
    with pytest.raises(ValueError, match="agent"):
        policy(0, True).of_agent(wrong)


def test_one_agents_part_refuses_another_width():
    act = policy(0, True).of_agent(0)
    for wrong in (np.zeros((2, 5)), np.zeros(3), np.full((1, 3), np.inf)):
        with pytest.raises(ValueError, match="observation"):
            act(wrong)
