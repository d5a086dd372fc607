"""One update of MADDPG: every critic towards its target, every actor uphill on its critic, every target a little closer.

With ``config.central`` False each critic sees its own agent alone, and the same lines are independent DDPG.

Functions of tensors that their callers have checked: they check nothing themselves but :class:`Pieces` that were exchanged.
Shapes: n agents, B transitions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from marl_lessons.algorithms.maddpg_losses import (
    actor_loss,
    continuous_action,
    critic_loss,
    critic_target,
    critic_values,
    discrete_action,
    everyone,
    gumbel_noise,
    own_action_fresh,
)
from marl_lessons.algorithms.maddpg_settings import MADDPGConfig
from marl_lessons.algorithms.networks import mlp, move_towards
from marl_lessons.algorithms.replay import Batch


class Networks(NamedTuple):
    """The four networks of n agents: parameters as :func:`~marl_lessons.algorithms.networks.init_mlp` makes them.

    allowed ``[n, 1, k]``  1 for the entries that belong to each agent's action
    continuous             whether actions are vectors in [0, 1]; otherwise they are one of k_i, as one-hot vectors
    """

    actors: list[Tensor]
    critics: list[Tensor]
    target_actors: list[Tensor]
    target_critics: list[Tensor]
    allowed: Tensor
    continuous: bool

    def actions(self, logits: Tensor) -> Tensor:
        """Actions ``[n, B, k]`` for the actors' ``logits[n, B, k]``."""
        act = continuous_action if self.continuous else discrete_action
        return act(logits, self.allowed)


def by_agent(batch: Batch) -> Batch:
    """A batch of one seed, ``[1, B, n, …]``, with the agents first: ``[n, B, …]``; ages are left as they are."""
    turned = [field[0].transpose(0, 1) for field in batch[:-1]]
    return Batch(*turned, batch.ages)


def next_values(nets: Networks, batch: Batch, central: bool) -> Tensor:
    """``[n, B]``: Q'_i(x', μ'_1(o'_1), …, μ'_n(o'_n)), from the target actors and the target critics alone."""
    seen = batch.next_observations
    actions = nets.actions(mlp(nets.target_actors, seen))
    if central:
        seen, actions = everyone(seen), everyone(actions)
    return critic_values(nets.target_critics, seen, actions)


class Pieces(NamedTuple):
    """The parts of an update that can be exchanged, to study what each is good for; the defaults are MADDPG.

    Each takes and returns what the function named here does; own_action_fresh is only asked where ``config.central`` is True,
    and may not be exchanged where it is False.

    prepare            ``batch -> batch``, before anything else; B may change
    next_values        :func:`next_values`
    critic_values      :func:`~marl_lessons.algorithms.maddpg_losses.critic_values`, of the networks that learn
    critic_loss        :func:`~marl_lessons.algorithms.maddpg_losses.critic_loss`
    own_action_fresh   :func:`~marl_lessons.algorithms.maddpg_losses.own_action_fresh`
    actor_loss         :func:`~marl_lessons.algorithms.maddpg_losses.actor_loss`
    """

    prepare: Callable = lambda batch: batch
    next_values: Callable = next_values
    critic_values: Callable = critic_values
    critic_loss: Callable = critic_loss
    own_action_fresh: Callable = own_action_fresh
    actor_loss: Callable = actor_loss


def check_pieces(pieces, config: MADDPGConfig) -> None:
    """Raises ValueError naming ``pieces``, and the part, unless they are functions that an update with ``config`` asks."""
    if not isinstance(pieces, Pieces):
        raise ValueError(f"pieces: expected Pieces(...) or None, got {pieces!r:.80}")
    for name, part in pieces._asdict().items():
        if not callable(part):
            raise ValueError(f"pieces.{name}: expected a function, got {part!r:.80}")
    if not config.central and pieces.own_action_fresh is not own_action_fresh:
        raise ValueError(
            "pieces.own_action_fresh: has no effect where config.central is False; allowed is the default"
        )


def watched(pieces: Pieces) -> Pieces:
    """The same pieces, which raise ValueError naming ``pieces`` and the part as soon as one answers in another shape."""

    def watch(name: str, shape_of: Callable, learns: bool = False) -> Callable:
        part = getattr(pieces, name)

        def answer(*given):
            told = part(*given)
            _check_told(f"pieces.{name}", told, tuple(shape_of(*given)), learns)
            return told

        return answer

    def prepare(batch: Batch) -> Batch:
        told = pieces.prepare(batch)
        if not isinstance(told, Batch):
            raise ValueError(f"pieces.prepare: expected a Batch, got {told!r:.80}")
        n_rows = told.rewards.shape[-1] if isinstance(told.rewards, Tensor) else 0
        for name, field, before in zip(Batch._fields[:-1], told, batch):
            shape = (before.shape[0], n_rows, *before.shape[2:])
            _check_told(f"pieces.prepare: {name}", field, shape, kind=before.dtype)
        return told

    return Pieces(
        prepare,
        watch("next_values", lambda nets, batch, central: batch.rewards.shape),
        watch("critic_values", lambda critics, seen, actions: seen.shape[:2]),
        watch("critic_loss", lambda q, target: q.shape[:1], learns=True),
        watch("own_action_fresh", lambda done, fresh: (*done.shape[:2], len(done) * done.shape[2])),
        watch("actor_loss", lambda q, *given: q.shape[:1], learns=True),
    )


def _check_told(name: str, told, shape: tuple[int, ...], learns: bool = False, kind=None) -> None:
    """Raises ValueError naming ``name`` unless ``told`` is a tensor of ``shape``; where it ``learns``, one with a gradient."""
    fits = isinstance(told, Tensor) and tuple(told.shape) == shape and told.numel() > 0
    if not fits or not (told.is_floating_point() if kind is None else told.dtype == kind):
        noun = f"a tensor of {kind or 'real numbers'} of shape {shape}"
        if isinstance(told, Tensor):
            told = f"{told.dtype} of shape {tuple(told.shape)}"
        raise ValueError(f"{name}: expected {noun}, got {told!s:.80}")
    if learns and not told.requires_grad:
        raise ValueError(f"{name}: no gradient leads from it to the networks that shall learn")


def critic_step(
    nets: Networks, optimizer: Optimizer, batch: Batch, config: MADDPGConfig, pieces: Pieces
) -> Tensor:
    """One step of the optimiser for every critic; returns their losses before it, ``[n]``."""
    with torch.no_grad():
        next_q = pieces.next_values(nets, batch, config.central)
        target = critic_target(batch.rewards, next_q, batch.terminated, config.discount)
    seen, actions = batch.observations, batch.actions
    if config.central:
        seen, actions = everyone(seen), everyone(actions)
    loss = pieces.critic_loss(pieces.critic_values(nets.critics, seen, actions), target)
    optimizer.zero_grad()
    loss.sum().backward()
    optimizer.step()
    return loss.detach()


def actor_step(
    nets: Networks,
    optimizer: Optimizer,
    batch: Batch,
    config: MADDPGConfig,
    pieces: Pieces,
    generator: torch.Generator,
) -> None:
    """One step of the optimiser for every actor; the critics stay as they are. Gumbel noise comes from ``generator``."""
    seen = batch.observations
    logits = mlp(nets.actors, seen)
    noise = 0.0
    if not nets.continuous:
        noise = gumbel_noise(torch.rand(logits.shape, generator=generator)).to(logits.device)
    actions = nets.actions(logits + noise)
    if config.central:
        seen, actions = everyone(seen), pieces.own_action_fresh(batch.actions, actions)
    critics = [p.detach() for p in nets.critics]
    q = pieces.critic_values(critics, seen, actions)
    loss = pieces.actor_loss(q, logits, nets.allowed, config.logit_weight)
    optimizer.zero_grad()
    loss.sum().backward()
    optimizer.step()


def maddpg_update(
    nets: Networks,
    optimizers: tuple[Optimizer, Optimizer],
    batch: Batch,
    config: MADDPGConfig,
    generator: torch.Generator,
    pieces: Pieces | None = None,
) -> Tensor:
    """One update of all critics, then of all actors, then of all targets; returns the critics' losses before it, ``[n]``.

    ``optimizers``: the actors', the critics'. ``batch`` has the agents first, see :func:`by_agent`. Raises ValueError naming
    ``pieces``, and the part, where one answers in another shape.
    """
    pieces = Pieces() if pieces is None else watched(pieces)
    batch = pieces.prepare(batch)
    loss = critic_step(nets, optimizers[1], batch, config, pieces)
    actor_step(nets, optimizers[0], batch, config, pieces, generator)
    move_towards(nets.target_actors, nets.actors, config.target_rate)
    move_towards(nets.target_critics, nets.critics, config.target_rate)
    return loss
