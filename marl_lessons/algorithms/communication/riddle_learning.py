"""The equations of RIAL and DIAL on the switch riddle, and one update of all seeds' networks (Foerster et al. 2016).

Shapes as in :mod:`~marl_lessons.algorithms.communication.riddle_agents`: M networks, B episodes, T days, n prisoners, A actions. Functions of
checked tensors that check nothing themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.communication.channel import hard_message, soft_message
from marl_lessons.algorithms.communication.riddle_agents import (
    Speak,
    Story,
    live_through,
    of_visitor,
)
from marl_lessons.algorithms.communication.riddle_play import riddle_outcome
from marl_lessons.algorithms.communication.riddle_settings import RiddleConfig
from marl_lessons.algorithms.temporal_difference import epsilon_greedy
from marl_lessons.envs.switch_riddle import NONE


class Chance(NamedTuple):
    """All that is random in one update of M networks.

    today ``[M, B, T]``       who is in the room
    uniform ``[4, M, B, T]``  numbers in [0, 1): whether to act at random, how, whether to speak at random, what
    noise ``[M, B, T]``       standard normal, the channel's
    """

    today: Tensor
    uniform: np.ndarray
    noise: Tensor


def draw_chance(generators: Sequence[torch.Generator], config: RiddleConfig) -> Chance:
    """Network m's part comes from ``generators[m]`` alone, and in the same order for all kinds of prisoners."""
    shape = (config.n_episodes, config.n_days)
    today = [torch.randint(config.n_agents, shape, generator=g) for g in generators]
    uniform = [torch.rand(4, *shape, generator=g) for g in generators]
    noise = [torch.randn(shape, generator=g) for g in generators]
    return Chance(torch.stack(today), torch.stack(uniform, dim=1).numpy(), torch.stack(noise))


def learners_speech(chance: Chance, config: RiddleConfig) -> Speak:
    """How prisoners speak while they learn. DIAL: a soft, noisy message. RIAL: an ε-greedy bit. Silent ones: 0."""

    def dial(day: int, voice: Tensor) -> tuple[Tensor, Tensor]:
        logit = voice[..., 0]
        return hard_message(logit), soft_message(logit, config.noise_scale, chance.noise[..., day])

    def rial(day: int, voice: Tensor) -> tuple[Tensor, Tensor]:
        values, uniform = voice.detach().numpy(), chance.uniform[2:, ..., day]
        said = torch.as_tensor(epsilon_greedy(values, config.epsilon, uniform)).to(voice.dtype)
        return said, said

    def silent(day: int, voice: Tensor) -> tuple[Tensor, Tensor]:
        said = torch.zeros(voice.shape[:-1])
        return said, said

    return {"dial": dial, "rial": rial, "silent": silent}[config.kind]


def targets_speech(story: Story, chance: Chance, config: RiddleConfig) -> Speak:
    """How the target network's prisoners speak while they live through the episodes of the online network's ``story``.

    In DIAL a message is an activation inside the network of all prisoners. So the target network makes its own, from its own
    logits, with the same noise. In RIAL a message is an action, which the target network judges but does not choose: it
    hears what was said.
    """
    if config.kind == "dial":
        return learners_speech(chance, config)
    return lambda day, voice: (story.said[..., day], story.heard[..., day])


def riddle_targets(
    rewards: Tensor, next_values: Tensor, goes_on: Tensor, discount: float
) -> Tensor:
    """``[M, B, T, n]``: y = r + γ max_a' Q⁻(tomorrow, a'), and r alone where the episode ends today.

    ``rewards[M, B, T]`` and ``goes_on[M, B, T]`` (False on the last day) are the same for all n; ``next_values[M, B, T, n]``:
    :func:`state_values` of tomorrow, of the target network.
    """
    return rewards[..., None] + discount * goes_on[..., None] * next_values


def state_values(values: Tensor, today: Tensor) -> Tensor:
    """``[M, B, T, n]``: max_a Q(a) over what is allowed, for ``values[M, B, T, n, A]``. Outside the room that is NONE alone."""
    here = torch.nn.functional.one_hot(today, values.shape[3]).bool()
    return torch.where(here, values.max(dim=-1).values, values[..., NONE])


def squared_errors(values: Tensor, chosen: Tensor, targets: Tensor) -> Tensor:
    """``[...]``: (y - Q(a))² for ``values[..., A]``, the action ``chosen[...]`` and ``targets[...]`` y."""
    return (targets - values.gather(-1, chosen[..., None]).squeeze(-1)).square()


def riddle_losses(
    online: Sequence[Tensor], target: Sequence[Tensor], chance: Chance, config: RiddleConfig
) -> tuple[Tensor, np.ndarray]:
    """Each network's loss ``[M]`` and the episodes' rewards ``[M, B]``, with exploration.

    The loss is a sum over the days until the episode ended and over all prisoners, and a mean over episodes. In RIAL the
    message of the day adds its own error, towards the target of who said it.
    """
    today, n = chance.today, config.n_agents
    story = live_through(online, today, n, learners_speech(chance, config))
    mine = of_visitor(story.values, today)
    actions = epsilon_greedy(mine.detach().numpy(), config.epsilon, chance.uniform[:2])
    rewards, lived = riddle_outcome(today.numpy(), actions != NONE, n)
    lived, goes_on = torch.as_tensor(lived), torch.as_tensor(lived & (actions == NONE))
    goes_on[..., -1] = False
    with torch.no_grad():
        ahead = live_through(target, today, n, targets_speech(story, chance, config))
        tomorrow = state_values(ahead.values, today).roll(-1, dims=2)  # the last day's goes unused
        y = riddle_targets(torch.as_tensor(rewards).float(), tomorrow, goes_on, config.discount)
    here = torch.nn.functional.one_hot(today, n).bool()
    chosen = torch.where(here, torch.as_tensor(actions)[..., None], NONE)
    error = (squared_errors(story.values, chosen, y) * lived[..., None]).sum(dim=(2, 3))
    if config.kind == "rial":
        spoken = squared_errors(story.voice, story.said.long(), (y * here).sum(dim=-1))
        error = error + (spoken * goes_on).sum(
            dim=2
        )  # what was said when an episode ended was never read
    return error.mean(dim=1), rewards.sum(axis=-1)


def riddle_update(
    online: Sequence[Tensor],
    target: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    chance: Chance,
    config: RiddleConfig,
) -> tuple[Tensor, np.ndarray]:
    """One step of the optimiser for every network, back through whole episodes; returns :func:`riddle_losses` before it."""
    losses, rewards = riddle_losses(online, target, chance, config)
    optimizer.zero_grad()
    losses.sum().backward()
    optimizer.step()
    return losses.detach(), rewards
