"""Signalling games: one agent sees what the other must act on, and can do no more than say a word (Lewis 1969). Lesson 10.

Nature draws a state, the sender sees it and says one of M messages, the receiver hears the message and acts. Both get the
same payoff. No word means anything before the two have agreed on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from marl_lessons.checks import LARGEST, as_bounded, as_count, as_distributions, as_kind

MOST_SETS = 200_000


@dataclass(frozen=True, eq=False)
class SignallingGame:
    """A signalling game of two agents with common payoff: S states, M messages, A actions.

    prior ``[S]``      probability of each state
    payoff ``[S, A]``  what *each* of the two gets if the receiver does a in state s
    n_messages         M, at least 1; None: as many as there are states

    The arrays cannot be written to.
    """

    prior: np.ndarray
    payoff: np.ndarray
    n_messages: int | None = None

    def __post_init__(self):
        """Check the arrays and make them read-only."""
        prior = as_distributions("prior", self.prior, (None,))
        payoff = as_bounded("payoff", self.payoff, (len(prior), None), -LARGEST, LARGEST)
        given = len(prior) if self.n_messages is None else self.n_messages
        for name, value in (("prior", prior), ("payoff", payoff)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)
        object.__setattr__(self, "n_messages", as_count("n_messages", given))

    def __repr__(self) -> str:
        """One line."""
        return f"SignallingGame({self.n_states} states, {self.n_messages} messages, {self.n_actions} actions)"

    @property
    def n_states(self) -> int:
        """Number of states S."""
        return len(self.prior)

    @property
    def n_actions(self) -> int:
        """Number of the receiver's actions A."""
        return self.payoff.shape[1]


def lewis(n_states: int = 4, n_messages: int | None = None) -> SignallingGame:
    """The Lewis game: equally likely states, each with one right action of its own, which pays 1; any other pays 0.

    ``n_messages``: M; None: as many as states.
    """
    n_states = as_count("n_states", n_states)
    return SignallingGame(np.full(n_states, 1 / n_states), np.eye(n_states), n_messages)


def expected_payoff(game: SignallingGame, sender, receiver) -> np.ndarray:
    """``[...]``: Σ_s μ(s) Σ_m σ(m|s) Σ_a ρ(a|m) u(s, a), for ``sender[..., S, M]`` and ``receiver[..., M, A]``.

    σ and ρ are distributions over their last axis; their leading axes (seeds, moments, …) broadcast against each other.
    """
    game = as_kind("game", game, SignallingGame)
    n_states, n_messages, n_actions = game.n_states, game.n_messages, game.n_actions
    sender = as_distributions("sender", sender, (..., n_states, n_messages))
    receiver = as_distributions("receiver", receiver, (..., n_messages, n_actions))
    acts = sender @ receiver  # [..., S, A]: what the receiver does in each state
    return np.einsum("s,...sa,sa->...", game.prior, acts, game.payoff)


def bits(game: SignallingGame, sender) -> np.ndarray:
    """``[...]``: how much the word of ``sender[..., S, M]`` tells about the state, I(s; m) in bits, at most log2 M.

    Σ_s μ(s) Σ_m σ(m|s) log2 [σ(m|s) / p(m)] with p(m) = Σ_s μ(s) σ(m|s). What the receiver makes of it is not asked.
    """
    game = as_kind("game", game, SignallingGame)
    sender = as_distributions("sender", sender, (..., game.n_states, game.n_messages))
    said = np.einsum("s,...sm->...m", game.prior, sender)[..., None, :]
    said_in = sender > 0
    ratio = np.divide(sender, said, out=np.ones_like(sender), where=said_in & (said > 0))
    return np.maximum(np.einsum("s,...sm,...sm->...", game.prior, sender, np.log2(ratio)), 0.0)


def best_payoff(game: SignallingGame) -> float:
    """What a best agreement pays each of the two, exactly. No pair of policies, however random, is worth more.

    With M messages the receiver can do M different actions at most, and a best sender names, in each state, the best of
    them. So the value is the maximum, over all sets B of K = min(M, A, S) actions, of Σ_s μ(s) max_{a ∈ B} u(s, a); every such
    set is tried, 200,000 at most.
    """
    game = as_kind("game", game, SignallingGame)
    size = min(game.n_messages, game.n_actions, game.n_states)
    how_many = comb(game.n_actions, size)
    if how_many > MOST_SETS:
        raise ValueError(
            f"game: {game.n_actions} actions and {game.n_messages} messages allow {how_many} sets of actions; "
            f"allowed are at most {MOST_SETS}"
        )
    sets = np.array(list(combinations(range(game.n_actions), size)))
    worth = sum(
        chance * pays[sets].max(axis=1) for chance, pays in zip(game.prior, game.payoff)
    )  # one state after the other, so that no array [sets, S, K] is needed
    return float(worth.max())
