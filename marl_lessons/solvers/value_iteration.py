"""Value iteration: repeat the optimality backup until the answer is as accurate as asked."""

from __future__ import annotations

from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.solvers.bellman import action_values, greedy_policy, optimality_backup
from marl_lessons.solvers.horizon import largest_horizon
from marl_lessons.solvers.policy_evaluation import sweep_until
from marl_lessons.solvers.solution import Solution, check_mdp


def value_iteration(
    mdp: MarkovGame, tolerance: float = 1e-8, max_sweeps: int = 100_000
) -> Solution:
    """Optimal values of ``mdp``, each within ``tolerance`` of the truth (Sutton & Barto 2018, Sec. 4.4).

    The optimality backup is a contraction: with discount γ it brings any two value functions closer by the factor γ. So if
    one sweep changes no value by more than δ, the values after it are within γ/(1-γ) · δ of the optimum, and that is when
    the sweeps stop. For γ = 1 and an MDP in which every policy terminates, γ/(1-γ) is replaced by h - 1, h being the longest
    expected time to termination. Where some policy never terminates (``episodic=True``) neither holds: ``error_bound`` is
    then ``inf``, and :func:`policy_iteration` is the method of choice.

    Raises ValueError naming the argument, for several agents, and if ``max_sweeps`` sweeps do not suffice.
    """
    transition, reward = check_mdp(mdp)
    tolerance = as_number("tolerance", tolerance, 0.0, open_low=True)
    max_sweeps = as_count("max_sweeps", max_sweeps)
    sweep = lambda v: optimality_backup(v, transition, reward, mdp.discount)  # noqa: E731
    history, bound = sweep_until(sweep, mdp.n_states, largest_horizon(mdp), tolerance, max_sweeps)
    q = action_values(history[-1], transition, reward, mdp.discount)
    return Solution(history[-1], q, greedy_policy(q), history, None, bound)
