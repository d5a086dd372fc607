"""Two bridges to PettingZoo: its environments as batched worlds, and batched worlds as its environments. Lesson 09."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product

import numpy as np

from marl_lessons.checks import as_bounded, as_count, as_indices
from marl_lessons.envs.stepping import (
    BatchedStep,
    BatchedWorlds,
    CheckedWorlds,
    are_continuous,
    check_batched_worlds,
    one_hot,
)

ALLOWED_ACTIONS = (
    "allowed are Discrete and Box of shape (k,) with finite low < high, of one kind for all agents"
)


def from_parallel_env(make_env: Callable, n_worlds: int = 1) -> ParallelWorlds:
    """Batched worlds over ``n_worlds`` copies of a ``pettingzoo.ParallelEnv``, one from each call of ``make_env()``.

    Actions must all be ``Discrete``, or all ``Box`` of shape (k,) with finite low < high: then they become vectors
    (``action_sizes``), and their numbers from 0 to 1 are stretched to [low, high]. Observations must be ``Box`` (flattened,
    then filled up with zeros to the largest), ``Discrete`` or ``MultiDiscrete`` (one-hot). Who takes part and how episodes end:
    :class:`ParallelWorlds`.

    ``train_maddpg`` learns in all of them; ``train_iql`` learns where actions are ``Discrete`` and all agents
    have the same number of them, since one network layout serves them all. From an environment to a trained score::

        worlds = from_parallel_env(MyEnv, n_worlds=16)
        history = train_iql(worlds, DeepIQLConfig(n_steps=5_000), seeds=1)
        score = play_episodes(worlds, history.policy, 100, np.random.default_rng(0)).returns.mean()

    An environment that breaks the rules later (rewards or observations that are no finite numbers, for example) is refused
    as ``make_env``, too. ImportError says what to install if PettingZoo is missing.
    """
    parallel_env, _ = import_pettingzoo()
    n_worlds = as_count("n_worlds", n_worlds)
    if not callable(make_env):
        hint = "; write lambda: in front of it" if isinstance(make_env, parallel_env) else ""
        raise ValueError(
            f"make_env: expected a function that makes an environment, got {make_env!r:.80}{hint}"
        )
    return ParallelWorlds([make_env() for _ in range(n_worlds)])


class ParallelWorlds(CheckedWorlds):
    """E PettingZoo environments as batched worlds, as :func:`from_parallel_env` makes them.

    Agents stand in the order of ``possible_agents``. One takes part (``active``) while its environment lists it among its
    ``agents``, unless ``infos[agent]["active"]`` is False: then it is a slot without a holder, and its action is passed on
    without effect. At the step in which it ends it still sees what the environment shows it; after that, zeros. It is
    ``terminated`` as the environment says, or if ``infos[agent]["left"]`` is True: then a slot's holder ended with this
    step, though the slot stays. Environments of :func:`as_parallel_env` tell both. An agent that ended has ended until the
    next reset, though its environment may go on listing it, ask for its actions and pay it.

    A world ends when no agent is left; it is ``truncated`` if the last step truncated some agent that it did not terminate.
    An agent that is truncated while others play on leaves without ``terminated``, so that its last target may still count
    what would have followed.

    Every reset of every copy is seeded with another number, drawn from the ``rng`` that is passed; ``step`` draws none.
    The copies are stepped one after the other, in Python. ``envs`` are the environments, ``names`` their agents.
    """

    def __init__(self, envs: list):
        """``envs``: one environment for each world, all with the same agents and spaces."""
        if not isinstance(envs, list | tuple) or not len(envs):
            raise ValueError(f"envs: expected a list of one environment or more, got {envs!r:.80}")
        _check_envs(envs)
        self.envs, self.names = envs, tuple(envs[0].possible_agents)
        self.n_worlds, self.n_agents = len(envs), len(self.names)
        self._acts = [envs[0].action_space(name) for name in self.names]
        self._sees = [envs[0].observation_space(name) for name in self.names]
        vectors, sizes = _action_sizes(self.names, self._acts)
        self.action_sizes, self.n_actions = (sizes, None) if vectors else (None, sizes)
        self.observation_sizes = tuple(map(_observation_size, self.names, self._sees))
        self._active = np.zeros((self.n_worlds, self.n_agents), dtype=bool)
        self._playing = self._active.copy()  # who is in the game, with or without a holder
        self._over = self._active.copy()  # who ended in this episode
        self._seen = np.zeros((*self._active.shape, max(self.observation_sizes)), np.float32)

    active = property(lambda self: self._active.copy())
    ended = property(lambda self: ~self._playing.any(axis=1))

    def _begin(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for e in np.flatnonzero(which):
            answer = self.envs[e].reset(seed=int(rng.integers(2**31)))
            observations, infos = _parts("reset", answer, 2)
            self._over[e], self._playing[e] = False, self._listed(e)
            if not self._playing[e].any():
                raise ValueError("make_env: its environment lists no agents after a reset")
            self._active[e] = self._playing[e] & self._told(infos, "active", True)
            self._look(e, observations, self._active[e])
        return self._seen.copy()

    def _advance(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        rewards = np.zeros(self._active.shape)
        terminated, truncated = np.zeros_like(self._active), np.zeros_like(self._active)
        for e in range(self.n_worlds):
            rewards[e], terminated[e], truncated[e] = self._advance_one(e, actions[e])
        ended = self.ended
        late = (truncated & ~terminated).any(axis=1)
        return BatchedStep(self._seen.copy(), rewards, terminated, ended & late, ended)

    def _advance_one(self, e: int, actions: np.ndarray) -> tuple[np.ndarray, ...]:
        """Rewards, terminations and truncations ``[n]`` of world ``e``; keeps who goes on and what everyone sees."""
        env, took_part, played = self.envs[e], self._active[e].copy(), self._playing[e].copy()
        asked = np.flatnonzero(played | self._listed(e))
        chosen = {self.names[i]: _as_action(self._acts[i], actions[i]) for i in asked}
        observations, *results, infos = _parts("step", env.step(chosen), 5)
        columns = np.zeros((3, self.n_agents))
        for column, result in zip(columns, results):
            for i in np.flatnonzero(played):
                column[i] = _number(self.names[i], _of(result, self.names[i]))
        terminated, truncated = columns[1:] > 0
        self._over[e] |= terminated | truncated
        listed = self._listed(e)
        for i in np.flatnonzero(played & ~listed & ~self._over[e]):
            raise ValueError(
                f"make_env: {self.names[i]!r} left its environment neither terminated nor truncated"
            )
        self._playing[e] = listed & ~self._over[e]
        self._active[e] = self._playing[e] & self._told(infos, "active", True)
        self._look(e, observations, took_part | self._active[e])
        return columns[0], terminated | (played & self._told(infos, "left", False)), truncated

    def _listed(self, e: int) -> np.ndarray:
        """``[n]`` booleans: whom environment ``e`` lists among its agents."""
        return np.array([name in (self.envs[e].agents or ()) for name in self.names])

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
            name, size = self.names[i], self.observation_sizes[i]
            seen = _as_vector(name, self._sees[i], _of(observations, name))
            if len(seen) != size:
                raise ValueError(
                    f"make_env: {name!r} sees {len(seen)} numbers; its space has {size}"
                )
            self._seen[e, i, :size] = seen


def _check_envs(envs) -> None:
    """Refuse environments, as ``make_env``, unless all are different ones with the same agents and spaces."""
    parallel_env, _ = import_pettingzoo()
    for env in envs:
        if not isinstance(env, parallel_env):
            in_turn = hasattr(env, "agent_iter")
            hint = "; wrap it in pettingzoo.utils.aec_to_parallel" if in_turn else ""
            raise ValueError(
                "make_env: expected it to make a pettingzoo.ParallelEnv, "
                f"got a {type(env).__name__}{hint}"
            )
        if not list(getattr(env, "possible_agents", [])):
            raise ValueError("make_env: its environment has no possible_agents")
        first, agents = list(envs[0].possible_agents), list(env.possible_agents)
        if agents != first:
            raise ValueError(
                f"make_env: made environments of different agents, {first} and {agents}"
            )
        for name, kind in product(agents, ("action_space", "observation_space")):
            mine, other = getattr(envs[0], kind)(name), getattr(env, kind)(name)
            if mine != other:
                raise ValueError(f"make_env: the {kind} of {name!r} is once {mine}, once {other}")
    if len({id(getattr(env, "worlds", env)) for env in envs}) < len(envs):
        raise ValueError("make_env: made the same environment twice; every world needs its own")


def _action_sizes(names, kinds) -> tuple[bool, tuple[int, ...]]:
    """Whether the agents' actions are vectors, and how many actions or entries each has."""
    _, spaces = import_pettingzoo()
    vectors = isinstance(kinds[0], spaces.Box)
    for name, space in zip(names, kinds):
        has = f"make_env: {name!r} has the action space {space}"
        is_box = isinstance(space, spaces.Box)
        if not (isinstance(space, spaces.Discrete) or (is_box and _is_bounded_vector(space))):
            raise ValueError(f"{has}; {ALLOWED_ACTIONS}")
        if is_box != vectors:
            raise ValueError(f"{has}, {names[0]!r} has {kinds[0]}; {ALLOWED_ACTIONS}")
    return vectors, tuple(space.shape[0] if vectors else int(space.n) for space in kinds)


def _is_bounded_vector(box) -> bool:
    """Whether a ``Box`` holds vectors of real numbers with finite low < high."""
    bounds = np.stack([box.low, box.high])
    real = box.dtype.kind == "f" and bounds.ndim == 2 and bounds.size > 0
    return real and bool(np.isfinite(bounds).all() and (box.low < box.high).all())


def _as_action(space, action):
    """What an environment expects: a ``Discrete`` space may begin elsewhere than at 0, a ``Box`` have other bounds."""
    if np.ndim(action) == 0:
        return int(space.start) + int(action)
    return between(action[: space.shape[0]], space.low, space.high)


def between(vector: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """``[k]``: the numbers from 0 to 1 in ``vector[k]`` stretched to [low, high]; 0 and 1 yield the bounds themselves.

    Computed in float64, then rounded to the type of ``low`` and ``high``, without leaving them.
    """
    stretched = low.astype(np.float64) * (1 - vector) + high.astype(np.float64) * vector
    return np.clip(stretched.astype(low.dtype), low, high)


def _observation_size(name, space) -> int:
    """How many numbers an agent sees."""
    _, spaces = import_pettingzoo()
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return int(space.nvec.sum())
    if isinstance(space, spaces.Box):
        return int(np.prod(space.shape))
    raise ValueError(
        f"make_env: {name!r} has the observation space {space}; allowed are Box, Discrete and MultiDiscrete"
    )


def _as_vector(name, space, seen) -> np.ndarray:
    """What an agent sees as a float32 vector: numbers one-hot, one behind the other, a ``Box`` flattened."""
    counts = getattr(space, "nvec", getattr(space, "n", None))
    if counts is None:
        return _as_float32(f"make_env: what {name!r} sees", seen)
    counts, numbers = np.ravel(counts), np.ravel(seen)
    if len(numbers) == len(counts) and numbers.dtype.kind in "iu":
        numbers = numbers - np.ravel(getattr(space, "start", 0))
        if (numbers >= 0).all() and (numbers < counts).all():
            return np.concatenate([one_hot(k, count) for k, count in zip(numbers, counts)])
    raise ValueError(f"make_env: {name!r} sees {seen!r:.80}; its space is {space}")


def _number(name, value) -> float:
    """One agent's reward, or whether it ended, as a number."""
    if _as_float32(f"make_env: what {name!r} is told", value).size != 1:
        raise ValueError(f"make_env: {name!r} is told {value!r:.80}, expected one number")
    return float(np.asarray(value).item())


def _as_float32(what: str, value) -> np.ndarray:
    """Numbers as a vector of float32, in which networks compute, so they must be finite there, too."""
    largest = float(np.finfo(np.float32).max)
    return as_bounded(what, value, (...,), -largest, largest).astype(np.float32).reshape(-1)


def _parts(call: str, answer, count: int) -> tuple:
    """The parts of what an environment answered to a ``call``."""
    if not isinstance(answer, tuple | list) or len(answer) != count:
        raise ValueError(
            f"make_env: its environment's {call} must return {count} things, got {answer!r:.80}"
        )
    return answer


def _of(result: dict, name):
    """The entry of agent ``name`` in one of an environment's dicts."""
    if not isinstance(result, dict) or name not in result:
        raise ValueError(f"make_env: its environment's answer says nothing about {name!r}")
    return result[name]


def as_parallel_env(worlds: BatchedWorlds, seed: int | None = None):
    """A ``pettingzoo.ParallelEnv`` over ``worlds``, which must be a single one (E = 1), for learners from elsewhere.

    Agents are called "agent_0", "agent_1", …; actions are ``Discrete(A_i)``, or ``Box(0, 1, (k_i,))`` of float32 where the
    worlds' actions are vectors; observations are unbounded ``Box`` of float32. ``reset(seed=…)`` determines the run
    that follows; a reset without one goes on with the random numbers, which begin from the ``seed`` given here (None: from a
    new one). It plays in ``worlds`` itself: build it over one of its own.

    In PettingZoo an agent that ended is gone until the next reset, but a slot of a batched world may be used again, by the
    next car. So all agents stay until the world's episode is over. ``infos[agent]["active"]`` says whether the slot takes
    part in the next step, ``infos[agent]["left"]`` whether the story of the one who held it ended with this one; where the
    slot is given away in the same step, the reward that comes with ``left`` is already the new holder's. With the
    last step all agents end: as terminated if the world's episode or their own story ended by itself, as truncated if
    the clock cut it short. An action for a slot that takes no part may be left out.
    """
    import_pettingzoo()
    if check_batched_worlds("worlds", worlds, continuous=None).n_worlds != 1:
        raise ValueError(
            f"worlds: expected batched worlds with n_worlds = 1, got {worlds.n_worlds}"
        )
    return _kind_of_env()(worlds, seed)


class _WorldAsParallelEnv:
    """What :func:`as_parallel_env` returns, apart from its base class."""

    render_mode = None

    def __init__(self, worlds, seed: int | None):
        _, spaces = import_pettingzoo()
        name = type(worlds).__name__
        self.metadata = {"name": name, "render_modes": [], "is_parallelizable": True}
        self.worlds, self._rng = worlds, _generator(seed)
        self.possible_agents = [f"agent_{i}" for i in range(worlds.n_agents)]
        self.agents: list[str] = []
        seen = [spaces.Box(-np.inf, np.inf, (size,)) for size in worlds.observation_sizes]
        if are_continuous(worlds):
            actions = [spaces.Box(0, 1, (size,), np.float32) for size in worlds.action_sizes]
        else:
            actions = [spaces.Discrete(int(count)) for count in worlds.n_actions]
        self.observation_spaces = dict(zip(self.possible_agents, seen))
        self.action_spaces = dict(zip(self.possible_agents, actions))

    def __reduce__(self):
        """For pickle and copies: the class is not to be found by its name, it is made when it is needed."""
        return _empty_env, (), self.__dict__

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
        step = self.worlds.step(self._joint(actions)[None], self._rng)
        left, ended = step.terminated[0], bool(step.ended[0])
        by_itself = left | (not step.truncated[0])
        self.agents = [] if ended else self.agents
        return (
            self._seen(step.observations),
            self._named(step.rewards[0]),
            self._named(ended & by_itself),
            self._named(ended & ~by_itself),
            self._infos(left, ended),
        )

    def _joint(self, actions: dict) -> np.ndarray:
        """``[n]`` or ``[n, k]``: the joint action; 0 for a slot that takes no part and was left out."""
        if not isinstance(actions, dict) or not set(actions) <= set(self.agents):
            raise ValueError(f"actions: expected a dict over {self.agents}, got {actions!r:.80}")
        sizes = self.worlds.action_sizes if are_continuous(self.worlds) else None
        n = self.worlds.n_agents
        joint = np.zeros((n, max(sizes)) if sizes else n, dtype=float if sizes else np.intp)
        for i, agent in enumerate(self.agents):
            if agent not in actions:
                if self.worlds.active[0, i]:
                    raise ValueError(f"actions: {agent} is missing, which takes part in this step")
                continue
            name, action = f"actions[{agent!r}]", actions[agent]
            if sizes:
                joint[i, : sizes[i]] = as_bounded(name, action, (sizes[i],), 0.0, 1.0)
            else:
                joint[i] = as_indices(name, action, (), self.worlds.n_actions[i])
        return joint

    def _seen(self, observations: np.ndarray) -> dict[str, np.ndarray]:
        seen = zip(observations[0], self.worlds.observation_sizes)
        return dict(zip(self.possible_agents, (row[:size].copy() for row, size in seen)))

    def _named(self, values: np.ndarray) -> dict:
        return dict(zip(self.possible_agents, values.tolist()))

    def _infos(self, left: np.ndarray, ended: bool) -> dict[str, dict]:
        active = self.worlds.active[0] & (not ended)
        told = ({"active": a, "left": b} for a, b in zip(active.tolist(), left.tolist()))
        return dict(zip(self.possible_agents, told))


@cache
def _kind_of_env() -> type:
    """PettingZoo asks for a subclass of its own class, which exists only once PettingZoo is loaded."""
    return type("WorldAsParallelEnv", (_WorldAsParallelEnv, import_pettingzoo()[0]), {})


def _empty_env():
    return object.__new__(_kind_of_env())


def _generator(seed: int | None) -> np.random.Generator:
    return np.random.default_rng(None if seed is None else as_count("seed", seed, low=0))


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
