"""Markov games of several agents: what policies are worth, Shapley's values, and equilibria of small games. Lesson 04.

Where value iteration takes the largest action value, a zero-sum game of two has a matrix of them, and the best that an
agent can count on is the value of that matrix game (Shapley 1953).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.games.matrix_games import cancels
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.solvers.planning import (
    Solution,
    check_termination,
    largest_horizon,
    policy_iteration,
    sweep_until,
)
from marl_lessons.solvers.zero_sum import solve_zero_sum


def joint_policy_evaluation(game: MarkovGame, policies: Sequence[np.ndarray]) -> np.ndarray:
    """``v[n, S]``: every agent's value in every state when agent j keeps to ``policies[j][S, A_j]``.

    V_i^π = (I - γ T^π)^-1 R_i^π, with the chain T^π and the rewards R_i^π averaged over the joint policy
    (Albrecht et al. 2024, Sec. 4.1). At γ = 1 the policies must terminate.
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
    ignored and may be None.
    """
    return policy_iteration(check_game("game", game).induced_mdp(agent, policies, outcomes=False))


@dataclass(frozen=True, eq=False)
class ZeroSumSolution:
    """Values and optimal policies of a zero-sum Markov game of two agents with S states.

    v ``[S]``, q ``[S, A_1, A_2]``: what optimal play earns agent 0 from each state, and after each joint action; agent 1
    earns the same with the opposite sign. Terminal states have value 0.
    policies: one ``[S, A_i]`` per agent, an optimal strategy of the matrix game ``q[s]`` in every state s.
    history ``[K+1, S]``: the values at the start and after each of K sweeps.
    error_bound: a guaranteed bound on max_s |v(s) - true value|, apart from the rounding of the arithmetic; ``inf`` where
    theory gives none.
    """

    v: np.ndarray
    q: np.ndarray
    policies: list[np.ndarray]
    history: np.ndarray
    error_bound: float

    @property
    def sweeps(self) -> int:
        """Number of sweeps made, K."""
        return len(self.history) - 1


def joint_action_values(
    v: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``q[S, A_1, A_2]``: Q(s,a_1,a_2) = R(s,a_1,a_2) + γ Σ_s' T(s'|s,a_1,a_2) V(s') (Littman 1994, Sec. 4).

    ``v[S]``, ``transition[S, A_1, A_2, S]``, and ``reward[S, A_1, A_2]`` of agent 0.
    """
    return reward + discount * transition @ v


def shapley_backup(
    v: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float
) -> np.ndarray:
    """``v[S]`` after one sweep: V(s) becomes the value of the matrix game Q(s,·,·) (Shapley 1953)."""
    q = joint_action_values(v, transition, reward, discount)
    return solve_zero_sum(q).value


def shapley_iteration(
    game: MarkovGame, tolerance: float = 1e-8, max_sweeps: int = 100_000
) -> ZeroSumSolution:
    """Values of a zero-sum Markov game of two agents, each within ``tolerance`` of the truth.

    Value iteration for games (Shapley 1953; Albrecht et al. 2024, Sec. 6.1).

    Two matrix games whose entries differ by at most d have values that differ by at most d. So :func:`shapley_backup` is a
    contraction like the optimality backup of one agent, and the sweeps stop by the same rule: if the last one changes no
    value by more than δ, the values are within γ/(1-γ) · δ of the truth. For γ = 1 and a game in which every pair of
    policies terminates, γ/(1-γ) is replaced by h - 1, h being the longest expected time to termination. Where neither
    holds, ``error_bound`` is ``inf``. It also counts the gaps that :func:`.solve_zero_sum` left, as small as rounding.

    Each sweep begins its matrix games where the one before it ended, which saves time and changes nothing else.
    """
    if check_game("game", game).n_agents != 2 or not cancels(game.reward):
        raise ValueError(
            f"game: {game.name} has {game.n_agents} agents; allowed are two whose rewards add up to 0 everywhere"
        )
    tolerance = as_number("tolerance", tolerance, 0.0, open_low=True)
    max_sweeps = as_count("max_sweeps", max_sweeps)
    model = (game.transition, game.reward[0], game.discount)
    basis, gaps = None, []

    def sweep(v):
        nonlocal basis
        solved = solve_zero_sum(joint_action_values(v, *model), guess=basis)
        basis = solved.basis
        gaps.append(solved.gap.max())
        return solved.value

    horizon = largest_horizon(game)
    history, bound = sweep_until(sweep, game.n_states, horizon, tolerance, max_sweeps)
    q = joint_action_values(history[-1], *model)
    answer = solve_zero_sum(q, guess=basis)
    if max(gaps) > 0:  # not for all gaps 0 and an infinite horizon
        bound += horizon * float(max(gaps))
    return ZeroSumSolution(history[-1], q, [answer.row, answer.column], history, bound)


# All equilibria of small Markov games that only move forward, found from the end to the beginning.

TIE = (
    1e-12  # in units of the numbers that were added up: differences below are put down to rounding
)


class MarkovEquilibrium(NamedTuple):
    """A Markov perfect equilibrium: stationary ``policies[i][S, 2]`` of two agents, and their values ``v[2, S]``.

    From every state on, each agent's policy is a best response to the other's.
    """

    policies: tuple[np.ndarray, np.ndarray]
    v: np.ndarray


def stationary_equilibria(game: MarkovGame, max_count: int = 20_000) -> list[MarkovEquilibrium]:
    """Every Markov perfect equilibrium of a game of two agents with two actions each that never returns to a state it left.

    A state may follow itself (both wait), but not after another one. Where an agent's action changes nothing it takes
    action 0. Equilibria in which one agent mixes although the other does not exist only where payoffs tie exactly; they are
    left out. Refused are also games of γ = 1 that two actions keep in a state for ever, games whose equilibria rounding
    hides, and games with more than ``max_count`` equilibria.
    """
    check_game("game", game)
    max_count = as_count("max_count", max_count)
    if game.n_actions != (2, 2):
        raise ValueError(f"game: has actions {game.n_actions}; allowed are (2, 2)")
    found = [np.zeros((2, 2, game.n_states))]  # [probability of action 1 | value, agent, state]
    for state in _last_states_first(game):
        if game.terminal[state]:
            continue
        onward, reward = game.transition[state].copy(), game.reward[:, state]
        stay = game.discount * onward[..., state]
        onward[..., state] = 0.0
        if stay.max() >= 1:
            raise ValueError(
                f"game: with discount 1 it can stay in state {state} for ever, where its values may be infinite"
            )
        extended = []
        for before in found:
            v = before[1]
            gain = reward + game.discount * np.einsum("abt,it->iab", onward, v)
            size = np.abs(reward) + game.discount * np.einsum("abt,it->iab", onward, np.abs(v))
            here = stage_equilibria(gain, stay, size)
            if not here:  # every such game has an equilibrium: only rounding can hide it
                raise ValueError(f"game: rewards in state {state} differ too much in size")
            for probabilities, values in here:
                extended.append(before.copy())
                extended[-1][..., state] = probabilities, values
        found = extended
        if len(found) > max_count:
            raise ValueError(f"max_count is {max_count}, but there are more equilibria than that")
    return [
        MarkovEquilibrium(tuple(np.stack([1 - p, p], axis=1) for p in second), v)
        for second, v in found
    ]


def stage_equilibria(
    gain: np.ndarray, stay: np.ndarray, size: np.ndarray
) -> list[tuple[tuple[float, float], np.ndarray]]:
    """All equilibria of one state's game: (probability of action 1 for each agent), values ``[2]``.

    ``gain[2, 2, 2]``: R_i(s,a) + γ Σ_{s'≠s} T(s'|s,a) V_i(s') per agent and action pair, and ``size[2, 2, 2]`` of the numbers
    added up in it; ``stay[2, 2]``: γ T(s|s,a), the discounted probability that the same game is played again.

    Playing action a for ever against an opponent who takes action 1 with probability y is worth
    gain(a, y) / (1 - stay(a, y)), both linear in y. Pure equilibria compare these numbers; in a mixed one each agent makes
    the other's two actions equally good, a quadratic equation in y.
    """
    # As each agent sees it: [own action, the other's].
    views = [(gain[0], size[0], 1 - stay), (gain[1].T, size[1].T, 1 - stay.T)]
    choices = [
        (0, 1)
        if (
            np.abs(np.diff(gain, axis=1 + agent)) > TIE * size.max(axis=1 + agent, keepdims=True)
        ).any()
        or (np.abs(np.diff(stay, axis=agent)) > TIE).any()
        else (0,)
        for agent in range(2)
    ]
    found = []
    for first, second in product(*choices):
        if _is_best(*views[0], first, second) and _is_best(*views[1], second, first):
            value = gain[:, first, second] / (1 - stay[first, second])
            found.append(((float(first), float(second)), value))
    if choices == [(0, 1), (0, 1)]:
        # Agent 0 mixes so that agent 1 does not care, and the other way round.
        for x, value_1 in _makes_indifferent(*views[1]):
            for y, value_0 in _makes_indifferent(*views[0]):
                found.append(((x, y), np.array([value_0, value_1])))
    return found


def _is_best(gain: np.ndarray, size: np.ndarray, leave: np.ndarray, own: int, other: int) -> bool:
    worth = gain[:, other] / leave[:, other]
    return worth[own] >= worth.max() - TIE * (size[:, other] / leave[:, other]).max()


def _makes_indifferent(gain: np.ndarray, size: np.ndarray, leave: np.ndarray) -> list[tuple]:
    """(y, value): the other's mixtures, 0 < y < 1, against which both own actions are worth the same."""
    # gain(a, y) = gain[a, 0] + (gain[a, 1] - gain[a, 0]) y, and likewise leave; as polynomials, highest power first.
    numerator = [np.array([g[1] - g[0], g[0]]) for g in gain]
    denominator = [np.array([d[1] - d[0], d[0]]) for d in leave]
    equation = np.convolve(numerator[0], denominator[1]) - np.convolve(numerator[1], denominator[0])
    added_up = sum(np.convolve([s.sum(), s[0]], [1.0, 1.0]) for s in size)
    equation[np.abs(equation) < TIE / 10 * added_up] = 0.0
    inside = sorted(
        {float(r.real) for r in np.roots(equation) if abs(r.imag) < 1e-9 and TIE < r.real < 1 - TIE}
    )
    return [(y, float(np.polyval(numerator[0], y) / np.polyval(denominator[0], y))) for y in inside]


def _last_states_first(game: MarkovGame) -> list[int]:
    """States in an order in which every successor stands before its predecessors."""
    follows = (game.joint_transition > 0).any(axis=1)
    np.fill_diagonal(follows, False)
    try:
        after = {state: np.flatnonzero(row).tolist() for state, row in enumerate(follows)}
        return list(TopologicalSorter(after).static_order())
    except CycleError as error:
        raise ValueError(
            "game: play can return to a state that it left; backward induction needs a game that only moves forward"
        ) from error
