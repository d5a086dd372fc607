"""Channels that tamper with messages: mute, fixed, shuffled, noisy, garbled, delayed.

A channel is a function: ``channel(messages, present)`` returns what arrives, an array of its own. Messages are vectors
``[E, n, w]`` or, where it says so, whole numbers ``[E, n]``: what n agents in E worlds say at one moment, all at once.
``present[E, n]`` tells who speaks. Entries of those who don't speak come back as they are; nobody reads them. A channel is
called once for each moment. Every channel raises ValueError naming ``messages`` or ``present``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.talk.worlds import Channel
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
from marl_lessons.envs.stepping import BatchedWorlds, check_batched_worlds
from marl_lessons.evaluation.statistics import Share, play_episodes, share

# What becomes of trained agents whose messages are tampered with on the way.


class Outcome(NamedTuple):
    """How K episodes went under one intervention.

    success        the share of successful episodes with its standard error
    mean_return    mean over episodes of the agents' mean return
    return_error   its standard error
    """

    success: Share
    mean_return: float
    return_error: float


def under_interventions(
    policy,
    worlds: BatchedWorlds,
    channels: Mapping[str, Channel | None],
    success: Callable[[BatchedWorlds], np.ndarray],
    n_rounds: int,
    seed: int,
) -> dict[str, Outcome]:
    """How ``policy`` fares when its messages pass through each of ``channels``, each in the same order of luck.

    ``policy(observations[E, n, d])`` are actions, ``policy.through(channel)`` is a policy whose messages pass through
    ``channel``; a channel None leaves ``policy`` as it is. ``success(worlds)`` are booleans ``[E]``, read when an episode ends.
    For each channel ``n_rounds`` episodes are played in each world, with random numbers from the same ``seed``. A channel
    with a memory forgets before every round: ``channel.forget()``.

    Example::

        channels = {"as trained": None, "muted": mute(), "shuffled": shuffle(rng), "late": Delay(1)}
        under_interventions(policy, TrafficJunction("easy", 500), channels, lambda w: ~w.failed, 2, seed=0)

    Raises ValueError naming the argument; ``policy`` also if it is that of several seeds, whose codes would be mixed.
    """
    check_batched_worlds("worlds", worlds, continuous=None)
    if not callable(policy) or not callable(getattr(policy, "through", None)):
        raise ValueError(f"policy: expected a policy with a method through, got {policy!r:.80}")
    if getattr(policy, "n_seeds", 1) != 1:
        raise ValueError(
            f"policy: it is that of {policy.n_seeds} seeds; take one, policy.of_seed(0)"
        )
    if not isinstance(channels, Mapping) or not channels:
        raise ValueError(f"channels: expected a dict of channels by name, got {channels!r:.80}")
    for name, channel in channels.items():
        if channel is not None and not callable(channel):
            raise ValueError(f"channels[{name!r}]: expected a channel or None, got {channel!r:.80}")
    if not callable(success):
        raise ValueError(f"success: expected a function, got {success!r:.80}")
    n_rounds, seed = as_count("n_rounds", n_rounds), as_count("seed", seed, low=0)
    return {
        name: _outcome(policy, worlds, channel, success, n_rounds, seed)
        for name, channel in channels.items()
    }


def _outcome(policy, worlds, channel, success, n_rounds: int, seed: int) -> Outcome:
    """One channel's episodes; round by round, since a channel's memory must not outlive an episode."""
    rng = np.random.default_rng(seed)
    talking = policy if channel is None else policy.through(channel)

    def judged(worlds):
        return as_flags("success", success(worlds), worlds.n_worlds)

    rounds = []
    for _ in range(n_rounds):
        if hasattr(channel, "forget"):
            channel.forget()
        rounds.append(play_episodes(worlds, lambda _, seen: talking(seen), 1, rng, judged))
    measured = np.concatenate([played.measured for played in rounds])
    returns = np.concatenate([played.returns for played in rounds]).mean(axis=1)
    error = returns.std() / np.sqrt(len(returns))
    return Outcome(share(measured), float(returns.mean()), float(error))


# ------------------------------------------------------------

N_MESSAGES = 2**31  # more than anybody needs
LARGEST = 1e30  # what a channel may put into a message; it must fit into float32


def mute() -> Channel:
    """Nothing is said: every vector ``[E, n, w]`` becomes zeros. For whole numbers see :func:`fixed`."""

    def channel(messages, present):
        messages, present = _checked(messages, present, vectors=True)
        return np.where(present[:, :, None], np.zeros_like(messages), messages)

    return channel


def fixed(message) -> Channel:
    """Everybody says the same at all times: a vector ``message[w]``, or a whole number where messages are ``[E, n]``.

    It carries no information, as :func:`mute`, but its length may be one that listeners know.
    """
    if isinstance(message, int | np.integer) and not isinstance(message, bool):
        said = np.array(as_position("message", message, N_MESSAGES))
    else:
        said = as_float_array("message", message, (None,))
        if np.abs(said).max() > LARGEST:
            raise ValueError(f"message: allowed are numbers up to {LARGEST:g}, got {message!r:.80}")

    def channel(messages, present):
        messages, present = _checked(messages, present, vectors=said.ndim == 1)
        if said.ndim and len(said) != messages.shape[2]:
            raise ValueError(
                f"messages: width {messages.shape[2]}, but the fixed message has {len(said)} entries"
            )
        where = present[:, :, None] if said.ndim else present
        return np.where(where, said.astype(messages.dtype), messages)

    return channel


def shuffle(rng: np.random.Generator) -> Channel:
    """Listeners hear true messages of the same moment from other worlds: lies that sound right. Vectors or whole numbers.

    What agent i says in one world is exchanged for what agent i says in another, among the worlds in which i is present. So
    each agent's messages are as frequent as before, also where agents have different roles or codes of their own, and
    nothing is left that they tell about the world they arrive in. The worlds change places on one random round trip
    through all of them: where i speaks in two worlds or more nobody's message stays, where it speaks in one it does.
    Needs two worlds with one common code. Raises ValueError naming ``rng``; the channel if there is only one world.
    """
    rng = as_generator("rng", rng)

    def channel(messages, present):
        messages, present = _checked(messages, present)
        if len(messages) < 2:
            raise ValueError("messages: shuffling needs at least 2 worlds, got 1")
        heard = messages.copy()
        for i in range(messages.shape[1]):
            tour = rng.permutation(np.flatnonzero(present[:, i]))
            heard[tour, i] = messages[np.roll(tour, 1), i]
        return heard

    return channel


def noise(scale: float, rng: np.random.Generator) -> Channel:
    """Every entry of every vector is heard with normal noise of standard deviation ``scale``, 0 or more."""
    scale, rng = as_number("scale", scale, 0.0, LARGEST), as_generator("rng", rng)

    def channel(messages, present):
        messages, present = _checked(messages, present, vectors=True)
        heard = messages + (scale * rng.standard_normal(messages.shape)).astype(messages.dtype)
        return np.where(present[:, :, None], heard, messages)

    return channel


def garble(share_garbled: float, n_messages: int, rng: np.random.Generator) -> Channel:
    """Whole numbers ``[E, n]`` below ``n_messages``: each is, with chance ``share_garbled``, heard as one drawn at random.

    The number drawn may be the one that was said: with two messages a share of 2e is a symmetric channel that errs with
    chance e.
    """
    share_garbled = as_number("share_garbled", share_garbled, 0.0, 1.0)
    n_messages, rng = as_count("n_messages", n_messages), as_generator("rng", rng)
    if n_messages > N_MESSAGES:
        raise ValueError(f"n_messages is {n_messages}; allowed are 1 to {N_MESSAGES}")

    def channel(messages, present):
        messages, present = _checked(messages, present, vectors=False, upper=n_messages)
        garbled = present & (rng.random(messages.shape) < share_garbled)
        drawn = rng.integers(n_messages, size=messages.shape)
        return np.where(garbled, drawn, messages)

    return channel


class Delay:
    """A channel through which every message is heard ``steps`` moments after it was said. Vectors or whole numbers.

    Whoever has been present for ``steps`` moments or fewer is heard saying ``before``: a number from -1e30 to 1e30. Who was
    absent in between begins anew. Where somebody is present from one episode to the next the channel cannot see that a new
    one begins: call :meth:`forget`. Nor can it see that a slot changes hands without a gap: its new owner is heard with the
    last one's voice.
    """

    def __init__(self, steps: int, before=0):
        self.steps = as_position("steps", steps, N_MESSAGES)
        self.before = as_number("before", before, -LARGEST, LARGEST)
        self.forget()

    def forget(self, which: np.ndarray | None = None) -> None:
        """Forget what was said, in all worlds or where ``which[E]`` is True."""
        if which is None:
            self._said, self._age = deque(maxlen=self.steps + 1), None
            return
        n_worlds = None if self._age is None else len(self._age)
        which = as_flags("which", which, n_worlds)
        if self._age is not None:
            self._age[which] = 0

    def __call__(self, messages: np.ndarray, present: np.ndarray) -> np.ndarray:
        """What is heard now."""
        messages, present = _checked(messages, present)
        if messages.ndim == 2 and (not 0 <= self.before < N_MESSAGES or self.before % 1):
            raise ValueError(f"messages: whole numbers are said, but before is {self.before}")
        if self._said and self._said[-1].shape != messages.shape:
            raise ValueError(
                f"messages: shape {messages.shape} after {self._said[-1].shape}; call forget() first"
            )
        self._said.append(messages)
        age = np.zeros(present.shape, dtype=int) if self._age is None else self._age
        self._age = np.where(present, age + 1, 0)  # moments present in a row, this one included
        axes = (..., None) if messages.ndim == 3 else ...
        before = np.array(self.before).astype(messages.dtype)
        heard = np.where((self._age > self.steps)[axes], self._said[0], before)
        return np.where(present[axes], heard, messages)


def _checked(messages, present, vectors: bool | None = None, upper: int = N_MESSAGES):
    """Vectors as floats, whole numbers as np.intp, ``present`` as booleans; ``vectors`` None allows both kinds."""
    given = as_float_array("messages", messages, (...,))
    if given.ndim == 3 if vectors is None else vectors:
        given = as_float_array("messages", messages, (None, None, None))
        messages = given.astype(np.result_type(np.asarray(messages), np.float32))
    else:
        messages = as_indices("messages", messages, (None, None), upper)
    return messages, as_booleans("present", present, messages.shape[:2])
