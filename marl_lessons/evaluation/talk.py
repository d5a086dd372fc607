"""Talking cars of the Traffic Junction, recorded: what each sees, says and does, and what it would do if nothing were said."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from marl_lessons.algorithms.communication.talking_gate import GatedWorlds
from marl_lessons.checks import as_booleans, as_count, as_float_array, as_generator, as_indices
from marl_lessons.envs.traffic_junction import TrafficJunction, check_junction
from marl_lessons.envs.traffic_routes import Level, network

N_DRIVING = 2  # gas and brake; a gate's action is driving + 2 · talk
QUESTIONS = ("messages", "speaks", "weights", "answer")  # what a policy that talks can be asked


@dataclass(frozen=True, eq=False)
class TalkFrames:
    """T moments of one episode in each of E worlds with n slots for cars; each is the moment before a step is made.

    level                          the level of the junction
    observations ``[T, E, n, d]``  what the cars see; zeros where there is none
    states ``[T, E, n]``           each car's route and position as one number, 0 where there is none
    messages ``[T, E, n, w]``      what each says, before any channel; of those who don't speak, what they would say
    speaks ``[T, E, n]``           booleans: who speaks
    weights ``[T, E, n, n]``       how much car i listens to car j, without any channel
    actions ``[T, E, n]``          what they do, gas 0 or brake 1, after what came through the policy's channel
    muted ``[T, E, n]``            what they would do if every message were zeros
    collided ``[T, E, n]``         booleans: shares its cell with another car at this moment
    failed ``[E]``                 booleans: a collision happened by the end, the last step included

    Raises ValueError naming the field whose shape or values do not fit.
    """

    level: Level
    observations: np.ndarray
    states: np.ndarray
    messages: np.ndarray
    speaks: np.ndarray
    weights: np.ndarray
    actions: np.ndarray
    muted: np.ndarray
    collided: np.ndarray
    failed: np.ndarray

    def __post_init__(self):
        """Check every field."""
        if not isinstance(self.level, Level):
            raise ValueError(
                f"level: expected a Level, as worlds.level is one, got {self.level!r:.80}"
            )
        for field in fields(self)[1:]:
            if not isinstance(getattr(self, field.name), np.ndarray):
                raise ValueError(
                    f"{field.name}: expected an array, got {getattr(self, field.name)!r:.80}"
                )
        n_states = len(network(self.level).route)
        slots = as_indices("states", self.states, (None, None, None), n_states).shape
        for name in ("observations", "messages"):
            as_float_array(name, getattr(self, name), (*slots, None))
        as_float_array("weights", self.weights, (*slots, slots[2]))
        for name in ("actions", "muted"):
            as_indices(name, getattr(self, name), slots, N_DRIVING)
        for name in ("speaks", "collided"):
            as_booleans(name, getattr(self, name), slots)
        as_booleans("failed", self.failed, slots[1:2])

    @property
    def active(self) -> np.ndarray:
        """``[T, E, n]`` booleans: where there is a car."""
        return self.states > 0

    @property
    def cells(self) -> np.ndarray:
        """``[T, E, n, 2]``: row and column of each car, -1 where there is none."""
        return network(self.level).cell[self.states]


def record_talk(
    worlds: TrafficJunction | GatedWorlds,
    policy,
    rng: np.random.Generator,
    n_steps: int | None = None,
) -> TalkFrames:
    """Play one episode in each world, or its first ``n_steps``, and write down what is said and done.

    ``policy``: a :class:`~marl_lessons.algorithms.communication.talking_policy.TalkingPolicy` of one seed. Its channel, if it has one, is
    passed once at each moment. ``worlds`` may have a gate: actions are then gas or brake alone, and ``speaks`` tells the
    rest. Raises ValueError naming the argument; ``policy: ...`` also for an answer of the wrong form.
    """
    junction = check_junction(
        "worlds", worlds.worlds if isinstance(worlds, GatedWorlds) else worlds
    )
    policy, rng = check_talking("policy", policy), as_generator("rng", rng)
    n_steps = junction.time_limit if n_steps is None else as_count("n_steps", n_steps)
    if n_steps > junction.time_limit:
        raise ValueError(
            f"n_steps is {n_steps}, but an episode of these worlds has {junction.time_limit} steps"
        )
    seen, moments = worlds.reset(rng), []
    for _ in range(n_steps):
        moment, actions = _moment(junction, policy, seen, worlds.n_actions[0])
        moments.append(moment)
        seen = worlds.step(actions, rng).observations
    fields = {name: np.stack([moment[name] for moment in moments]) for name in moments[0]}
    return TalkFrames(level=junction.level, failed=junction.failed.copy(), **fields)


def check_talking(name: str, policy):
    """Return a policy of one seed that talks as it is; raises ValueError naming ``name`` for anything else."""
    missing = [m for m in QUESTIONS if not callable(getattr(policy, m, None))]
    if missing or not callable(policy):
        raise ValueError(
            f"{name}: expected a policy that talks, as train_iql(...).policy of a CommNet, got {policy!r:.80}"
        )
    if getattr(policy, "n_seeds", 1) != 1:
        raise ValueError(
            f"{name}: it is that of {policy.n_seeds} seeds; take one, policy.of_seed(0)"
        )
    return policy


def _moment(junction, policy, seen: np.ndarray, n_actions: int):
    """One moment of all worlds as a dict of fields, and the actions with which the worlds go on."""
    slots = seen.shape[:2]
    said = as_float_array("policy: its messages", policy.messages(seen), (*slots, None))
    actions = as_indices("policy: its actions", policy(seen), slots, n_actions)
    muted = policy.answer(seen, np.zeros_like(said))
    moment = {
        "observations": seen.copy(),
        "states": junction.local_states.copy(),
        "messages": said,
        "speaks": as_booleans("policy: its speaks", policy.speaks(seen), slots),
        "weights": as_float_array("policy: its weights", policy.weights(seen), (*slots, slots[1])),
        "actions": actions % N_DRIVING,
        "muted": as_indices("policy: its answer", muted, slots, n_actions) % N_DRIVING,
        "collided": junction.collided.copy(),
    }
    return moment, actions
