"""Independent Q-learning in worlds of local states: against plain loops, closed forms and the learner of whole states."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
from corridor_worlds import CorridorWorlds

from marl_lessons.algorithms import (
    PerEpisode,
    PerStep,
    PerVisit,
    TabularConfig,
    independent_q_learning,
)
from marl_lessons.algorithms.tables.independent_q_in_worlds import independent_q_learning_in_worlds
from marl_lessons.algorithms.tables.schedules import PerAgent
from marl_lessons.envs import MarkovGame, cliff_walking, matrix_game, two_cars
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.stepping import GameWorlds

N_STEPS = 300
STEP_SIZES = {
    "constant": (0.2, lambda step, episode, visits: 0.2),
    "visits": (PerVisit(0.7), lambda step, episode, visits: visits**-0.7),
    "episodes": (PerEpisode(0.5, 0.9), lambda step, episode, visits: 0.5 * 0.9**episode),
}
EPSILONS = {
    "constant": (0.3, lambda step, episode: 0.3),
    "episodes": (PerEpisode(1.0, 0.95, 0.05), lambda step, episode: max(0.05, 0.95**episode)),
    "steps": (PerStep(1.0, 0.99), lambda step, episode: 0.99**step),
}
WORLDS = {
    "corridor": lambda: CorridorWorlds(3, 4),
    "crowded corridor": lambda: CorridorWorlds(2, 6, length=2, arrival=0.9, time_limit=5),
    "one car": lambda: CorridorWorlds(1, 1, length=4, arrival=0.3, time_limit=11),
    "two cars": lambda: GameWorlds(two_cars(), 3, time_limit=6),
    "junction": lambda: TrafficJunction("easy", n_worlds=2),
}


def plain_run(worlds, config, rng, discount, shared, step_size, epsilon):
    """Every table an ordinary dict, every car in its turn. Random numbers as documented: reset, then for each step those
    of the choices (explore or not, which action), the world's own, and those of the worlds that begin again."""
    agents, n_actions = range(worlds.n_agents), worlds.n_actions[0]
    q, visits = defaultdict(lambda: config.initial_value), defaultdict(int)
    moments = np.linspace(0, config.n_steps, config.n_records + 1).astype(int)
    copies = range(worlds.n_worlds)
    age, total, episode = (
        [0 for _ in copies],
        [[0.0 for _ in agents] for _ in copies],
        [0] * len(copies),
    )
    returns, lengths, records = [[] for _ in copies], [[] for _ in copies], []

    def key(e, i, state, action):
        return (e, state, action) if shared else (e, i, state, action)

    worlds.reset(rng)
    for step in range(config.n_steps + 1):
        if step in moments:
            records.append((dict(q), dict(visits), list(episode)))
        if step == config.n_steps:
            return records, returns, lengths
        states, active = worlds.local_states.tolist(), worlds.active.tolist()
        numbers = rng.random((2, worlds.n_worlds, worlds.n_agents)).tolist()
        actions = []
        for e in copies:
            eps = epsilon(step, episode[e])
            row = []
            for i in agents:
                values = [q[key(e, i, states[e][i], a)] for a in range(n_actions)]
                random = numbers[0][e][i] < eps
                row.append(
                    int(numbers[1][e][i] * n_actions) if random else values.index(max(values))
                )
            actions.append(row)
        after = worlds.step(np.array(actions), rng)
        nexts, begin = worlds.local_states.tolist(), []
        before = dict(q)
        for e in copies:
            age[e] += 1
            late = config.time_limit is not None and age[e] >= config.time_limit
            over = bool(after.ended[e]) or late
            errors = defaultdict(list)
            for i in agents:
                reward = float(after.rewards[e, i])
                total[e][i] += reward
                if not active[e][i]:
                    continue
                target = reward
                if not after.terminated[e, i] and not (over and not config.bootstrap_on_truncation):
                    options = [key(e, i, nexts[e][i], a) for a in range(n_actions)]
                    target += discount * max(before.get(o, config.initial_value) for o in options)
                entry = key(e, i, states[e][i], actions[e][i])
                errors[entry].append(target - before.get(entry, config.initial_value))
            for entry, deltas in errors.items():
                visits[entry] += 1
                q[entry] += step_size(step, episode[e], visits[entry]) * sum(deltas) / len(deltas)
            if over:
                returns[e].append(total[e]), lengths[e].append(age[e])
                total[e], age[e] = [0.0 for _ in agents], 0
                episode[e] += 1
            begin.append(over)
        if any(begin):
            worlds.reset_where(np.array(begin), rng)
    raise AssertionError


@pytest.mark.parametrize(
    "name, step_size, epsilon, limit, bootstrap, initial, shared",
    [
        ("corridor", "constant", "constant", None, True, 0.0, True),
        ("corridor", "visits", "episodes", 5, False, 1.5, True),
        ("corridor", "episodes", "steps", 5, True, -1.0, False),
        ("crowded corridor", "visits", "constant", 200, True, 0.0, True),
        ("crowded corridor", "constant", "episodes", None, False, 2.0, False),
        ("one car", "visits", "steps", None, True, 0.0, True),
        ("two cars", "constant", "constant", None, True, 0.0, False),
        ("two cars", "visits", "episodes", 4, False, 0.5, True),
        ("junction", "visits", "constant", None, True, 0.0, True),
        ("junction", "constant", "steps", 12, True, 0.0, False),
    ],
)
def test_a_plain_loop_finds_the_same(name, step_size, epsilon, limit, bootstrap, initial, shared):
    config = TabularConfig(N_STEPS, STEP_SIZES[step_size][0], EPSILONS[epsilon][0], limit, bootstrap, initial,
                           n_records=7)  # fmt: skip
    discount = 0.9
    history = independent_q_learning_in_worlds(
        WORLDS[name](), config, np.random.default_rng(5), discount=discount, shared=shared
    )
    records, returns, lengths = plain_run(
        WORLDS[name](), config, np.random.default_rng(5), discount, shared,
        STEP_SIZES[step_size][1], EPSILONS[epsilon][1],
    )  # fmt: skip
    assert history.q.shape[0] == len(records) == 8
    assert history.q.ndim == (4 if shared else 5) and history.visits.shape == history.q.shape
    for k, (q, visits, episodes) in enumerate(records):
        expected = np.full(history.q.shape[1:], initial)
        counted = np.zeros(history.q.shape[1:], dtype=int)
        for entry, value in q.items():
            expected[entry] = value
        for entry, count in visits.items():
            counted[entry] = count
        assert np.abs(history.q[k] - expected).max() <= 1e-12 * (1 + np.abs(expected).max())
        assert np.array_equal(history.visits[k], counted)
        assert history.episodes[k].tolist() == episodes
    for e in range(len(returns)):
        assert np.allclose(history.returns[e], np.array(returns[e]), atol=1e-12, rtol=0)
        assert history.lengths[e].tolist() == lengths[e]
    assert history.steps.tolist() == np.linspace(0, N_STEPS, 8).astype(int).tolist()
    rate = [
        EPSILONS[epsilon][1](s, c)
        for s, c in zip(history.steps, history.episodes[:, 0], strict=True)
    ]
    assert np.allclose(history.epsilon[:, 0], rate, atol=1e-15)


def test_two_agents_that_share_an_entry_move_it_by_their_mean_error():
    """Rewards 3 and 1, one action each, α = 1/2: from 0 to 1, not to 1.25 or 1.75; apart to 3/2 and 1/2."""
    game = matrix_game([[[3.0]], [[1.0]]])
    config = TabularConfig(1, step_size=0.5, n_records=1)
    for shared, expected in ((True, [[[1.0]]]), (False, [[[[1.5]], [[0.5]]]])):
        history = independent_q_learning_in_worlds(
            GameWorlds(game, 1), config, np.random.default_rng(0), discount=0.0, shared=shared
        )
        assert history.q[-1].tolist() == expected
        assert (history.visits[-1] == 1).all(), "one update is one visit, whoever shared in it"


@pytest.mark.parametrize("world_limit, config_limit", [(25, None), (None, 25), (25, 40), (40, 25)])
def test_truncation_is_no_termination(world_limit, config_limit):
    """Reward 1 for ever, γ = 0.95: worth 20; who takes the clock's end for the world's finds Q = 1 + 0.95 (24/25) Q."""
    game = MarkovGame(np.ones((1, 1, 1)), [[[1.0]]], 0.95)
    for bootstrap, value in ((True, 20.0), (False, 1 / (1 - 0.95 * 0.96))):
        config = TabularConfig(5_000, 0.01, 0.0, config_limit, bootstrap, value, n_records=1)
        history = independent_q_learning_in_worlds(
            GameWorlds(game, 2, world_limit), config, np.random.default_rng(0), discount=0.95
        )
        expected = value
        for step in range(1, 5_001):
            ends = step % 25 == 0 and not bootstrap
            expected += 0.01 * (1 + 0.95 * expected * (not ends) - expected)
        assert (
            np.allclose(history.q[-1], expected, atol=1e-9, rtol=0) and abs(expected - value) < 0.3
        )
        assert all((lengths == 25).all() and len(lengths) == 200 for lengths in history.lengths)


def test_it_agrees_with_the_learner_of_whole_states():
    """The same algorithm on other random numbers: means over 150 runs within 5 standard errors, entry by entry."""
    game, config = two_cars(), TabularConfig(2_000, 0.2, 0.2, time_limit=30, n_records=2)
    one = independent_q_learning(game, config, seeds=range(1_000, 1_150))
    other = independent_q_learning_in_worlds(
        GameWorlds(game, 150, time_limit=30), config, np.random.default_rng(0),
        discount=game.discount, shared=False,
    )  # fmt: skip
    assert one.q.shape == other.q.shape
    for k, field in itertools.product((1, 2), ("q", "visits", "episodes")):
        a, b = getattr(one, field)[k], getattr(other, field)[k]
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / 150)
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) <= 5 * error + 1e-12).all(), field
    late = [np.array([r[-50:].mean(axis=0) for r in run.returns]) for run in (one, other)]
    error = np.sqrt(sum(x.var(axis=0) for x in late) / 150)
    assert (np.abs(late[0].mean(axis=0) - late[1].mean(axis=0)) <= 5 * error).all()


def test_the_values_of_a_walk_along_a_cliff():
    """One agent, no chance: the greedy path from the exact values, which Q-learning learns for any exploration."""
    cliff = cliff_walking()
    config = TabularConfig(12_000, 0.5, 0.3, time_limit=200, n_records=1)
    history = independent_q_learning_in_worlds(
        GameWorlds(cliff, 4), config, np.random.default_rng(1), discount=1.0
    )
    start = int(np.flatnonzero(cliff.initial)[0])
    assert np.allclose(history.q[-1][:, start].max(axis=1), -13.0)


def test_a_car_alone_learns_the_worth_of_every_cell():
    """Going on pays -1 a cell, and +2 for leaving from the last: cell c of 3 is worth (2 - (3 - c)) for γ = 1."""
    config = TabularConfig(4_000, 0.5, 0.3, n_records=1)
    history = independent_q_learning_in_worlds(
        CorridorWorlds(2, 1), config, np.random.default_rng(0), discount=1.0
    )
    assert np.allclose(history.q[-1][:, 1:].max(axis=2), [-1.0, 0.0, 1.0], atol=1e-6)
    assert not history.q[-1][:, 0].any() and not history.visits[-1][:, 0].any(), (
        "no car, no learning"
    )


def test_a_run_is_repeated_by_the_same_generator_and_worlds_differ():
    runs = [
        independent_q_learning_in_worlds(
            CorridorWorlds(3, 2), TabularConfig(200), np.random.default_rng(seed), discount=0.9
        )
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(runs[0].q, runs[1].q) and not np.array_equal(runs[0].q, runs[2].q)
    last = runs[0].q[-1]
    assert not np.array_equal(last[0], last[1]) and not np.array_equal(last[1], last[2])


class Blind:
    """Batched worlds without numbers of local states, or without something else that is ``left_out``."""

    def __init__(self, left_out=None):
        inside = GameWorlds(two_cars(), 1)
        for name in ("n_worlds", "n_agents", "n_actions", "observation_sizes", "active", "ended",
                     "reset", "reset_where", "step"):  # fmt: skip
            if name != left_out:
                setattr(self, name, getattr(inside, name))


@pytest.mark.parametrize(
    "changed, name",
    [
        ({"worlds": two_cars()}, r"worlds: .* got MarkovGame.* without n_worlds"),
        ({"worlds": Blind()}, "worlds: .* got a Blind"),
        (
            {"worlds": GameWorlds(matrix_game([[[1.0, 2.0]], [[1.0, 2.0]]]), 1)},
            r"worlds: .* numbers of actions \(1, 2\)",
        ),
        ({"worlds": Blind("reset_where")}, "worlds: .* without reset_where"),
        ({"config": 3}, "config"),
        (
            {"config": TabularConfig(step_size=PerAgent("step_size", (0.1, 0.2)))},
            "config: step_size is a PerAgent",
        ),
        ({"rng": 3}, "rng"),
        ({"discount": 1.1}, "discount"),
        ({"discount": None}, "discount"),
        ({"shared": 1}, "shared"),
    ],
)
def test_bad_arguments_are_named(changed, name):
    fine = {"worlds": CorridorWorlds(1, 2), "config": None, "rng": np.random.default_rng(0)}
    with pytest.raises(ValueError, match=f"^{name}"):
        independent_q_learning_in_worlds(**{**fine, "discount": 0.9, **changed})


def test_local_states_outside_their_range_are_refused():
    worlds = CorridorWorlds(1, 2, arrival=1.0)
    worlds.n_local_states = 1
    with pytest.raises(ValueError, match=r"^worlds.local_states\[0, 0\] is 1"):
        independent_q_learning_in_worlds(worlds, None, np.random.default_rng(0), discount=0.9)
