"""Fictitious play: answer what the other has done most often so far. Lesson 03.

Each agent believes that the other draws its actions from one fixed distribution, and takes the frequencies of its past
actions for that distribution (Brown 1951; Albrecht et al. 2024, Sec. 6.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.checks import as_count, as_float_array
from marl_lessons.envs.games.matrix_games import payoffs_of
from marl_lessons.results import short_repr


@dataclass(frozen=True, eq=False)
class FictitiousPlay:
    """What two agents did in T rounds of fictitious play.

    actions ``[T, 2]``: the joint action of every round.
    counts: ``([A_0], [A_1])``, how often each agent had taken its actions before the first round, as the other believes.
    """

    actions: np.ndarray
    counts: tuple[np.ndarray, np.ndarray]

    __repr__ = short_repr

    def beliefs(self) -> tuple[np.ndarray, np.ndarray]:
        """``([T, A_0], [T, A_1])``: after each round, what the other agent believes of agent 0, and of agent 1.

        They are the frequencies of all actions so far, the initial counts included.
        """
        taken = [np.eye(len(count))[self.actions[:, i]] for i, count in enumerate(self.counts)]
        totals = [count + t.cumsum(axis=0) for count, t in zip(self.counts, taken)]
        one, other = (total / total.sum(axis=1, keepdims=True) for total in totals)
        return one, other


def fictitious_play(game, n_rounds: int, counts=None) -> FictitiousPlay:
    """Play ``n_rounds`` rounds in which both agents answer the other's past actions at the same time.

    ``counts``: ``([A_0], [A_1])``, numbers of actions imagined before the first round; default: none. An agent that has
    seen nothing finds all its actions equally good. The lowest index wins a tie. An agent compares sums of payoffs over
    all past rounds, so ties are exact if payoffs and counts are whole numbers (and their sums below 2^53). Other payoffs
    are subject to rounding, which may break a tie.
    """
    payoffs = payoffs_of(game, n_agents=2)
    n_rounds = as_count("n_rounds", n_rounds)
    counts = _checked_counts(counts, payoffs.shape[1:])
    # What every action would have earned in all past rounds. Short lists are much faster here than short arrays.
    earned_0, earned_1 = (payoffs[0] @ counts[1]).tolist(), (counts[0] @ payoffs[1]).tolist()
    against_column, against_row = payoffs[0].T.tolist(), payoffs[1].tolist()
    actions = []
    for _ in range(n_rounds):
        row, column = best_reply(earned_0), best_reply(earned_1)
        actions.append((row, column))
        earned_0 = [total + payoff for total, payoff in zip(earned_0, against_column[column])]
        earned_1 = [total + payoff for total, payoff in zip(earned_1, against_row[row])]
    return FictitiousPlay(np.array(actions), counts)


def best_reply(earned: list[float]) -> int:
    """The action that would have earned most in all past rounds; the lowest index wins a tie.

    ``earned[a]`` is the payoff of action a summed over the other's past actions. Divided by the number of rounds it is the
    expected payoff against their frequencies, so both have the same maximum (Albrecht et al. 2024, Sec. 6.3.1).
    """
    return earned.index(max(earned))


def run_lengths(actions: np.ndarray) -> np.ndarray:
    """Lengths of the maximal runs of rounds in which the same joint action was taken, in order.

    ``actions[T, n]``: one row for each round, T of 1 or more. The lengths sum to T. The last run may have gone on after
    round T.
    """
    changes = np.flatnonzero((actions[1:] != actions[:-1]).any(axis=1)) + 1
    return np.diff([0, *changes, len(actions)])


def _checked_counts(counts, n_actions: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    if counts is None:
        return np.zeros(n_actions[0]), np.zeros(n_actions[1])
    if not isinstance(counts, list | tuple | np.ndarray) or len(counts) != 2:
        raise ValueError(
            f"counts: expected 2 arrays, one for each agent's actions, got {counts!r:.80}"
        )
    one, other = (as_float_array(f"counts[{i}]", counts[i], (n_actions[i],)) for i in (0, 1))
    if min(one.min(), other.min()) < 0:
        raise ValueError("counts: one is negative; allowed are numbers of actions from 0 up")
    return one, other
