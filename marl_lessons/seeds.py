"""Random numbers for many seeds that advance together: the one place where seeds become streams.

A run must not depend on how many other seeds run beside it. So every seed has a generator of its own, and draws from it in
the same order whether it runs alone or with 99 others.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_count


class UniformStreams:
    """Uniform random numbers in [0, 1), one independent stream per seed.

    ``next()`` returns an array ``[n_numbers, n_seeds]``: column ``e`` comes from the generator of seed ``e`` alone. Numbers
    are drawn in blocks, because one call that fills 1,000 steps costs little more than one that fills a single step.
    """

    def __init__(self, seeds, n_numbers: int, block: int = 1000):
        """``seeds``: a count n (seeds 0 .. n-1) or a sequence of non-negative integers."""
        self.seeds = as_seeds(seeds)
        self.generators = [np.random.default_rng(seed) for seed in self.seeds]
        self.n_numbers, self.block, self._position = n_numbers, block, block

    def next(self) -> np.ndarray:
        """The next ``[n_numbers, n_seeds]`` numbers."""
        if self._position == self.block:
            drawn = [g.random((self.block, self.n_numbers)) for g in self.generators]
            self._numbers = np.ascontiguousarray(np.stack(drawn, axis=-1))
            self._position = 0
        self._position += 1
        return self._numbers[self._position - 1]


def as_seeds(seeds) -> tuple[int, ...]:
    """A tuple of seeds from a count (30 means 0 .. 29) or a sequence, in which no seed comes twice."""
    if isinstance(seeds, int | np.integer) and not isinstance(seeds, bool):
        return tuple(range(as_count("seeds", seeds)))
    try:
        result = tuple(seeds)
    except TypeError as error:
        raise ValueError(
            f"seeds: expected a count or a sequence of integers, got {seeds!r:.80}"
        ) from error
    if not result:
        raise ValueError("seeds is empty; at least one seed is needed")
    result = tuple(as_count(f"seeds[{i}]", seed, low=0) for i, seed in enumerate(result))
    if len(set(result)) < len(result):
        raise ValueError(
            f"seeds: {result!r:.80} names a seed twice; seeds are independent runs, each is allowed once"
        )
    return result
