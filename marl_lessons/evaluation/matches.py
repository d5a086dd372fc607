"""How games end, exactly: no tournament, no luck."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marl_lessons.checks import as_count
from marl_lessons.envs.markov_game import MarkovGame, check_game


def state_chances(
    game: MarkovGame, policies: Sequence[np.ndarray], n_steps: int = 100
) -> np.ndarray:
    """``[S]``: the probability of being in each state after ``n_steps`` steps of ``policies[i][S, A_i]``.

    Begun from the game's initial distribution; an episode that has ended stays in its terminal state, so the entries of
    terminal states are the chances to have ended there. Raises ValueError naming the argument.
    """
    joint = check_game("game", game).joint_policy(policies)
    n_steps = as_count("n_steps", n_steps, low=0)
    chain = np.einsum("sa,sat->st", joint, game.joint_transition)
    chances = game.initial
    for _ in range(n_steps):
        chances = chances @ chain
    return chances


def share_won(
    game: MarkovGame, policies: Sequence[np.ndarray], won: int, lost: int, n_steps: int = 100
) -> float:
    """Of the episodes that have ended in terminal state ``won`` or ``lost`` after ``n_steps`` steps, the share of ``won``.

    NaN if none has ended so. Negative numbers count states from the end, -1 being the last. Raises ValueError naming the
    argument.
    """
    chances = state_chances(game, policies, n_steps)
    for name, state in (("won", won), ("lost", lost)):
        whole = isinstance(state, int | np.integer) and not isinstance(state, bool)
        if not whole or not -game.n_states <= state < game.n_states or not game.terminal[state]:
            raise ValueError(f"{name} is {state!r}; allowed are the numbers of terminal states")
    if won % game.n_states == lost % game.n_states:
        raise ValueError(f"lost is {lost}, the same state as won; they must differ")
    decided = chances[won] + chances[lost]
    return float(chances[won] / decided) if decided > 0 else float("nan")
