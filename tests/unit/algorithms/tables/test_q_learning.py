"""Q-learning and SARSA: against one seed in plain Python, and where theory says what they must arrive at."""

import numpy as np
import pytest
from plain_learner import plain_run
from random_games import random_game, random_mdp

from marl_lessons.algorithms import (
    PerEpisode,
    PerStep,
    PerVisit,
    TabularConfig,
    independent_q_learning,
    q_learning,
    sarsa,
)
from marl_lessons.envs import MarkovGame, cliff_walking, crossroads, two_cars
from marl_lessons.evaluation import reachable_states
from marl_lessons.solvers import policy_evaluation, policy_iteration

N_STEPS = 2_000

STEP_SIZES = {
    "constant": (0.2, lambda step, episode, visits: 0.2),
    "visits": (PerVisit(0.7), lambda step, episode, visits: visits**-0.7),
    "episodes": (
        PerEpisode(0.5, 0.99, 0.01),
        lambda step, episode, visits: max(0.01, 0.5 * 0.99**episode),
    ),
    "steps": (
        PerStep(0.5, 0.999, 0.05),
        lambda step, episode, visits: max(0.05, 0.5 * 0.999**step),
    ),
}
EPSILONS = {
    "constant": (0.3, lambda step, episode: 0.3),
    "episodes": (PerEpisode(1.0, 0.98, 0.05), lambda step, episode: max(0.05, 0.98**episode)),
    "steps": (PerStep(1.0, 0.997, 0.02), lambda step, episode: max(0.02, 0.997**step)),
}
RNG = np.random.default_rng(12)
GAMES = {
    "crossroads": crossroads(distance=3),
    "cliff": cliff_walking(),
    "expected rewards": random_mdp(RNG, 4, 3, 0.9),
    "several starts": random_game(RNG, 5, (3,), outcomes=True),
    "never ends": MarkovGame(np.ones((1, 2, 1)), [[[1.0, 0.0]]], 0.95),
}
CASES = [
    # game, step size, epsilon, time limit, bootstrap on truncation, initial value
    ("crossroads", "constant", "constant", None, True, 0.0),
    ("crossroads", "visits", "episodes", 7, True, 1.5),
    ("crossroads", "episodes", "episodes", 7, False, 0.0),
    ("crossroads", "steps", "steps", 200, True, 5.0),
    ("cliff", "constant", "constant", 30, True, 0.0),
    ("expected rewards", "visits", "constant", 5, False, 0.0),
    ("expected rewards", "visits", "steps", 5, True, -1.0),
    ("several starts", "constant", "episodes", None, True, 2.0),
    ("never ends", "constant", "constant", 25, True, 0.0),
    ("never ends", "constant", "constant", 1, False, 0.0),
]


def compare(history, column: int, run, one_agent: bool):
    for k in range(len(history.steps)):
        for (i, s, a), value in run.q[k].items():
            at = (k, column, s, a) if one_agent else (k, column, i, s, a)
            assert abs(history.q[at] - value) <= 1e-12 * (1 + abs(value)), (
                f"record {k}, entry {(i, s, a)}"
            )
            assert history.visits[at] == run.visits[k][i, s, a]
    assert history.episodes[:, column].tolist() == run.episodes
    returns = np.array(run.returns).reshape(len(run.returns), -1)
    assert np.allclose(history.returns[column].reshape(returns.shape), returns, atol=1e-9)
    assert history.lengths[column].tolist() == run.lengths


@pytest.mark.parametrize("learner", [q_learning, sarsa])
@pytest.mark.parametrize("game, step_size, epsilon, limit, bootstrap, initial", CASES)
def test_one_agent(learner, game, step_size, epsilon, limit, bootstrap, initial):
    config = TabularConfig(
        N_STEPS,
        STEP_SIZES[step_size][0],
        EPSILONS[epsilon][0],
        limit,
        bootstrap,
        initial,
        n_records=7,
    )
    seeds = (11, 4)
    history = learner(GAMES[game], config, seeds)
    for column, seed in enumerate(seeds):
        run = plain_run(
            GAMES[game],
            seed,
            N_STEPS,
            STEP_SIZES[step_size][1],
            EPSILONS[epsilon][1],
            set(history.steps[:-1].tolist()),
            limit,
            bootstrap,
            learner is sarsa,
            initial,
        )
        compare(history, column, run, one_agent=True)


@pytest.mark.parametrize("limit, bootstrap", [(None, True), (6, True), (6, False)])
@pytest.mark.parametrize("game", ["two cars", "three agents"])
def test_several_agents(game, limit, bootstrap):
    game = (
        two_cars(slip=0.3)
        if game == "two cars"
        else random_game(np.random.default_rng(3), 4, (2, 2, 2), outcomes=True)
    )
    config = TabularConfig(
        N_STEPS, PerVisit(0.6), PerEpisode(1.0, 0.97, 0.1), limit, bootstrap, 0.5, n_records=4
    )
    history = independent_q_learning(game, config, (5, 0, 9))
    for column, seed in enumerate((5, 0, 9)):
        run = plain_run(
            game,
            seed,
            N_STEPS,
            lambda step, episode, visits: visits**-0.6,
            lambda step, episode: max(0.1, 0.97**episode),
            set(history.steps[:-1].tolist()),
            limit,
            bootstrap,
            False,
            0.5,
        )
        compare(history, column, run, one_agent=False)


@pytest.mark.parametrize("learner", [q_learning, sarsa, independent_q_learning])
@pytest.mark.parametrize("limit", [None, 9])
def test_a_seeds_run_does_not_depend_on_the_others(learner, limit):
    game = two_cars(slip=0.3) if learner is independent_q_learning else crossroads()
    config = TabularConfig(3_000, PerVisit(0.7), PerEpisode(1.0, 0.99, 0.05), limit, n_records=6)

    def of(seed, seeds):
        history, e = learner(game, config, seeds), list(seeds).index(seed)
        arrays = [
            history.q[:, e],
            history.visits[:, e],
            history.episodes[:, e],
            history.epsilon[:, e],
        ]
        return [*arrays, history.returns[e], history.lengths[e]]

    alone = of(6, [6])
    for seeds in ([6, 1, 2], [9, 6], list(range(12)), [8, 3, 6]):
        assert all(np.array_equal(a, b) for a, b in zip(alone, of(6, seeds), strict=True))
    assert not np.array_equal(alone[0], of(1, [6, 1])[0])


def test_one_independent_learner_is_q_learning():
    config = TabularConfig(2_000, PerVisit(0.7), 0.2, 11, n_records=5)
    alone, independent = (
        q_learning(crossroads(), config, 4),
        independent_q_learning(crossroads(), config, 4),
    )
    assert np.array_equal(alone.q, independent.q[:, :, 0]) and np.array_equal(
        alone.visits, independent.visits[:, :, 0]
    )
    assert all(
        np.array_equal(a, b[:, 0]) for a, b in zip(alone.returns, independent.returns, strict=True)
    )
    assert all(
        np.array_equal(a, b) for a, b in zip(alone.lengths, independent.lengths, strict=True)
    )


def test_starts_and_outcomes_of_probability_zero_never_happen(monkeypatch):
    """All random numbers 0, or all the largest below 1: the extremes of every inverse transform."""
    import marl_lessons.algorithms.tables.q_learning as tabular

    transition = np.zeros((6, 2, 6))
    transition[..., 1:5] = 0.25
    game = MarkovGame(transition, np.zeros((1, 6, 2)), 0.9, [0, 0.3, 0.3, 0.2, 0.2, 0])

    for extreme in (0.0, np.nextafter(1.0, 0.0)):

        class Constant:
            def __init__(self, seeds, n_numbers):
                self.seeds, self.numbers = tuple(range(seeds)), np.full((n_numbers, seeds), extreme)  # noqa: B023

            def next(self):
                return self.numbers

        monkeypatch.setattr(tabular, "UniformStreams", Constant)
        for learner in (q_learning, sarsa):
            visits = learner(
                game, TabularConfig(200, epsilon=1.0, time_limit=3, n_records=1), 2
            ).visits[-1]
            assert visits[:, [0, 5]].sum() == 0 and (visits.sum(axis=(1, 2)) == 200).all()
            assert visits[:, :, 0 if extreme else 1].sum() == 0


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
        n_steps=5000, step_size=0.02, time_limit=25, bootstrap_on_truncation=False, n_records=5000
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
