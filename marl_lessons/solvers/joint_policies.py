"""Markov games of several agents, exactly: what joint policies are worth, and the best response to the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.solvers.horizon import check_termination
from marl_lessons.solvers.policy_iteration import policy_iteration
from marl_lessons.solvers.solution import Solution


def joint_policy_evaluation(game: MarkovGame, policies: Sequence[np.ndarray]) -> np.ndarray:
    """``v[n, S]``: every agent's value in every state when agent j keeps to ``policies[j][S, A_j]``.

    V_i^π = (I - γ T^π)^-1 R_i^π, with the chain T^π and the rewards R_i^π averaged over the joint policy
    (Albrecht et al. 2024, Sec. 4.1). Raises ValueError naming ``game`` or ``policies``, and for policies that never
    terminate at γ = 1.
    """
    joint = check_game("game", game).joint_policy(policies)
    chain = np.einsum("sa,sat->st", joint, game.joint_transition)
    check_termination(game, chain)
    reward = np.einsum("sa,nsa->ns", joint, game.joint_reward)
    alive = ~game.terminal
    v = np.zeros((game.n_agents, game.n_states))
    system = np.eye(alive.sum()) - game.discount * chain[np.ix_(alive, alive)]
    v[:, alive] = np.linalg.solve(system, reward[:, alive].T).T
    return v


def best_response(game: MarkovGame, agent: int, policies: Sequence[np.ndarray | None]) -> Solution:
    """The best that ``agent`` can do while every other agent j keeps to ``policies[j][S, A_j]``: an MDP, solved exactly.

    BR_i(π_-i) is an optimal policy of the induced MDP (Albrecht et al. 2024, Sec. 4.2 and 5.3.2). ``policies[agent]`` is
    ignored and may be None. Raises ValueError naming ``game``, ``agent`` or ``policies``.
    """
    return policy_iteration(check_game("game", game).induced_mdp(agent, policies, outcomes=False))
