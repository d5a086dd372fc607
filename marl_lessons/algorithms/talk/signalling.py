"""Two learners that play a signalling game round after round, until the words mean something, or do not.

Each knows only what it saw or heard, what it did, and what both got. All seeds advance together, each with random numbers of
its own, so that a seed's run does not depend on the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.tables.rules import epsilon_greedy, sample_actions, td_update
from marl_lessons.algorithms.tables.schedules import (
    PerAgent,
    Progress,
    Schedule,
    as_exploration,
    as_schedule,
)
from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.games.signalling import SignallingGame, check_signalling, expected_payoff
from marl_lessons.seeds import UniformStreams

USUAL_RECORDS = 100
FEWEST_BALLS, MOST_BALLS = 1e-9, 1e12


class SignallingHistory(NamedTuple):
    """What was recorded: K+1 moments, E seeds, S states, M messages, A actions.

    rounds ``[K+1]``                 rounds played before the record
    sender ``[K+1, E, S, M]``        the sender's policies, exploration aside: rows with a single 1, or the shares of an urn
    receiver ``[K+1, E, M, A]``      the receiver's policies
    sender_table ``[K+1, E, S, M]``  what these come from: action values, or balls in urns
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

    def first_round_at(self, level: float) -> np.ndarray:
        """``[E]``: the first recorded round from which on the payoff never fell below ``level`` again; NaN if there is none."""
        level = as_number("level", level)
        stays = np.logical_and.accumulate((self.payoff >= level)[::-1])[::-1]
        first = self.rounds[stays.argmax(axis=0)].astype(float)
        return np.where(stays[-1], first, np.nan)


def greedy_policy(table: np.ndarray) -> np.ndarray:
    """``[..., A]``: all probability on the largest entry of ``table[..., A]``; the lowest index wins a tie."""
    return np.eye(table.shape[-1])[table.argmax(axis=-1)]


def shares(balls: np.ndarray) -> np.ndarray:
    """``[..., A]``: the probability to draw each colour from urns ``balls[..., A]``, its share of the balls."""
    return balls / balls.sum(axis=-1, keepdims=True)


def add_balls(urns: np.ndarray, row, drawn, payoff: np.ndarray, forgetting: float) -> None:
    """Roth and Erev's rule, in place: of all balls in the urn a share is lost, then ``payoff`` balls of the drawn colour come in.

    ``urns[X, A]``; ``row[E]`` names the urn that each seed has used, no urn twice, and ``drawn[E]`` the colour. Its
    arguments are not checked.
    """
    urns[row] = np.maximum(urns[row] * (1 - forgetting), 1e-100)  # no urn is ever empty
    urns[row, drawn] += payoff


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
    game = check_signalling("game", game)
    step_size, epsilon = as_schedule("step_size", step_size), as_exploration("epsilon", epsilon)
    if isinstance(step_size, PerAgent):
        raise ValueError("step_size is a PerAgent; allowed is one number or schedule for both")
    value = as_number("initial_value", initial_value, -1e12, 1e12)
    play = _Play(game, seeds, n_rounds, n_records, start=value, n_numbers=2, policy=greedy_policy)
    visits = [np.zeros(table.shape, dtype=np.int64) for table in play.tables]

    def choose(table, row, uniform, progress):
        return epsilon_greedy(table[row], np.ravel(epsilon(progress)), uniform)

    def learn(who, row, chosen, payoff, progress):
        visits[who][row, chosen] += 1
        count = visits[who][row, chosen][:, None]
        rate = np.ravel(step_size(progress._replace(visits=count)))
        td_update(play.tables[who], (row, chosen), payoff, rate)

    return play.run(choose, learn)


def signalling_urns(
    game: SignallingGame,
    seeds=20,
    *,
    n_rounds: int = 10_000,
    initial_balls: float = 1.0,
    forgetting: float = 0.0,
    n_records: int | None = None,
) -> SignallingHistory:
    """Sender and receiver draw from urns and add balls where it paid: the reinforcement of Roth and Erev (1995).

    The sender has an urn for each state, with ``initial_balls`` of each message at first; the receiver one for each message, with
    balls of each action. A ball is drawn, done, and put back together with as many balls of its colour as the round paid.
    The law of effect, with steps that grow smaller as the urns fill. ``forgetting``: share in [0, 1) of the balls that an urn
    loses whenever it was used. ``seeds`` and ``n_records`` as in :func:`signalling_q_learning`.
    Raises ValueError naming the argument; ``game`` if it has negative payoffs: nobody can add fewer than no balls.
    """
    game = check_signalling("game", game)
    if game.payoff.min() < 0:
        raise ValueError(f"game: pays {game.payoff.min():g}; urns need payoffs of at least 0")
    balls = as_number("initial_balls", initial_balls, FEWEST_BALLS, MOST_BALLS)
    forgetting = as_number("forgetting", forgetting, 0.0, 1.0)
    if forgetting == 1:
        raise ValueError("forgetting is 1; an urn that loses all its balls cannot be drawn from")
    play = _Play(game, seeds, n_rounds, n_records, start=balls, n_numbers=1, policy=shares)

    def choose(table, row, uniform, progress):
        return sample_actions(table[row], uniform[0])

    def learn(who, row, chosen, payoff, progress):
        add_balls(play.tables[who], row, chosen, payoff, forgetting)

    return play.run(choose, learn)


class _Play:
    """E seeds' tables, flat: ``tables[0][E·S, M]`` of the senders and ``tables[1][E·M, A]`` of the receivers; and the rounds."""

    def __init__(self, game, seeds, n_rounds, n_records, start: float, n_numbers: int, policy):
        """``n_numbers``: random numbers that each choice takes; ``policy(table)``: what is recorded of a table."""
        self.game, self.policy, self.n_numbers = game, policy, n_numbers
        self.n_rounds = as_count("n_rounds", n_rounds)
        n_records = min(USUAL_RECORDS, self.n_rounds) if n_records is None else n_records
        self.n_records = as_count("n_records", n_records)
        if self.n_records > self.n_rounds:
            raise ValueError(
                f"n_records is {n_records}; allowed is at most n_rounds = {self.n_rounds}"
            )
        self.streams = UniformStreams(seeds, 1 + 2 * n_numbers)
        n_seeds = len(self.streams.seeds)
        self.shapes = [
            (n_seeds, game.n_states, game.n_messages),
            (n_seeds, game.n_messages, game.n_actions),
        ]
        self.tables = [np.full((e * rows, columns), start) for e, rows, columns in self.shapes]

    def run(self, choose: Callable, learn: Callable) -> SignallingHistory:
        """Play all rounds: nature draws a state, the sender a message, the receiver an action; then both learn."""
        game, seed = self.game, np.arange(len(self.streams.seeds))
        moments = np.linspace(0, self.n_rounds, self.n_records + 1).astype(int)
        records = [np.empty((len(moments), *shape)) for shape in self.shapes]
        due = dict(zip(moments.tolist(), range(len(moments))))
        prior = np.broadcast_to(game.prior, (len(seed), game.n_states))
        rounds = np.zeros((len(seed), 1), dtype=int)
        for t in range(self.n_rounds + 1):
            if t in due:
                for record, table in zip(records, self.tables):
                    record[due[t]] = table.reshape(record.shape[1:])
            if t == self.n_rounds:
                break
            first, *rest = self.streams.next()
            to_speak, to_act = np.reshape(rest, (2, self.n_numbers, len(seed)))
            progress = Progress(t, rounds + t, None)  # a round is an episode
            state = sample_actions(prior, first)
            seen = seed * game.n_states + state
            message = choose(self.tables[0], seen, to_speak, progress)
            heard = seed * game.n_messages + message
            action = choose(self.tables[1], heard, to_act, progress)
            payoff = game.payoff[state, action]
            learn(0, seen, message, payoff, progress)
            learn(1, heard, action, payoff, progress)
        sender, receiver = (self.policy(record) for record in records)
        payoff = expected_payoff(game, sender, receiver)
        return SignallingHistory(moments, sender, receiver, *records, payoff, self.streams.seeds)
