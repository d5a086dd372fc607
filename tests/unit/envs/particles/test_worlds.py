"""The particle worlds: batched, independent of each other, resumed and placed."""

import copy
import pickle

import numpy as np
import pytest
import torch

from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
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


@pytest.mark.parametrize("physics", ["mpe2", "openai"])
def test_forces_too_small_for_a_number_are_0_whatever_numpy_is_told_to_raise(physics):
    worlds, rng = simple_spread(200, physics=physics), np.random.default_rng(0)
    with np.errstate(all="raise"):
        worlds.reset(rng)
        for _ in range(25):
            worlds.step(np.zeros((200, 3), int), rng)
    assert worlds.ended.all() and np.isfinite(worlds.velocities).all()


def test_words_are_plain_text_in_a_kind():
    """NumPy's own kind of text could not be kept in a file."""
    for make in (simple_spread, simple_speaker_listener):
        kind = make(returns=np.str_("openai"), physics=np.str_("mpe2")).snapshot()["kind"]
        assert type(kind["returns"]) is type(kind["physics"]) is str
