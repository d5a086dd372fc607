"""Wrong settings of planners and environments are refused by name."""

import numpy as np
import pytest

from marl_lessons.envs import MarkovGame, crossroads, two_cars
from marl_lessons.solvers import policy_evaluation, policy_iteration, value_iteration

NAN, INF = float("nan"), float("inf")


UNIFORM = np.full((32, 2), 0.5)


@pytest.mark.parametrize("mdp", [None, "mdp", 3, np.zeros((2, 2)), {}])
def test_planners_want_a_game(mdp):
    for use in (value_iteration, policy_iteration, lambda m: policy_evaluation(m, UNIFORM)):
        with pytest.raises(ValueError, match="mdp"):
            use(mdp)


@pytest.mark.parametrize("policy", [
    None, "best", 1.0, UNIFORM[:-1], UNIFORM[:, :1], UNIFORM.T, UNIFORM * 1.1, -UNIFORM, UNIFORM * NAN,
    [[1.0], [0.5, 0.5]],
])  # fmt: skip
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


@pytest.mark.parametrize("env", [
    None, 3, "env", Table(), Table(P=None), Table(P={}), Table(P=[1]), Table(P=SURE),
    Table(P={1: {0: [(1.0, 1, 0.0, False)]}}, initial_state_distrib=[1.0]),
    Table(P={0: {0: [(1.0, 0, 0.0, False)]}, 1: {1: [(1.0, 0, 0.0, False)]}}, initial_state_distrib=[1.0, 0.0]),
    Table(P={0: {0: [(1.0, 5, 0.0, False)]}}, initial_state_distrib=[1.0]),
    Table(P={0: {0: [(1.0, -1, 0.0, False)]}}, initial_state_distrib=[1.0]),
    Table(P=SURE, initial_state_distrib=[0.5, 0.5]), Table(P=SURE, initial_state_distrib="x"),
])  # fmt: skip
def test_wrong_environments(env):
    with pytest.raises(ValueError, match="env"):
        MarkovGame.from_gymnasium(env, 0.9)


@pytest.mark.parametrize("name, use", [
    ("tolerance", lambda: policy_evaluation(crossroads(), UNIFORM, tolerance="x")),
    ("max_sweeps", lambda: policy_evaluation(crossroads(), UNIFORM, max_sweeps=0)),
])  # fmt: skip
def test_refused_by_name(name, use):
    with pytest.raises(ValueError, match=name):
        use()


@pytest.mark.parametrize("table", [
    {0: 5}, {1: {0: [(1.0, 0, 0.0, False)]}, 0: 5}, {"a": {}, 0: {}}, {"a": {0: [(1.0, 0, 0.0, False)]}}, {0: {}},
    {0: {"go": [(1.0, 0, 0.0, False)]}}, {0: {0: None}}, {0: {0: "ab"}}, {0: {0: []}}, {0: {0: [5]}},
    {0: {0: [(1.0, 0)]}}, {0: {0: [(1.0, 0, 0.0, False, "more")]}}, {0: {0: [("1.0", 0, 0.0, False)]}},
    {0: {0: [(NAN, 0, 0.0, False)]}}, {0: {0: [(-0.5, 0, 0.0, False), (1.5, 0, 0.0, False)]}},
    {0: {0: [(0.5, 0, 0.0, False)]}}, {0: {0: [(1.0, 0, 0.0, False), (0.5, 0, 0.0, False)]}},
    {0: {0: [(1.0, 0.0, 0.0, False)]}}, {0: {0: [(1.0, None, 0.0, False)]}}, {0: {0: [(1.0, 0, "much", False)]}},
    {0: {0: [(1.0, 0, INF, False)]}}, {0: {0: [(1.0, 0, 0.0, "no")]}},
])  # fmt: skip
def test_malformed_transition_tables(table):
    env = Table(P=table, initial_state_distrib=np.eye(len(table))[0])
    with pytest.raises(ValueError, match=r"^env"):
        MarkovGame.from_gymnasium(env, 0.9)


@pytest.mark.parametrize("start", [[0.5], [1.5], [NAN], ["1"], [[1.0]], [-1.0], [0.5, 0.5], {}])
def test_malformed_starts(start):
    with pytest.raises(ValueError, match=r"^env"):
        MarkovGame.from_gymnasium(Table(P=SURE, initial_state_distrib=start), 0.9)


@pytest.mark.parametrize("planner", [value_iteration, policy_iteration])
def test_planners_want_one_agent(planner):
    with pytest.raises(ValueError, match="mdp: has 2 agents"):
        planner(two_cars())
    with pytest.raises(ValueError, match="mdp: has 2 agents"):
        policy_evaluation(two_cars(), np.full((10, 2), 0.5))
