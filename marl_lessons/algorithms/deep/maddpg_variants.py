"""Other parts for MADDPG's update: critics that wear blinkers, and faults found in published implementations. Lesson 09.

A fault is something that runs, raises nothing, and learns worse, or something else. ``train_maddpg(..., pieces=FAULTS[name])``
shows what it does; the tests of each name what it breaks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from marl_lessons.algorithms.deep.maddpg_update import (
    Networks,
    Pieces,
    continuous_action,
    critic_values,
    everyone,
)
from marl_lessons.algorithms.deep.networks import mlp
from marl_lessons.algorithms.deep.replay import Batch


def own_part(joint: Tensor) -> Tensor:
    """``joint[n, B, n·f]``, what all do or see for each agent's critic, with 0 in place of everything but its own."""
    n_agents, _, width = joint.shape
    mine = torch.eye(n_agents).to(joint).repeat_interleave(width // n_agents, dim=1)
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


# What is a joint critic good for: what the others see, or what they do?
BLINKERS = {
    "all observations, own action": _with_values(values_of_own_actions),
    "own observation, all actions": _with_values(values_of_own_sight),
}


def values_without_targets(nets: Networks, batch: Batch, central: bool) -> Tensor:
    """Next values from the networks that learn: the critic chases its own answers."""
    seen = batch.next_observations
    actions = nets.actions(mlp(nets.actors, seen))
    if central:
        seen, actions = everyone(seen), everyone(actions)
    return critic_values(nets.critics, seen, actions)


def drop_terminal(batch: Batch) -> Batch:
    """A batch in which the transitions that end an episode are overwritten by others: their rewards are never learned.

    A batch in which every transition ends an episode stays as it is.
    """
    ends = batch.terminated.any(dim=0)
    going_on = (~ends).nonzero().flatten()
    rows = torch.arange(len(ends), device=ends.device)
    if len(going_on):
        rows[ends] = going_on[torch.arange(int(ends.sum()), device=ends.device) % len(going_on)]
    return Batch(*(field[:, rows] for field in batch[:-1]), batch.ages)


def all_actions_fresh(replayed: Tensor, fresh: Tensor) -> Tensor:
    """``[n, B, n·k]``: for every critic all actors' present actions, so that its gradient reaches all actors."""
    return everyone(fresh)


def loss_with_squared_actions(q: Tensor, logits: Tensor, allowed: Tensor, weight: float) -> Tensor:
    """The actors' loss with the mean square of the actions, not of the logits: it cannot keep logits from growing."""
    actions = continuous_action(logits, allowed)
    size = actions.square().sum(dim=-1) / allowed.sum(dim=-1)
    return -q.mean(dim=1) + weight * size.mean(dim=1)


def first_is_not_paid(batch: Batch) -> Batch:
    """Rewards that the first agent never hears of, though the team earned them."""
    others = torch.arange(len(batch.rewards), device=batch.rewards.device) > 0
    return batch._replace(rewards=batch.rewards * others[:, None])


def mixed_up_rows(batch: Batch) -> Batch:
    """Every agent's part comes from another row, as if each agent drew from a memory of its own with its own indices."""
    parts = [
        torch.stack([part.roll(i, dims=0) for i, part in enumerate(field)]) for field in batch[:-1]
    ]
    return Batch(*parts, batch.ages)


FAULTS = {
    "no target networks": Pieces(next_values=values_without_targets),
    "ends are dropped": Pieces(prepare=drop_terminal),
    "gradient into the others": Pieces(own_action_fresh=all_actions_fresh),
    "actions held small, not logits": Pieces(actor_loss=loss_with_squared_actions),
    "speaker is not paid": Pieces(prepare=first_is_not_paid),
    "rows mixed up": Pieces(prepare=mixed_up_rows),
}
