"""The switch riddle: prisoners who must find out together whether all of them have been in one room. Lesson 10.

Each day one of n prisoners, any with equal chance and independently of the days before, is led into a room. There, that
prisoner may ``TELL``: "all of us have been here". If that is true, today's visit included, everyone gets +1, else everyone
gets -1; either way the episode ends. With ``NONE`` the next day comes. If nobody has told by the end of day T = 4n - 6, the
episode ends with 0 (Foerster et al. 2016, Section 6.2). What a prisoner leaves behind for the next day's visitor is the
learner's affair: here stand the rules, and what prisoners did.
"""

from __future__ import annotations

from itertools import product
from math import log
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count
from marl_lessons.results import short_repr

NONE, TELL = 0, 1
FEWEST = 3
MOST_SEQUENCES = 100_000


def riddle_days(n_agents: int) -> int:
    """T = 4n - 6, the days that ``n_agents`` prisoners are given, at least 3 of them."""
    return 4 * as_count("n_agents", n_agents, low=FEWEST) - 6


def riddle_outcome(
    today: np.ndarray, tells: np.ndarray, n_agents: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each day's reward and whether the episode still went on when the day began, both ``[..., T]``.

    ``today[..., T]``: who is in the room; ``tells[..., T]``: whether this prisoner would tell. Only the first who tells is
    heard: +1 if everyone has been there, else -1.
    """
    lived = np.cumsum(tells, axis=-1) - tells == 0
    visited = (today[..., None] == np.arange(n_agents)).cumsum(axis=-2) > 0  # [..., T, n]
    right = visited.all(axis=-1)
    return np.where(tells & lived, np.where(right, 1.0, -1.0), 0.0), lived


def every_sequence(n_agents: int = 3) -> np.ndarray:
    """All n^T equally likely sequences of visitors, ``[n^T, T]``: 729 for three prisoners and six days.

    A mean over them is no estimate but an expectation. For four prisoners there are too many: draw some at random.
    """
    n_days = riddle_days(n_agents)
    if n_days > log(MOST_SEQUENCES, n_agents):
        raise ValueError(
            f"n_agents is {n_agents}; {n_days} days have {n_agents}^{n_days} sequences, "
            f"more than {MOST_SEQUENCES:,}; draw some at random"
        )
    return np.array(list(product(range(n_agents), repeat=n_days)))


class RiddlePlay(NamedTuple):
    """E episodes, played by S seeds' prisoners without exploration.

    today ``[E, T]``        who is in the room
    said ``[S, E, T]``      the bit 0 or 1 that this prisoner says; 0 from silent prisoners
    heard ``[S, E, T]``     what is heard of it on the next day, after the channel
    tells ``[S, E, T]``     whether this prisoner tells, as if nobody had told before
    lived ``[S, E, T]``     whether the episode still went on when the day began
    rewards ``[S, E]``      +1, -1 or 0
    """

    today: np.ndarray
    said: np.ndarray
    heard: np.ndarray
    tells: np.ndarray
    lived: np.ndarray
    rewards: np.ndarray

    __repr__ = short_repr

    @property
    def scores(self) -> np.ndarray:
        """``[S]``: mean reward of each seed."""
        return self.rewards.mean(axis=1)


def code_table(play: RiddlePlay) -> np.ndarray:
    """The learned code: how often the prisoner in the room says 1, ``[S, T, 2, 2]``; NaN where that never happened.

    Axes: seed, day, whether this prisoner has been there before (0 no, 1 yes), and the bit that was heard (0 or 1; nearer to 1
    counts as 1, and on the first day nothing has been heard, which counts as 0). Days after somebody told are left out.
    """
    return _share(play, play.said == 1)


def tell_table(play: RiddlePlay) -> np.ndarray:
    """How often the prisoner in the room tells, ``[S, T, 2, 2]``, with the axes of :func:`code_table`."""
    return _share(play, play.tells)


def _share(play: RiddlePlay, happens: np.ndarray) -> np.ndarray:
    same = play.today[:, :, None] == play.today[:, None, :]
    before = np.tril(same, k=-1).any(axis=2)  # [E, T]: the one in the room has been there before
    heard = np.zeros(play.heard.shape, dtype=bool)
    heard[..., 1:] = play.heard[..., :-1] > 0.5
    shares = np.empty((play.said.shape[0], play.said.shape[2], 2, 2))
    for there, bit in product((0, 1), repeat=2):
        counted = play.lived & (before == there) & (heard == bit)
        with np.errstate(invalid="ignore"):
            shares[..., there, bit] = (happens & counted).sum(axis=1) / counted.sum(axis=1)
    return shares
