"""Gymnasium's toy-text environments as exact MDPs, read from their published transition table."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_float_array
from marl_lessons.envs.markov_game import MarkovGame


def from_gymnasium(env, discount: float) -> MarkovGame:
    """Read a Gymnasium environment that publishes its model as ``env.unwrapped.P`` (FrozenLake, CliffWalking, Taxi).

    ``P[s][a]`` lists (probability, next state, reward, terminated). A state that is only entered on termination becomes
    terminal; if it can also be entered without (CliffWalking has none, your own table may), the terminating transitions
    lead to an extra state "end" instead. R(s,a,s') is the mean reward of the transitions from s to s' under a. A time
    limit that wraps the environment is no part of the model and is left out.

    The promise ``episodic=True`` is given, so γ = 1 is allowed. Raises ValueError naming ``env`` if it has no such table.
    """
    table = getattr(getattr(env, "unwrapped", env), "P", None)
    if not isinstance(table, dict) or not table:
        raise ValueError(
            "env: has no transition table `env.unwrapped.P`; only Gymnasium's tabular environments do"
        )
    rows = _rows(table)
    n_states, n_actions = len(table), len(table[0])
    initial = _initial(env, n_states)
    ends = {int(t) for _, _, _, t, _, done in rows if done}
    shared = ends & _entered_alive(rows, initial)
    n_total = n_states + bool(shared)
    terminal = np.zeros(n_total, dtype=bool)
    terminal[list(ends - shared)] = True
    terminal[n_states:] = True
    transition = np.zeros((n_total, n_actions, n_total))
    paid = np.zeros_like(transition)
    for s, a, probability, t, reward, done in rows:
        target = n_states if done and t in shared else t
        transition[s, a, target] += probability
        paid[s, a, target] += probability * reward
    outcome_reward = np.divide(paid, transition, out=np.zeros_like(paid), where=transition > 0)
    transition[terminal], outcome_reward[terminal] = 0.0, 0.0
    transition[terminal, :, terminal] = 1.0
    return MarkovGame(
        transition,
        None,
        discount,
        np.append(initial, np.zeros(n_total - n_states)),
        terminal,
        outcome_reward[None],
        episodic=True,
        state_names=tuple(str(s) for s in range(n_states)) + ("end",) * (n_total - n_states),
        name=getattr(getattr(env, "spec", None), "id", None) or type(env).__name__,
    )


def _rows(table) -> list[tuple[int, int, float, int, float, bool]]:
    """All transitions (s, a, probability, s', reward, terminated); raises ValueError for gaps in the numbering."""
    n_states, n_actions = len(table), len(table[min(table)])
    if sorted(table) != list(range(n_states)) or any(
        sorted(table[s]) != list(range(n_actions)) for s in table
    ):
        raise ValueError(
            "env: P must number its states and actions 0, 1, 2, … with the same actions in every state"
        )
    rows = [
        (s, a, float(p), int(t), float(r), bool(d))
        for s in table
        for a in table[s]
        for p, t, r, d in table[s][a]
    ]
    bad = [row for row in rows if not 0 <= row[3] < n_states]
    if bad:
        raise ValueError(
            f"env: P[{bad[0][0]}][{bad[0][1]}] leads to state {bad[0][3]}; allowed are 0 to {n_states - 1}"
        )
    return rows


def _initial(env, n_states: int) -> np.ndarray:
    distribution = getattr(getattr(env, "unwrapped", env), "initial_state_distrib", None)
    if distribution is None:
        raise ValueError(
            "env: has no `initial_state_distrib`, so where its episodes begin is unknown"
        )
    return as_float_array("env.unwrapped.initial_state_distrib", distribution, (n_states,))


def _entered_alive(rows, initial: np.ndarray) -> set[int]:
    """States in which an episode can begin, or that it can enter without ending."""
    alive = set(np.flatnonzero(initial > 0).tolist())
    while True:
        entered = alive | {t for s, _, p, t, _, done in rows if s in alive and p > 0 and not done}
        if entered == alive:
            return alive
        alive = entered
