"""TD errors that an agent sees, and paths that go round a point: against simulation, loops and geometry."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from random_games import random_game

from marl_lessons.envs import Worlds, speed_check, two_cars
from marl_lessons.evaluation import expected_td_errors, induced_arrays, seen_td_errors, turns


def random_policies(rng, game, leading=()):
    return [rng.dirichlet(np.ones(a), (*leading, game.n_states)) for a in game.n_actions]


def by_loops(game, agent, q, policies):
    """E |r + γ max Q(s') - Q(s, a)| from the definition, one outcome at a time, without array tricks."""
    sizes = np.zeros(q.shape)
    for s in range(game.n_states):
        if game.terminal[s]:
            continue
        for joint in itertools.product(*(range(a) for a in game.n_actions)):
            chance = np.prod(
                [policies[j][s, a] for j, a in enumerate(joint) if j != agent], initial=1.0
            )
            for t in range(game.n_states):
                p = game.transition[(s, *joint, t)]
                if game.outcome_reward is None:
                    reward = game.reward[(agent, s, *joint)]
                else:
                    reward = game.outcome_reward[(agent, s, *joint, t)]
                follows = 0.0 if game.terminal[t] else game.discount * q[t].max()
                sizes[s, joint[agent]] += chance * p * abs(reward + follows - q[s, joint[agent]])
    return sizes


@pytest.mark.parametrize("agent", [0, 1, 2])
def test_against_loops_for_three_agents_with_unequal_actions(agent):
    rng = np.random.default_rng(agent)
    game = random_game(rng, 4, (2, 3, 2))
    policies, q = random_policies(rng, game), rng.normal(size=(4, game.n_actions[agent]))
    expected = by_loops(game, agent, q, policies)
    policies[agent] = None
    assert np.allclose(seen_td_errors(game, agent, q, policies), expected, atol=1e-12)


def test_an_agent_alone_sees_what_the_world_does():
    rng = np.random.default_rng(8)
    game = random_game(rng, 4, (3,))
    q = rng.normal(size=(4, 3))
    sizes = seen_td_errors(game, 0, q, [None])
    assert np.allclose(sizes, by_loops(game, 0, q, [np.full((4, 3), 1 / 3)]), atol=1e-12)
    assert sizes.any()


def test_against_loops_and_simulation_on_the_crossing():
    rng = np.random.default_rng(5)
    cars = two_cars(distance=2)
    policies, q = random_policies(rng, cars), rng.normal(size=(cars.n_states, 2))
    sizes = seen_td_errors(cars, 0, q, policies)
    assert np.allclose(sizes, by_loops(cars, 0, q, policies), atol=1e-12)
    worlds, n = Worlds(cars, 40_000), 40_000
    states = worlds.reset(rng)
    own = rng.integers(2, size=n)
    other = (rng.random(n) < policies[1][states, 1]).astype(int)
    step = worlds.step(np.stack([own, other], axis=1), rng)
    follows = np.where(step.terminated, 0.0, cars.discount * q[step.states].max(axis=1))
    seen = np.abs(step.rewards[:, 0] + follows - q[states, own])
    start = int(np.argmax(cars.initial))
    for action in (0, 1):
        mine = seen[own == action]
        assert abs(mine.mean() - sizes[start, action]) < 4 * mine.std() / np.sqrt(len(mine)) + 1e-9


def test_never_below_the_size_of_the_mean_and_equal_to_it_where_nothing_is_random():
    rng = np.random.default_rng(1)
    game = random_game(rng, 5, (2, 2))
    policies, q = random_policies(rng, game, (7, 3)), rng.normal(size=(7, 3, 5, 2))
    world = (*induced_arrays(game, 0, policies), game.discount, game.terminal)
    mean = np.abs(expected_td_errors(q, *world))
    seen = seen_td_errors(game, 0, q, policies)
    assert seen.shape == (7, 3, 5, 2) and (seen >= mean - 1e-12).all()
    sure = [np.eye(2)[rng.integers(2, size=1)] for _ in range(2)]
    road, table = speed_check().game, rng.normal(size=(1, 2))
    world = (*induced_arrays(road, 0, sure), 0.0, road.terminal)
    assert np.allclose(
        seen_td_errors(road, 0, table, sure), np.abs(expected_td_errors(table, *world))
    )


def test_a_perfect_table_sees_errors_next_to_a_coin():
    road, coin = speed_check().game, np.full((1, 2), 0.5)
    perfect = np.array([[-2.0, 0.0]])  # speeding pays -6 or 2
    assert np.allclose(seen_td_errors(road, 0, perfect, [None, coin]), [[4.0, 0.0]])


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"game": "road"}, "game"),
        ({"agent": 2}, "agent"),
        ({"agent": True}, "agent"),
        ({"q": np.zeros(2)}, "q"),
        ({"q": np.full((1, 2), np.nan)}, "q"),
        ({"q": np.zeros((3, 1, 2))}, "q"),
        ({"policies": [None]}, "policies"),
        ({"policies": [None, np.array([[0.7, 0.7]])]}, r"policies\[1\]"),
    ],
)
def test_bad_input(changes, name):
    good = {
        "game": speed_check().game,
        "agent": 0,
        "q": np.zeros((1, 2)),
        "policies": [None, np.full((1, 2), 0.5)],
    }
    with pytest.raises(ValueError, match=rf"^{name}"):
        seen_td_errors(**(good | changes))


@pytest.mark.parametrize("n_turns", [-3, -0.25, 0.5, 1, 7.75])
def test_turns_of_a_spiral_are_counted_whatever_its_radius(n_turns):
    angle = np.linspace(0.3, 0.3 + 2 * np.pi * n_turns, 400)
    radius = np.linspace(0.1, 2, 400)
    path = np.stack([1 + radius * np.cos(angle), -2 + radius * np.sin(angle)], axis=-1)
    assert turns(path, (1, -2)) == pytest.approx(n_turns)
    assert turns(path, (50, 50)) == pytest.approx(0, abs=0.05)  # seen from far outside
    both = np.stack([path, path[::-1]], axis=1)
    assert turns(both, (1, -2)) == pytest.approx([n_turns, -n_turns])


@pytest.mark.parametrize(
    ("points", "centre", "name"),
    [
        (np.zeros((1, 2)) + 1, (0, 0), "points"),
        (np.ones((5, 3)), (0, 0), "points"),
        (np.array([[1.0, 1.0], [0.0, 0.0]]), (0, 0), "points"),
        (np.array([[1.0, np.nan], [0.0, 1.0]]), (0, 0), "points"),
        (np.ones((5, 2)), (0, 0, 0), "centre"),
        ("path", (0, 0), "points"),
    ],
)
def test_turns_refuses(points, centre, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        turns(points, centre)
