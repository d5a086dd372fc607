"""Messages as a part of what an agent sees: around batched worlds, so that learners with tables need not know of them.

At every moment all agents that are there speak of what they see, then all listen, then all act.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.tables.history import common_n_actions
from marl_lessons.checks import (
    as_booleans,
    as_count,
    as_flags,
    as_float_array,
    as_generator,
    as_indices,
    as_number,
    as_position,
)
from marl_lessons.envs.stepping import BatchedStep, BatchedWorlds, WorldsAround

# A shared message buffer: every agent posts, and every agent reads what the others have posted, never its own words.

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
        are, as long as these are finite.
        """
        shape = (self.n_worlds, self.n_agents, self.width)
        messages = as_float_array("messages", messages, shape)
        present = np.ones(shape[:2], dtype=bool) if present is None else present
        spoke = as_booleans("present", present, shape[:2])
        self._messages, self._spoke = messages * spoke[:, :, None], spoke
        self._written[:] = True

    def post_one(self, agent: int, messages: np.ndarray) -> None:
        """Agent number ``agent`` speaks in every world: ``messages[E, w]``; what the others said stays."""
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
        """Wipe the boards of the worlds where ``which[E]`` is True."""
        which = as_flags("which", which, self.n_worlds)
        self._messages[which], self._spoke[which], self._written[which] = 0.0, False, False

    def _check_written(self) -> None:
        if not self._written.all():
            world = int(np.flatnonzero(~self._written)[0])
            raise ValueError(
                f"nobody has posted in world {world} since its board was cleared; post before you read"
            )


# A gate for agents that talk: besides what to do each agent decides whether to speak, and a message has a price.


def pay_for_talking(rewards: np.ndarray, pays: np.ndarray, price: float) -> np.ndarray:
    """``[E, n]``: rewards less ``price`` for each agent that will be heard at the next step, ``pays[E, n]``. Checks nothing."""
    return rewards - price * pays


class GatedWorlds(WorldsAround):
    """Batched worlds whose agents choose (what to do, whether to speak next): action a + A · talk, of 2 A actions.

    ``worlds``: any :class:`~marl_lessons.envs.stepping.BatchedWorlds` of A actions each. An observation has one entry more,
    the last: 1 where the agent speaks now, else 0. An agent speaks now if it chose so at the step before; one that has just
    arrived, or whose episode has just begun, is silent. What is said is the network's affair: this gate opens or closes the
    mouth alone, whoever is silent hears as well as anybody.

    ``price``: subtracted from the reward of a step for each message sent at the next; it may be changed at any time, so that
    a price can come late. Who leaves with this step sends no message and pays nothing.

    Besides the protocol, to be read: ``worlds``, those inside, and ``talks[E, n]`` booleans, who speaks now.
    """

    def __init__(self, worlds: BatchedWorlds, price: float = 0.0):
        super().__init__(worlds)
        if isinstance(worlds, GatedWorlds):
            raise ValueError(
                "worlds: they have a gate already; a second one would be obeyed by no network"
            )
        self._n_inside = common_n_actions("worlds", worlds)
        self.price = price
        self.n_actions = (2 * self._n_inside,) * self.n_agents
        self.observation_sizes = (max(worlds.observation_sizes) + 1,) * self.n_agents
        self.talks = np.zeros((self.n_worlds, self.n_agents), dtype=bool)

    @property
    def price(self) -> float:
        """What a message costs, 0 or more."""
        return self._price

    @price.setter
    def price(self, value: float) -> None:
        """Change the price from the next step on; raises ValueError if it is negative or not finite."""
        self._price = as_number("price", value, 0.0, 1e30)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode where ``which[E]`` is True, in silence; returns all observations ``[E, n, d]``."""
        which, rng = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        observations = self.worlds.reset_where(which, rng)
        self.talks = self.talks & ~which[:, None]
        return self._see(observations)

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by ``actions[E, n]``, a + A · talk."""
        allowed = self.n_actions[0]
        actions = as_indices("actions", actions, (self.n_worlds, self.n_agents), allowed)
        chose, inside = np.divmod(actions, self._n_inside)
        took_part = self.active.copy()
        step = self.worlds.step(inside, rng)
        stayed = took_part & ~step.terminated & step.observations.any(axis=-1)
        self.talks = (chose == 1) & stayed
        rewards = pay_for_talking(step.rewards, self.talks, self.price)
        return step._replace(observations=self._see(step.observations), rewards=rewards)

    def _see(self, observations: np.ndarray) -> np.ndarray:
        """The observations with one entry more."""
        talks = self.talks[..., None].astype(np.float32)
        return np.concatenate([observations.astype(np.float32), talks], axis=-1)


# ------------------------------------------------------------

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

    At every moment ``say(worlds)`` is posted to a :class:`~marl_lessons.algorithms.talk.worlds.MessageBuffer`, once; then
    ``hear`` reads from it. So messages are always of the present moment, and the numbers stay the same until the next step.
    Agents that take no part say nothing and hear 0. In a world whose episode the clock has cut short those that are still
    there speak once more, so that the last target of a learner holds what they would have heard.

    ``channel(messages[E, n, w], spoke[E, n])`` returns what arrives of what was said, None: everything. With a table that has
    been learned, it tries at test time what happens if agents are muted, or hear lies.
    Where worlds begin anew while others go on, it is called a second time for that moment, and only what arrives in
    the worlds that begin counts. A channel with a memory, one that has a method ``forget``, would be confused by that; it is
    refused there. It forgets when all worlds begin anew together, as on the Traffic Junction.

    Besides the protocol :class:`~marl_lessons.envs.stepping.BatchedWorlds`, to be read, not written:
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
        """Advance every world by the joint actions ``[E, n]``; then all that are there speak and listen."""
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
