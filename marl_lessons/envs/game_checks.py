"""The arguments of a :class:`~marl_lessons.envs.markov_game.MarkovGame`, checked one by one.

Every function returns its argument as the game keeps it, and raises ValueError naming the argument, the index and the value
for anything else.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from marl_lessons.checks import as_distributions, as_flags, as_float_array, as_number

LARGEST_REWARD = 1e12  # of a single event


def checked_transition(transition) -> np.ndarray:
    """``[S, A_1, …, A_n, S]`` distributions; raises ValueError naming ``transition``."""
    # Large games: no copy is made before the one that as_distributions returns.
    if not isinstance(transition, np.ndarray):
        transition = as_float_array("transition", transition, (...,))
    shape = transition.shape
    if len(shape) < 3 or shape[0] != shape[-1] or min(shape) < 1:
        raise ValueError(
            f"transition: expected shape [S, A_1, ..., A_n, S] with no empty axis, got {shape}"
        )
    return as_distributions("transition", transition, shape)


def checked_rewards(
    reward, outcome_reward, transition: np.ndarray, n_agents: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Both rewards, the expected one computed where outcomes' rewards are given; raises ValueError naming the argument."""
    if reward is not None or outcome_reward is None:
        reward = as_float_array("reward", reward, (n_agents, *transition.shape[:-1]))
    if outcome_reward is None:
        return reward, None
    outcome_reward = _as_broadcast("outcome_reward", outcome_reward, (n_agents, *transition.shape))
    expected = np.einsum("...t,n...t->n...", transition, outcome_reward)
    if reward is not None and not np.allclose(reward, expected, atol=1e-8, rtol=1e-8):
        raise ValueError(
            "reward differs from the expectation of outcome_reward; give one of the two only"
        )
    return expected, outcome_reward


def single_rewards(**rewards: float) -> list[float]:
    """What single events pay, as floats, in the order given; raises ValueError naming the first that is no usable number."""
    return [
        as_number(name, value, -LARGEST_REWARD, LARGEST_REWARD) for name, value in rewards.items()
    ]


def _as_broadcast(name: str, value, shape: tuple[int, ...]) -> np.ndarray:
    """As ``as_float_array``, but an array made by ``np.broadcast_to`` is kept as one: it may be very large."""
    if not isinstance(value, np.ndarray) or value.shape != shape or 0 not in value.strides:
        return as_float_array(name, value, shape)
    once = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in value.strides)
    return np.broadcast_to(as_float_array(name, value[once], (...,)), shape)


def checked_terminal(
    terminal, transition: np.ndarray, reward: np.ndarray, outcome_reward: np.ndarray | None
) -> np.ndarray:
    """``[S]`` booleans, True for absorbing states without reward only.

    Raises ValueError naming ``terminal``, or the transition or reward of a terminal state that is not as it must be.
    """
    n_states = transition.shape[0]
    if terminal is None:
        return np.zeros(n_states, dtype=bool)
    terminal = as_flags("terminal", terminal, n_states)
    for state in np.flatnonzero(terminal):
        if not np.all(transition[state, ..., state] == 1):
            raise ValueError(
                f"transition[{state}]: state {state} is terminal, so every action must lead back to itself"
            )
        paid = [reward[:, state]]
        if outcome_reward is not None:
            paid.append(outcome_reward[:, state, ..., state])
        if any(np.any(r != 0) for r in paid):
            raise ValueError(
                f"reward[:, {state}]: state {state} is terminal, so its reward must be 0"
            )
    return terminal


def checked_initial(initial, terminal: np.ndarray) -> np.ndarray:
    """``[S]``: a distribution over the states that are not terminal; raises ValueError naming ``initial``."""
    if initial is None:
        if terminal.all():
            raise ValueError("terminal: all states are terminal; at least one must not be")
        return ~terminal / np.sum(~terminal)
    initial = as_distributions("initial", initial, terminal.shape)
    for state in np.flatnonzero(terminal & (initial > 0)):
        raise ValueError(
            f"initial[{state}] is {initial[state]}, but state {state} is terminal; no episode can begin there"
        )
    return initial


def checked_names(argument: str, names, count: int) -> tuple[str, ...]:
    """``count`` names, by default the numbers from 0; raises ValueError naming ``argument``."""
    if names is None:
        return tuple(str(k) for k in range(count))
    if not _is_list(names) or len(names) != count:
        raise ValueError(f"{argument}: expected {count} names, got {names!r:.80}")
    return tuple(str(name) for name in names)


def checked_action_names(names, n_actions: tuple[int, ...]) -> tuple[tuple[str, ...], ...]:
    """One tuple of names per agent, by default numbers; raises ValueError naming ``action_names``."""
    if names is None:
        names = (None,) * len(n_actions)
    if not _is_list(names) or len(names) != len(n_actions):
        raise ValueError(
            f"action_names: expected one tuple per agent ({len(n_actions)}), got {names!r:.80}"
        )
    return tuple(
        checked_names(f"action_names[{i}]", mine, count)
        for i, (mine, count) in enumerate(zip(names, n_actions))
    )


def _is_list(names) -> bool:
    """Whether ``names`` is a sequence of things, and no text."""
    is_array = isinstance(names, np.ndarray) and names.ndim > 0
    return is_array or (isinstance(names, Sequence) and not isinstance(names, str | bytes))
