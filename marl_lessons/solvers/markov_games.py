"""Shapley's value iteration: the optimality backup of a zero-sum Markov game, repeated.

Where value iteration takes the largest action value, a game of two has a matrix of them, and the best that an agent can
count on is the value of that matrix game (Shapley 1953).

``joint_action_values`` and ``shapley_backup`` are pure functions of arrays that their callers have checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
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

# All equilibria of small Markov games that only move forward, found from the end to the beginning.


class MarkovEquilibrium(NamedTuple):
    """A Markov perfect equilibrium: stationary ``policies[i][S, 2]`` of two agents, and their values ``v[2, S]``.

    From every state on, each agent's policy is a best response to the other's.
    """

    policies: tuple[np.ndarray, np.ndarray]
    v: np.ndarray


class Stage(NamedTuple):
    """One state's game once the values of all later states are known, action pairs along ``[2, 2]``.

    gain ``[2, 2, 2]``: R_i(s,a) + γ Σ_{s'≠s} T(s'|s,a) V_i(s') per agent; stay ``[2, 2]``: γ T(s|s,a), the discounted
    probability that the same game is played again.
    """

    gain: np.ndarray
    stay: np.ndarray


def stationary_equilibria(game: MarkovGame, max_count: int = 20_000) -> list[MarkovEquilibrium]:
    """Every Markov perfect equilibrium of a game of two agents with two actions each that never returns to a state it left.

    A state may follow itself (both wait), but not after another one. Where an agent's action changes nothing it takes
    action 0. Equilibria in which one agent mixes although the other does not exist only where payoffs tie exactly; they are
    left out. Raises ValueError naming ``game`` for other games, also if γ = 1 and two actions keep it in a state for ever
    or if rounding hides all equilibria, and ``max_count`` if there are more equilibria than that.
    """
    check_game("game", game)
    max_count = as_count("max_count", max_count)
    if game.n_actions != (2, 2):
        raise ValueError(
            f"game: has actions {game.n_actions}; allowed are two agents with two actions each"
        )
    nobody = np.full((2, game.n_states), 0.0)  # probability of action 1, per agent and state
    found = [(nobody, np.zeros((2, game.n_states)))]
    for state in _last_states_first(game):
        if game.terminal[state]:
            continue
        extended = []
        for second, v in found:
            stage = _stage(game, state, v)
            here = stage_equilibria(stage)
            if not here:  # every such game has an equilibrium: only rounding can hide it
                raise ValueError(
                    f"game: rewards in state {state} differ too much in size to be computed with"
                )
            for probabilities, values in here:
                second_here, v_here = second.copy(), v.copy()
                second_here[:, state], v_here[:, state] = probabilities, values
                extended.append((second_here, v_here))
        found = extended
        if len(found) > max_count:
            raise ValueError(
                f"max_count is {max_count}, but the game has more equilibria than that"
            )
    return [
        MarkovEquilibrium(tuple(np.stack([1 - p, p], axis=1) for p in second), v)
        for second, v in found
    ]


def stage_equilibria(stage: Stage) -> list[tuple[tuple[float, float], np.ndarray]]:
    """All equilibria of one state's game: (probability of action 1 for each agent), values ``[2]``.

    Playing action a for ever against an opponent who takes action 1 with probability y is worth
    gain(a, y) / (1 - stay(a, y)), both linear in y. Pure equilibria compare these numbers; in a mixed one each agent makes
    the other's two actions equally good, a quadratic equation in y.
    """
    idle = [_changes_nothing(stage, agent) for agent in range(2)]
    pure = [
        (first, second)
        for first in ((0,) if idle[0] else (0, 1))
        for second in ((0,) if idle[1] else (0, 1))
    ]
    found = []
    for actions in pure:
        if all(_is_best(stage, agent, actions) for agent in range(2)):
            value = stage.gain[(slice(None), *actions)] / (1 - stage.stay[actions])
            found.append(((float(actions[0]), float(actions[1])), value))
    if not any(idle):
        # Agent 0 mixes so that agent 1 does not care, and the other way round.
        for x, value_1 in _makes_indifferent(stage, 1):
            for y, value_0 in _makes_indifferent(stage, 0):
                found.append(((x, y), np.array([value_0, value_1])))
    return found


def _stage(game: MarkovGame, state: int, v: np.ndarray) -> Stage:
    onward = game.transition[state].copy()
    stay = game.discount * onward[..., state]
    onward[..., state] = 0.0
    if stay.max() >= 1:
        raise ValueError(
            f"game: with discount 1 it can stay in state {state} for ever, where its values may be infinite"
        )
    return Stage(game.reward[:, state] + game.discount * np.einsum("abt,it->iab", onward, v), stay)


def _changes_nothing(stage: Stage, agent: int) -> bool:
    gain, stay = np.moveaxis(stage.gain, 1 + agent, 0), np.moveaxis(stage.stay, agent, 0)
    return bool(
        np.allclose(gain[0], gain[1], 1e-12, 1e-12) and np.allclose(stay[0], stay[1], 1e-12, 1e-12)
    )


def _own_view(stage: Stage, agent: int) -> tuple[np.ndarray, np.ndarray]:
    """``gain[own, other]`` and ``1 - stay[own, other]`` as ``agent`` sees them."""
    if agent == 0:
        return stage.gain[0], 1 - stage.stay
    return stage.gain[1].T, 1 - stage.stay.T


def _is_best(stage: Stage, agent: int, actions: tuple[int, int]) -> bool:
    gain, leave = _own_view(stage, agent)
    own, other = actions[agent], actions[1 - agent]
    worth = gain[:, other] / leave[:, other]
    return worth[own] >= worth.max() - 1e-12 * (1 + np.abs(worth).max())


def _makes_indifferent(stage: Stage, agent: int) -> list[tuple[float, float]]:
    """(y, value): the other's mixtures, 0 < y < 1, against which both actions of ``agent`` are worth the same."""
    gain, leave = _own_view(stage, agent)
    # gain(a, y) = gain[a, 0] + (gain[a, 1] - gain[a, 0]) y, and likewise leave; as polynomials, highest power first.
    numerator = [np.array([g[1] - g[0], g[0]]) for g in gain]
    denominator = [np.array([d[1] - d[0], d[0]]) for d in leave]
    equation = np.convolve(numerator[0], denominator[1]) - np.convolve(numerator[1], denominator[0])
    equation[np.abs(equation) < 1e-13 * (1 + np.abs(gain).max())] = 0.0
    roots = np.roots(equation)
    inside = sorted(
        {float(r.real) for r in roots if abs(r.imag) < 1e-9 and 1e-12 < r.real < 1 - 1e-12}
    )
    return [(y, float(np.polyval(numerator[0], y) / np.polyval(denominator[0], y))) for y in inside]


def _last_states_first(game: MarkovGame) -> list[int]:
    """States in an order in which every successor stands before its predecessors."""
    follows = (game.joint_transition > 0).any(axis=1)
    np.fill_diagonal(follows, False)
    try:
        return list(
            TopologicalSorter(
                {s: np.flatnonzero(f).tolist() for s, f in enumerate(follows)}
            ).static_order()
        )
    except CycleError as error:
        raise ValueError(
            "game: play can return to a state that it left; backward induction needs a game that only moves forward"
        ) from error


# Markov games of several agents, exactly: what joint policies are worth, and the best response to the others.


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
    ignored and may be None.
    """
    return policy_iteration(check_game("game", game).induced_mdp(agent, policies, outcomes=False))


# ------------------------------------------------------------


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

    Raises ValueError naming ``game`` (also for another number of agents, or rewards that do not cancel), ``tolerance`` or
    ``max_sweeps``.
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
    if max(gaps) > 0:
        bound += horizon * float(max(gaps))
    return ZeroSumSolution(history[-1], q, [answer.row, answer.column], history, bound)
