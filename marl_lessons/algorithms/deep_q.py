"""The equations of deep Q-learning with several agents, one function each.

Pure functions of arrays and tensors that their callers have checked: they check nothing themselves.
Shapes: S seeds, B transitions, n agents, d numbers in an observation, A actions.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from marl_lessons.algorithms.networks import mlp


def with_agent_id(observations: Tensor) -> Tensor:
    """``[..., n, d + n]``: each agent's observation ``[..., n, d]`` followed by a one-hot vector that says which agent it is.

    Agents that share a network can then take different actions where they see the same.
    """
    n = observations.shape[-2]
    which = torch.eye(n, dtype=observations.dtype, device=observations.device)
    return torch.cat([observations, which.expand(*observations.shape[:-1], n)], dim=-1)


def agent_values(
    parameters: Sequence[Tensor], observations: Tensor, share_parameters: bool
) -> Tensor:
    """Action values ``[S, B, n, A]`` of every agent for ``observations[S, B, n, d]``.

    With shared parameters there is one network per seed, for all its agents (Albrecht et al. 2024, Ch. 9). Otherwise
    each agent of each seed has its own: network ``s · n + i``.
    """
    n_seeds, n_rows, n_agents, _ = observations.shape
    if share_parameters:
        return mlp(parameters, observations.flatten(1, 2)).unflatten(1, (n_rows, n_agents))
    by_agent = observations.transpose(1, 2)
    q = mlp(parameters, by_agent.flatten(0, 1))
    return q.unflatten(0, (n_seeds, n_agents)).transpose(1, 2)


def double_q_target(
    reward: Tensor,
    next_q_online: Tensor,
    next_q_target: Tensor,
    terminated: Tensor,
    discount: float,
) -> Tensor:
    """``[...]``: r + γ Q⁻(s', argmax_a' Q(s', a')), and r alone where the agent's story ended (van Hasselt et al. 2016).

    The online network ``next_q_online[..., A]`` chooses the next action, the target network ``next_q_target[..., A]`` says
    what it is worth. With ``next_q_target`` in both places it is the target of DQN, r + γ max_a' Q⁻(s', a').
    """
    best = next_q_online.argmax(dim=-1, keepdim=True)
    value = next_q_target.gather(-1, best).squeeze(-1)
    return reward + discount * torch.where(terminated, 0.0, value)


def td_loss(q: Tensor, action: Tensor, target: Tensor, active: Tensor) -> Tensor:
    """``[S]``: mean of (y - Q(o, a))² over those of each seed's agents that took part (Mnih et al. 2015).

    ``q[S, B, n, A]`` values, ``action[S, B, n]`` the actions taken, ``target[S, B, n]`` y, ``active[S, B, n]`` booleans.
    A seed without any active agent has loss 0.
    """
    chosen = q.gather(-1, action[..., None]).squeeze(-1)
    error = torch.where(active, target - chosen, 0.0)
    return error.square().sum(dim=(1, 2)) / active.sum(dim=(1, 2)).clamp(min=1)
