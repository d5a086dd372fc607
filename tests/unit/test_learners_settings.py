"""Wrong settings of learners and planners are refused by name."""

import dataclasses

import numpy as np
import pytest
from random_games import random_game

from marl_lessons.algorithms import (
    IndependentConfig,
    PerVisit,
    TabularConfig,
    WolfConfig,
    independent_q_learning,
    minimax_q,
    q_learning,
    sarsa,
    wolf_phc,
)
from marl_lessons.algorithms.deep.iql import DeepIQLConfig
from marl_lessons.algorithms.tables.schedules import PerAgent
from marl_lessons.envs import MarkovGame, crossroads, soccer, two_cars
from marl_lessons.solvers import policy_evaluation, policy_iteration, value_iteration

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "name, values",
    [
        ("n_steps", (0, -1, 10.0, "10", None, True, NAN)),
        ("n_records", (0, -1, 2.5, "3", True, 20_001)),
        ("time_limit", (0, -1, 2.5, "3", True, NAN)),
        ("step_size", (-0.1, 1.1, NAN, INF, None, "fast", [0.1])),
        ("epsilon", (-0.1, 1.1, NAN, INF, None, "greedy", [0.1])),
        ("initial_value", (NAN, INF, None, "high", [0.0])),
    ],
)
def test_wrong_settings(name, values):
    for value in values:
        with pytest.raises(ValueError, match=name):
            TabularConfig(**{name: value})


@pytest.mark.parametrize("learner", [q_learning, sarsa, minimax_q, wolf_phc])
def test_learners_with_one_schedule_refuse_one_for_each_agent(learner):
    game = crossroads() if learner in (q_learning, sarsa) else soccer()
    kind = WolfConfig if learner is wolf_phc else TabularConfig
    for rates in ((0.1, 0.2), (0.1,), (PerVisit(), 0.1)):
        with pytest.raises(ValueError, match=r"^config: step_size is a PerAgent"):
            learner(game, kind(10, PerAgent("step_size", rates), n_records=1), 2)
    with pytest.raises(ValueError, match=r"^config: lose_rate is a PerAgent"):
        wolf_phc(game, WolfConfig(lose_rate=PerAgent("lose_rate", (0.1, 0.2, 0.3))), 2)


@pytest.mark.parametrize("kind", [TabularConfig, IndependentConfig, WolfConfig, DeepIQLConfig])
def test_exploration_needs_one_schedule_that_counts_no_visits(kind):
    with pytest.raises(ValueError, match=r"^epsilon: PerVisit"):
        kind(epsilon=PerVisit())
    with pytest.raises(ValueError, match=r"^epsilon: expected one number .* PerAgent with 2"):
        kind(epsilon=PerAgent("epsilon", (0.1, 0.2)))


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TabularConfig().n_steps = 5


@pytest.mark.parametrize("learner", [q_learning, sarsa, independent_q_learning])
@pytest.mark.parametrize("seeds", [0, -1, 2.5, None, [], [-1], "abc", True])
def test_wrong_seeds(learner, seeds):
    with pytest.raises(ValueError, match="seeds"):
        learner(crossroads(), TabularConfig(10, n_records=1), seeds)


def test_numbers_of_agents_and_actions():
    for learner in (q_learning, sarsa, value_iteration, policy_iteration):
        with pytest.raises(ValueError, match="mdp: has 2 agents"):
            learner(two_cars())
    with pytest.raises(ValueError, match="mdp: has 2 agents"):
        policy_evaluation(two_cars(), np.full((10, 2), 0.5))
    # Independent learners may differ: the shorter tables end with -inf.
    game = random_game(np.random.default_rng(0), 3, (2, 3))
    history = independent_q_learning(game, TabularConfig(50, n_records=1), 2)
    assert history.q.shape == (2, 2, 2, 3, 3) and not history.visits[:, :, 0, :, 2].any()
    assert (history.q[:, :, 0, :, 2] == -np.inf).all()
    assert np.isfinite(history.q[:, :, 0, :, :2]).all() and np.isfinite(history.q[:, :, 1]).all()


UNIFORM = np.full((32, 2), 0.5)


@pytest.mark.parametrize("mdp", [None, "mdp", 3, np.zeros((2, 2)), {}])
def test_planners_want_a_game(mdp):
    for use in (value_iteration, policy_iteration, lambda m: policy_evaluation(m, UNIFORM)):
        with pytest.raises(ValueError, match="mdp"):
            use(mdp)


@pytest.mark.parametrize(
    "policy",
    [
        None,
        "best",
        1.0,
        UNIFORM[:-1],
        UNIFORM[:, :1],
        UNIFORM.T,
        UNIFORM * 1.1,
        -UNIFORM,
        UNIFORM * NAN,
        [[1.0], [0.5, 0.5]],
    ],
)
def test_wrong_policies(policy):
    with pytest.raises(ValueError, match="policy"):
        policy_evaluation(crossroads(), policy)
    if policy is not None:
        with pytest.raises(ValueError, match="policy"):
            policy_iteration(crossroads(), policy)


@pytest.mark.parametrize(
    "name, values",
    [("tolerance", (0, -1e-9, NAN, None, "x", [1])), ("max_sweeps", (0, -1, 2.0, "9", None, True))],
)
def test_wrong_accuracy(name, values):
    for value in values:
        with pytest.raises(ValueError, match=name):
            value_iteration(crossroads(), **{name: value})
        with pytest.raises(ValueError, match=name):
            policy_evaluation(crossroads(), UNIFORM, "iterative", **{name: value})


@pytest.mark.parametrize("method", [None, "Linear", "", 1, ["linear"]])
def test_wrong_method(method):
    with pytest.raises(ValueError, match="method"):
        policy_evaluation(crossroads(), UNIFORM, method)


class Table:
    """An environment with the given attributes."""

    def __init__(self, **attributes):
        vars(self).update(attributes)


SURE = {0: {0: [(1.0, 0, 0.0, False)]}}


@pytest.mark.parametrize(
    "env",
    [
        None,
        3,
        "env",
        Table(),
        Table(P=None),
        Table(P={}),
        Table(P=[1]),
        Table(P=SURE),
        Table(P={1: {0: [(1.0, 1, 0.0, False)]}}, initial_state_distrib=[1.0]),
        Table(
            P={0: {0: [(1.0, 0, 0.0, False)]}, 1: {1: [(1.0, 0, 0.0, False)]}},
            initial_state_distrib=[1.0, 0.0],
        ),
        Table(P={0: {0: [(1.0, 5, 0.0, False)]}}, initial_state_distrib=[1.0]),
        Table(P={0: {0: [(1.0, -1, 0.0, False)]}}, initial_state_distrib=[1.0]),
        Table(P=SURE, initial_state_distrib=[0.5, 0.5]),
        Table(P=SURE, initial_state_distrib="x"),
    ],
)
def test_wrong_environments(env):
    with pytest.raises(ValueError, match="env"):
        MarkovGame.from_gymnasium(env, 0.9)


@pytest.mark.parametrize(
    "name, use",
    [
        ("mdp", lambda: q_learning("mdp")),
        ("mdp", lambda: sarsa(None)),
        ("game", lambda: independent_q_learning(None)),
        ("config", lambda: q_learning(crossroads(), {"n_steps": 5}, 1)),
        ("config", lambda: q_learning(crossroads(), {}, 1)),
        ("config", lambda: sarsa(crossroads(), 0, 1)),
        ("config", lambda: independent_q_learning(two_cars(), TabularConfig, 1)),
        ("bootstrap", lambda: TabularConfig(bootstrap_on_truncation="no")),
        ("bootstrap", lambda: TabularConfig(bootstrap_on_truncation=None)),
        ("initial_value", lambda: TabularConfig(initial_value="1")),
        ("tolerance", lambda: policy_evaluation(crossroads(), UNIFORM, tolerance="x")),
        ("max_sweeps", lambda: policy_evaluation(crossroads(), UNIFORM, max_sweeps=0)),
    ],
)
def test_refused_by_name(name, use):
    with pytest.raises(ValueError, match=name):
        use()


@pytest.mark.parametrize(
    "table",
    [
        {0: 5},
        {1: {0: [(1.0, 0, 0.0, False)]}, 0: 5},
        {"a": {}, 0: {}},
        {"a": {0: [(1.0, 0, 0.0, False)]}},
        {0: {}},
        {0: {"go": [(1.0, 0, 0.0, False)]}},
        {0: {0: None}},
        {0: {0: "ab"}},
        {0: {0: []}},
        {0: {0: [5]}},
        {0: {0: [(1.0, 0)]}},
        {0: {0: [(1.0, 0, 0.0, False, "more")]}},
        {0: {0: [("1.0", 0, 0.0, False)]}},
        {0: {0: [(NAN, 0, 0.0, False)]}},
        {0: {0: [(-0.5, 0, 0.0, False), (1.5, 0, 0.0, False)]}},
        {0: {0: [(0.5, 0, 0.0, False)]}},
        {0: {0: [(1.0, 0, 0.0, False), (0.5, 0, 0.0, False)]}},
        {0: {0: [(1.0, 0.0, 0.0, False)]}},
        {0: {0: [(1.0, None, 0.0, False)]}},
        {0: {0: [(1.0, 0, "much", False)]}},
        {0: {0: [(1.0, 0, INF, False)]}},
        {0: {0: [(1.0, 0, 0.0, "no")]}},
    ],
)
def test_malformed_transition_tables(table):
    env = Table(P=table, initial_state_distrib=np.eye(len(table))[0])
    with pytest.raises(ValueError, match=r"^env"):
        MarkovGame.from_gymnasium(env, 0.9)


@pytest.mark.parametrize("start", [[0.5], [1.5], [NAN], ["1"], [[1.0]], [-1.0], [0.5, 0.5], {}])
def test_malformed_starts(start):
    with pytest.raises(ValueError, match=r"^env"):
        MarkovGame.from_gymnasium(Table(P=SURE, initial_state_distrib=start), 0.9)


def test_none_stands_for_the_defaults():
    short = TabularConfig(np.int64(10), np.float32(0.5), 1, np.int8(3), np.True_, 2, np.int16(1))
    assert (type(short.n_steps), type(short.time_limit), type(short.n_records)) == (int, int, int)
    assert short.bootstrap_on_truncation is True and type(short.initial_value) is float
    default = q_learning(crossroads(distance=1), None, 1)
    explicit = q_learning(crossroads(distance=1), TabularConfig(), 1)
    assert np.array_equal(default.q, explicit.q)
