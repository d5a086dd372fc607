"""The switch riddle: prisoners who must find out together whether all of them have been in one room (Foerster et al. 2016).

The channel is no part of these worlds. What a prisoner leaves behind for the next day's visitor is the learner's affair.
"""

from __future__ import annotations

from itertools import product
from math import log
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_flags, as_generator, as_indices
from marl_lessons.envs.stepping import BatchedStep, check_going_on

NONE, TELL = 0, 1
FEWEST = 3


def riddle_days(n_agents: int) -> int:
    """T = 4n - 6, the days that ``n_agents`` prisoners are given (Foerster et al. 2016, Sec. 6.2).

    Raises ValueError naming ``n_agents`` if it is below 3.
    """
    return 4 * as_count("n_agents", n_agents, low=FEWEST) - 6


class SwitchRiddle:
    """E copies of the switch riddle for n prisoners (Foerster et al. 2016).

    Each day one of the n, any with equal chance and independently of the days before, is led into a room. There, that
    prisoner may ``TELL`` (1): "all of us have been here". If that is true, today's visit included, everyone gets +1, else
    everyone gets -1; either way the episode ends. With ``NONE`` (0) the next day comes. If nobody has told by the end of day
    T = 4n - 6, the episode ends with 0. That is the riddle's end, no truncation: nothing would follow.

    Everyone takes part every day, since everyone can count the days; outside the room an action has no effect.
    An observation is [1, 0] outside the room, [0, 1] inside. It holds neither the day nor who one is.

    Besides the protocol :class:`~marl_lessons.envs.stepping.BatchedWorlds`, to be read, not written:
    time_limit          T
    in_room ``[E]``     who is in the room today
    days ``[E]``        today's number, from 1; 0 before the first episode
    visits ``[E, n]``   how often each has been in the room, today included
    all_visited ``[E]`` whether everyone has been there, today included
    local_states ``[E, n]``  what each knows without a channel and with a memory that counts: the day, its own visits, and
                             whether it is inside; numbers below ``n_local_states`` = 2T(T + 1). :meth:`local_state` says which
    """

    def __init__(self, n_worlds: int = 1, n_agents: int = 3):
        """``n_agents``: n, at least 3."""
        self.n_worlds, self.time_limit = as_count("n_worlds", n_worlds), riddle_days(n_agents)
        self.n_agents = int(n_agents)
        self.n_actions, self.observation_sizes = (2,) * self.n_agents, (2,) * self.n_agents
        self.n_local_states = 2 * self.time_limit * (self.time_limit + 1)
        self.in_room = np.zeros(self.n_worlds, dtype=int)
        self.days = np.zeros(self.n_worlds, dtype=int)
        self.visits = np.zeros((self.n_worlds, self.n_agents), dtype=int)
        self.ended = np.ones(self.n_worlds, dtype=bool)

    @property
    def active(self) -> np.ndarray:
        """``[E, n]`` booleans: all of a world whose episode goes on."""
        return np.repeat(~self.ended[:, None], self.n_agents, axis=1)

    @property
    def inside(self) -> np.ndarray:
        """``[E, n]`` booleans: who is in the room today; nobody before the first episode."""
        here = np.arange(self.n_agents) == self.in_room[:, None]
        return here & (self.days > 0)[:, None]

    @property
    def all_visited(self) -> np.ndarray:
        """``[E]`` booleans: whether everyone has been in the room, today included."""
        return (self.visits > 0).all(axis=1)

    @property
    def local_states(self) -> np.ndarray:
        """``[E, n]``: :meth:`local_state` of everyone."""
        return self.local_state(np.maximum(self.days, 1)[:, None], self.visits, self.inside)

    def local_state(self, day, visits, inside) -> np.ndarray:
        """The number of what one knows on ``day`` (from 1) after ``visits`` of one's own, being ``inside`` (0 or 1) or not.

        Arguments broadcast against each other and are not checked.
        """
        return (((day - 1) * (self.time_limit + 1)) + visits) * 2 + inside

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, 2]``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, 2]``."""
        which, rng = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        self.days, self.visits = np.where(which, 0, self.days), self.visits * ~which[:, None]
        self._next_day(which, rng)
        self.ended = self.ended & ~which
        return self._observations()

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n]``, ``NONE`` 0 or ``TELL`` 1; only the one in the room counts.

        A world that ends shows its last day. Raises ValueError naming ``actions`` or ``rng``, and for worlds that have ended
        and were not begun again.
        """
        rng = as_generator("rng", rng)
        actions = as_indices("actions", actions, (self.n_worlds, self.n_agents), 2)
        check_going_on(self.ended)
        told = (self.inside & (actions == TELL)).any(axis=1)
        reward = np.where(told, np.where(self.all_visited, 1.0, -1.0), 0.0)
        self.ended = told | (self.days >= self.time_limit)
        self._next_day(~self.ended, rng)
        return BatchedStep(
            self._observations(),
            np.repeat(reward[:, None], self.n_agents, axis=1),
            np.repeat(self.ended[:, None], self.n_agents, axis=1),
            np.zeros(self.n_worlds, dtype=bool),
            self.ended.copy(),
        )

    def _next_day(self, which: np.ndarray, rng: np.random.Generator) -> None:
        """Lead someone into the room of each world where ``which[E]``; draws a number for every world in any case."""
        drawn = rng.integers(self.n_agents, size=self.n_worlds)
        self.in_room = np.where(which, drawn, self.in_room)
        self.days = self.days + which
        self.visits = self.visits + (self.inside & which[:, None])

    def _observations(self) -> np.ndarray:
        """``[E, n, 2]``: outside or inside; zeros before the first episode."""
        inside, begun = self.inside, (self.days > 0)[:, None]
        return np.stack([begun & ~inside, inside], axis=2).astype(np.float32)


# What prisoners of the switch riddle did in whole episodes: who came, what was said, who told and what it brought.

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
