"""Policy iteration: evaluate, improve, repeat; exact after finitely many improvements."""

from __future__ import annotations

import numpy as np

from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.solvers.bellman import action_values, greedy_policy
from marl_lessons.solvers.policy_evaluation import policy_evaluation
from marl_lessons.solvers.solution import Solution, check_mdp, check_policy


def improve(q: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """``policy[S, A]``, changed to a greedy action in the states where that is strictly better under ``q[S, A]``.

    Keeping the old action on a tie makes policy iteration stop, and keeps a policy that terminates one that terminates
    (Sutton & Barto 2018, Sec. 4.2-4.3; ties: Exercise 4.4).
    """
    advantage = q.max(axis=1) - (policy * q).sum(axis=1)
    tie = advantage <= 1e-10 * (1 + np.abs(q).max(axis=1))
    return np.where(tie[:, None], policy, greedy_policy(q))


def policy_iteration(mdp: MarkovGame, policy: np.ndarray | None = None) -> Solution:
    """An optimal policy of ``mdp`` and its value, exact up to rounding (Howard 1960; Sutton & Barto 2018, Sec. 4.3).

    ``policy[S, A]`` is where to begin; by default every state takes the action that may bring a terminal state closest
    (or action 0 where there is none), a policy that terminates if any does. With γ = 1 and ``episodic=True`` the answer is
    right under the promise that policies which never terminate are no better than the best one that does.

    Raises ValueError naming the argument, and for a policy that does not terminate at γ = 1.
    """
    transition, reward = check_mdp(mdp)
    policy = towards_the_end(mdp) if policy is None else check_policy(mdp, policy)
    history, policies = [], []
    while True:
        evaluated = policy_evaluation(mdp, policy)
        history.append(evaluated.v)
        improved = improve(evaluated.q, policy)
        policies.append(policy)
        if np.array_equal(improved, policy):
            q = action_values(evaluated.v, transition, reward, mdp.discount)
            return Solution(evaluated.v, q, policy, np.array(history), np.array(policies), 0.0)
        policy = improved


def towards_the_end(mdp: MarkovGame) -> np.ndarray:
    """``policy[S, A]``: the action that leads, with positive probability, one step closer to a terminal state.

    States from which none is reachable take action 0.
    """
    possible = mdp.joint_transition > 0
    closer, action = mdp.terminal.copy(), np.zeros(mdp.n_states, dtype=int)
    while True:
        leads = possible[:, :, closer].any(axis=2)
        new = leads.any(axis=1) & ~closer
        if not new.any():
            return np.eye(possible.shape[1])[action]
        action[new] = leads.argmax(axis=1)[new]
        closer |= new
