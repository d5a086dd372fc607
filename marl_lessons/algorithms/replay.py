"""Experience replay: remember transitions, learn from a random sample of them (Lin 1992; Albrecht et al. 2024, Ch. 8)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.networks import check_generators
from marl_lessons.checks import as_count


class Batch(NamedTuple):
    """B joint transitions of each of S seeds: what n agents saw, did, were paid, and saw next.

    observations, next_observations ``[S, B, n, d]`` float32
    actions ``[S, B, n]`` int64
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

    A joint transition of n agents is one row ``[n, 2d + 4]`` of float32 numbers, so that a sample is gathered by one
    ``index_select``. Memory: 4 · S · capacity · n · (2d + 4) bytes.
    """

    def __init__(
        self,
        capacity: int,
        n_seeds: int,
        n_agents: int,
        observation_size: int,
        device: torch.device | str = "cpu",
    ):
        """``capacity``: joint transitions that each seed keeps. Raises ValueError naming the argument."""
        self.capacity = as_count("capacity", capacity)
        self.n_seeds, self.n_agents = as_count("n_seeds", n_seeds), as_count("n_agents", n_agents)
        self.observation_size = as_count("observation_size", observation_size)
        width = 2 * self.observation_size + 4
        shape = (self.n_seeds, self.capacity, self.n_agents, width)
        self._memory = torch.zeros(shape, device=device)
        self._n_stored = 0

    def __len__(self) -> int:
        """Joint transitions that each seed holds now."""
        return min(self._n_stored, self.capacity)

    def add(self, observations, actions, rewards, next_observations, terminated, active) -> None:
        """Store one step of E worlds of every seed: arrays or tensors ``[S, E, n, d]`` and ``[S, E, n]``, as in :class:`Batch`.

        Raises ValueError naming the argument for another shape, or for more worlds than the buffer holds or none. That the
        numbers are finite is not checked here, at every step: :meth:`is_finite` tells.
        """
        n_worlds = self._check_observations("observations", observations)
        if n_worlds == 0:
            raise ValueError("observations: expected those of at least one world of each seed")
        if n_worlds > self.capacity:
            raise ValueError(
                f"observations: {n_worlds} worlds are more than the capacity, {self.capacity}"
            )
        seen = [observations, next_observations]
        told = {"actions": actions, "rewards": rewards, "terminated": terminated, "active": active}
        self._check_observations("next_observations", next_observations, n_worlds)
        for name, values in told.items():
            _check_shape(name, values, (self.n_seeds, n_worlds, self.n_agents))
        columns = [self._tensor(x) for x in seen]
        columns += [self._tensor(x)[..., None] for x in told.values()]
        rows = (self._n_stored + torch.arange(n_worlds)) % self.capacity
        self._memory[:, rows.to(self._memory.device)] = torch.cat(columns, dim=-1)
        self._n_stored += n_worlds

    def is_finite(self) -> bool:
        """Whether every stored number is finite."""
        return bool(self._memory.isfinite().all())

    def sample(self, batch_size: int, generators) -> Batch:
        """``batch_size`` transitions of each seed, every one kept equally likely, with replacement.

        ``generators``: one ``torch.Generator`` per seed, on the CPU; seed s draws from its own alone. Raises ValueError
        naming the argument, and if nothing was stored yet.
        """
        batch_size = as_count("batch_size", batch_size)
        generators = check_generators("generators", generators)
        if len(generators) != self.n_seeds:
            raise ValueError(
                f"generators: expected {self.n_seeds}, one per seed, got {len(generators)}"
            )
        if len(self) == 0:
            raise ValueError("the replay buffer is empty; add transitions before you sample")
        drawn = [torch.randint(len(self), (batch_size,), generator=g) for g in generators]
        place = torch.stack(drawn)
        first = torch.arange(self.n_seeds)[:, None] * self.capacity
        row = (first + place).flatten().to(self._memory.device)
        rows = self._memory.flatten(0, 1).index_select(0, row).unflatten(0, place.shape)
        ages = (self._n_stored - 1 - place) % self.capacity
        return _as_batch(rows, self.observation_size, ages)

    def _tensor(self, values) -> Tensor:
        return torch.as_tensor(values).to(self._memory)

    def _check_observations(self, name: str, values, n_worlds: int | None = None) -> int:
        given = _shape(values)
        worlds = n_worlds or (given[1] if len(given) == 4 else 1)
        _check_shape(name, values, (self.n_seeds, worlds, self.n_agents, self.observation_size))
        return worlds


def _as_batch(rows: Tensor, d: int, ages: Tensor) -> Batch:
    """Name the columns of ``rows[S, B, n, 2d + 4]``; the result shares their memory where it can."""
    actions, rewards, terminated, active = rows[..., 2 * d :].unbind(-1)
    return Batch(
        observations=rows[..., :d],
        actions=actions.long(),
        rewards=rewards,
        next_observations=rows[..., d : 2 * d],
        terminated=terminated.bool(),
        active=active.bool(),
        ages=ages,
    )


def _shape(values) -> tuple[int, ...]:
    return tuple(values.shape) if isinstance(values, np.ndarray | Tensor) else np.shape(values)


def _check_shape(name: str, values, shape: tuple[int, ...]) -> None:
    if _shape(values) != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {_shape(values)}")
