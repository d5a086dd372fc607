"""How far particle worlds move with the others' policies: closed forms, and one agent and one world after the other."""

import numpy as np
import pytest

from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.evaluation.particles.drift import (
    bootstrap_drift,
    joint_law_drift,
    own_law_drift,
)
from marl_lessons.evaluation.particles.frames import Probes, record_probes

SCENES = [simple_spread, simple_speaker_listener, simple_tag]


def make(scene, n_worlds=6, **settings):
    return scene(n_worlds, continuous_actions=True, **settings)


def random_policy(worlds, seed, scale=1.0):
    """Every agent's action from its own observation alone: squashed random projections."""
    rng = np.random.default_rng(seed)
    shape = (worlds.n_agents, max(worlds.observation_sizes), max(worlds.action_sizes))
    weights = scale * rng.normal(size=shape)
    return lambda seen: 1 / (1 + np.exp(-np.einsum("pnd,ndk->pnk", seen, weights)))


def random_policies(worlds, count=3):
    return [random_policy(worlds, seed) for seed in range(count)]


def swapped(policy, other, agents):
    """``policy``, but these agents act as the ``other`` policy says."""

    def both(seen):
        actions = np.array(policy(seen))
        actions[:, agents] = other(seen)[:, agents]
        return actions

    return both


def recorded(worlds, seed=0):
    return record_probes(worlds, random_policy(worlds, 99), np.random.default_rng(seed))


# Against one agent and one world after the other


def plain_episode(scene, settings, probes, p, given, own, others, horizon):
    """Rewards ``[n]`` over the horizon and last observations ``[n, d]`` from probe p on, in a world of its own."""
    world, rng = make(scene, 1, **settings), np.random.default_rng(5)
    world.place(*(array[p : p + 1] for array in (probes.positions, probes.velocities, probes.goals)))  # fmt: skip
    seen, total = probes.observations[p], 0.0
    for t in range(horizon):
        joint = np.zeros((1, world.n_agents, max(world.action_sizes)))
        for i in range(world.n_agents):
            policy = own if i in given else others
            joint[0, i] = probes.actions[p, i] if i in given and t == 0 else policy(seen[None])[0, i]  # fmt: skip
        step = world.step(joint, rng)
        seen, total = step.observations[0], total + step.rewards[0]
    return total, seen


@pytest.mark.parametrize("physics", ["mpe2", "openai"])
@pytest.mark.parametrize("horizon", [1, 2, 4])
@pytest.mark.parametrize("scene", SCENES)
def test_it_is_the_mean_change_of_what_single_worlds_do(scene, horizon, physics):
    settings = {"physics": physics}
    worlds = make(scene, **settings)
    probes, policies = recorded(worlds), random_policies(worlds)
    for agent in range(worlds.n_agents):
        found = own_law_drift(worlds, probes, policies, agent, horizon)
        for z in range(2):
            paid, moved = [], []
            for p in range(6):
                now, later = [
                    plain_episode(scene, settings, probes, p, [agent], policies[z], others, horizon)
                    for others in policies[z : z + 2]
                ]
                paid.append(abs(later[0][agent] - now[0][agent]))
                moved.append(np.linalg.norm(later[1][agent] - now[1][agent]))
            # observations are float32
            assert found.rewards[z] == pytest.approx(np.mean(paid), rel=1e-5, abs=1e-7)
            assert found.next_observations[z] == pytest.approx(np.mean(moved), rel=1e-4, abs=1e-6)


# Closed forms


def words(*messages, answer=0.0):
    """A speaker that always says ``message``, a listener that pushes right by ``answer`` times the first word."""

    def policy(message):
        def act(seen):
            actions = np.zeros((len(seen), 2, 5))
            actions[:, 0, :3] = message
            actions[:, 1, 2] = answer * seen[:, 1, 8]
            return actions

        return act

    return [policy(message) for message in messages]


def test_a_word_is_heard_at_once_and_answered_in_the_third_step():
    """Horizon 1 and 2: the listener hears Δm and earns the same. Horizon 3: its place has moved by 0.1 · 0.1 · 5 · 0.6 Δm."""
    worlds = make(simple_speaker_listener)
    policies = words([0.2, 0.5, 0.5], [0.7, 0.5, 0.1], [0.7, 0.5, 0.1], answer=0.6)
    probes = recorded(worlds)
    listener = 1
    for horizon in (1, 2):
        found = own_law_drift(worlds, probes, policies, listener, horizon)
        assert found.rewards.tolist() == [0.0, 0.0]
    at_once = own_law_drift(worlds, probes, policies, listener, 1).next_observations
    np.testing.assert_allclose(at_once, [np.hypot(0.5, 0.4), 0.0], rtol=1e-6)

    # an unanswered listener's place after three steps: the velocity decays, its first push comes one step late
    goals = probes.positions[np.arange(6), 2 + probes.goals]
    push = 0.5 * np.stack([probes.actions[:, 1, 2] - probes.actions[:, 1, 1],
                           probes.actions[:, 1, 4] - probes.actions[:, 1, 3]], axis=1)  # fmt: skip
    v0 = probes.velocities[:, 1]
    v1 = 0.75 * v0 + push
    place = probes.positions[:, 1] + 0.1 * (v0 + v1 + 0.75 * v1)
    costs = []
    for word in (0.2, 0.7):
        answered = place + np.array([0.1 * 0.5 * 0.6 * word, 0.0])
        costs.append(np.square(answered - goals).sum(axis=1))
    expected = np.abs(costs[1] - costs[0]).mean()
    found = own_law_drift(worlds, probes, policies, listener, 3).rewards
    np.testing.assert_allclose(found, [expected, 0.0], rtol=1e-5)
    assert expected > 1e-3


def test_the_speaker_sees_nothing_of_what_the_listener_learns_but_is_paid_for_it():
    worlds = make(simple_speaker_listener)
    deaf, hearing = words([1, 0, 0])[0], words([1, 0, 0], answer=1.0)[0]
    drift = own_law_drift(worlds, recorded(worlds), [deaf, hearing], agent=0)
    assert drift.rewards[0] > 1e-3 and drift.next_observations.tolist() == [0.0]


def pushes(strength):
    """All agents push right."""

    def act(seen):
        actions = np.zeros((*seen.shape[:2], 5))
        actions[..., 2] = strength
        return actions

    return act


def test_drift_grows_with_the_change_of_the_policies():
    """Two of three agents push: after two steps each is 0.1 · 0.1 · 5 further per unit, far from any contact."""
    worlds = make(simple_spread, 2)
    corners = np.array([[-9.0, 0], [0, 9], [9, 0], [-3, 0], [0, 0], [3, 0]])
    seen = worlds.place(np.stack([corners, 1.1 * corners]))
    state = worlds.positions, worlds.velocities, worlds.messages, worlds.goals
    probes = Probes(*state, seen, np.zeros((2, 3, 5)))
    policies = [pushes(s) for s in (0.0, 0.1, 0.3, 0.9, 0.9)]
    found = own_law_drift(worlds, probes, policies, agent=0, horizon=2)
    expected = np.sqrt(2) * 0.05 * np.array([0.1, 0.2, 0.6, 0.0])
    np.testing.assert_allclose(found.next_observations, expected, atol=2e-6)  # float32 at 18
    assert (np.diff(found.rewards[:3]) > 0).all() and found.rewards[0] > 0 == found.rewards[3]


# What must not move


@pytest.mark.parametrize("scene", SCENES)
def test_nothing_moves_when_the_agent_alone_changes(scene):
    worlds = make(scene)
    first, second = random_policies(worlds, 2)
    for agent in range(worlds.n_agents):
        policies = [first, swapped(first, second, [agent])]
        found = own_law_drift(worlds, recorded(worlds), policies, agent, horizon=5)
        assert found.rewards.tolist() == found.next_observations.tolist() == [0.0]


@pytest.mark.parametrize("horizon", [1, 2, 5])
@pytest.mark.parametrize("scene", SCENES)
def test_nothing_moves_when_all_actions_are_given(scene, horizon):
    worlds = make(scene)
    probes, policies = recorded(worlds), random_policies(worlds, 4)
    for agent in range(worlds.n_agents):
        found = joint_law_drift(worlds, probes, policies, agent, horizon)
        assert found.rewards.tolist() == found.next_observations.tolist() == [0.0] * 3
    own = [own_law_drift(worlds, probes, policies, i, 5) for i in range(worlds.n_agents)]
    assert all((drift.rewards + drift.next_observations > 0).all() for drift in own)


def test_the_zero_is_computed():
    """A policy that changes from call to call breaks the promise, and shows."""
    worlds, calls = make(simple_spread), []

    def restless(seen):
        calls.append(len(seen))
        return pushes(len(calls) % 7 / 7)(seen)

    found = joint_law_drift(worlds, recorded(worlds), [restless, restless], 0, horizon=3)
    assert found.rewards[0] > 0 and len(calls) > 4


@pytest.mark.parametrize("drift", [own_law_drift, joint_law_drift])
def test_the_worlds_are_left_as_they_were(drift):
    worlds = make(simple_speaker_listener)
    worlds.reset(np.random.default_rng(3))
    for _ in range(4):
        worlds.step(np.full((6, 2, 5), 0.3), np.random.default_rng(0))
    before, probes = worlds.snapshot(), recorded(worlds)
    drift(worlds, probes, random_policies(worlds), 0)
    with pytest.raises(ValueError, match=r"^actions"):
        drift(worlds, probes, [pushes(2.0), pushes(0.5)], 0)
    for name, value in worlds.snapshot().items():
        np.testing.assert_array_equal(value, before[name])


# Recording


@pytest.mark.parametrize("scene", SCENES)
def test_probes_are_situations_of_the_played_episodes(scene):
    worlds = make(scene, 40, time_limit=6)
    policy = random_policy(worlds, 7)
    probes = record_probes(worlds, policy, np.random.default_rng(2))
    twin = make(scene, 40, time_limit=6)
    seen, ages = twin.reset(np.random.default_rng(2)), np.full(40, -1)
    for t in range(6):
        here = (twin.positions == probes.positions).all(axis=(1, 2)) & (twin.velocities == probes.velocities).all(axis=(1, 2))  # fmt: skip
        here &= (twin.messages == probes.messages).all(axis=(1, 2)) & (ages < 0)
        np.testing.assert_array_equal(probes.observations[here], seen[here])
        shown = np.arange(5) < np.array(twin.action_sizes)[:, None]
        np.testing.assert_array_equal(probes.actions[here], (policy(seen) * shown)[here])
        ages[here] = t
        seen = twin.step(policy(seen), np.random.default_rng(0)).observations
    np.testing.assert_array_equal(probes.goals, twin.goals)
    assert set(ages) == set(
        range(6)
    )  # 40 draws from 6 miss one with probability 0.004; this seed does not


# The bootstrapped part of a target


def bilinear_critic(observations, actions):
    """Q_i(x, a) = (i + 1) Σ_j Σ_k j k a_jk + Σ x_i."""
    n, k = actions.shape[1:]
    weights = np.outer(np.arange(n), np.arange(k))
    joint = (actions * weights).sum(axis=(1, 2))
    return (np.arange(n) + 1) * joint[:, None] + observations.sum(axis=2)


def test_bootstrap_drift_in_plain_loops():
    worlds = make(simple_spread)
    probes, policies = recorded(worlds), random_policies(worlds)
    found = bootstrap_drift(bilinear_critic, probes.observations, policies)
    for z in range(2):
        for i in range(3):
            changes = []
            for x in probes.observations:
                values = []
                for policy in policies[z : z + 2]:
                    a = policy(x[None])[0]
                    joint = sum(j * k * a[j, k] for j in range(3) for k in range(5))
                    values.append((i + 1) * joint + sum(x[i]))
                changes.append(abs(values[1] - values[0]))
            assert found[z, i] == pytest.approx(np.mean(changes), rel=1e-5)
    np.testing.assert_allclose(found[:, 2], 3 * found[:, 0])


def test_the_bootstrapped_part_moves_where_the_joint_law_does_not():
    worlds = make(simple_spread)
    probes, policies = recorded(worlds), random_policies(worlds)
    assert (bootstrap_drift(bilinear_critic, probes.observations, policies) > 0).all()
    assert joint_law_drift(worlds, probes, policies, 0).rewards.tolist() == [0.0, 0.0]
    still = bootstrap_drift(bilinear_critic, probes.observations, [policies[0]] * 3)
    assert still.tolist() == [[0.0] * 3] * 2


# What is refused


@pytest.fixture(scope="module")
def usual():
    worlds = make(simple_speaker_listener)
    return {
        "worlds": worlds,
        "probes": recorded(worlds),
        "policies": random_policies(worlds, 2),
        "agent": 0,
        "horizon": 2,
    }


@pytest.mark.parametrize("drift", [own_law_drift, joint_law_drift])
@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("worlds", None, "worlds"),
        ("worlds", simple_spread(6), "worlds"),
        ("policies", words([0, 0, 1.5], [0, 0, 0]), "actions"),
        *(("agent", value, "agent") for value in (2, -1, True)),
        *(("horizon", value, "horizon") for value in (0, 1.5)),
    ],
)
def test_bad_input_is_refused_by_name(usual, drift, name, value, named):
    with pytest.raises(ValueError, match=rf"^{named}"):
        drift(**{**usual, name: value})
