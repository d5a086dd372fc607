"""How far an agent's world moves, the errors that it sees and paths that go round: bounds, plain loops, simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, random_kernel, seed_numbers

from marl_lessons.envs import MarkovGame, Worlds, speed_check, two_cars
from marl_lessons.envs.games.catalogue import CATALOGUE
from marl_lessons.evaluation import expected_td_errors, seen_td_errors, turns
from marl_lessons.evaluation.moving_target.drift import (
    best_response_changes,
    drift,
    kernel_drift,
    reward_drift,
    total_variation,
)
from marl_lessons.evaluation.moving_target.induced import best_response_values, induced_arrays

sizes = st.sampled_from([(2, 3), (3, 2), (2, 3, 4), (3, 1, 2), (4, 2, 3)])
ROUNDING = 1e-12


def histories(rng, game, leading) -> list[np.ndarray]:
    """Random policies ``[*leading, S, A_j]`` of every agent."""
    return [random_kernel(rng, (*leading, game.n_states), a) for a in game.n_actions]


@given(seed_numbers)
def test_total_variation_is_the_largest_difference_of_any_event(seed):
    rng = np.random.default_rng(seed)
    p, q = random_kernel(rng, (2, 3), 4)
    events = [e for size in range(5) for e in itertools.combinations(range(4), size)]
    for found, x, y in zip(total_variation(p, q), p, q):
        assert abs(found - max(x[list(e)].sum() - y[list(e)].sum() for e in events)) < ROUNDING


@given(seed_numbers, sizes, st.integers(1, 3), st.booleans())
def test_the_bounds_hold(seed, n_actions, lag, weighted):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    policies = histories(rng, game, (5, 2))
    for agent, own in enumerate(n_actions):
        weights = rng.integers(3, size=(5 - lag, 2, 3, own)) if weighted else None
        found = drift(game, agent, policies, lag, weights)
        assert all(part.shape == (5 - lag, 2) for part in found)
        assert (found.kernel >= 0).all() and (found.reward >= 0).all()
        assert (found.kernel <= found.joint_bound + ROUNDING).all()
        assert (found.joint_bound <= found.sum_bound + ROUNDING).all()
        assert (found.reward <= found.reward_bound + ROUNDING).all()
        coarse = 2 * np.abs(game.reward[agent]).max() * found.joint_bound
        assert (found.reward_bound <= coarse + ROUNDING).all()
        assert (found.joint_bound <= 1 + ROUNDING).all()


@given(seed_numbers, st.sampled_from([(2, 3), (2, 3, 2)]), st.integers(1, 2))
def test_in_plain_loops(seed, n_actions, lag):
    """Largest and weighted drift, from one induced MDP at a time; weights count in state 2, the terminal one, for nothing."""
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    policies = histories(rng, game, (4,))
    weights = rng.integers(3, size=(4 - lag, 3, n_actions[0])).astype(float)
    weights[0] = 0
    largest, mean = drift(game, 0, policies, lag), drift(game, 0, policies, lag, weights)
    flat = drift(game, 0, policies, lag, np.ones((3, n_actions[0])))
    for k in range(4 - lag):
        now, then = (game.induced_mdp(0, [p[m] for p in policies]) for m in (k + lag, k))
        moved, paid, weight, joint, single = [], [], [], [], []
        for s in range(2):
            distances = [
                sum(abs(x - y) for x, y in zip(p[k + lag, s], p[k, s])) / 2 for p in policies[1:]
            ]
            single.append(sum(distances))
            joint.append(0.0)
            for actions in itertools.product(*map(range, n_actions[1:])):
                chances = [
                    np.prod([p[m, s, a] for p, a in zip(policies[1:], actions)])
                    for m in (k + lag, k)
                ]
                joint[-1] += abs(chances[0] - chances[1]) / 2
            for a in range(n_actions[0]):
                pairs = zip(now.transition[s, a], then.transition[s, a])
                moved.append(sum(max(x - y, 0) for x, y in pairs))
                paid.append(abs(now.reward[0, s, a] - then.reward[0, s, a]))
                weight.append(weights[k, s, a])
        assert np.allclose([largest.kernel[k], largest.reward[k]], [max(moved), max(paid)])
        assert np.allclose([flat.kernel[k], flat.reward[k]], [np.mean(moved), np.mean(paid)])
        assert np.allclose(largest.joint_bound[k], max(joint))
        assert np.allclose(largest.sum_bound[k], max(single))
        total = sum(weight)
        expected = [np.dot(weight, x) / total if total else 0.0 for x in (moved, paid)]
        assert np.allclose([mean.kernel[k], mean.reward[k]], expected)


@given(seed_numbers, sizes)
def test_a_frozen_partner_does_not_move_the_world(seed, n_actions):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    frozen = [np.repeat(p, 4, axis=0) for p in histories(rng, game, (1, 2))]
    for agent in range(len(n_actions)):
        policies = list(frozen)
        policies[agent] = "its own policy plays no part"
        assert all((part == 0).all() for part in drift(game, agent, policies, lag=2))


@given(seed_numbers, st.sampled_from([0.0, 0.1, 0.35]), st.integers(0, 1))
def test_two_cars(seed, slip, agent):
    """The next state shows whether the other car moved, which it does with (1 - slip) · P(go), whatever I do.

    So T moves by (1 - slip) |change of P(go)| in every state in which the other has cells to go, and by 0 where it has passed.
    In state (1, 1) my going is worth pass_reward if the other stays and crash_reward if it moves, each if I move: the reward
    moves by (1 - slip)² · 12 · |change of P(go)|; my waiting always costs the same.
    """
    game = two_cars(distance=2, slip=slip)
    rng = np.random.default_rng(seed)
    go = rng.uniform(size=(5, 3, 10))
    policies = [None, None]
    policies[1 - agent] = np.stack([1 - go, go], axis=-1)
    transition, reward = induced_arrays(game, agent, policies)
    change = np.abs(np.diff(go, axis=0))
    to_go = np.append([cells[1 - agent] for cells in np.ndindex(3, 3)], 0)
    expected = (1 - slip) * change * (to_go > 0)
    assert np.allclose(kernel_drift(transition), expected[..., None], atol=ROUNDING)
    moved = reward_drift(reward)[:, :, 4]
    assert np.allclose(moved[..., 0], 0, atol=ROUNDING)
    assert np.allclose(moved[..., 1], (1 - slip) ** 2 * 12 * change[..., 4], atol=1e-11)
    found = drift(game, agent, policies)
    assert np.allclose(found.kernel, expected.max(axis=-1), atol=ROUNDING)
    # Terminal states play no part in the bound, but states in which the other has passed do.
    assert np.allclose(found.joint_bound, change[..., ~game.terminal].max(axis=-1), atol=ROUNDING)
    only_here = np.zeros((10, 2))
    only_here[4, 1] = 3.0
    here = drift(game, agent, policies, weights=only_here)
    assert np.allclose(here.kernel, expected[..., 4]) and np.allclose(here.reward, moved[..., 1])


def test_rewards_with_an_offset_move_no_more():
    """Adding 1,000 to all payoffs changes neither the reward's drift nor its bound; two actions reach the bound."""
    p = np.array([[[0.2, 0.8]], [[0.9, 0.1]]])
    for offset in (0.0, 1000.0):
        payoffs = np.array([[[1.0, 4.0], [2.0, 2.0]]] * 2) + offset
        game = MarkovGame(np.ones((1, 2, 2, 1)), payoffs[:, None], 0.0)
        found = drift(game, 0, [None, p])
        assert np.allclose([found.reward, found.reward_bound], 0.7 * 3)
        assert np.allclose(found.kernel, 0)


def test_changes_of_the_best_response():
    """Matching pennies' row agent matches the likelier side, and is indifferent at 1/2."""
    game = CATALOGUE["matching pennies"].game
    p = np.array([0.9, 0.6, 0.5, 0.4, 0.4])
    policies = [None, np.stack([p, 1 - p], axis=-1)[:, None]]
    q = best_response_values(*induced_arrays(game, 0, policies), 0.0, game.terminal)
    assert best_response_changes(q).tolist() == [[False], [True], [True], [False]]
    both = np.stack([q, q[::-1]], axis=1)  # two seeds
    assert best_response_changes(both)[:, :, 0].T.tolist() == [[0, 1, 1, 0], [0, 1, 1, 0]]


def test_changes_are_those_of_each_state():
    q = np.zeros((3, 2, 2))
    q[1, 0] = [0, 1]
    q[2, 0] = [0, 2]
    assert best_response_changes(q).tolist() == [[True, False], [False, False]]


GAME = two_cars()
FINE = [np.full((4, 10, 2), 0.5)] * 2


@pytest.mark.parametrize("named, changes", [
    ("game", [{"game": None}]),
    ("agent", [{"agent": 2}, {"agent": True}]),
    ("policies", [{"policies": FINE[:1]}]),
    (r"policies\[1\]", [{"policies": [FINE[0], None]}, {"policies": [None, FINE[1] * np.nan]}]),
    ("policies.*moments", [{"policies": [None, FINE[1][0]]}]),
    ("lag is 1", [{"policies": [None, FINE[1][:1]]}]),
    ("lag", [{"lag": 0}, {"lag": -1}, {"lag": True}, {"lag": 1.0}]),
    ("lag is 4", [{"lag": 4}]),
    ("game: has 1 agent", [{"game": two_cars().induced_mdp(0, [None, FINE[1][0]]), "policies": [None]}]),
])  # fmt: skip
def test_what_is_refused(named, changes):
    for changed in changes:
        with pytest.raises(ValueError, match=named):
            drift(**{"game": GAME, "agent": 0, "policies": FINE} | changed)


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
    policies, q = histories(rng, game, ()), rng.normal(size=(4, game.n_actions[agent]))
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
    policies, q = histories(rng, cars, ()), rng.normal(size=(cars.n_states, 2))
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
    policies, q = histories(rng, game, (7, 3)), rng.normal(size=(7, 3, 5, 2))
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


@pytest.mark.parametrize("n_turns", [-3, -0.25, 0.5, 1, 7.75])
def test_turns_of_a_spiral_are_counted_whatever_its_radius(n_turns):
    angle = np.linspace(0.3, 0.3 + 2 * np.pi * n_turns, 400)
    radius = np.linspace(0.1, 2, 400)
    path = np.stack([1 + radius * np.cos(angle), -2 + radius * np.sin(angle)], axis=-1)
    assert turns(path, (1, -2)) == pytest.approx(n_turns)
    assert turns(path, (50, 50)) == pytest.approx(0, abs=0.05)  # seen from far outside
    both = np.stack([path, path[::-1]], axis=1)
    assert turns(both, (1, -2)) == pytest.approx([n_turns, -n_turns])
