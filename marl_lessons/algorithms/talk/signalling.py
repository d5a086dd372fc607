"""Two learners that play a signalling game round after round, until the words mean something, or do not. Lesson 10.

Each knows only what it saw or heard, what it did, and what both got. All seeds advance together, each with random numbers of
its own, so that a seed's run does not depend on the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.settings import as_config, check_settings, record_moments
from marl_lessons.algorithms.tables.rules import epsilon_greedy, sample_actions, td_update
from marl_lessons.algorithms.tables.schedules import Progress, Schedule
from marl_lessons.checks import as_count, as_kind
from marl_lessons.envs.games.signalling import SignallingGame, expected_payoff
from marl_lessons.results import short_repr
from marl_lessons.seeds import UniformStreams

USUAL_RECORDS = 100


@dataclass(frozen=True)
class _Settings:
    """The settings of :func:`signalling_q_learning`, checked as those of every learner."""

    n_rounds: int
    step_size: Schedule | float
    epsilon: Schedule | float
    initial_value: float
    n_records: int | None = None

    def __post_init__(self):
        check_settings(self, USUAL_RECORDS, "n_rounds", n_rounds=as_count)


class SignallingHistory(NamedTuple):
    """What was recorded: K+1 moments, E seeds, S states, M messages, A actions.

    rounds ``[K+1]``                 rounds played before the record
    sender ``[K+1, E, S, M]``        the sender's policies, exploration aside: rows with a single 1
    receiver ``[K+1, E, M, A]``      the receiver's policies
    sender_table ``[K+1, E, S, M]``  the action values that these come from
    receiver_table ``[K+1, E, M, A]``
    payoff ``[K+1, E]``              what the recorded policies are worth, exactly
    seeds                            the E seeds
    """

    rounds: np.ndarray
    sender: np.ndarray
    receiver: np.ndarray
    sender_table: np.ndarray
    receiver_table: np.ndarray
    payoff: np.ndarray
    seeds: tuple[int, ...]

    __repr__ = short_repr


def greedy_policy(table: np.ndarray) -> np.ndarray:
    """``[..., A]``: all probability on the largest entry of ``table[..., A]``; the lowest index wins a tie."""
    return np.eye(table.shape[-1])[table.argmax(axis=-1)]


def signalling_q_learning(
    game: SignallingGame,
    seeds=20,
    *,
    n_rounds: int = 10_000,
    step_size: Schedule | float = 0.1,
    epsilon: Schedule | float = 0.1,
    initial_value: float = 0.0,
    n_records: int | None = None,
) -> SignallingHistory:
    """Sender and receiver each run Q-learning, ε-greedy, on tables of their own: Q(s, m) and Q(m, a).

    A round is an episode of one decision each, so the target is the payoff: Q ← Q + α (payoff - Q). ``step_size``: α, a number
    in [0, 1] or a schedule, whose visits are those of the entry; ``epsilon``: ε, a number or a schedule, too.
    ``seeds``: a count or a sequence of integers. ``n_records``: at so many equal distances the policies are recorded, and
    at the start (None: 100 times, or in every round).
    """
    game = as_kind("game", game, SignallingGame)
    config = _Settings(n_rounds, step_size, epsilon, initial_value, n_records)
    config = as_config(config, _Settings)
    streams = UniformStreams(
        seeds, 5
    )  # of each seed and round: one for the state, two for each choice
    seed = np.arange(len(streams.seeds))
    sizes = (game.n_states, game.n_messages, game.n_actions)
    # Of all seeds below each other: tables[0][E·S, M] of the senders, tables[1][E·M, A] of the receivers.
    shapes = [(len(seed) * rows, columns) for rows, columns in pairwise(sizes)]
    tables = [np.full(shape, config.initial_value, dtype=float) for shape in shapes]
    visits = [np.zeros(shape, dtype=np.int64) for shape in shapes]
    moments, records = record_moments(config, "n_rounds"), []
    prior = np.broadcast_to(game.prior, (len(seed), game.n_states))
    for t in range(config.n_rounds + 1):
        if t == moments[len(records)]:
            records.append([table.copy() for table in tables])
        if t == config.n_rounds:
            break
        first, *rest = streams.next()
        to_speak, to_act = np.reshape(rest, (2, 2, len(seed)))
        progress = Progress(t, np.full((len(seed), 1), t), None)  # a round is an episode
        rate = np.ravel(config.epsilon(progress))
        state = sample_actions(prior, first)
        seen = seed * game.n_states + state
        message = epsilon_greedy(tables[0][seen], rate, to_speak)
        heard = seed * game.n_messages + message
        action = epsilon_greedy(tables[1][heard], rate, to_act)
        payoff = game.payoff[state, action]
        for table, counts, chosen in zip(tables, visits, ((seen, message), (heard, action))):
            counts[chosen] += 1
            step = np.ravel(config.step_size(progress._replace(visits=counts[chosen][:, None])))
            td_update(table, chosen, payoff, step)
    says, does = (
        np.reshape(table, (len(moments), len(seed), rows, columns))
        for table, (rows, columns) in zip(zip(*records), pairwise(sizes))
    )
    sender, receiver = greedy_policy(says), greedy_policy(does)
    payoff = expected_payoff(game, sender, receiver)
    return SignallingHistory(moments, sender, receiver, says, does, payoff, streams.seeds)
