"""Channels that tamper with messages, mute, shuffled, noisy or late, and how trained agents fare with them. Lesson 10.

A channel is a function: ``channel(messages[E, n, w], present[E, n])`` returns what arrives, an array of its own. It is called
once for each moment, with what n agents in E worlds say and who of them speaks. Entries of those who don't speak come back as
they are; nobody reads them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.talk.worlds import Channel
from marl_lessons.checks import as_booleans, as_count, as_generator, as_number
from marl_lessons.envs.stepping import BatchedWorlds
from marl_lessons.evaluation.statistics import Share, play_episodes, share


def mute() -> Channel:
    """Nothing is said: every message becomes zeros."""
    return lambda messages, present: np.where(present[..., None], np.zeros_like(messages), messages)


def shuffle(rng: np.random.Generator) -> Channel:
    """Listeners hear true messages of the same moment from other worlds: lies that sound right.

    What agent i says in one world is exchanged for what agent i says in another, among the worlds in which i is present. So
    each agent's messages are as frequent as before, also where agents have different roles or codes of their own, and
    nothing is left that they tell about the world they arrive in. The worlds change places on one random round trip
    through all of them: where i speaks in two worlds or more nobody's message stays, where it speaks in one it does.
    """
    rng = as_generator("rng", rng)

    def channel(messages, present):
        if len(messages) < 2:
            raise ValueError("messages: shuffling needs at least 2 worlds, got 1")
        heard = messages.copy()
        for i in range(messages.shape[1]):
            tour = rng.permutation(np.flatnonzero(present[:, i]))
            heard[tour, i] = messages[np.roll(tour, 1), i]
        return heard

    return channel


def noise(scale: float, rng: np.random.Generator) -> Channel:
    """Every entry of every message is heard with normal noise of standard deviation ``scale``, 0 or more."""
    scale, rng = as_number("scale", scale, 0.0, 1e30), as_generator("rng", rng)

    def channel(messages, present):
        heard = messages + (scale * rng.standard_normal(messages.shape)).astype(messages.dtype)
        return np.where(present[..., None], heard, messages)

    return channel


class Delay:
    """A channel through which every message is heard ``steps`` moments after it was said, and zeros until then.

    Who was absent in between begins anew. Where somebody is present from one episode to the next the channel cannot see that
    a new one begins: call :meth:`forget`. Nor can it see that a slot changes hands without a gap: its new owner is heard with
    the last one's voice.
    """

    def __init__(self, steps: int):
        self.steps = as_count("steps", steps, low=0)
        self.forget()

    def forget(self) -> None:
        """Forget what was said."""
        self._said, self._age = deque(maxlen=self.steps + 1), 0

    def __call__(self, messages: np.ndarray, present: np.ndarray) -> np.ndarray:
        """What is heard now."""
        self._said.append(messages.copy())
        self._age = np.where(present, self._age + 1, 0)  # moments present in a row, with this one
        heard = np.where(
            (self._age > self.steps)[..., None], self._said[0], np.zeros_like(messages)
        )
        return np.where(present[..., None], heard, messages)


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

    ``policy``: a :class:`~marl_lessons.algorithms.talk.commnet.TalkingPolicy` of one seed; a channel None leaves it as it is.
    ``success(worlds)`` are booleans ``[E]``, read when an episode ends. For each channel ``n_rounds`` episodes are played in
    each world, with random numbers from the same ``seed``. A channel with a memory forgets before every round:
    ``channel.forget()``.

    Example::

        channels = {"as trained": None, "muted": mute(), "shuffled": shuffle(rng), "late": Delay(1)}
        under_interventions(policy, TrafficJunction("easy", 500), channels, lambda w: ~w.failed, 2, seed=0)
    """
    policy = check_talking("policy", policy)
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


def check_talking(name: str, policy):
    """A policy of one seed that talks, as it is; anything else is refused by ``name``."""
    if not all(callable(getattr(policy, m, None)) for m in ("act", "through")):
        raise ValueError(
            f"{name}: expected a policy that talks, as train_iql(...).policy of a CommNet, got {policy!r:.80}"
        )
    if policy.n_seeds != 1:
        raise ValueError(
            f"{name}: it is that of {policy.n_seeds} seeds; take one, policy.of_seed(0)"
        )
    return policy


def _outcome(policy, worlds, channel, success, n_rounds: int, seed: int) -> Outcome:
    """One channel's episodes; round by round, since a channel's memory must not outlive an episode."""
    rng, rounds = np.random.default_rng(seed), []
    act = (policy if channel is None else policy.through(channel)).act

    def measure(worlds):
        return as_booleans("success", success(worlds), (worlds.n_worlds,))

    for _ in range(n_rounds):
        if hasattr(channel, "forget"):
            channel.forget()
        rounds.append(play_episodes(worlds, act, 1, rng, measure))
    returns = np.concatenate([played.returns for played in rounds]).mean(axis=1)
    error = returns.std() / np.sqrt(len(returns))
    successes = np.concatenate([played.measured for played in rounds])
    return Outcome(share(successes), float(returns.mean()), float(error))
