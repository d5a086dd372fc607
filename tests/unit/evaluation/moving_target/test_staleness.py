"""Stored transitions and tables that lag behind, against closed forms, plain loops, and learners whose luck is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import random_game, random_kernel, seed_numbers

from marl_lessons.algorithms import TabularConfig, independent_q_learning
from marl_lessons.algorithms.tables.schedules import PerVisit
from marl_lessons.envs import MarkovGame, two_cars
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.evaluation.moving_target.induced import expected_td_errors, induced_arrays
from marl_lessons.evaluation.moving_target.staleness import shadow_update, split_error, staleness


def histories(rng, game, leading) -> list[np.ndarray]:
    """Random policies ``[*leading, S, A_j]`` of every agent."""
    return [random_kernel(rng, (*leading, game.n_states), a) for a in game.n_actions]


def acting_policies(history) -> np.ndarray:
    """``[n, T+1, E, S, A]``: ε-greedy policies of every agent's tables, the lowest index winning ties."""
    n_actions = history.q.shape[-1]
    greedy = np.eye(n_actions)[history.q.argmax(axis=-1)]
    epsilon = history.epsilon[:, :, None, None, None]
    return np.moveaxis((1 - epsilon) * greedy + epsilon / n_actions, 2, 0)


@settings(max_examples=25)
@given(seed_numbers, st.sampled_from([(2, 3), (2, 3, 2)]), st.booleans())
def test_staleness_in_plain_loops(seed, n_actions, weighted):
    """Every stored transition, one at a time: state and action at moment k - age, looked at from moment k."""
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    policies = histories(rng, game, (4, 2))
    stored = rng.integers(3, size=(4, 2, 3, n_actions[0]))
    found = staleness(game, 0, policies, [0, 1, 3], stored if weighted else None)
    assert found.kernel.shape == found.reward.shape == (3, 2)
    for i, age in enumerate([0, 1, 3]):
        for e in range(2):
            mdps = [game.induced_mdp(0, [p[k, e] for p in policies]) for k in range(4)]
            sums = np.zeros(3)
            for k in range(age, 4):
                now, then = mdps[k], mdps[k - age]
                for s in range(2):
                    for a in range(n_actions[0]):
                        w = stored[k - age, e, s, a] if weighted else 1
                        shift = np.abs(now.transition[s, a] - then.transition[s, a]).sum() / 2
                        sums += w * np.array([1, shift, abs(now.reward - then.reward)[0, s, a]])
            expected = sums[1:] / sums[0] if sums[0] else [0, 0]
            assert np.allclose([found.kernel[i, e], found.reward[i, e]], expected, atol=1e-12)


def test_a_partner_that_returns_makes_old_samples_true_again():
    """Go-probabilities .2 and .7 in turn: odd ages are wrong by (1 - slip) · .5 in the states where the other has cells
    to go, even ages by nothing."""
    game = two_cars(slip=0.1)
    go = np.tile([0.2, 0.7], 4)[:, None] * np.ones(10)
    policies = [None, np.stack([1 - go, go], axis=-1)]
    to_go = np.append([cells[1] for cells in np.ndindex(3, 3)], 0) > 0
    share = to_go[~game.terminal].mean()
    found = staleness(game, 0, policies, range(5))
    assert np.allclose(found.kernel, [0, 0.45 * share, 0, 0.45 * share, 0])
    where = np.broadcast_to(to_go[:, None], (10, 2))
    assert np.allclose(staleness(game, 0, policies, [1, 2], where).kernel, [0.45, 0])
    assert staleness(game, 0, policies, [1], 0 * where).kernel == 0


def test_in_a_game_of_one_state_only_rewards_grow_stale():
    """Payoffs 0 and 4 against a partner who moves by .1 per record: wrong by 4 · .1 · age, the kernel never."""
    game = matrix_game(np.array([[[0.0, 4.0], [1.0, 1.0]]] * 2))
    p = np.linspace(0, 0.9, 10)
    policies = [None, np.stack([1 - p, p], axis=-1)[:, None]]
    found = staleness(game, 0, policies, np.array([0, 1, 5]), [[1.0, 0.0]])
    assert np.allclose(found.reward, [0, 0.4, 2.0]) and np.allclose(found.kernel, 0)
    assert np.allclose(
        staleness(game, 0, policies, [5]).reward, 1.0
    )  # the other action is never stale


@settings(max_examples=15)
@given(seed_numbers, st.sampled_from([(2, 3), (3, 2, 2)]), st.sampled_from([0.0, 0.9]))
def test_split_in_plain_loops(seed, n_actions, discount):
    """Arbitrary tables and visits: the shadow entry by entry, and the two parts add up."""
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions, discount)
    agent, own = 1, n_actions[1]
    n_steps, n_seeds = 6, 2
    policies = histories(rng, game, (n_steps + 1, n_seeds))
    q = rng.normal(size=(n_steps + 1, n_seeds, 3, own))
    visits, alpha = np.zeros(q.shape, dtype=np.int32), rng.uniform(size=(n_steps, n_seeds))
    shadow = np.empty(q.shape)
    for e in range(n_seeds):
        table = q[0, e].copy()
        shadow[0, e] = table
        for t in range(n_steps):
            visits[t + 1, e] = visits[t, e]
            s, a = rng.integers(2), rng.integers(own)
            if rng.uniform() < 0.8:
                visits[t + 1, e, s, a] += 1
                mdp = game.induced_mdp(agent, [p[t, e] for p in policies])
                future = sum(mdp.transition[s, a, x] * max(table[x]) for x in range(2))
                target = mdp.reward[0, s, a] + discount * future
                table[s, a] = (1 - alpha[t, e]) * table[s, a] + alpha[t, e] * target
            shadow[t + 1, e] = table
    found = split_error(game, agent, policies, q, visits, alpha)
    assert np.allclose(found.shadow, shadow, atol=1e-12)
    assert np.array_equal(found.noise, q - found.shadow)
    assert np.allclose(found.stale + found.noise, q - found.q_now, atol=1e-12)
    transition, reward = induced_arrays(game, agent, policies)
    world = (transition, reward, discount, game.terminal)
    alive = ~game.terminal
    errors = expected_td_errors(found.shadow, *world)
    assert np.allclose(found.stale[:, :, alive], -errors[:, :, alive], atol=1e-12)
    if discount == 0:
        assert np.allclose(found.q_now, reward, atol=1e-12)


@settings(max_examples=10)
@given(seed_numbers, st.sampled_from([0.1, PerVisit(0.7)]))
def test_learners_without_luck_have_no_noise(seed, step_size):
    """Greedy learners in a deterministic world: what is sampled is what was expected, at the right moment. The partner
    learns too, so that policies of one step earlier or later would show."""
    rng = np.random.default_rng(seed)
    n_states, size = 4, (4, 2, 2)
    transition = np.eye(n_states)[rng.integers(n_states, size=size)]
    game = MarkovGame(transition, rng.normal(size=(2, *size)), 0.8)
    every_step = {"n_steps": 150, "n_records": 150, "time_limit": 20}
    config = TabularConfig(**every_step, epsilon=0.0, step_size=step_size)
    history = independent_q_learning(game, config, seeds=3)
    policies = acting_policies(history)
    for agent in range(2):
        q, visits = history.q[:, :, agent], history.visits[:, :, agent]
        alpha = 0.1
        if step_size != 0.1:
            entry = np.diff(visits, axis=0) * visits[1:]
            alpha = entry.sum(axis=(2, 3)) ** -0.7
        found = split_error(game, agent, list(policies), q, visits, alpha)
        assert np.abs(found.noise).max() < 1e-10
        late = [np.roll(p, 1, axis=0) for p in policies]
        visited = np.diff(visits, axis=0).any(axis=-1)
        differs = np.abs(late[1 - agent] - policies[1 - agent]).max(axis=-1)[:-1]
        if (differs[visited] > 0).any():  # the partner changed where the learner then drove
            wrong = split_error(game, agent, late, q, visits, alpha)
            assert np.abs(wrong.noise).max() > 1e-6


def one_state_learner(payoffs, partner, n_seeds, alpha, seed):
    """Q-learning without future of agent 0, who acts at random, against ``partner[T+1, A]``: q, visits and policies."""
    rng, n_steps = np.random.default_rng(seed), len(partner) - 1
    n_own, seeds = payoffs.shape[0], np.arange(n_seeds)
    q = np.full((n_steps + 1, n_seeds, 1, n_own), 5.0)
    visits = np.zeros(q.shape, dtype=int)
    for t in range(n_steps):
        mine = rng.integers(n_own, size=n_seeds)
        yours = rng.choice(partner.shape[1], size=n_seeds, p=partner[t])
        q[t + 1], visits[t + 1] = q[t], visits[t]
        visits[t + 1, seeds, 0, mine] += 1
        q[t + 1, seeds, 0, mine] += alpha * (payoffs[mine, yours] - q[t, seeds, 0, mine])
    others = np.broadcast_to(partner[:, None, None], (n_steps + 1, n_seeds, 1, partner.shape[1]))
    return q, visits, [None, others]


PAYOFFS = np.array([[1.0, -2.0, 3.0], [0.0, 4.0, 1.0]])
GAME = matrix_game(np.stack([PAYOFFS, PAYOFFS]))


def test_against_a_frozen_partner_what_is_stale_dies_out():
    """stale = (1 - α)^n (q_0 - R) after n visits, exactly; what remains of the error is noise."""
    mix = np.array([0.2, 0.5, 0.3])
    q, visits, policies = one_state_learner(PAYOFFS, np.tile(mix, (301, 1)), 20, 0.1, 0)
    found = split_error(GAME, 0, policies, q, visits, 0.1)
    truth = PAYOFFS @ mix
    assert np.allclose(found.q_now, truth)
    assert np.allclose(found.stale, 0.9**visits * (5.0 - truth), atol=1e-10)
    assert np.abs(found.stale[-1]).max() < 1e-3 < 0.1 < np.abs(found.noise[-1]).mean()


def test_when_the_partner_turns_the_table_is_stale_at_once():
    """From q = R_before, a turn at step 300 makes the error R_before - R_after, and it decays with own visits alone."""
    before, after = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    partner = np.concatenate([np.tile(before, (300, 1)), np.tile(after, (101, 1))])
    q, visits, policies = one_state_learner(PAYOFFS, partner, 10, 0.2, 1)
    found = split_error(GAME, 0, policies, q, visits, 0.2)
    start = 5.0 - PAYOFFS @ before
    at_turn = PAYOFFS @ before + 0.8 ** visits[300] * start - PAYOFFS @ after
    assert np.allclose(found.stale[300], at_turn)
    assert np.allclose(found.stale[300:], 0.8 ** (visits[300:] - visits[300]) * at_turn)
    assert np.allclose(found.noise, 0)  # a deterministic partner, however it turns


def test_noise_has_mean_zero_whatever_the_partner_does():
    """Over 4,000 seeds, within 4.5 standard errors at every step; the noise itself is far from 0."""
    partner = np.random.default_rng(2).dirichlet(np.ones(3), size=61)
    q, visits, policies = one_state_learner(PAYOFFS, partner, 4000, 0.2, 3)
    noise = split_error(GAME, 0, policies, q, visits, np.full(60, 0.2)).noise[1:, :, 0]
    errors = noise.std(axis=1) / np.sqrt(4000)
    assert (np.abs(noise.mean(axis=1)) < 4.5 * errors).all() and noise[-1].std() > 0.3


FINE = np.full((4, 2, 1, 3), 1 / 3)
TABLES = np.zeros((4, 2, 1, 2))
VISITS = np.zeros((4, 2, 1, 2), dtype=int)
TWICE, BACK = VISITS.copy(), VISITS.copy()
TWICE[2:] += 1
BACK[1, 0, 0, 0] = 1


@pytest.mark.parametrize("named, changes", [
    ("game", [{"game": 1}]),
    ("agent", [{"agent": 2}]),
    ("policies", [{"policies": [FINE]}, {"policies": [None, FINE[0, 0]]}]),
    (r"policies\[1\]", [{"policies": [None, FINE * np.nan]}]),
    ("visits", [{"visits": TWICE}, {"visits": BACK}, {"visits": 2 * BACK.cumsum(axis=0)}]),
])  # fmt: skip
def test_what_is_refused(named, changes):
    for changed in changes:
        given = {"policies": [None, FINE], "q": TABLES, "visits": VISITS, "step_size": 0.1}
        assert split_error(**{"game": GAME, "agent": 0} | given).noise.shape == TABLES.shape
        with pytest.raises(ValueError, match=named):
            split_error(**{"game": GAME, "agent": 0} | given | changed)


@pytest.mark.parametrize("ages", [[4], [-1], [True], [1.0]])
def test_ages_that_are_refused(ages):
    with pytest.raises(ValueError, match="ages"):
        staleness(GAME, 0, [None, FINE], ages)


def test_an_update_moves_only_what_was_visited():
    moved = shadow_update(np.array([[1.0, 2.0]]), np.array([[3.0, 7.0]]), np.array([[0, 1]]), 0.5)
    assert moved.tolist() == [[1.0, 4.5]]
