"""What one agent's world looks like at every moment of a training run, exactly. Lessons 05 and 09.

The others' policies are part of that world: when they learn, its transitions and rewards change. Arrays may have any leading
axes, written ``...``: moments, seeds, or both, so that a whole history is computed at once. Functions of arrays take
``transition[..., S, A, S]`` and ``reward[..., S, A]`` as :func:`induced_arrays` returns them, tables ``q[..., S, A]`` and
``terminal[S]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from marl_lessons.checks import as_distributions
from marl_lessons.envs.games.matrix_games import check_agent
from marl_lessons.envs.markov_game import MarkovGame, check_game


def induced_arrays(
    game: MarkovGame, agent: int, policies: Sequence[np.ndarray | None]
) -> tuple[np.ndarray, np.ndarray]:
    """``transition[..., S, A_i, S]`` and ``reward[..., S, A_i]`` of the MDP that ``agent`` faces at every moment.

    ``policies[j][..., S, A_j]``: the others' policies, all with the same leading axes; ``policies[agent]`` is ignored and
    may be None. For one joint policy it equals :meth:`MarkovGame.induced_mdp`. The kernels of 200 moments, 200 seeds of a
    game with 10 states and 2 actions take 64 MB; choose fewer moments for larger games.
    """
    others = others_policy(game, agent, policies)
    transition, reward = seen_by(game, agent)
    return induced_kernel(others, transition), induced_reward(others, reward)


def induced_kernel(others: np.ndarray, transition: np.ndarray) -> np.ndarray:
    """``[..., S, A_i, S]``: T_i(s'|s,a_i) = Σ_{a_-i} π_-i(a_-i|s) T(s'|s,⟨a_i,a_-i⟩) (Albrecht et al. 2024, Sec. 5.3.2).

    ``others[..., S, A_-i]`` is the others' joint policy, ``transition[S, A_i, A_-i, S]`` the game seen from agent i.
    """
    return np.einsum("...sb,sabt->...sat", others, transition)


def induced_reward(others: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """``[..., S, A_i]``: R_i(s,a_i) = Σ_{a_-i} π_-i(a_-i|s) R_i(s,⟨a_i,a_-i⟩); ``reward[S, A_i, A_-i]``."""
    return np.einsum("...sb,sab->...sa", others, reward)


def product_policy(policies: Sequence[np.ndarray]) -> np.ndarray:
    """``[..., S, A_1 · A_2 · …]``: probability of each joint action when agents draw from ``policies[j][..., S, A_j]``.

    The agents draw independently; the last agent's action changes fastest. At least one agent is needed.
    """
    joint = policies[0]
    for policy in policies[1:]:
        joint = joint[..., :, None] * policy[..., None, :]
        joint = joint.reshape(*joint.shape[:-2], -1)
    return joint


def others_policy(
    game: MarkovGame, agent: int, policies: Sequence[np.ndarray | None]
) -> np.ndarray:
    """``[..., S, A_-i]``: the joint policy of all agents but ``agent``."""
    others = [p for p in as_policies(game, policies, skip=agent) if p is not None]
    return product_policy(others) if others else np.ones((game.n_states, 1))


def as_policies(
    game: MarkovGame, policies: Sequence[np.ndarray | None], skip: int | None = None
) -> list[np.ndarray | None]:
    """``policies``, one ``[..., S, A_j]`` for each agent, as checked arrays; what agent ``skip`` does is left out, as None."""
    check_game("game", game)
    if skip is not None:
        check_agent(game.reward, skip)
    if not isinstance(policies, list | tuple | np.ndarray) or len(policies) != game.n_agents:
        raise ValueError(
            f"policies: expected a list of {game.n_agents} arrays, one per agent, got {policies!r:.80}"
        )
    return [
        None
        if j == skip
        else as_distributions(f"policies[{j}]", policy, (..., game.n_states, game.n_actions[j]))
        for j, policy in enumerate(policies)
    ]


def seen_by(game: MarkovGame, agent: int) -> tuple[np.ndarray, np.ndarray]:
    """``transition[S, A_i, A_-i, S]`` and ``reward[S, A_i, A_-i]``: the game with the others' actions made one joint action."""
    shape = (game.n_states, game.n_actions[agent], -1)
    transition = np.moveaxis(game.transition, 1 + agent, 1).reshape(*shape, game.n_states)
    return transition, np.moveaxis(game.reward[agent], 1 + agent, 1).reshape(shape)


def expected_targets(
    q: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float, terminal: np.ndarray
) -> np.ndarray:
    """``[..., S, A]``: R(s,a) + γ Σ_s' T(s'|s,a) max_a' Q(s',a'), what Q-learning's target is on average.

    Terminal states are worth 0 (Sutton & Barto 2018, Eq. 6.8, in expectation).
    """
    v = np.where(terminal, 0.0, q.max(axis=-1))
    return reward + discount * np.einsum("...sat,...t->...sa", transition, v)


def expected_td_errors(
    q: np.ndarray, transition: np.ndarray, reward: np.ndarray, discount: float, terminal: np.ndarray
) -> np.ndarray:
    """``[..., S, A]``: R(s,a) + γ Σ_s' T(s'|s,a) max_a' Q(s',a') - Q(s,a), the error of a table about the world now.

    It is the mean of the TD errors that Q-learning samples, for a learner that bootstraps on truncation. Entries of terminal
    states, which no learner updates, are 0.
    """
    error = expected_targets(q, transition, reward, discount, terminal) - q
    return np.where(terminal[:, None], 0.0, error)


def policy_values(
    policy: np.ndarray,
    transition: np.ndarray,
    reward: np.ndarray,
    discount: float,
    terminal: np.ndarray,
) -> np.ndarray:
    """``v[..., S]`` of ``policy[..., S, A]``: all systems (I - γ T^π) V = R^π, solved at once (S&B 2018, Sec. 4.1)."""
    chain = np.einsum("...sa,...sat->...st", policy, transition)
    chain[..., terminal, :] = 0.0  # nothing follows an episode's end
    paid = (policy * reward).sum(axis=-1)
    system = np.eye(len(terminal)) - discount * chain
    return np.linalg.solve(system, paid[..., None])[..., 0]


def best_response_values(
    transition: np.ndarray, reward: np.ndarray, discount: float, terminal: np.ndarray
) -> np.ndarray:
    """``q*[..., S, A]``: optimal action values of every induced MDP, by policy iteration on all of them at once.

    Exact up to rounding: a policy improves as long as an advantage exceeds 1e-12 times the size of the values, and the
    values rise (Howard 1960; Sutton & Barto 2018, Sec. 4.3). Needs γ < 1 or an MDP in which every policy terminates.
    """
    n_actions = reward.shape[-1]
    choice, best = np.zeros(reward.shape[:-1], dtype=int), -np.inf
    while True:
        v = policy_values(np.eye(n_actions)[choice], transition, reward, discount, terminal)
        q = reward + discount * np.einsum("...sat,...t->...sa", transition, v)
        rounding = 1e-12 * (1 + np.abs(q).max(axis=(-2, -1)))
        better = q.max(axis=-1) - v > rounding[..., None]
        better &= (v > best).any(axis=-1, keepdims=True)
        if not better.any():
            return q
        choice, best = np.where(better, q.argmax(axis=-1), choice), np.maximum(best, v)


def visit_rates(game: MarkovGame, policies: Sequence[np.ndarray]) -> np.ndarray:
    """``[..., S]``: of all steps made under ``policies[j][..., S, A_j]``, the share that begins in each state.

    An episode that ends is followed by a new one from the game's initial distribution, so this is the stationary
    distribution of the Markov chain that starts anew at every end: d = μ (I - P)^-1 among non-terminal states, divided by
    its sum. In a game without terminal states nothing ends: with one state the rate is 1, with several this function does
    not apply, nor where these policies never end an episode.
    """
    joint = product_policy(as_policies(game, policies))
    rates = np.zeros(joint.shape[:-1])
    if game.is_matrix_game:
        return rates + 1.0
    alive = ~game.terminal
    chain = np.einsum("...sa,sat->...st", joint, game.joint_transition)[..., alive, :][..., alive]
    system = np.eye(alive.sum()) - np.swapaxes(chain, -1, -2)
    begin = np.broadcast_to(game.initial[alive, None], (*system.shape[:-1], 1))
    try:
        visits = np.linalg.solve(system, begin)[..., 0]
    except np.linalg.LinAlgError:
        visits = np.full(system.shape[:-1], np.inf)
    if not (np.isfinite(visits) & (visits > -1e-9) & (visits < 1e12)).all():
        raise ValueError("game: under some of these policies an episode never ends")
    rates[..., alive] = visits / visits.sum(axis=-1, keepdims=True)
    return rates


def joint_action_mdp(game: MarkovGame, agent: int) -> MarkovGame:
    """The MDP of a single decision maker that chooses the joint action and is paid what ``agent`` is paid.

    T(s'|s,a) and R_i(s,a) as they are in ``game``, with joint actions numbered in C order: no policy is averaged over, so
    nothing moves when policies change.
    """
    agent = check_agent(check_game("game", game).reward, agent)
    outcome = game.outcome_reward
    shape = (1, *game.joint_transition.shape)
    return replace(
        game,
        transition=game.joint_transition,
        reward=game.joint_reward[agent, None] if outcome is None else None,
        outcome_reward=None if outcome is None else outcome[agent].reshape(shape),
        action_names=(tuple(", ".join(names) for names in product(*game.action_names)),),
        name=f"{game.name}, as agent {agent}'s joint critic sees it",
    )
