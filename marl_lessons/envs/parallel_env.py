"""A batched world as a PettingZoo environment, to be played by learners from elsewhere.

PettingZoo names its agents and plays one episode at a time; here agents are an axis of arrays, and E episodes run side by
side. The way back: :mod:`~marl_lessons.envs.parallel_worlds`. PettingZoo and Gymnasium are imported when an environment is
made, so that everything else works without them.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_count, as_indices, as_number
from marl_lessons.envs.batched import (
    BatchedWorlds,
    ContinuousWorlds,
    are_continuous,
    check_batched_worlds,
)
from marl_lessons.envs.parallel_spaces import as_unit_vectors, import_pettingzoo


def as_parallel_env(
    worlds: BatchedWorlds | ContinuousWorlds,
    seed: int | None = None,
    low: float = -np.inf,
    high: float = np.inf,
):
    """A ``pettingzoo.ParallelEnv`` over ``worlds``, which must be a single one (E = 1).

    Agents are called "agent_0", "agent_1", …; actions are ``Discrete(A_i)``, or ``Box(0, 1, (k_i,))`` of float32 where the
    worlds' actions are vectors; observations are ``Box(low, high, (d_i,))`` of float32. ``reset(seed=…)`` determines the run
    that follows; a reset without one goes on with the random numbers, which begin from the ``seed`` given here (None: from a
    new one). It plays in ``worlds`` itself: build it over one of its own.

    In PettingZoo an agent that ended is gone until the next reset, but a slot of a batched world may be used again, by the
    next car. So all agents stay until the world's episode is over. ``infos[agent]["active"]`` says whether the slot takes
    part in the next step, ``infos[agent]["left"]`` whether the story of the one who held it ended with this one; where the
    slot is given away in the same step, the reward that comes with ``left`` is already the new holder's. With the
    last step all agents end: as terminated if the world's episode or their own story ended by itself, as truncated if
    the clock cut it short. An action for a slot that takes no part may be left out.

    Raises ValueError naming ``worlds``, ``seed``, ``low`` or ``high``, and ImportError if PettingZoo is not installed.
    """
    parallel_env = import_pettingzoo()[0]
    if check_batched_worlds("worlds", worlds, continuous=None).n_worlds != 1:
        raise ValueError(
            f"worlds: expected batched worlds with n_worlds = 1, got {worlds.n_worlds}"
        )
    # PettingZoo asks for a subclass of its own class, which exists only now.
    kind = type("WorldAsParallelEnv", (_WorldAsParallelEnv, parallel_env), {})
    return kind(worlds, seed, as_number("low", low), as_number("high", high, low))


class _WorldAsParallelEnv:
    """What :func:`as_parallel_env` returns, apart from its base class."""

    render_mode = None

    def __init__(self, worlds, seed: int | None, low: float, high: float):
        spaces = import_pettingzoo()[1]
        name = type(worlds).__name__
        self.metadata = {"name": name, "render_modes": [], "is_parallelizable": True}
        self.worlds, self._rng = worlds, _generator(seed)
        self.possible_agents = [f"agent_{i}" for i in range(worlds.n_agents)]
        self.agents: list[str] = []
        self.observation_spaces = {
            agent: spaces.Box(low, high, (size,), np.float32)
            for agent, size in zip(self.possible_agents, worlds.observation_sizes)
        }
        if are_continuous(worlds):
            actions = [spaces.Box(0, 1, (size,), np.float32) for size in worlds.action_sizes]
        else:
            actions = [spaces.Discrete(int(count)) for count in worlds.n_actions]
        self.action_spaces = dict(zip(self.possible_agents, actions))

    def observation_space(self, agent: str):
        """The ``Box`` of an agent's observations, the same object every time."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str):
        """The ``Discrete`` or ``Box`` space of an agent's actions, the same object every time."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict | None = None) -> tuple[dict, dict]:
        """Begin an episode; ``options`` has no effect. Raises ValueError naming ``seed``."""
        if seed is not None:
            self._rng = _generator(seed)
        observations = self.worlds.reset(self._rng)
        self.agents = list(self.possible_agents)
        return self._seen(observations), self._infos(np.zeros(len(self.agents), dtype=bool), False)

    def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
        """Observations, rewards, terminations, truncations and infos of all agents; raises ValueError naming ``actions``."""
        if not self.agents:
            raise ValueError("actions: the episode is over or has not begun; call reset first")
        step = self.worlds.step(self._row(actions)[None], self._rng)
        left, ended = step.terminated[0], bool(step.ended[0])
        by_itself = left | (not step.truncated[0])
        results = (
            self._seen(step.observations),
            self._named(step.rewards[0]),
            self._named(ended & by_itself),
            self._named(ended & ~by_itself),
            self._infos(left, ended),
        )
        self.agents = [] if ended else self.agents
        return results

    def _row(self, actions: dict) -> np.ndarray:
        """``[n]`` or ``[n, k]``: the joint action; 0 for a slot that takes no part and was left out."""
        if not isinstance(actions, dict) or not set(actions) <= set(self.agents):
            raise ValueError(f"actions: expected a dict over {self.agents}, got {actions!r:.80}")
        row = self._no_actions()
        for i, agent in enumerate(self.agents):
            if agent in actions:
                self._put(row, i, f"actions[{agent!r}]", actions[agent])
            elif self.worlds.active[0, i]:
                raise ValueError(f"actions: {agent} is missing, which takes part in this step")
        return row

    def _no_actions(self) -> np.ndarray:
        """``[n]`` or ``[n, k]`` zeros."""
        if are_continuous(self.worlds):
            return np.zeros((self.worlds.n_agents, max(self.worlds.action_sizes)))
        return np.zeros(self.worlds.n_agents, dtype=np.intp)

    def _put(self, row: np.ndarray, i: int, name: str, action) -> None:
        """Write the action of agent ``i`` into ``row``; raises ValueError with its ``name``."""
        if are_continuous(self.worlds):
            size = self.worlds.action_sizes[i]
            row[i, :size] = as_unit_vectors(name, action, (size,), size)
        else:
            row[i] = as_indices(name, action, (), self.worlds.n_actions[i])

    def _seen(self, observations: np.ndarray) -> dict[str, np.ndarray]:
        sizes = self.worlds.observation_sizes
        return {
            a: observations[0, i, : sizes[i]].copy() for i, a in enumerate(self.possible_agents)
        }

    def _named(self, values: np.ndarray) -> dict:
        return dict(zip(self.possible_agents, values.tolist()))

    def _infos(self, left: np.ndarray, ended: bool) -> dict[str, dict]:
        active = self.worlds.active[0] & (not ended)
        return {
            agent: {"active": bool(active[i]), "left": bool(left[i])}
            for i, agent in enumerate(self.possible_agents)
        }


def _generator(seed: int | None) -> np.random.Generator:
    return np.random.default_rng(None if seed is None else as_count("seed", seed, low=0))
