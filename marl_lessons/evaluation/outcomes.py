"""Where learners end: which joint action or which equilibrium each seed has found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_indices
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.evaluation.exploitability import regrets


class Found(NamedTuple):
    """The K different joint policies that E seeds have found, the most frequent first.

    counts ``[K]``      how many seeds found each
    which ``[E]``       the one that each seed found, a number from 0 to K - 1
    policies            for each of the K a list of one array ``[S, A_i]`` per agent
    regrets ``[K, n]``  what each agent could gain by changing alone: all 0 in an equilibrium
    """

    counts: np.ndarray
    which: np.ndarray
    policies: tuple[list[np.ndarray], ...]
    regrets: np.ndarray


class Passing(NamedTuple):
    """Chances of what happens when two cars meet: who passes first, a crash, or neither for ever. They sum to 1."""

    car_0_first: float
    car_1_first: float
    crash: float
    never: float


def outcome_counts(actions, n_actions: Sequence[int]) -> np.ndarray:
    """``[A_1, …, A_n]``: how many of E seeds ended with each joint action, from final ``actions[E, n]``.

    In a game with several states take those of the deciding state: ``greedy_actions(history)[-1, :, :, 0]``. Raises
    ValueError naming ``actions`` or ``n_actions``.
    """
    if not isinstance(n_actions, list | tuple) or not n_actions:
        raise ValueError(f"n_actions: expected one number for each agent, got {n_actions!r:.80}")
    n_actions = tuple(as_count(f"n_actions[{i}]", a) for i, a in enumerate(n_actions))
    actions = as_indices("actions", actions, (None, len(n_actions)), np.array(n_actions))
    joint = np.ravel_multi_index(actions.T, n_actions)
    return np.bincount(joint, minlength=int(np.prod(n_actions))).reshape(n_actions)


def found_policies(game: MarkovGame, actions) -> Found:
    """The deterministic joint policies among ``actions[E, n, S]``, seeds put together that act alike in every state.

    ``actions``: as ``greedy_actions(history)[-1]`` gives them. Regrets are those at the game's initial distribution
    (:func:`~marl_lessons.evaluation.exploitability.regrets`). Raises ValueError naming ``game`` or ``actions``.
    """
    n, n_states = check_game("game", game).n_agents, game.n_states
    upper = np.array(game.n_actions)[:, None]
    actions = as_indices("actions", actions, (None, n, n_states), upper)
    kinds, which, counts = np.unique(actions, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    policies = tuple(
        [np.eye(a)[kind[i]] for i, a in enumerate(game.n_actions)] for kind in kinds[order]
    )
    gains = np.array([regrets(game, found) for found in policies])
    return Found(counts[order], np.argsort(order)[which.ravel()], policies, gains)


def passing_chances(game: MarkovGame, policies: Sequence[np.ndarray]) -> Passing:
    """What happens in ``two_cars`` under ``policies[i][S, 2]``, exactly: the chances of who passes first.

    Raises ValueError naming ``game`` if its states are not those of :func:`~marl_lessons.envs.two_cars.two_cars`, and
    ``policies``.
    """
    size = int(np.sqrt(check_game("game", game).n_states - 1))
    if game.n_agents != 2 or game.n_states != size**2 + 1 or "two cars" not in game.name:
        raise ValueError(f"game: expected two_cars(...), got {game!r}")
    chain = np.einsum("sa,sat->st", game.joint_policy(policies), game.joint_transition)
    cells_0, cells_1 = np.indices((size, size)).reshape(2, -1)
    over = np.flatnonzero((cells_0 == 0) | (cells_1 == 0))
    chain[over] = np.eye(game.n_states)[over]  # who comes second is of no interest
    ends = game.initial @ np.linalg.matrix_power(chain, 2**16)
    first, second = ends[:-1][(cells_0 == 0)].sum(), ends[:-1][(cells_1 == 0) & (cells_0 > 0)].sum()
    return Passing(
        float(first), float(second), float(ends[-1]), float(1 - first - second - ends[-1])
    )
