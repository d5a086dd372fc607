"""The equations of MADDPG, one function each (Lowe et al. 2017; Albrecht et al. 2024, Ch. 9).

Pure functions of tensors that their callers have checked: they check nothing themselves.
Shapes: n agents, B transitions, d numbers in an observation, k numbers in an action; agent i's actor and critic are
network i of their lists of parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from marl_lessons.algorithms.networks import mlp

MASKED = -1e9  # the logit of an action that an agent does not have


def continuous_action(logits: Tensor, allowed: Tensor) -> Tensor:
    """Actions in [0, 1], ``[n, B, k]``: σ(z) of each entry that the agent has, 0 for the others.

    ``logits[n, B, k]``: what the actors say, z; ``allowed[n, 1, k]``: 1 for entries that belong to the agent's action.
    """
    return torch.sigmoid(logits) * allowed


def gumbel_noise(uniform: Tensor) -> Tensor:
    """Numbers g = -log(-log u) of the same shape as ``uniform`` u in (0, 1): argmax(z + g) is a draw from softmax(z)."""
    return -torch.log(-torch.log(uniform.clamp(1e-7, 1 - 1e-7)))


def discrete_action(logits: Tensor, allowed: Tensor) -> Tensor:
    """One-hot actions ``[n, B, k]`` at the largest allowed logit that pass gradients on as if they were softmax(z).

    The straight-through estimator (Jang et al. 2017, Section 2.2): forwards argmax, backwards softmax. With Gumbel noise added to
    the logits it draws an action.
    """
    masked = logits + MASKED * (1 - allowed)
    soft = torch.softmax(masked, dim=-1)
    hard = one_hot(masked.argmax(dim=-1), logits.shape[-1])
    return hard + (soft - soft.detach())


def everyone(values: Tensor) -> Tensor:
    """``[n, B, n·f]``: what all agents see or do, ``values[n, B, f]``, put side by side, once for each agent's critic."""
    n_agents = len(values)
    return values.transpose(0, 1).flatten(1).expand(n_agents, -1, -1)


def own_action_fresh(replayed: Tensor, fresh: Tensor) -> Tensor:
    """``[n, B, n·k]``: for agent i's critic a_i = μ_i(o_i), ``fresh[i]``, and every other action as it was, ``replayed[n, B, k]``."""
    n_agents = len(replayed)
    mine = torch.eye(n_agents, dtype=torch.bool, device=replayed.device)[:, None, :, None]
    by_row = torch.stack([fresh, replayed]).transpose(1, 2)[:, None]  # [2, 1, B, n, k]
    return torch.where(mine, by_row[0], by_row[1]).flatten(2)


def critic_values(critics: Sequence[Tensor], observations: Tensor, actions: Tensor) -> Tensor:
    """``[n, B]``: Q_i for each critic's own input, ``observations[n, B, ·]`` and ``actions[n, B, ·]``."""
    return mlp(critics, torch.cat([observations, actions], dim=-1)).squeeze(-1)


def critic_target(rewards: Tensor, next_q: Tensor, terminated: Tensor, discount: float) -> Tensor:
    """``[n, B]``: y_i = r_i + γ Q'_i(x', a'), and r_i alone where the story ended (Lowe et al. 2017, Equation 6).

    ``next_q[n, B]``: the target critics' values of the next observations and of the target actors' actions there.
    """
    return rewards + discount * torch.where(terminated, 0.0, next_q)


def critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """``[n]``: mean of (y_i - Q_i)² over the batch (Lowe et al. 2017, Equation 6)."""
    return (target - q).square().mean(dim=1)


def actor_loss(q: Tensor, logits: Tensor, allowed: Tensor, weight: float) -> Tensor:
    """``[n]``: minus the mean value of the actors' own actions, plus ``weight`` times the mean of z² (Lowe et al. 2017, Equation 5).

    ``q[n, B]``: Q_i where a_i = μ_i(o_i), so that its gradient is ∇μ_i · ∇_{a_i} Q_i. The second term keeps σ(z) away from
    its flat ends.
    """
    size = (logits.square() * allowed).sum(dim=-1) / allowed.sum(dim=-1)
    return -q.mean(dim=1) + weight * size.mean(dim=1)
