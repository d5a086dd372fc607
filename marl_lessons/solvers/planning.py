"""Planning in an MDP whose model is known: the Bellman equations, and three ways to solve them. Lessons 01 and 02.

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
    """``transition[S, A, S]`` and ``reward[S, A]`` of ``mdp``, a game of one agent."""
    if not check_game("mdp", mdp).is_mdp:
        raise ValueError(
            f"mdp: has {mdp.n_agents} agents; fix the others' policies with induced_mdp first"
        )
    return mdp.joint_transition, mdp.joint_reward[0]


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
    δ, then every value after it is within (h - 1) δ of the truth, h being :func:`policy_horizon`. The linear system leaves
    no error but that of rounding, so its ``error_bound`` is 0 and ``tolerance`` plays no part. At γ = 1 the policy must
    terminate.
    """
    transition, reward = check_mdp(mdp)
    policy = as_distributions("policy", policy, reward.shape)
    tolerance = as_number("tolerance", tolerance, 0.0, open_low=True)
    max_sweeps = as_count("max_sweeps", max_sweeps)
    if method not in ("linear", "iterative"):
        raise ValueError(f"method is {method!r}; allowed are 'linear' and 'iterative'")
    check_termination(mdp, np.einsum("sa,sat->st", policy, transition))
    if method == "linear":
        v = linear_values(mdp, policy, reward)
        history, bound = np.stack([np.zeros_like(v), v]), 0.0
    else:
        sweep = lambda v: expectation_backup(v, policy, transition, reward, mdp.discount)  # noqa: E731
        history, bound = sweep_until(
            sweep, mdp.n_states, policy_horizon(mdp, policy), tolerance, max_sweeps
        )
        v = history[-1]
    q = action_values(v, transition, reward, mdp.discount)
    return Solution(v, q, policy, history, None, bound)


def linear_values(mdp: MarkovGame, policy: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """``v[S]`` of ``policy`` by :func:`solve_linear` over the states that are not terminal; those have value 0."""
    alive = ~mdp.terminal
    kernel = mdp.joint_transition[alive][:, :, alive]
    v = np.zeros(mdp.n_states)
    v[alive] = solve_linear(policy[alive], kernel, reward[alive], mdp.discount)
    return v


def sweep_until(
    sweep, n_states: int, horizon: float, tolerance: float, max_sweeps: int
) -> tuple[np.ndarray, float]:
    """Apply ``sweep`` to zeros until (horizon - 1) · largest change ≤ tolerance; returns the history and the bound.

    Where the horizon is infinite there is no such guarantee: the sweeps then stop when no value changes by more than
    ``tolerance`` / 1000, and the bound returned is ``inf``.
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

    The policies improve until none of their advantages exceeds the error of rounding, which is taken from each state's own
    :func:`sums`, or until rounding brings an earlier policy back. ``error_bound`` is honest about what is left: the largest
    remaining advantage δ times :func:`largest_horizon` (V* ≤ V^π + δ·h), and 0 where δ is no more than rounding: the values
    are then exact up to rounding.
    """
    reward = check_mdp(mdp)[1]
    policy = towards_the_end(mdp) if policy is None else policy
    history, policies, seen = [], [], set()
    while True:
        evaluated = policy_evaluation(mdp, policy)
        policy, q = evaluated.policy, evaluated.q
        history.append(evaluated.v)
        policies.append(policy)
        seen.add(policy.tobytes())
        advantage = q.max(axis=1) - (policy * q).sum(axis=1)
        left = np.where(advantage > 1e-13 * np.abs(q).max(axis=1), advantage, 0.0)
        better = improve(q, policy)
        if left.any() and np.array_equal(better, policy):
            size = sums(mdp, policy, reward)  # what is small elsewhere may be large here
            better = improve(q / size[:, None], policy)
            left[advantage <= 1e-13 * size] = 0.0
        if better.tobytes() in seen:
            break
        policy = better
    return replace(
        evaluated,
        history=np.array(history),
        policies=np.array(policies),
        error_bound=float(left.max() * largest_horizon(mdp)) if left.any() else 0.0,
    )


def sums(mdp: MarkovGame, policy: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """``[S]``: the size of the numbers that are added up in each state's values, 1 where all are 0.

    These are the values of |reward|: rewards of 1 and -1 may cancel, their rounding errors do not.
    """
    size = np.abs(reward)
    v = linear_values(mdp, policy, size)
    largest = optimality_backup(v, mdp.joint_transition, size, mdp.discount)
    return np.where(largest > 0, largest, 1.0)


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


def value_iteration(
    mdp: MarkovGame, tolerance: float = 1e-8, max_sweeps: int = 100_000
) -> Solution:
    """Optimal values of ``mdp``, each within ``tolerance`` of the truth (Sutton & Barto 2018, Sec. 4.4).

    The optimality backup is a contraction: with discount γ it brings any two value functions closer by the factor γ. So if
    one sweep changes no value by more than δ, the values after it are within γ/(1-γ) · δ of the optimum, and that is when
    the sweeps stop. For γ = 1 and an MDP in which every policy terminates, γ/(1-γ) is replaced by h - 1, h being the longest
    expected time to termination. Where some policy never terminates (``episodic=True``) neither holds: ``error_bound`` is
    then ``inf``, and :func:`policy_iteration` is the method of choice.
    """
    transition, reward = check_mdp(mdp)
    tolerance = as_number("tolerance", tolerance, 0.0, open_low=True)
    max_sweeps = as_count("max_sweeps", max_sweeps)
    sweep = lambda v: optimality_backup(v, transition, reward, mdp.discount)  # noqa: E731
    history, bound = sweep_until(sweep, mdp.n_states, largest_horizon(mdp), tolerance, max_sweeps)
    q = action_values(history[-1], transition, reward, mdp.discount)
    return Solution(history[-1], q, greedy_policy(q), history, None, bound)


# How many steps the future counts for: the constant that turns a change of values into a guaranteed error.


def policy_horizon(mdp: MarkovGame, policy: np.ndarray) -> float:
    """Expected discounted number of steps to termination under ``policy[S, A]``, the largest over states.

    h(s) = 1 + γ Σ_s' T^π(s'|s) h(s') for non-terminal s, so h ≤ 1/(1-γ): the value of a reward of 1.
    """
    return float(linear_values(mdp, policy, np.ones_like(policy)).max(initial=1.0))


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
