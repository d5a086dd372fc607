"""Signalling games: payoffs by plain loops, the best payoff by trying all codes, and what the Lewis game allows."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_kernel, seed_numbers

from marl_lessons.envs.games.signalling import (
    SignallingGame,
    best_payoff,
    bits,
    expected_payoff,
    lewis,
)

sizes = st.integers(1, 4)


def random_signalling(rng, n_states, n_messages, n_actions) -> SignallingGame:
    """States may be impossible and payoffs negative or tied."""
    prior = random_kernel(rng, (), n_states)
    payoff = rng.normal(size=(n_states, n_actions)).round(rng.integers(3))
    return SignallingGame(prior, payoff, n_messages)


def plain_payoff(game, sender, receiver) -> float:
    """The expected payoff of ``sender[S, M]`` and ``receiver[M, A]``, word by word."""
    total = 0.0
    for s in range(game.n_states):
        for m in range(game.n_messages):
            for a in range(game.n_actions):
                total += game.prior[s] * sender[s, m] * receiver[m, a] * game.payoff[s, a]
    return total


def best_by_trying_all(game) -> float:
    """The best of all pairs of deterministic policies."""
    best = -math.inf
    for words in itertools.product(range(game.n_messages), repeat=game.n_states):
        for acts in itertools.product(range(game.n_actions), repeat=game.n_messages):
            worth = sum(game.prior[s] * game.payoff[s, acts[m]] for s, m in enumerate(words))
            best = max(best, worth)
    return best


@given(seed_numbers, sizes, sizes, sizes)
def test_the_expected_payoff_is_the_sum_over_states_words_and_actions(seed, s, m, a):
    rng = np.random.default_rng(seed)
    game = random_signalling(rng, s, m, a)
    sender, receiver = random_kernel(rng, (3, s), m), random_kernel(rng, (2, 1, m), a)
    both = expected_payoff(game, sender, receiver)
    assert both.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        assert both[i, j] == pytest.approx(plain_payoff(game, sender[j], receiver[i, 0]), abs=1e-12)
    assert expected_payoff(game, sender[0], receiver[0, 0]).shape == ()


@given(seed_numbers, sizes, st.integers(1, 3), sizes)
def test_the_best_code_is_the_best_of_all_pairs(seed, s, m, a):
    rng = np.random.default_rng(seed)
    game = random_signalling(rng, s, m, a)
    best = best_payoff(game)
    assert best == pytest.approx(best_by_trying_all(game), abs=1e-12)
    sender, receiver = random_kernel(rng, (20, s), m), random_kernel(rng, (20, m), a)
    assert (expected_payoff(game, sender, receiver) <= best + 1e-12).all()


@given(st.integers(1, 9), st.integers(1, 12))
def test_with_m_words_the_lewis_game_is_worth_m_of_its_states(n_states, n_messages):
    game = lewis(n_states, n_messages)
    assert best_payoff(game) == pytest.approx(min(n_messages, n_states) / n_states)
    chance = np.full((n_messages, n_states), 1 / n_states)
    babble = np.full((n_states, n_messages), 1 / n_messages)
    assert expected_payoff(game, babble, chance) == pytest.approx(1 / n_states)


def test_as_many_words_as_states_unless_told_otherwise():
    assert lewis(5).n_messages == 5 and lewis().n_messages == lewis().n_states == 4
    assert SignallingGame([0.5, 0.5], np.ones((2, 7))).n_messages == 2
    assert repr(lewis(4, 2)) == "SignallingGame(4 states, 2 messages, 4 actions)"


def test_every_permutation_is_a_perfect_code_and_tells_all():
    words = np.array([np.eye(4)[list(p)] for p in itertools.permutations(range(4))])
    assert np.allclose(expected_payoff(lewis(), words, words.swapaxes(1, 2)), 1.0)
    assert np.allclose(bits(lewis(), words), 2.0)
    # Half a convention: two states share a word, another word is never said.
    pooled = np.eye(4)[[0, 1, 2, 2]]
    assert bits(lewis(), pooled) == pytest.approx(1.5)
    assert expected_payoff(lewis(), pooled, np.eye(4)) == pytest.approx(0.75)


def test_bits_of_codes_with_known_answers():
    assert bits(lewis(4, 2), np.eye(2)[[0, 0, 1, 1]]) == pytest.approx(1.0)
    assert bits(lewis(4, 2), np.eye(2)[[0, 1, 1, 1]]) == pytest.approx(2 - 0.75 * math.log2(3))
    assert bits(lewis(4, 2), np.full((4, 2), 0.5)) == 0
    assert bits(lewis(4, 2), np.eye(2)[[0, 0, 0, 0]]) == 0
    # A binary symmetric channel: 1 - H(0.1).
    noisy = [[0.9, 0.1], [0.1, 0.9]]
    entropy = -(0.1 * math.log2(0.1) + 0.9 * math.log2(0.9))
    assert bits(lewis(2), noisy) == pytest.approx(1 - entropy)
    skewed = SignallingGame([0.5, 0.25, 0.25, 0.0], np.eye(4))
    assert bits(skewed, np.eye(4)) == pytest.approx(1.5)


@given(seed_numbers, sizes, sizes)
def test_bits_are_the_entropy_of_words_less_what_is_left_of_it(seed, s, m):
    """I(s; m) = H(m) - H(m | s), between 0 and log2 of the smaller number."""
    rng = np.random.default_rng(seed)
    game, sender = random_signalling(rng, s, m, 2), random_kernel(rng, (s,), m)
    entropy = lambda p: -sum(x * math.log2(x) for x in p if x > 0)  # noqa: E731
    left = sum(game.prior[i] * entropy(sender[i]) for i in range(s))
    assert bits(game, sender) == pytest.approx(entropy(game.prior @ sender) - left, abs=1e-9)
    assert 0 <= bits(game, sender) <= math.log2(min(s, m)) + 1e-9


def test_the_arrays_are_the_games_own_and_cannot_be_written_to():
    payoff = np.eye(3)
    game = SignallingGame(np.full(3, 1 / 3), payoff)
    payoff[:] = 7
    assert best_payoff(game) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="read-only"):
        game.payoff[0, 0] = 2


HALF = [0.5, 0.5]


@pytest.mark.parametrize("name, cases", [
    ("prior", [([0.5, 0.4], np.eye(2)), ([1.5, -0.5], np.eye(2)), ([], np.eye(2)), ("half", np.eye(2))]),
    ("payoff", [(HALF, np.eye(3)), (HALF, [1, 2]), (HALF, [[1, np.nan], [0, 1]]), (HALF, [[1, 1e200], [0, 1]]),
        (HALF, np.ones((2, 0))), (HALF, None)]),
    ("n_messages", [(HALF, np.eye(2), 0), (HALF, np.eye(2), 2.0), (HALF, np.eye(2), True)]),
])  # fmt: skip
def test_what_is_no_game_is_refused(name, cases):
    for given_ in cases:
        with pytest.raises(ValueError, match=name):
            SignallingGame(*given_)


anything = st.none() | st.text(max_size=3) | st.booleans() | st.floats() | st.integers(-5, 0)


@given(anything)
def test_hostile_arguments_are_named(value):
    for name, call in (
        ("n_states", lambda: lewis(value)),
        ("game", lambda: best_payoff(value)),
        ("game", lambda: bits(value, np.eye(2))),
        ("game", lambda: expected_payoff(value, np.eye(2), np.eye(2))),
        ("sender", lambda: bits(lewis(2), value)),
        ("sender", lambda: expected_payoff(lewis(2), value, np.eye(2))),
        ("receiver", lambda: expected_payoff(lewis(2), np.eye(2), value)),
        ("receiver", lambda: expected_payoff(lewis(2), np.eye(2), [[value] * 2] * 2)),
    ):
        with pytest.raises(ValueError, match=name):
            call()


def test_too_many_codes_are_refused_with_their_number():
    assert best_payoff(SignallingGame(np.full(20, 0.05), np.eye(20), 10)) == pytest.approx(0.5)
    large = SignallingGame(np.full(30, 1 / 30), np.eye(30), 15)
    with pytest.raises(ValueError, match=f"game.*{math.comb(30, 15)}"):
        best_payoff(large)
