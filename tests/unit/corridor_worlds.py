"""A small batched world in which slots are taken, left and taken again: what the tests of bridges and learners run on."""

from __future__ import annotations

import numpy as np

from marl_lessons.envs.stepping import BatchedStep


class CorridorWorlds:
    """Cars enter a corridor of ``length`` cells at its begin and leave at its end; action 0 goes on, 1 waits.

    Every car pays 1 a step, and 1 more for each other car in its cell afterwards; leaving pays 2. A free slot is taken
    with probability ``arrival``, also in the very step in which its car left. Slot i sees its cell as a one-hot vector,
    and slots of odd number besides how many cars there are. The clock stops every world after ``time_limit`` steps.
    """

    def __init__(self, n_worlds, n_agents, length=3, arrival=0.5, time_limit=8):
        self.n_worlds, self.n_agents, self.n_actions = n_worlds, n_agents, (2,) * n_agents
        self.length, self.arrival, self.time_limit = length, arrival, time_limit
        self.observation_sizes = tuple(length + i % 2 for i in range(n_agents))
        self.n_local_states = length + 1
        self.local_states = np.zeros((n_worlds, n_agents), dtype=int)  # 0: no car, c: in cell c - 1
        self.age = np.full(n_worlds, time_limit)

    @property
    def active(self):
        return (self.local_states > 0) & (self.age < self.time_limit)[:, None]

    @property
    def ended(self):
        return self.age >= self.time_limit

    def reset(self, rng):
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.local_states[which], self.age[which] = 0, 0
        self._arrive(which[:, None], rng)
        return self._observations()

    def step(self, actions, rng):
        assert (self.age < self.time_limit).all()
        there = self.active
        self.local_states += there & (actions == 0)
        left = self.local_states > self.length
        self.local_states[left] = 0
        same = self.local_states[:, :, None] == self.local_states[:, None, :]
        others = same.sum(axis=2) - 1
        rewards = there * (-1.0 + 2.0 * left - others * (self.local_states > 0))
        self._arrive(np.True_, rng)
        self.age += 1
        late = self.age >= self.time_limit
        return BatchedStep(self._observations(), rewards, left, late, late.copy())

    def _arrive(self, where, rng):
        comes = rng.random(self.local_states.shape) < self.arrival
        self.local_states[comes & where & (self.local_states == 0)] = 1

    def _observations(self):
        cells = np.arange(1, self.length + 1)
        seen = np.zeros((self.n_worlds, self.n_agents, max(self.observation_sizes)), np.float32)
        seen[:, :, : self.length] = self.local_states[:, :, None] == cells
        count = (self.local_states > 0).sum(axis=1)[:, None]
        if self.n_agents > 1:
            seen[:, 1::2, self.length] = count * (self.local_states > 0)[:, 1::2]
        return seen
