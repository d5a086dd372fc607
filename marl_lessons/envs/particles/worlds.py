"""The particle worlds of Lowe et al. (2017), many at once: spread, speaker and listener, tag, as mpe2 computes them."""

from __future__ import annotations

import os

import numpy as np

from marl_lessons.checks import as_count, as_flag, as_flags, as_generator, as_indices, check_same
from marl_lessons.envs.particles.physics import PHYSICS, overlaps, total_force
from marl_lessons.envs.particles.scenes import (
    FARTHEST,
    STATE,
    USUAL_RATIO,
    Scene,
    State,
    as_choice,
    as_state,
    read_moves,
    read_vectors,
    speaker_listener_scene,
    spread_scene,
    tag_scene,
)
from marl_lessons.envs.pettingzoo import ParallelWorlds, from_parallel_env
from marl_lessons.envs.stepping import BatchedStep, check_going_on

# The particle worlds of mpe2 themselves, as batched worlds: what the course's own faster copies are measured against.

SCENES = ("simple_spread", "simple_speaker_listener", "simple_tag")


def mpe_worlds(
    name: str,
    n_worlds: int = 1,
    *,
    continuous_actions: bool = True,
    time_limit: int = 25,
    pictures: bool = False,
) -> ParallelWorlds:
    """``n_worlds`` copies of mpe2's environment ``name``, with its own settings but for the arguments named here.

    ``name`` is "simple_spread" (v3), "simple_speaker_listener" (v4) or "simple_tag" (v3). Their episodes end by the clock
    alone, after ``time_limit`` steps. With ``pictures`` each of ``worlds.envs`` draws itself: ``render()`` returns an image
    ``[700, 700, 3]``. Raises ValueError naming the argument, and ImportError if mpe2 is not installed.
    """
    if not isinstance(name, str) or name not in SCENES:
        raise ValueError(f"name is {name!r:.80}; allowed are {', '.join(SCENES)}")
    modules = import_mpe2()
    settings = {
        "continuous_actions": as_flag("continuous_actions", continuous_actions),
        "max_cycles": as_count("time_limit", time_limit),
        "render_mode": "rgb_array" if as_flag("pictures", pictures) else None,
    }
    return from_parallel_env(lambda: modules[name].parallel_env(**settings), n_worlds)


def import_mpe2() -> dict:
    """The modules of mpe2's environments by the names of ``SCENES``; ImportError says what to install."""
    # Otherwise pygame greets whoever imports it.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3
    except ImportError as error:
        raise ImportError(
            "these worlds need mpe2; in a terminal run: python -m pip install mpe2"
        ) from error
    return dict(zip(SCENES, (simple_spread_v3, simple_speaker_listener_v4, simple_tag_v3)))


# ------------------------------------------------------------


class ParticleWorlds:
    """E copies of a particle scene, as batched worlds; made by :func:`simple_spread` and its two neighbours.

    A step: every agent is pushed where its action says, bodies that overlap push each other apart, positions and velocities
    advance, and rewards and observations follow from where the bodies are then. The speaker's message of a step is in the
    observation that this step returns; before the first step it is zeros. An agent that cannot move takes no pushes, one
    that cannot speak sends zeros. Nothing terminates: after ``time_limit`` steps the episode is truncated.

    Actions are whole numbers ``[E, n]`` (0 nothing, 1 left, 2 right, 3 down, 4 up; the speaker's word), with ``n_actions``,
    :class:`~marl_lessons.envs.stepping.BatchedWorlds`. With ``continuous_actions`` they are vectors ``[E, n, 5]`` of numbers
    in [0, 1], one for each move ([nothing, left, right, down, up]: opposite pushes cancel) or word, with ``action_sizes``,
    :class:`~marl_lessons.envs.stepping.ContinuousWorlds`.

    One world (E = 1) that is reset with ``np.random.default_rng(seed)`` begins as mpe2's does with ``reset(seed)``. Steps
    draw no random numbers. Where two bodies share one point they exert no force on each other; mpe2 fails there, with NaN.

    Besides the protocol, copies throughout:
    scene, time_limit, physics      see :class:`~marl_lessons.envs.particles.scenes.Scene` for the m bodies
    positions ``[E, m, 2]``         agents first, then landmarks; all zeros before the first episode
    velocities ``[E, n, 2]``, messages ``[E, n, c]``, goals ``[E]``  (c = 0 where nobody speaks; goals are 0 where there are none)
    contacts ``[E]``                how many pairs of colliding bodies overlap now; two landmarks are no such pair
    ages ``[E]``                    steps made
    """

    def __init__(
        self, scene: Scene, n_worlds: int, continuous_actions: bool, time_limit: int, physics: str
    ):
        """Raises ValueError naming the argument."""
        if not isinstance(scene, Scene):
            raise ValueError(f"scene: expected a Scene, got {scene!r:.80}")
        self.scene, self.n_worlds = scene, as_count("n_worlds", n_worlds)
        self.n_agents, self.observation_sizes = scene.n_agents, scene.observation_sizes
        self.time_limit = as_count("time_limit", time_limit)
        self.physics = as_choice("physics", physics, tuple(PHYSICS))
        self.continuous_actions = as_flag("continuous_actions", continuous_actions)
        setattr(self, "action_sizes" if self.continuous_actions else "n_actions", scene.choices)
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
    def active(self) -> np.ndarray:
        """``[E, n]`` booleans: all agents take part while the world's episode lasts."""
        return np.repeat(~self._ended[:, None], self.n_agents, axis=1)

    @property
    def contacts(self) -> np.ndarray:
        """``[E]``: how many pairs of colliding bodies, at least one an agent, overlap now."""
        return overlaps(self._state.positions, self.scene.pairs).sum(axis=0)

    def observe(self) -> np.ndarray:
        """``[E, n, d]`` float64: what every agent sees now; ``step`` returns the same as float32."""
        return _worlds_first(self.scene.views(self._state))

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, d]``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``.

        Draws the goals of these worlds, where there are any, then the positions, one world after the other. Raises
        ValueError naming ``which`` or ``rng``.
        """
        which, rng = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        positions, velocities, messages, goals = self._state
        count, start = int(which.sum()), self.scene.start[:, None]
        if self.scene.n_goals:
            goals[which] = rng.integers(self.scene.n_goals, size=count)
        drawn = rng.uniform(-start, start, (count, len(positions), 2))
        positions[..., which] = drawn.transpose(1, 2, 0)
        velocities[..., which], messages[..., which] = 0.0, 0.0
        self._ages[which], self._ended[which] = 0, False
        return self._observations()

    def place(self, positions, velocities=None, goals=None) -> np.ndarray:
        """Begin an episode in every world from this state, with empty messages; returns the observations ``[E, n, d]``.

        ``positions[E, m, 2]``; ``velocities[E, n, 2]`` (None: at rest); ``goals[E]`` (None: landmark 0). Raises ValueError
        naming the argument, also for a velocity of an agent that cannot move.
        """
        given = {
            "positions": positions,
            "velocities": 0.0 * self.velocities if velocities is None else velocities,
            "messages": 0.0 * self.messages,
            "goals": 0 * self.goals if goals is None else goals,
        }
        self._state = as_state(self.scene, self.n_worlds, given, farthest=FARTHEST)
        self._ages, self._ended = 0 * self._ages, np.zeros(self.n_worlds, dtype=bool)
        return self._observations()

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions, ``[E, n]`` or ``[E, n, 5]``.

        Raises ValueError naming ``actions`` or ``rng``, and for worlds that have ended and were not begun again.
        """
        as_generator("rng", rng)
        read = read_vectors if self.continuous_actions else read_moves
        pushes, words = read(actions, self.n_worlds, self.scene.choices, self.scene.n_words)
        check_going_on(self._ended)
        messages = words * self.scene.speaks[:, None, None]
        positions, velocities, _, goals = self._state
        own = self.scene.strengths[:, None, None] * pushes
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

        Its entry "kind" tells the scene, its settings, physics and time limit, as words, numbers and lists of them.
        """
        rules = {"physics": self.physics, "time_limit": self.time_limit}
        kind = {"scene": self.scene.name, **self.scene.settings, **rules, **self.scene.bodies()}
        return {**{name: getattr(self, name) for name in STATE}, "kind": kind}

    def restore(self, snapshot: dict[str, np.ndarray | dict]) -> None:
        """Return to the state of a :meth:`snapshot` of worlds of the same kind; actions may have the other form.

         A state without "kind" is taken
        for one of these worlds.
        """
        if not isinstance(snapshot, dict) or set(snapshot) - {"kind"} != set(STATE):
            given = sorted(snapshot, key=str) if isinstance(snapshot, dict) else snapshot
            raise ValueError(
                f"snapshot: expected a dict with {', '.join(STATE)}, got {given!r:.80}"
            )
        kind = snapshot.get("kind", {})
        if not isinstance(kind, dict):
            raise ValueError(f"snapshot['kind']: expected a dict, got {kind!r:.80}")
        if "kind" in snapshot:
            check_same("snapshot['kind']", kind, self.snapshot()["kind"])
        state = as_state(self.scene, self.n_worlds, snapshot, name="snapshot[{!r}]")
        ages, ended = snapshot["ages"], snapshot["ended"]
        ages = as_indices("snapshot['ages']", ages, (self.n_worlds,), self.time_limit + 1)
        ended = as_flags("snapshot['ended']", ended, self.n_worlds)
        self._state, self._ages, self._ended = state, ages, ended | (ages == self.time_limit)

    @np.errstate(under="ignore")  # float32 has no numbers as small
    def _observations(self) -> np.ndarray:
        return _worlds_first(self.scene.views(self._state).astype(np.float32))


def simple_spread(
    n_worlds: int = 1,
    *,
    n_agents: int = 3,
    continuous_actions: bool = False,
    time_limit: int = 25,
    local_ratio: float = USUAL_RATIO,
    physics: str = "mpe2",
    returns: str = "mpe2",
) -> ParticleWorlds:
    """E worlds in which N agents shall cover N landmarks and not collide (mpe2's simple_spread_v3).

    With D the sum over landmarks of the distance to the nearest agent, and c_i the agents that agent i overlaps with:
    ``returns`` "mpe2" pays (1 - ρ)(-D) - ρ c_i, ρ being the ``local_ratio``; "openai", as in Lowe et al. (2017), pays every
    agent Σ_i (-D - c_i - 1). ``physics``: "mpe2", or "openai" for the order of a step in Lowe et al. (2017), see
    :mod:`~marl_lessons.envs.particles.physics`.
    """
    scene = spread_scene(n_agents, local_ratio, returns)
    return ParticleWorlds(scene, n_worlds, continuous_actions, time_limit, physics)


def simple_speaker_listener(
    n_worlds: int = 1,
    *,
    continuous_actions: bool = False,
    time_limit: int = 25,
    physics: str = "mpe2",
    returns: str = "mpe2",
) -> ParticleWorlds:
    """E worlds in which a speaker tells a listener which of three landmarks to go to (mpe2's simple_speaker_listener_v4).

    With d the listener's distance from the goal, ``returns`` "mpe2" pays both -d², "openai" the sum over both, -2 d².
    ``physics`` as in :func:`simple_spread`.
    """
    scene = speaker_listener_scene(returns)
    return ParticleWorlds(scene, n_worlds, continuous_actions, time_limit, physics)


def simple_tag(
    n_worlds: int = 1,
    *,
    n_prey: int = 1,
    n_chasers: int = 3,
    n_obstacles: int = 2,
    continuous_actions: bool = False,
    time_limit: int = 25,
    physics: str = "mpe2",
) -> ParticleWorlds:
    """E worlds in which slow chasers, the first agents, hunt faster prey among obstacles (mpe2's simple_tag_v3).

    Each overlap of a chaser and a prey brings every chaser 10 and costs that prey 10. A prey pays besides for leaving the
    field. ``physics`` as in :func:`simple_spread`.
    """
    scene = tag_scene(n_prey, n_chasers, n_obstacles)
    return ParticleWorlds(scene, n_worlds, continuous_actions, time_limit, physics)


def _worlds_first(array: np.ndarray) -> np.ndarray:
    """``[a, b, E]`` as a fresh ``[E, a, b]``."""
    return array.transpose(2, 0, 1).copy()
