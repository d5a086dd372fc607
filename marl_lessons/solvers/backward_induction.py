"""All equilibria of small Markov games that only move forward, found from the end to the beginning.

In a general-sum game the recipe of dynamic programming breaks: a state's game has several equilibria, each with other
values, and every choice changes the games of all states before it. So this solver follows every choice.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count
from marl_lessons.envs.markov_game import MarkovGame, check_game


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
