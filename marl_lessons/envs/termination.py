"""Who reaches the end: reachability questions on the graph of a tabular problem.

Pure functions of arrays that their callers have checked: they check nothing themselves.
"""

from __future__ import annotations

import numpy as np


def states_that_can_avoid_the_end(transition: np.ndarray, terminal: np.ndarray) -> np.ndarray:
    """``[S]`` booleans: non-terminal states from which some policy stays away from terminal states for ever.

    ``transition[S, A, S]``, ``terminal[S]``. The largest set of non-terminal states in which every state has an action
    that surely stays inside; if it is empty, every policy terminates with probability 1.
    """
    inside = ~terminal
    while True:
        leaves = transition[:, :, ~inside].sum(axis=2) > 0
        smaller = inside & ~leaves.all(axis=1)
        if np.array_equal(smaller, inside):
            return inside
        inside = smaller


def states_that_cannot_reach_the_end(transition: np.ndarray, terminal: np.ndarray) -> np.ndarray:
    """``[S]`` booleans: states from which no terminal state is reachable with positive probability.

    ``transition[S, S]`` is the kernel under one policy, ``terminal[S]`` booleans. A finite chain terminates with
    probability 1 from everywhere if and only if there are no such states.
    """
    reaches = terminal.copy()
    while True:
        larger = reaches | ((transition > 0) @ reaches)
        if np.array_equal(larger, reaches):
            return ~reaches
        reaches = larger
