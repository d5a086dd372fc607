"""What a planner returns, and the check that it was given one agent only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.checks import as_distributions
from marl_lessons.envs.markov_game import MarkovGame, check_game


@dataclass(frozen=True, eq=False)
class Solution:
    """Values and policy of an MDP with S states and A actions, and how they were reached.

    v ``[S]``, q ``[S, A]``: state and action values; terminal states have value 0.
    policy ``[S, A]``: the policy evaluated, or a greedy one.
    history ``[K+1, S]``: the values at the start and after each of K sweeps (policy iteration: of each policy in turn).
    policies ``[K+1, S, A]``: policy iteration's policies, one for each row of ``history``; None for the other methods.
    error_bound: a guaranteed bound on max_s |v(s) - true value|, apart from the rounding of the arithmetic; ``inf`` where
    theory gives none.
    """

    v: np.ndarray
    q: np.ndarray
    policy: np.ndarray
    history: np.ndarray
    policies: np.ndarray | None
    error_bound: float

    @property
    def sweeps(self) -> int:
        """Number of sweeps (or improvements) made, K."""
        return len(self.history) - 1


def check_mdp(mdp: MarkovGame) -> tuple[np.ndarray, np.ndarray]:
    """``transition[S, A, S]`` and ``reward[S, A]`` of ``mdp``; raises ValueError naming ``mdp``, also for several agents."""
    if not check_game("mdp", mdp).is_mdp:
        raise ValueError(
            f"mdp: has {mdp.n_agents} agents; fix the others' policies with induced_mdp first"
        )
    return mdp.joint_transition, mdp.joint_reward[0]


def check_policy(mdp: MarkovGame, policy) -> np.ndarray:
    """``policy`` as an array ``[S, A]`` of distributions; raises ValueError naming ``policy``."""
    return as_distributions("policy", policy, (mdp.n_states, mdp.n_actions[0]))
