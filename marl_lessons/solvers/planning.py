"""The Bellman equations as functions of arrays: one backup each, nothing else.

Pure functions of arrays that their callers have checked: they check nothing themselves.
Shapes: ``transition[S, A, S]``, ``reward[S, A]``, ``v[S]``, ``q[S, A]``, ``policy[S, A]``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from marl_lessons.checks import as_count, as_distributions, as_number
from marl_lessons.envs.markov_game import (
    MarkovGame,
    check_game,
    states_that_can_avoid_the_end,
    states_that_cannot_reach_the_end,
)

# What a planner returns, and the check that it was given one agent only.


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
    """``policy`` as an array ``[S, A]`` of distributions."""
    return as_distributions("policy", policy, (mdp.n_states, mdp.n_actions[0]))


# How many steps the future counts for: the constant that turns a residual into a guaranteed error.


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


# ------------------------------------------------------------


def action_values(
    v: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``q[S, A]``: Q(s,a) = R(s,a) + γ Σ_s' T(s'|s,a) V(s') (Sutton & Barto 2018, Eq. 4.6)."""
    return reward + discount * transition @ v


def expectation_backup(
    v: np.ndarray, policy: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``v[S]`` after one sweep: (B^π V)(s) = Σ_a π(a|s) Q(s,a) (Sutton & Barto 2018, Eq. 4.5)."""
    q = action_values(v, transition, reward, discount)
    return (policy * q).sum(axis=1)


def optimality_backup(
    v: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``v[S]`` after one sweep: (B* V)(s) = max_a Q(s,a) (Sutton & Barto 2018, Eq. 4.10)."""
    return action_values(v, transition, reward, discount).max(axis=1)


def greedy_policy(q: np.ndarray) -> np.ndarray:
    """``policy[S, A]``: probability 1 on an action of largest value; the lowest index wins a tie."""
    return np.eye(q.shape[1])[q.argmax(axis=1)]


# The value of a given policy, in two ways: a linear system, and sweeps.


def solve_linear(
    policy: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``v[S]`` from (I - γ T^π) V = R^π (Sutton & Barto 2018, Sec. 4.1; Albrecht et al. 2024, Sec. 2.4)."""
    chain = np.einsum("sa,sat->st", policy, transition)
    expected_reward = (policy * reward).sum(axis=1)
    return np.linalg.solve(np.eye(len(chain)) - discount * chain, expected_reward)


def policy_evaluation(
    mdp: MarkovGame,
    policy: np.ndarray,
    method: str = "linear",
    tolerance: float = 1e-8,
    max_sweeps: int = 100_000,
) -> Solution:
    """The value of ``policy[S, A]``, by ``method`` "linear" (exact up to rounding) or "iterative" (sweeps).

    The sweeps stop when the error is guaranteed to be at most ``tolerance``: if one sweep changes no value by more than
    δ, then every value after it is within (h - 1) δ of the truth, h being the policy's horizon (:mod:`.horizon`).

    The linear system leaves no error but that of rounding, so its ``error_bound`` is 0 and ``tolerance`` plays no part.

    Raises ValueError naming the argument; for a policy that never terminates at γ = 1; and if ``max_sweeps`` sweeps do
    not reach ``tolerance``.
    """
    transition, reward = check_mdp(mdp)
    policy = check_policy(mdp, policy)
    tolerance = as_number("tolerance", tolerance, 0.0, open_low=True)
    max_sweeps = as_count("max_sweeps", max_sweeps)
    check_termination(mdp, np.einsum("sa,sat->st", policy, transition))
    if method == "linear":
        alive = ~mdp.terminal
        v = np.zeros(mdp.n_states)
        v[alive] = solve_linear(
            policy[alive], transition[alive][:, :, alive], reward[alive], mdp.discount
        )
        history, bound = np.stack([np.zeros_like(v), v]), 0.0
    elif method == "iterative":
        sweep = lambda v: expectation_backup(v, policy, transition, reward, mdp.discount)  # noqa: E731
        history, bound = sweep_until(
            sweep, mdp.n_states, policy_horizon(mdp, policy), tolerance, max_sweeps
        )
        v = history[-1]
    else:
        raise ValueError(f"method is {method!r}; allowed are 'linear' and 'iterative'")
    q = action_values(v, transition, reward, mdp.discount)
    return Solution(v, q, policy, history, None, bound)


def sweep_until(
    sweep, n_states: int, horizon: float, tolerance: float, max_sweeps: int
) -> tuple[np.ndarray, float]:
    """Apply ``sweep`` to zeros until (horizon - 1) · largest change ≤ tolerance; returns the history and the bound.

    Where the horizon is infinite there is no such guarantee: the sweeps then stop when no value changes by more than
    ``tolerance`` / 1000, and the bound returned is ``inf``. Raises ValueError after ``max_sweeps`` sweeps.
    """
    history = [np.zeros(n_states)]
    for _ in range(max_sweeps):
        history.append(sweep(history[-1]))
        change = np.abs(history[-1] - history[-2]).max()
        bound = np.inf if np.isinf(horizon) else (horizon - 1) * change
        if bound <= tolerance or (np.isinf(horizon) and change <= tolerance / 1000):
            return np.array(history), float(bound)
    raise ValueError(
        f"max_sweeps is {max_sweeps}, but after them the values still change by {change:.3g} a sweep; allow more sweeps, "
        "a larger tolerance, or check that the policies of interest terminate"
    )


# Policy iteration: evaluate, improve, repeat; it stops after finitely many improvements.


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


# Value iteration: repeat the optimality backup until the answer is as accurate as asked.


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
