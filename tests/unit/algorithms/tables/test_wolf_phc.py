"""WoLF-PHC: its steps by hand and as properties, one seed in plain loops, and where it arrives in matrix games."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_learner import pick
from random_games import random_game, random_mdp, random_policies, random_policy, seed_numbers

from marl_lessons.algorithms import PerEpisode, PerVisit, independent_q_learning
from marl_lessons.algorithms.tables.rules import draw_actions
from marl_lessons.algorithms.tables.wolf_phc import (
    WolfConfig,
    hill_climb,
    move_average,
    wolf_phc,
    wolf_rate,
)
from marl_lessons.envs import MarkovGame
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.seeds import UniformStreams
from marl_lessons.solvers import policy_iteration

PENNIES = np.array([[1.0, -1.0], [-1.0, 1.0]])
ROCK_PAPER_SCISSORS = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
SEEDS = 12


def zero_sum(payoffs) -> MarkovGame:
    return matrix_game([payoffs, -payoffs])


def test_hill_climb_by_hand():
    """δ = 0.2 takes 0.1 from each of the other two actions, or what is left."""
    assert hill_climb(np.array([0.5, 0.3, 0.2]), np.array([1.0, 5.0, 0.0]), 0.2) == pytest.approx(
        [0.4, 0.5, 0.1]
    )
    assert hill_climb(np.array([0.05, 0.3, 0.65]), np.array([1.0, 5.0, 0.0]), 0.2) == pytest.approx(
        [0.0, 0.45, 0.55]
    )
    tie = hill_climb(np.array([[0.5, 0.5], [0.0, 1.0]]), np.zeros((2, 2)), np.array([0.1, 1.0]))
    assert tie == pytest.approx(np.array([[0.6, 0.4], [1.0, 0.0]]))
    assert hill_climb(np.ones((3, 1)), np.zeros((3, 1)), 0.5).tolist() == [[1.0]] * 3


@given(seed_numbers, st.integers(1, 30))
def test_the_average_is_the_mean_of_what_was_seen(seed, count):
    policies = random_policy(np.random.default_rng(seed), count, 3)
    average = np.full(3, 1 / 3)
    for c, policy in enumerate(policies, start=1):
        average = move_average(average, policy, np.array(c))
    assert average == pytest.approx(policies.mean(axis=0))


def test_rate_by_hand():
    q = np.array([1.0, 0.0])
    policy, average = np.array([[0.6, 0.4], [0.4, 0.6], [0.5, 0.5]]), np.array([0.5, 0.5])
    assert wolf_rate(policy, average, q, 0.1, 0.4).tolist() == [0.1, 0.4, 0.4]  # a tie is no win
    assert wolf_rate(policy, average, q, np.array([1.0, 2.0, 3.0]), 0.4).tolist() == [1.0, 0.4, 0.4]


def test_the_first_updates_by_hand():
    """Two agents with two actions that pay 1 and 0 whatever the other does; α = 1/2, δ_w = 0.1, δ_l = 0.4."""
    payoffs = np.zeros((2, 2, 2))
    payoffs[0, 0], payoffs[1, :, 0] = 1.0, 1.0
    start = np.broadcast_to([0.0, 1.0], (2, 1, 2))
    config = WolfConfig(2, 0.5, 0.1, 0.4, 0.0, None, start, n_records=2)
    history = wolf_phc(matrix_game(payoffs), config, 5)
    # Step 1: action 1 pays 0 and leaves Q = (0, 0). π = π̄, so δ = 0.4: action 1 gives 0.4 to action 0, which wins the tie.
    assert history.policies[1] == pytest.approx(np.broadcast_to([0.4, 0.6], (5, 2, 1, 2)))
    assert (history.average_policies[1] == [0.0, 1.0]).all() and (history.q[1] == 0).all()
    # Step 2: π̄ = (0.2, 0.8). With action 0, Q = (1/2, 0), and 0.4 > 0.2 means winning: δ = 0.1. With action 1, Q stays 0,
    # which is no win.
    assert history.average_policies[2] == pytest.approx(np.broadcast_to([0.2, 0.8], (5, 2, 1, 2)))
    drawn = history.visits[2][..., 0] == 1
    assert 0 < drawn.mean() < 1
    assert history.q[2][drawn] == pytest.approx(np.broadcast_to([0.5, 0.0], (drawn.sum(), 2)))
    assert history.policies[2][drawn][:, 0] == pytest.approx(0.5)
    assert history.policies[2][~drawn][:, 0] == pytest.approx(0.8)


def test_actions_drawn_at_the_extremes():
    """No number in [0, 1) draws an action of probability 0, also where rounding left a sum below 1."""
    policy = np.array([[0.0, 0.5, 0.5, 0.0], [0.0, 0.2, 0.8 - 1e-12, 0.0]])
    last = np.nextafter(1.0, 0.0)
    for number, actions in ((0.0, [1, 1]), (0.25, [1, 2]), (0.5, [2, 2]), (last, [2, 2])):
        uniform = np.array([[0.5, 0.5], [number, number]])
        assert draw_actions(policy, 0.0, uniform).tolist() == actions
        assert draw_actions(policy, 0.6, uniform).tolist() == [int(4 * number)] * 2
        mixed = draw_actions(policy, np.array([0.6, 0.4]), uniform)
        assert mixed.tolist() == [int(4 * number), actions[1]]


def hyperbolic(scale):
    """Rates that fall with the steps, as Bowling and Veloso's do."""
    return lambda progress: scale / (200 + progress.step / 5)


def far_from_uniform(n_actions) -> np.ndarray:
    start = np.full((2, 1, n_actions), 0.1 / (n_actions - 1))
    start[0, 0, 0] = start[1, 0, 1] = 0.9
    return start


@pytest.mark.parametrize(
    "payoffs, near, far", [(PENNIES, 0.15, 0.4), (ROCK_PAPER_SCISSORS, 0.2, 0.35)]
)
def test_wolf_converges_where_phc_keeps_cycling(payoffs, near, far):
    """The distance of the policies to the only equilibrium in the last quarter of a run, for every seed."""
    game, n_actions = zero_sum(payoffs), len(payoffs)

    def off(win, lose):
        config = WolfConfig(
            20_000,
            0.2,
            hyperbolic(win),
            hyperbolic(lose),
            0.05,
            None,
            far_from_uniform(n_actions),
            100,
        )
        history = wolf_phc(game, config, SEEDS)
        return np.abs(history.policies - 1 / n_actions).max(axis=(2, 3, 4)), history

    (wolf, history), (phc, _) = off(1, 4), off(4, 4)
    assert wolf.shape == (101, SEEDS) and (wolf[0] > 0.39).all()
    assert wolf[75:].max() < near and (phc[75:].max(axis=0) > far).all()
    assert np.abs(history.average_policies[-1] - 1 / n_actions).max() < 0.1


def test_one_agent_learns_an_mdp():
    """PHC alone is a reinforcement learner: in an MDP its policy becomes an optimal one."""
    mdp = random_mdp(np.random.default_rng(6), 4, 3, 0.8)
    best = policy_iteration(mdp)
    history = wolf_phc(mdp, WolfConfig(15_000, PerVisit(0.7), 0.01, 0.02, 0.5, None), 10)
    assert history.q.shape == (51, 10, 1, 4, 3)
    assert np.abs(history.policies[-1] - best.policy).max() < 0.05
    assert np.abs(history.q[-1] - best.q).max() < 0.2


def plain_wolf(game, seed, n_steps, alpha, win, lose, epsilon, limit, start):
    """One seed from the definitions. ``alpha`` and the rates: functions of (step, episode, visits)."""
    agents, n_actions = range(game.n_agents), game.n_actions[0]
    stream = UniformStreams([seed], 2 * game.n_agents + 2)
    pairs = list(itertools.product(agents, range(game.n_states)))
    q = {pair: [0.0] * n_actions for pair in pairs}
    visits = {pair: [0] * n_actions for pair in pairs}
    policy = {(i, s): [float(p) for p in start[i, s]] for i, s in pairs}
    average = {pair: list(policy[pair]) for pair in pairs}
    u = [float(x) for x in stream.next()[:, 0]]
    s, episode, age = pick(u[-1], enumerate(game.initial.tolist())), 0, 0
    for step in range(n_steps):
        actions = []
        for i in agents:
            explores, number = u[i] < epsilon, u[game.n_agents + i]
            drawn = pick(number, enumerate(policy[i, s]))
            actions.append(int(number * n_actions) if explores else drawn)
        row = game.transition[(s, *actions)].tolist()
        t = pick(u[-2], sorted(enumerate(row), key=lambda item: -item[1]))
        age, ends = age + 1, bool(game.terminal[t])
        for i in agents:
            reward = float(game.reward[(i, s, *actions)])
            target = reward + (0.0 if ends else game.discount * max(q[i, t]))
            a = actions[i]
            visits[i, s][a] += 1
            q[i, s][a] += alpha(step, episode, visits[i, s][a]) * (target - q[i, s][a])
            count, here, worth, usual = sum(visits[i, s]), policy[i, s], 0.0, 0.0
            for b in range(n_actions):
                average[i, s][b] += (here[b] - average[i, s][b]) / count
                worth += here[b] * q[i, s][b]
                usual += average[i, s][b] * q[i, s][b]
            rate = (win if worth > usual else lose)(step, episode, count)
            best, moved = q[i, s].index(max(q[i, s])), 0.0
            for b in range(n_actions):
                if b != best:
                    given = min(here[b], rate / (n_actions - 1))
                    here[b], moved = here[b] - given, moved + given
            here[best] += moved
        u, s = [float(x) for x in stream.next()[:, 0]], t
        if ends or age == limit:
            s, episode, age = pick(u[-1], enumerate(game.initial.tolist())), episode + 1, 0
    return q, visits, policy, average, episode


CASES = {
    "pennies": (zero_sum(PENNIES), None),
    "rock": (zero_sum(ROCK_PAPER_SCISSORS), 10),
    "two agents": (random_game(np.random.default_rng(3), 4, (3, 3)), 9),
    "three agents": (random_game(np.random.default_rng(5), 3, (2, 2, 2), terminal=False), 5),
}


@pytest.mark.parametrize("case", CASES)
def test_one_seed_in_plain_loops(case):
    game, limit = CASES[case]
    start = np.array(random_policies(np.random.default_rng(1), game))
    config = WolfConfig(
        1_500,
        PerVisit(0.7),
        PerEpisode(0.1, 0.995),
        lambda progress: progress.visits**-0.8,
        0.2,
        limit,
        start,
        n_records=3,
    )
    history = wolf_phc(game, config, (11, 4))
    for column, seed in enumerate((11, 4)):
        q, visits, policy, average, episode = plain_wolf(
            game,
            seed,
            1_500,
            lambda step, episode, visits: visits**-0.7,
            lambda step, episode, visits: 0.1 * 0.995**episode,
            lambda step, episode, visits: visits**-0.8,
            0.2,
            limit,
            start,
        )
        assert history.episodes[-1, column] == episode
        for i, s in q:
            at = (-1, column, i, s)
            assert history.visits[at].tolist() == visits[i, s]
            assert history.q[at] == pytest.approx(q[i, s], abs=1e-10)
            assert history.policies[at] == pytest.approx(policy[i, s], abs=1e-10)
            assert history.average_policies[at] == pytest.approx(average[i, s], abs=1e-10)


def test_policies_stay_distributions_and_rest_where_nobody_was():
    game = random_game(np.random.default_rng(2), 5, (3, 3))
    history = wolf_phc(game, WolfConfig(2_000, 0.2, 0.05, 0.3, 0.1, 20, n_records=20), 4)
    for policies in (history.policies, history.average_policies):
        assert policies.shape == (21, 4, 2, 5, 3) and (policies >= 0).all()
        assert np.abs(policies.sum(axis=-1) - 1).max() < 1e-12
        assert (policies[0] == 1 / 3).all() and (policies[:, :, :, game.terminal] == 1 / 3).all()
    assert (history.visits.sum(axis=(-2, -1)).T == history.steps).all()
    unseen = history.visits.sum(axis=-1) == 0
    assert (history.policies[unseen] == 1 / 3).all()
    assert not np.array_equal(history.policies[1], history.policies[20])


def test_without_climbing_it_explores_like_chance():
    """Rates of 0 leave the initial policies, and the actions follow them: a check of how actions are drawn."""
    start = np.array([[[0.7, 0.2, 0.1]], [[0.0, 0.0, 1.0]]])
    config = WolfConfig(5_000, 0.1, 0.0, 0.0, 0.3, None, start, n_records=1)
    history = wolf_phc(zero_sum(ROCK_PAPER_SCISSORS), config, 6)
    assert np.abs(history.policies - start).max() < 1e-15
    frequency = history.visits[-1].mean(axis=0) / 5_000
    assert np.abs(frequency - (0.7 * start + 0.1)).max() < 4 * 0.5 / np.sqrt(30_000)


@pytest.mark.parametrize("limit", [None, 9])
def test_a_seeds_run_does_not_depend_on_the_others(limit):
    game = random_game(np.random.default_rng(8), 4, (3, 3))
    config = WolfConfig(2_000, PerVisit(0.7), 0.02, 0.05, PerEpisode(1.0, 0.99, 0.05), limit)

    def of(seed, seeds):
        history, e = wolf_phc(game, config, seeds), list(seeds).index(seed)
        tables = (history.q, history.visits, history.policies, history.average_policies)
        return [*(table[:, e] for table in tables), history.returns[e], history.last_states[e]]

    alone = of(6, [6])
    for seeds in ([6, 1, 2], [9, 6], list(range(12))):
        assert all(np.array_equal(a, b) for a, b in zip(alone, of(6, seeds), strict=True))
    assert not np.array_equal(alone[2], of(1, [6, 1])[2])


@pytest.mark.parametrize(
    "name, use",
    [
        ("game", lambda: wolf_phc(PENNIES)),
        ("game: agents have different", lambda: wolf_phc(matrix_game(np.zeros((2, 2, 3))))),
        ("config", lambda: wolf_phc(zero_sum(PENNIES), {"n_steps": 5})),
        ("seeds", lambda: wolf_phc(zero_sum(PENNIES), seeds=0)),
        (
            "initial_policies have shape",
            lambda: wolf_phc(
                zero_sum(PENNIES), WolfConfig(initial_policies=np.full((1, 1, 2), 0.5)), 1
            ),
        ),
    ],
)
def test_refused_by_name(name, use):
    with pytest.raises(ValueError, match=name):
        use()


def test_other_learners_have_no_policies():
    history = independent_q_learning(zero_sum(PENNIES), seeds=1)
    assert history.policies is history.average_policies is history.values is None
