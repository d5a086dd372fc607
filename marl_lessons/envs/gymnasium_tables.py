"""Gymnasium's toy-text environments as arrays, read from their published transition table. Lesson 01."""

from __future__ import annotations

from copy import deepcopy

import numpy as np

from marl_lessons.checks import (
    PROBABILITY_TOLERANCE,
    as_distributions,
    as_flag,
    as_number,
    as_position,
)

TRIAL = 10_000  # steps, about 0.1 seconds


def toy_text_fields(env) -> dict:
    """The fields of :class:`~marl_lessons.envs.markov_game.MarkovGame` that ``env.unwrapped.P`` states.

    ``P[s][a]`` lists (probability, next state, reward, terminated). A state that is only entered on termination becomes
    terminal. If the table also enters it without, from whatever state (the Taxi's 4 do so from states that no episode
    reaches; FrozenLake and CliffWalking have none), the terminating transitions lead to an extra state "end" instead.
    R(s,a,s') is the mean reward of the transitions from s to s' under a.

    A copy of the environment plays ``TRIAL`` random steps: one that its table does not list (the Taxi's fickle passenger,
    a wrapper that changes rewards) shows that the table is not the whole truth. That its probabilities are right, and a
    table that cannot play, are taken on trust.
    """
    table = getattr(getattr(env, "unwrapped", env), "P", None)
    if not isinstance(table, dict) or not table:
        raise ValueError(
            "env: has no transition table `env.unwrapped.P`; only Gymnasium's tabular environments do"
        )
    rows = _rows(table)
    n_states, n_actions = len(table), len(table[0])
    initial = getattr(getattr(env, "unwrapped", env), "initial_state_distrib", None)
    if initial is None:
        raise ValueError(
            "env: has no `initial_state_distrib`, so where its episodes begin is unknown"
        )
    initial = as_distributions("env.unwrapped.initial_state_distrib", initial, (n_states,))
    ends = {int(t) for _, _, _, t, _, done in rows if done}
    _check_play(env, table)
    shared = ends & {t for _, _, p, t, _, done in rows if p > 0 and not done}
    shared |= ends & set(np.flatnonzero(initial > 0).tolist())
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
    totals = transition.sum(axis=2)
    for s, a in np.argwhere(np.abs(totals - 1) > PROBABILITY_TOLERANCE):
        raise ValueError(
            f"env: the probabilities in P[{s}][{a}] sum to {totals[s, a]:.10g}; they must sum to 1"
        )
    return {
        "transition": transition,
        "reward": None,
        "initial": np.append(initial, np.zeros(n_total - n_states)),
        "terminal": terminal,
        "outcome_reward": outcome_reward[None],
        "state_names": tuple(str(s) for s in range(n_states)) + ("end",) * (n_total - n_states),
        "name": getattr(getattr(env, "spec", None), "id", None) or type(env).__name__,
    }


def _rows(table: dict) -> list[tuple[int, int, float, int, float, bool]]:
    """All transitions (s, a, probability, s', reward, terminated); or ValueError naming ``env``."""
    numbered = [_numbered(table), *(_numbered(choices) for choices in table.values())]
    if not all(numbered) or any(len(choices) != len(table[0]) for choices in table.values()):
        raise ValueError(
            "env: P must number its states and actions 0, 1, 2, … with the same actions in every state"
        )
    rows = []
    for s, choices in table.items():
        for a, outcomes in choices.items():
            if not isinstance(outcomes, list | tuple):
                raise ValueError(f"env: P[{s}][{a}] is no list of transitions: {outcomes!r:.80}")
            rows += [(s, a, *_outcome(f"env: P[{s}][{a}]", o, len(table))) for o in outcomes]
    return rows


def _numbered(mapping) -> bool:
    """Whether the keys of ``mapping`` are 0, 1, 2, … and nothing else."""
    return isinstance(mapping, dict) and 0 in mapping and set(mapping) == set(range(len(mapping)))


def _outcome(where: str, outcome, n_states: int) -> tuple[float, int, float, bool]:
    """One checked (probability, s', reward, terminated); or ValueError that begins with ``where``."""
    if not isinstance(outcome, list | tuple) or len(outcome) != 4:
        raise ValueError(
            f"{where}: expected (probability, next state, reward, terminated), got {outcome!r:.80}"
        )
    probability, target, reward, done = outcome
    return (
        as_number(f"{where}: a probability", probability, 0.0, 1.0),
        as_position(f"{where}: the next state", target, n_states),
        as_number(f"{where}: a reward", reward, -1e12, 1e12),
        as_flag(f"{where}: terminated", done),
    )


def _check_play(env, table: dict) -> None:
    """Refuse ``env`` if some of the steps that a copy of it makes at random are not in its table."""
    if not (hasattr(env, "reset") and hasattr(env, "step")):
        return
    try:
        played = deepcopy(env)
    except TypeError as error:  # a window that is open
        raise ValueError(
            "env: cannot be copied to compare it with its table; make a new one"
        ) from error
    played.unwrapped.render_mode = None
    rng = np.random.default_rng(0)
    played.reset(seed=0)
    for _ in range(TRIAL):
        state = int(played.unwrapped.s)
        action = int(rng.integers(len(table[state])))
        _, reward, done, truncated, _ = played.step(action)
        made = (int(played.unwrapped.s), float(reward), bool(done))
        if not any(p > 0 and made == (t, r, end) for p, t, r, end in table[state][action]):
            raise ValueError(
                f"env: does not play by its table: P[{state}][{action}] does not list (next state, reward, terminated) "
                f"{made}; a setting or a wrapper changes the rules, make it without"
            )
        if done or truncated:
            played.reset()
