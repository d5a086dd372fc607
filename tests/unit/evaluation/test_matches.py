"""How games end: against plain loops, a closed form, and games that were really played."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, random_policies, seed_numbers

from marl_lessons.envs import MarkovGame, two_cars
from marl_lessons.envs.stepping import rollout
from marl_lessons.evaluation import share_won, state_chances


def walk(up: float) -> MarkovGame:
    """A random walk on 0 .. 4 that ends at 0 and at 4, begun in the middle; nobody decides anything."""
    transition = np.zeros((5, 1, 5))
    transition[0, 0, 0] = transition[4, 0, 4] = 1
    for s in (1, 2, 3):
        transition[s, 0, s + 1], transition[s, 0, s - 1] = up, 1 - up
    ends = np.array([True, False, False, False, True])
    return MarkovGame(transition, np.zeros((1, 5, 1)), 0.9, np.eye(5)[2], ends)


@given(seed_numbers, st.integers(0, 6), st.sampled_from([(2,), (2, 3), (2, 1, 2)]))
def test_chances_are_those_of_plain_loops(seed, n_steps, n_actions):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 4, n_actions)
    policies = random_policies(rng, game)
    chances = list(game.initial)
    for _ in range(n_steps):
        after = [0.0] * game.n_states
        for s in range(game.n_states):
            for actions in np.ndindex(n_actions):
                p = chances[s] * np.prod([policies[i][s, a] for i, a in enumerate(actions)])
                for t in range(game.n_states):
                    after[t] += p * game.transition[(s, *actions, t)]
        chances = after
    assert np.allclose(state_chances(game, policies, n_steps), chances, atol=1e-12)


@given(st.floats(0.05, 0.95))
def test_the_gamblers_share(up):
    odds = (1 - up) / up
    share = share_won(walk(up), [np.ones((5, 1))], won=4, lost=0, n_steps=3000)
    assert share == pytest.approx(1 / (1 + odds**2), abs=1e-9)


def test_games_that_were_played_end_as_often():
    game = two_cars(2, 0.1)
    coin = np.full((game.n_states, 2), 0.5)
    rng = np.random.default_rng(0)
    crashed = np.mean([rollout(game, [coin, coin], rng).states[-1] == 9 for _ in range(2000)])
    expected = state_chances(game, [coin, coin], 200)
    assert expected[[0, 9]].sum() == pytest.approx(1, abs=1e-9)
    assert abs(crashed - expected[9]) < 4 * np.sqrt(expected[9] * (1 - expected[9]) / 2000)
    assert share_won(game, [coin, coin], won=-1, lost=0) == pytest.approx(expected[9], abs=1e-9)


def test_nothing_is_decided_at_the_start():
    assert np.isnan(share_won(walk(0.5), [np.ones((5, 1))], 0, 4, n_steps=0))


@pytest.mark.parametrize(
    "name, wrong",
    [("won", 2), ("won", 5), ("lost", -6), ("won", "4"), ("lost", None)],
)
def test_only_terminal_states_can_be_won_or_lost(name, wrong):
    states = {"won": 4, "lost": 0} | {name: wrong}
    with pytest.raises(ValueError, match=name):
        share_won(walk(0.5), [np.ones((5, 1))], **states)


@pytest.mark.parametrize("steps", [-1, 1.5, None, True])
def test_wrong_numbers_of_steps(steps):
    with pytest.raises(ValueError, match="n_steps"):
        state_chances(walk(0.5), [np.ones((5, 1))], steps)


def test_wrong_games_and_policies():
    with pytest.raises(ValueError, match="game"):
        state_chances("soccer", [])
    with pytest.raises(ValueError, match="policies"):
        state_chances(walk(0.5), [np.ones((5, 2))])
