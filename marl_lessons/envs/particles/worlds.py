"""`ParticleWorlds`: many copies of a particle scene that advance together, as mpe2 computes them. Lesson 09."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_bounded, as_choice, as_count, as_flag, as_indices
from marl_lessons.envs.particles.physics import PHYSICS, overlaps, total_force
from marl_lessons.envs.particles.scenes import FARTHEST, Scene, State
from marl_lessons.envs.stepping import BatchedStep, CheckedWorlds, one_hot

STATE = ("positions", "velocities", "messages", "goals", "ages", "ended")  # what a snapshot has


class ParticleWorlds(CheckedWorlds):
    """E copies of a particle scene, as batched worlds; made by :func:`~marl_lessons.envs.simple_spread` and its neighbours.

    A step: every agent is pushed where its action says, bodies that overlap push each other apart, positions and velocities
    advance, and rewards and observations follow from where the bodies are then. The speaker's message of a step is in the
    observation that this step returns; before the first step it is zeros. An agent that cannot move takes no pushes, one
    that cannot speak sends zeros. Nothing terminates: after ``time_limit`` steps the episode is truncated.

    Actions are whole numbers ``[E, n]`` (0 nothing, 1 left, 2 right, 3 down, 4 up; the speaker's word). With
    ``continuous_actions`` they are vectors ``[E, n, 5]`` of numbers in [0, 1], one for each move ([nothing, left, right, down,
    up]: opposite pushes cancel) or word.

    One world (E = 1) that is reset with ``np.random.default_rng(seed)`` begins as mpe2's does with ``reset(seed)``. Steps
    draw no random numbers. Where two bodies share one point they exert no force on each other; mpe2 fails there, with NaN.

    Besides the protocol :class:`~marl_lessons.envs.stepping.BatchedWorlds`, copies throughout:
    scene, time_limit, physics      see :class:`~marl_lessons.envs.particles.scenes.Scene` for the m bodies
    positions ``[E, m, 2]``         agents first, then landmarks; all zeros before the first episode
    velocities ``[E, n, 2]``, messages ``[E, n, c]``, goals ``[E]``  (c = 0 where nobody speaks; goals are 0 where there are none)
    contacts ``[E]``                how many pairs of colliding bodies overlap now; two landmarks are no such pair
    ages ``[E]``                    steps made
    """

    def __init__(
        self, scene: Scene, n_worlds: int, continuous_actions: bool, time_limit: int, physics: str
    ):
        """``physics``: the order of a step, a key of :data:`~marl_lessons.envs.particles.physics.PHYSICS`."""
        self.scene, self.n_worlds = scene, as_count("n_worlds", n_worlds)
        self.n_agents, self.observation_sizes = scene.n_agents, scene.observation_sizes
        self.time_limit = as_count("time_limit", time_limit)
        self.physics = as_choice("physics", physics, tuple(PHYSICS))
        if as_flag("continuous_actions", continuous_actions):
            self.action_sizes = scene.choices
        else:
            self.n_actions = scene.choices
        shapes = (len(scene.sizes), 2), (scene.n_agents, 2), (scene.n_agents, scene.n_words)
        zeros = [np.zeros((*shape, self.n_worlds)) for shape in shapes]
        self._ages = np.zeros(self.n_worlds, dtype=int)
        self._ended = np.ones(self.n_worlds, dtype=bool)
        self._state = State(*zeros, self._ages.copy())

    positions = property(lambda self: _worlds_first(self._state.positions))
    velocities = property(lambda self: _worlds_first(self._state.velocities))
    messages = property(lambda self: _worlds_first(self._state.messages))
    goals = property(lambda self: self._state.goals.copy())
    ages = property(lambda self: self._ages.copy())
    ended = property(lambda self: self._ended.copy())

    @property
    def contacts(self) -> np.ndarray:
        """``[E]``: how many pairs of colliding bodies, at least one an agent, overlap now."""
        return overlaps(self._state.positions, self.scene.pairs).sum(axis=0)

    def observe(self) -> np.ndarray:
        """``[E, n, d]`` float64: what every agent sees now; ``step`` returns the same as float32."""
        return _worlds_first(self.scene.views(self._state))

    def place(self, positions, velocities=None, goals=None) -> np.ndarray:
        """Begin an episode in every world from this state, with empty messages; returns the observations ``[E, n, d]``.

        ``positions[E, m, 2]``; ``velocities[E, n, 2]`` (None: at rest; zeros for an agent that cannot move); ``goals[E]``
        (None: landmark 0).
        """
        velocities = 0.0 * self.velocities if velocities is None else velocities
        bodies = [
            as_bounded(name, given, mine.shape, -FARTHEST, FARTHEST)
            for name, given, mine in (
                ("positions", positions, self.positions),
                ("velocities", velocities, self.velocities),
            )
        ]
        goals = 0 * self.goals if goals is None else goals
        goals = as_indices("goals", goals, (self.n_worlds,), max(self.scene.n_goals, 1))
        for world, agent in np.argwhere(bodies[1].any(axis=2) & (self.scene.strengths == 0)):
            who = self.scene.agent_names[agent]
            raise ValueError(f"velocities[{world}, {agent}]: {who} cannot move; allowed are zeros")
        self._state = State(*map(_worlds_last, (*bodies, 0.0 * self.messages)), goals)
        self._ages, self._ended = 0 * self._ages, np.zeros(self.n_worlds, dtype=bool)
        return self._observations()

    def _begin(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draws the goals of these worlds, where there are any, then the positions, one world after the other."""
        positions, velocities, messages, goals = self._state
        count, start = int(which.sum()), self.scene.start[:, None]
        if self.scene.n_goals:
            goals[which] = rng.integers(self.scene.n_goals, size=count)
        drawn = rng.uniform(-start, start, (count, len(positions), 2))
        positions[..., which] = drawn.transpose(1, 2, 0)
        velocities[..., which], messages[..., which] = 0.0, 0.0
        self._ages[which], self._ended[which] = 0, False
        return self._observations()

    @np.errstate(under="ignore")  # what is no longer pushed comes to rest
    def _advance(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        vectors = actions if self.action_sizes else one_hot(actions, max(self.n_actions))
        vectors = np.array(vectors.transpose(1, 2, 0), dtype=float, order="C")
        _, left, right, down, up = range(5)
        pushes = [vectors[:, right] - vectors[:, left], vectors[:, up] - vectors[:, down]]
        own = self.scene.strengths[:, None, None] * np.stack(pushes, axis=1)
        messages = vectors[:, : self.scene.n_words] * self.scene.speaks[:, None, None]
        positions, velocities, _, goals = self._state
        forces = total_force(own, positions, self.scene.pairs)
        moved = PHYSICS[self.physics](positions, velocities, forces, self.scene.max_speeds)
        self._state = State(*moved, messages, goals)
        self._ages = self._ages + 1
        self._ended = self._ages >= self.time_limit
        return BatchedStep(
            self._observations(),
            self.scene.rewards(self._state).T.copy(),
            np.zeros((self.n_worlds, self.n_agents), dtype=bool),
            self._ended.copy(),
            self._ended.copy(),
        )

    def snapshot(self) -> dict[str, np.ndarray | dict]:
        """The whole state as arrays, for :meth:`restore`: a run can be stopped, kept in a file and resumed.

        Its entry "kind" tells the scene, its settings, physics and time limit, as words and numbers.
        """
        rules = {"physics": self.physics, "time_limit": self.time_limit}
        kind = {"scene": self.scene.name, **self.scene.settings, **rules}
        return {**{name: getattr(self, name) for name in STATE}, "kind": kind}

    def restore(self, snapshot: dict[str, np.ndarray | dict]) -> None:
        """Return to the state of a :meth:`snapshot` of worlds of the same kind; actions may have the other form.

        A state without "kind" is taken for one of these worlds.
        """
        mine = self.snapshot()["kind"]
        given = snapshot.get("kind", mine)
        for key in {**mine, **given}:
            wanted, got = mine.get(key), given.get(key)
            if wanted != got:
                raise ValueError(f"snapshot['kind']: expected {key} to be {wanted!r}, got {got!r}")
        *bodies, goals, ages, ended = (np.array(snapshot[key]) for key in STATE)
        self._state = State(*map(_worlds_last, bodies), goals)
        self._ages, self._ended = ages, ended

    @np.errstate(under="ignore")  # float32 has no numbers as small
    def _observations(self) -> np.ndarray:
        return _worlds_first(self.scene.views(self._state).astype(np.float32))


def _worlds_last(array: np.ndarray) -> np.ndarray:
    """``[E, a, b]`` as a fresh ``[a, b, E]``."""
    return array.transpose(1, 2, 0).copy()


def _worlds_first(array: np.ndarray) -> np.ndarray:
    """``[a, b, E]`` as a fresh ``[E, a, b]``."""
    return array.transpose(2, 0, 1).copy()
