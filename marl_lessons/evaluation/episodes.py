"""Whole episodes of batched worlds, played side by side to measure how a way of acting fares."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_generator
from marl_lessons.envs.batched import BatchedWorlds


class PlayedEpisodes(NamedTuple):
    """K episodes: ``returns[K, n]``, each agent's rewards added up, and ``measured[K, ...]``, None if nothing was asked."""

    returns: np.ndarray
    measured: np.ndarray | None


class Share(NamedTuple):
    """A share of K episodes and its standard error, √(p (1 - p) / K)."""

    value: float
    error: float


def play_episodes(
    world: BatchedWorlds,
    act: Callable[[BatchedWorlds, np.ndarray], np.ndarray],
    n_rounds: int,
    rng: np.random.Generator,
    measure: Callable[[BatchedWorlds], np.ndarray] | None = None,
) -> PlayedEpisodes:
    """Play ``n_rounds`` episodes in each of the E worlds, E · n_rounds in all, round after round.

    ``act(world, observations[E, n, d])`` returns the actions ``[E, n]``. ``measure(world)`` returns an array ``[E, ...]``
    and is read in each world when its episode ends: ``lambda world: world.failed``, for example. Every world contributes
    as many episodes as any other, so short episodes are not counted more often than long ones. Raises ValueError naming the
    argument.
    """
    if not isinstance(world, BatchedWorlds):
        raise ValueError(f"world: expected batched worlds as TrafficJunction, got {world!r:.80}")
    for name, function in (("act", act), ("measure", measure)):
        if not callable(function) and not (name == "measure" and function is None):
            raise ValueError(f"{name}: expected a function, got {function!r:.80}")
    n_rounds, rng = as_count("n_rounds", n_rounds), as_generator("rng", rng)
    rounds = [_play_round(world, act, rng, measure) for _ in range(n_rounds)]
    returns = np.concatenate([played.returns for played in rounds])
    if measure is None:
        return PlayedEpisodes(returns, None)
    return PlayedEpisodes(returns, np.concatenate([played.measured for played in rounds]))


def share(flags: np.ndarray) -> Share:
    """The share of True among ``flags[K]`` with its standard error; raises ValueError naming ``flags``."""
    flags = np.asarray(flags)
    if flags.dtype != bool or flags.ndim != 1 or not len(flags):
        raise ValueError(
            f"flags: expected booleans of shape (any,), got {flags.dtype} of shape {flags.shape}"
        )
    value = flags.mean()
    return Share(float(value), float(np.sqrt(value * (1 - value) / len(flags))))


def _play_round(world, act, rng: np.random.Generator, measure) -> PlayedEpisodes:
    """One episode in each world; worlds that have ended play on until the last one ends, but no longer count."""
    observations, playing = world.reset(rng), np.ones(world.n_worlds, dtype=bool)
    returns, measured = np.zeros((world.n_worlds, world.n_agents)), None
    while playing.any():
        step = world.step(act(world, observations), rng)
        returns += step.rewards * playing[:, None]
        over = playing & step.ended
        if measure is not None and over.any():
            seen = _as_measured(measure(world), world.n_worlds)
            measured = seen.copy() if measured is None else measured
            measured[over] = seen[over]
        playing &= ~step.ended
        observations = step.observations
        if step.ended.any() and playing.any():
            observations = world.reset_where(step.ended, rng)
    return PlayedEpisodes(returns, measured)


def _as_measured(value, n_worlds: int) -> np.ndarray:
    """What ``measure`` returned, as an array with one entry for each world; or ValueError."""
    array = np.asarray(value)
    if array.ndim == 0 or len(array) != n_worlds:
        raise ValueError(
            f"measure: returned an array of shape {array.shape}; its first axis must have {n_worlds} entries, one a world"
        )
    return array
