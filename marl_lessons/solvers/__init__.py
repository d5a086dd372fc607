"""Exact answers: what policies are worth, which are best, and where nobody wants to change, when the model is known."""

from marl_lessons.solvers.backward_induction import MarkovEquilibrium, stationary_equilibria
from marl_lessons.solvers.bellman import (
    action_values,
    expectation_backup,
    greedy_policy,
    optimality_backup,
)
from marl_lessons.solvers.correlated import (
    CorrelatedEquilibrium,
    correlated_equilibrium,
    is_correlated_equilibrium,
)
from marl_lessons.solvers.dominance import dominated_actions, iterated_elimination, pareto_set
from marl_lessons.solvers.joint_policies import best_response, joint_policy_evaluation
from marl_lessons.solvers.nash import Equilibrium, NashEquilibria, nash_equilibria
from marl_lessons.solvers.policy_evaluation import policy_evaluation
from marl_lessons.solvers.policy_iteration import policy_iteration
from marl_lessons.solvers.shapley import (
    ZeroSumSolution,
    shapley_iteration,
)
from marl_lessons.solvers.solution import Solution
from marl_lessons.solvers.strategies import action_payoffs, best_actions, expected_payoffs
from marl_lessons.solvers.value_iteration import value_iteration
from marl_lessons.solvers.zero_sum import (
    Security,
    ZeroSum,
    maxmin,
    solve_zero_sum,
)

__all__ = [
    "CorrelatedEquilibrium",
    "Equilibrium",
    "MarkovEquilibrium",
    "NashEquilibria",
    "Security",
    "Solution",
    "ZeroSum",
    "ZeroSumSolution",
    "action_payoffs",
    "action_values",
    "best_actions",
    "best_response",
    "correlated_equilibrium",
    "dominated_actions",
    "expectation_backup",
    "expected_payoffs",
    "greedy_policy",
    "is_correlated_equilibrium",
    "iterated_elimination",
    "joint_policy_evaluation",
    "maxmin",
    "nash_equilibria",
    "optimality_backup",
    "pareto_set",
    "policy_evaluation",
    "policy_iteration",
    "shapley_iteration",
    "solve_zero_sum",
    "stationary_equilibria",
    "value_iteration",
]
