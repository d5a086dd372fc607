"""The channel of DIAL: soft and noisy while agents learn, one bit when they act (Foerster et al. 2016, Section 5.2).

The sender's network gives a logit m, any real number. While agents learn, the receiver hears σ(m + noise), a number between 0
and 1 that a gradient can pass through. When they act it hears the bit 1{m > 0}. Noise is what makes the two agree: a logit
near 0 would be heard as anything, so that learning drives logits away from 0 until what is heard is nearly a bit.

Pure functions of tensors that check nothing themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor


def soft_message(logit: Tensor, scale: float, noise: Tensor) -> Tensor:
    """What is heard in training, between 0 and 1, ``[...]``: σ(m + s · ξ) for ``logit[...]`` m.

    ``noise[...]`` ξ: standard normal numbers; ``scale`` s: their standard deviation in the channel, 0 or more.
    """
    return torch.sigmoid(logit + scale * noise)


def hard_message(logit: Tensor) -> Tensor:
    """The bit that is sent in execution, ``[...]`` of 0.0 and 1.0: 1{m > 0}. No gradient passes.

    The threshold lies at logit 0, where :func:`soft_message` without noise crosses 1/2.
    """
    return (logit > 0).to(logit.dtype)


def misheard(logit: Tensor, scale: float) -> Tensor:
    """Probability ``[...]`` that noise carries ``logit[...]`` to the other side of 0: Φ(-|m| / s), for ``scale`` s > 0.

    The bit that the receiver would read off a soft message is then not the one that the sender means.
    """
    return torch.special.ndtr(-logit.abs() / scale)
