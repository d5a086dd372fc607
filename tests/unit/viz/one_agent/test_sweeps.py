"""The first sweep after which acting greedily is right, against brute force."""

from __future__ import annotations

from marl_lessons.envs import crossroads
from marl_lessons.solvers import policy_iteration, value_iteration
from marl_lessons.viz.one_agent import planning


def test_first_optimal_sweep_by_brute_force() -> None:
    mdp = crossroads()
    exact = policy_iteration(mdp)
    history = value_iteration(mdp, 1e-6).history
    best = exact.q >= exact.q.max(axis=1, keepdims=True) - 1e-9
    right = []
    for v in history:
        q = mdp.joint_reward[0] + mdp.discount * mdp.joint_transition @ v
        right.append(all(best[s, q[s].argmax()] for s in range(mdp.n_states)))
    first = planning.first_optimal_sweep(history, mdp, exact)
    assert all(right[first:]) and not right[first - 1]
