"""Returns of episodes that were played, against values that are computed; shares, intervals and bands by hand."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, random_policies, seed_numbers
from scipy.optimize import brentq
from scipy.stats import binom

from marl_lessons.envs import MarkovGame, crossroads, two_cars
from marl_lessons.envs.cars.junction import TrafficJunction, never_brake
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.envs.stepping import BatchedStep, GameWorlds
from marl_lessons.evaluation.statistics import (
    band,
    discounted_returns,
    first_episodes,
    play_episodes,
    running_mean,
    share,
    wilson_interval,
)
from marl_lessons.solvers import policy_evaluation, policy_iteration


class Countdown:
    """World e's episodes last e + 1 steps; agent 0 gets its action every step, agent 1 the number of the step."""

    n_worlds, n_agents, n_actions, observation_sizes = 3, 2, (4, 4), (1, 1)
    active = np.ones((3, 2), dtype=bool)

    def __init__(self):
        self.age, self.resets = np.zeros(3, dtype=int), np.zeros(3, dtype=int)

    @property
    def ended(self):
        return self.age == np.arange(1, 4)

    def reset(self, rng):
        return self.reset_where(np.ones(3, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.age, self.resets = np.where(which, 0, self.age), self.resets + which
        return np.repeat(self.age, 2).reshape(3, 2, 1).astype(np.float32)

    def step(self, actions, rng):
        assert (self.age < np.arange(1, 4)).all(), "a world that had ended was stepped"
        self.age = self.age + 1
        seen = np.repeat(self.age, 2).reshape(3, 2, 1).astype(np.float32)
        rewards = np.stack([actions[:, 0], self.age], axis=1).astype(float)
        ended = self.age == np.arange(1, 4)
        return BatchedStep(seen, rewards, np.repeat(ended, 2).reshape(3, 2), ~ended & False, ended)


def act_on_age(world, observations):
    return observations[:, :, 0].astype(int)


def test_returns_count_one_episode_of_each_world_and_round():
    played = play_episodes(Countdown(), act_on_age, 2, np.random.default_rng(0), lambda w: w.age)
    assert played.returns.tolist() == [[0, 1], [1, 3], [3, 6]] * 2
    assert played.measured.tolist() == [1, 2, 3] * 2


def test_without_a_measure_nothing_is_measured():
    assert play_episodes(Countdown(), act_on_age, 1, np.random.default_rng(0)).measured is None


def test_a_measure_may_have_more_axes():
    played = play_episodes(
        Countdown(), act_on_age, 2, np.random.default_rng(0), lambda w: np.stack([w.age] * 2, 1)
    )
    assert played.measured.shape == (6, 2)


def test_it_plays_the_junction():
    world = TrafficJunction("easy", 30)
    rng = np.random.default_rng(3)
    played = play_episodes(world, lambda w, _: never_brake(w), 2, rng, lambda w: w.failed)
    by_hand, other = [], TrafficJunction("easy", 30)
    rng = np.random.default_rng(3)
    for _ in range(2):
        other.reset(rng)
        by_hand.append(sum(other.step(never_brake(other), rng).rewards for _ in range(20)))
    assert np.allclose(played.returns, np.concatenate(by_hand))
    assert np.array_equal(played.measured, played.returns.min(axis=1) < -9)


def test_a_share_and_its_error():
    assert share(np.array([True, False, False, False])) == (0.25, np.sqrt(0.25 * 0.75 / 4))
    assert share(np.ones(3, dtype=bool)) == (1.0, 0.0)


def test_worlds_that_never_end_are_given_up():
    """Episodes of world 2 last 3 steps: 3 are enough, 2 are not; and a game without end has no chance at all."""
    arguments = Countdown(), act_on_age, 2, np.random.default_rng(0)
    assert play_episodes(*arguments, max_steps=3).returns.shape == (6, 2)
    with pytest.raises(ValueError, match=r"^world: an episode has not ended after 2 steps"):
        play_episodes(*arguments, max_steps=2)
    endless = GameWorlds(matrix_game([[[1.0, 2.0]], [[1.0, 2.0]]]), 2)
    with pytest.raises(ValueError, match=r"^world: an episode has not ended after 50 steps"):
        play_episodes(endless, lambda w, _: np.zeros((2, 2), int), 1, arguments[-1], max_steps=50)


def agrees(returns: np.ndarray, value: float) -> bool:
    return abs(returns.mean() - value) <= 4 * returns.std(ddof=1) / np.sqrt(len(returns)) + 1e-9


def test_one_agent():
    game = crossroads()
    best, rng = policy_iteration(game), np.random.default_rng(0)
    assert agrees(discounted_returns(game, [best.policy], 4_000, rng)[:, 0], best.v @ game.initial)
    half = np.full((32, 2), 0.5)
    value = policy_evaluation(game, half).v @ game.initial
    assert agrees(discounted_returns(game, [half], 4_000, rng)[:, 0], value)


@pytest.mark.parametrize("n_actions", [(2, 3), (3, 2, 2)])
def test_every_agent_of_a_game(n_actions):
    game = random_game(np.random.default_rng(1), 4, n_actions, outcomes=True)
    policies = random_policies(np.random.default_rng(2), game)
    returns = discounted_returns(game, policies, 4_000, np.random.default_rng(3))
    assert returns.shape == (4_000, len(n_actions))
    for agent, policy in enumerate(policies):
        value = policy_evaluation(game.induced_mdp(agent, policies), policy).v @ game.initial
        assert agrees(returns[:, agent], value)


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_time_limit_by_hand(limit):
    game = MarkovGame(np.ones((1, 1, 1)), np.ones((1, 1, 1)), 0.5)
    returns = discounted_returns(game, [np.ones((1, 1))], 3, np.random.default_rng(0), limit)
    assert returns.tolist() == [[2 - 0.5 ** (limit - 1)]] * 3


def test_an_ended_episode_counts_no_more():
    """Two steps that pay 5 and 7, then the end: later episodes of the same copy must not be added."""
    transition = np.zeros((3, 1, 3))
    transition[[0, 1, 2], 0, [1, 2, 2]] = 1.0
    game = MarkovGame(
        transition, [[[5.0], [7.0], [0.0]]], 0.5, [0.5, 0.5, 0], np.array([False, False, True])
    )
    returns = discounted_returns(game, [np.ones((3, 1))], 50, np.random.default_rng(0))[:, 0]
    assert sorted(set(returns.tolist())) == [7.0, 8.5]


@given(st.integers(2, 400), st.integers(0, 10**6), st.floats(0.5, 0.999))
def test_wilson_bounds_solve_the_equation_of_the_score_test(n, draw, confidence):
    """At an inner bound p the observed share is z standard errors of p away: found by bisection instead."""
    successes, z = 1 + draw % (n - 1), NormalDist().inv_cdf((1 + confidence) / 2)
    low, high = wilson_interval(successes, n, confidence)
    share = successes / n

    def too_far(p):
        return (share - p) ** 2 - z**2 * p * (1 - p) / n

    assert low == pytest.approx(brentq(too_far, 0, share), abs=1e-9)
    assert high == pytest.approx(brentq(too_far, share, 1), abs=1e-9)


def test_wilson_at_the_ends_and_as_arrays():
    low, high = wilson_interval([0, 10], 10)
    z2 = 1.959963984540054**2
    assert low[0] == 0 and high[1] == 1
    assert high[0] == pytest.approx(z2 / (10 + z2)) and low[1] == pytest.approx(10 / (10 + z2))
    low, high = wilson_interval(np.array([[1], [2]]), np.array([5, 50, 500]))
    assert low.shape == high.shape == (2, 3) and (low < high).all()


def test_wilson_covers_the_truth_as_often_as_it_says():
    """Exact coverage, the binomial enumerated: near 95 % on average over p, where the usual interval falls far short."""
    n, k = 30, np.arange(31)
    low, high = wilson_interval(k, n)
    chances = np.linspace(0.02, 0.98, 193)
    weights = binom.pmf(k, n, chances[:, None])
    inside = (low <= chances[:, None]) & (chances[:, None] <= high)
    coverage = (weights * inside).sum(axis=1)
    assert coverage.mean() == pytest.approx(0.95, abs=0.01) and coverage.min() > 0.83
    half = 1.96 * np.sqrt(k / n * (1 - k / n) / n)
    usual = (weights * (np.abs(k / n - chances[:, None]) <= half)).sum(axis=1)
    assert usual.min() < 0.6 and usual.mean() < coverage.mean() - 0.015


def test_band_by_hand():
    values = np.array([[4.0, 0.0, 2.0, 1.0, 3.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    median, low, high = band(values, 0.5)
    assert (median.tolist(), low.tolist(), high.tolist()) == ([2, 1], [1, 1], [3, 1])
    whole = band(values, 1.0)
    assert whole.low.tolist() == [0, 1] and whole.high.tolist() == [4, 1]
    default = band(np.arange(11.0)[None])
    assert (default.low[0], default.median[0], default.high[0]) == (
        pytest.approx(1),
        5,
        pytest.approx(9),
    )


def test_first_episodes_by_hand():
    returns = (np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0]))
    assert first_episodes(returns, 2).tolist() == [[1, 4], [2, 5]]
    assert first_episodes(returns, 1).tolist() == [[1, 4]]
    assert first_episodes([np.zeros((4, 2)), np.ones((3, 2))], 3).shape == (3, 2, 2)


def test_running_mean_by_hand():
    values = np.array([[1.0, 0.0], [3.0, 0.0], [5.0, 6.0], [1.0, 0.0]])
    assert running_mean(values, 2).tolist() == [[2, 0], [4, 3], [3, 3]]
    assert running_mean(values, 4).tolist() == [[2.5, 1.5]]


@given(seed_numbers, st.integers(1, 12), st.integers(1, 4))
def test_running_mean_against_slices(seed, rows, columns):
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    for window in range(1, rows + 1):
        expected = [values[k : k + window].mean(axis=0) for k in range(rows - window + 1)]
        assert np.allclose(running_mean(values, window), expected, atol=1e-12)


PLAYED = {"world": Countdown(), "act": act_on_age, "n_rounds": 1, "rng": np.random.default_rng(0)}
WAIT = [np.full((10, 2), 0.5)] * 2


@pytest.mark.parametrize(
    ("use", "named"),
    [
        *(
            (lambda change=change: play_episodes(**(PLAYED | change)), name)
            for change, name in [
                ({"world": 3}, "world"), ({"act": None}, "act"), ({"n_rounds": 0}, "n_rounds"),
                ({"rng": 1}, "rng"), ({"max_steps": True}, "max_steps"),
                ({"measure": lambda w: 1}, "measure"), ({"measure": lambda w: np.zeros(2)}, "measure"),
            ]
        ),
        (lambda: discounted_returns("game", WAIT, 2, np.random.default_rng(0)), "game"),
        (lambda: discounted_returns(two_cars(), WAIT, 0, np.random.default_rng(0)), "n_episodes"),
        (lambda: discounted_returns(two_cars(), WAIT, 2, 3), "rng"),
        (lambda: discounted_returns(two_cars(), WAIT, 2, np.random.default_rng(0), 2.0), "time_limit"),
        *((lambda f=flags: share(f), "flags") for flags in ([], [[True]], [1, 0], "yes", None)),
        *((lambda a=a: wilson_interval(*a), "successes") for a in ((3, 2), (-1, 2), (0.5, 2), (np.nan, 2), ("1", 2))),
        *((lambda a=a: wilson_interval(*a), "n is") for a in ((0, 0), (1, 2.5))),
        *((lambda c=c: wilson_interval(1, 2, c), "confidence") for c in (0, 1, True)),
        *((lambda s=s: band([[1.0]], s), "share") for s in (0, 1.1, np.nan, None, "0.8")),
        *((lambda v=v: band(v), "values") for v in (None, [], [1.0], [[np.nan]], [[1], [1, 2]])),
        *((lambda w=w: running_mean([[1.0]], w), "window") for w in (2, 0, 1.0)),
        *((lambda k=k: first_episodes(([1.0, 2.0], [1.0]), k), "n_episodes") for k in (2, 0, None)),
        (lambda: first_episodes(([1.0], ["a"]), 1), r"returns\[1\]"),
    ],
)  # fmt: skip
def test_refused_by_name(use, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        use()
