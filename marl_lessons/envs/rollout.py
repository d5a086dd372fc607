"""One episode, step by step."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_generator
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.envs.simulation import Worlds


class Episode(NamedTuple):
    """An episode of T steps: ``states[T+1]``, joint ``actions[T, n]``, ``rewards[T, n]``, and why it ended."""

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool


def rollout(
    game: MarkovGame,
    policies,
    rng: np.random.Generator,
    time_limit: int = 200,
    start: int | None = None,
) -> Episode:
    """Play one episode of ``game`` with ``policies`` (one ``[S, A_i]`` per agent) until it ends or ``time_limit`` steps.

    ``start`` is the first state; by default it is drawn from the game's initial distribution. Raises ValueError naming
    the argument.
    """
    policies = check_game("game", game).check_policies(policies)
    rng = as_generator("rng", rng)
    world = Worlds(game, 1, as_count("time_limit", time_limit))
    world.reset(rng)
    if start is not None:
        if as_count("start", start, low=0) >= game.n_states or game.terminal[start]:
            raise ValueError(
                f"start is {start}; allowed are states 0 to {game.n_states - 1} that are not terminal"
            )
        world.states[0], world.ended[0] = start, False
    states, actions, rewards, terminated = [int(world.states[0])], [], [], False
    while not world.ended[0]:
        action = np.array([[rng.choice(len(p[0]), p=p[states[-1]]) for p in policies]])
        step = world.step(action, rng)
        states.append(int(step.states[0]))
        actions.append(action[0])
        rewards.append(step.rewards[0])
        terminated = bool(step.terminated[0])
    n = game.n_agents
    return Episode(
        np.array(states), np.reshape(actions, (-1, n)), np.reshape(rewards, (-1, n)), terminated
    )
