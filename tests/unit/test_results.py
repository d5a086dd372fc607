"""How results print: every array by its shape, on one line."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marl_lessons.results import short_repr


@dataclass(frozen=True, eq=False)
class Run:
    q: np.ndarray
    returns: tuple[np.ndarray, ...]
    seeds: tuple[int, ...]
    policies: np.ndarray | None = None

    __repr__ = short_repr


class Pair(NamedTuple):
    kernel: np.ndarray
    mean: np.ndarray
    parts: list

    __repr__ = short_repr


def test_shapes_stand_for_numbers():
    run = Run(np.zeros((2, 3)), (np.zeros(4), np.zeros(5)), tuple(range(1000)))
    assert repr(run) == "Run(q [2, 3], returns 2 arrays, seeds (0, 1, 2, 3, 4, 5, ...))"
    pair = Pair(np.zeros((5, 1)), np.array(0.5), [np.zeros(2)] * 3)
    assert repr(pair) == "Pair(kernel [5, 1], mean array(0.5), parts 3 arrays [2])"
