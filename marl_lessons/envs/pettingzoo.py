"""PettingZoo environments as batched worlds, for the learners of this course.

The way back from :mod:`~marl_lessons.envs.pettingzoo`. Which spaces cross the bridge, and how:
:mod:`~marl_lessons.envs.pettingzoo`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import (
    as_count,
    as_flags,
    as_float_array,
    as_generator,
    as_indices,
    as_number,
)
from marl_lessons.envs.stepping import (
    BatchedStep,
    BatchedWorlds,
    ContinuousWorlds,
    are_continuous,
    check_batched_worlds,
    check_going_on,
    one_hot,
)

# What PettingZoo's agents may do and see, in the form of batched worlds: the spaces on both sides of the bridge.

ALLOWED_ACTIONS = (
    "allowed are Discrete and Box of shape (k,) with finite low < high, of one kind for all agents"
)


class ActionWriter(NamedTuple):
    """How an agent's entry of the actions becomes an action of its environment.

    size    number of actions, or of a vector's entries
    write   from a whole number 0 to size - 1, or a vector of numbers from 0 to 1, to what the environment expects
    """

    size: int
    write: Callable


def import_pettingzoo():
    """The class ``pettingzoo.ParallelEnv`` and the module ``gymnasium.spaces``; ImportError says what to install."""
    try:
        from gymnasium import spaces
        from pettingzoo import ParallelEnv
    except ImportError as error:
        raise ImportError(
            "this bridge needs PettingZoo; in a terminal run: python -m pip install pettingzoo"
        ) from error
    return ParallelEnv, spaces


def action_writers(spaces: dict) -> tuple[bool, list[ActionWriter]]:
    """Whether actions are vectors, and the writer of each agent, from ``spaces``, an action space for each agent's name.

    Raises ValueError naming ``make_env`` for the first agent with another space than allowed, or of another kind than the
    first agent's.
    """
    kinds = import_pettingzoo()[1]
    first, space_of_first = next(iter(spaces.items()))
    continuous = isinstance(space_of_first, kinds.Box)
    for name, space in spaces.items():
        if not (_is_bounded_vector(space) or isinstance(space, kinds.Discrete)):
            raise ValueError(f"make_env: {name!r} has the action space {space}; {ALLOWED_ACTIONS}")
        if isinstance(space, kinds.Box) != continuous:
            raise ValueError(
                f"make_env: {name!r} has the action space {space}, {first!r} has {space_of_first}; {ALLOWED_ACTIONS}"
            )
    writer = _vector_writer if continuous else _number_writer
    return continuous, [writer(space) for space in spaces.values()]


def between(vector: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """``[k]``: the numbers from 0 to 1 in ``vector[k]`` stretched to [low, high]; 0 and 1 yield the bounds themselves.

    Computed in float64, then rounded to the type of ``low`` and ``high``, without leaving them.
    """
    stretched = low.astype(np.float64) * (1 - vector) + high.astype(np.float64) * vector
    return np.clip(stretched.astype(low.dtype), low, high)


def as_unit_vectors(name: str, value, shape: tuple[int, ...], sizes) -> np.ndarray:
    """Return ``value`` as float64 numbers of ``shape``; the first ``sizes`` of the last axis must lie in [0, 1].

    ``sizes`` is one number, or ``[n]`` of them for the last axis but one. What stands behind them must be finite. Raises
    ValueError naming ``name``.
    """
    array = as_float_array(name, value, shape)
    own = np.arange(shape[-1]) < np.asarray(sizes)[..., None]
    bad = np.argwhere(((array < 0) | (array > 1)) & own)
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(f"{name}{list(index)} is {array[index]}; allowed is a number in [0, 1]")
    return array


def observation_reader(name, space) -> tuple[int, Callable]:
    """How many numbers an agent sees, and the function that makes a float32 vector of an observation.

    Raises ValueError naming ``make_env`` for a space that is neither ``Box`` nor ``Discrete``.
    """
    spaces = import_pettingzoo()[1]
    if isinstance(space, spaces.Discrete):
        return int(space.n), lambda seen: _read_number(name, space, seen)
    if isinstance(space, spaces.Box):
        return int(np.prod(space.shape)), lambda seen: _read_box(name, seen)
    raise ValueError(
        f"make_env: {name!r} has the observation space {space}; allowed are Box and Discrete"
    )


def _is_bounded_vector(space) -> bool:
    """Whether a space is a ``Box`` of vectors of real numbers with finite low < high."""
    if not isinstance(space, import_pettingzoo()[1].Box):
        return False
    if len(space.shape) != 1 or not space.shape[0] or space.dtype.kind != "f":
        return False
    return bool(
        np.isfinite(space.low).all()
        and np.isfinite(space.high).all()
        and (space.low < space.high).all()
    )


def _number_writer(space) -> ActionWriter:
    """Whole numbers from 0 become those of a ``Discrete`` space, which may begin elsewhere."""
    first = int(space.start)
    return ActionWriter(int(space.n), lambda action: first + int(action))


def _vector_writer(space) -> ActionWriter:
    """Numbers from 0 to 1 become those of a bounded ``Box``; what stands behind the agent's own entries is left out."""
    size = space.shape[0]
    return ActionWriter(size, lambda action: between(action[:size], space.low, space.high))


def _read_number(name, space, seen) -> np.ndarray:
    """An observation in a ``Discrete`` space as a one-hot vector."""
    number = np.asarray(seen)
    if number.size != 1 or number.dtype.kind not in "iu" or not space.contains(int(number.item())):
        raise ValueError(f"make_env: {name!r} sees {seen!r:.80}; its space is {space}")
    return one_hot(number - int(space.start), int(space.n)).reshape(-1)


def _read_box(name, seen) -> np.ndarray:
    """An observation in a ``Box`` as a vector, whose numbers must be finite, also as float32."""
    as_float_array(f"make_env: what {name!r} sees", seen, (...,))
    with np.errstate(over="ignore"):
        vector = np.asarray(seen, np.float32).reshape(-1)
    if not np.isfinite(vector).all():
        raise ValueError(f"make_env: {name!r} sees a number too large for float32")
    return vector


# A batched world as a PettingZoo environment, to be played by learners from elsewhere.


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
        """Begin an episode; ``options`` has no effect."""
        if seed is not None:
            self._rng = _generator(seed)
        observations = self.worlds.reset(self._rng)
        self.agents = list(self.possible_agents)
        return self._seen(observations), self._infos(np.zeros(len(self.agents), dtype=bool), False)

    def step(self, actions: dict) -> tuple[dict, dict, dict, dict, dict]:
        """Observations, rewards, terminations, truncations and infos of all agents."""
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


# ------------------------------------------------------------


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

    They are :class:`~marl_lessons.envs.stepping.BatchedWorlds`, with ``n_actions``, where actions are ``Discrete``, and
    :class:`~marl_lessons.envs.stepping.ContinuousWorlds`, with ``action_sizes``, where they are ``Box``.

    Agents stand in the order of ``possible_agents``. One takes part (``active``) while its environment lists it among its
    ``agents``, unless ``infos[agent]["active"]`` is False: then it is a slot without a holder, and its action is passed on
    without effect. At the step in which it ends it still sees what the environment shows it; after that, zeros. It is
    ``terminated`` as the environment says, or if ``infos[agent]["left"]`` is True: then a slot's holder ended with this
    step, though the slot stays. Environments of :func:`~marl_lessons.envs.pettingzoo.as_parallel_env` tell both.

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
        """Begin a new episode in every world; returns the observations ``[E, n, d]``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``."""
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
        """Joint actions of all worlds, checked."""
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
