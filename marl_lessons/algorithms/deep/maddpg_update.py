"""MADDPG's settings, its equations, and one update of all its networks (Lowe et al. 2017). Lesson 09.

An update moves every critic towards its target, every actor uphill on its critic, every target network a little closer. With
``config.central`` False each critic sees its own agent alone, and the same lines are independent DDPG.

Shapes: n agents, B transitions, k entries of the longest action.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot
from torch.optim import Optimizer

from marl_lessons.algorithms.deep.networks import mlp, move_towards
from marl_lessons.algorithms.deep.replay import Batch
from marl_lessons.algorithms.settings import check_settings

USUAL_RECORDS = 20


@dataclass(frozen=True)
class MADDPGConfig:
    """Settings of MADDPG, and of independent DDPG, which is the same with ``central=False``.

    n_steps           steps that every world makes (typical 2,000 to 10,000)
    central           True: each critic sees what all agents see and do. False: its own agent alone, independent DDPG
    hidden_sizes      units of each hidden layer of actors and critics (typical ``(64, 64)``)
    actor_rate        learning rate of the actors' Adam (typical 1e-4 to 4e-3)
    critic_rate       learning rate of the critics' Adam (typical 1e-3 to 1e-2)
    discount          γ in [0, 1] (typical 0.8 to 0.99)
    target_rate       τ: share of the way that targets move to the online networks after an update (typical 0.01 to 0.05)
    batch_size        joint transitions in a batch (typical 64 to 1,024)
    buffer_size       joint transitions that the replay keeps (typical 10,000 to 1,000,000)
    updates_per_step  updates after each step of all worlds (typical 1 to 4)
    learn_from        steps of all worlds before the first update; with few, actors climb critics that know nothing yet, and end
                      where σ is flat (typical 50 to 500)
    noise_start, noise_end, noise_over  exploration of continuous actions: standard deviation of the noise at first, and from
                      ``noise_over`` updates on, with a straight line between (typical 0.3 to 0.6, 0.05 to 0.1). Counted in
                      updates, never in seconds, so that a run does not depend on the machine. Whole-number actions explore
                      by Gumbel noise instead
    noise_correlation ρ in [0, 1): how alike the noise of neighbouring steps is; 0 is white noise, and ρ > 0 an
                      Ornstein-Uhlenbeck process seen at whole steps, of the same standard deviation (typical 0 to 0.9)
    logit_weight      weight of the mean squared logit in the actors' loss (typical 1e-3)
    bootstrap_on_truncation  True: a truncated episode's last target still counts what would have come next. False treats
                      truncation as termination: a mistake, here to be studied
    n_records         K: actors are recorded K times at equal distances, and at the start; None: 20 times, or at every step
    """

    n_steps: int = 4_000
    central: bool = True
    hidden_sizes: tuple[int, ...] = (64, 64)
    actor_rate: float = 4e-3
    critic_rate: float = 4e-3
    discount: float = 0.8
    target_rate: float = 0.03
    batch_size: int = 256
    buffer_size: int = 100_000
    updates_per_step: int = 1
    learn_from: int = 100
    noise_start: float = 0.4
    noise_end: float = 0.1
    noise_over: int = 2_000
    noise_correlation: float = 0.7
    logit_weight: float = 1e-3
    bootstrap_on_truncation: bool = True
    n_records: int | None = None

    def __post_init__(self):
        """Check every field."""
        check_settings(self, USUAL_RECORDS)

    def noise_scale(self, n_updates: int) -> float:
        """The standard deviation of the exploration noise after ``n_updates`` updates."""
        share = min(1.0, n_updates / self.noise_over)
        return self.noise_start + share * (self.noise_end - self.noise_start)


# The equations of MADDPG, one function each (Lowe et al. 2017; Albrecht et al. 2024, Ch. 9).

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


class Networks(NamedTuple):
    """The four networks of n agents: parameters as :func:`~marl_lessons.algorithms.deep.networks.init_mlp` makes them.

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

    Each takes and returns what the function named here does; own_action_fresh is only asked where ``config.central`` is True.

    prepare            ``batch -> batch``, before anything else; B may change
    next_values        :func:`next_values`
    critic_values      :func:`critic_values`, of the networks that learn
    critic_loss        :func:`critic_loss`
    own_action_fresh   :func:`own_action_fresh`
    actor_loss         :func:`actor_loss`
    """

    prepare: Callable = lambda batch: batch
    next_values: Callable = next_values
    critic_values: Callable = critic_values
    critic_loss: Callable = critic_loss
    own_action_fresh: Callable = own_action_fresh
    actor_loss: Callable = actor_loss


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
        uniform = torch.rand(logits.shape, generator=generator, dtype=torch.float32)
        noise = gumbel_noise(uniform).to(logits.device)
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

    ``optimizers``: the actors', the critics'. ``batch`` has the agents first, see :func:`by_agent`.
    """
    pieces = pieces or Pieces()
    batch = pieces.prepare(batch)
    loss = critic_step(nets, optimizers[1], batch, config, pieces)
    actor_step(nets, optimizers[0], batch, config, pieces, generator)
    move_towards(nets.target_actors, nets.actors, config.target_rate)
    move_towards(nets.target_critics, nets.critics, config.target_rate)
    return loss
