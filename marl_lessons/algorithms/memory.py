"""A memory of recent transitions, from which a tabular learner draws what it learns from (experience replay).

Inner machinery: it takes arrays that its callers have checked, and checks nothing itself.
"""

from __future__ import annotations

import numpy as np


class Memory:
    """The latest transitions of E seeds and n agents, ``capacity[n]`` of each agent; 1 is learning from the present one."""

    def __init__(self, capacity: np.ndarray, n_seeds: int):
        """``capacity``: how many transitions each agent keeps."""
        self.capacity, self.stored = np.asarray(capacity), 0
        self._rings: list[np.ndarray] | None = None
        self._place = np.ogrid[:n_seeds, : len(self.capacity)]

    def exchange(self, uniform: np.ndarray, *present: np.ndarray) -> list[np.ndarray]:
        """Store the ``present`` transition, given by arrays ``[E, n]``, and return ``[B, E, n]``: B drawn from those kept.

        Each agent of each seed draws its own with ``uniform[B, E, n]`` in [0, 1); every kept one has the same chance.
        """
        if self._rings is None:
            shape = (self.capacity.max(), *present[0].shape)
            self._rings = [np.empty(shape, part.dtype) for part in present]
        newest = self.stored % self.capacity
        self.stored += 1
        age = (uniform * np.minimum(self.stored, self.capacity)).astype(np.intp)
        drawn = (newest - age) % self.capacity
        seed, agent = self._place
        for ring, part in zip(self._rings, present):
            ring[newest, seed, agent] = part
        return [ring[drawn, seed, agent] for ring in self._rings]
