"""The three particle scenes of the course as data: their bodies, what agents can do, and which rules hold.

simple_spread, simple_speaker_listener and simple_tag of Lowe et al. (2017), with the numbers of mpe2's simple_spread_v3,
simple_speaker_listener_v4 and simple_tag_v3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from marl_lessons.checks import as_count, as_indices, as_number
from marl_lessons.envs.particle_actions import as_bounded
from marl_lessons.envs.particle_physics import Pairs, colliding_pairs
from marl_lessons.envs.particle_rules import (
    State,
    speaker_listener_rewards,
    speaker_listener_views,
    spread_rewards,
    spread_team_rewards,
    spread_views,
    tag_rewards,
    tag_views,
    view_order,
    watched_prey,
)

MOVES = 5  # nothing, left, right, down, up
RETURNS = ("mpe2", "openai")
USUAL_RATIO = 0.5
STATE = ("positions", "velocities", "messages", "goals", "ages", "ended")  # what a snapshot has
FARTHEST = 1e6  # where bodies may be placed; far beyond, squares of distances would be infinite


@dataclass(frozen=True, eq=False)
class Scene:
    """What a particle world consists of: m bodies, the n agents first, then the landmarks.

    name, agent_names  as in mpe2
    sizes ``[m]``, collides ``[m]``  the bodies' radii, and which of them push each other apart
    start ``[m]``            an episode begins with coordinates drawn uniformly from -start to start
    strengths ``[n]``        the force of a full push; 0 for an agent that cannot move
    max_speeds ``[n]``       infinite where there is no limit
    speaks ``[n]``, n_words  which agents send messages, and of how many words
    n_goals                  how many landmarks may be the goal; 0: the scene has none
    observation_sizes        ``(d_1, …, d_n)``
    views, rewards           functions of a :class:`~marl_lessons.envs.particle_rules.State`: ``[n, d, E]`` and ``[n, E]``
    pairs                    who can collide with whom
    settings                 the arguments that the scene was made from, as plain values
    """

    name: str
    agent_names: tuple[str, ...]
    sizes: np.ndarray
    collides: np.ndarray
    start: np.ndarray
    strengths: np.ndarray
    max_speeds: np.ndarray
    speaks: np.ndarray
    n_words: int
    n_goals: int
    observation_sizes: tuple[int, ...]
    views: Callable[[State], np.ndarray]
    rewards: Callable[[State], np.ndarray]
    pairs: Pairs
    settings: dict = field(default_factory=dict)

    @property
    def n_agents(self) -> int:
        """Number of agents n."""
        return len(self.agent_names)

    @property
    def choices(self) -> tuple[int, ...]:
        """How many moves or words each agent chooses from: as many actions, or entries of an action that is a vector."""
        return tuple(self.n_words if talks else MOVES for talks in self.speaks)

    def bodies(self) -> dict[str, list]:
        """The agents' names, and what is said above of each body, as lists that every kind of file can hold."""
        arrays = ("sizes", "collides", "start", "strengths", "max_speeds", "speaks")
        lists = {name: getattr(self, name).tolist() for name in arrays}
        return {"agent_names": list(self.agent_names), **lists}


def spread_scene(n_agents: int, local_ratio: float, returns: str) -> Scene:
    """N agents shall cover N landmarks and not collide; arguments as in :func:`~marl_lessons.envs.particles.simple_spread`.

    Raises ValueError naming the argument.
    """
    n = as_count("n_agents", n_agents)
    ratio = as_number("local_ratio", local_ratio, 0.0, 1.0)
    returns = as_choice("returns", returns, RETURNS)
    if returns == "openai" and ratio != USUAL_RATIO:
        raise ValueError(
            f"local_ratio is {ratio}; returns 'openai' have no such ratio, allowed is the default {USUAL_RATIO}"
        )
    sizes, collides = np.repeat([0.15, 0.05], n), np.repeat([True, False], n)
    pairs = colliding_pairs(sizes, collides, n)
    if returns == "mpe2":
        rewards = partial(spread_rewards, pairs=pairs, local_ratio=ratio)
    else:
        rewards = partial(spread_team_rewards, pairs=pairs)
    return Scene(
        name="simple_spread",
        agent_names=tuple(f"agent_{i}" for i in range(n)),
        sizes=sizes,
        collides=collides,
        start=np.ones(2 * n),
        strengths=np.full(n, 5.0),
        max_speeds=np.full(n, np.inf),
        speaks=np.zeros(n, dtype=bool),
        n_words=0,
        n_goals=0,
        observation_sizes=(4 + 2 * n + 4 * (n - 1),) * n,
        views=partial(spread_views, order=view_order(n, n)),
        rewards=rewards,
        pairs=pairs,
        settings={"n_agents": n, "local_ratio": ratio, "returns": returns},
    )


def speaker_listener_scene(returns: str) -> Scene:
    """A speaker that cannot move tells a listener which of three landmarks to go to; nobody collides.

    Raises ValueError naming ``returns``.
    """
    returns = as_choice("returns", returns, RETURNS)
    factor = {"mpe2": 1.0, "openai": 2.0}[returns]
    sizes, collides = np.array([0.075] * 2 + [0.04] * 3), np.zeros(5, dtype=bool)
    return Scene(
        name="simple_speaker_listener",
        agent_names=("speaker_0", "listener_0"),
        sizes=sizes,
        collides=collides,
        start=np.ones(5),
        strengths=np.array([0.0, 5.0]),
        max_speeds=np.full(2, np.inf),
        speaks=np.array([True, False]),
        n_words=3,
        n_goals=3,
        observation_sizes=(3, 11),
        views=speaker_listener_views,
        rewards=partial(speaker_listener_rewards, factor=factor),
        pairs=colliding_pairs(sizes, collides, 2),
        settings={"returns": returns},
    )


def tag_scene(n_prey: int, n_chasers: int, n_obstacles: int) -> Scene:
    """Slow chasers, the first agents, hunt faster prey among obstacles. Raises ValueError naming the argument."""
    n_prey, n_chasers = as_count("n_prey", n_prey), as_count("n_chasers", n_chasers)
    n_obstacles = as_count("n_obstacles", n_obstacles, low=0)
    n, kinds = n_chasers + n_prey, (n_chasers, n_prey, n_obstacles)
    chaser, prey, obstacle = 0.075, 0.05, 0.2
    sizes, collides = np.repeat([chaser, prey, obstacle], kinds), np.ones(sum(kinds), dtype=bool)
    shared = 4 + 2 * n_obstacles + 2 * (n - 1)
    return Scene(
        name="simple_tag",
        agent_names=(
            *(f"adversary_{i}" for i in range(n_chasers)),
            *(f"agent_{i}" for i in range(n_prey)),
        ),
        sizes=sizes,
        collides=collides,
        start=np.repeat([1.0, 1.0, 0.9], kinds),
        strengths=np.repeat([3.0, 4.0], kinds[:2]),
        max_speeds=np.repeat([1.0, 1.3], kinds[:2]),
        speaks=np.zeros(n, dtype=bool),
        n_words=0,
        n_goals=0,
        observation_sizes=(shared + 2 * n_prey,) * n_chasers
        + (shared + 2 * (n_prey - 1),) * n_prey,
        views=partial(
            tag_views, order=view_order(n, n_obstacles), watched=watched_prey(n_chasers, n_prey)
        ),
        rewards=partial(tag_rewards, n_chasers=n_chasers, reach=chaser + prey),
        pairs=colliding_pairs(sizes, collides, n),
        settings={"n_chasers": n_chasers, "n_prey": n_prey, "n_obstacles": n_obstacles},
    )


def as_choice(name: str, value, allowed: tuple[str, ...]) -> str:
    """``value`` as a string if it is one of the ``allowed`` words; raises ValueError naming ``name`` otherwise."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} is {value!r:.80}; allowed are {', '.join(allowed)}")
    return str(value)


def as_state(
    scene: Scene, n_worlds: int, arrays: dict, farthest: float = np.inf, name: str = "{}"
) -> State:
    """The state of ``n_worlds`` of a scene from ``positions[E, m, 2]``, ``velocities[E, n, 2]``, ``messages[E, n, c]``, ``goals[E]``.

    ``farthest``: the largest coordinate and speed along an axis. Raises ValueError naming the array, as ``name`` formats it,
    also for a velocity of an agent that cannot move.
    """
    n, m = scene.n_agents, len(scene.sizes)
    limits = {
        "positions": ((n_worlds, m, 2), -farthest, farthest),
        "velocities": ((n_worlds, n, 2), -farthest, farthest),
        "messages": ((n_worlds, n, scene.n_words), 0.0, 1.0),
    }
    bodies = [as_bounded(name.format(key), arrays[key], *limits[key]) for key in limits]
    goals = as_indices(name.format("goals"), arrays["goals"], (n_worlds,), max(scene.n_goals, 1))
    stuck = (bodies[1] != 0).any(axis=2) & (scene.strengths == 0)
    if stuck.any():
        world, agent = (int(i) for i in np.argwhere(stuck)[0])
        raise ValueError(
            f"{name.format('velocities')}[{world}, {agent}]: {scene.agent_names[agent]} cannot move; allowed are zeros"
        )
    return State(*(array.transpose(1, 2, 0).copy() for array in bodies), goals)
