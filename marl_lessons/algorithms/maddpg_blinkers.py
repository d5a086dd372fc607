"""Joint critics that wear blinkers, to find out what a joint critic is good for: what the others see, or what they do?

``train_maddpg(..., pieces=BLINKERS[name])`` trains MADDPG with every critic's input as wide as ever and a part of it zero.
Pure functions of checked tensors, as in :mod:`~marl_lessons.algorithms.maddpg_losses`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from marl_lessons.algorithms.maddpg_losses import critic_values, everyone
from marl_lessons.algorithms.maddpg_update import Networks, Pieces
from marl_lessons.algorithms.networks import mlp
from marl_lessons.algorithms.replay import Batch


def own_part(joint: Tensor) -> Tensor:
    """``joint[n, B, n·f]``, what all do or see for each agent's critic, with 0 in place of everything but its own."""
    n_agents, _, width = joint.shape
    mine = torch.eye(n_agents, device=joint.device).repeat_interleave(width // n_agents, dim=1)
    return joint * mine[:, None]


def values_of_own_actions(
    critics: Sequence[Tensor], observations: Tensor, actions: Tensor
) -> Tensor:
    """``[n, B]``: values of critics that see all observations, and their own agent's action alone."""
    return critic_values(critics, observations, own_part(actions))


def values_of_own_sight(critics: Sequence[Tensor], observations: Tensor, actions: Tensor) -> Tensor:
    """``[n, B]``: values of critics that see all actions, and their own agent's observation alone."""
    return critic_values(critics, own_part(observations), actions)


def _with_values(values) -> Pieces:
    """The pieces of an update whose joint critics are judged by ``values`` wherever they are asked."""

    def next_values(nets: Networks, batch: Batch, central: bool) -> Tensor:
        seen = batch.next_observations
        actions = nets.actions(mlp(nets.target_actors, seen))
        return values(nets.target_critics, everyone(seen), everyone(actions))

    return Pieces(next_values=next_values, critic_values=values)


BLINKERS = {
    "all observations, own action": _with_values(values_of_own_actions),
    "own observation, all actions": _with_values(values_of_own_sight),
}
