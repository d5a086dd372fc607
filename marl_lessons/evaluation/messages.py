"""What messages tell, and whether anybody listens: measures of communication, all in bits.

Two questions that are easily taken for one. *Signalling*: do messages depend on what the speaker sees? That is the
information which messages and observations share. *Listening*: would the listener act otherwise if it heard something else?
That is asked by an intervention: the message is set, whatever the speaker sees. Neither follows from the other (Lowe et al.
2019, "On the Pitfalls of Measuring Emergent Communication", Definitions 3.1 and 3.2).

Observations, messages and actions are whole numbers here. O observations, M messages, A actions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_distributions, as_float_array, as_indices
from marl_lessons.evaluation.drift import total_variation
from marl_lessons.evaluation.information import (
    MOST_KINDS,
    information_from_counts,
    information_of,
    joint_counts,
)

LARGEST = 1e100


class InfluenceMap(NamedTuple):
    """Who is listened to, and where.

    influence ``[..., O]``  causal influence of messages on the action in each state, bits; nan where nothing was ever heard
    weight ``[..., O]``     share of all messages that were heard in it; sums to 1
    """

    influence: np.ndarray
    weight: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """``[...]``: the influence of a message, averaged over where messages were heard, bits."""
        return np.where(self.weight > 0, self.influence * self.weight, 0.0).sum(axis=-1)


def positive_signalling(chances: np.ndarray, sender: np.ndarray) -> np.ndarray:
    """``[...]``: I(message; observation) of a speaker ``sender[..., O, M]`` that sees o with ``chances[O]``, bits.

    What the messages tell about what the speaker sees; 0 if it babbles. From samples:
    ``information_from_counts(joint_counts(observations, messages, O, M))``. Raises ValueError naming ``sender`` or ``chances``.
    """
    sender = as_distributions("sender", sender, (..., None, None))
    chances = as_distributions("chances", chances, (sender.shape[-2],))
    return information_of(chances[:, None] * sender)


def speaker_consistency(
    messages: np.ndarray, actions: np.ndarray, n_messages: int, n_actions: int
) -> float:
    """I(message; the speaker's own action at the same moment), estimated with correction from samples ``[...]``, bits.

    No evidence of communication: it is high as soon as message and action both depend on what the speaker sees, even if
    nobody listens (Lowe et al. 2019). Raises ValueError naming the argument.
    """
    return _told(messages, n_messages, "actions", actions, n_actions)


def instantaneous_coordination(
    messages: np.ndarray, answers: np.ndarray, n_messages: int, n_actions: int
) -> float:
    """I(message; the other agent's next action), estimated with correction from samples ``[...]``, bits (Jaques et al. 2019).

    ``answers``: the first action that the other takes after the message. Where all speak before they act it is that of the
    same step. No proof either: both may see the same thing. Raises ValueError naming the argument.
    """
    return _told(messages, n_messages, "answers", answers, n_actions)


def positive_listening(policy: np.ndarray, silent: np.ndarray) -> np.ndarray:
    """``[...]``: max_m TV(π(·|m), π(·|nothing heard)), from 0 (nobody listens) to 1, half the L1 distance.

    ``policy[..., M, A]``: the listener's action chances after each message; ``silent[..., A]`` without one. Raises
    ValueError naming the argument.
    """
    policy = as_distributions("policy", policy, (..., None, None))
    silent = as_distributions("silent", silent, (..., policy.shape[-1]))
    _check_fit("silent", silent.shape[:-1], policy.shape[:-2])
    return total_variation(policy, silent[..., None, :]).max(axis=-1)


def causal_influence(policy: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """``[...]``: causal influence of communication on one action (CIC, Lowe et al. 2019), in each state of the listener, bits.

    ``policy[..., M, A]``: π(a|do(m)), how the listener acts when it is made to hear m; ``chances[..., M]``: p(m).
    CIC = Σ_m p(m) Σ_a π(a|do(m)) log2 [π(a|do(m)) / Σ_m' p(m') π(a|do(m'))]: the information shared by message and action
    when messages are drawn from p, whatever the speaker sees. From 0 (nobody listens) to the smaller of log2 M and log2 A.

    Compute it state by state and average afterwards. Policies averaged over states first may hide all influence. The
    inner sum over m' is a sum: the paper's program takes a mean instead, which adds log M to every value, even where
    nobody listens. Raises ValueError naming ``policy`` or ``chances``.
    """
    policy = as_distributions("policy", policy, (..., None, None))
    chances = as_distributions("chances", chances, (..., policy.shape[-2]))
    _check_fit("chances", chances.shape[:-1], policy.shape[:-2])
    return information_of(chances[..., None] * policy)


def influence_map(policy: np.ndarray, heard: np.ndarray) -> InfluenceMap:
    """Causal influence in every state of a listener that acts by ``policy[..., O, M, A]``.

    ``heard[..., O, M]``: how often each message was heard in each state, counts or weights of 0 or more; p(m) in a state are
    its shares. So a message that is always the same in some state has no influence there. Raises ValueError naming
    ``policy`` or ``heard``.
    """
    policy = as_distributions("policy", policy, (..., None, None, None))
    heard = as_float_array("heard", heard, (..., *policy.shape[-3:-1]))
    _check_fit("heard", heard.shape[:-2], policy.shape[:-3])
    if heard.max(initial=0.0) > LARGEST:
        raise ValueError(f"heard: holds {heard.max():g}; allowed are numbers up to {LARGEST:g}")
    total = heard.sum(axis=-1)
    if (heard < 0).any() or (total.sum(axis=-1) == 0).any():
        raise ValueError("heard: allowed are numbers of at least 0, some of them above 0")
    ever = total > 0
    chances = np.where(ever[..., None], heard, 1.0)
    chances /= chances.sum(axis=-1, keepdims=True)
    influence = np.where(ever, causal_influence(policy, chances), np.nan)
    weight = np.broadcast_to(total / total.sum(axis=-1, keepdims=True), influence.shape)
    return InfluenceMap(influence, weight)


def policy_by_message(q: np.ndarray, n_heard: int) -> np.ndarray:
    """``[..., O, M, A]``: the greedy policy of tables ``q[..., O · M, A]`` with rows o · M + m, one for each state and message.

    ``n_heard``: M. The lowest index wins a tie. Raises ValueError naming ``q`` or ``n_heard``.
    """
    q, n_heard = as_float_array("q", q, (..., None, None)), as_count("n_heard", n_heard)
    if q.shape[-2] % n_heard:
        raise ValueError(
            f"n_heard is {n_heard}; allowed is a divisor of the {q.shape[-2]} rows of q"
        )
    by_message = q.reshape(*q.shape[:-2], q.shape[-2] // n_heard, n_heard, q.shape[-1])
    return np.eye(q.shape[-1])[by_message.argmax(axis=-1)]


def _told(messages, n_messages: int, name: str, actions, n_actions: int) -> float:
    """I(message; action) from samples, with correction; ``name`` of the actions for errors."""
    if as_count("n_messages", n_messages) * as_count("n_actions", n_actions) > MOST_KINDS:
        raise ValueError(f"n_messages, n_actions: allowed are {MOST_KINDS} combinations at most")
    messages = as_indices("messages", messages, (...,), n_messages)
    actions = as_indices(name, actions, messages.shape, n_actions)
    if not messages.size:
        raise ValueError("messages: at least one is needed")
    return float(information_from_counts(joint_counts(messages, actions, n_messages, n_actions)))


def _check_fit(name: str, leading: tuple[int, ...], others: tuple[int, ...]) -> None:
    try:
        np.broadcast_shapes(leading, others)
    except ValueError as error:
        raise ValueError(
            f"{name}: its leading axes {leading} do not fit the policy's {others}"
        ) from error
