"""What MADDPG leaves behind: actors, each of which acts on its own observation, and critics, to be asked what they think."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.maddpg_losses import continuous_action, critic_values, everyone
from marl_lessons.algorithms.networks import mlp
from marl_lessons.checks import as_count, as_float_array


@dataclass(frozen=True, eq=False)
class ActorPolicy:
    """The joint policy of n actors without exploration: ``policy(observations[E, n, d])`` are the actions.

    ``[E, n, k]`` in [0, 1], or whole numbers ``[E, n]`` where ``continuous`` is False. Each agent's action comes from its own
    observation alone; no critic is part of it. :meth:`act` is the same for
    :func:`~marl_lessons.evaluation.episodes.play_episodes`, :meth:`of_agent` one agent's part alone.
    """

    actors: list[Tensor]
    action_sizes: tuple[int, ...]
    observation_sizes: tuple[int, ...]
    continuous: bool

    def act(self, worlds, observations: np.ndarray) -> np.ndarray:
        """``policy(observations)``; ``worlds`` is not read."""
        return self(observations)

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """The actions for ``observations[E, n, d]``; raises ValueError naming ``observations``."""
        shape = (None, len(self.action_sizes), max(self.observation_sizes))
        seen = as_float_array("observations", observations, shape).astype(np.float32)
        inputs = torch.as_tensor(seen).transpose(0, 1).to(self.actors[0].device)
        return self._chosen(inputs)

    def of_agent(self, agent: int) -> Callable[[np.ndarray], np.ndarray]:
        """Agent i's policy alone: ``[E, d_i]`` to ``[E, k_i]``, or to ``[E]``; raises ValueError naming ``agent``."""
        i = as_count("agent", agent, low=0)
        if i >= len(self.action_sizes):
            raise ValueError(f"agent is {i}; allowed are 0 to {len(self.action_sizes) - 1}")
        d, width = self.observation_sizes[i], max(self.observation_sizes)
        sizes = (self.action_sizes[i],)
        mine = ActorPolicy([p[i : i + 1] for p in self.actors], sizes, (d,), self.continuous)

        def act(observation: np.ndarray) -> np.ndarray:
            seen = as_float_array("observation", observation, (None, d)).astype(np.float32)
            padded = np.pad(seen, ((0, 0), (0, width - d)))
            actions = mine._chosen(torch.as_tensor(padded)[None].to(self.actors[0].device))
            return actions[:, 0, : sizes[0]] if self.continuous else actions[:, 0]

        return act

    def _chosen(self, inputs: Tensor) -> np.ndarray:
        """Actions with the worlds first for ``inputs[n, E, d]``."""
        with torch.no_grad():
            logits = mlp(self.actors, inputs)
            allowed = allowed_entries(self.action_sizes, logits.shape[-1]).to(logits.device)
            if self.continuous:
                return continuous_action(logits, allowed).transpose(0, 1).cpu().numpy()
            return logits.where(allowed > 0, -torch.inf).argmax(dim=-1).T.cpu().numpy()


@dataclass(frozen=True, eq=False)
class Critics:
    """The critics of n agents: ``critics(observations[E, n, d], actions[E, n, k])`` are their values ``[E, n]``.

    With ``central`` each sees all observations and actions, otherwise those of its own agent. Nobody needs them to act.
    """

    parameters: list[Tensor]
    central: bool

    def __call__(self, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """The values; raises ValueError naming ``observations`` or ``actions``."""
        n = len(self.parameters[0])
        seen = as_float_array("observations", observations, (None, n, None))
        done = as_float_array("actions", actions, (len(seen), n, None))
        parts = [
            torch.as_tensor(x, dtype=torch.float32).transpose(0, 1).to(self.parameters[0].device)
            for x in (seen, done)
        ]
        width = parts[0].shape[-1] + parts[1].shape[-1]
        if width * (n if self.central else 1) != self.parameters[0].shape[1]:
            raise ValueError(
                f"actions: observations and actions of {width} numbers do not fit these critics"
            )
        with torch.no_grad():
            parts = [everyone(x) for x in parts] if self.central else parts
            return critic_values(self.parameters, *parts).T.cpu().numpy()


def allowed_entries(action_sizes: tuple[int, ...], width: int | None = None) -> Tensor:
    """``[n, 1, k]``: 1 for the first k_i entries of agent i's row, 0 behind them."""
    places = torch.arange(width or max(action_sizes))
    return (places < torch.tensor(action_sizes)[:, None, None]).float()
