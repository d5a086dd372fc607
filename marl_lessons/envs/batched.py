"""What every batched world offers: E copies of one problem for n agents, stepped together, seen through observations.

Shapes in this order everywhere: ``[E, n, …]``. A world whose agents see whole states of a finite game is
:class:`~marl_lessons.envs.simulation.Worlds`; here agents may see less than the state, or a picture of it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from marl_lessons.checks import as_booleans, as_count, as_flags


class BatchedStep(NamedTuple):
    """What one step of E worlds with n agents brought.

    observations ``[E, n, d]`` float32  what each agent sees next; zeros where it takes part neither in this step nor in the
                                        next
    rewards ``[E, n]`` float64          each agent's own reward; where a slot ended and was given away in the same step, the
                                        new holder's
    terminated ``[E, n]`` booleans      this agent's story ended with this step: nothing that follows counts for it
    truncated ``[E]`` booleans          the clock cut the world's episode short; its story would have gone on
    ended ``[E]`` booleans              the world's episode is over, for either reason; begin it again before the next step
    """

    observations: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    ended: np.ndarray


class WorldsSideBySide(Protocol):
    """What both kinds of batched worlds share: E copies of one problem for n agents.

    They keep their state between calls: not for several threads at once.

    n_worlds           E
    n_agents           n
    observation_sizes  ``(d_1, …, d_n)``: observations have d = max d_i entries; agent i's end with zeros where d_i < d
    active             ``[E, n]`` booleans: which agents take part at the next step (a car may not have arrived yet). What
                       an agent does that takes no part is ignored; its reward is 0, unless it arrives with this step (a car
                       that is hit on arrival pays at once). All False in a world that has ended
    ended              ``[E]`` booleans: whose episode is over, or has not begun: begin it again before the next step
    """

    n_worlds: int
    n_agents: int
    observation_sizes: tuple[int, ...]
    active: np.ndarray
    ended: np.ndarray

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, d]``."""

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``."""


@runtime_checkable
class BatchedWorlds(WorldsSideBySide, Protocol):
    """Batched worlds whose actions are whole numbers.

    n_actions          ``(A_1, …, A_n)``: agent i's actions are 0 to A_i - 1

    The rest as in :class:`WorldsSideBySide`.
    """

    n_actions: tuple[int, ...]

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n]``, whole numbers."""


@runtime_checkable
class ContinuousWorlds(WorldsSideBySide, Protocol):
    """Batched worlds whose actions are vectors.

    action_sizes       ``(k_1, …, k_n)``: agent i's action has k_i entries from 0 to 1. Actions come as ``[E, n, k]`` with
                       k = max k_i; what stands behind an agent's k_i entries has no effect

    The rest as in :class:`WorldsSideBySide`.
    """

    action_sizes: tuple[int, ...]

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n, k]``, numbers from 0 to 1."""


class WorldsAround:
    """Batched worlds around others, ``worlds``, whose numbers of worlds, agents and actions they keep.

    A subclass says what it changes: it has a ``step`` and a ``reset_where``, and may set other sizes.
    """

    def __init__(self, worlds: BatchedWorlds):
        """Raises ValueError naming ``worlds`` if they are not batched worlds with whole-number actions."""
        self.worlds = check_batched_worlds("worlds", worlds)
        self.n_worlds, self.n_agents = worlds.n_worlds, worlds.n_agents
        self.n_actions, self.observation_sizes = worlds.n_actions, worlds.observation_sizes

    @property
    def active(self) -> np.ndarray:
        """``[E, n]`` booleans: which agents take part at the next step."""
        return self.worlds.active

    @property
    def ended(self) -> np.ndarray:
        """``[E]`` booleans: whose episode is over, or has not begun."""
        return self.worlds.ended

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, d]``. Raises ValueError naming ``rng``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)


SHARED = (*WorldsSideBySide.__annotations__, "reset", "reset_where", "step")


def are_continuous(worlds) -> bool:
    """Whether the actions of batched worlds are vectors, ``[E, n, k]``, rather than whole numbers, ``[E, n]``."""
    return hasattr(worlds, "action_sizes")


def check_batched_worlds(name: str, worlds, continuous: bool | None = False):
    """Return batched worlds as they are: with whole-number actions, with ``continuous`` True vectors, with None either.

    Raises ValueError naming ``name`` where something of the protocol is missing, or its attributes have other shapes than
    E and n say.
    """
    vectors = are_continuous(worlds) if continuous is None else continuous
    own = "action_sizes" if vectors else "n_actions"
    missing = [m for m in (*SHARED, own) if not hasattr(worlds, m)]
    if missing:
        numbers, example = (
            "TrafficJunction or GameWorlds",
            "simple_spread(..., continuous_actions=True)",
        )
        if continuous is not True:
            example = numbers if continuous is False else f"{numbers}, or {example}"
        raise ValueError(
            f"{name}: expected batched worlds as {example}, got {worlds!r:.80} without {missing[0]}"
        )
    n_worlds, n = (as_count(f"{name}.{m}", getattr(worlds, m)) for m in ("n_worlds", "n_agents"))
    for member in (own, "observation_sizes"):
        sizes = getattr(worlds, member)
        if not isinstance(sizes, tuple) or len(sizes) != n:
            raise ValueError(
                f"{name}.{member}: expected a tuple with one entry for each of {n} agents, got {sizes!r:.80}"
            )
        for i, size in enumerate(sizes):
            as_count(f"{name}.{member}[{i}]", size)
    as_flags(f"{name}.ended", worlds.ended, n_worlds)
    as_booleans(f"{name}.active", worlds.active, (n_worlds, n))
    return worlds


def check_going_on(ended: np.ndarray) -> None:
    """Raises ValueError if some world has ``ended[E]``, naming the first: it must be begun again before the next step."""
    ended = as_flags("ended", ended, None)
    if ended.any():
        raise ValueError(
            f"world {int(np.flatnonzero(ended)[0])} has ended; call reset or reset_where first"
        )
