"""A shared message buffer: every agent posts, and every agent reads what the others have posted, never its own words.

What it holds belongs to one moment. Who speaks of the next moment posts again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_booleans, as_count, as_flags, as_float_array, as_position

# What arrives of what is said: ``channel(messages[E, n, w], spoke[E, n])`` has the shape of ``messages``.
Channel = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Heard(NamedTuple):
    """What the others said, in the order of their numbers, the listener left out.

    ``messages[E, n-1, w]``, zeros from who was silent, and ``spoke[E, n-1]`` booleans. For all listeners at once each has
    an axis for the listener after the first: ``messages[E, n, n-1, w]``, ``spoke[E, n, n-1]``.
    """

    messages: np.ndarray
    spoke: np.ndarray


def others_of(n_agents: int) -> np.ndarray:
    """``[n, n-1]``: row i holds the numbers 0 to n - 1 without i. Its argument is not checked."""
    numbers = np.broadcast_to(np.arange(n_agents), (n_agents, n_agents))
    return numbers[~np.eye(n_agents, dtype=bool)].reshape(n_agents, n_agents - 1)


class MessageBuffer:
    """One board in each of E worlds, on which n agents post messages of w numbers.

    Example::

        buffer = MessageBuffer(n_worlds=1, n_agents=3, width=1)
        buffer.post([[[5.0], [6.0], [7.0]]])
        buffer.read(0).messages  # [[[6.0], [7.0]]]

    To be read, not written: ``n_worlds``, ``n_agents``, ``width``. All methods raise ValueError naming the argument.
    """

    def __init__(self, n_worlds: int, n_agents: int, width: int):
        """``width``: w, how many numbers a message has."""
        self.n_worlds, self.n_agents = (
            as_count("n_worlds", n_worlds),
            as_count("n_agents", n_agents),
        )
        self.width = as_count("width", width)
        self._messages = np.zeros((self.n_worlds, self.n_agents, self.width))
        self._spoke = np.zeros((self.n_worlds, self.n_agents), dtype=bool)
        self._written = np.zeros(self.n_worlds, dtype=bool)
        self._others = others_of(self.n_agents)

    def post(self, messages: np.ndarray, present: np.ndarray | None = None) -> None:
        """All agents speak: ``messages[E, n, w]`` take the place of everything that was there.

        ``present[E, n]`` booleans: who is there to speak (None: all). The others count as silent, whatever their messages
        are, as long as these are finite. Raises ValueError naming ``messages`` or ``present``.
        """
        shape = (self.n_worlds, self.n_agents, self.width)
        messages = as_float_array("messages", messages, shape)
        present = np.ones(shape[:2], dtype=bool) if present is None else present
        spoke = as_booleans("present", present, shape[:2])
        self._messages, self._spoke = messages * spoke[:, :, None], spoke
        self._written[:] = True

    def post_one(self, agent: int, messages: np.ndarray) -> None:
        """Agent number ``agent`` speaks in every world: ``messages[E, w]``; what the others said stays.

        Raises ValueError naming ``agent`` or ``messages``.
        """
        agent = as_position("agent", agent, self.n_agents)
        self._messages[:, agent] = as_float_array("messages", messages, (self.n_worlds, self.width))
        self._spoke[:, agent] = True
        self._written[:] = True

    def read(self, agent: int) -> Heard:
        """What agent number ``agent`` hears: ``messages[E, n-1, w]`` of the others, and who of them ``spoke[E, n-1]``.

        Raises ValueError naming ``agent``, and for a world in which nobody has posted since it was cleared.
        """
        others = self._others[as_position("agent", agent, self.n_agents)]
        self._check_written()
        return Heard(self._messages[:, others], self._spoke[:, others])

    def read_all(self) -> Heard:
        """What everybody hears: ``messages[E, n, n-1, w]`` and ``spoke[E, n, n-1]``, listeners on the second axis.

        Raises ValueError for a world in which nobody has posted since it was cleared.
        """
        self._check_written()
        return Heard(self._messages[:, self._others], self._spoke[:, self._others])

    def clear_where(self, which: np.ndarray) -> None:
        """Wipe the boards of the worlds where ``which[E]`` is True; raises ValueError naming ``which``."""
        which = as_flags("which", which, self.n_worlds)
        self._messages[which], self._spoke[which], self._written[which] = 0.0, False, False

    def _check_written(self) -> None:
        if not self._written.all():
            world = int(np.flatnonzero(~self._written)[0])
            raise ValueError(
                f"nobody has posted in world {world} since its board was cleared; post before you read"
            )
