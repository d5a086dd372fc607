"""Many copies of one problem that advance together: batched worlds, and steppers of one game. All lessons.

Batched worlds are seen through observations, which may tell less than the state. Shapes in this order everywhere:
``[E, n, …]``, E worlds, n agents.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from marl_lessons.checks import (
    as_booleans,
    as_bounded,
    as_count,
    as_float_array,
    as_generator,
    as_indices,
    as_position,
)
from marl_lessons.envs.markov_game import MarkovGame, check_game


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


@runtime_checkable
class BatchedWorlds(Protocol):
    """What learners ask of E copies of one problem for n agents: whatever has these members is batched worlds.

    They keep their state between calls: not for several threads at once.

    n_worlds           E
    n_agents           n
    n_actions          ``(A_1, …, A_n)``: agent i's actions are the whole numbers 0 to A_i - 1; actions come as ``[E, n]``.
                       None, or missing, where actions are vectors
    action_sizes       then ``(k_1, …, k_n)``: agent i's action has k_i entries from 0 to 1. Actions come as ``[E, n, k]``
                       with k = max k_i; what stands behind an agent's k_i entries has no effect
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

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n]`` or ``[E, n, k]``."""


class CheckedWorlds:
    """Batched worlds whose callers are checked here, once: worlds that inherit it have rules alone.

    A subclass sets the attributes of :class:`BatchedWorlds` (``active`` only where not all agents take part throughout) and has
    ``_begin(which, rng)``, which returns all observations, and ``_advance(actions, rng)``, which returns the step.
    """

    n_actions: tuple[int, ...] | None = None
    action_sizes: tuple[int, ...] | None = None

    def __repr__(self) -> str:
        """One line: the kind of worlds, how many, for how many agents, and their actions."""
        kind = "action_sizes" if are_continuous(self) else "n_actions"
        sizes = f"n_worlds={self.n_worlds}, n_agents={self.n_agents}, {kind}={getattr(self, kind)}"
        return f"{type(self).__name__}({sizes})"

    @property
    def active(self) -> np.ndarray:
        """``[E, n]`` booleans: all agents take part while their world's episode lasts."""
        return np.repeat(~self.ended[:, None], self.n_agents, axis=1)

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, d]``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``."""
        return self._begin(as_booleans("which", which, (self.n_worlds,)), as_generator("rng", rng))

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions, ``[E, n]`` whole numbers or ``[E, n, k]`` numbers from 0 to 1.

        Worlds that have ended must have been begun again.
        """
        rng, actions = as_generator("rng", rng), as_joint_actions(self, actions)
        check_going_on(self.ended)
        return self._advance(actions, rng)


class WorldsAround(CheckedWorlds):
    """Batched worlds around others, ``worlds``, whose numbers of worlds, agents and actions they keep.

    A subclass says what it changes: it has a ``step`` and a ``reset_where``, and may set other sizes.
    """

    def __init__(self, worlds: BatchedWorlds):
        """``worlds``: with whole-number actions."""
        self.worlds = check_batched_worlds("worlds", worlds)
        self.n_worlds, self.n_agents = worlds.n_worlds, worlds.n_agents
        self.n_actions, self.observation_sizes = worlds.n_actions, worlds.observation_sizes

    active = property(lambda self: self.worlds.active)
    ended = property(lambda self: self.worlds.ended)


def are_continuous(worlds) -> bool:
    """Whether the actions of batched worlds are vectors, ``[E, n, k]``, rather than whole numbers, ``[E, n]``."""
    return getattr(worlds, "action_sizes", None) is not None


def as_joint_actions(worlds: BatchedWorlds, actions) -> np.ndarray:
    """``actions`` as ``[E, n]`` whole numbers, or ``[E, n, k]`` vectors with zeros behind an agent's own k_i entries."""
    shape = (worlds.n_worlds, worlds.n_agents)
    if not are_continuous(worlds):
        return as_indices("actions", actions, shape, np.array(worlds.n_actions))
    sizes = np.array(worlds.action_sizes)
    vectors = as_float_array("actions", actions, (*shape, sizes.max()))
    vectors[:, np.arange(sizes.max()) >= sizes[:, None]] = 0.0
    return as_bounded("actions", vectors, vectors.shape, 0.0, 1.0)


def check_going_on(ended: np.ndarray) -> None:
    """Refuse a step if some world has ``ended[E]``: the first is named."""
    if ended.any():
        raise ValueError(
            f"world {int(np.flatnonzero(ended)[0])} has ended; call reset or reset_where first"
        )


SHARED = (*BatchedWorlds.__annotations__, "reset", "reset_where", "step")


def check_batched_worlds(name: str, worlds, continuous: bool | None = False):
    """Batched worlds as they are: with whole-number actions, with ``continuous`` True vectors, with None either.

    Somebody's own worlds are refused, too, where their attributes have other shapes than E and n say.
    """
    vectors = are_continuous(worlds) if continuous is None else continuous
    own = "action_sizes" if vectors else "n_actions"
    missing = [m for m in (*SHARED, own) if getattr(worlds, m, None) is None]
    if missing:
        numbers, vector = (
            "TrafficJunction or GameWorlds",
            "simple_spread(..., continuous_actions=True)",
        )
        example = {False: numbers, True: vector, None: f"{numbers}, or {vector}"}[continuous]
        raise ValueError(
            f"{name}: expected batched worlds as {example}, got {worlds!r:.80} without {missing[0]}"
            + _way_out(worlds, vectors)
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
    as_booleans(f"{name}.ended", worlds.ended, (n_worlds,))
    as_booleans(f"{name}.active", worlds.active, (n_worlds, n))
    return worlds


def _way_out(worlds, vectors: bool) -> str:
    """How what was given becomes the batched worlds that were wanted, where that is known."""
    if isinstance(worlds, MarkovGame):
        return "; GameWorlds(game, n_worlds) makes them of a game"
    if hasattr(worlds, "possible_agents"):
        return "; from_parallel_env makes them of PettingZoo environments"
    if getattr(worlds, "n_actions" if vectors else "action_sizes", None) is not None:
        return f"; those made with continuous_actions={vectors} have it"
    return ""


# Stepping many copies of one tabular game at once.


class Step(NamedTuple):
    """What one step of E copies returns.

    ``states[E]`` after the step, ``rewards[E, n]``, and two reasons for which an episode ends, kept apart:
    ``terminated[E]`` (a terminal state was reached: nothing follows) and ``truncated[E]`` (the time limit ran out: the
    world would have gone on).
    """

    states: np.ndarray
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


class OutcomeTable:
    """The transitions of a game as short lists of possible outcomes, for fast sampling.

    For every (state, joint action) pair the table lists its K most probable next states, their cumulative
    probabilities and the rewards paid: ``next_states[S·A, K]``, ``cumulative[S·A, K]``, ``rewards[S·A, K, n]``. Besides,
    ``begins[S]``: the cumulative probabilities of the states in which an episode may begin.
    """

    def __init__(self, game: MarkovGame):
        """Tabulate ``game``; K is the largest number of outcomes that any pair has."""
        # Joint actions are numbered in C order: the last agent's action changes fastest.
        self._n_joint = int(np.prod(game.n_actions))
        self._strides = np.array(
            [int(np.prod(game.n_actions[i + 1 :])) for i in range(game.n_agents)]
        )
        kernel = game.joint_transition.reshape(-1, game.n_states)
        width = int((kernel > 0).sum(axis=1).max())
        # Likely outcomes first. A part of the rows at a time: the whole would take as much memory as the game.
        order = np.concatenate(
            [
                np.argsort(-rows, axis=1, kind="stable")[:, :width]
                for rows in np.array_split(kernel, -(-len(kernel) // 1000))
            ]
        )
        pairs = np.arange(len(kernel))[:, None]
        self.next_states = order
        self.cumulative = np.cumsum(kernel[pairs, order], axis=1)
        # Rounding must never select an outcome of probability zero: from the last possible one on, the sum is exactly 1.
        possible = (kernel[pairs, order] > 0).sum(axis=1)
        self.cumulative[np.arange(width) >= possible[:, None] - 1] = 1.0
        self.begins = np.cumsum(game.initial)
        self.begins[np.flatnonzero(game.initial)[-1] :] = 1.0
        n = game.n_agents
        if game.outcome_reward is None:
            rewards = np.broadcast_to(game.joint_reward.reshape(n, -1, 1), (n, len(kernel), width))
        else:
            state, *actions = np.unravel_index(pairs, game.transition.shape[:-1])
            rewards = game.outcome_reward[(slice(None), state, *actions, order)]
        self.rewards = np.ascontiguousarray(np.moveaxis(rewards, 0, -1))
        self._flat_next_states = self.next_states.reshape(-1)
        self._flat_rewards = self.rewards.reshape(-1, n)

    def pairs(self, states: np.ndarray, actions: np.ndarray) -> np.ndarray:
        """Indices ``[E]`` of the pairs (state, joint action) for ``states[E]`` and ``actions[E, n]``."""
        return states * self._n_joint + actions @ self._strides

    def sample(self, pairs: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Next states ``[E]`` and rewards ``[E, n]`` for pair indices ``[E]`` (state · A + joint action).

        ``uniform[E]`` are numbers in [0, 1): inverse transform sampling, so the same number gives the same outcome.
        """
        k = (uniform[:, None] < self.cumulative.take(pairs, axis=0)).argmax(axis=1)
        outcome = pairs * self.cumulative.shape[1] + k
        return self._flat_next_states.take(outcome), self._flat_rewards.take(outcome, axis=0)


class Worlds(CheckedWorlds):
    """E copies of one game that advance together, each with its own state and clock: ``states[E]``, ``ages[E]``, ``ended[E]``.

    ``reset`` and ``reset_where`` return all states ``[E]``, ``step`` a :class:`Step`. :meth:`begin` and :meth:`advance` do the
    same with given random numbers: learners keep one stream for each seed, so that a run does not depend on the others.
    """

    def __init__(self, game: MarkovGame, n_worlds: int, time_limit: int | None = None):
        """``n_worlds``: number of copies E; ``time_limit``: steps after which an episode is truncated (None: never)."""
        self.game, self.n_worlds = check_game("game", game), as_count("n_worlds", n_worlds)
        self.n_agents, self.n_actions = game.n_agents, game.n_actions
        self.time_limit = np.inf if time_limit is None else as_count("time_limit", time_limit)
        self._outcomes = OutcomeTable(game)
        self.states = np.zeros(self.n_worlds, dtype=np.int64)
        self.ages = np.zeros(self.n_worlds, dtype=np.int64)
        self.ended = np.ones(self.n_worlds, dtype=bool)

    def _begin(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        self.begin(which, rng.random(which.sum()))
        return self.states

    def _advance(self, actions: np.ndarray, rng: np.random.Generator) -> Step:
        rewards, terminated = self.advance(actions, rng.random(self.n_worlds))
        return Step(self.states, rewards, terminated, self.ended & ~terminated)

    def begin(self, which: np.ndarray, uniform: np.ndarray) -> None:
        """Begin a new episode in the W copies ``which``; ``uniform[W]`` in [0, 1) decide in which states."""
        self.states, self.ended = self.states.copy(), self.ended.copy()  # the old ones may be kept
        self.states[which] = self._outcomes.begins.searchsorted(uniform, side="right")
        self.ages[which], self.ended[which] = 0, False

    def advance(self, actions: np.ndarray, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advance by ``actions[E, n]``, as ``uniform[E]`` in [0, 1) decide; returns rewards ``[E, n]`` and ``terminated[E]``."""
        pairs = self._outcomes.pairs(self.states, actions)
        self.states, rewards = self._outcomes.sample(pairs, uniform)
        self.ages += 1
        terminated = self.game.terminal.take(self.states)
        self.ended = terminated | (self.ages >= self.time_limit)
        return rewards, terminated


class GameWorlds(Worlds):
    """E copies of one Markov game, as :class:`BatchedWorlds` whose agents see the state.

    Each agent's observation is the state as a one-hot vector ``[S]``, also in the state that ends the episode, so that a
    picture can show it and a truncated episode's last target can be formed. All agents take part until the episode ends,
    and it ends for all of them at once: ``terminated[e, i]`` says the same for every agent i of world e.

    Besides the protocol, to be read, not written: ``states[E]``; and ``local_states[E, n]`` with ``n_local_states`` = S, the
    number of what each agent sees, for learners with tables: here the state.
    """

    def __init__(self, game: MarkovGame, n_worlds: int, time_limit: int | None = None):
        """``n_worlds``: number of copies E; ``time_limit``: steps after which an episode is truncated (None: never)."""
        super().__init__(game, n_worlds, time_limit)
        self.n_local_states = game.n_states
        self.observation_sizes = (game.n_states,) * game.n_agents

    @property
    def local_states(self) -> np.ndarray:
        """``[E, n]``: the number of what each agent sees, the state."""
        return np.repeat(self.states[:, None], self.n_agents, axis=1)

    def _begin(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        super()._begin(which, rng)
        return one_hot(self.local_states, self.n_local_states)

    def _advance(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        _, rewards, terminated, truncated = super()._advance(actions, rng)
        ends = np.repeat(terminated[:, None], self.n_agents, axis=1)
        observations = one_hot(self.local_states, self.n_local_states)
        return BatchedStep(observations, rewards, ends, truncated, self.ended)


def one_hot(numbers: np.ndarray, size: int) -> np.ndarray:
    """``[..., size]`` float32: 1 at the place that ``numbers[...]`` name, 0 elsewhere."""
    return (numbers[..., None] == np.arange(size)).astype(np.float32)


# One episode, step by step.


class Episode(NamedTuple):
    """An episode of T steps: ``states[T+1]``, joint ``actions[T, n]``, ``rewards[T, n]``, and why it ended."""

    states: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminated: bool


def rollout(
    game: MarkovGame,
    policies,
    rng: np.random.Generator,
    time_limit: int = 200,
    start: int | None = None,
) -> Episode:
    """Play one episode of ``game`` with ``policies`` (one ``[S, A_i]`` per agent) until it ends or ``time_limit`` steps.

    ``start`` is the first state; by default it is drawn from the game's initial distribution.
    """
    policies = check_game("game", game).check_policies(policies)
    rng = as_generator("rng", rng)
    world = Worlds(game, 1, as_count("time_limit", time_limit))
    world.reset(rng)
    if start is not None:
        if game.terminal[as_position("start", start, game.n_states)]:
            raise ValueError(f"start is {start}, a terminal state; allowed are the others")
        world.states[0], world.ended[0] = start, False
    states, actions, rewards, terminated = [int(world.states[0])], [], [], False
    while not world.ended[0]:
        action = np.array([[rng.choice(len(p[0]), p=p[states[-1]]) for p in policies]])
        step = world.step(action, rng)
        states.append(int(step.states[0]))
        actions.append(action[0])
        rewards.append(step.rewards[0])
        terminated = bool(step.terminated[0])
    n = game.n_agents
    return Episode(
        np.array(states), np.reshape(actions, (-1, n)), np.reshape(rewards, (-1, n)), terminated
    )
