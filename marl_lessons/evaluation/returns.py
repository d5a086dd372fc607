"""Returns measured by playing, to compare with values that were computed."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_count, as_generator
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.envs.simulation import Worlds


def discounted_returns(
    game: MarkovGame, policies, n_episodes: int, rng: np.random.Generator, time_limit: int = 1000
) -> np.ndarray:
    """``[n_episodes, n]``: discounted return of every agent in each of ``n_episodes`` episodes played side by side.

    ``policies``: one ``[S, A_i]`` per agent. What comes after ``time_limit`` steps is left out, so choose it with γ to
    the power of ``time_limit`` negligible. Raises ValueError naming the argument.
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
