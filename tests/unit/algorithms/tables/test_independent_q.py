"""Independent Q-learning against plain Python that draws the same random numbers, and known results about teams."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace

import numpy as np
import pytest
from plain_independent import PlainLearners, Plan, assert_same
from random_games import random_game

from marl_lessons.algorithms.tables.history import TabularConfig
from marl_lessons.algorithms.tables.independent_q import (
    IndependentConfig,
    as_independent_config,
    behaviour,
    behaviour_policies,
    greedy_actions,
    independent_q_learning,
)
from marl_lessons.algorithms.tables.rules import Distributed, Hysteretic, Lenient
from marl_lessons.algorithms.tables.schedules import Constant, Linear, PerEpisode, PerStep, PerVisit
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.games.catalogue import CATALOGUE, lottery_game, stochastic_climbing
from marl_lessons.envs.games.matrix_games import matrix_game

RNG = np.random.default_rng(21)
GAMES = {
    "two cars": two_cars(slip=0.3),
    "one agent": random_game(RNG, 4, (3,), outcomes=True),
    "two unequal": random_game(RNG, 4, (2, 4)),
    "three unequal": random_game(RNG, 4, (2, 1, 3), outcomes=True),
    "never ends": random_game(RNG, 3, (3, 2), terminal=False),
    "one state": matrix_game(RNG.normal(size=(2, 3, 2))),
    "ties": CATALOGUE["penalty(-20)"].game,
}


def constant(value):
    return lambda step, episode, visits: value


def mixed(n: int):
    parts = [constant(0.3), lambda step, episode, visits: visits**-0.7]
    return [*parts, lambda step, episode, visits: 0.99**episode][:n]


LENIENT = Lenient(2.0, 0.9, 0.8, 0.8, 0.3, 0.2)
# Each case: settings of the package, the same settings in plain functions (for n agents).
CASES = {
    "plain": ({"step_size": 0.2}, lambda n: {}),
    "by visits, episodes": (
        {"step_size": PerVisit(0.6), "epsilon": PerEpisode(1.0, 0.97, 0.1)},
        lambda n: {
            "step_size": [lambda step, episode, visits: visits**-0.6] * n,
            "epsilon": lambda step, episode: max(0.1, 0.97**episode),
        },
    ),
    "linear": (
        {"step_size": Linear(0.5, 0.1, 300, "step"), "epsilon": Linear(1.0, 0.2, 20)},
        lambda n: {
            "step_size": [lambda step, episode, visits: 0.5 - 0.4 * min(step / 300, 1)] * n,
            "epsilon": lambda step, episode: 1 - 0.8 * min(episode / 20, 1),
        },
    ),
    "boltzmann": ({"step_size": 0.2, "temperature": 0.4}, lambda n: {"temperature": [0.4] * n}),
    "one temperature each": (
        {"step_size": 0.2, "temperature": "each"},
        lambda n: {"temperature": [0.1 * (i + 1) for i in range(n)]},
    ),
    "one step size each": (
        {"step_size": "each"},
        lambda n: {"step_size": [constant(0.05 * (i + 1)) for i in range(n)]},
    ),
    "one schedule each": ({"step_size": "mixed"}, lambda n: {"step_size": mixed(n)}),
    "hysteretic": (
        {"step_size": 0.2, "optimism": Hysteretic(0.02)},
        lambda n: {"worse": constant(0.02)},
    ),
    "hysteretic by visits": (
        {"step_size": 0.2, "optimism": Hysteretic(PerVisit(1.5))},
        lambda n: {"worse": lambda step, episode, visits: visits**-1.5},
    ),
    "distributed": (
        {"step_size": 0.2, "optimism": Distributed(), "initial_value": -4.0},
        lambda n: {"keeps_policy": True, "initial": -4.0},
    ),
    "distributed, at once": (
        {"step_size": 1.0, "optimism": Distributed(), "initial_value": -50.0, "epsilon": 0.5},
        lambda n: {
            "step_size": [constant(1.0)] * n,
            "keeps_policy": True,
            "initial": -50.0,
            "epsilon": lambda step, episode: 0.5,
        },
    ),
    "memory of two": (
        {"step_size": 0.2, "memory": 2, "batch_size": 2},
        lambda n: {"memory": [2] * n, "batch": 2},
    ),
    "lenient": ({"step_size": 0.2, "optimism": LENIENT}, lambda n: {"lenient": LENIENT}),
    "exploring together": (
        {"step_size": 0.2, "correlated_exploration": True, "epsilon": 0.4},
        lambda n: {"together": True, "epsilon": lambda step, episode: 0.4},
    ),
    "distributed, exploring together": (
        {"step_size": 0.2, "correlated_exploration": True, "optimism": Distributed()},
        lambda n: {"together": True, "keeps_policy": True},
    ),
    "windows": (
        {"step_size": 0.2, "learns": "each"},
        lambda n: {"learns": [(60, 240), None, (150, None)][:n]},
    ),
    "lenient windows": (
        {"step_size": 0.2, "optimism": LENIENT, "learns": "each"},
        lambda n: {"lenient": LENIENT, "learns": [(60, 240), None, (150, None)][:n]},
    ),
    "memory": (
        {"step_size": 0.2, "memory": 7, "batch_size": 3},
        lambda n: {"memory": [7] * n, "batch": 3},
    ),
    "memory, one schedule each": (
        {"step_size": "mixed", "memory": 6, "batch_size": 2},
        lambda n: {"memory": [6] * n, "batch": 2, "step_size": mixed(n)},
    ),
    "memory, hysteretic, by visits": (
        {"step_size": PerVisit(0.6), "memory": "each", "batch_size": 4, "learns": "each"}
        | {"optimism": Hysteretic(0.05), "temperature": 0.3},
        lambda n: {
            "step_size": [lambda step, episode, visits: visits**-0.6] * n,
            "memory": [5, 1, 12][:n],
            "batch": 4,
            "learns": [(60, 240), None, (150, None)][:n],
            "worse": constant(0.05),
            "temperature": [0.3] * n,
        },
    ),
}
LIMIT = (6, True)
# Every case in the game that has most to go wrong, under every clock, and in two others, all games in turn.
OTHERS = [name for name in GAMES if name != "three unequal"]
CLOCKED = [
    ("three unequal", case, clock) for case in CASES for clock in (LIMIT, (None, True), (6, False))
] + [(OTHERS[(k + j) % 6], case, LIMIT) for k, case in enumerate(CASES) for j in (0, 3)]


def prepared(name: str, n: int, limit, bootstrap):
    """The same settings twice: for the package and for the plain loop."""
    fields, plain = CASES[name]
    plain = {"step_size": [constant(0.2)] * n, **plain(n)}
    fields = dict(fields)
    each = {
        "temperature": plain.get("temperature"),
        "step_size": [0.05 * (i + 1) for i in range(n)],
        "learns": plain.get("learns"),
        "memory": plain.get("memory"),
    }
    for key, value in each.items():
        if fields.get(key) == "each":
            fields[key] = tuple(value)
    if fields["step_size"] == "mixed":
        fields["step_size"] = (0.3, PerVisit(0.7), PerEpisode(1.0, 0.99))[:n]
    clock = {"time_limit": limit, "bootstrap_on_truncation": bootstrap}
    return fields | clock, Plan(**plain, limit=limit, bootstrap=bootstrap)


@pytest.mark.parametrize("game, case, clock", CLOCKED)
def test_equals_a_plain_loop(game, case, clock):
    game, n_steps = GAMES[game], 300
    fields, plan = prepared(case, game.n_agents, *clock)
    config = IndependentConfig(n_steps, n_records=5, **fields)
    history = independent_q_learning(game, config, (8, 3))
    assert history.steps.tolist() == [0, 60, 120, 180, 240, 300]
    record = PlainLearners(game, 3, plan).run(n_steps, {0, 60, 120, 180, 240})
    assert_same(history, 1, record)


@pytest.mark.parametrize("case", CASES)
def test_a_run_does_not_depend_on_its_companions(case):
    game = GAMES["three unequal"]
    fields, _ = prepared(case, 3, 6, True)
    config = IndependentConfig(1_100, n_records=4, **fields)
    together = independent_q_learning(game, config, (4, 9, 0, 17))
    alone = independent_q_learning(game, config, (0,))
    for name in ("q", "visits", "episodes", "epsilon", "policies"):
        if (one := getattr(alone, name)) is not None:
            assert np.array_equal(getattr(together, name)[:, 2], one[:, 0]), name
    assert np.array_equal(together.returns[2], alone.returns[0])
    assert np.array_equal(together.last_states[2], alone.last_states[0])


def same(one, other) -> bool:
    return (
        np.array_equal(one.q, other.q)
        and np.array_equal(one.visits, other.visits)
        and all(np.array_equal(a, b) for a, b in zip(one.returns, other.returns, strict=True))
    )


@pytest.mark.parametrize("game", GAMES)
def test_what_is_plain_q_learning_to_the_bit(game):
    settings = {"n_steps": 400, "step_size": 0.1, "time_limit": 8, "n_records": 4}
    plain = independent_q_learning(GAMES[game], TabularConfig(**settings), 5)
    n = GAMES[game].n_agents
    for changes in (
        {},
        {"optimism": Hysteretic(0.1)},
        {"memory": 1, "batch_size": 9},
        {"memory": (1,) * n, "batch_size": 2},
        {"step_size": (0.1,) * n},
        {"learns": ((0, None),) * n},
        {"learns": (None,) * n},
        {"step_size": Linear(0.1, 0.1, 7)},
    ):
        config = IndependentConfig(**(settings | changes))
        assert same(plain, independent_q_learning(GAMES[game], config, 5)), changes


@pytest.mark.parametrize("optimism", [None, Hysteretic(0.01), Distributed(), LENIENT])
def test_frozen_agents_stand_still_and_are_not_counted(optimism):
    fields = {"time_limit": 9, "initial_value": -2.0, "optimism": optimism, "n_records": 6}
    config = IndependentConfig(600, 0.3, 0.2, learns=((200, 400), None), **fields)
    history = independent_q_learning(GAMES["two cars"], config, 6)
    moved = np.diff(history.q, axis=0).any(axis=(1, 3, 4))
    counted = np.diff(history.visits, axis=0).sum(axis=(3, 4))
    assert moved[:, 0].tolist() == [False, False, True, True, False, False]
    assert moved[:, 1].all() and (counted[:, :, 1] == 100).all()
    assert (counted[:, :, 0].T == [0, 0, 100, 100, 0, 0]).all()
    busy = independent_q_learning(GAMES["two cars"], IndependentConfig(600, 0.3, 0.2, **fields), 6)
    assert not np.array_equal(history.q[-1], busy.q[-1])


def test_a_lenient_agent_that_never_learns_keeps_its_policy():
    """Its actions stay those of a uniform policy, though an entry that cools would turn greedy."""
    hot = Lenient(start=50.0, decay=0.5, coldest=2.0)
    game = matrix_game([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 0.0]]])
    config = IndependentConfig(2_000, 0.1, learns=((10**6, None), None), optimism=hot, n_records=1)
    history = independent_q_learning(game, config, 10)
    # Agent 1 soon plays its first action for good; agent 0 decides by a coin whether that pays.
    assert history.visits[-1, :, 1, 0, 0].min() > 1_900
    assert not history.visits[-1, :, 0].any()
    assert history.q[-1, :, 1, 0, 0] == pytest.approx(np.full(10, 0.5), abs=0.42)
    paid_always = independent_q_learning(
        game, IndependentConfig(2_000, 0.1, optimism=hot, n_records=1), 10
    )
    assert (paid_always.q[-1, :, 1, 0, 0] > 0.99).all()


def test_temperatures_that_fall_to_zero_do_no_harm():
    config = IndependentConfig(3_000, 0.2, optimism=Lenient(decay=0.1, diffusion=0.0), n_records=1)
    with np.errstate(all="raise"):
        history = independent_q_learning(GAMES["three unequal"], config, 3)
    assert np.isfinite(history.q[history.q > -np.inf]).all() and not np.isnan(history.q).any()


def share_of_optima(game, best=0, **fields) -> float:
    history = independent_q_learning(game, IndependentConfig(n_records=1, **fields), 1_000)
    chosen = greedy_actions(history)[-1, :, :, 0]
    return float((chosen == best).all(axis=1).mean())


CLIMBING = CATALOGUE["climbing"].game
# The best action last: the tie of a table of zeros then does not begin with it.
CLIMBING_REVERSED = matrix_game(CLIMBING.reward[:, 0, ::-1, ::-1])


@pytest.mark.parametrize(
    "game, best, fields",
    [
        (CLIMBING, 0, {"n_steps": 5_000, "epsilon": 0.1}),
        (CLIMBING_REVERSED, 2, {"n_steps": 1_500, "epsilon": Linear(1.0, 0.0, 1_200, "step")}),
        (CLIMBING_REVERSED, 2, {"n_steps": 1_500, "epsilon": 0.8}),
    ],
    ids=["constant, from the best", "linear", "constant"],
)
def test_hysteretic_learners_climb(game, best, fields):
    """From the best they stay there, from elsewhere they get there. Plain learners fall, or never arrive."""
    plain = share_of_optima(game, best, step_size=0.1, **fields)
    hysteretic = share_of_optima(game, best, step_size=0.1, **fields, optimism=Hysteretic(0.01))
    assert hysteretic >= max(3 * plain, 0.5)


def test_what_learners_keep_is_no_proof_that_they_find_it():
    """With little exploration, hysteretic learners stay at the best if a tie put them there, else they never find it."""
    fields = {"n_steps": 1_500, "epsilon": 0.1, "step_size": 0.1, "optimism": Hysteretic(0.01)}
    assert share_of_optima(CLIMBING, 0, **fields) > 0.9
    assert share_of_optima(CLIMBING_REVERSED, 2, **fields) < 0.05


def test_distributed_learners_climb_if_and_only_if_payoffs_are_certain():
    """Every joint action is tried (missing one of nine 400 times has probability (8/9)^400 < 1e-20)."""
    fields = {"n_steps": 400, "step_size": 0.5, "epsilon": 1.0, "initial_value": -50.0}
    optimistic = fields | {"optimism": Distributed()}
    assert share_of_optima(CLIMBING, **optimistic) == 1.0
    assert share_of_optima(CLIMBING_REVERSED, 2, **optimistic) == 1.0
    assert share_of_optima(stochastic_climbing(), **optimistic) < 0.02


def test_distributed_learners_agree_on_one_of_several_optima():
    """Tables tie between the two good corners of penalty; the policies kept from the first find do not."""
    game = CATALOGUE["penalty(-20)"].game
    epsilon = Linear(1.0, 0.0, 350, "step")
    config = IndependentConfig(
        400, 1.0, epsilon, 1, initial_value=-50.0, optimism=Distributed(), n_records=1
    )
    history = independent_q_learning(game, config, 1_000)
    a, b = greedy_actions(history)[-1, :, :, 0].T
    assert np.array_equal(a + b, np.full(1_000, 2)) and set(a) == {0, 2}
    assert all((earned[-50:] == 10).all() for earned in history.returns)
    by_table = history.q[-1].argmax(axis=-1)[..., 0]
    assert (by_table == 0).all(), "both corners are worth 10 to both agents"


def test_q_values_reach_the_game_against_frozen_partners():
    """An agent alone in the world learns the optimal values of the MDP that its frozen, uniform partner makes."""
    payoffs = np.array([[[4.0, -2.0, 1.0], [0.0, 3.0, 6.0]], np.zeros((2, 3))])
    config = IndependentConfig(
        6_000, (PerVisit(1.0), 0.0), 1.0, learns=(None, (10**6, None)), n_records=1
    )
    history = independent_q_learning(matrix_game(payoffs), config, 20)
    mean, spread = payoffs[0].mean(axis=1), payoffs[0].std(axis=1)
    error = history.q[-1, :, 0, 0, :2].mean(axis=0) - mean
    assert (np.abs(error) < 5 * spread / np.sqrt(20 * 3_000)).all()
    assert (history.q[:, :, 0, 0, 2] == -np.inf).all()


UNEQUAL = GAMES["three unequal"]
FREQUENCY_CASES = {
    "greedy": (UNEQUAL, {"epsilon": 0.3}),
    "boltzmann": (UNEQUAL, {"temperature": 0.5}),
    "one temperature each": (UNEQUAL, {"temperature": (0.3, 1.0, 2.0)}),
    "distributed": (
        GAMES["two unequal"],
        {"epsilon": 0.4, "optimism": Distributed(), "initial_value": -4.0},
    ),
}


@pytest.mark.parametrize("case", FREQUENCY_CASES)
def test_behaviour_policies_are_the_frequencies_of_actions(case):
    """Tables that stand still after step 200, while the visits are still counted."""
    game, fields = FREQUENCY_CASES[case]
    config = IndependentConfig(
        4_200, lambda progress: 0.3 if progress.step < 200 else 0.0, time_limit=9, n_records=21
    )
    config = IndependentConfig(**{**vars(config), **fields})
    history = independent_q_learning(game, config, 20)
    assert np.array_equal(history.q[1], history.q[-1])
    policies = behaviour_policies(history, config)
    assert len(policies) == game.n_agents
    counts = (history.visits[-1] - history.visits[1]).astype(float)
    statistic, freedom = 0.0, 0
    for i, policy in enumerate(policies):
        assert policy.shape == (22, 20, game.n_states, game.n_actions[i])
        assert np.allclose(policy.sum(axis=-1), 1.0) and (policy >= 0).all()
        seen = counts[:, i, :, : game.n_actions[i]]
        expected = seen.sum(axis=-1, keepdims=True) * policy[1]
        assert not seen[policy[1] == 0].any()
        often = expected > 10
        statistic += ((seen - expected) ** 2 / np.where(often, expected, 1))[often].sum()
        # Each state with two or more such actions: one less than their number, at most.
        freedom += np.maximum(often.sum(axis=-1) - 1, 0).sum()
    assert freedom > 30
    assert abs(statistic - freedom) < 8 * np.sqrt(2 * freedom)


def test_behaviour_by_hand():
    q = np.array([[1.0, 3.0, 3.0], [0.0, -1.0, -np.inf]])
    assert behaviour(q, 0.3) == pytest.approx(np.array([[0.1, 0.8, 0.1], [0.85, 0.15, 0.0]]))
    assert behaviour(q, np.array([0.0, 1.0])).tolist() == [[0, 1, 0], [0.5, 0.5, 0]]
    e = np.exp(-1 / 2)
    boltzmann = behaviour(q, 0.3, np.array([1.0, 2.0]))
    soft = np.exp([-2, 0, 0]) / np.exp([-2, 0, 0]).sum()
    assert boltzmann == pytest.approx(np.array([soft, [1 / (1 + e), e / (1 + e), 0]]))


def test_behaviour_policies_follow_the_exploration_rate():
    config = IndependentConfig(400, 0.2, PerStep(1.0, 0.99, 0.05), n_records=4)
    history = independent_q_learning(GAMES["two cars"], config, 3)
    for i, policy in enumerate(behaviour_policies(history, config)):
        for k, step in enumerate((0, 100, 200, 300, 400)):
            epsilon = max(0.05, 0.99**step)
            for e in range(3):
                for s in range(10):
                    values = history.q[k, e, i, s].tolist()
                    expected = [epsilon / 2] * 2
                    expected[values.index(max(values))] += 1 - epsilon
                    assert policy[k, e, s] == pytest.approx(expected)


def test_greedy_actions_by_hand():
    config = IndependentConfig(200, 0.2, n_records=2)
    history = independent_q_learning(GAMES["three unequal"], config, 3)
    actions = greedy_actions(history)
    assert actions.shape == (3, 3, 3, 4)
    for at in np.ndindex(actions.shape):
        values = history.q[at].tolist()
        assert actions[at] == values.index(max(values))
    assert (actions[:, :, 1] == 0).all()  # this agent has one action


@pytest.mark.parametrize(
    ("fields", "recorded"),
    [
        ({}, 0.3),
        ({"optimism": Distributed()}, 0.3),
        ({"temperature": 0.5}, 0.0),
        ({"temperature": (0.5, 2.0), "optimism": Hysteretic()}, 0.0),
        ({"optimism": Lenient()}, 0.0),
    ],
)
def test_an_exploration_rate_that_is_not_used_is_recorded_as_zero(fields, recorded):
    config = IndependentConfig(60, 0.1, 0.3, n_records=3, **fields)
    history = independent_q_learning(GAMES["two cars"], config, 2)
    assert (history.epsilon == recorded).all() and history.epsilon.shape == (4, 2)
    if recorded == 0:  # nothing else depends on it
        other = independent_q_learning(GAMES["two cars"], replace(config, epsilon=0.9), 2)
        assert np.array_equal(history.q, other.q) and (other.epsilon == 0).all()


def test_what_settings_become():
    config = IndependentConfig(
        np.int64(10),
        [1, PerVisit(0.7)],
        temperature=[1, np.float32(0.5)],
        learns=[None, [np.int8(3), None]],
        memory=[np.int16(4), 1],
        batch_size=np.int64(2),
        optimism=Hysteretic(1),
    )
    assert config.step_size.parts == (Constant(1.0), PerVisit(0.7))
    assert config.temperature == (1.0, 0.5) and type(config.temperature[0]) is float
    assert config.learns == (None, (3, None)) and type(config.learns[1][0]) is int
    assert config.memory == (4, 1) and type(config.memory[0]) is int and config.batch_size == 2
    assert config.optimism.negative_step_size == Constant(1.0)
    single = IndependentConfig(temperature=2, memory=3)
    assert type(single.temperature) is float and single.memory == 3
    assert dataclasses.replace(config, n_steps=20).step_size is config.step_size


def test_when_agents_learn():
    config = IndependentConfig(learns=((0, 3), (2, None), None, (5, 6)))
    learning = [config.learning(step, 4).tolist() for step in range(7)]
    assert np.transpose(learning).tolist() == [
        [True, True, True, False, False, False, False],
        [False, False, True, True, True, True, True],
        [True] * 7,
        [False, False, False, False, False, True, False],
    ]
    assert IndependentConfig().learning(0, 3).tolist() == [True] * 3


def test_settings_of_plain_learners_carry_over():
    plain = TabularConfig(77, PerVisit(0.6), PerEpisode(1.0, 0.9), 9, False, 2.5, 11)
    config = as_independent_config(plain, 3)
    assert isinstance(config, IndependentConfig)
    for field in dataclasses.fields(TabularConfig):
        assert getattr(config, field.name) == getattr(plain, field.name)
    assert config.optimism is config.temperature is config.learns is None and config.memory == 1
    same = IndependentConfig(step_size=(0.1, 0.2))
    assert (
        as_independent_config(same, 2) is same
        and as_independent_config(None, 4) == IndependentConfig()
    )


def coin(high: float, low: float, chance: float):
    """One agent with one action that earns ``high`` with ``chance`` and ``low`` otherwise."""
    return lottery_game([[[high]], [[low]]], (chance, 1 - chance))


@pytest.mark.parametrize("high, low, chance", [(14.0, 0.0, 0.5), (3.0, -5.0, 0.2)])
def test_the_bias_of_hysteretic_learners(high, low, chance):
    """E[ΔQ] = p α (h - Q) + (1 - p) β (l - Q) is 0 at Q = (p α h + (1 - p) β l) / (p α + (1 - p) β).

    For rewards of two values the mean of Q at equilibrium is exactly that, since Q stays between the two. It is far from
    the expected reward.
    """
    alpha, beta = 0.02, 0.004
    config = IndependentConfig(
        4_000, alpha, initial_value=high, optimism=Hysteretic(beta), n_records=40
    )
    q = independent_q_learning(coin(high, low, chance), config, 100).q[20:, :, 0, 0, 0]
    up, down = chance * alpha, (1 - chance) * beta
    fixed = (up * high + down * low) / (up + down)
    # Variance of the stationary distribution, from E[(Q + ΔQ - Q*)^2] = E[(Q - Q*)^2], at most range^2 α / 2.
    assert abs(q.mean() - fixed) < 5 * (high - low) * math.sqrt(alpha / 2) / math.sqrt(100)
    assert abs(fixed - (chance * high + (1 - chance) * low)) > 1


def test_an_agent_that_never_hears_bad_news_remembers_the_best():
    for wrong in (0.0, Constant(0.0)):
        config = IndependentConfig(
            300, 0.5, initial_value=-1.0, optimism=Hysteretic(wrong), n_records=300
        )
        q = independent_q_learning(coin(14.0, 0.0, 0.5), config, 20).q[:, :, 0, 0, 0]
        assert (np.diff(q, axis=0) >= 0).all() and (q[-1] > 13.99).all()


def test_forgiveness_ends():
    """A hot learner ignores bad news and holds the best; when its entries are cold it knows the mean."""
    hot = Lenient(start=1e9, decay=1.0, diffusion=0.0)
    cold = Lenient(start=1e-3, decay=1.0, diffusion=0.0)
    fields = {"n_steps": 3_000, "step_size": 0.02, "n_records": 1, "initial_value": -1.0}
    game = coin(14.0, 0.0, 0.5)
    forgiving, plain = (
        independent_q_learning(game, IndependentConfig(**fields, optimism=optimism), 50)
        for optimism in (hot, cold)
    )
    usual = independent_q_learning(game, TabularConfig(**fields), 50)
    assert (forgiving.q[-1, :, 0, 0, 0] > 13.9).all()
    assert plain.q[-1, :, 0, 0, 0].mean() == pytest.approx(7.0, abs=5 * 7 * 0.1 / math.sqrt(50))
    assert usual.q[-1, :, 0, 0, 0].mean() == pytest.approx(7.0, abs=5 * 7 * 0.1 / math.sqrt(50))


def test_a_half_forgiving_learner():
    """Bad news counts with probability 1 - e^(-1/θT), as if its step size were α (1 - e^(-1/θT))."""
    theta, temperature, alpha = 2.0, 3.0, 0.02
    lenient = Lenient(temperature, 1.0, theta, 1e-6, 1.0, 0.0)
    config = IndependentConfig(6_000, alpha, optimism=lenient, initial_value=7.0, n_records=60)
    q = independent_q_learning(coin(14.0, 0.0, 0.5), config, 100).q[30:, :, 0, 0, 0]
    counts = 1 - math.exp(-1 / (theta * temperature))
    assert abs(q.mean() - 14 / (1 + counts)) < 5 * 14 * math.sqrt(alpha / 2) / math.sqrt(100)


@pytest.mark.parametrize(
    ("history", "config", "named"),
    [
        ("one agent", IndependentConfig(10, n_records=1), "history"),
        ("two cars", "config", "config"),
        ("two cars", IndependentConfig(optimism=Lenient()), "config"),
        ("two cars", IndependentConfig(temperature=(1, 2, 3)), "config: temperature has 3 entries"),
        ("two cars", IndependentConfig(correlated_exploration=True), "config: correlated_exploration"),
    ],
)  # fmt: skip
def test_whose_policies_are_not_known(history, config, named):
    history = independent_q_learning(GAMES[history], IndependentConfig(10, n_records=1), 1)
    history = history.without_agent_axis() if named == "history" else history
    with pytest.raises(ValueError, match=f"^{named}"):
        behaviour_policies(history, config)


@pytest.mark.parametrize("scale", [1.0, 100.0, 1e-9])
@pytest.mark.parametrize("initial_value", [0.0, -1e9])
def test_distributed_learners_take_no_news_from_rounding(scale, initial_value):
    """Two joint actions are worth .92: nobody leaves the first for the second because of the last digits of its value."""
    payoffs = scale * np.array([[0.87, 0.29, 0.6], [0.78, 0.72, 0.92], [0.86, 0.92, 0.03]])
    epsilon = Linear(1, 0.05, 3000, per="step")
    config = IndependentConfig(
        5000, 1.0, epsilon, None, initial_value=initial_value, optimism=Distributed(), n_records=1
    )
    history = independent_q_learning(matrix_game([payoffs, payoffs]), config, 200)
    row, column = greedy_actions(history)[-1, :, :, 0].T
    assert (payoffs[row, column] == payoffs.max()).all()
