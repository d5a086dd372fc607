"""Information in bits: what is uncertain, what two things tell about each other, what a channel carries at most.

Exact, from chances, or estimated from counts. X and Y are how many kinds of things there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import entr

from marl_lessons.checks import (
    as_count,
    as_distributions,
    as_flag,
    as_float_array,
    as_indices,
    as_number,
)
from marl_lessons.evaluation.moving_target.drift import total_variation

LN2 = np.log(2.0)
MOST_KINDS = 10**8  # combinations that can be counted
MOST_SAMPLES = 2.0**53  # up to here floats tell whole numbers apart


def entropy(p: np.ndarray) -> np.ndarray:
    """``[...]``: H(p) = -Σ_x p(x) log2 p(x) of distributions ``p[..., X]``, bits, from 0 (sure) to log2 X (uniform)."""
    return entropy_of(as_distributions("p", p, (..., None)))


def mutual_information(joint: np.ndarray) -> np.ndarray:
    """``[...]``: I(X; Y) = H(X) + H(Y) - H(X, Y) of ``joint[..., X, Y]``, whose entries are chances that sum to 1, bits.

    How much knowing one tells about the other, from 0 (independent) to the smaller of both entropies.
    """
    joint = as_float_array("joint", joint, (..., None, None))
    return information_of(as_distributions("joint", _flat(joint), (..., None)).reshape(joint.shape))


def joint_counts(x: np.ndarray, y: np.ndarray, n_x: int, n_y: int) -> np.ndarray:
    """``[n_x, n_y]``: how often x and y occurred together, for whole numbers ``x[...]`` below n_x and ``y[...]`` below n_y.

    x and y have the same shape. Leave out the moments at which nobody spoke. Raises ValueError naming the argument, ``n_x``
    and ``n_y`` also for more than 10^8 combinations.
    """
    n_x, n_y = as_count("n_x", n_x), as_count("n_y", n_y)
    if n_x * n_y > MOST_KINDS:
        raise ValueError(
            f"n_x, n_y: {n_x} times {n_y}; allowed are {MOST_KINDS} combinations at most"
        )
    x = as_indices("x", x, (...,), n_x)
    y = as_indices("y", y, x.shape, n_y)
    return np.bincount(np.ravel(x * n_y + y), minlength=n_x * n_y).reshape(n_x, n_y)


def entropy_from_counts(counts: np.ndarray, corrected: bool = True) -> np.ndarray:
    """``[...]``: entropy of what was counted in ``counts[..., K]``, estimated from N samples, bits.

    Frequencies in place of chances ("plug-in") give too little on average. ``corrected`` adds (K₊ - 1) / (2 N ln 2), where K₊
    is the number of kinds that occurred (Miller 1955).
    """
    counts, corrected = _as_counts(counts, (..., None)), as_flag("corrected", corrected)
    n_samples = counts.sum(axis=-1)
    correction = ((counts > 0).sum(axis=-1) - 1) / (2 * n_samples * LN2)
    return entropy_of(counts / n_samples[..., None]) + corrected * correction


def information_from_counts(counts: np.ndarray, corrected: bool = True) -> np.ndarray:
    """``[...]``: the information I(X; Y) behind ``counts[..., X, Y]``, estimated, bits.

    Plug-in estimates find information where there is none, :func:`plug_in_bias` on average. ``corrected`` does as
    :func:`entropy_from_counts` does for each of the three entropies. The estimate may then be a little below 0: so its mean
    over many samples is about right.
    """
    counts = _as_counts(counts, (..., None, None))
    h_x = entropy_from_counts(counts.sum(axis=-1), corrected)
    h_y = entropy_from_counts(counts.sum(axis=-2), corrected)
    return h_x + h_y - entropy_from_counts(_flat(counts), corrected)


def plug_in_bias(n_x: int, n_y: int, n_samples: int) -> float:
    """About how many bits the uncorrected estimate of I(X; Y) is too high: (X - 1) (Y - 1) / (2 N ln 2), for large N.

    True if all X · Y combinations are possible; a code that uses few of them is estimated more closely.
    """
    n_x, n_y = as_count("n_x", n_x), as_count("n_y", n_y)
    return (n_x - 1) * (n_y - 1) / (2 * as_count("n_samples", n_samples) * LN2)


def bits_per_step(talking: float, messages: np.ndarray, silence_tells: bool = False) -> np.ndarray:
    """``[...]``: what a channel carries in one step at most, g H(m), for messages ``[..., M]`` sent in a share g of all steps.

    ``talking``: g, the gate's rate, from 0 to 1. Silence tells something, too, if it is heard as silence: with
    ``silence_tells`` it is g H(m) + H(g, 1 - g), the entropy of M + 1 signs.
    """
    talking = as_number("talking", talking, 0.0, 1.0)
    carried = talking * entropy(as_distributions("messages", messages, (..., None)))
    if as_flag("silence_tells", silence_tells):
        return carried + entropy(np.array([talking, 1 - talking]))
    return carried


def entropy_of(p: np.ndarray) -> np.ndarray:
    """``[...]``: H(p) of distributions ``p[..., X]`` that are not checked; 0 log 0 is 0."""
    return entr(p).sum(axis=-1) / LN2


def information_of(joint: np.ndarray) -> np.ndarray:
    """``[...]``: I(X; Y) of ``joint[..., X, Y]`` that is not checked; what rounding leaves below 0 is cut off."""
    h_x, h_y = entropy_of(joint.sum(axis=-1)), entropy_of(joint.sum(axis=-2))
    return np.maximum(h_x + h_y - entropy_of(_flat(joint)), 0.0)


def _flat(joint: np.ndarray) -> np.ndarray:
    """``[..., X · Y]``: the last two axes as one."""
    return joint.reshape(*joint.shape[:-2], joint.shape[-2] * joint.shape[-1])


def _as_counts(counts, shape) -> np.ndarray:
    counts = as_float_array("counts", counts, shape)
    if counts.max(initial=0.0) > MOST_SAMPLES:
        raise ValueError(f"counts: holds {counts.max():g}; allowed are numbers up to 2^53")
    totals = counts.sum(axis=tuple(range(1 - len(shape), 0)))
    if (counts < 0).any() or (counts != np.floor(counts)).any() or (totals == 0).any():
        raise ValueError("counts: allowed are whole numbers of at least 0, some of them above 0")
    return counts


# What messages tell, and whether anybody listens: measures of communication, all in bits.

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
    ``information_from_counts(joint_counts(observations, messages, O, M))``.
    """
    sender = as_distributions("sender", sender, (..., None, None))
    chances = as_distributions("chances", chances, (sender.shape[-2],))
    return information_of(chances[:, None] * sender)


def speaker_consistency(
    messages: np.ndarray, actions: np.ndarray, n_messages: int, n_actions: int
) -> float:
    """I(message; the speaker's own action at the same moment), estimated with correction from samples ``[...]``, bits.

    No evidence of communication: it is high as soon as message and action both depend on what the speaker sees, even if
    nobody listens (Lowe et al. 2019).
    """
    return _told(messages, n_messages, "actions", actions, n_actions)


def instantaneous_coordination(
    messages: np.ndarray, answers: np.ndarray, n_messages: int, n_actions: int
) -> float:
    """I(message; the other agent's next action), estimated with correction from samples ``[...]``, bits (Jaques et al. 2019).

    ``answers``: the first action that the other takes after the message. Where all speak before they act it is that of the
    same step. No proof either: both may see the same thing.
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
    nobody listens.
    """
    policy = as_distributions("policy", policy, (..., None, None))
    chances = as_distributions("chances", chances, (..., policy.shape[-2]))
    _check_fit("chances", chances.shape[:-1], policy.shape[:-2])
    return information_of(chances[..., None] * policy)


def influence_map(policy: np.ndarray, heard: np.ndarray) -> InfluenceMap:
    """Causal influence in every state of a listener that acts by ``policy[..., O, M, A]``.

    ``heard[..., O, M]``: how often each message was heard in each state, counts or weights of 0 or more; p(m) in a state are
    its shares. So a message that is always the same in some state has no influence there.
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

    ``n_heard``: M. The lowest index wins a tie.
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
