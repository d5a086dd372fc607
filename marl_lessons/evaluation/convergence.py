"""How close a tabular learner is to the exact answer, while it learns."""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.history import History
from marl_lessons.checks import as_float_array
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.solvers.solution import check_mdp


def reachable_states(mdp: MarkovGame) -> np.ndarray:
    """``[S]`` booleans: non-terminal states that some policy can reach from the initial ones.

    Raises ValueError naming ``mdp`` for anything that is no game.
    """
    possible = (check_game("mdp", mdp).joint_transition > 0).any(axis=1)
    reached = mdp.initial > 0
    while True:
        larger = reached | (reached & ~mdp.terminal) @ possible
        if np.array_equal(larger, reached):
            return reached & ~mdp.terminal
        reached = larger


def distance_to_optimum(history: History, mdp: MarkovGame, optimal_q: np.ndarray) -> np.ndarray:
    """``[K+1, E]``: max |Q - Q*| over reachable states and all actions, as a fraction of Q*'s range.

    ``optimal_q[S, A]`` exact values. The range is the largest minus the smallest entry of Q* over the same states: 0.05
    means that no entry is off by more than 5 % of it. Raises ValueError naming the argument, if history and mdp do not
    belong together, and for a range of zero.
    """
    size = check_mdp(mdp)[1].shape
    if not isinstance(history, History) or history.q.ndim != 4:
        raise ValueError("history: expected a History of one agent, as q_learning returns it")
    if history.q.shape[2:] != size:
        raise ValueError(
            f"mdp: has {size[0]} states and {size[1]} actions, the tables of history {history.q.shape[2:]}"
        )
    optimal_q = as_float_array("optimal_q", optimal_q, size)
    where = reachable_states(mdp)
    value_range = np.ptp(optimal_q[where])
    if value_range == 0:
        raise ValueError(
            "optimal_q: all reachable values are equal, so a fraction of their range is undefined"
        )
    return np.abs(history.q[:, :, where] - optimal_q[where]).max(axis=(2, 3)) / value_range


def greedy_return(q: np.ndarray, mdp: MarkovGame) -> np.ndarray:
    """``[...]``: exact expected return from the start of the greedy policy of each table ``q[..., S, A]``.

    No simulation: the linear system of policy evaluation, solved once for every policy that occurs. The discount must be below 1,
    because a greedy policy of a half-learned table may never end. Raises ValueError naming ``q`` or ``mdp``.
    """
    transition, reward = check_mdp(mdp)
    q = as_float_array("q", q, (..., *reward.shape))
    if mdp.discount >= 1:
        raise ValueError(
            "mdp: discount is 1, and a greedy policy may never end; use a discount below 1"
        )
    actions = q.argmax(axis=-1)
    policies, which = np.unique(actions.reshape(-1, mdp.n_states), axis=0, return_inverse=True)
    states, identity = np.arange(mdp.n_states), np.eye(mdp.n_states)
    values = [
        np.linalg.solve(
            identity - mdp.discount * transition[states, chosen], reward[states, chosen]
        )
        for chosen in policies
    ]
    return (np.array(values) @ mdp.initial)[which.reshape(actions.shape[:-1])]
