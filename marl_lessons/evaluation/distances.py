"""How far behaviour is from the exact answer: regrets, what seeds found, how games end. Lessons 02, 03, 04 and 06."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.tables.history import History
from marl_lessons.checks import as_count, as_distributions, as_float_array, as_indices, as_number
from marl_lessons.envs.games.matrix_games import cancels, check_agent, matrix_game, payoffs_of
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.solvers import (
    Equilibrium,
    MarkovEquilibrium,
    best_response,
    joint_policy_evaluation,
)
from marl_lessons.solvers.planning import check_mdp

# How far a table is from the optimum of an MDP.


def reachable_states(mdp: MarkovGame) -> np.ndarray:
    """``[S]`` booleans: non-terminal states that some policy can reach from the initial ones."""
    possible = (check_game("mdp", mdp).joint_transition > 0).any(axis=1)
    reached = mdp.initial > 0
    while True:
        larger = reached | (reached & ~mdp.terminal) @ possible
        if np.array_equal(larger, reached):
            return reached & ~mdp.terminal
        reached = larger


def distance_to_optimum(history: History, mdp: MarkovGame, optimal_q: np.ndarray) -> np.ndarray:
    """``[K+1, E]``: max |Q - Q*| over reachable states and all actions, as a fraction of Q*'s range.

    ``optimal_q[S, A]`` exact values. The range is the largest minus the smallest entry of Q* over the same states: 0.05
    means that no entry is off by more than 5 % of it.
    """
    size = check_mdp(mdp)[1].shape
    if not isinstance(history, History) or history.q.shape[2:] != size:
        raise ValueError(
            f"history: expected that of one agent with {size[0]} states and {size[1]} actions, as q_learning returns it"
        )
    optimal_q = as_float_array("optimal_q", optimal_q, size)
    where = reachable_states(mdp)
    value_range = np.ptp(optimal_q[where])
    if value_range == 0:
        raise ValueError(
            "optimal_q: all reachable values are equal, so a fraction of their range is undefined"
        )
    return np.abs(history.q[:, :, where] - optimal_q[where]).max(axis=(2, 3)) / value_range


def greedy_return(q: np.ndarray, mdp: MarkovGame) -> np.ndarray:
    """``[...]``: exact expected return from the start of the greedy policy of each table ``q[..., S, A]``.

    No simulation: the linear system of policy evaluation, solved once for every policy that occurs. The discount must be below 1,
    because a greedy policy of a half-learned table may never end.
    """
    transition, reward = check_mdp(mdp)
    q = as_float_array("q", q, (..., *reward.shape))
    if mdp.discount >= 1:
        raise ValueError(
            "mdp: discount is 1, and a greedy policy may never end; use a discount below 1"
        )
    actions = q.argmax(axis=-1)
    policies, which = np.unique(actions.reshape(-1, mdp.n_states), axis=0, return_inverse=True)
    states, identity = np.arange(mdp.n_states), np.eye(mdp.n_states)
    values = [
        np.linalg.solve(
            identity - mdp.discount * transition[states, chosen], reward[states, chosen]
        )
        for chosen in policies
    ]
    return (np.array(values) @ mdp.initial)[which.reshape(actions.shape[:-1])]


# What each agent could gain by changing alone.


def _as_markov_game(game, policies) -> tuple[MarkovGame, list]:
    """``game`` as a Markov game, also from payoffs, and the policies out of an equilibrium."""
    if isinstance(policies, Equilibrium):
        policies = policies.strategies
    if isinstance(policies, MarkovEquilibrium):
        policies = policies.policies
    if not isinstance(game, MarkovGame):
        game = matrix_game(payoffs_of(game))
    return game, policies


def regrets(game, policies) -> np.ndarray:
    """``[n]``: what each agent would gain by its best response, the others keeping to their policies.

    max_{π_i'} U_i(π_i', π_-i) - U_i(π), at the game's initial distribution, never negative; all are 0 exactly in a Nash
    equilibrium (Lanctot et al. 2017, Sec. 4.1; Albrecht et al. 2024, Sec. 4.4).

    ``game``: a :class:`MarkovGame` with ``policies[i][S, A_i]``; or a matrix game, also as an array ``[n, A_1, …, A_n]``,
    with strategies ``policies[i][A_i]``. ``policies`` may be an equilibrium as a solver returns it.
    """
    game, policies = _as_markov_game(game, policies)
    values = joint_policy_evaluation(game, policies)
    best = np.array([best_response(game, i, policies).v for i in range(game.n_agents)])
    return np.maximum((best - values) @ game.initial, 0.0)


def nash_conv(game, policies) -> float:
    """The sum of all agents' :func:`regrets`; 0 exactly in a Nash equilibrium."""
    return float(regrets(game, policies).sum())


def exploitability(game, policies) -> float:
    """Half of :func:`nash_conv`, for two agents whose rewards cancel: the mean loss against a best-responding opponent.

    Zero-sum games only, since the mean over both sides compares a policy with the game's value there (Timbers et al. 2022,
    Sec. 2.2).
    """
    game, policies = _as_markov_game(game, policies)
    if not cancels(game.reward):
        raise ValueError(
            "game: exploitability is defined for two agents whose rewards add up to 0; see nash_conv"
        )
    return nash_conv(game, policies) / 2


def worst_case(game: MarkovGame, agent: int, policy: np.ndarray) -> float:
    """What ``policy[S, A_i]`` of ``agent`` is sure to earn in a zero-sum game: its value against the best responder.

    At the game's initial distribution.
    """
    if not isinstance(game, MarkovGame) or not cancels(game.reward):
        raise ValueError("game: expected a MarkovGame of two agents whose rewards add up to 0")
    agent = check_agent(game.reward, agent)
    policies = [None, None]
    policies[agent] = policy
    return 0.0 - float(game.initial @ best_response(game, 1 - agent, policies).v)


# Where learners end: which joint action or which equilibrium each seed has found.


def outcome_counts(actions, n_actions: Sequence[int]) -> np.ndarray:
    """``[A_1, …, A_n]``: how many of E seeds ended with each joint action, from final ``actions[E, n]``.

    In a game with several states take those of the deciding state: ``greedy_actions(history)[-1, :, :, 0]``.
    """
    actions = as_indices("actions", actions, (None, len(n_actions)), np.array(n_actions))
    joint = np.ravel_multi_index(actions.T, n_actions)
    return np.bincount(joint, minlength=int(np.prod(n_actions))).reshape(n_actions)


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


def found_policies(game: MarkovGame, actions) -> Found:
    """The deterministic joint policies among ``actions[E, n, S]``, seeds put together that act alike in every state.

    ``actions``: as ``greedy_actions(history)[-1]`` gives them. Regrets are those at the game's initial distribution.
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


# How games end, exactly: no tournament, no luck.


def state_chances(
    game: MarkovGame, policies: Sequence[np.ndarray], n_steps: int = 100
) -> np.ndarray:
    """``[S]``: the probability of being in each state after ``n_steps`` steps of ``policies[i][S, A_i]``.

    Begun from the game's initial distribution; an episode that has ended stays in its terminal state, so the entries of
    terminal states are the chances to have ended there.
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

    NaN if none has ended so. Negative numbers count states from the end, -1 being the last.
    """
    chances = state_chances(game, policies, n_steps)
    for name, state in (("won", won), ("lost", lost)):
        if state not in range(-game.n_states, game.n_states) or not game.terminal[state]:
            raise ValueError(f"{name} is {state!r}; allowed are the numbers of terminal states")
    decided = chances[won] + chances[lost]
    return float(chances[won] / decided) if decided > 0 else float("nan")


class Passing(NamedTuple):
    """Chances of what happens when two cars meet: who passes first, a crash, or neither for ever. They sum to 1."""

    car_0_first: float
    car_1_first: float
    crash: float
    never: float


def passing_chances(game: MarkovGame, policies: Sequence[np.ndarray]) -> Passing:
    """What happens in ``two_cars`` under ``policies[i][S, 2]``, exactly: the chances of who passes first."""
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


# What an action seems to be worth while the partner explores: where relative over-generalisation comes from.


def settled_value(rewards: np.ndarray, chances: np.ndarray, ratio: float) -> float:
    """The q at which good news and bad news balance: Σ p (r - q)⁺ = ρ Σ p (q - r)⁺, with ρ = β / α in [0, 1].

    ``rewards[K]`` come with ``chances[K]``. There the mean update of hysteretic Q-learning is 0, because good news moves q
    by α (r - q) and bad news by β (r - q). ρ = 1 gives the mean, ρ = 0 the maximum; in between it is the expectile of
    level 1 / (1 + ρ) (Newey & Powell 1987). A reward of 14 or 0 with equal chance settles at 14 / (1 + ρ).
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
    so that chance may have a say in the payoff. ``ratio``: β / α in [0, 1]; 1 for plain Q-learning, whose entries are
    average payoffs. Exact for step sizes that go to 0.
    """
    check_game("game", game)
    ends_at_once = not game.terminal[0] and not game.transition[0][..., ~game.terminal].any()
    once = game.is_matrix_game or (game.initial[0] == 1 and ends_at_once)
    if game.n_agents != 2 or not once:
        raise ValueError(f"game: expected one decision of two agents, got {game!r}")
    agent = check_agent(game.reward, agent)
    partner = as_distributions("partner", partner, (game.n_actions[1 - agent],))
    ratio = as_number("ratio", ratio, 0.0, 1.0)
    chances, rewards = game.transition[0], game.reward[agent, 0, ..., None]
    if game.outcome_reward is not None:
        rewards = game.outcome_reward[agent, 0]
    # Own action first, then the partner's and what may follow.
    chances, rewards = (np.moveaxis(x, agent, 0) for x in np.broadcast_arrays(chances, rewards))
    weighted = zip(rewards, chances)
    return np.array(
        [settled_value(r.ravel(), (partner[:, None] * t).ravel(), ratio) for r, t in weighted]
    )
