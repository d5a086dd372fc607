"""Fictitious play: against exact fractions, Brown, Robinson and Shapley."""

from fractions import Fraction
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, seed_numbers

from marl_lessons.algorithms.dynamics.fictitious_play import (
    FictitiousPlay,
    best_reply,
    fictitious_play,
    run_lengths,
)
from marl_lessons.envs.games.matrix_games import matrix_game

PENNIES = np.array([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
ROCK = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
SHAPLEY = np.array([[[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]])
GROWTH = 1.4655712318767680  # the real root of x³ = x² + 1


def play_by_fractions(payoffs, n_rounds, counts):
    """The definition, word by word: frequencies first, then expected payoffs, in exact arithmetic."""
    counts = [[Fraction(int(c)) for c in count] for count in counts]
    actions = []
    for _ in range(n_rounds):
        beliefs = [[c / (sum(count) or 1) for c in count] for count in counts]
        chosen = []
        for agent in (0, 1):
            matrix = payoffs[0] if agent == 0 else payoffs[1].T
            earned = [sum(int(r) * b for r, b in zip(row, beliefs[1 - agent])) for row in matrix]
            chosen.append(min(a for a, e in enumerate(earned) if e == max(earned)))
        for agent in (0, 1):
            counts[agent][chosen[agent]] += 1
        actions.append(chosen)
    return np.array(actions), counts


@given(seed_numbers, st.integers(1, 4), st.integers(1, 4))
def test_it_is_the_definition_in_exact_arithmetic(seed, n_rows, n_columns):
    rng = np.random.default_rng(seed)
    payoffs = rng.integers(-3, 4, size=(2, n_rows, n_columns))
    counts = [rng.integers(0, 3, size=n) for n in (n_rows, n_columns)]
    actions, final = play_by_fractions(payoffs, 60, counts)
    play = fictitious_play(payoffs, 60, counts)
    assert np.array_equal(play.actions, actions)
    for belief, count in zip(play.beliefs(), final):
        assert belief.shape == (60, len(count))
        assert np.allclose(belief[-1], [float(c / sum(count)) for c in count], atol=1e-12)


@pytest.mark.parametrize("n_rounds", [1, 2, 50])
def test_beliefs_are_frequencies_of_what_was_done(n_rounds):
    play = fictitious_play(
        ROCK * np.array([1, -1])[:, None, None], n_rounds, ([1, 2, 0], [0, 0, 4])
    )
    for agent, initial in enumerate(([1, 2, 0], [0, 0, 4])):
        for t in range(n_rounds):
            seen = list(initial)
            for action in play.actions[: t + 1, agent]:
                seen[action] += 1
            assert np.allclose(play.beliefs()[agent][t], np.array(seen) / sum(seen))


def test_matching_pennies_after_10000_rounds():
    one, other = fictitious_play(PENNIES, 10_000).beliefs()
    assert one[-1] == pytest.approx([0.4995, 0.5005], abs=1e-12)
    assert other[-1] == pytest.approx([0.5065, 0.4935], abs=1e-12)


def test_rock_paper_scissors_after_10000_rounds():
    """Both agents do the same in every round, since the game is symmetric and both break ties alike."""
    play = fictitious_play([ROCK, -ROCK], 10_000)
    assert (play.actions[:, 0] == play.actions[:, 1]).all()
    assert play.beliefs()[0][-1] == pytest.approx([0.3400, 0.3267, 0.3333], abs=5e-5)


def test_shapleys_game_cycles_ever_more_slowly():
    """Shapley 1964: the lengths of the runs grow by the real root of x³ = x² + 1, so beliefs never settle."""
    play = fictitious_play(SHAPLEY, 200_000, ([1, 0, 0], [0, 1, 0]))
    visited = [tuple(cell) for cell, _ in groupby(play.actions.tolist())]
    six = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]
    assert sorted(set(visited)) == six and (SHAPLEY.sum(axis=0)[tuple(play.actions.T)] == 1).all()
    assert all(visited[i] == visited[i + 6] for i in range(len(visited) - 6))
    lengths = run_lengths(play.actions)[:-1]
    assert lengths[-5:] / lengths[-6:-1] == pytest.approx(np.full(5, GROWTH), abs=2e-4)
    for belief in play.beliefs():
        assert (np.ptp(belief[50_000:], axis=0) > 0.1).all()


def test_shapleys_game_from_zero_counts_stays_on_the_diagonal():
    """With equal ties both agents always do the same, which pays nobody; their frequencies do converge."""
    play = fictitious_play(SHAPLEY, 3_000)
    assert (play.actions[:, 0] == play.actions[:, 1]).all()
    assert play.beliefs()[0][-1] == pytest.approx(np.full(3, 1 / 3), abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_zero_sum_beliefs_approach_an_equilibrium(seed):
    """Robinson 1951: what best responses to the beliefs would gain tends to 0."""
    matrix = np.random.default_rng(seed).integers(-5, 6, size=(3, 4))
    one, other = fictitious_play([matrix, -matrix], 30_000).beliefs()
    gain = (other @ matrix.T).max(axis=1) - (one @ matrix).min(axis=1)
    assert (gain > -1e-12).all()
    assert gain[-1] < 0.06 and gain[-1] <= gain[1000] <= gain[10]


@given(seed_numbers, st.integers(2, 4), st.integers(2, 4))
def test_a_strict_equilibrium_once_played_is_played_for_ever(seed, n_rows, n_columns):
    rng = np.random.default_rng(seed)
    payoffs = rng.integers(-4, 4, size=(2, n_rows, n_columns))
    row, column = rng.integers(n_rows), rng.integers(n_columns)
    payoffs[0, row, column] = payoffs[1, row, column] = 4  # the best of its row and its column
    counts = [rng.integers(0, 6, size=n) for n in (n_rows, n_columns)]
    actions = fictitious_play(payoffs, 400, counts).actions
    played = (actions == (row, column)).all(axis=1)
    assert (np.diff(played.astype(int)) >= 0).all()
    counts[0][row] += 1000
    counts[1][column] += 1000
    assert (fictitious_play(payoffs, 20, counts).actions == (row, column)).all()


def test_two_agents_may_miss_each_other_for_ever():
    """Fudenberg & Levine 1998, Ch. 2: frequencies approach an equilibrium, while nobody ever earns anything."""
    coordination = np.array([np.eye(2), np.eye(2)])
    assert (fictitious_play(coordination, 50).actions == 0).all()
    play = fictitious_play(coordination, 5_000, ([1.5, 1], [1, 1.5]))
    assert (play.actions[:, 0] != play.actions[:, 1]).all()
    assert all(belief[-1] == pytest.approx([0.5, 0.5], abs=1e-3) for belief in play.beliefs())


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2)), min_size=1, max_size=40))
def test_runs_are_those_of_groupby(actions):
    expected = [len(list(group)) for _, group in groupby(actions)]
    assert run_lengths(np.array(actions)).tolist() == expected


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=6))
def test_the_best_reply_is_the_first_of_the_best(earned):
    best = best_reply(earned)
    assert earned[best] == max(earned) and all(e < earned[best] for e in earned[:best])


def test_a_game_object_will_do():
    play = fictitious_play(matrix_game(PENNIES), 20)
    assert isinstance(play, FictitiousPlay) and play.actions.shape == (20, 2)
    assert np.array_equal(play.actions, fictitious_play(PENNIES, 20).actions)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((np.zeros((3, 2, 2, 2)), 5), "game: has 3 agents"),
        ((random_game(np.random.default_rng(0)), 5), "game: has 3 states"),
        (("chess", 5), "game: expected"),
        ((PENNIES * np.nan, 5), "game"),
        ((PENNIES, 0), "n_rounds is 0"),
        ((PENNIES, 2.0), "n_rounds"),
        ((PENNIES, True), "n_rounds"),
        ((PENNIES, 5, [1, 1, 1]), "counts: expected 2 arrays"),
        ((PENNIES, 5, 3), "counts: expected 2 arrays"),
        ((PENNIES, 5, ([1, 1], [1, 1, 1])), r"counts\[1\]: expected"),
        ((PENNIES, 5, ([1, -1], [1, 1])), "counts: one is negative"),
        ((PENNIES, 5, ([1, 1], [1, np.inf])), r"counts\[1\]"),
    ],
)
def test_bad_input_is_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        fictitious_play(*arguments)
