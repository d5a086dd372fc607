"""What an action seems to be worth while the partner explores: where relative over-generalisation comes from.

An agent that ignores its partner learns an average over what the partner does. Optimism changes the average.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_distributions, as_number
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.envs.matrix_games import check_agent


def settled_value(rewards: np.ndarray, chances: np.ndarray, ratio: float) -> float:
    """The q at which good news and bad news balance: Σ p (r - q)⁺ = ρ Σ p (q - r)⁺, with ρ = β / α in [0, 1].

    ``rewards[K]`` come with ``chances[K]``. There the mean update of hysteretic Q-learning is 0, because good news moves q
    by α (r - q) and bad news by β (r - q). ρ = 1 gives the mean, ρ = 0 the maximum; in between it is the expectile of
    level 1 / (1 + ρ) (Newey & Powell 1987). A reward of 14 or 0 with equal chance settles at 14 / (1 + ρ). A pure function
    of checked arrays.
    """
    possible = chances > 0
    order = np.argsort(rewards[possible])
    r, p = rewards[possible][order], chances[possible][order]
    bad = np.tri(len(r), k=-1, dtype=bool)  # row k: suppose that the k lowest rewards are bad news
    weights = np.where(bad, ratio * p, p)
    return float((weights @ r / weights.sum(axis=1)).max())


def values_against(game: MarkovGame, agent: int, partner, ratio: float = 1.0) -> np.ndarray:
    """``[A_i]``: where the table entries of ``agent`` settle against a partner who draws actions from ``partner[A_j]``.

    ``game``: two agents who decide once: a matrix game, or one whose episodes begin in state 0 and end with the first step,
    so that chance may have a say in the payoff. ``ratio``: β / α in [0, 1]; 1 for
    plain Q-learning, whose entries are average payoffs. Exact for step sizes that go to 0. Raises ValueError naming the
    argument.
    """
    if check_game("game", game).n_agents != 2 or not decides_once(game):
        raise ValueError(f"game: expected one decision of two agents, got {game!r}")
    agent = check_agent(game.reward, agent)
    partner = as_distributions("partner", partner, (game.n_actions[1 - agent],))
    ratio = as_number("ratio", ratio, 0.0, 1.0)
    chances, rewards = np.broadcast_arrays(
        game.transition[0],
        game.reward[agent, 0, ..., None]
        if game.outcome_reward is None
        else game.outcome_reward[agent, 0],
    )
    chances, rewards = np.moveaxis(chances, agent, 0), np.moveaxis(rewards, agent, 0)
    return np.array(
        [
            settled_value(r.ravel(), (partner[:, None] * t).ravel(), ratio)
            for r, t in zip(rewards, chances)
        ]
    )


def decides_once(game: MarkovGame) -> bool:
    """Whether the game has one state, or every episode begins in state 0 and ends with its first step."""
    ends_at_once = not game.terminal[0] and not game.transition[0][..., ~game.terminal].any()
    return game.is_matrix_game or bool(game.initial[0] == 1 and ends_at_once)
