"""Exact answers: what a policy is worth, and which policy is best, when the model is known."""

from marl_lessons.solvers.bellman import (
    action_values,
    expectation_backup,
    greedy_policy,
    optimality_backup,
)
from marl_lessons.solvers.policy_evaluation import policy_evaluation
from marl_lessons.solvers.policy_iteration import policy_iteration
from marl_lessons.solvers.solution import Solution
from marl_lessons.solvers.value_iteration import value_iteration

__all__ = [
    "Solution",
    "action_values",
    "expectation_backup",
    "greedy_policy",
    "optimality_backup",
    "policy_evaluation",
    "policy_iteration",
    "value_iteration",
]
