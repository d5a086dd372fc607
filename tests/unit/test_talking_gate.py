"""Worlds whose agents also decide whether to speak: beside the worlds inside, stepped with the same chance."""

import numpy as np
import pytest

from marl_lessons.algorithms.deep.iql import DeepIQLConfig, train_iql
from marl_lessons.algorithms.talk.commnet import CommNet
from marl_lessons.algorithms.talk.languages import junction_language
from marl_lessons.algorithms.talk.worlds import GatedWorlds, ListeningWorlds, pay_for_talking
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.stepping import GameWorlds, check_batched_worlds
from marl_lessons.evaluation.talk.channels import Delay


def rngs(seed):
    return np.random.default_rng(seed), np.random.default_rng(seed)


def test_a_price_is_paid_by_those_who_talk():
    rewards = pay_for_talking(np.array([[1.0, -2.0]]), np.array([[True, False]]), 0.25)
    assert rewards.tolist() == [[0.75, -2.0]]


def test_the_worlds_inside_go_on_as_ever():
    """Five cars drive and talk at random for three episodes; beside them the junction without gate."""
    plain, gated = TrafficJunction("easy", 50), GatedWorlds(TrafficJunction("easy", 50), price=0.5)
    check_batched_worlds("gated", gated)
    assert gated.n_actions == (4,) * 5 and gated.observation_sizes == (18,) * 5
    one, two = rngs(3)
    choices = np.random.default_rng(4)
    seen, more = plain.reset(one), gated.reset(two)
    n_talked = n_lost = 0
    for _ in range(60):
        assert more.dtype == np.float32 and np.array_equal(more[..., :-1], seen)
        assert np.array_equal(more[..., -1], gated.talks)
        assert np.array_equal(gated.active, plain.active)
        drive, talk = choices.integers(2, size=(2, 50, 5))
        there = plain.active.copy()
        step, other = plain.step(drive, one), gated.step(drive + 2 * talk, two)
        for e in range(50):
            for i in range(5):
                # Whoever was there and has not left speaks as it chose; a new car in the slot is silent.
                wants = bool(talk[e, i] and there[e, i])
                speaks = wants and not step.terminated[e, i]
                n_talked += speaks
                n_lost += wants and not speaks
                assert gated.talks[e, i] == speaks
                assert other.rewards[e, i] == step.rewards[e, i] - 0.5 * speaks
        assert np.array_equal(other.observations[..., -1], gated.talks)
        for field in ("terminated", "truncated", "ended"):
            assert np.array_equal(getattr(other, field), getattr(step, field))
        assert np.array_equal(gated.ended, plain.ended)
        seen, more = step.observations, other.observations
        if step.ended.any():
            seen, more = plain.reset_where(step.ended, one), gated.reset_where(step.ended, two)
            assert not gated.talks[step.ended].any()
    assert n_talked > 1000 and n_lost > 100


def test_a_new_episode_begins_in_silence_and_the_others_talk_on():
    worlds = GatedWorlds(GameWorlds(two_cars(), 4, time_limit=9))
    rng = np.random.default_rng(0)
    worlds.reset(rng)
    n_inside = worlds.n_actions[0] // 2
    worlds.step(np.full((4, 2), n_inside), rng)
    talked = worlds.talks.copy()
    assert talked.any(axis=1).all()
    seen = worlds.reset_where(np.array([True, False, False, True]), rng)
    talked[[0, 3]] = False
    assert np.array_equal(worlds.talks, talked) and np.array_equal(seen[..., -1], talked)


def test_a_price_can_come_late():
    worlds = GatedWorlds(TrafficJunction("easy", 20, arrival_rate=1.0))
    rng = np.random.default_rng(0)
    worlds.reset(rng)
    worlds.step(np.zeros((20, 5), dtype=int), rng)
    for price in (0.0, 2.0):
        worlds.price = price
        rewards = worlds.step(np.full((20, 5), 2), rng).rewards
        delay = 0.01 * worlds.worlds.waited
        expected = -delay - price * worlds.talks - 10 * worlds.worlds.collided
        assert rewards == pytest.approx(expected)
    assert worlds.talks.any()


def test_agents_learn_to_be_silent_where_nothing_can_be_said():
    """One car alone: nobody hears it, a message costs .5. It learns to keep quiet.

    On its last cell it may choose to talk: it drives off, sends nothing and pays nothing.
    """
    worlds = GatedWorlds(TrafficJunction("easy", 32, max_cars=1), price=0.5)
    config = DeepIQLConfig(
        n_steps=150,
        network=CommNet((16,), gated=True),
        agent_id=False,
        learning_rate=0.01,
        batch_size=64,
        target_interval=20,
        epsilon=0.5,
        n_records=1,
    )
    policy = train_iql(worlds, config, seeds=2).policy
    worlds = GatedWorlds(TrafficJunction("easy", 40, max_cars=1))
    rng = np.random.default_rng(1)
    seen, n_quiet = worlds.reset(rng), 0
    for _ in range(20):
        n_quiet += worlds.active.sum()
        seen = worlds.step(policy(seen), rng).observations
        assert not worlds.talks.any()
    assert n_quiet > 200


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match=r"^worlds: expected batched worlds"):
        GatedWorlds("junction")
    with pytest.raises(ValueError, match=r"^worlds: they have a gate already"):
        GatedWorlds(GatedWorlds(TrafficJunction()))
    for price in (-0.1, np.nan, np.inf, True, "free", None):
        with pytest.raises(ValueError, match=r"^price"):
            GatedWorlds(TrafficJunction(), price)
        worlds = GatedWorlds(TrafficJunction())
        with pytest.raises(ValueError, match=r"^price"):
            worlds.price = price
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"^rng"):
        worlds.reset(0)
    worlds.reset(rng)
    for actions in (np.full((1, 5), 4), np.full((1, 5), -1), np.zeros((1, 4), dtype=int), None):
        with pytest.raises(ValueError, match=r"^actions"):
            worlds.step(actions, rng)
    for which in (np.ones(2, dtype=bool), np.ones(1), None):
        with pytest.raises(ValueError, match=r"^which"):
            worlds.reset_where(which, rng)


def test_a_refused_reset_silences_nobody():
    inside, rng = TrafficJunction("easy", 2, arrival_rate=1.0), np.random.default_rng(0)
    listening = ListeningWorlds(inside, *junction_language(inside, 1), channel=Delay(1))
    worlds = GatedWorlds(listening)
    worlds.reset(rng)
    for _ in range(3):
        worlds.step(np.full((2, 5), 2), rng)
    before = worlds.talks.copy()
    assert before.all(axis=0).any()
    with pytest.raises(ValueError, match=r"^channel"):  # its memory belongs to both worlds
        worlds.reset_where(np.array([True, False]), rng)
    assert np.array_equal(worlds.talks, before)


def test_a_gate_belongs_to_worlds_and_network_or_to_neither():
    for worlds, gated in ((TrafficJunction(), True), (GatedWorlds(TrafficJunction()), False)):
        config = DeepIQLConfig(n_steps=2, network=CommNet(gated=gated), agent_id=False)
        with pytest.raises(ValueError, match=f"^config: network.gated is {gated}"):
            train_iql(worlds, config, seeds=1)
    plain = train_iql(GatedWorlds(TrafficJunction()), DeepIQLConfig(n_steps=2), seeds=1)
    assert plain.policy(np.ones((1, 5, 18))).max() < 4
