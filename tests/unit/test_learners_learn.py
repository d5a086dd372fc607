"""Where theory says what a learner must arrive at: convergence, and the price of mistaking a time limit for
an end."""

import numpy as np
import pytest

from marl_lessons.algorithms import PerVisit, TabularConfig, q_learning, sarsa
from marl_lessons.envs import MarkovGame, crossroads
from marl_lessons.evaluation import reachable_states
from marl_lessons.solvers import policy_evaluation, policy_iteration

LIMIT, DISCOUNT = 25, 0.95
FOR_EVER, UNTIL_THE_LIMIT = 1 / (1 - DISCOUNT), (1 - DISCOUNT**LIMIT) / (1 - DISCOUNT)


def ring() -> MarkovGame:
    """25 states in a circle, each step pays 1: within an episode of 25 steps the state tells the time."""
    return MarkovGame(
        np.roll(np.eye(LIMIT), 1, axis=1)[:, None],
        np.ones((1, LIMIT, 1)),
        DISCOUNT,
        np.eye(LIMIT)[0],
    )


def loop() -> MarkovGame:
    """One state for ever, each step pays 1."""
    return MarkovGame(np.ones((1, 1, 1)), np.ones((1, 1, 1)), DISCOUNT)


@pytest.mark.parametrize("learner", [q_learning, sarsa])
@pytest.mark.parametrize("bootstrap, value", [(True, FOR_EVER), (False, UNTIL_THE_LIMIT)])
def test_a_time_limit_is_no_end_of_the_world(learner, bootstrap, value):
    """The start is worth 20; whoever treats the limit as an end believes 14.45."""
    assert (round(FOR_EVER, 2), round(UNTIL_THE_LIMIT, 2)) == (20.0, 14.45)
    config = TabularConfig(400 * LIMIT, 1.0, 0.0, LIMIT, bootstrap, n_records=1)
    q = learner(ring(), config, 1).q[-1, 0, :, 0]
    assert q[0] == pytest.approx(value, abs=1e-6)
    if not bootstrap:
        assert q == pytest.approx(
            [(1 - DISCOUNT ** (LIMIT - k)) / (1 - DISCOUNT) for k in range(LIMIT)], abs=1e-6
        )


def test_a_time_limit_in_a_single_state():
    """Where the state does not tell the time, one update in 25 lacks its future: Q = 1 + γ (24/25) Q on
    average."""
    right = q_learning(loop(), TabularConfig(5_000, 0.1, 0.0, LIMIT, True, n_records=1), 1).q[
        -1, 0, 0, 0
    ]
    wrong = q_learning(
        loop(), TabularConfig(20_000, PerVisit(0.7), 0.0, LIMIT, False, n_records=1), 1
    ).q[-1, 0, 0, 0]
    assert right == pytest.approx(20, abs=1e-6) and wrong == pytest.approx(
        1 / (1 - 0.95 * 24 / 25), abs=0.2
    )
    whole = q_learning(loop(), TabularConfig(51, 1.0, 0.0, LIMIT, False, n_records=51), 1).q[
        :, 0, 0, 0
    ]
    by_hand = [0.0]
    for step in range(51):
        by_hand.append(1.0 if step % LIMIT == LIMIT - 1 else 1 + DISCOUNT * by_hand[-1])
    assert whole == pytest.approx(by_hand)


def small_mdp() -> MarkovGame:
    transition = np.array(
        [
            [[0.9, 0.1, 0.0], [0.1, 0.6, 0.3]],
            [[0.5, 0.5, 0.0], [0.0, 0.2, 0.8]],
            [[0.7, 0.0, 0.3], [0.2, 0.2, 0.6]],
        ]
    )
    return MarkovGame(transition, [[[0.0, -1.0], [1.0, -0.5], [2.0, 0.5]]], 0.7)


def test_q_learning_converges_for_every_seed():
    mdp = small_mdp()
    history = q_learning(mdp, TabularConfig(20_000, PerVisit(0.7), 1.0, None, n_records=4), 30)
    off = np.abs(history.q - policy_iteration(mdp).q).max(axis=(2, 3))
    assert off.shape == (5, 30) and off[-1].max() < 0.1 and np.median(off[-1]) < np.median(off[1])


def test_sarsa_converges_to_the_value_of_the_policy_it_follows():
    """With ε = 1 the policy is uniform whatever the table says."""
    mdp = small_mdp()
    uniform = policy_evaluation(mdp, np.full((3, 2), 0.5)).q
    history = sarsa(mdp, TabularConfig(20_000, PerVisit(0.7), 1.0, None, n_records=4), 30)
    assert np.abs(history.q[-1] - uniform).max() < 0.15
    assert np.abs(policy_iteration(mdp).q - uniform).max() > 0.3


def test_a_wrong_time_limit_makes_the_estimate_cycle_as_lesson_02_says():
    """Down at each cut, up after it: between 11.21 and 11.42 for α = 0.02, γ = 0.95 and 25 steps."""
    forever = MarkovGame(np.ones((1, 1, 1)), np.ones((1, 1, 1)), 0.95)
    config = TabularConfig(
        n_steps=5000,
        step_size=0.02,
        time_limit=25,
        bootstrap_on_truncation=False,
        n_records=5000,
    )
    estimate = q_learning(forever, config, seeds=1).q[:, 0, 0, 0]
    assert np.round([estimate[-50:].min(), estimate[-50:].max()], 2).tolist() == [11.21, 11.42]
    after_cut = len(estimate) - 1 - 25  # between the last two cuts, at the end and 50 steps before
    assert estimate[after_cut - 24 : after_cut + 25].argmin() == 24


def test_a_constant_step_size_settles_above_the_optimum():
    """The max of noisy estimates is too high: on average over entries, more so for larger steps (12 seeds)."""
    mdp = crossroads()
    optimal_q, where = policy_iteration(mdp).q, reachable_states(mdp)
    excess = []
    for step_size in (0.05, 0.5):
        config = TabularConfig(n_steps=20_000, step_size=step_size, epsilon=1.0)
        late = q_learning(mdp, config, seeds=12).q[25:]
        excess.append((late - optimal_q)[:, :, where].mean() / np.ptp(optimal_q[where]))
    assert 0 < excess[0] < 0.02 and 0.04 < excess[1] < 0.1
