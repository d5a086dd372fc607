"""Messages as a part of what an agent sees: around batched worlds, so that learners with tables need not know of them.

At every moment all agents that are there speak of what they see, then all listen, then all act.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.communication.message_buffer import Channel, MessageBuffer
from marl_lessons.checks import as_count, as_flags, as_float_array, as_generator, as_indices
from marl_lessons.envs.batched import BatchedStep, BatchedWorlds, WorldsAround

Say = Callable[[BatchedWorlds], np.ndarray]
Hear = Callable[[BatchedWorlds, np.ndarray, np.ndarray], np.ndarray]


class Language(NamedTuple):
    """What is said and what is made of it.

    say      ``say(worlds)``: messages ``[E, n, w]``, what each agent says of what it sees now
    hear     ``hear(worlds, messages[E, n, n-1, w], spoke[E, n, n-1])``: whole numbers ``[E, n]``, what each agent makes of
             the others' messages
    n_heard  H: these are 0 to H - 1
    """

    say: Say
    hear: Hear
    n_heard: int


def with_heard(local_states: np.ndarray, heard: np.ndarray, n_heard: int) -> np.ndarray:
    """``[...]``: one number for what an agent sees and what it has heard, o · H + h. Its arguments are not checked."""
    return local_states * n_heard + heard


def greedy_in_worlds(tables: np.ndarray) -> Callable:
    """``act(worlds, observations)``: greedy actions ``[R·E, n]`` by ``tables[R, O, A]``, for ``play_episodes``.

    Table r drives in worlds r·E to (r+1)·E - 1, for any number E; all agents of a world share it. The lowest index wins a
    tie. Raises ValueError naming ``tables``, and ``worlds`` when their number is no multiple of R or they have another
    number of local states.
    """
    tables = as_float_array("tables", tables, (None, None, None))
    best = tables.argmax(axis=-1)

    def act(worlds: BatchedWorlds, observations: np.ndarray | None = None) -> np.ndarray:
        if not hasattr(worlds, "n_local_states"):
            raise ValueError(
                f"worlds: expected batched worlds that number what agents see, got {worlds!r:.80}"
            )
        if worlds.n_worlds % len(best) or worlds.n_local_states != best.shape[1]:
            raise ValueError(
                f"worlds: {worlds.n_worlds} worlds with {worlds.n_local_states} local states do not fit tables of shape "
                f"{tables.shape}"
            )
        table = np.repeat(np.arange(len(best)), worlds.n_worlds // len(best))
        return best[table[:, None], worlds.local_states]

    return act


class ListeningWorlds(WorldsAround):
    """Batched worlds around others, ``worlds``: what the agents hear is a part of their ``local_states``.

    At every moment ``say(worlds)`` is posted to a :class:`~marl_lessons.algorithms.communication.message_buffer.MessageBuffer`, once; then
    ``hear`` reads from it. So messages are always of the present moment, and the numbers stay the same until the next step.
    Agents that take no part say nothing and hear 0. In a world whose episode the clock has cut short those that are still
    there speak once more, so that the last target of a learner holds what they would have heard.

    ``channel(messages[E, n, w], spoke[E, n])`` returns what arrives of what was said, None: everything. With a table that has
    been learned, it tries at test time what happens if agents are muted, or hear lies.
    Where worlds begin anew while others go on, it is called a second time for that moment, and only what arrives in
    the worlds that begin counts. A channel with a memory, one that has a method ``forget``, would be confused by that; it is
    refused there. It forgets when all worlds begin anew together, as on the Traffic Junction.

    Besides the protocol :class:`~marl_lessons.envs.batched.BatchedWorlds`, to be read, not written:
    worlds                   the worlds inside
    local_states ``[E, n]``  o · H + h: what each agent sees inside and what it has heard; below ``n_local_states`` = O · H
    heard ``[E, n]``         h;  ``n_heard``: H
    buffer                   the message buffer with what has arrived; None before the first episode
    """

    def __init__(
        self,
        worlds: BatchedWorlds,
        say: Say,
        hear: Hear,
        n_heard: int,
        channel: Channel | None = None,
    ):
        """``worlds``: with ``local_states`` and ``n_local_states``; ``say``, ``hear``, ``n_heard`` as in :class:`Language`.

        Raises ValueError naming the argument; ``say``, ``hear`` or ``channel`` also later, for what they return.
        """
        super().__init__(worlds)
        if not all(hasattr(worlds, name) for name in ("local_states", "n_local_states")):
            raise ValueError(
                "worlds: expected batched worlds that number what agents see (local_states, n_local_states), "
                f"got a {type(worlds).__name__}"
            )
        for name, function in (("say", say), ("hear", hear), ("channel", channel)):
            if not callable(function) and not (name == "channel" and function is None):
                raise ValueError(f"{name}: expected a function, got {function!r:.80}")
        self.say, self.hear, self.channel = say, hear, channel
        self.n_heard = as_count("n_heard", n_heard)
        self.n_local_states = worlds.n_local_states * self.n_heard
        self.buffer: MessageBuffer | None = None
        self.heard = np.zeros((self.n_worlds, self.n_agents), dtype=int)

    @property
    def local_states(self) -> np.ndarray:
        """``[E, n]``: what each agent sees and hears as one number."""
        return with_heard(self.worlds.local_states, self.heard, self.n_heard)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``.

        Raises ValueError naming ``which`` or ``rng``, and ``channel`` if it has a memory and not all worlds begin.
        """
        which, rng = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        if hasattr(self.channel, "forget"):
            if not which.all():
                raise ValueError(
                    "channel: one with a memory is allowed only where all worlds begin anew together"
                )
            self.channel.forget()
        observations = self.worlds.reset_where(which, rng)
        self._talk(self.worlds.active, which)
        return observations

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n]``; then all that are there speak and listen.

        Raises ValueError as the worlds inside do.
        """
        after = self.worlds.step(actions, rng)
        there = after.observations.any(axis=2)
        present = np.where(after.ended[:, None], there, self.worlds.active)
        self._talk(present, np.ones(self.n_worlds, dtype=bool))
        return after

    def _talk(self, present: np.ndarray, which: np.ndarray) -> None:
        """Everyone ``present[E, n]`` speaks and listens in the worlds where ``which[E]``; in the others nothing changes."""
        shape, here = (self.n_worlds, self.n_agents), which[:, None]
        width = self.buffer.width if self.buffer else None
        said = as_float_array("what say returns", self.say(self.worlds), (*shape, width))
        if self.channel is not None:
            arrived = self.channel(said, present.copy())
            said = as_float_array("what channel returns", arrived, said.shape)
        if self.buffer is None:
            self.buffer = MessageBuffer(*shape, said.shape[2])
            self._said, self._present = np.zeros_like(said), np.zeros_like(present)
        self._said = np.where(here[:, :, None], said, self._said)
        self._present = np.where(here, present, self._present)
        self.buffer.post(self._said, self._present)
        heard = self.hear(self.worlds, *self.buffer.read_all())
        heard = as_indices("what hear returns", heard, shape, self.n_heard)
        self.heard = np.where(here, heard * present, self.heard)
