"""How close a tabular learner is to the exact answer, while it learns."""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.history import History
from marl_lessons.checks import as_float_array
from marl_lessons.envs.markov_game import MarkovGame


def reachable_states(mdp: MarkovGame) -> np.ndarray:
    """``[S]`` booleans: non-terminal states that some policy can reach from the initial ones."""
    possible = (mdp.joint_transition > 0).any(axis=1)
    reached = mdp.initial > 0
    while True:
        larger = reached | (reached & ~mdp.terminal) @ possible
        if np.array_equal(larger, reached):
            return reached & ~mdp.terminal
        reached = larger


def distance_to_optimum(history: History, mdp: MarkovGame, optimal_q: np.ndarray) -> np.ndarray:
    """``[K+1, E]``: max |Q - Q*| over reachable states and all actions, as a fraction of Q*'s range.

    ``optimal_q[S, A]`` exact values. The range is the largest minus the smallest entry of Q* over the same states: 0.05
    means that no entry is off by more than 5 % of it. Raises ValueError for another shape or a range of zero.
    """
    optimal_q = as_float_array("optimal_q", optimal_q, history.q.shape[2:])
    where = reachable_states(mdp)
    value_range = np.ptp(optimal_q[where])
    if value_range == 0:
        raise ValueError(
            "optimal_q: all reachable values are equal, so a fraction of their range is undefined"
        )
    return np.abs(history.q[:, :, where] - optimal_q[where]).max(axis=(2, 3)) / value_range


def greedy_return(q: np.ndarray, mdp: MarkovGame) -> np.ndarray:
    """``[...]``: exact expected return from the start of the greedy policy of each table ``q[..., S, A]``.

    No simulation: the linear system of policy evaluation, solved for all tables at once. The discount must be below 1,
    because a greedy policy of a half-learned table may never end; raises ValueError otherwise.
    """
    if mdp.discount >= 1:
        raise ValueError(
            "mdp: discount is 1, and a greedy policy may never end; use a discount below 1"
        )
    states = np.arange(mdp.n_states)
    action = np.asarray(q).argmax(axis=-1)
    chain, reward = mdp.joint_transition[states, action], mdp.joint_reward[0][states, action]
    values = np.linalg.solve(np.eye(mdp.n_states) - mdp.discount * chain, reward[..., None])[..., 0]
    return values @ mdp.initial
