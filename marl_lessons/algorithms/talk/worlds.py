"""Worlds in which agents talk: what is heard becomes a part of what a table sees; a gate that opens the mouth. Lesson 10.

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
    as_float_array,
    as_generator,
    as_indices,
    as_number,
)
from marl_lessons.envs.stepping import BatchedStep, BatchedWorlds, WorldsAround

# What arrives of what is said: ``channel(messages[E, n, w], spoke[E, n])`` has the shape of ``messages``.
Channel = Callable[[np.ndarray, np.ndarray], np.ndarray]
Say = Callable[[BatchedWorlds], np.ndarray]
Hear = Callable[[BatchedWorlds, np.ndarray, np.ndarray], np.ndarray]
TRACE = 1e-30  # see mark_present


class Heard(NamedTuple):
    """What the others said, in the order of their numbers, the listener left out; listeners on the second axis.

    ``messages[E, n, n-1, w]``, zeros from who was silent, and ``spoke[E, n, n-1]`` booleans.
    """

    messages: np.ndarray
    spoke: np.ndarray


class MessageBuffer:
    """One board in each of E worlds, on which n agents post messages of w numbers; nobody reads its own words.

    Example::

        buffer = MessageBuffer(n_worlds=1, n_agents=3, width=1)
        buffer.post([[[5.0], [6.0], [7.0]]])
        buffer.read_all().messages[0, 0]  # [[6.0], [7.0]], what agent 0 hears
    """

    def __init__(self, n_worlds: int, n_agents: int, width: int):
        """``width``: w, how many numbers a message has."""
        n = as_count("n_agents", n_agents)
        self.shape = (as_count("n_worlds", n_worlds), n, as_count("width", width))
        self._heard: Heard | None = None
        self._others = np.nonzero(~np.eye(n, dtype=bool))[1].reshape(n, n - 1)  # row i: all but i

    def post(self, messages: np.ndarray, present: np.ndarray | None = None) -> None:
        """All agents speak: ``messages[E, n, w]`` take the place of everything that was there.

        ``present[E, n]`` booleans: who is there to speak (None: all). The others count as silent, whatever their messages
        are, as long as these are finite.
        """
        messages = as_float_array("messages", messages, self.shape)
        present = np.ones(self.shape[:2], dtype=bool) if present is None else present
        spoke = as_booleans("present", present, self.shape[:2])
        said = messages * spoke[:, :, None]
        self._heard = Heard(said[:, self._others], spoke[:, self._others])

    def read_all(self) -> Heard:
        """What everybody hears."""
        if self._heard is None:
            raise ValueError("nobody has posted; post before you read")
        return self._heard


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


def present_after(worlds: BatchedWorlds, before: np.ndarray, step: BatchedStep) -> np.ndarray:
    """``[E, n]`` booleans: who is there when ``worlds`` have made ``step``; ``before[E, n]`` took part in it.

    ``worlds.active`` tells, but nobody is active in a world that has ended. There those count whose story has not, and who
    arrived with the step and so sees something: a learner's last target holds what they say.
    """
    there = (before & ~step.terminated) | step.observations.any(axis=-1)
    return np.where(step.ended[:, None], there, worlds.active)


def mark_present(observations: np.ndarray, present: np.ndarray) -> np.ndarray:
    """``[E, n, d]``: the ``observations[E, n, d]``, with zeros from those who are not ``present[E, n]``, and only from them.

    A network sees no ``worlds.active``; it takes an agent for absent whose observation is all zeros. One that is present and
    sees zeros, such as bits that are all 0, sees TRACE first: too little to change any sum, and yet not nothing.
    """
    present = as_booleans("present", present, np.shape(observations)[:2])
    with np.errstate(over="ignore"):  # what is beyond float32 is refused where it is learned from
        marked = np.where(present[..., None], observations, 0.0).astype(np.float32)
    marked[present & ~marked.any(axis=-1), 0] = TRACE
    return marked


class ListeningWorlds(WorldsAround):
    """Batched worlds around others, ``worlds``: what the agents hear is a part of their ``local_states``.

    At every moment ``say(worlds)`` is posted to a :class:`MessageBuffer`, once; then ``hear`` reads from it. So messages are
    always of the present moment, and the numbers stay the same until the next step. Agents that take no part say nothing and
    hear 0. In a world whose episode the clock has cut short those that are still there speak once more.

    ``channel(messages[E, n, w], spoke[E, n])`` returns what arrives of what was said, None: everything. With a table that has
    been learned, it tries at test time what happens if agents are muted, or hear lies. Where worlds begin anew while others
    go on, it is called a second time for that moment, and only what arrives in the worlds that begin counts. A channel with a
    memory, one that has a method ``forget``, would be confused by that; it is refused there. It forgets when all worlds begin
    anew together, as on the Traffic Junction.

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
        """``worlds``: with ``local_states`` and ``n_local_states``; ``say``, ``hear``, ``n_heard`` as in :class:`Language`."""
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
        return self.worlds.local_states * self.n_heard + self.heard

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``."""
        which, rng = as_booleans("which", which, (self.n_worlds,)), as_generator("rng", rng)
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
        before = self.worlds.active.copy()
        step = self.worlds.step(actions, rng)
        self._talk(present_after(self.worlds, before, step), np.ones(self.n_worlds, dtype=bool))
        return step

    def _talk(self, present: np.ndarray, which: np.ndarray) -> None:
        """Everyone ``present[E, n]`` speaks and listens in the worlds where ``which[E]``; in the others nothing changes."""
        shape, here = (self.n_worlds, self.n_agents), which[:, None]
        width = self.buffer.shape[2] if self.buffer else None
        said = as_float_array("what say returns", self.say(self.worlds), (*shape, width))
        if self.channel is not None:
            arrived = self.channel(said, present.copy())
            said = as_float_array("what channel returns", arrived, said.shape)
        if self.buffer is None:
            self.buffer = MessageBuffer(*said.shape)
            self._said, self._present = np.zeros_like(said), np.zeros_like(present)
        self._said = np.where(here[:, :, None], said, self._said)
        self._present = np.where(here, present, self._present)
        self.buffer.post(self._said, self._present)
        heard = self.hear(self.worlds, *self.buffer.read_all())
        heard = as_indices("what hear returns", heard, shape, self.n_heard)
        self.heard = np.where(here, heard * present, self.heard)


def greedy_in_worlds(tables: np.ndarray) -> Callable:
    """``act(worlds, observations)``: greedy actions ``[R·E, n]`` by ``tables[R, O, A]``, for ``play_episodes``.

    Table r drives in worlds r·E to (r+1)·E - 1, for any number E; all agents of a world share it. The lowest index wins a tie.
    """
    tables = as_float_array("tables", tables, (None, None, None))
    best = tables.argmax(axis=-1)

    def act(worlds: BatchedWorlds, observations: np.ndarray | None = None) -> np.ndarray:
        n_states = getattr(worlds, "n_local_states", "unnumbered")
        if n_states != best.shape[1] or worlds.n_worlds % len(best):
            raise ValueError(
                f"worlds: {worlds.n_worlds} worlds with {n_states} local states do not fit tables of shape {tables.shape}"
            )
        table = np.repeat(np.arange(len(best)), worlds.n_worlds // len(best))
        return best[table[:, None], worlds.local_states]

    return act


class GatedWorlds(WorldsAround):
    """Batched worlds whose agents choose (what to do, whether to speak next): action a + A · talk, of 2 A actions.

    ``worlds``: any :class:`~marl_lessons.envs.stepping.BatchedWorlds` of A actions each. An observation has one entry more,
    the last: 1 where the agent speaks now, else 0. An agent speaks now if it chose so at the step before; one that has just
    arrived, or whose episode has just begun, is silent. What is said is the network's affair: this gate opens or closes the
    mouth alone, whoever is silent hears as well as anybody (after IC3Net, Singh et al. 2019).

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
        self.price = as_number("price", price, 0.0, 1e30)
        self.n_actions = (2 * self._n_inside,) * self.n_agents
        self.observation_sizes = (max(worlds.observation_sizes) + 1,) * self.n_agents
        self.talks = np.zeros((self.n_worlds, self.n_agents), dtype=bool)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode where ``which[E]`` is True, in silence; returns all observations ``[E, n, d]``."""
        which, rng = as_booleans("which", which, (self.n_worlds,)), as_generator("rng", rng)
        observations = self.worlds.reset_where(which, rng)
        self.talks = self.talks & ~which[:, None]
        return self._see(observations)

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by ``actions[E, n]``, a + A · talk."""
        shape = (self.n_worlds, self.n_agents)
        actions = as_indices("actions", actions, shape, self.n_actions[0])
        chose, inside = np.divmod(actions, self._n_inside)
        before = self.active.copy()
        step = self.worlds.step(inside, rng)
        stays = before & ~step.terminated & present_after(self.worlds, before, step)
        self.talks = (chose == 1) & stays
        rewards = step.rewards - self.price * self.talks
        return step._replace(observations=self._see(step.observations), rewards=rewards)

    def _see(self, observations: np.ndarray) -> np.ndarray:
        """The observations with one entry more."""
        talks = self.talks[..., None].astype(np.float32)
        return np.concatenate([observations.astype(np.float32), talks], axis=-1)
