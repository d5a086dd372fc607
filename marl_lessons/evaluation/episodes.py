"""Whole episodes of batched worlds, played side by side to measure how a way of acting fares."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_flags, as_generator
from marl_lessons.envs.batched import BatchedWorlds, check_batched_worlds


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
    max_steps: int = 100_000,
) -> PlayedEpisodes:
    """Play ``n_rounds`` episodes in each of the E worlds, E · n_rounds in all, round after round.

    ``act(world, observations[E, n, d])`` returns the actions, ``[E, n]`` or ``[E, n, k]``. ``measure(world)`` returns an
    array ``[E, ...]`` and is read in each world when its episode ends: ``lambda world: world.failed``, for example. Every
    world contributes as many episodes as any other, so short episodes are not counted more often than long ones. A round
    takes as many steps as its longest episode. Raises ValueError naming the argument, and ``world`` if a round is
    not over after ``max_steps``.
    """
    world = check_batched_worlds("world", world, continuous=None)
    for name, function in (("act", act), ("measure", measure)):
        if not callable(function) and not (name == "measure" and function is None):
            raise ValueError(f"{name}: expected a function, got {function!r:.80}")
    n_rounds, rng = as_count("n_rounds", n_rounds), as_generator("rng", rng)
    max_steps = as_count("max_steps", max_steps)
    rounds = [_play_round(world, act, rng, measure, max_steps) for _ in range(n_rounds)]
    returns = np.concatenate([played.returns for played in rounds])
    if measure is None:
        return PlayedEpisodes(returns, None)
    return PlayedEpisodes(returns, np.concatenate([played.measured for played in rounds]))


def share(flags: np.ndarray) -> Share:
    """The share of True among ``flags[K]`` with its standard error; raises ValueError naming ``flags``."""
    flags = as_flags("flags", flags, None)
    value = flags.mean()
    return Share(float(value), float(np.sqrt(value * (1 - value) / len(flags))))


def _play_round(world, act, rng: np.random.Generator, measure, max_steps: int) -> PlayedEpisodes:
    """One episode in each world; worlds that have ended play on until the last one ends, but no longer count."""
    observations, playing = world.reset(rng), np.ones(world.n_worlds, dtype=bool)
    returns, measured = np.zeros((world.n_worlds, world.n_agents)), None
    for _ in range(max_steps):
        step = world.step(act(world, observations), rng)
        returns += step.rewards * playing[:, None]
        over = playing & step.ended
        if measure is not None and over.any():
            seen = _as_measured(measure(world), world.n_worlds)
            measured = seen.copy() if measured is None else measured
            if seen.shape != measured.shape:
                raise ValueError(f"measure: returned shapes {measured.shape} and {seen.shape}")
            measured[over] = seen[over]
        playing &= ~step.ended
        if not playing.any():
            return PlayedEpisodes(returns, measured)
        observations = world.reset_where(step.ended, rng) if step.ended.any() else step.observations
    raise ValueError(
        f"world: an episode has not ended after {max_steps} steps; give it a time limit or allow more max_steps"
    )


def _as_measured(value, n_worlds: int) -> np.ndarray:
    """What ``measure`` returned, as an array with one entry for each world; or ValueError."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"measure: expected it to return an array, got {value!r:.80}") from error
    if array.dtype == object:
        raise ValueError(f"measure: expected it to return an array of numbers, got {value!r:.80}")
    if array.ndim == 0 or len(array) != n_worlds:
        raise ValueError(
            f"measure: returned an array of shape {array.shape}; its first axis must have {n_worlds} entries, one a world"
        )
    return array
