"""Information in bits: what is uncertain, what two things tell about each other, whether anybody listens. Lesson 10."""

from __future__ import annotations

import numpy as np
from scipy.special import entr

from marl_lessons.checks import as_distributions, as_flag, as_float_array, as_number

LN2 = np.log(2.0)


def entropy(p: np.ndarray) -> np.ndarray:
    """``[...]``: H(p) = -Σ_x p(x) log2 p(x) of distributions ``p[..., X]``, bits, from 0 (sure) to log2 X (uniform)."""
    return _entropy(as_distributions("p", p, (..., None)))


def mutual_information(joint: np.ndarray) -> np.ndarray:
    """``[...]``: I(X; Y) = H(X) + H(Y) - H(X, Y) of ``joint[..., X, Y]``, whose entries are chances that sum to 1, bits.

    How much knowing one tells about the other, from 0 (independent) to the smaller of both entropies.
    """
    joint = as_float_array("joint", joint, (..., None, None))
    flat = as_distributions("joint", joint.reshape(*joint.shape[:-2], -1), (..., None))
    return _information(flat.reshape(joint.shape))


def entropy_from_counts(counts: np.ndarray) -> np.ndarray:
    """``[...]``: entropy of what was counted in ``counts[..., K]``, estimated from N samples, bits.

    Frequencies in place of chances ("plug-in") give too little on average. So (K₊ - 1) / (2 N ln 2) is added, where K₊ is the
    number of kinds that occurred (Miller 1955).
    """
    counts = as_float_array("counts", counts, (..., None))
    n_samples = counts.sum(axis=-1)
    if (counts < 0).any() or (n_samples == 0).any():
        raise ValueError("counts: allowed are numbers of at least 0, some of them above 0")
    correction = ((counts > 0).sum(axis=-1) - 1) / (2 * n_samples * LN2)
    return _entropy(counts / n_samples[..., None]) + correction


def bits_per_step(talking: float, messages: np.ndarray, silence_tells: bool = False) -> np.ndarray:
    """``[...]``: what a channel carries in one step at most, g H(m), for messages ``[..., M]`` sent in a share g of all steps.

    ``talking``: g, the gate's rate, from 0 to 1. Silence tells something, too, if it is heard as silence: with
    ``silence_tells`` it is g H(m) + H(g, 1 - g), the entropy of M + 1 signs.
    """
    talking = as_number("talking", talking, 0.0, 1.0)
    carried = talking * _entropy(as_distributions("messages", messages, (..., None)))
    if as_flag("silence_tells", silence_tells):
        return carried + _entropy(np.array([talking, 1 - talking]))
    return carried


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
    return _information(chances[..., None] * policy)


def _entropy(p: np.ndarray) -> np.ndarray:
    return entr(p).sum(axis=-1) / LN2


def _information(joint: np.ndarray) -> np.ndarray:
    """What rounding leaves below 0 is cut off."""
    h_x, h_y = _entropy(joint.sum(axis=-1)), _entropy(joint.sum(axis=-2))
    return np.maximum(h_x + h_y - _entropy(joint.reshape(*joint.shape[:-2], -1)), 0.0)
