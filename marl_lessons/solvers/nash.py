"""All Nash equilibria of a matrix game of two agents, and whether the game is degenerate."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.envs.matrix_games import payoffs_of
from marl_lessons.solvers.strategies import on_unit_scale

PRECISION = 1e-9


class Equilibrium(NamedTuple):
    """A Nash equilibrium: one strategy ``[A_i]`` per agent, and what each agent earns ``[n]``."""

    strategies: tuple[np.ndarray, np.ndarray]
    payoffs: np.ndarray


class NashEquilibria(NamedTuple):
    """The equilibria of a game, pure ones first, and whether the game is degenerate.

    In a game that is not degenerate, ``equilibria`` are all there are, and their number is odd. In a degenerate one they
    are the extreme ones: there are infinitely many, or an even number, and all are mixtures of these.
    """

    equilibria: tuple[Equilibrium, ...]
    degenerate: bool


def nash_equilibria(game) -> NashEquilibria:
    """All equilibria of a two-agent matrix game, by enumerating vertices of the best-response polytopes.

    The vertices come from the library nashpy (von Stengel in Nisan et al. 2007, Algorithm 3.5). A game is degenerate if
    some strategy that mixes k actions has more than k best responses; ties are taken within 1e-9 of the range of an
    agent's payoffs. The work grows exponentially with the number of actions: beyond about 10 each it takes seconds.
    Strategies and payoffs are exact up to rounding. Raises ValueError naming ``game``, also if it has not two agents.
    """
    row_payoffs, column_payoffs = payoffs_of(game, n_agents=2)
    rows = _vertices(1 + on_unit_scale(column_payoffs).T)  # the polytopes need positive payoffs
    columns = _vertices(1 + on_unit_scale(row_payoffs))
    m, n = row_payoffs.shape
    found = []
    for x, x_labels in rows:
        # Labels 0..n-1: that column is a best response to x; n + i: row i is not played. For y the other way round.
        answered = {(label - n) % (m + n) for label in x_labels}
        for y, y_labels in columns:
            if len(answered | y_labels) == m + n:
                value = np.array([x @ row_payoffs @ y, x @ column_payoffs @ y])
                found.append(Equilibrium((x, y), value))
    found.sort(key=lambda e: [(strategy > 0).sum() for strategy in e.strategies])
    degenerate = any(len(labels) > m for _, labels in rows)
    degenerate |= any(len(labels) > n for _, labels in columns)
    return NashEquilibria(tuple(found), degenerate)


def _vertices(answers: np.ndarray) -> list[tuple[np.ndarray, set[int]]]:
    """Strategies at the vertices of {x ≥ 0, answers @ x ≤ 1}, ``answers[n, m]``, each once, with the labels that hold there.

    Labels 0 to n - 1 are the other agent's best responses, n + i says that action i is not played.
    """
    n, m = answers.shape
    if m == 1:  # one action: nothing to mix, and no polytope in the library's sense
        return [(np.ones(1), set(np.flatnonzero(answers[:, 0] >= answers.max() - PRECISION)))]
    from nashpy.polytope import build_halfspaces, non_trivial_vertices  # slow to load: only here

    vertices = {}
    for point, _ in non_trivial_vertices(build_halfspaces(answers)):
        # The library's own labels are coarser: they take payoffs within 1e-5 of each other as equal.
        holds = np.append(1 - answers @ point, point) <= PRECISION
        point[holds[n:]] = 0.0
        vertices[holds.tobytes()] = (point / point.sum(), set(np.flatnonzero(holds).tolist()))
    return list(vertices.values())
