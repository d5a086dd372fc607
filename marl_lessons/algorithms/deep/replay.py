"""Experience replay: remember transitions, learn from a random sample of them (Lin 1992; Albrecht et al. 2024, Ch. 8). Lessons 06, 09 and 10."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """B joint transitions of each of S seeds: what n agents saw, did, were paid, and saw next.

    observations, next_observations ``[S, B, n, d]`` float32
    actions ``[S, B, n]`` int64, or vectors ``[S, B, n, k]`` float32
    rewards ``[S, B, n]`` float32
    terminated ``[S, B, n]`` booleans  nothing that follows counts for this agent
    active ``[S, B, n]`` booleans      this agent took part when the action was chosen
    ages ``[S, B]`` int64              how many joint transitions of that seed were stored since
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    terminated: Tensor
    active: Tensor
    ages: Tensor


class Replay:
    """S ring buffers, one for each seed, that fill side by side; the newest transition overwrites the oldest.

    A joint transition of n agents is one row ``[n, 2d + k + 3]`` of float32 numbers (k = 1 where actions are whole numbers),
    so that a sample is gathered by one ``index_select``, and what is drawn of all agents belongs to one moment of one world.
    Memory: 4 · S · capacity · n · (2d + k + 3) bytes.
    """

    def __init__(
        self,
        capacity: int,
        n_seeds: int,
        n_agents: int,
        observation_size: int,
        device: torch.device | str = "cpu",
        action_size: int | None = None,
    ):
        """``capacity``: joint transitions that each seed keeps; ``action_size``: None for actions that are whole numbers, k for vectors."""
        self.capacity, self.n_seeds, self.n_agents = capacity, n_seeds, n_agents
        self.action_size = action_size
        self._widths = [observation_size, observation_size, action_size or 1, 1, 1, 1]
        shape = (n_seeds, capacity, n_agents, sum(self._widths))
        self._memory = torch.zeros(shape, dtype=torch.float32, device=device)
        self._n_stored = 0

    def __len__(self) -> int:
        """Joint transitions that each seed holds now."""
        return min(self._n_stored, self.capacity)

    def add(self, observations, actions, rewards, next_observations, terminated, active) -> None:
        """Store one step of E worlds of every seed, E at most the capacity: arrays or tensors as in :class:`Batch`.

        Their first axes are ``[S, E]`` or ``[S·E]``, seed by seed. Vectors of actions are stored with what stands behind an
        agent's own entries. That numbers are finite is not checked here, at every step: :meth:`is_finite` tells.
        """
        parts = (observations, next_observations, actions, rewards, terminated, active)
        columns = [
            torch.as_tensor(part).to(self._memory).reshape(self.n_seeds, -1, self.n_agents, width)
            for part, width in zip(parts, self._widths)
        ]
        n_worlds, device = columns[0].shape[1], self._memory.device
        places = (self._n_stored + torch.arange(n_worlds, device=device)) % self.capacity
        self._memory[:, places] = torch.cat(columns, dim=-1)
        self._n_stored += n_worlds

    def is_finite(self) -> bool:
        """Whether every stored number is finite."""
        return bool(self._memory.isfinite().all())

    def sample(self, batch_size: int, generators: Sequence[torch.Generator]) -> Batch:
        """``batch_size`` transitions of each seed, every one kept equally likely, with replacement.

        ``generators``: one per seed, on the CPU; seed s draws from its own alone.
        """
        drawn = [
            torch.randint(len(self), (batch_size,), generator=g, device="cpu") for g in generators
        ]
        place = torch.stack(drawn)
        first = torch.arange(self.n_seeds, device="cpu")[:, None] * self.capacity
        row = (first + place).flatten().to(self._memory.device)
        rows = self._memory.flatten(0, 1).index_select(0, row).unflatten(0, place.shape)
        seen, seen_next, actions, *told = rows.split(self._widths, dim=-1)
        rewards, terminated, active = (part.squeeze(-1) for part in told)
        return Batch(
            observations=seen,
            actions=actions.squeeze(-1).long() if self.action_size is None else actions,
            rewards=rewards,
            next_observations=seen_next,
            terminated=terminated.bool(),
            active=active.bool(),
            ages=(self._n_stored - 1 - place) % self.capacity,
        )

    def snapshot(self) -> dict[str, Tensor | int]:
        """What is stored, for :meth:`restore`: rows ``[S, stored, n, 2d + k + 3]``, a copy, and how many were ever added."""
        return {"rows": self._memory[:, : len(self)].clone(), "n_stored": self._n_stored}

    def restore(self, snapshot: dict[str, Tensor | int]) -> None:
        """Return to the content of a :meth:`snapshot` of a buffer of the same sizes, perhaps on another device."""
        rows = snapshot["rows"]
        self._memory[:, : rows.shape[1]] = rows.to(self._memory)
        self._n_stored = snapshot["n_stored"]
