"""Returns of episodes that were played, and summaries of learning curves over seeds. Lessons 01, 02, 05, 06, 09 and 10."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from marl_lessons.checks import as_booleans, as_count, as_float_array, as_generator, as_number
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.envs.stepping import BatchedWorlds, Worlds, check_batched_worlds

# Whole episodes, played side by side to measure how a way of acting fares.


def discounted_returns(
    game: MarkovGame, policies, n_episodes: int, rng: np.random.Generator, time_limit: int = 1000
) -> np.ndarray:
    """``[n_episodes, n]``: discounted return of every agent in each of ``n_episodes`` episodes played side by side.

    ``policies``: one ``[S, A_i]`` per agent. What comes after ``time_limit`` steps is left out, so choose it with γ to
    the power of ``time_limit`` negligible.
    """
    policies = check_game("game", game).check_policies(policies)
    rng = as_generator("rng", rng)
    thresholds = [np.cumsum(policy, axis=1)[:, :-1] for policy in policies]
    world = Worlds(game, as_count("n_episodes", n_episodes), as_count("time_limit", time_limit))
    states, playing = world.reset(rng), np.ones(world.n_worlds, dtype=bool)
    returns = np.zeros((world.n_worlds, game.n_agents))
    factor = 1.0
    while playing.any():
        uniform = rng.random((game.n_agents, world.n_worlds, 1))
        actions = np.stack(
            [(u >= t[states]).sum(axis=1) for u, t in zip(uniform, thresholds)], axis=1
        )
        step = world.step(actions, rng)
        returns += factor * step.rewards * playing[:, None]
        factor *= game.discount
        playing &= ~world.ended
        states = world.reset_where(world.ended, rng)  # ended copies play on, but no longer count
    return returns


class PlayedEpisodes(NamedTuple):
    """K episodes: ``returns[K, n]``, each agent's rewards added up, and ``measured[K, ...]``, None if nothing was asked."""

    returns: np.ndarray
    measured: np.ndarray | None


def play_episodes(
    world: BatchedWorlds,
    act: Callable[[BatchedWorlds, np.ndarray], np.ndarray],
    n_rounds: int,
    rng: np.random.Generator,
    measure: Callable[[BatchedWorlds], np.ndarray] | None = None,
    max_steps: int = 100_000,
) -> PlayedEpisodes:
    """Play ``n_rounds`` episodes in each of the E worlds, E · n_rounds in all, round after round.

    ``act(world, observations[E, n, d])`` returns the actions, ``[E, n]`` or ``[E, n, k]``; a policy with such a method will do. ``measure(world)`` returns an
    array ``[E, ...]`` and is read in each world when its episode ends: ``lambda world: world.failed``, for example. Every
    world contributes as many episodes as any other, so short episodes are not counted more often than long ones. A round
    takes as many steps as its longest episode, and is refused if it is not over after ``max_steps``.
    """
    world, act = check_batched_worlds("world", world, continuous=None), getattr(act, "act", act)
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


def _play_round(world, act, rng: np.random.Generator, measure, max_steps: int) -> PlayedEpisodes:
    """One episode in each world; worlds that have ended play on until the last one ends, but no longer count."""
    observations, playing = world.reset(rng), np.ones(world.n_worlds, dtype=bool)
    returns, measured = np.zeros((world.n_worlds, world.n_agents)), None
    for _ in range(max_steps):
        step = world.step(act(world, observations), rng)
        returns += step.rewards * playing[:, None]
        over = playing & step.ended
        if measure is not None and over.any():
            seen = np.asarray(measure(world))
            if seen.shape[:1] != (world.n_worlds,):
                raise ValueError(
                    f"measure: expected an entry for each of the {world.n_worlds} worlds, got {seen!r:.80}"
                )
            measured = seen.copy() if measured is None else measured
            measured[over] = seen[over]
        playing &= ~step.ended
        if not playing.any():
            return PlayedEpisodes(returns, measured)
        observations = world.reset_where(step.ended, rng) if step.ended.any() else step.observations
    raise ValueError(
        f"world: an episode has not ended after {max_steps} steps; give it a time limit or allow more max_steps"
    )


# Shares of successes, and curves over seeds.


class Share(NamedTuple):
    """A share of K episodes and its standard error, √(p (1 - p) / K)."""

    value: float
    error: float


def share(flags: np.ndarray) -> Share:
    """The share of True among ``flags[K]`` with its standard error."""
    flags = as_booleans("flags", flags, (None,))
    value = flags.mean()
    return Share(float(value), float(np.sqrt(value * (1 - value) / len(flags))))


def wilson_interval(successes, n, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Interval (low, high) for the chance behind ``successes`` out of ``n`` independent trials (Wilson 1927).

    ``successes`` and ``n``: whole numbers or arrays ``[...]`` of them; ``confidence`` in (0, 1). All chances p that are less
    than z standard errors √(p (1 - p) / n) away from the share observed: |successes / n - p| = z √(p (1 - p) / n) at both
    ends, which stays sensible where that share is 0 or 1.
    """
    successes = as_float_array("successes", successes, (...,))
    n = as_float_array("n", n, (...,))
    if (n != np.floor(n)).any() or n.min(initial=1) < 1:
        raise ValueError(f"n is {n}; allowed are whole numbers of at least 1")
    if (successes != np.floor(successes)).any() or (successes < 0).any() or (successes > n).any():
        raise ValueError(f"successes is {successes}; allowed are whole numbers from 0 to n = {n}")
    confidence = as_number("confidence", confidence, 0.0, np.nextafter(1, 0), open_low=True)
    z, share = ndtri((1 + confidence) / 2), successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    low = np.where(successes == 0, 0.0, centre - half)
    high = np.where(successes == n, 1.0, centre + half)
    return low, high


class Band(NamedTuple):
    """Median and the interval that holds a given share of the seeds, each ``[K]``."""

    median: np.ndarray
    low: np.ndarray
    high: np.ndarray


def band(values: np.ndarray, share: float = 0.8) -> Band:
    """Median and central interval over seeds of ``values[K, E]``; ``share`` in (0, 1], 0.8 for 10th to 90th percentile."""
    values = as_float_array("values", values, (None, None))
    share = as_number("share", share, 0.0, 1.0, open_low=True)
    low, median, high = np.quantile(values, [(1 - share) / 2, 0.5, (1 + share) / 2], axis=1)
    return Band(median, low, high)


def first_episodes(returns, n_episodes: int) -> np.ndarray:
    """``[n_episodes, E]``: the first episodes' returns of every seed, from one array ``[episodes]`` per seed.

    With arrays ``[episodes, n]`` the result is ``[n_episodes, E, n]``. Every seed must have finished that many.
    """
    n_episodes = as_count("n_episodes", n_episodes)
    returns = [as_float_array(f"returns[{e}]", r, (...,)) for e, r in enumerate(returns)]
    shortest = min(len(r) for r in returns)
    if shortest < n_episodes:
        raise ValueError(
            f"n_episodes is {n_episodes}, but one seed finished only {shortest} episodes"
        )
    return np.stack([r[:n_episodes] for r in returns], axis=1)


def running_mean(values: np.ndarray, window: int) -> np.ndarray:
    """``[K - window + 1, E]``: mean of ``window`` consecutive rows of ``values[K, E]``."""
    values = as_float_array("values", values, (None, None))
    if as_count("window", window) > len(values):
        raise ValueError(
            f"window is {window}; allowed is at most the number of rows, {len(values)}"
        )
    total = np.cumsum(np.vstack([np.zeros(values.shape[1]), values]), axis=0)
    return (total[window:] - total[:-window]) / window


# When something that is learned slowly has paid: where one learning curve overtakes another for good.


def break_even(steps: np.ndarray, first: np.ndarray, second: np.ndarray, margin: float = 0.0) -> float:  # fmt: skip
    """The first of ``steps[K]`` at which ``first[K]`` is above ``second[K]`` for good; nan if it never is.

    That is by more than ``margin``, and from then on never again below it by more than ``margin``: two curves that end at the same
    height cross again and again for noise alone.
    """
    steps, margin = as_steps("steps", steps), as_number("margin", margin, 0.0)
    first = as_float_array("first", first, steps.shape)
    gain = first - as_float_array("second", second, steps.shape)
    for_good = np.logical_and.accumulate((gain >= -margin)[::-1])[::-1]
    found = np.flatnonzero(for_good & (gain > margin))
    return float(steps[found[0]]) if len(found) else np.nan


def earned_so_far(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
    """``[K, ...]``: the area under ``values[K, ...]`` from the first of ``steps[K]`` to each, by trapezia.

    Of the returns of episodes it is, up to a factor, what all episodes until then have earned together.
    """
    steps = as_steps("steps", steps)
    values = as_float_array("values", values, (...,))
    if values.ndim < 1 or len(values) != len(steps):
        raise ValueError(f"values: expected {len(steps)} rows, got shape {values.shape}")
    widths = np.diff(steps).reshape(-1, *[1] * (values.ndim - 1))
    areas = widths * (values[1:] + values[:-1]) / 2
    return np.concatenate([np.zeros((1, *values.shape[1:])), areas.cumsum(axis=0)])


def as_steps(name: str, value) -> np.ndarray:
    """``[K]``: increasing numbers, as floats."""
    steps = as_float_array(name, value, (None,))
    if (np.diff(steps) <= 0).any():
        raise ValueError(f"{name}: expected increasing numbers, got {value!r:.80}")
    return steps
