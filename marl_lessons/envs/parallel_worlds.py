"""PettingZoo environments as batched worlds, for the learners of this course.

The way back from :mod:`~marl_lessons.envs.parallel_env`. Which spaces cross the bridge, and how:
:mod:`~marl_lessons.envs.parallel_spaces`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marl_lessons.checks import as_count, as_flags, as_float_array, as_generator, as_indices
from marl_lessons.envs.batched import BatchedStep, are_continuous, check_going_on
from marl_lessons.envs.parallel_spaces import (
    action_writers,
    as_unit_vectors,
    import_pettingzoo,
    observation_reader,
)


def from_parallel_env(make_env: Callable, n_worlds: int = 1) -> ParallelWorlds:
    """Batched worlds over ``n_worlds`` copies of a ``pettingzoo.ParallelEnv``, one from each call of ``make_env()``.

    Actions must all be ``Discrete``, or all ``Box`` of shape (k,) with finite low < high: then they become vectors
    (``action_sizes``), and their numbers from 0 to 1 are stretched to [low, high]. Observations must be ``Box`` (flattened,
    then filled up with zeros to the largest) or ``Discrete`` (one-hot). Who takes part and how episodes end:
    :class:`ParallelWorlds`. Any environment of this kind becomes batched worlds; ``train_iql`` learns in it only if all
    agents have the same number of actions, since one network layout serves them all.

    Raises ValueError naming ``make_env`` (for the first agent with another space, and later where the environment breaks
    the rules: rewards or observations that are no finite numbers, for example) or ``n_worlds``, and ImportError if
    PettingZoo is not installed.
    """
    import_pettingzoo()
    n_worlds = as_count("n_worlds", n_worlds)
    if not callable(make_env):
        raise ValueError(
            f"make_env: expected a function that makes an environment, got {make_env!r:.80}"
        )
    return ParallelWorlds([make_env() for _ in range(n_worlds)])


class ParallelWorlds:
    """E PettingZoo environments as batched worlds, as :func:`from_parallel_env` makes them.

    They are :class:`~marl_lessons.envs.batched.BatchedWorlds`, with ``n_actions``, where actions are ``Discrete``, and
    :class:`~marl_lessons.envs.batched.ContinuousWorlds`, with ``action_sizes``, where they are ``Box``.

    Agents stand in the order of ``possible_agents``. One takes part (``active``) while its environment lists it among its
    ``agents``, unless ``infos[agent]["active"]`` is False: then it is a slot without a holder, and its action is passed on
    without effect. At the step in which it ends it still sees what the environment shows it; after that, zeros. It is
    ``terminated`` as the environment says, or if ``infos[agent]["left"]`` is True: then a slot's holder ended with this
    step, though the slot stays. Environments of :func:`~marl_lessons.envs.parallel_env.as_parallel_env` tell both.

    A world ends when no agent is left; it is ``truncated`` if the last step truncated some agent that it did not terminate.
    An agent that is truncated while others play on leaves without ``terminated``, so that its last target may still count
    what would have followed.

    Every reset of every copy is seeded with another number, drawn from the ``rng`` that is passed; ``step`` draws none.
    The copies are stepped one after the other, in Python.
    """

    def __init__(self, envs: list):
        """``envs``: one environment for each world, all with the same agents and spaces.

        Raises ValueError naming ``envs`` if there is none, and ``make_env`` for an environment that does not fit.
        """
        if not isinstance(envs, list | tuple) or not len(envs):
            raise ValueError(f"envs: expected a list of one environment or more, got {envs!r:.80}")
        _check_envs(envs)
        self.envs, self.names = envs, tuple(envs[0].possible_agents)
        self.n_worlds, self.n_agents = len(envs), len(self.names)
        vectors, writers = action_writers({name: envs[0].action_space(name) for name in self.names})
        readers = [observation_reader(name, envs[0].observation_space(name)) for name in self.names]
        setattr(self, "action_sizes" if vectors else "n_actions", tuple(w.size for w in writers))
        self.observation_sizes = tuple(size for size, _ in readers)
        self._write = [writer.write for writer in writers]
        self._read = [read for _, read in readers]
        self._active = np.zeros((self.n_worlds, self.n_agents), dtype=bool)
        self._playing = self._active.copy()  # whom its environment lists, active or not
        self._seen = np.zeros((*self._active.shape, max(self.observation_sizes)), np.float32)

    @property
    def active(self) -> np.ndarray:
        """``[E, n]`` booleans: which agents take part at the next step."""
        return self._active.copy()

    @property
    def ended(self) -> np.ndarray:
        """``[E]`` booleans: whose episode is over or has not begun."""
        return ~self._playing.any(axis=1)

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, d]``. Raises ValueError naming ``rng``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``.

        Raises ValueError naming ``which`` or ``rng``.
        """
        which, rng = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        for e in np.flatnonzero(which):
            answer = self.envs[e].reset(seed=int(rng.integers(2**31)))
            observations, infos = _parts("reset", answer, 2)
            self._playing[e] = [name in self.envs[e].agents for name in self.names]
            if not self._playing[e].any():
                raise ValueError("make_env: its environment lists no agents after a reset")
            self._active[e] = self._playing[e] & self._told(infos, "active", True)
            self._look(e, observations, self._active[e])
        return self._seen.copy()

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n]``, whole numbers, or ``[E, n, k]``, numbers from 0 to 1.

        Those of agents that take no part are ignored, and so is what stands behind an agent's own k_i numbers. Raises
        ValueError naming ``actions`` or ``rng``, for worlds that have ended and were not begun again, and naming ``make_env``
        if its environment forgets an agent.
        """
        as_generator("rng", rng)
        actions = self._as_actions(actions)
        check_going_on(self.ended)
        rewards = np.zeros(self._active.shape)
        terminated, truncated = np.zeros_like(self._active), np.zeros_like(self._active)
        for e in range(self.n_worlds):
            rewards[e], terminated[e], truncated[e] = self._step_one(e, actions[e])
        ended = self.ended
        late = (truncated & ~terminated).any(axis=1)
        return BatchedStep(self._seen.copy(), rewards, terminated, ended & late, ended)

    def _as_actions(self, actions) -> np.ndarray:
        """Joint actions of all worlds, checked; raises ValueError naming ``actions``."""
        if are_continuous(self):
            shape = (*self._active.shape, max(self.action_sizes))
            return as_unit_vectors("actions", actions, shape, self.action_sizes)
        return as_indices("actions", actions, self._active.shape, np.array(self.n_actions))

    def _step_one(self, e: int, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards, terminations and truncations ``[n]`` of world ``e``; keeps who goes on and what everyone sees."""
        env, took_part, played = self.envs[e], self._active[e].copy(), self._playing[e].copy()
        players = np.flatnonzero(played).tolist()
        chosen = {self.names[i]: self._write[i](actions[i]) for i in players}
        observations, *results, infos = _parts("step", env.step(chosen), 5)
        columns = np.zeros((3, self.n_agents))
        for column, result in zip(columns, results):
            for i in players:
                column[i] = _number(self.names[i], _of(result, self.names[i]))
        terminated, truncated = columns[1:] > 0
        listed = np.array([name in env.agents for name in self.names])
        lost = played & ~(listed | terminated | truncated)
        if lost.any():
            name = self.names[int(np.flatnonzero(lost)[0])]
            raise ValueError(
                f"make_env: {name!r} left its environment neither terminated nor truncated"
            )
        self._playing[e] = listed & ~(terminated | truncated)
        self._active[e] = self._playing[e] & self._told(infos, "active", True)
        self._look(e, observations, took_part | self._active[e])
        return columns[0], terminated | (played & self._told(infos, "left", False)), truncated

    def _told(self, infos, key: str, default: bool) -> np.ndarray:
        """``[n]`` booleans: the entry ``key`` in each agent's infos, ``default`` where there is none."""
        infos = infos if isinstance(infos, dict) else {}
        told = [infos.get(name) for name in self.names]
        return np.array(
            [bool(one.get(key, default)) if isinstance(one, dict) else default for one in told]
        )

    def _look(self, e: int, observations: dict, who: np.ndarray) -> None:
        """Keep what the agents ``who[n]`` of world ``e`` see, and zeros for the others."""
        self._seen[e] = 0.0
        for i in np.flatnonzero(who):
            seen = self._read[i](_of(observations, self.names[i]))
            if seen.shape != (self.observation_sizes[i],):
                raise ValueError(
                    f"make_env: {self.names[i]!r} sees {seen.size} numbers; its space has {self.observation_sizes[i]}"
                )
            self._seen[e, i, : seen.size] = seen


def _check_envs(envs) -> None:
    """Raises ValueError naming ``make_env`` unless all are different environments with the same agents and spaces."""
    for env in envs:
        if not isinstance(env, import_pettingzoo()[0]):
            raise ValueError(
                f"make_env: expected it to make a pettingzoo.ParallelEnv, got a {type(env).__name__}"
            )
        if not list(getattr(env, "possible_agents", [])):
            raise ValueError("make_env: its environment has no possible_agents")
        first, agents = list(envs[0].possible_agents), list(env.possible_agents)
        if agents != first:
            raise ValueError(
                f"make_env: made environments of different agents, {first} and {agents}"
            )
        for name in agents:
            for kind in ("action_space", "observation_space"):
                mine, other = getattr(envs[0], kind)(name), getattr(env, kind)(name)
                if mine != other:
                    raise ValueError(
                        f"make_env: the {kind} of {name!r} is once {mine}, once {other}"
                    )
    if len({id(getattr(env, "worlds", env)) for env in envs}) < len(envs):
        raise ValueError("make_env: made the same environment twice; every world needs its own")


def _parts(call: str, answer, count: int) -> tuple:
    """The parts of what an environment answered to a ``call``."""
    if not isinstance(answer, tuple | list) or len(answer) != count:
        raise ValueError(
            f"make_env: its environment's {call} must return {count} things, got {answer!r:.80}"
        )
    return answer


def _number(name, value) -> float:
    """One agent's reward, or whether it ended, as a number."""
    array = as_float_array(f"make_env: what {name!r} is told", value, (...,))
    if array.size != 1:
        raise ValueError(f"make_env: {name!r} is told {value!r:.80}, expected one number")
    return array.item()


def _of(result: dict, name):
    """The entry of agent ``name`` in one of an environment's dicts."""
    if not isinstance(result, dict) or name not in result:
        raise ValueError(f"make_env: its environment's answer says nothing about {name!r}")
    return result[name]
