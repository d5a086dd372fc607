"""The course's particle worlds are those of mpe2, to 1e-9 step by step; mpe2's own cross the bridge unchanged."""

import sys
import warnings

import numpy as np
import pytest
from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3

from marl_lessons.envs import mpe_worlds, simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.envs.particles.mpe2 import import_mpe2
from marl_lessons.envs.stepping import check_batched_worlds

STEPS = 25
SCENES = {
    "spread": (simple_spread, simple_spread_v3, {}, {}),
    "speaker_listener": (simple_speaker_listener, simple_speaker_listener_v4, {}, {}),
    "tag": (simple_tag, simple_tag_v3, {}, {}),
}
# Other numbers of bodies, and other weights of collisions.
VARIANTS = {
    "spread_1": (simple_spread, simple_spread_v3, {"n_agents": 1}, {"N": 1}),
    "spread_5": (simple_spread, simple_spread_v3, {"n_agents": 5, "local_ratio": 0.2}, {"N": 5, "local_ratio": 0.2}),
    "tag_2_prey": (simple_tag, simple_tag_v3, {"n_prey": 2, "n_chasers": 2, "n_obstacles": 1},
                   {"num_good": 2, "num_adversaries": 2, "num_obstacles": 1}),
    "tag_empty": (simple_tag, simple_tag_v3, {"n_prey": 3, "n_chasers": 1, "n_obstacles": 0},
                  {"num_good": 3, "num_adversaries": 1, "num_obstacles": 0}),
}  # fmt: skip


def starts(worlds, rng):
    """Where episodes begin: a third of them with the bodies crowded, another third besides with velocities."""
    n_worlds, n, m = worlds.n_worlds, worlds.n_agents, len(worlds.scene.sizes)
    width = np.where(np.arange(n_worlds) % 3, 0.35, 1.0)[:, None, None]
    positions = width * rng.uniform(-1, 1, (n_worlds, m, 2))
    moves = (np.arange(n_worlds) % 3 == 1)[:, None] & (worlds.scene.strengths > 0)
    velocities = moves[..., None] * rng.uniform(-1, 1, (n_worlds, n, 2))
    return positions, velocities, rng.integers(max(worlds.scene.n_goals, 1), size=n_worlds)


def random_actions(worlds, continuous, rng):
    """``[T, E, n]`` or ``[T, E, n, 5]``: new in every step for half of the worlds, held for ten steps in the others."""
    n_worlds, n = worlds.n_worlds, worlds.n_agents
    if continuous:
        actions = rng.uniform(-0.5, 1.5, (STEPS, n_worlds, n, 5)).clip(0, 1)
    else:
        actions = rng.integers(np.array(worlds.n_actions), size=(STEPS, n_worlds, n))
    held = actions[np.arange(STEPS) // 10 * 10]
    held[:, ::2] = actions[:, ::2]
    return held


def play_mpe2(env, start, actions, sizes):
    """One episode in mpe2: what is to be compared after every step, as arrays with a leading axis of steps."""
    positions, velocities, goal = start
    env.reset(seed=0)
    world = env.world
    for body, position in zip(world.entities, positions):
        body.state.p_pos = position.copy()
    for agent, velocity in zip(world.agents, velocities):
        agent.state.p_vel = velocity.copy()
    if hasattr(world.agents[0], "goal_a"):
        world.agents[0].goal_b = world.landmarks[goal]
    records = []
    for joint in actions:
        for action, size in zip(joint, sizes):
            env.step(int(action) if action.ndim == 0 else action[:size].copy())
        seen = [env.scenario.observation(agent, world) for agent in world.agents]
        width = max(map(len, seen))
        records.append(
            (
                np.array([body.state.p_pos for body in world.entities]),
                np.array([agent.state.p_vel for agent in world.agents]),
                np.array([agent.state.c for agent in world.agents]),
                np.array([np.pad(view, (0, width - len(view))) for view in seen]),
                np.array([env.rewards[agent.name] for agent in world.agents]),
                np.array([env.truncations[agent.name] for agent in world.agents]),
                np.array([env.terminations[agent.name] for agent in world.agents]),
            )
        )
    return [np.array(column) for column in zip(*records)]


def compare(scene, continuous, n_worlds, seed):
    """Play ``n_worlds`` episodes on both sides; how many steps were compared, how many of them with contacts."""
    ours, theirs, our_settings, their_settings = scene
    rng = np.random.default_rng(seed)
    worlds = ours(n_worlds, continuous_actions=continuous, **our_settings)
    start, actions = starts(worlds, rng), random_actions(worlds, continuous, rng)
    env = theirs.raw_env(continuous_actions=continuous, max_cycles=STEPS, **their_settings)
    sizes = worlds.action_sizes if continuous else worlds.n_actions
    assert list(worlds.scene.agent_names) == env.possible_agents
    assert sizes == tuple(
        int(np.prod(space.shape)) if continuous else space.n for space in env.action_spaces.values()
    )
    assert worlds.observation_sizes == tuple(s.shape[0] for s in env.observation_spaces.values())
    bodies = env.world.entities
    np.testing.assert_array_equal(worlds.scene.sizes, [body.size for body in bodies])
    np.testing.assert_array_equal(worlds.scene.collides, [body.collide for body in bodies])
    episodes = [
        play_mpe2(env, [part[e] for part in start], actions[:, e], sizes) for e in range(n_worlds)
    ]
    expected = [np.stack(column, axis=1) for column in zip(*episodes)]  # [T, E, ...]
    worlds.place(*start)
    contacts = 0
    for t in range(STEPS):
        contacts += int((worlds.contacts > 0).sum())
        step = worlds.step(actions[t], rng)
        positions, velocities, messages, seen, rewards, truncated, terminated = (
            column[t] for column in expected
        )
        close = {"atol": 1e-9, "rtol": 0, "strict": True, "err_msg": f"step {t}"}
        np.testing.assert_allclose(worlds.positions, positions, **close)
        np.testing.assert_allclose(worlds.velocities, velocities, **close)
        if worlds.scene.n_words:
            np.testing.assert_allclose(worlds.messages, messages, **close)
        else:
            assert not messages.any() and worlds.messages.shape[-1] == 0
        np.testing.assert_allclose(worlds.observe(), seen, **close)
        np.testing.assert_array_equal(step.observations, worlds.observe().astype(np.float32))
        np.testing.assert_allclose(step.rewards, rewards, **close)
        np.testing.assert_array_equal(np.repeat(step.truncated[:, None], len(sizes), 1), truncated)
        np.testing.assert_array_equal(step.terminated, terminated)
        np.testing.assert_array_equal(step.ended, step.truncated)
    return n_worlds * STEPS, contacts


@pytest.mark.parametrize("name", SCENES)
def test_whole_episodes_agree(name):
    played = [compare(SCENES[name], continuous, 402, seed=5) for continuous in (False, True)]
    steps, contacts = np.sum(played, axis=0)
    assert steps >= 20_000
    assert contacts == 0 if name == "speaker_listener" else contacts >= 1_000


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("continuous", [False, True])
def test_other_sizes_agree(name, continuous):
    compare(VARIANTS[name], continuous, 12, seed=6)


@pytest.mark.parametrize("name", SCENES)
def test_the_same_seed_begins_the_same_episode(name):
    ours, theirs, _, _ = SCENES[name]
    worlds, env = ours(), theirs.raw_env()
    for seed in range(20):
        seen = worlds.reset(np.random.default_rng(seed))
        env.reset(seed=seed)
        positions = [body.state.p_pos for body in env.world.entities]
        np.testing.assert_array_equal(worlds.positions[0], positions)
        for i, agent in enumerate(env.possible_agents):
            size = worlds.observation_sizes[i]
            np.testing.assert_array_equal(seen[0, i, :size], env.observe(agent))
            assert not seen[0, i, size:].any()


def test_the_parallel_interface_returns_the_same():
    """What a user of mpe2 calls: ``parallel_env``, with its wrappers and float32."""
    worlds, env = simple_spread(), simple_spread_v3.parallel_env()
    rng = np.random.default_rng(7)
    worlds.reset(np.random.default_rng(3))
    env.reset(seed=3)
    for _ in range(STEPS):
        actions = rng.integers(5, size=3)
        seen, rewards, _, truncated, _ = env.step(dict(zip(env.agents, actions.tolist())))
        step = worlds.step(actions[None], rng)
        np.testing.assert_allclose(step.observations[0], list(seen.values()), atol=1e-6)
        np.testing.assert_allclose(step.rewards[0], list(rewards.values()), atol=1e-9)
        assert step.truncated[0] == all(truncated.values())


@pytest.mark.parametrize("continuous", [True, False])
@pytest.mark.parametrize("name", ["simple_spread", "simple_speaker_listener", "simple_tag"])
def test_the_environments_of_mpe2_cross_the_bridge(name, continuous):
    """Side by side with mpe2 stepped by hand from the same seeds; nothing is rounded, clipped or warned about."""
    worlds = mpe_worlds(name, 2, continuous_actions=continuous)
    assert check_batched_worlds("worlds", worlds, continuous) is worlds
    by_hand = [import_mpe2()[name].parallel_env(continuous_actions=continuous) for _ in range(2)]
    rng, seeds, choices = (np.random.default_rng(seed) for seed in (7, 7, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            seen = worlds.reset(rng)
            answers = [env.reset(seed=int(seeds.integers(2**31)))[0] for env in by_hand]
            for t in range(25):
                for e, env in enumerate(by_hand):
                    for i, a in enumerate(env.possible_agents):
                        size = worlds.observation_sizes[i]
                        assert np.array_equal(seen[e, i, :size], answers[e][a])
                        assert not seen[e, i, size:].any()
                if continuous:
                    shape = (2, worlds.n_agents, max(worlds.action_sizes))
                    actions = choices.random(shape) if t else np.ones(shape)
                    given = actions.astype(np.float32)
                    sizes = worlds.action_sizes
                else:
                    actions = choices.integers(worlds.n_actions, size=(2, worlds.n_agents))
                step, seen = (answer := worlds.step(actions, rng)), answer.observations
                for e, env in enumerate(by_hand):
                    chosen = {
                        a: given[e, i, : sizes[i]] if continuous else int(actions[e, i])
                        for i, a in enumerate(env.possible_agents)
                    }
                    answers[e], rewards, *_ = env.step(chosen)
                    assert step.rewards[e].tolist() == [float(rewards[a]) for a in rewards]
            assert step.truncated.all() and step.ended.all() and not step.terminated.any()


def test_mpe2_draws_itself_if_asked():
    worlds = mpe_worlds("simple_speaker_listener", pictures=True)
    worlds.reset(np.random.default_rng(0))
    image = worlds.envs[0].render()
    assert image.shape == (700, 700, 3) and image.min() < 255 == image.max()
    with pytest.raises(ValueError, match=r"^pictures"):
        mpe_worlds("simple_speaker_listener", pictures=1)


def test_bad_arguments_of_mpe_worlds(monkeypatch):
    for arguments, settings, message in [
        (("simple_push",), {}, "name is 'simple_push'; allowed are simple_spread"),
        ((["simple_spread"],), {}, "name"),
        (("simple_tag", 0), {}, "n_worlds"),
        (("simple_tag",), {"continuous_actions": 1}, "continuous_actions"),
        (("simple_tag",), {"time_limit": 0}, "time_limit"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}"):
            mpe_worlds(*arguments, **settings)
    assert mpe_worlds("simple_tag", 1, time_limit=2).n_agents == 4
    monkeypatch.setitem(sys.modules, "mpe2", None)
    with pytest.raises(ImportError, match="python -m pip install mpe2"):
        mpe_worlds("simple_spread")
