"""One seed in plain Python equals the learner with a seed axis, and refuses what it cannot do."""

import math

import numpy as np
import pytest
from hypothesis import given
from random_games import random_game, seed_numbers

from marl_lessons.algorithms.tables.history import TabularConfig
from marl_lessons.algorithms.tables.independent_q import (
    IndependentConfig,
    behaviour_policies,
    independent_q_learning,
)
from marl_lessons.algorithms.tables.independent_q_plain import (
    choose,
    independent_q_one_seed,
    update,
)
from marl_lessons.algorithms.tables.rules import Hysteretic, Lenient
from marl_lessons.algorithms.tables.schedules import Constant, PerVisit
from marl_lessons.envs.cars.one_car import crossroads
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.games.catalogue import speed_check

RNG = np.random.default_rng(5)
GAMES = {
    "two cars": two_cars(slip=0.3),
    "three agents": random_game(RNG, 4, (2, 1, 3), outcomes=True),
    "one agent": crossroads(distance=2),
    "one state": speed_check().game,
    "never ends": random_game(RNG, 3, (3, 2), terminal=False),
}
CASES = {
    "plain": {"temperature": 0.4},
    "cold": {"temperature": 1e-3, "step_size": 1.0},
    "coldest": {"temperature": 1e-9},
    "each": {"temperature": "each", "step_size": "each", "initial_value": 1.5},
    "limit": {"temperature": 0.5, "time_limit": 3},
    "limit, no bootstrap": {"temperature": 0.5, "time_limit": 3, "bootstrap_on_truncation": False},
    "limit of one": {"temperature": 0.5, "time_limit": 1},
    "windows": {"temperature": 0.5, "learns": "each", "time_limit": None},
}


def config_for(n: int, n_steps: int, n_records: int, fields) -> IndependentConfig:
    each = {
        "temperature": tuple(0.2 * (i + 1) for i in range(n)),
        "step_size": tuple(0.1 * (i + 1) for i in range(n)),
        "learns": ((300, 700), None, (500, None))[:n],
    }
    fields = {name: each[name] if value == "each" else value for name, value in fields.items()}
    return IndependentConfig(n_steps, n_records=n_records, **fields)


def assert_same(one, many):
    assert np.array_equal(one.steps, many.steps) and one.seeds == many.seeds
    assert one.q.shape == many.q.shape and one.q.dtype == many.q.dtype
    existing = np.isfinite(many.q)
    assert np.array_equal(np.isfinite(one.q), existing)
    assert np.allclose(one.q[existing], many.q[existing], rtol=1e-12, atol=1e-12)
    assert np.array_equal(one.visits, many.visits) and one.visits.dtype == many.visits.dtype
    assert np.array_equal(one.episodes, many.episodes)
    for name in ("returns", "lengths", "last_states"):
        (mine,), (theirs,) = getattr(one, name), getattr(many, name)
        assert np.array_equal(mine, theirs) and mine.shape == theirs.shape, name


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("game", GAMES)
def test_equals_the_learner_with_a_seed_axis(game, case):
    game = GAMES[game]
    config = config_for(game.n_agents, 1_100, 7, CASES[case])
    with np.errstate(over="ignore"):
        many = independent_q_learning(game, config, [12])
    one = independent_q_one_seed(game, config, 12)
    assert_same(one, many)
    assert many.visits[-1].sum() > 0 and len(many.lengths[0]) == many.episodes[-1, 0]


def test_policies_of_one_run():
    config = config_for(2, 600, 6, CASES["each"])
    policies = behaviour_policies(independent_q_one_seed(GAMES["two cars"], config, 3), config)
    many = behaviour_policies(independent_q_learning(GAMES["two cars"], config, [3]), config)
    for mine, theirs in zip(policies, many, strict=True):
        assert mine.shape == (7, 1, 10, 2) and np.allclose(mine, theirs, atol=1e-12)


@given(seed_numbers)
def test_chosen_actions_have_boltzmann_probabilities(seed):
    """The numbers that lead to an action are an interval as long as its probability."""
    rng = np.random.default_rng(seed)
    values = (3 * rng.normal(size=rng.integers(1, 5))).tolist()
    tau = rng.uniform(0.1, 5.0)
    weights = [math.exp(v / tau) for v in values]
    lower = 0.0
    for action, weight in enumerate(weights):
        upper = lower + weight / sum(weights)
        if weight / sum(weights) > 1e-6:
            for u in (lower + 1e-9, (lower + upper) / 2, upper - 1e-9):
                assert choose(values, tau, u) == action
        lower = upper
    assert choose(values, tau, 0.0) == 0 or weights[0] < 1e-9


def test_extreme_values_are_no_obstacle():
    assert choose([1e12, -1e12], 1e-9, 0.999999) == 0
    assert choose([-1e12, 1e12, 0.0], 1e-9, 0.0) == 1
    assert choose([7.0], 1.0, 0.5) == 0
    for n in range(1, 40):  # rounding must not let the largest number pass by all of them
        assert choose([0.0] * n, 1.0, 1 - 2**-53) == n - 1
        assert choose([0.1 * k for k in range(n)], 0.3, 1 - 2**-53) == n - 1


def test_update_by_hand():
    table = [[1.0, 2.0], [3.0, 4.0]]
    assert update(table, 1, 0, 5.0, 0.25) == 2.0
    assert table == [[1.0, 2.0], [3.5, 4.0]]


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"game": "game"}, "^game"), ({"seed": -1}, "^seed"), ({"seed": [1]}, "^seed")],
)
def test_wrong_arguments(changed, named):
    fine = {"game": GAMES["two cars"], "config": IndependentConfig(10, temperature=1.0)}
    with pytest.raises(ValueError, match=named):
        independent_q_one_seed(**fine | changed)


@pytest.mark.parametrize(
    "config",
    [
        None,
        "config",
        {"temperature": 1.0},
        TabularConfig(),
        IndependentConfig(),
        IndependentConfig(temperature=(1.0,)),
        IndependentConfig(temperature=1.0, memory=2),
        IndependentConfig(temperature=1.0, memory=(1, 2)),
        IndependentConfig(temperature=1.0, optimism=Hysteretic()),
        IndependentConfig(temperature=1.0, optimism=Lenient()),
        IndependentConfig(temperature=1.0, step_size=PerVisit()),
        IndependentConfig(temperature=1.0, step_size=(0.1, PerVisit())),
        IndependentConfig(temperature=1.0, step_size=lambda progress: 0.1),
        IndependentConfig(temperature=1.0, learns=(None,)),
    ],
)
def test_settings_it_cannot_use(config):
    with pytest.raises(ValueError, match=r"^config"):
        independent_q_one_seed(GAMES["two cars"], config)


def test_settings_it_can_use():
    for fields in (
        {"step_size": Constant(0.1), "memory": (1, 1), "batch_size": 9},
        {"step_size": (0.1, Constant(0.1)), "learns": (None, None)},
    ):
        config = IndependentConfig(50, n_records=5, temperature=1.0, **fields)
        plain = IndependentConfig(50, 0.1, n_records=5, temperature=1.0)
        one, other = (independent_q_one_seed(GAMES["two cars"], c, 1) for c in (config, plain))
        assert np.array_equal(one.q, other.q)
