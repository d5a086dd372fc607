"""Independent Q-learning with tables where agents see less than the state. Lessons 06 and 10.

There is one table entry for each thing that an agent may see and do.
The worlds are batched ones (:class:`~marl_lessons.envs.stepping.BatchedWorlds`) that number what each agent sees:
``local_states[E, n]``, whole numbers from 0 to ``n_local_states`` - 1. World e is the e-th independent run.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marl_lessons.algorithms.settings import as_config
from marl_lessons.algorithms.tables.history import (
    History,
    Recorder,
    TabularConfig,
    common_n_actions,
)
from marl_lessons.algorithms.tables.rules import epsilon_greedy, q_learning_target
from marl_lessons.algorithms.tables.schedules import Progress
from marl_lessons.checks import as_flag, as_generator, as_indices, as_number
from marl_lessons.envs.stepping import BatchedWorlds, check_batched_worlds


def mean_td_update(
    table: np.ndarray, entries: np.ndarray, target: np.ndarray, step_size: np.ndarray
) -> np.ndarray:
    """Move each of ``table[entries]`` once, by the mean of α δ over all who chose it; returns these entries, each once.

    ``table[X]``, changed in place; ``entries[k]`` may name an entry several times; ``target[k]``, ``step_size[k]``.
    δ = target - table[entry], the TD error of each.
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
) -> History:
    """Every agent runs Q-learning on what it sees, as if the others were part of the world (Tan 1993).

    ``shared``: the agents of a world learn one table together; False: each has its own. Agents that take no part neither
    act nor learn. Each of the others explores by random numbers of its own and learns from its own reward. If several
    update the same entry in one step, it moves by the mean of their updates, and that counts as one visit of it.

    Where an agent terminated, its target is the reward alone. Where a world's episode was truncated, by its own clock or
    after ``config.time_limit`` steps, whichever comes first, ``config.bootstrap_on_truncation`` decides.
    The E runs are independent of each other, but all draw from ``rng``: the same numbers come again only with the same
    rng and the same number of worlds. ``discount``: γ in [0, 1]. The :class:`History` has q ``[K+1, E, O, A]``, O what an
    agent may see, for tables that are shared, otherwise ``[K+1, E, n, O, A]``.
    """
    check_batched_worlds("worlds", worlds)
    if not all(hasattr(worlds, name) for name in ("local_states", "n_local_states")):
        raise ValueError(
            "worlds: expected batched worlds that number what agents see (local_states, n_local_states), "
            f"got a {type(worlds).__name__}"
        )
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
    recorder = Recorder(config, tuple(range(n_worlds)), n, q=q, visits=visits)
    limit = np.inf if config.time_limit is None else config.time_limit
    age = np.zeros(n_worlds, dtype=int)
    worlds.reset(rng)
    as_indices("worlds.local_states", worlds.local_states, (n_worlds, n), worlds.n_local_states)
    for step in range(config.n_steps):
        epsilon = config.epsilon(Progress(step, recorder.episode, None))
        recorder.record_if_due(step, epsilon)
        active, row = worlds.active.copy(), first_row + worlds.local_states
        action = epsilon_greedy(rows.take(row, axis=0), epsilon, rng.random((2, n_worlds, n)))
        entry = row * n_actions + action
        after = worlds.step(action, rng)
        recorder.total += after.rewards
        age += 1
        over = after.ended | (age >= limit)
        ends = after.terminated | (over[:, None] & (not config.bootstrap_on_truncation))
        next_q = rows.take(first_row + worlds.local_states, axis=0)
        target = q_learning_target(after.rewards, next_q, ends, discount)
        progress = Progress(step, recorder.episode, counts.take(entry) + 1)
        step_size = np.broadcast_to(config.step_size(progress), entry.shape)
        moved = mean_td_update(entries, entry[active], target[active], step_size[active])
        counts[moved] += 1
        if over.any():
            which = over.nonzero()[0]
            recorder.episodes_ended(which, age[which], which)  # the last is no state: dropped below
            age[which] = 0
            worlds.reset_where(over, rng)
    epsilon = config.epsilon(Progress(config.n_steps, recorder.episode, None))
    recorder.record_if_due(config.n_steps, epsilon)
    return replace(recorder.history(), last_states=None)
