"""What prisoners of the switch riddle did in whole episodes: who came, what was said, who told and what it brought.

Shapes: S seeds, E episodes, T days, n prisoners. Who is led into the room depends on nothing that anybody does. So the days of
an episode can be drawn beforehand, and be looked at to their end though somebody told earlier.

Functions of arrays check nothing themselves.
"""

from __future__ import annotations

from itertools import product
from math import log
from typing import NamedTuple

import numpy as np

from marl_lessons.envs.switch_riddle import riddle_days

MOST_SEQUENCES = 100_000


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

    @property
    def scores(self) -> np.ndarray:
        """``[S]``: mean reward of each seed."""
        return self.rewards.mean(axis=1)


def visited(today: np.ndarray, n_agents: int) -> np.ndarray:
    """``[..., T, n]`` booleans: who has been in the room by each day, that day included, for ``today[..., T]``."""
    return (today[..., None] == np.arange(n_agents)).cumsum(axis=-2) > 0


def riddle_outcome(
    today: np.ndarray, tells: np.ndarray, n_agents: int
) -> tuple[np.ndarray, np.ndarray]:
    """Each day's reward and whether the episode still went on when the day began, both ``[..., T]``.

    ``today[..., T]``: who is in the room; ``tells[..., T]``: whether this prisoner would tell. Only the first who tells is
    heard: +1 if everyone has been there, else -1.
    """
    lived = np.cumsum(tells, axis=-1) - tells == 0
    right = visited(today, n_agents).all(axis=-1)
    return np.where(tells & lived, np.where(right, 1.0, -1.0), 0.0), lived


def every_sequence(n_agents: int = 3) -> np.ndarray:
    """All n^T equally likely sequences of visitors, ``[n^T, T]``: 729 for three prisoners and six days.

    A mean over them is no estimate but an expectation. Raises ValueError naming ``n_agents`` if it is below 3, or if there are
    more than 100,000 sequences, as for four prisoners.
    """
    n_days = riddle_days(n_agents)
    if n_days > log(MOST_SEQUENCES, n_agents):
        raise ValueError(
            f"n_agents is {n_agents}; {n_days} days have {n_agents}^{n_days} sequences, "
            f"more than {MOST_SEQUENCES:,}; draw some at random"
        )
    return np.array(list(product(range(n_agents), repeat=n_days)))


def been_before(today: np.ndarray) -> np.ndarray:
    """``[E, T]`` booleans: whether the prisoner in the room has been there on an earlier day, for ``today[E, T]``."""
    same = today[:, :, None] == today[:, None, :]
    return np.tril(same, k=-1).any(axis=2)


def code_table(play: RiddlePlay) -> np.ndarray:
    """The learned code: how often the prisoner in the room says 1, ``[S, T, 2, 2]``; NaN where that never happened.

    Axes: seed, day, whether this prisoner has been there before (0 no, 1 yes), and the bit that was heard (0 or 1; nearer to 1
    counts as 1, and on the first day nothing has been heard, which counts as 0). Days after somebody told are left out.
    Raises ValueError naming ``play``.
    """
    return _share(play, _check_play(play).said == 1)


def tell_table(play: RiddlePlay) -> np.ndarray:
    """How often the prisoner in the room tells, ``[S, T, 2, 2]``; axes and errors are those of :func:`code_table`."""
    return _share(play, _check_play(play).tells)


def _check_play(play) -> RiddlePlay:
    if not isinstance(play, RiddlePlay):
        raise ValueError(
            f"play: expected a RiddlePlay as policy.play(...) makes it, got {play!r:.80}"
        )
    return play


def _share(play: RiddlePlay, happens: np.ndarray) -> np.ndarray:
    before = np.broadcast_to(been_before(play.today), play.said.shape)
    heard = np.zeros(play.heard.shape, dtype=bool)
    heard[..., 1:] = play.heard[..., :-1] > 0.5
    shares = np.empty((play.said.shape[0], play.said.shape[2], 2, 2))
    for there, bit in product((0, 1), repeat=2):
        counted = play.lived & (before == there) & (heard == bit)
        with np.errstate(invalid="ignore"):
            shares[..., there, bit] = (happens & counted).sum(axis=1) / counted.sum(axis=1)
    return shares
