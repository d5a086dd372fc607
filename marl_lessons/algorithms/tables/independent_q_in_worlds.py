"""Independent tabular Q-learning where agents see less than the state: one table entry for each thing an agent may see.

The worlds are batched ones (:class:`~marl_lessons.envs.stepping.BatchedWorlds`) that number what each agent sees:
``local_states[E, n]``, whole numbers from 0 to ``n_local_states`` - 1. World e is the e-th independent run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.algorithms.settings import as_config
from marl_lessons.algorithms.tables.history import (
    Recorder,
    TabularConfig,
    common_n_actions,
)
from marl_lessons.algorithms.tables.rules import epsilon_greedy, q_learning_target
from marl_lessons.algorithms.tables.schedules import Progress
from marl_lessons.checks import as_flag, as_generator, as_indices, as_number
from marl_lessons.envs.stepping import BatchedWorlds, check_batched_worlds


@dataclass(frozen=True, eq=False)
class WorldsHistory:
    """What was recorded: K+1 moments, E worlds, n agents, O local states, A actions.

    ``q`` differs from that of :class:`~marl_lessons.algorithms.History`: its rows are what an agent sees, not states, and
    it has an agent axis only if each agent has a table of its own. So it is no table of the game's states, and what takes
    a History does not take it.

    steps ``[K+1]``           steps made by each world before the record
    q ``[K+1, E, O, A]``      the tables that the agents of each world share; ``[K+1, E, n, O, A]`` if each has its own
    visits, of q's shape      how often each entry had been updated
    episodes ``[K+1, E]``     episodes finished
    epsilon ``[K+1, E]``      exploration rate at that moment
    returns                   one array ``[episodes, n]`` per world: undiscounted return of every finished episode
    lengths                   one array ``[episodes]`` per world: its steps
    """

    steps: np.ndarray
    q: np.ndarray
    visits: np.ndarray
    episodes: np.ndarray
    epsilon: np.ndarray
    returns: tuple[np.ndarray, ...]
    lengths: tuple[np.ndarray, ...]


def mean_td_update(
    table: np.ndarray, entries: np.ndarray, target: np.ndarray, step_size: np.ndarray
) -> np.ndarray:
    """Move each of ``table[entries]`` once, by the mean of α δ over all who chose it; returns these entries, each once.

    ``table[X]``, changed in place; ``entries[k]`` may name an entry several times; ``target[k]``, ``step_size[k]``.
    δ = target - table[entry], the TD error of each. Its arguments are not checked.
    """
    moves = step_size * (target - table[entries])
    moved, which, how_many = np.unique(entries, return_inverse=True, return_counts=True)
    table[moved] += np.bincount(which, moves) / how_many
    return moved


def independent_q_learning_in_worlds(
    worlds: BatchedWorlds,
    config: TabularConfig | None,
    rng: np.random.Generator,
    *,
    discount: float,
    shared: bool = True,
) -> WorldsHistory:
    """Every agent runs Q-learning on what it sees, as if the others were part of the world (Tan 1993).

    ``shared``: the agents of a world learn one table together; False: each has its own. Agents that take no part neither
    act nor learn. Each of the others explores by random numbers of its own and learns from its own reward. If several
    update the same entry in one step, it moves by the mean of their updates, and that counts as one visit of it.

    Where an agent terminated, its target is the reward alone. Where a world's episode was truncated, by its own clock or
    after ``config.time_limit`` steps, whichever comes first, ``config.bootstrap_on_truncation`` decides.
    The E runs are independent of each other, but all draw from ``rng``: the same numbers come again only with the same
    rng and the same number of worlds. ``discount``: γ in [0, 1].
    """
    _check_worlds(worlds)
    n_actions = common_n_actions("worlds", worlds)
    config, rng = as_config(config, TabularConfig), as_generator("rng", rng)
    discount, shared = as_number("discount", discount, 0.0, 1.0), as_flag("shared", shared)
    n_worlds, n = worlds.n_worlds, worlds.n_agents
    owners = (n_worlds,) if shared else (n_worlds, n)
    q = np.full((*owners, worlds.n_local_states, n_actions), config.initial_value)
    visits = np.zeros(q.shape, dtype=np.int64)
    # Flat views of the tables: row (world, agent, local state), entry row * A + action.
    rows, entries, counts = q.reshape(-1, n_actions), q.reshape(-1), visits.reshape(-1)
    first_row = np.arange(np.prod(owners)).reshape(n_worlds, -1) * worlds.n_local_states
    recorder = Recorder(config, tuple(range(n_worlds)), q, visits)
    limit = np.inf if config.time_limit is None else config.time_limit
    episode, age = np.zeros((n_worlds, 1), dtype=int), np.zeros(n_worlds, dtype=int)
    total = np.zeros((n_worlds, n))
    finished = [[] for _ in range(n_worlds)]  # (return [n], length) of each world's episodes
    worlds.reset(rng)
    as_indices("worlds.local_states", worlds.local_states, (n_worlds, n), worlds.n_local_states)
    for step in range(config.n_steps):
        epsilon = config.epsilon(Progress(step, episode, None))
        recorder.record_if_due(step, episode, epsilon)
        active, row = worlds.active.copy(), first_row + worlds.local_states
        action = epsilon_greedy(rows.take(row, axis=0), epsilon, rng.random((2, n_worlds, n)))
        entry = row * n_actions + action
        after = worlds.step(action, rng)
        age += 1
        total += after.rewards
        over = after.ended | (age >= limit)
        ends = after.terminated | (over[:, None] & (not config.bootstrap_on_truncation))
        next_q = rows.take(first_row + worlds.local_states, axis=0)
        target = q_learning_target(after.rewards, next_q, ends, discount)
        step_size = config.step_size(Progress(step, episode, counts.take(entry) + 1))
        step_size = np.broadcast_to(step_size, entry.shape)
        moved = mean_td_update(entries, entry[active], target[active], step_size[active])
        counts[moved] += 1
        if over.any():
            for e in np.flatnonzero(over):
                finished[e].append((total[e].copy(), age[e]))
            episode[over] += 1
            age[over], total[over] = 0, 0.0
            worlds.reset_where(over, rng)
    epsilon = config.epsilon(Progress(config.n_steps, episode, None))
    recorder.record_if_due(config.n_steps, episode, epsilon)
    return WorldsHistory(
        recorder.moments,
        **recorder.records,
        episodes=recorder.episodes,
        epsilon=recorder.epsilon,
        returns=tuple(np.array([r for r, _ in one]).reshape(-1, n) for one in finished),
        lengths=tuple(np.array([age for _, age in one], dtype=int) for one in finished),
    )


def _check_worlds(worlds) -> None:
    check_batched_worlds("worlds", worlds)
    if not all(hasattr(worlds, name) for name in ("local_states", "n_local_states")):
        raise ValueError(
            "worlds: expected batched worlds that number what agents see (local_states, n_local_states), "
            f"got a {type(worlds).__name__}"
        )
