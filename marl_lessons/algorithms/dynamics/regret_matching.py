"""Regret matching: take more often the actions that one regrets not to have taken (Hart & Mas-Colell 2000).

The regret of a deviation is what it would have earned in addition, summed over the rounds played, while the others' actions
stay as they were. The source is "A simple adaptive procedure leading to correlated equilibrium"; see also Albrecht et al.
2024, Sec. 6.5. :func:`regret_matching_strategy` and :func:`conditional_strategy` are pure functions of checked arrays:
they check nothing themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.algorithms.tables.rules import sample_actions
from marl_lessons.checks import as_count, as_flag
from marl_lessons.envs.games.matrix_games import check_agent, payoffs_of
from marl_lessons.seeds import UniformStreams
from marl_lessons.solvers.matrix_games import deviation_gains

MARGIN = 1.05  # by how much μ exceeds what theory demands; the larger it is, the slower the play


@dataclass(frozen=True, eq=False)
class RegretMatching:
    """What was recorded: K+1 moments, E seeds, n agents.

    rounds ``[K+1]``: rounds played before the record.
    joint ``[K+1, E, A_1, …, A_n]``: empirical distribution of the joint actions, the share of the rounds that each took.
    largest_regret ``[K+1, E]``: the largest regret of any agent for any deviation, divided by the number of rounds.
    Unconditional: for one fixed action in all rounds; it is at most ε exactly if ``joint`` is a coarse correlated
    ε-equilibrium, and may be negative. Conditional: for playing k in the rounds in which it played j; it is at most ε
    exactly if no such pair breaks the incentive constraints of a correlated equilibrium by more than ε. It is never negative.
    """

    rounds: np.ndarray
    joint: np.ndarray
    largest_regret: np.ndarray
    seeds: tuple[int, ...]

    def frequencies(self, agent: int) -> np.ndarray:
        """``[K+1, E, A_i]``: the share of the rounds in which ``agent`` took each action."""
        n_agents = self.joint.ndim - 2
        agent = check_agent(range(n_agents), agent)
        return self.joint.sum(axis=tuple(2 + j for j in range(n_agents) if j != agent))


def regret_matching(
    game, n_rounds: int, seeds=30, conditional: bool = False, n_records: int | None = None
) -> RegretMatching:
    """All agents play regret matching for ``n_rounds`` of 2 or more rounds; all seeds advance together.

    ``conditional=False``: :func:`regret_matching_strategy`, for the regret of not having played a in all rounds.
    ``conditional=True``: :func:`conditional_strategy`, for the regret of not having played k whenever one played j.
    ``seeds``: a count or a sequence of integers; each seed's run is the same whatever others run beside it.
    ``n_records``: K, below ``n_rounds``: records are made after the first round, and then K times at equal distances;
    None: 50 times, or after every round.
    """
    payoffs = payoffs_of(game)
    n_rounds = as_count("n_rounds", n_rounds, low=2)
    n_records = min(50, n_rounds - 1) if n_records is None else as_count("n_records", n_records)
    if n_records >= n_rounds:
        raise ValueError(f"n_records is {n_records}; allowed is less than n_rounds = {n_rounds}")
    learner = _Conditional if as_flag("conditional", conditional) else _Unconditional
    streams = UniformStreams(seeds, n_numbers=len(payoffs))
    n_seeds, n_actions = len(streams.seeds), payoffs.shape[1:]
    agents = [learner(payoffs, i, n_seeds) for i in range(len(payoffs))]
    rounds = np.linspace(1, n_rounds, n_records + 1).astype(int)
    counts = np.zeros((n_seeds, payoffs[0].size))
    every_seed = np.arange(n_seeds)
    joints, largest = [], []
    for n_played in range(1, n_rounds + 1):
        uniform = streams.next()
        actions = [sample_actions(agent.strategy, u) for agent, u in zip(agents, uniform)]
        joint = np.ravel_multi_index(actions, n_actions)
        counts[every_seed, joint] += 1
        for agent, action in zip(agents, actions):
            agent.observe(joint, action, n_played)
        if n_played == rounds[len(joints)]:
            joints.append(counts.reshape(n_seeds, *n_actions) / n_played)
            largest.append(np.max([a.largest_regret() for a in agents], axis=0) / n_played)
    return RegretMatching(rounds, np.array(joints), np.array(largest), streams.seeds)


def regret_matching_strategy(regrets: np.ndarray) -> np.ndarray:
    """``[..., A]``: probabilities proportional to the positive parts of ``regrets[..., A]``, equal if none is positive.

    For unconditional regrets (Hart & Mas-Colell 2000; Albrecht et al. 2024, Sec. 6.5).
    """
    positive = np.maximum(regrets, 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    weights = np.where(total > 0, positive, 1.0)
    return weights / weights.sum(axis=-1, keepdims=True)


def conditional_strategy(regrets: np.ndarray, last: np.ndarray, mu: float) -> np.ndarray:
    """``[E, A]``: switch from the last action j to k with probability max(R(j, k), 0) / μ, else stay (Eq. 2.2).

    ``regrets[E, A]``: R(j, ·), the average over all rounds of what k would have gained in the rounds in which j was played.
    ``last[E]``: j. ``mu``: so large that the probability to stay is positive.
    """
    strategy = np.maximum(regrets, 0.0) / mu
    seed = np.arange(len(last))
    strategy[seed, last] = 0.0
    strategy[seed, last] = 1.0 - strategy.sum(axis=-1)
    return strategy


def _gains(payoffs: np.ndarray, agent: int) -> np.ndarray:
    """``[joint actions, A_i]``: what ``agent`` would gain at each joint action by each of its actions instead."""
    gains = deviation_gains(payoffs, agent, coarse=True)
    return np.ascontiguousarray(gains.reshape(len(gains), -1).T)


class _Unconditional:
    """One agent of every seed, with a cumulative regret ``[E, A]`` for every action."""

    def __init__(self, payoffs: np.ndarray, agent: int, n_seeds: int):
        n_actions = payoffs.shape[1 + agent]
        self.gains = _gains(payoffs, agent)
        self.regrets = np.zeros((n_seeds, n_actions))
        self.strategy = regret_matching_strategy(self.regrets)

    def observe(self, joint: np.ndarray, action: np.ndarray, n_played: int) -> None:
        self.regrets += self.gains.take(joint, axis=0)
        self.strategy = regret_matching_strategy(self.regrets)

    def largest_regret(self) -> np.ndarray:
        return self.regrets.max(axis=-1)


class _Conditional:
    """One agent of every seed, with a cumulative regret ``[E, A, A]`` for every pair: played j, not k."""

    def __init__(self, payoffs: np.ndarray, agent: int, n_seeds: int):
        n_actions = payoffs.shape[1 + agent]
        self.gains = _gains(payoffs, agent)
        # An average regret is at most the largest gain, so the A - 1 switching probabilities sum to less than 1. Hart and
        # Mas-Colell ask for more than 2 M (A - 1), where M bounds the payoffs: no gain exceeds 2 M.
        self.mu = MARGIN * (n_actions - 1) * self.gains.max() or 1.0
        self.regrets = np.zeros((n_seeds, n_actions, n_actions))
        self.strategy = np.full((n_seeds, n_actions), 1 / n_actions)

    def observe(self, joint: np.ndarray, action: np.ndarray, n_played: int) -> None:
        seed = np.arange(len(action))
        self.regrets[seed, action] += self.gains.take(joint, axis=0)
        average = self.regrets[seed, action] / n_played
        self.strategy = conditional_strategy(average, action, self.mu)

    def largest_regret(self) -> np.ndarray:
        return self.regrets.max(axis=(1, 2))
