"""Experience replay: remember transitions, learn from a random sample of them (Lin 1992; Albrecht et al. 2024, Ch. 8)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep.networks import check_generators
from marl_lessons.checks import as_count

SIZES = ("capacity", "observation_size", "action_size")  # what a snapshot says besides its rows


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
        self.capacity = as_count("capacity", capacity)
        self.n_seeds, self.n_agents = as_count("n_seeds", n_seeds), as_count("n_agents", n_agents)
        self.observation_size = as_count("observation_size", observation_size)
        self.action_size = None if action_size is None else as_count("action_size", action_size)
        width = 2 * self.observation_size + (self.action_size or 1) + 3
        shape = (self.n_seeds, self.capacity, self.n_agents, width)
        self._memory = torch.zeros(shape, device=device)
        self._n_stored = 0

    def __len__(self) -> int:
        """Joint transitions that each seed holds now."""
        return min(self._n_stored, self.capacity)

    def add(self, observations, actions, rewards, next_observations, terminated, active) -> None:
        """Store one step of E worlds of every seed: arrays or tensors ``[S, E, n, d]`` and ``[S, E, n]``, as in :class:`Batch`.

        ``actions`` are ``[S, E, n, k]`` where they are vectors, with any numbers that stand behind an agent's own.

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
        self._check_observations("next_observations", next_observations, n_worlds)
        each = (self.n_seeds, n_worlds, self.n_agents)
        k = self.action_size
        _check_shape("actions", actions, each if k is None else (*each, k))
        told = {"rewards": rewards, "terminated": terminated, "active": active}
        for name, values in told.items():
            _check_shape(name, values, each)
        columns = [self._tensor(x) for x in (observations, next_observations, actions)]
        columns[2] = columns[2].unsqueeze(-1) if k is None else columns[2]
        columns += [self._tensor(x).unsqueeze(-1) for x in told.values()]
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
        return _as_batch(rows, self.observation_size, self.action_size, ages)

    def snapshot(self) -> dict[str, Tensor | int]:
        """The stored rows and four whole numbers, for :meth:`restore`: a run can be stopped, kept in a file and resumed.

        "rows" ``[S, stored, n, 2d + k + 3]`` float32, a copy; "n_stored": how many were ever added; "capacity";
        "observation_size"; "action_size", 0 where actions are whole numbers.
        """
        sizes = {name: getattr(self, name) or 0 for name in SIZES}
        rows = self._memory[:, : len(self)].clone()
        return {"rows": rows, "n_stored": self._n_stored, **sizes}

    def restore(self, snapshot: dict[str, Tensor | int]) -> None:
        """Return to the content of a :meth:`snapshot` of a buffer of the same sizes, perhaps on another device."""
        rows, n_stored = self._check_snapshot(snapshot)
        self._memory.zero_()
        self._memory[:, : rows.shape[1]] = rows.to(self._memory)
        self._n_stored = n_stored

    def _check_snapshot(self, snapshot) -> tuple[Tensor, int]:
        names = ("rows", "n_stored", *SIZES)
        if not isinstance(snapshot, dict) or set(snapshot) != set(names):
            given = sorted(snapshot, key=str) if isinstance(snapshot, dict) else snapshot
            raise ValueError(
                f"snapshot: expected a dict with {', '.join(names)}, got {given!r:.80}"
            )
        for name in SIZES:
            here, there = getattr(self, name) or 0, snapshot[name]
            if as_count(f"snapshot[{name!r}]", there, low=0) != here:
                raise ValueError(f"snapshot[{name!r}]: expected {here}, as here, got {there}")
        n_stored = as_count("snapshot['n_stored']", snapshot["n_stored"], low=0)
        rows, n_kept = snapshot["rows"], min(n_stored, self.capacity)
        if not isinstance(rows, Tensor) or rows.dtype != torch.float32:
            raise ValueError(f"snapshot['rows']: expected a float32 tensor, got {rows!r:.80}")
        shape = (self.n_seeds, n_kept, *self._memory.shape[2:])
        _check_shape("snapshot['rows']", rows, shape)
        return rows, n_stored

    def _tensor(self, values) -> Tensor:
        return torch.as_tensor(values).to(self._memory)

    def _check_observations(self, name: str, values, n_worlds: int | None = None) -> int:
        given = _shape(values)
        worlds = n_worlds or (given[1] if len(given) == 4 else 1)
        _check_shape(name, values, (self.n_seeds, worlds, self.n_agents, self.observation_size))
        return worlds


def _as_batch(rows: Tensor, d: int, k: int | None, ages: Tensor) -> Batch:
    """Name the columns of ``rows[S, B, n, 2d + k + 3]``; the result shares their memory where it can."""
    seen, seen_next, actions, told = rows.split([d, d, k or 1, 3], dim=-1)
    rewards, terminated, active = told.unbind(-1)
    return Batch(
        observations=seen,
        actions=actions.squeeze(-1).long() if k is None else actions,
        rewards=rewards,
        next_observations=seen_next,
        terminated=terminated.bool(),
        active=active.bool(),
        ages=ages,
    )


def _shape(values) -> tuple[int, ...]:
    return tuple(values.shape) if isinstance(values, np.ndarray | Tensor) else np.shape(values)


def _check_shape(name: str, values, shape: tuple[int, ...]) -> None:
    if _shape(values) != shape:
        raise ValueError(f"{name}: expected shape {shape}, got {_shape(values)}")
