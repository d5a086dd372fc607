"""Small random games, policies and exact answers found by enumeration: what the property tests draw from."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from marl_lessons.envs import MarkovGame

seed_numbers = st.integers(0, 2**32 - 1)


def random_kernel(rng: np.random.Generator, shape: tuple[int, ...], n_states: int) -> np.ndarray:
    """``[*shape, S]``: rows that are dense, sparse or deterministic, at random."""
    dense = rng.dirichlet(np.ones(n_states), size=shape)
    sparse = rng.dirichlet(np.full(n_states, 0.2), size=shape)
    sure = np.eye(n_states)[rng.integers(n_states, size=shape)]
    kind = rng.integers(3, size=(*shape, 1))
    return np.where(kind == 0, dense, np.where(kind == 1, sparse, sure))


def random_mdp(rng, n_states=4, n_actions=3, discount=0.9, scale=1.0) -> MarkovGame:
    """An MDP without terminal states."""
    reward = scale * rng.normal(size=(1, n_states, n_actions))
    return MarkovGame(random_kernel(rng, (n_states, n_actions), n_states), reward, discount)


def random_terminating_mdp(rng, n_states=4, n_actions=3, discount=1.0, scale=1.0) -> MarkovGame:
    """An MDP whose last state is terminal and reached with probability 0.1 or more from everywhere,
    whatever is done."""
    transition = random_kernel(rng, (n_states, n_actions), n_states)
    leave = rng.uniform(0.1, 0.9, size=(n_states, n_actions, 1))
    transition = (1 - leave) * transition + leave * np.eye(n_states)[-1]
    transition[-1] = np.eye(n_states)[-1]
    reward = scale * rng.normal(size=(1, n_states, n_actions))
    reward[:, -1] = 0.0
    return MarkovGame(transition, reward, discount, terminal=np.arange(n_states) == n_states - 1)


def random_game(
    rng, n_states=3, n_actions=(2, 3), discount=0.9, outcomes=False, terminal=True
) -> MarkovGame:
    """A game of several agents with different numbers of actions; its last state is terminal unless told
    otherwise."""
    transition = random_kernel(rng, (n_states, *n_actions), n_states)
    shape = (len(n_actions), n_states, *n_actions) + ((n_states,) if outcomes else ())
    reward = rng.normal(size=shape)
    ends = np.zeros(n_states, dtype=bool)
    if terminal:
        transition[-1] = np.eye(n_states)[-1]
        reward[:, -1] = 0.0
        ends[-1] = True
    paid = {"reward": None, "outcome_reward": reward} if outcomes else {"reward": reward}
    return MarkovGame(transition=transition, discount=discount, terminal=ends, **paid)


def random_policy(rng, n_states: int, n_actions: int) -> np.ndarray:
    """``[S, A]``: dense, sparse or deterministic rows."""
    return random_kernel(rng, (n_states,), n_actions)


def random_policies(rng, game: MarkovGame) -> list[np.ndarray]:
    """One random policy per agent."""
    return [random_policy(rng, game.n_states, a) for a in game.n_actions]


def value_by_solving(mdp: MarkovGame, policy: np.ndarray) -> np.ndarray:
    """``v[S]`` of a policy from the linear system over the states that are not terminal, written out in
    plain loops."""
    alive = [s for s in range(mdp.n_states) if not mdp.terminal[s]]
    system, paid = np.eye(len(alive)), np.zeros(len(alive))
    for i, s in enumerate(alive):
        for a in range(mdp.n_actions[0]):
            paid[i] += policy[s, a] * mdp.reward[0, s, a]
            for j, t in enumerate(alive):
                system[i, j] -= mdp.discount * policy[s, a] * mdp.transition[s, a, t]
    v = np.zeros(mdp.n_states)
    v[alive] = np.linalg.solve(system, paid)
    return v


def optimum_by_enumeration(mdp: MarkovGame) -> np.ndarray:
    """``v*[S]``: the best of all deterministic policies, state by state; for MDPs in which every policy is
    proper."""
    alive = np.flatnonzero(~mdp.terminal)
    chosen = np.array(list(itertools.product(range(mdp.n_actions[0]), repeat=len(alive))))
    chains = mdp.transition[alive, chosen][:, :, alive]
    values = np.linalg.solve(
        np.eye(len(alive)) - mdp.discount * chains, mdp.reward[0, alive, chosen][..., None]
    )
    v = np.zeros(mdp.n_states)
    v[alive] = values[..., 0].max(axis=0)
    return v


def solve_in_fractions(system: list, right: list) -> list[Fraction] | None:
    """Gauss-Jordan elimination in rational numbers; None for a singular system."""
    rows = [[Fraction(v) for v in (*row, b)] for row, b in zip(system, right)]
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k] != 0), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [v / rows[k][k] for v in rows[k]]
        for i, row in enumerate(rows):
            if i != k and row[k] != 0:
                rows[i] = [v - row[k] * w for v, w in zip(row, rows[k])]
    return [row[-1] for row in rows]
