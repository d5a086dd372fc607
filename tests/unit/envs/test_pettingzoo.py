"""Both bridges to PettingZoo: its own tests of the interface, round trips, agents that leave at different times."""

import copy
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from corridor_worlds import CorridorWorlds
from gymnasium import spaces
from gymnasium.utils.env_checker import data_equivalence
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.test import parallel_api_test, parallel_seed_test

from marl_lessons.envs import simple_speaker_listener, simple_spread, soccer, two_cars
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.pettingzoo import ParallelWorlds, as_parallel_env, between, from_parallel_env
from marl_lessons.envs.stepping import BatchedStep, BatchedWorlds, GameWorlds, check_batched_worlds

SOCCER = soccer(3, 3)


class KiteWorlds:
    """Kites that rise by the sum of their own action's entries, kite i with i + 1 of them, and by a gust of up to ``gust``.

    A kite sees its height; one of odd number besides that of the kite before it. It pays its height; at 3 or more it is
    torn off, pays 5 once and takes no further part. The clock stops every world after ``time_limit`` steps.
    """

    def __init__(self, n_worlds=1, n_agents=3, gust=0.3, time_limit=6):
        self.n_worlds, self.n_agents, self.gust, self.time_limit = (
            n_worlds,
            n_agents,
            gust,
            time_limit,
        )
        self.action_sizes = tuple(range(1, n_agents + 1))
        self.observation_sizes = tuple(1 + i % 2 for i in range(n_agents))
        self.heights, self.ages = np.zeros((n_worlds, n_agents)), np.full(n_worlds, time_limit)
        self.seen = np.zeros((n_worlds, n_agents, max(self.observation_sizes)), np.float32)

    @property
    def active(self):
        return (self.heights < 3) & (self.ages < self.time_limit)[:, None]

    @property
    def ended(self):
        return ~self.active.any(axis=1)

    def reset(self, rng):
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.heights[which] = rng.random(self.heights[which].shape) * self.gust
        self.ages[which] = 0
        return self._look(which[:, None] & self.active, which)

    def step(self, actions, rng):
        assert actions.shape == (self.n_worlds, self.n_agents, max(self.action_sizes))
        flew = self.active
        for i, size in enumerate(self.action_sizes):
            rise = actions[:, i, :size].sum(axis=1) + rng.random(self.n_worlds) * self.gust
            self.heights[:, i] += flew[:, i] * rise
        self.ages += 1
        torn = flew & (self.heights >= 3)
        rewards = flew * -(self.heights + 5 * torn)
        ended = self.ended
        late = (flew & ~torn).any(axis=1)
        seen = self._look(flew, np.ones(self.n_worlds, dtype=bool))
        return BatchedStep(seen, rewards, torn, ended & late, ended)

    def _look(self, who, where):
        seen = np.zeros((self.n_worlds, self.n_agents, max(self.observation_sizes)), np.float32)
        seen[:, :, 0] = self.heights
        if self.n_agents > 1:
            seen[:, 1::2, 1] = self.heights[:, :-1:2]
        self.seen[where] = (seen * who[:, :, None])[where]
        return self.seen.copy()


WORLDS = {
    "two cars": lambda: GameWorlds(two_cars(), 1),
    "two cars in a hurry": lambda: GameWorlds(two_cars(), 1, time_limit=3),
    "soccer": lambda: GameWorlds(SOCCER, 1, time_limit=50),
    "corridor": lambda: CorridorWorlds(1, 3),
    "junction, easy": lambda: TrafficJunction("easy"),
    "junction, medium, seeing": lambda: TrafficJunction("medium", vision=1),
    "kites": KiteWorlds,
    "spread": lambda: simple_spread(continuous_actions=True),
    "speaker and listener": lambda: simple_speaker_listener(continuous_actions=True),
    "speaker and listener, discrete": simple_speaker_listener,
    "kites without clock": lambda: KiteWorlds(gust=1.0, time_limit=99),
}


@pytest.mark.parametrize("name", WORLDS)
def test_pettingzoo_finds_nothing_wrong(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(as_parallel_env(WORLDS[name]()), num_cycles=300)
        parallel_seed_test(lambda: as_parallel_env(WORLDS[name]()), num_cycles=300)


def some_action(space, rng):
    if isinstance(space, spaces.Discrete):
        return int(rng.integers(space.start, space.start + space.n))
    return rng.uniform(space.low, space.high).astype(space.dtype)


def play(env, seed, n_episodes=3):
    """All that an environment answers over some episodes, the first with a seed and the others without."""
    rng, answers = np.random.default_rng(1), []
    for episode in range(n_episodes):
        answers.append(env.reset(seed=seed if episode == 0 else None))
        while env.agents:
            actions = {a: some_action(env.action_space(a), rng) for a in env.agents}
            answers.append(env.step(actions))
    return answers


@pytest.mark.parametrize("name", WORLDS)
def test_a_seed_determines_the_run_whatever_was_played_before(name):
    fresh, used = as_parallel_env(WORLDS[name]()), as_parallel_env(WORLDS[name](), seed=3)
    play(used, seed=5)
    run = play(fresh, seed=11)
    assert data_equivalence(run, play(used, seed=11), exact=True)
    assert not data_equivalence(run, play(used, seed=12), exact=True)


def test_the_first_seed_may_come_with_the_environment():
    given, later = (as_parallel_env(WORLDS["corridor"](), seed=seed) for seed in (7, None))
    assert data_equivalence(play(given, seed=None), play(later, seed=7), exact=True)


@pytest.mark.parametrize("name", ["two cars in a hurry", "soccer", "corridor", "junction, easy"])
def test_the_environment_says_what_the_world_does(name):
    """Side by side with a second copy of the world that draws the same random numbers."""
    worlds, env = WORLDS[name](), as_parallel_env(WORLDS[name]())
    rng, choices = np.random.default_rng(4), np.random.default_rng(5)
    left_early = 0
    for episode in range(20):
        seen, infos = env.reset(seed=4) if episode == 0 else env.reset()
        observations = worlds.reset(rng)
        assert not any(info["left"] for info in infos.values())
        while env.agents:
            active = worlds.active[0]
            assert [infos[a]["active"] for a in env.agents] == active.tolist()
            for i, a in enumerate(env.possible_agents):
                expected = observations[0, i, : worlds.observation_sizes[i]]
                assert np.array_equal(seen[a], expected) and seen[a] in env.observation_space(a)
            actions = choices.integers(worlds.n_actions)
            chosen = {a: actions[i] for i, a in enumerate(env.agents) if active[i]}
            step = worlds.step(actions[None], rng)
            seen, rewards, terminations, truncations, infos = env.step(chosen)
            observations, ended = step.observations, step.ended[0]
            for i, a in enumerate(env.possible_agents):
                story_over = step.terminated[0, i] or not step.truncated[0]
                assert rewards[a] == step.rewards[0, i] and type(rewards[a]) is float
                assert terminations[a] is bool(ended and story_over)
                assert truncations[a] is bool(ended and not story_over)
                assert infos[a]["left"] is bool(step.terminated[0, i])
                left_early += infos[a]["left"] and not ended
            assert env.agents == ([] if ended else env.possible_agents)
        assert not any(info["active"] for info in infos.values())
    assert (left_early > 0) == (name in ("corridor", "junction, easy"))


def test_what_is_told_about_the_environment():
    env = as_parallel_env(CorridorWorlds(1, 2))
    assert isinstance(env, ParallelEnv) and env.unwrapped is env and env.render_mode is None
    assert env.metadata["name"] == str(env) == "CorridorWorlds"
    assert env.possible_agents == ["agent_0", "agent_1"] and env.max_num_agents == 2
    assert env.agents == []
    assert env.observation_space("agent_1") == spaces.Box(-np.inf, np.inf, (4,), np.float32)
    assert env.action_space("agent_1") == spaces.Discrete(2)


@pytest.mark.parametrize("arguments, name", [
    ((two_cars(),), "worlds: expected batched worlds as TrafficJunction"),
    ((GameWorlds(two_cars(), 3),), "worlds: .* got 3"),
    ((GameWorlds(two_cars(), 1), -1), "seed"),
    ((GameWorlds(two_cars(), 1), 2**70), "seed"),
    ((GameWorlds(two_cars(), 1), 1.5), "seed"),
])  # fmt: skip
def test_bad_arguments_of_as_parallel_env(arguments, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        as_parallel_env(*arguments)


def test_bad_actions_are_named():
    env = as_parallel_env(GameWorlds(two_cars(), 1))
    with pytest.raises(ValueError, match=r"^actions: the episode is over"):
        env.step({"agent_0": 0, "agent_1": 0})
    with pytest.raises(ValueError, match=r"^seed"):
        env.reset(seed="one")
    env.reset(seed=1)
    with pytest.raises(ValueError, match=r"^actions: agent_1 is missing"):
        env.step({"agent_0": 0})
    for bad in ([0, 0], None, {"agent_0": 0, "agent_1": 0, "agent_2": 0}):
        with pytest.raises(ValueError, match=r"^actions: expected a dict over"):
            env.step(bad)
    for bad in (2, -1, 0.0, True, "go", [0, 1]):
        with pytest.raises(ValueError, match=r"^actions\['agent_1'\]"):
            env.step({"agent_0": 0, "agent_1": bad})
    assert env.agents == env.possible_agents, "a refused step changes nothing"


@pytest.mark.parametrize("time_limit", [None, 3])
@pytest.mark.parametrize("n_worlds", [1, 4])
def test_round_trip_of_a_game_without_chance(n_worlds, time_limit):
    game = two_cars(slip=0.0)
    worlds = GameWorlds(game, n_worlds, time_limit)
    again = from_parallel_env(lambda: as_parallel_env(GameWorlds(game, 1, time_limit)), n_worlds)
    assert isinstance(again, BatchedWorlds)
    for name in ("n_worlds", "n_agents", "n_actions", "observation_sizes"):
        assert getattr(again, name) == getattr(worlds, name)
    rng, ends = np.random.default_rng(0), np.zeros(2, dtype=int)
    assert not again.active.any()
    assert np.array_equal(worlds.reset(rng), again.reset(rng))
    for _ in range(60):
        actions = rng.integers(2, size=(n_worlds, 2))
        one, other = worlds.step(actions, rng), again.step(actions, rng)
        for mine, theirs in zip(one, other, strict=True):
            assert np.array_equal(mine, theirs) and mine.dtype == theirs.dtype
        assert np.array_equal(worlds.active, again.active)
        ends += [one.terminated.sum(), one.truncated.sum()]
        which = one.ended
        assert np.array_equal(worlds.reset_where(which, rng), again.reset_where(which, rng))
    assert ends[0] > 0 and (ends[1] > 0) == (time_limit is not None)


class Lanterns(ParallelEnv):
    """Three lanterns: "a" burns 1 step, "b" 2 and "c" up to 4, unless a step limit of 3 stops "c" or ``stop_b`` "b".

    Actions count from 5. Each is paid its action less 5, and sees: "a" a picture of 2 by 2 bytes, "b" its age as one
    of 4 to 7, "c" its age.
    """

    metadata = {"name": "lanterns"}  # noqa: RUF012

    def __init__(self, limit=9, stop_b=False, spaces_of_c=None, lie="", told=None):
        self.possible_agents = ["a", "b", "c"]
        self.limit, self.stop_b, self.lie, self.seeds = limit, stop_b, lie, []
        self.told = told or {}  # in place of the reward of "c", or of what an agent sees
        self._seen = {
            "a": spaces.Box(0, 255, (2, 2), np.uint8),
            "b": spaces.Discrete(4, start=4),
            "c": spaces.Box(0, 9, (1,)),
        }
        self._acts = {a: spaces.Discrete(2 + i, start=5) for i, a in enumerate("abc")}
        if spaces_of_c is not None:
            self._seen["c"], self._acts["c"] = spaces_of_c

    def observation_space(self, agent):
        return self._seen[agent]

    def action_space(self, agent):
        return self._acts[agent]

    def reset(self, seed=None, options=None):
        self.seeds.append(seed)
        self.agents, self.age = ["a", "b", "c"], 0
        if self.lie == "nobody":
            self.agents = []
        if self.lie == "no pair":
            return self._look(self.agents)
        return self._look(self.agents), {a: {} for a in self.agents}

    def step(self, actions):
        assert list(actions) == self.agents, "those who play, and nobody else"
        assert all(type(x) is int and x in self._acts[a] for a, x in actions.items())
        self.age += 1
        present = self.agents
        lives = {"a": 1, "b": 2, "c": 4}
        cut = {a: self.age >= (2 if a == "b" and self.stop_b else self.limit) for a in present}
        over = {a: self.age >= lives[a] and not (self.stop_b and a == "b") for a in present}
        self.agents = [a for a in present if not (cut[a] or over[a])]
        rewards = {a: float(x - 5) for a, x in actions.items()}
        rewards |= {a: x for a, x in self.told.items() if a == "reward"}
        rewards["c"] = rewards.pop("reward", rewards.get("c"))
        if self.lie == "forgets":
            del rewards["c"]
        if self.lie == "vanishes":
            self.agents = self.agents[:-1]
        if self.lie == "no list":
            self.agents = None
        if self.lie == "lingers":
            self.agents = present
        return self._look(present), rewards, over, cut, {a: {} for a in present}

    def _look(self, agents):
        seen = {"a": np.full((2, 2), self.age + 1, np.uint8), "b": 4 + self.age}
        seen["c"] = np.array([self.age, 1, 2][: 3 if self.lie == "sees too much" else 1])
        return {a: self.told.get(a, seen[a]) for a in agents}


def steps_of(worlds, n_steps):
    rng = np.random.default_rng(0)
    first = worlds.reset(rng)
    return first, [
        worlds.step(np.tile([1, 2, 3], (worlds.n_worlds, 1)), rng) for _ in range(n_steps)
    ]


def test_agents_that_leave_at_different_times():
    worlds = from_parallel_env(Lanterns, 2)
    assert worlds.n_actions == (2, 3, 4) and worlds.observation_sizes == (4, 4, 1)
    first, steps = steps_of(worlds, 4)
    assert first.dtype == np.float32
    assert first[1].tolist() == [[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]
    seen = [step.observations[0].tolist() for step in steps]
    assert seen[0] == [[2, 2, 2, 2], [0, 1, 0, 0], [1, 0, 0, 0]]
    assert seen[1] == [[0, 0, 0, 0], [0, 0, 1, 0], [2, 0, 0, 0]]
    assert seen[2] == [[0, 0, 0, 0], [0, 0, 0, 0], [3, 0, 0, 0]]
    assert [s.rewards[0].tolist() for s in steps] == [[1, 2, 3], [0, 2, 3], [0, 0, 3], [0, 0, 3]]
    ends = [s.terminated[0].tolist() for s in steps]
    assert ends == np.eye(4, 3, dtype=bool)[[0, 1, 3, 2]].tolist()
    assert [s.ended[0] for s in steps] == [False, False, False, True]
    assert not any(s.truncated.any() for s in steps) and not worlds.active.any()


@pytest.mark.parametrize(
    "limit, truncated, terminated", [(4, False, [2]), (3, True, []), (2, True, [1]), (1, True, [0])]
)
def test_a_clock_that_stops_the_rest(limit, truncated, terminated):
    worlds = from_parallel_env(lambda: Lanterns(limit))
    last = steps_of(worlds, limit)[1][-1]
    assert last.ended[0] and last.truncated[0] == truncated
    assert np.flatnonzero(last.terminated[0]).tolist() == terminated
    assert last.observations[0, 2].any(), "what follows is seen, for the last target"


def test_one_agent_truncated_while_another_plays_on():
    worlds = from_parallel_env(lambda: Lanterns(stop_b=True))
    _, steps = steps_of(worlds, 3)
    assert not steps[1].ended[0] and not steps[1].truncated[0]
    assert not steps[1].terminated[0, 1] and steps[1].observations[0, 1].any()
    assert (
        worlds.active.tolist() == [[False, False, True]] and not steps[2].observations[0, 1].any()
    )


def test_worlds_are_begun_again_one_by_one_and_with_seeds_of_their_own():
    worlds, rng = from_parallel_env(Lanterns, 3), np.random.default_rng(0)
    worlds.reset(rng)
    worlds.step(np.zeros((3, 3), dtype=int), rng)
    seen = worlds.reset_where(np.array([False, True, False]), rng)
    assert seen[:, 2, 0].tolist() == [1, 0, 1] and worlds.active[:, 0].tolist() == [
        False,
        True,
        False,
    ]
    seeds = [env.seeds for env in worlds.envs]
    assert [len(one) for one in seeds] == [1, 2, 1]
    drawn = [seed for one in seeds for seed in one]
    assert len(set(drawn)) == 4 and all(type(seed) is int for seed in drawn)
    again = from_parallel_env(Lanterns, 3)
    again.reset(np.random.default_rng(0))
    assert [env.seeds[0] for env in again.envs] == [one[0] for one in seeds]


@pytest.mark.parametrize(
    "seen, acts, message",
    [
        (spaces.Dict({"x": spaces.Discrete(2)}), spaces.Discrete(2), "'c' has the observation space Dict"),
        (spaces.Tuple([spaces.Discrete(2)]), spaces.Discrete(2), "'c' has the observation space Tuple"),
        (spaces.Discrete(2), spaces.Box(0, 1), "'c' has the action space Box"),
        (spaces.Discrete(2), spaces.MultiDiscrete([2, 2]), "'c' has the action space MultiDiscrete"),
    ],
)  # fmt: skip
def test_other_spaces_are_refused(seen, acts, message):
    with pytest.raises(ValueError, match=f"^make_env: {message}"):
        from_parallel_env(lambda: Lanterns(spaces_of_c=(seen, acts)))


def test_several_numbers_are_seen_one_hot_one_behind_the_other():
    """Cells 2 of 3 and 1 of 2, as an environment with places on a board shows them."""
    board = spaces.MultiDiscrete([3, 2]), spaces.Discrete(2, start=5)
    worlds = from_parallel_env(lambda: Lanterns(spaces_of_c=board, told={"c": (2, 1)}))
    assert worlds.observation_sizes == (4, 4, 5)
    assert worlds.reset(np.random.default_rng(0))[0, 2].tolist() == [0, 0, 1, 0, 1]
    for wrong in ((2, 2), (-1, 0), (2,), (2.0, 1.0)):
        beyond = from_parallel_env(lambda w=wrong: Lanterns(spaces_of_c=board, told={"c": w}))
        with pytest.raises(ValueError, match=r"^make_env: 'c' sees"):
            beyond.reset(np.random.default_rng(0))


@pytest.mark.parametrize("lie, message", [("forgets", "nothing about 'c'"), ("vanishes", "'c' left"),
                                          ("sees too much", "'c' sees 3 numbers"),
                                          ("no list", "'b' left")])  # fmt: skip
def test_environments_that_break_the_rules_are_refused(lie, message):
    worlds, rng = from_parallel_env(lambda: Lanterns(lie=lie)), np.random.default_rng(0)
    with pytest.raises(ValueError, match=f"^make_env: .*{message}"):
        worlds.reset(rng)
        worlds.step(np.zeros((1, 3), dtype=int), rng)


@pytest.mark.parametrize(
    "told, agent",
    [
        ({"reward": np.nan}, "c"), ({"reward": np.inf}, "c"), ({"reward": 1e308}, "c"), ({"reward": "1.0"}, "c"),
        ({"reward": None}, "c"), ({"reward": [1.0, 2.0]}, "c"), ({"a": np.full((2, 2), np.nan)}, "a"),
        ({"a": "a lamp"}, "a"), ({"a": [[1], [2, 3]]}, "a"), ({"c": [np.inf]}, "c"), ({"c": [1e300]}, "c"),
        ({"b": 3}, "b"), ({"b": 8}, "b"), ({"b": 4.5}, "b"), ({"b": "4"}, "b"), ({"b": [4, 5]}, "b"),
    ],
)  # fmt: skip
def test_what_is_no_finite_number_in_its_space_is_refused(told, agent):
    worlds, rng = from_parallel_env(lambda: Lanterns(told=told)), np.random.default_rng(0)
    with pytest.raises(ValueError, match=f"^make_env: .*'{agent}'"):
        worlds.reset(rng)
        worlds.step(np.zeros((1, 3), dtype=int), rng)


@pytest.mark.parametrize("lie, message", [("no pair", "reset must return 2"), ("nobody", "lists no agents")])  # fmt: skip
def test_a_reset_that_begins_nothing_is_refused(lie, message):
    worlds = from_parallel_env(lambda: Lanterns(lie=lie))
    with pytest.raises(ValueError, match=f"^make_env: .*{message}"):
        worlds.reset(np.random.default_rng(0))


def test_copies_with_other_spaces_and_environments_without_agents_are_refused():
    narrow = spaces.Discrete(2), spaces.Discrete(4, start=5)
    few = spaces.Box(0, 9, (1,)), spaces.Discrete(2)
    for other, kind in ((narrow, "observation_space"), (few, "action_space")):
        made = iter([Lanterns(), Lanterns(spaces_of_c=other)])
        with pytest.raises(ValueError, match=rf"^make_env: the {kind} of 'c'"):
            from_parallel_env(lambda made=made: next(made), 2)

    class Empty(Lanterns):
        def __init__(self, agents):
            if agents is not None:
                self.possible_agents = agents

    for agents in ([], None):
        with pytest.raises(ValueError, match=r"^make_env: .*no possible_agents"):
            from_parallel_env(lambda agents=agents: Empty(agents))
    for envs in ([], None, Lanterns()):
        with pytest.raises(ValueError, match=r"^envs"):
            ParallelWorlds(envs)


@pytest.mark.parametrize("level", ["easy", "medium"])
def test_round_trip_of_slots_that_are_taken_left_and_taken_again(level):
    """Both worlds draw the same numbers; empty slots stay inactive, and who left is terminated though the slot stays."""

    def make():
        return TrafficJunction(level, arrival_rate=0.6)

    again, rng = from_parallel_env(lambda: as_parallel_env(make())), np.random.default_rng(3)
    assert again.ended.all() and not again.active.any()
    numbers, left, empty = np.random.default_rng(3), 0, 0
    for _ in range(5):
        world, own = make(), np.random.default_rng(int(numbers.integers(2**31)))
        assert np.array_equal(again.reset(rng), world.reset(own)) and not again.ended.any()
        while not world.ended[0]:
            assert np.array_equal(again.active, world.active)
            empty += (~world.active).sum()
            actions = (np.arange(world.n_agents) == world.ages[0] % 7)[None].astype(int)
            for mine, theirs in zip(world.step(actions, own), again.step(actions, rng)):
                assert np.array_equal(mine, theirs) and mine.dtype == theirs.dtype
            left += (again.envs[0].worlds.local_states > 0).sum()
            assert np.array_equal(again.ended, world.ended)
        assert not again.active.any() and (world.local_states > 0).any()
    assert left > 0 and empty > 0


class Crowd(ParallelEnv):
    """Two agents that are listed for ever, each paid 1 a step: "a0" ends at 2, "a1" is cut off at 7; ``odd``: says so once."""

    def __init__(self, odd=False):
        self.possible_agents, self.odd = ["a0", "a1"], odd

    def observation_space(self, agent):
        return spaces.Discrete(9)

    def action_space(self, agent):
        return spaces.Discrete(2)

    def reset(self, seed=None, options=None):
        self.agents, self.t = list(self.possible_agents), 0
        return dict.fromkeys(self.agents, 0), {}

    def step(self, actions):
        assert list(actions) == self.agents, "whom it lists must act"
        self.t += 1
        ends = {"a0": self.t == 2 if self.odd else self.t >= 2, "a1": False}
        return (dict.fromkeys(self.agents, self.t), dict.fromkeys(self.agents, 1), ends,
                dict.fromkeys(self.agents, self.t >= 7), {})  # fmt: skip


@pytest.mark.parametrize("odd", [False, True])
def test_who_has_ended_has_ended_though_its_environment_still_lists_it(odd):
    worlds, rng = from_parallel_env(lambda: Crowd(odd)), np.random.default_rng(0)
    for _ in range(2):
        worlds.reset(rng)
        active, steps = [], []
        while not worlds.ended[0]:
            active.append(worlds.active[0].tolist())
            steps.append(worlds.step([[1, 1]], rng))
        assert active == [[True, True]] * 2 + [[False, True]] * 5
        assert [s.rewards[0].tolist() for s in steps] == [[1, 1]] * 2 + [[0, 1]] * 5
        assert [s.terminated[0].tolist() for s in steps] == [
            [False, False],
            [True, False],
            *[[False, False]] * 5,
        ]
        assert [s.truncated[0] for s in steps] == [False] * 6 + [True] and not steps[
            2
        ].observations[0, 0].any()


@pytest.mark.parametrize("name", WORLDS)
def test_both_bridges_can_be_pickled_and_copied(name):
    """In the middle of an episode; what goes on is what would have gone on."""
    env = as_parallel_env(WORLDS[name](), seed=3)
    env.reset()
    copies = [pickle.loads(pickle.dumps(env)), copy.deepcopy(env)]
    answers = [play(one, seed=None) for one in (env, *copies)]
    assert all(isinstance(one, ParallelEnv) for one in copies)
    assert all(data_equivalence(answers[0], other, exact=True) for other in answers[1:])
    worlds, rng = (
        from_parallel_env(lambda: as_parallel_env(WORLDS[name]())),
        np.random.default_rng(0),
    )
    worlds.reset(rng)
    again = pickle.loads(pickle.dumps(worlds))
    assert np.array_equal(again.active, worlds.active) and again.names == worlds.names


class Turns(AECEnv):
    """Agents that move in turn: the other interface of PettingZoo."""


def test_bad_arguments_of_from_parallel_env():
    one, world = Lanterns(), GameWorlds(two_cars(), 1)
    different = iter([Lanterns(), as_parallel_env(world)])
    for make_env, n_worlds, message in [
        (Lanterns(), 1, "make_env: expected a function.*; write lambda: in front of it"),
        (Turns, 1, "make_env: .* got a Turns; wrap it in pettingzoo.utils.aec_to_parallel"),
        (object, 1, "make_env: expected it to make a pettingzoo.ParallelEnv, got a object"),
        (lambda: one, 2, "make_env: made the same environment twice"),
        (lambda: as_parallel_env(world), 2, "make_env: made the same environment twice"),
        (lambda: next(different), 2, "make_env: made environments of different agents"),
        (Lanterns, 0, "n_worlds"),
        (Lanterns, True, "n_worlds"),
    ]:
        with pytest.raises(ValueError, match=f"^{message}"):
            from_parallel_env(make_env, n_worlds)


def kite_actions(rng, n_worlds, n_agents=3):
    """Whole numbers of 64ths, which float32 holds without rounding, also behind an agent's own entries."""
    return rng.integers(65, size=(n_worlds, n_agents, n_agents)) / 64


def test_what_is_told_about_an_environment_of_vectors():
    env = as_parallel_env(KiteWorlds())
    assert env.action_space("agent_0") == spaces.Box(0, 1, (1,), np.float32)
    assert env.action_space("agent_2") == spaces.Box(0, 1, (3,), np.float32)
    assert env.action_space("agent_2") is env.action_space("agent_2")


@pytest.mark.parametrize("n_worlds", [1, 3])
def test_round_trip_of_vectors(n_worlds):
    worlds = KiteWorlds(n_worlds, gust=0.0)
    again = from_parallel_env(lambda: as_parallel_env(KiteWorlds(gust=0.0)), n_worlds)
    assert check_batched_worlds("worlds", again, continuous=True) is again
    assert again.action_sizes == (1, 2, 3) and again.observation_sizes == (1, 2, 1)
    rng, ends = np.random.default_rng(0), np.zeros(2, dtype=int)
    assert np.array_equal(worlds.reset(rng), again.reset(rng))
    for _ in range(60):
        actions, flew = kite_actions(rng, n_worlds), worlds.active
        one, other = worlds.step(actions, rng), again.step(actions, rng)
        # A kite torn off before still counts as one of PettingZoo's agents, which all end with the episode.
        other = other._replace(terminated=other.terminated & flew)
        for mine, theirs in zip(one, other, strict=True):
            assert np.array_equal(mine, theirs) and mine.dtype == theirs.dtype
        assert np.array_equal(worlds.active, again.active)
        ends += [one.terminated.sum(), one.truncated.sum()]
        which = one.ended
        assert np.array_equal(worlds.reset_where(which, rng), again.reset_where(which, rng))
    assert (ends > 0).all()


class Scales(ParallelEnv):
    """Two scales: each pays the sum of what it is loaded with, and remembers it."""

    def __init__(self, acts):
        self.possible_agents, self.acts, self.loads = ["left", "right"], acts, []

    def observation_space(self, agent):
        return spaces.Box(0, 9, (1,))

    def action_space(self, agent):
        return self.acts[agent]

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        return {a: np.zeros(1, np.float32) for a in self.agents}, {a: {} for a in self.agents}

    def step(self, actions):
        assert all(x in self.acts[a] for a, x in actions.items())
        self.loads.append(actions)
        told = dict.fromkeys(self.agents, False)
        seen, infos = Scales.reset(self)
        return seen, {a: float(x.sum()) for a, x in actions.items()}, told, dict(told), infos


def test_numbers_from_0_to_1_are_stretched_to_the_box():
    left = spaces.Box(np.array([-2, 0], np.float32), np.array([6, 0.5], np.float32))
    right = spaces.Box(-1, 1, (1,), np.float64)
    worlds = from_parallel_env(lambda: Scales({"left": left, "right": right}))
    assert worlds.action_sizes == (2, 1)
    rng = np.random.default_rng(0)
    worlds.reset(rng)
    actions = np.array([[[0.25, 1.0], [0.75, 0.3]]])
    assert worlds.step(actions, rng).rewards.tolist() == [[0.5, 0.5]]
    assert worlds.step(actions * [1, 0], rng).rewards.tolist() == [[0.0, 0.5]]
    load = worlds.envs[0].loads[0]
    assert load["left"].dtype == np.float32 and load["left"].tolist() == [0, 0.5]
    assert load["right"].dtype == np.float64 and load["right"].tolist() == [0.5]


@given(
    hnp.arrays(np.float64, 4, elements=st.floats(0, 1)),
    hnp.arrays(np.float32, (2, 4), elements=st.floats(-(2.0**99), 2.0**99, width=32)),
)
def test_what_is_stretched_stays_between_the_bounds(vector, bounds):
    low, high = bounds.min(axis=0), np.nextafter(bounds.max(axis=0), np.float32(np.inf))
    stretched = between(vector, low, high)
    assert stretched.dtype == np.float32
    assert (low <= stretched).all() and (stretched <= high).all()
    exact = [float(a) + (float(b) - float(a)) * x for a, b, x in zip(low, high, vector.tolist())]
    assert np.allclose(stretched, exact, rtol=1e-6, atol=1e-30 + 1e-6 * float(np.abs(bounds).max()))
    assert np.array_equal(between(np.zeros(4), low, high), low)
    assert np.array_equal(between(np.ones(4), low, high), high)
    unit = np.zeros(4, np.float32), np.ones(4, np.float32)
    assert np.array_equal(between(vector, *unit), vector.astype(np.float32))


UNIT = spaces.Box(0, 1, (2,))


@pytest.mark.parametrize("left, right, message", [
    (UNIT, spaces.Discrete(2), "'right' has the action space Discrete.2., 'left' has Box"),
    (spaces.Discrete(2), UNIT, "'right' has the action space Box"),
    (UNIT, spaces.MultiBinary(2), "'right' has the action space MultiBinary"),
    (UNIT, spaces.Box(0, np.inf, (2,)), "'right' has the action space Box"),
    (spaces.Box(-np.inf, 0, (2,)), UNIT, "'left' has the action space Box"),
    (UNIT, spaces.Box(np.zeros(2, np.float32), np.array([1, 0], np.float32)), "'right'"),
    (UNIT, spaces.Box(0, 1, (2, 2)), "'right' has the action space Box"),
    (UNIT, spaces.Box(0, 1, ()), "'right' has the action space Box"),
    (UNIT, spaces.Box(0, 9, (2,), np.int64), "'right' has the action space Box"),
])  # fmt: skip
def test_boxes_that_do_not_cross_are_refused(left, right, message):
    with pytest.raises(ValueError, match=f"^make_env: {message}.* finite low < high"):
        from_parallel_env(lambda: Scales({"left": left, "right": right}))


def test_bad_vectors_are_named():
    env = as_parallel_env(KiteWorlds())
    env.reset(seed=1)
    half = {f"agent_{i}": np.full(i + 1, 0.5) for i in range(3)}
    for bad in ([0.5], [0.5, 1.5], [np.nan, 0], 0.5, 1, "up", None):
        with pytest.raises(ValueError, match=r"^actions\['agent_1'\]"):
            env.step(half | {"agent_1": bad})
    with pytest.raises(ValueError, match=r"^actions: agent_1 is missing"):
        env.step({a: x for a, x in half.items() if a != "agent_1"})
    env.step(half)


@pytest.mark.parametrize("module", ["pettingzoo", "gymnasium"])
def test_without_pettingzoo_it_is_said_what_to_install(monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    for call in (
        lambda: as_parallel_env(WORLDS["corridor"]()),
        lambda: from_parallel_env(Lanterns),
    ):
        with pytest.raises(ImportError, match="python -m pip install pettingzoo"):
            call()


def test_importing_the_bridges_loads_neither_library():
    code = (
        "import sys, marl_lessons.envs.pettingzoo, marl_lessons.envs.pettingzoo, marl_lessons.envs.particles.worlds; "
        "print([m for m in ('pettingzoo', 'gymnasium', 'mpe2', 'pygame') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]"
