"""Wrong settings of learners and planners are refused by name."""

import dataclasses

import numpy as np
import pytest
from random_games import random_game

from marl_lessons.algorithms import TabularConfig, independent_q_learning, q_learning, sarsa
from marl_lessons.envs import crossroads, from_gymnasium, two_cars
from marl_lessons.solvers import policy_evaluation, policy_iteration, value_iteration

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "name, values",
    [
        ("n_steps", (0, -1, 10.0, "10", None, True, NAN)),
        ("n_records", (0, -1, 2.5, "3", None, True, 20_001)),
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
    with pytest.raises(ValueError, match="game: agents have different numbers of actions"):
        independent_q_learning(random_game(np.random.default_rng(0), 3, (2, 3)))


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
        from_gymnasium(env, 0.9)


@pytest.mark.parametrize(
    "name, use",
    [
        pytest.param("mdp", lambda: q_learning("mdp"), id="mdp: AttributeError"),
        pytest.param("game", lambda: independent_q_learning(None), id="game: AttributeError"),
        pytest.param(
            "config",
            lambda: q_learning(crossroads(), {"n_steps": 5}, 1),
            id="config: AttributeError",
        ),
        pytest.param(
            "config",
            lambda: q_learning(crossroads(), {}, 1),
            id="config: anything false is the default",
        ),
        pytest.param(
            "bootstrap",
            lambda: TabularConfig(bootstrap_on_truncation="no"),
            id="bootstrap: text is true",
        ),
        pytest.param(
            "tolerance",
            lambda: policy_evaluation(crossroads(), UNIFORM, tolerance="x"),
            id="tolerance: unused, unchecked",
        ),
        pytest.param("env", lambda: from_gymnasium(Table(P={0: 5}), 0.9), id="env: TypeError"),
        pytest.param(
            "env", lambda: from_gymnasium(Table(P={0: {0: [(1.0, 0)]}}), 0.9), id="env: short rows"
        ),
        pytest.param(
            "env",
            lambda: from_gymnasium(Table(P={"a": {}, 0: {}}), 0.9),
            id="env: keys of two types",
        ),
    ],
)
@pytest.mark.xfail(
    strict=True,
    reason="accepted, or another exception, or a ValueError without the argument's name",
)
def test_refused_by_name(name, use):
    with pytest.raises(ValueError, match=name):
        use()
