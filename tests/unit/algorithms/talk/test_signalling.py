"""Learners of signalling games: against plain loops of one seed, known caps, and what conventions are known to do."""

import numpy as np
import pytest

from marl_lessons.algorithms import Linear, PerEpisode, PerStep, PerVisit
from marl_lessons.algorithms.tables.schedules import PerAgent
from marl_lessons.algorithms.talk.signalling import (
    SignallingHistory,
    greedy_policy,
    signalling_q_learning,
)
from marl_lessons.envs.games.signalling import SignallingGame, bits, lewis

ODD_GAME = SignallingGame([0.5, 0.2, 0.3], [[2.0, 0.0], [0.0, 1.0], [0.5, 0.25]], n_messages=4)


def first_beyond(weights, number):
    """Inverse transform sampling, one weight after the other."""
    total, running = sum(weights), 0.0
    for k, weight in enumerate(weights):
        running += weight
        if number < running / total:
            return k
    return len(weights) - 1


def plain_q(game, seed, n_rounds, step_size, epsilon, initial):
    """One seed, one decision after the other. Numbers of a round: the state, explore?, which message, explore?, which action."""
    shape = (game.n_states, game.n_messages, game.n_actions)
    say = [[initial] * shape[1] for _ in range(shape[0])]
    act = [[initial] * shape[2] for _ in range(shape[1])]
    visits, rng = {}, np.random.default_rng(seed)
    for t in range(n_rounds):
        u = rng.random(5)
        s = first_beyond(game.prior, u[0])
        m = int(u[2] * shape[1]) if u[1] < epsilon(t) else say[s].index(max(say[s]))
        a = int(u[4] * shape[2]) if u[3] < epsilon(t) else act[m].index(max(act[m]))
        for table, row, column in ((say, s, m), (act, m, a)):
            key = (table is say, row, column)
            visits[key] = visits.get(key, 0) + 1
            rate = step_size(t, visits[key])
            table[row][column] += rate * (game.payoff[s, a] - table[row][column])
    return np.array(say), np.array(act)


@pytest.mark.parametrize("game", [lewis(3), lewis(4, 2), ODD_GAME], ids=["3x3", "4 by 2", "odd"])
@pytest.mark.parametrize(
    "step_size, epsilon, plain_step, plain_epsilon, initial",
    [
        (0.2, 0.3, lambda t, v: 0.2, lambda t: 0.3, 0.0),
        (PerVisit(0.7), Linear(0.5, 0.1, 200, per="step"), lambda t, v: v**-0.7,
         lambda t: 0.5 - 0.4 * min(t / 200, 1), 1.0),
        (PerStep(0.5, 0.99), PerEpisode(1.0, 0.99, 0.1), lambda t, v: 0.5 * 0.99**t,
         lambda t: max(0.1, 0.99**t), -1.0),
    ],
    ids=["constant", "decaying", "per round"],
)  # fmt: skip
def test_a_plain_loop_finds_the_same_action_values(
    game, step_size, epsilon, plain_step, plain_epsilon, initial
):
    seeds = (3, 11, 4)
    history = signalling_q_learning(
        game, seeds, n_rounds=400, step_size=step_size, epsilon=epsilon,
        initial_value=initial, n_records=2,
    )  # fmt: skip
    assert history.rounds.tolist() == [0, 200, 400] and history.seeds == seeds
    for e, seed in enumerate(seeds):
        for k, rounds in enumerate(history.rounds):
            say, act = plain_q(game, seed, rounds, plain_step, plain_epsilon, initial)
            assert np.allclose(history.sender_table[k, e], say, atol=1e-12, rtol=0)
            assert np.allclose(history.receiver_table[k, e], act, atol=1e-12, rtol=0)


def test_a_seed_does_not_depend_on_its_neighbours():
    learn = signalling_q_learning
    together, alone = learn(lewis(4), 6, n_rounds=500), learn(lewis(4), [4], n_rounds=500)
    for name in SignallingHistory._fields[1:5]:
        assert np.array_equal(getattr(together, name)[:, 4:5], getattr(alone, name)), name
    assert np.array_equal(together.payoff[:, 4:5], alone.payoff)
    assert not np.array_equal(together.sender_table[-1, 0], together.sender_table[-1, 1])


def test_what_is_recorded_fits_together():
    learn = signalling_q_learning
    history = learn(ODD_GAME, 3, n_rounds=150, n_records=5)
    assert isinstance(history, SignallingHistory)
    assert history.sender.shape == history.sender_table.shape == (6, 3, 3, 4)
    assert history.receiver.shape == history.receiver_table.shape == (6, 3, 4, 2)
    for k, e in np.ndindex(6, 3):
        worth = sum(
            ODD_GAME.prior[s] * history.sender[k, e, s, m] * history.receiver[k, e, m, a]
            * ODD_GAME.payoff[s, a]
            for s, m, a in np.ndindex(3, 4, 2)
        )  # fmt: skip
        assert abs(history.payoff[k, e] - worth) < 1e-12
    assert len(learn(lewis(2), 1, n_rounds=1000).rounds) == 101
    assert len(learn(lewis(2), 1, n_rounds=7).rounds) == 8


def test_lewis_4_by_4_becomes_a_perfect_code_in_10_000_rounds():
    """The level asked for: 19 of 20 seeds. A perfect code carries two bits."""
    history = signalling_q_learning(lewis(4), 20, n_rounds=10_000)
    perfect = history.payoff[-1] == 1.0
    assert perfect.sum() >= 19
    assert np.allclose(bits(lewis(4), history.sender[-1, perfect]), 2.0)


def test_two_words_for_four_states_are_worth_one_half_at_most():
    history = signalling_q_learning(lewis(4, 2), 20, n_rounds=4_000)
    assert history.payoff.max() <= 0.5 + 1e-12
    assert bits(lewis(4, 2), history.sender).max() <= 1 + 1e-12
    assert history.payoff[-1].mean() > 0.48


def test_optimism_makes_every_seed_succeed_and_greed_none():
    """From 1 every disappointment drives on to the next word; from 0 without exploration the first word stays for ever."""
    hopeful = signalling_q_learning(lewis(4), 50, n_rounds=3_000, initial_value=1.0)
    assert (hopeful.payoff[-1] == 1).all()
    greedy = signalling_q_learning(lewis(4), 50, n_rounds=3_000, epsilon=0.0)
    assert (greedy.payoff[-1] == 0.25).all()


def test_greedy_rows_hold_a_single_one():
    assert greedy_policy(np.array([[1.0, 1.0, 0.0], [0.0, 2.0, 3.0]])).tolist() == [[1, 0, 0], [0, 0, 1]]  # fmt: skip


@pytest.mark.parametrize("given, name", [
    ({"game": 3}, "game"),
    ({"seeds": 0}, "seeds"),
    ({"seeds": [1, -1]}, r"seeds\[1\]"),
    ({"n_rounds": 0}, "n_rounds"),
    ({"n_rounds": 1e3}, "n_rounds"),
    ({"n_records": 0}, "n_records"),
    ({"n_rounds": 5, "n_records": 6}, "n_records is 6"),
    ({"step_size": 1.5}, "step_size"),
    ({"step_size": PerAgent("step_size", (0.1, 0.2))}, "config: step_size is a PerAgent"),
    ({"epsilon": -0.1}, "epsilon"),
    ({"epsilon": PerVisit()}, "epsilon: PerVisit"),
    ({"initial_value": np.nan}, "initial_value"),
])  # fmt: skip
def test_bad_arguments_are_named(given, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        signalling_q_learning(**{"game": lewis(2), "seeds": 2, "n_rounds": 10, **given})
