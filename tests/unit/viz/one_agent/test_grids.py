"""Paths on the cliff are those of the greedy policy."""

from __future__ import annotations

import numpy as np

from marl_lessons.envs import cliff_walking
from marl_lessons.solvers import policy_iteration
from marl_lessons.viz.one_agent.grids import greedy_path


def test_greedy_path_walks_the_optimal_policy_to_the_goal() -> None:
    cliff = cliff_walking()
    path = greedy_path(cliff, policy_iteration(cliff).q)
    assert len(path) == 14 and path[0] == (3, 0) and path[-1] == (3, 11)
    assert all(row == 2 for row, _ in path[1:-1])


def test_a_path_that_never_arrives_is_cut() -> None:
    cliff = cliff_walking()
    assert len(greedy_path(cliff, np.zeros((48, 4)), longest=10)) == 11
