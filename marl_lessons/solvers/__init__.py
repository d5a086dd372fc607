"""Exact answers: what policies are worth, which are best, and where nobody wants to change, when the model is known."""

from marl_lessons.solvers.markov_games import (
    MarkovEquilibrium,
    ZeroSumSolution,
    best_response,
    joint_policy_evaluation,
    shapley_iteration,
    stationary_equilibria,
)
from marl_lessons.solvers.matrix_games import (
    CorrelatedEquilibrium,
    Equilibrium,
    NashEquilibria,
    correlated_equilibrium,
    dominated_actions,
    expected_payoffs,
    is_correlated_equilibrium,
    iterated_elimination,
    nash_equilibria,
    pareto_set,
)
from marl_lessons.solvers.planning import (
    Solution,
    action_values,
    expectation_backup,
    greedy_policy,
    optimality_backup,
    policy_evaluation,
    policy_iteration,
    value_iteration,
)
from marl_lessons.solvers.zero_sum import (
    Security,
    ZeroSum,
    maxmin,
    solve_zero_sum,
)
