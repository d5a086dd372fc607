"""Regret matching: take more often the actions that one regrets not to have taken. Lesson 03.

The regret of an action is what it would have earned in addition, had it been played in all rounds so far, while the others'
actions stay as they were (Hart & Mas-Colell 2000, "A simple adaptive procedure leading to correlated equilibrium";
Albrecht et al. 2024, Sec. 6.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.algorithms.tables.rules import sample_actions
from marl_lessons.checks import as_count
from marl_lessons.envs.games.matrix_games import payoffs_of
from marl_lessons.results import short_repr
from marl_lessons.seeds import UniformStreams
from marl_lessons.solvers.matrix_games import deviation_gains


@dataclass(frozen=True, eq=False)
class RegretMatching:
    """What was recorded: K+1 moments, E seeds, n agents.

    rounds ``[K+1]``: rounds played before the record.
    joint ``[K+1, E, A_1, …, A_n]``: empirical distribution of the joint actions, the share of the rounds that each took.
    largest_regret ``[K+1, E]``: the largest regret of any agent for any action, divided by the number of rounds. It is at
    most ε exactly if ``joint`` is a coarse correlated ε-equilibrium, and may be negative.
    """

    rounds: np.ndarray
    joint: np.ndarray
    largest_regret: np.ndarray
    seeds: tuple[int, ...]

    __repr__ = short_repr


def regret_matching(game, n_rounds: int, seeds=30) -> RegretMatching:
    """All agents play regret matching for ``n_rounds`` of 2 or more rounds; all seeds advance together.

    ``seeds``: a count or a sequence of integers; each seed's run is the same whatever others run beside it. Records are
    made after the first round, and then 50 times at equal distances, or after every round if there are fewer.
    """
    payoffs = payoffs_of(game)
    n_rounds = as_count("n_rounds", n_rounds, low=2)
    streams = UniformStreams(seeds, n_numbers=len(payoffs))
    n_seeds, n_actions = len(streams.seeds), payoffs.shape[1:]
    # [joint actions, A_i]: what agent i would gain at each joint action by each of its actions instead.
    gains = [
        np.ascontiguousarray(deviation_gains(payoffs, i, coarse=True).reshape(a, -1).T)
        for i, a in enumerate(n_actions)
    ]
    regrets = [np.zeros((n_seeds, a)) for a in n_actions]
    rounds = np.linspace(1, n_rounds, min(50, n_rounds - 1) + 1).astype(int)
    counts, every_seed = np.zeros((n_seeds, payoffs[0].size)), np.arange(n_seeds)
    joints, largest = [], []
    for n_played in range(1, n_rounds + 1):
        actions = [
            sample_actions(regret_matching_strategy(regret), uniform)
            for regret, uniform in zip(regrets, streams.next())
        ]
        joint = np.ravel_multi_index(actions, n_actions)
        counts[every_seed, joint] += 1
        for regret, gain in zip(regrets, gains):
            regret += gain.take(joint, axis=0)
        if n_played == rounds[len(joints)]:
            joints.append(counts.reshape(n_seeds, *n_actions) / n_played)
            largest.append(np.max([r.max(axis=-1) for r in regrets], axis=0) / n_played)
    return RegretMatching(rounds, np.array(joints), np.array(largest), streams.seeds)


def regret_matching_strategy(regrets: np.ndarray) -> np.ndarray:
    """``[..., A]``: probabilities proportional to the positive parts of ``regrets[..., A]``, equal if none is positive.

    (Hart & Mas-Colell 2000; Albrecht et al. 2024, Sec. 6.5.)
    """
    positive = np.maximum(regrets, 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    weights = np.where(total > 0, positive, 1.0)
    return weights / weights.sum(axis=-1, keepdims=True)
