"""What MADDPG leaves behind: actors that act on their own observation alone, and critics to be asked. Lesson 09."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep.checks import as_float32
from marl_lessons.algorithms.deep.maddpg_update import continuous_action, critic_values, everyone
from marl_lessons.algorithms.deep.networks import mlp
from marl_lessons.checks import as_position
from marl_lessons.results import short_repr


@dataclass(frozen=True, eq=False)
class ActorPolicy:
    """The joint policy of n actors without exploration: ``policy(observations[E, n, d])`` are the actions.

    ``[E, n, k]`` in [0, 1], or whole numbers ``[E, n]`` where ``continuous`` is False. Each agent's action comes from its own
    observation alone, the first ``observation_sizes[i]`` entries of its row; no critic is part of it.

    ``policy.act`` is the form ``.act(worlds, observations)`` that :func:`~marl_lessons.evaluation.statistics.play_episodes` and
    :func:`~marl_lessons.evaluation.particles.frames.record` take; the policy itself is the form that
    :func:`~marl_lessons.evaluation.particles.frames.record_probes` takes. :meth:`of_agent` is one agent's part alone.

    actors: parameters as :func:`~marl_lessons.algorithms.deep.networks.init_mlp` makes them.
    """

    actors: list[Tensor]
    action_sizes: tuple[int, ...]
    observation_sizes: tuple[int, ...]
    continuous: bool

    __repr__ = short_repr

    def act(self, worlds, observations: np.ndarray) -> np.ndarray:
        """``policy(observations)``; ``worlds`` is not read."""
        return self(observations)

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """The actions for ``observations[E, n, d]``."""
        sizes = np.array(self.observation_sizes)[:, None]
        seen = as_float32("observations", observations, (None, len(sizes), int(sizes.max())))
        own = np.arange(sizes.max()) < sizes
        return self._chosen("observations", slice(None), seen * own)

    def of_agent(self, agent: int) -> Callable[[np.ndarray], np.ndarray]:
        """Agent i's policy alone: ``[E, d_i]`` to ``[E, k_i]``, or to ``[E]``.

        It also takes rows as the worlds hand them out, ``[E, d]`` with d the widest agent's size: entries beyond its own d_i
        have no effect, if they are finite.
        """
        i = as_position("agent", agent, len(self.action_sizes))
        d, k, width = self.observation_sizes[i], self.action_sizes[i], max(self.observation_sizes)

        def act(observation: np.ndarray) -> np.ndarray:
            seen = as_float32("observation", observation, (None, None))
            if seen.shape[1] not in (d, width):
                raise ValueError(
                    f"observation: expected shape (any, {d}) or (any, {width}), got {seen.shape}"
                )
            padded = np.pad(seen[:, :d], ((0, 0), (0, width - d)))[:, None]
            actions = self._chosen("observation", slice(i, i + 1), padded)[:, 0]
            return actions[:, :k] if self.continuous else actions

        return act

    def _chosen(self, name: str, agents: slice, seen: np.ndarray) -> np.ndarray:
        """What ``agents`` do where they see ``seen[E, ·, d]``, worlds first."""
        actors, sizes = [p[agents] for p in self.actors], self.action_sizes[agents]
        with torch.no_grad():
            logits = mlp(actors, torch.as_tensor(seen).transpose(0, 1).to(actors[0].device))
            if not logits.isfinite().all():
                raise ValueError(f"{name}: so large that an actor has no finite answer")
            allowed = allowed_entries(sizes, logits.shape[-1]).to(logits.device)
            if self.continuous:
                return continuous_action(logits, allowed).transpose(0, 1).cpu().numpy()
            return logits.where(allowed > 0, -torch.inf).argmax(dim=-1).T.cpu().numpy()


@dataclass(frozen=True, eq=False)
class Critics:
    """The critics of n agents: ``critics(observations[E, n, d], actions[E, n, k])`` are their values ``[E, n]``.

    With ``central`` each sees all observations and actions, otherwise those of its own agent. Nobody needs them to act.
    ``observation_size``: d.
    """

    parameters: list[Tensor]
    central: bool
    observation_size: int

    __repr__ = short_repr

    def __call__(self, observations: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """The values."""
        n, width = self.parameters[0].shape[:2]
        d, each = self.observation_size, width // n if self.central else width
        seen = as_float32("observations", observations, (None, n, d))
        done = as_float32("actions", actions, (len(seen), n, each - d))
        device = self.parameters[0].device
        with torch.no_grad():
            parts = [torch.as_tensor(x).transpose(0, 1).to(device) for x in (seen, done)]
            parts = [everyone(x) for x in parts] if self.central else parts
            values = critic_values(self.parameters, *parts).T.cpu().numpy()
        if not np.isfinite(values).all():
            raise ValueError("observations, actions: so large that a critic has no finite answer")
        return values


def allowed_entries(action_sizes: tuple[int, ...], width: int | None = None) -> Tensor:
    """``[n, 1, k]``: 1 for the first k_i entries of agent i's row, 0 behind them."""
    places = torch.arange(width or max(action_sizes))
    return (places < torch.tensor(action_sizes)[:, None, None]).float()
