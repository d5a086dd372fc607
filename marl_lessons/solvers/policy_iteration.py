"""Policy iteration: evaluate, improve, repeat; it stops after finitely many improvements."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.solvers.bellman import greedy_policy
from marl_lessons.solvers.horizon import largest_horizon
from marl_lessons.solvers.policy_evaluation import policy_evaluation
from marl_lessons.solvers.solution import Solution, check_mdp, check_policy


def improve(q: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """``policy[S, A]``, changed to a greedy action in the states where that is strictly better under ``q[S, A]``.

    Keeping the old action on a tie makes policy iteration stop, and keeps a policy that terminates one that terminates
    (Sutton & Barto 2018, Sec. 4.2-4.3; ties: Exercise 4.4).
    """
    advantage = q.max(axis=1) - (policy * q).sum(axis=1)
    tie = advantage <= 1e-12 * (1 + np.abs(q).max())
    return np.where(tie[:, None], policy, greedy_policy(q))


def policy_iteration(mdp: MarkovGame, policy: np.ndarray | None = None) -> Solution:
    """An optimal policy of ``mdp`` and its value (Howard 1960; Sutton & Barto 2018, Sec. 4.3).

    ``policy[S, A]`` is where to begin; by default every state takes the action that may bring a terminal state closest
    (or action 0 where there is none), a policy that terminates if any does. With γ = 1 and ``episodic=True`` the answer is
    right under the promise that policies which never terminate are no better than the best one that does.

    The policies improve until none of their advantages exceeds the error of rounding, or until rounding brings an earlier
    policy back. ``error_bound`` is honest about what is left: the largest remaining advantage δ times the largest horizon
    (:mod:`.horizon`), ``inf`` where that is infinite, and 0 where δ is no more than rounding: the values are then exact
    up to rounding.

    Raises ValueError naming the argument, and for a policy that does not terminate at γ = 1.
    """
    check_mdp(mdp)
    policy = towards_the_end(mdp) if policy is None else check_policy(mdp, policy)
    history, policies, seen = [], [], set()
    while policy.tobytes() not in seen:
        evaluated = policy_evaluation(mdp, policy)
        history.append(evaluated.v)
        policies.append(policy)
        seen.add(policy.tobytes())
        policy = improve(evaluated.q, policy)
    return replace(
        evaluated,
        policy=policies[-1],
        history=np.array(history),
        policies=np.array(policies),
        error_bound=_error_bound(mdp, evaluated.q, policies[-1]),
    )


def _error_bound(mdp: MarkovGame, q: np.ndarray, policy: np.ndarray) -> float:
    """How far the value of ``policy`` may be below the optimum: V* ≤ V^π + δ·h, if no advantage in ``q`` exceeds δ."""
    left = float((q.max(axis=1) - (policy * q).sum(axis=1)).max())
    return 0.0 if left <= 1e-13 * (1 + np.abs(q).max()) else left * largest_horizon(mdp)


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
