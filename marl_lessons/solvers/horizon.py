"""How many steps the future counts for: the constant that turns a residual into a guaranteed error.

Pure functions of games, policies and chains that their callers have checked: they check no types or shapes themselves.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.termination import (
    states_that_can_avoid_the_end,
    states_that_cannot_reach_the_end,
)


def policy_horizon(mdp: MarkovGame, policy: np.ndarray) -> float:
    """Expected discounted number of steps to termination under ``policy[S, A]``, the largest over states.

    h(s) = 1 + γ Σ_s' T^π(s'|s) h(s') for non-terminal s, so h ≤ 1/(1-γ). Raises ValueError if γ = 1 and the policy does
    not terminate from some state, because the return is then an infinite sum.
    """
    chain = np.einsum("sa,sat->st", policy, mdp.joint_transition)
    check_termination(mdp, chain)
    alive = ~mdp.terminal
    system = np.eye(int(alive.sum())) - mdp.discount * chain[np.ix_(alive, alive)]
    return float(np.linalg.solve(system, np.ones(len(system))).max(initial=1.0))


def largest_horizon(mdp: MarkovGame) -> float:
    """The largest :func:`policy_horizon` over all policies; ``inf`` if γ = 1 and some policy never terminates.

    For γ < 1 the bound 1/(1-γ) is returned. For γ = 1, policy iteration on the time to termination finds times t(s) with
    1 + max_a Σ_s' T(s'|s,a) t(s') ≤ t(s) + d for a small d ≥ 0. Then c·t with c = 1/(1-d) satisfies the same with d = 0, so
    that no policy takes longer than c·t: its maximum is returned, an upper bound however early the iteration stopped, and
    ``inf`` if d ≥ 1.
    """
    if mdp.discount < 1:
        return 1 / (1 - mdp.discount)
    if states_that_can_avoid_the_end(mdp.joint_transition, mdp.terminal).any():
        return np.inf
    alive = ~mdp.terminal
    kernel = mdp.joint_transition[alive][:, :, alive]
    chosen, states, seen = np.zeros(len(kernel), dtype=int), np.arange(len(kernel)), set()
    while True:
        seen.add(chosen.tobytes())
        try:
            time = np.linalg.solve(
                np.eye(len(kernel)) - kernel[states, chosen], np.ones(len(kernel))
            )
        except np.linalg.LinAlgError:  # an ending so improbable that rounding loses it
            return np.inf
        longer = 1 + kernel @ time
        better = longer.max(axis=1) > time + 1e-12 * time.max()
        chosen = np.where(better, longer.argmax(axis=1), chosen)
        if chosen.tobytes() in seen:
            short = max(float((longer.max(axis=1) - time).max()), 0.0)
            return float(time.max() / (1 - short)) if short < 1 and time.min() > 0 else np.inf


def check_termination(mdp: MarkovGame, chain: np.ndarray) -> None:
    """Raise ValueError if γ = 1 and the Markov chain ``chain[S, S]`` of a policy fails to terminate from some state."""
    if mdp.discount < 1:
        return
    stuck = np.flatnonzero(states_that_cannot_reach_the_end(chain, mdp.terminal))
    if len(stuck):
        raise ValueError(
            f"policy never terminates from state {stuck[0]} ({mdp.state_names[stuck[0]]}): with discount 1 its return is "
            "an infinite sum without a limit; use a discount below 1 or a policy that terminates"
        )
