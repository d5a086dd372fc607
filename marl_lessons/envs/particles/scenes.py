"""The three particle scenes of the course as data: their bodies, what agents can do, and which rules hold.

simple_spread, simple_speaker_listener and simple_tag of Lowe et al. (2017), with the numbers of mpe2's simple_spread_v3,
simple_speaker_listener_v4 and simple_tag_v3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_count, as_float_array, as_indices, as_number
from marl_lessons.envs.particles.physics import Pairs, colliding_pairs, lengths, overlaps

# What agents see and earn in the three particle scenes: one function each.

# The speaker sees the goal landmark's colour: red, green or blue.
COLOURS = np.full((3, 3), 0.15) + 0.5 * np.eye(3)
CATCH = 10.0


class State(NamedTuple):
    """E worlds: ``positions[m, 2, E]`` (agents first, then landmarks), ``velocities[n, 2, E]`` of the agents, the last
    ``messages[n, c, E]``, zeros at the start, and the number ``goals[E]`` of the goal landmark, where the scene has one.
    """

    positions: np.ndarray
    velocities: np.ndarray
    messages: np.ndarray
    goals: np.ndarray


def view_order(n_agents: int, n_landmarks: int) -> np.ndarray:
    """``[n, m - 1]``: the bodies in the order in which each agent sees them: landmarks, then the other agents."""
    agents, landmarks = range(n_agents), [*range(n_agents, n_agents + n_landmarks)]
    order = [landmarks + [other for other in agents if other != i] for i in agents]
    return np.array(order, dtype=int).reshape(n_agents, -1)


def watched_prey(n_chasers: int, n_prey: int) -> np.ndarray:
    """``[n, n_prey]``: the prey whose velocity each agent sees: all but itself; n stands for nobody."""
    n_agents = n_chasers + n_prey
    prey = range(n_chasers, n_agents)
    rows = [[j for j in prey if j != i] for i in range(n_agents)]
    return np.array([row + [n_agents] * (n_prey - len(row)) for row in rows])


def spread_views(state: State, order: np.ndarray) -> np.ndarray:
    """Own velocity and position; landmarks and other agents from there, in ``order[n, m - 1]``; two zeros for each other agent.

    The zeros are the messages of agents that cannot speak.
    """
    n = len(state.velocities)
    own = state.positions[:n, None]
    bodies = state.positions[order] - own
    silence = np.zeros((n, n - 1, *own.shape[2:]))
    seen = np.concatenate([state.velocities[:, None], own, bodies, silence], axis=1)
    return seen.reshape(n, -1, own.shape[-1])


def tag_views(state: State, order: np.ndarray, watched: np.ndarray) -> np.ndarray:
    """Own velocity and position; obstacles and other agents from there, in ``order[n, m - 1]``; velocities of ``watched`` prey."""
    n = len(state.velocities)
    own = state.positions[:n, None]
    bodies = state.positions[order] - own
    nobody = np.zeros((1, *own.shape[2:]))
    prey = np.concatenate([state.velocities, nobody])[watched]
    seen = np.concatenate([state.velocities[:, None], own, bodies, prey], axis=1)
    return seen.reshape(n, -1, own.shape[-1])


def speaker_listener_views(state: State) -> np.ndarray:
    """The speaker (0) sees the goal's colour; the listener (1) its own velocity, the landmarks from its place, the message."""
    speaker, listener = 0, 1
    seen = np.zeros((2, 11, len(state.goals)))
    seen[speaker, :3] = COLOURS[state.goals].T
    seen[listener, :2] = state.velocities[listener]
    seen[listener, 2:8] = (state.positions[2:] - state.positions[listener]).reshape(6, -1)
    seen[listener, 8:] = state.messages[speaker]
    return seen


def uncovered(state: State) -> np.ndarray:
    """``[E]``: D, the sum over landmarks of the distance to the nearest agent."""
    n = len(state.velocities)
    distances = lengths(state.positions[n:, None] - state.positions[:n])
    return distances.min(axis=1).sum(axis=0)


def collisions(state: State, pairs: Pairs) -> np.ndarray:
    """``[n, E]``: c_i, how many other bodies each agent overlaps with."""
    return np.abs(pairs.signs) @ overlaps(state.positions, pairs)


def spread_rewards(state: State, pairs: Pairs, local_ratio: float) -> np.ndarray:
    """r_i = (1 - ρ)(-D) + ρ (-c_i), with ρ the ``local_ratio``."""
    shared, own = uncovered(state), collisions(state, pairs)
    return 0.0 - (1 - local_ratio) * shared - local_ratio * own


def spread_team_rewards(state: State, pairs: Pairs) -> np.ndarray:
    """Σ_i (-D - c_i - 1) for every agent: the shared reward of Lowe et al. (2017), where each also collides with itself."""
    each = -uncovered(state) - collisions(state, pairs) - 1
    return np.broadcast_to(each.sum(axis=0), each.shape).copy()


def speaker_listener_rewards(state: State, factor: float) -> np.ndarray:
    """``factor`` · (-d²) for both, d the listener's distance from the goal; the sum over both agents has factor 2."""
    speaker_and_listener, listener = 2, 1
    goals = state.positions[speaker_and_listener + state.goals, :, np.arange(len(state.goals))].T
    cost = np.square(state.positions[listener] - goals).sum(axis=0)
    return np.stack([-factor * cost, -factor * cost])


def boundary_cost(x: np.ndarray) -> np.ndarray:
    """What a prey pays for its coordinates' absolute values ``x``: nothing below 0.9, 10 (x - 0.9) up to 1, then e^(2x-2), at most 10."""
    beyond = np.minimum(np.exp(np.minimum(2 * x - 2, 3.0)), 10.0)
    return np.where(x < 0.9, 0.0, np.where(x < 1.0, 10 * (x - 0.9), beyond))


def tag_rewards(state: State, n_chasers: int, reach: float) -> np.ndarray:
    """Every chaser gets 10 for each pair of a chaser and a prey closer than ``reach``; the prey pays 10, and at the boundary."""
    chasers = state.positions[:n_chasers]
    prey = state.positions[n_chasers : len(state.velocities)]
    caught = lengths(prey[:, None] - chasers) < reach
    paid = CATCH * caught.sum(axis=1) + boundary_cost(np.abs(prey)).sum(axis=1)
    gained = np.broadcast_to(CATCH * caught.sum(axis=(0, 1)), (n_chasers, caught.shape[-1]))
    return np.concatenate([gained, 0.0 - paid])


# What agents of a particle world do: pushes and words, read from whole numbers or from vectors.

# The direction of each move: nothing, left, right, down, up.
MOVE_X, MOVE_Y = np.array([[0.0, -1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, -1.0, 1.0]])


def read_moves(
    actions: np.ndarray, n_worlds: int, choices: tuple[int, ...], n_words: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pushes ``[n, 2, E]`` of length 0 or 1 and words ``[n, c, E]``, 1 for the chosen one, of whole numbers ``actions[E, n]``.

    Agent i's are below ``choices[i]``. Every agent's number is read both ways; its scene knows who moves and who speaks.
    """
    moves = as_indices("actions", actions, (n_worlds, len(choices)), np.array(choices)).T
    pushes = np.stack([MOVE_X[moves], MOVE_Y[moves]], axis=1)
    words = moves[:, None] == np.arange(n_words)[:, None]
    return pushes, words.astype(float)


def read_vectors(
    actions: np.ndarray, n_worlds: int, choices: tuple[int, ...], n_words: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pushes ``[n, 2, E]`` and words ``[n, c, E]`` of vectors ``actions[E, n, k]`` with entries in [0, 1], otherwise as above.

    A vector is [nothing, left, right, down, up] or one number for each word; opposite pushes cancel. What stands behind an
    agent's ``choices[i]`` entries is ignored, if it is finite.
    """
    k = max(choices)
    vectors = as_float_array("actions", actions, (n_worlds, len(choices), k))
    vectors[:, np.arange(k) >= np.array(choices)[:, None]] = 0.0
    as_bounded("actions", vectors, vectors.shape, 0.0, 1.0)
    vectors = vectors.transpose(1, 2, 0).copy()
    _, left, right, down, up = range(5)
    pushes = [vectors[:, right] - vectors[:, left], vectors[:, up] - vectors[:, down]]
    return np.stack(pushes, axis=1), vectors[:, :n_words]


def as_bounded(name: str, value, shape: tuple[int, ...], low: float, high: float) -> np.ndarray:
    """``value`` as a float64 array of ``shape`` with entries from ``low`` to ``high``."""
    array = as_float_array(name, value, shape)
    bad = np.argwhere((array < low) | (array > high))
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"{name}{list(index)} is {array[index]}; allowed are numbers from {low:g} to {high:g}"
        )
    return array


# ------------------------------------------------------------

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
    views, rewards           functions of a :class:`~marl_lessons.envs.particles.scenes.State`: ``[n, d, E]`` and ``[n, E]``
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
    """N agents shall cover N landmarks and not collide; arguments as in :func:`~marl_lessons.envs.particles.worlds.simple_spread`."""
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
    """A speaker that cannot move tells a listener which of three landmarks to go to; nobody collides."""
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
    """Slow chasers, the first agents, hunt faster prey among obstacles."""
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
    """``value`` as a string if it is one of the ``allowed`` words."""
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
