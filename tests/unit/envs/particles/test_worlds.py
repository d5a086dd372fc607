"""The particle worlds: what they pay and show, beside mpe2 to 1e-9 step by step, and that worlds do not disturb each other."""

import copy
import os
import pickle

import numpy as np
import pytest
import torch
from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3

from marl_lessons.envs import (
    simple_speaker_listener,
    simple_spread,
    simple_tag,
)
from marl_lessons.envs.particles.tag import boundary_cost
from marl_lessons.envs.stepping import are_continuous, check_batched_worlds

SCENES = [simple_spread, simple_speaker_listener, simple_tag]
KINDS = [(make, continuous) for make in SCENES for continuous in (False, True)]


def draw(worlds, rng):
    """Random actions of the right form."""
    shape = (worlds.n_worlds, worlds.n_agents)
    return rng.random((*shape, 5)) if are_continuous(worlds) else rng.integers(worlds.scene.choices, size=shape)  # fmt: skip


def begun(make, n_worlds=4, **settings):
    worlds = make(n_worlds, **settings)
    worlds.reset(np.random.default_rng(0))
    return worlds


def returns_of(worlds, actions, start):
    """``[E, n]``: the sum of rewards of one episode."""
    worlds.place(**start)
    rng = np.random.default_rng(0)
    return sum(worlds.step(joint, rng).rewards for joint in actions)


def crowded_start(n_worlds, n_bodies, rng):
    return {"positions": rng.uniform(-0.5, 0.5, (n_worlds, n_bodies, 2))}


# What is paid


def test_returns_of_the_original_follow_from_those_of_mpe2():
    """Over 25 steps: 3 (-Σ D) - c - 75, c the collisions counted by each of both; here from both parts of mpe2's reward."""
    rng = np.random.default_rng(1)
    start, actions = crowded_start(50, 6, rng), rng.integers(5, size=(25, 50, 3))
    shared = returns_of(simple_spread(50, local_ratio=0.0), actions, start)
    own = returns_of(simple_spread(50, local_ratio=1.0), actions, start)
    mixed = returns_of(simple_spread(50), actions, start)
    openai = returns_of(simple_spread(50, returns="openai"), actions, start)
    np.testing.assert_allclose(shared, shared[:, :1].repeat(3, axis=1))
    assert (own == np.round(own)).all() and own.sum() < -100
    np.testing.assert_allclose(mixed, 0.5 * shared + 0.5 * own)
    expected = 3 * shared[:, 0] + own.sum(axis=1) - 75
    np.testing.assert_allclose(openai, expected[:, None].repeat(3, axis=1))


def test_spread_pays_what_a_loop_over_bodies_counts():
    rng = np.random.default_rng(2)
    worlds, team = simple_spread(20, n_agents=4), simple_spread(20, n_agents=4, returns="openai")
    start, action = crowded_start(20, 8, rng), np.zeros((20, 4), dtype=int)
    worlds.place(**start), team.place(**start)
    paid, shared = worlds.step(action, rng).rewards, team.step(action, rng).rewards
    for e, bodies in enumerate(
        start["positions"]
    ):  # at rest and unpushed: nobody moves in the first step
        agents, landmarks = bodies[:4], bodies[4:]
        far = sum(min(np.linalg.norm(a - l) for a in agents) for l in landmarks)  # noqa: E741
        hits = [[np.linalg.norm(a - b) < 0.3 for b in agents] for a in agents]
        for i in range(4):
            assert paid[e, i] == pytest.approx(-0.5 * far - 0.5 * (sum(hits[i]) - 1))
        assert shared[e] == pytest.approx(-4 * far - sum(map(sum, hits)))


def test_speaker_and_listener_are_paid_twice_by_the_original():
    rng = np.random.default_rng(3)
    start = {**crowded_start(30, 5, rng), "goals": rng.integers(3, size=30)}
    actions = rng.integers([3, 5], size=(25, 30, 2))
    once = returns_of(simple_speaker_listener(30), actions, start)
    twice = returns_of(simple_speaker_listener(30, returns="openai"), actions, start)
    np.testing.assert_allclose(twice, once.sum(axis=1, keepdims=True).repeat(2, axis=1))


def test_a_listener_at_rest_pays_what_two_random_points_are_apart():
    """E d² = 2 · (1/3 + 1/3) for independent uniform points of [-1, 1]²; 25 steps."""
    worlds, rng = simple_speaker_listener(20_000), np.random.default_rng(4)
    worlds.reset(rng)
    still = np.zeros((20_000, 2), dtype=int)
    returns = sum(worlds.step(still, rng).rewards[:, 0] for _ in range(25))
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() + 25 * 4 / 3) < 4 * error < 1.0


def test_tag_pays_each_pair_to_all_chasers_and_by_each_prey():
    worlds = simple_tag(1, n_prey=2, n_chasers=3, n_obstacles=0)
    # Chasers 0 and 1 overlap with prey 0 (reach 0.125), chaser 2 with nobody; prey 1 is beyond the field.
    positions = [[[0.1, 0], [-0.1, 0], [0, 0.2], [0, 0], [1.0, -0.95]]]
    worlds.place(positions)
    rewards = worlds.step(np.zeros((1, 5), dtype=int), np.random.default_rng(0)).rewards
    np.testing.assert_allclose(rewards, [[20, 20, 20, -20, -1.5]])


@pytest.mark.parametrize(
    "x, cost", [(0, 0), (0.9, 0), (0.95, 0.5), (1.0, 1.0), (1.5, np.e), (2.0, np.e**2), (2.2, 10), (1e6, 10)]
)  # fmt: skip
def test_the_boundary_costs_more_the_farther_out(x, cost):
    assert boundary_cost(np.array([x]))[0] == pytest.approx(cost)


# What is seen


def test_the_listener_hears_what_was_said_in_the_step_before():
    worlds, rng = begun(simple_speaker_listener, 2), np.random.default_rng(0)
    assert not worlds.observe()[:, 1, 8:].any() and not worlds.messages.any()
    for words in ([0, 2], [1, 1], [2, 0]):
        step = worlds.step(np.array([[word, 0] for word in words]), rng)
        np.testing.assert_array_equal(step.observations[:, 1, 8:], np.eye(3)[words])
    worlds = begun(simple_speaker_listener, 1, continuous_actions=True)
    said = [[[0.1, 0.2, 0.3, 0.9, 0.9], [0, 0, 0, 0, 0]]]
    seen = worlds.step(np.array(said), rng).observations
    np.testing.assert_allclose(seen[0, 1, 8:], [0.1, 0.2, 0.3])
    assert worlds.messages.tolist() == [[[0.1, 0.2, 0.3], [0, 0, 0]]]


def test_every_part_of_an_observation_stands_where_mpe2_has_it():
    worlds = simple_tag(1, n_prey=2, n_chasers=1, n_obstacles=1)
    positions = np.array([[[0.0, 0.1], [0.5, 0.6], [-0.5, -0.7], [0.9, -0.9]]])
    velocities = np.array([[[0.01, 0.02], [0.03, 0.04], [0.05, 0.06]]])
    worlds.place(positions, velocities)
    (p0, p1, p2, obstacle), (v0, v1, v2) = positions[0], velocities[0]
    expected = [
        [*v0, *p0, *(obstacle - p0), *(p1 - p0), *(p2 - p0), *v1, *v2],
        [*v1, *p1, *(obstacle - p1), *(p0 - p1), *(p2 - p1), *v2, 0, 0],
        [*v2, *p2, *(obstacle - p2), *(p0 - p2), *(p1 - p2), *v1, 0, 0],
    ]
    np.testing.assert_array_equal(worlds.observe()[0], expected)
    assert worlds.observation_sizes == (14, 12, 12)


def test_the_speaker_sees_the_colour_of_the_goal():
    worlds = simple_speaker_listener(3)
    worlds.place(np.zeros((3, 5, 2)), goals=[0, 1, 2])
    colours = [[0.65, 0.15, 0.15], [0.15, 0.65, 0.15], [0.15, 0.15, 0.65]]
    np.testing.assert_allclose(worlds.observe()[:, 0, :3], colours)
    assert not worlds.observe()[:, 0, 3:].any()


# How they keep going


@pytest.mark.parametrize("make, continuous", KINDS)
def test_they_are_batched_worlds(make, continuous):
    worlds, rng = make(3, continuous_actions=continuous), np.random.default_rng(0)
    assert check_batched_worlds("worlds", worlds, continuous=continuous) is worlds
    assert worlds.ended.all() and not worlds.active.any()
    with pytest.raises(ValueError, match=r"^world 0 has ended"):
        worlds.step(draw(worlds, rng), rng)
    seen = worlds.reset(rng)
    width = max(worlds.observation_sizes)
    for t in range(25):
        assert seen.shape == (3, worlds.n_agents, width) and seen.dtype == np.float32
        assert seen.flags.c_contiguous and worlds.active.all()
        seen, rewards, terminated, truncated, ended = worlds.step(draw(worlds, rng), rng)
        assert rewards.shape == terminated.shape == (3, worlds.n_agents) and not terminated.any()
        assert rewards.dtype == np.float64 and (truncated == (t == 24)).all()
        assert (ended == truncated).all() and (worlds.ages == t + 1).all()
    assert not worlds.active.any()


@pytest.mark.parametrize("make, continuous", KINDS)
def test_worlds_do_not_disturb_each_other(make, continuous):
    """Five worlds together are five single worlds, and beginning two of them again leaves the others as they were."""
    rng = np.random.default_rng(8)
    together = make(5, continuous_actions=continuous, time_limit=9)
    together.reset(rng)
    alone = [make(1, continuous_actions=continuous, time_limit=9) for _ in range(5)]
    for e, world in enumerate(alone):
        world.place(together.positions[e : e + 1], goals=together.goals[e : e + 1])
    for t in range(7):
        if t == 4:
            which = np.array([False, True, False, True, False])
            together.reset_where(which, rng)
            for e in (1, 3):
                world = alone[e]
                world.place(together.positions[e : e + 1], goals=together.goals[e : e + 1])
        actions = draw(together, rng)
        step = together.step(actions, rng)
        for e, world in enumerate(alone):
            single = world.step(actions[e : e + 1], rng)
            # Numbers may be added up in another order in arrays of another length.
            np.testing.assert_allclose(together.observe()[e], world.observe()[0], atol=1e-12)
            np.testing.assert_allclose(step.rewards[e], single.rewards[0], atol=1e-12)
            np.testing.assert_array_equal(step.truncated[e], single.truncated[0])
    assert together.ages.tolist() == [7, 3, 7, 3, 7]


@pytest.mark.parametrize("which", [[False] * 4, [True, False, False, True], [True] * 4])
@pytest.mark.parametrize("make", SCENES)
def test_any_part_of_the_worlds_begins_again(make, which):
    worlds, rng, which = begun(make, 4, time_limit=3), np.random.default_rng(1), np.array(which)
    for _ in range(3):
        worlds.step(draw(worlds, rng), rng)
    before = worlds.snapshot()
    seen = worlds.reset_where(which, rng)
    after = worlds.snapshot()
    assert before.pop("kind") == after["kind"]
    for name in before:
        np.testing.assert_array_equal(after[name][~which], before[name][~which])
    for name in ("velocities", "messages", "ages", "ended"):
        assert not after[name][which].any()
    assert (after["positions"][which] != before["positions"][which]).all()
    np.testing.assert_array_equal(seen, worlds.observe().astype(np.float32))


@pytest.mark.parametrize("make", SCENES)
def test_episodes_begin_evenly_over_the_square(make):
    worlds = begun(make, 4000)
    half_width = worlds.scene.start[:, None]
    scaled = worlds.positions / half_width
    assert (np.abs(scaled) <= 1).all() and not worlds.velocities.any()
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose((scaled**2).mean(axis=0), 1 / 3, atol=0.03)
    if make is simple_speaker_listener:
        np.testing.assert_allclose(np.bincount(worlds.goals) / 4000, 1 / 3, atol=0.04)
    else:
        assert not worlds.goals.any()
    expected = 0.9 if make is simple_tag else 1.0
    assert np.abs(worlds.positions[:, -1]).max() == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("make, continuous", KINDS)
def test_a_snapshot_resumes_a_run(make, continuous):
    rng = np.random.default_rng(2)
    worlds, other = (begun(make, 6, continuous_actions=continuous) for _ in range(2))
    first, rest = ([draw(worlds, rng) for _ in range(10)] for _ in range(2))
    for actions in first:
        worlds.step(actions, rng)
    kept = copy.deepcopy(worlds.snapshot())
    going_on = [worlds.step(actions, rng) for actions in rest]
    other.restore(pickle.loads(pickle.dumps(kept)))
    for name, array in other.snapshot().items():
        np.testing.assert_array_equal(array, kept[name], strict=True)
    for actions, expected in zip(rest, going_on):
        for given, wanted in zip(other.step(actions, rng), expected):
            np.testing.assert_array_equal(given, wanted, strict=True)
    twin = pickle.loads(pickle.dumps(worlds))
    np.testing.assert_array_equal(twin.observe(), worlds.observe())


def test_a_placed_episode_is_a_new_one():
    worlds, rng = begun(simple_speaker_listener, 8, time_limit=4), np.random.default_rng(0)
    assert worlds.goals.any()
    for _ in range(4):
        worlds.step(draw(worlds, rng), rng)
    worlds.place(worlds.positions)
    assert not (worlds.ages.any() or worlds.ended.any() or worlds.goals.any())
    assert not (worlds.messages.any() or worlds.velocities.any())
    for t in range(4):
        assert (worlds.step(draw(worlds, rng), rng).truncated == (t == 3)).all()


def test_what_is_handed_out_is_a_copy():
    worlds = begun(simple_spread)
    before = worlds.observe()
    kept = worlds.snapshot()
    kept.pop("kind").clear()
    for array in (*kept.values(), worlds.active, worlds.contacts, worlds.observe()):
        array[...] = 1
    assert worlds.snapshot()["kind"]["scene"] == "simple_spread"
    start = np.zeros((4, 6, 2))
    np.testing.assert_array_equal(worlds.observe(), before)
    worlds.place(start)
    start[...] = 5
    assert not worlds.positions.any()


def test_bodies_at_one_point_stay_finite():
    for make in (simple_spread, simple_tag):
        worlds = make(2)
        worlds.place(np.zeros((2, len(worlds.scene.sizes), 2)))
        step = worlds.step(np.zeros((2, worlds.n_agents), dtype=int), np.random.default_rng(0))
        assert np.isfinite(step.rewards).all() and not worlds.velocities.any()
        n, m = worlds.n_agents, len(worlds.scene.sizes)
        pairs = n * (n - 1) // 2 + (n * (m - n) if make is simple_tag else 0)
        assert worlds.contacts.tolist() == [pairs, pairs]


# What is refused


BOTH = [
    {"n_worlds": 0}, {"n_worlds": 2.0}, {"time_limit": 0}, {"time_limit": None}, {"continuous_actions": 1},
    {"physics": "old"}, {"physics": None},
]  # fmt: skip
OWN = {
    simple_spread: [{"n_agents": 0}, {"n_agents": True}, {"local_ratio": 1.5}, {"local_ratio": "half"}, {"returns": "sum"},
                    {"returns": ["mpe2"]}, {"local_ratio": 0.3, "returns": "openai"}],
    simple_speaker_listener: [{"returns": "team"}, {"returns": 1}],
    simple_tag: [{"n_prey": 0}, {"n_chasers": 0}, {"n_obstacles": -1}],
}  # fmt: skip


@pytest.mark.parametrize(
    "make, settings", [(make, settings) for make in SCENES for settings in BOTH + OWN[make]]
)
def test_settings_are_checked(make, settings):
    with pytest.raises(ValueError, match=f"^{next(iter(settings))}"):
        make(**settings)


def test_a_word_is_no_move():
    worlds = begun(simple_speaker_listener, 1)
    with pytest.raises(ValueError, match=r"^actions\[0, 0\] is 3; allowed are 0 to 2"):
        worlds.step(np.array([[3, 0]]), np.random.default_rng(0))


@pytest.mark.parametrize("value", [-3.0, 0.7, 1e308])
def test_what_stands_behind_an_agents_own_entries_has_no_effect(value):
    rng = np.random.default_rng(5)
    worlds, other = (begun(simple_speaker_listener, 3, continuous_actions=True) for _ in range(2))
    for _ in range(4):
        actions = rng.random((3, 2, 5))
        changed = actions.copy()
        changed[:, 0, 3:] = value
        for given, wanted in zip(other.step(changed, rng), worlds.step(actions, rng)):
            np.testing.assert_array_equal(given, wanted)
        assert (changed[:, 0, 3:] == value).all(), "the caller's array stays as it is"
        assert (worlds.positions[:, 0] == other.positions[:, 0]).all()


@pytest.mark.parametrize(
    "change, name",
    [
        ({"positions": np.zeros((2, 4, 2))}, "positions"), ({"positions": np.full((2, 5, 2), np.nan)}, "positions"),
        ({"positions": np.full((2, 5, 2), 1e200)}, "positions"), ({"positions": None}, "positions"),
        ({"velocities": np.zeros((2, 2))}, "velocities"), ({"velocities": np.ones((2, 2, 2))}, r"velocities\[0, 0\]"),
        ({"goals": [0, 3]}, "goals"), ({"goals": [0.0, 1.0]}, "goals"), ({"goals": 1}, "goals"), ({"goals": np.array(1)}, "goals"),
    ],
)  # fmt: skip
def test_places_are_checked(change, name):
    worlds = begun(simple_speaker_listener, 2)
    before = worlds.observe()
    with pytest.raises(ValueError, match=f"^{name}"):
        worlds.place(**{"positions": np.zeros((2, 5, 2)), **change})
    np.testing.assert_array_equal(worlds.observe(), before)


OTHER_KINDS = {
    "time_limit": lambda: (simple_spread(2), simple_spread(2, time_limit=24)),
    "physics": lambda: (simple_spread(2), simple_spread(2, physics="openai")),
    "returns": lambda: (simple_spread(2), simple_spread(2, returns="openai")),
    "local_ratio": lambda: (simple_spread(2), simple_spread(2, local_ratio=0.25)),
    "scene": lambda: (simple_speaker_listener(2), simple_tag(2, n_chasers=1)),
    "n_agents": lambda: (simple_spread(2), simple_spread(2, n_agents=2)),
    # as many bodies that move, and that do not
    "n_chasers": lambda: (
        simple_tag(2, n_chasers=2, n_prey=1),
        simple_tag(2, n_chasers=1, n_prey=2),
    ),
}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_snapshots_of_other_kinds_of_worlds_are_refused(name):
    """The message says what differs, and the worlds stay as they were."""
    for worlds, other in (OTHER_KINDS[name](), OTHER_KINDS[name]()[::-1]):
        other.reset(np.random.default_rng(0))
        before = other.positions
        with pytest.raises(
            ValueError, match=rf"^snapshot\['kind'\]: expected {name} to be .*, got"
        ):
            other.restore(worlds.snapshot())
        np.testing.assert_array_equal(other.positions, before)


@pytest.mark.parametrize("make", SCENES)
def test_a_snapshots_kind_can_be_kept_in_a_file(make, tmp_path):
    """torch reads it without running code; what it reads is the same kind, whichever form the actions have."""
    torch.save(begun(make, 2).snapshot()["kind"], tmp_path / "kind.pt")
    kind = torch.load(tmp_path / "kind.pt", weights_only=True)
    worlds = begun(make, 2, continuous_actions=True)
    worlds.restore({**worlds.snapshot(), "kind": kind})
    for wrong in ({}, {**kind, "gravity": 9.81}, {**kind, "time_limit": None}):
        with pytest.raises(ValueError, match=r"^snapshot\['kind'\]: expected"):
            worlds.restore({**worlds.snapshot(), "kind": wrong})


def test_a_state_that_tells_no_kind_is_taken_for_one_of_these_worlds():
    worlds, other = begun(simple_tag, 2), simple_tag(2)
    state = worlds.snapshot()
    del state["kind"]
    other.restore(state)
    np.testing.assert_array_equal(other.positions, worlds.positions)


def test_words_are_plain_text_in_a_kind():
    """NumPy's own kind of text could not be kept in a file."""
    for make in (simple_spread, simple_speaker_listener):
        kind = make(returns=np.str_("openai"), physics=np.str_("mpe2")).snapshot()["kind"]
        assert type(kind["returns"]) is type(kind["physics"]) is str


os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")


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
