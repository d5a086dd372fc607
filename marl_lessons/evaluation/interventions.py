"""What becomes of trained agents whose messages are tampered with on the way.

An intervention is a channel of :mod:`~marl_lessons.evaluation.channels`, set at test time: ``policy.through(channel)`` is a
policy like ``policy`` whose messages pass through ``channel``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.communication.message_buffer import Channel
from marl_lessons.checks import as_count, as_flags
from marl_lessons.envs.batched import BatchedWorlds, check_batched_worlds
from marl_lessons.evaluation.episodes import Share, play_episodes, share


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
