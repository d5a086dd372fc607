"""Who is listened to, and where: the causal influence of messages that are vectors, on cars of the Traffic Junction.

Every listener is asked what it would do if it had heard something else in the very same place. What it hears instead are true
messages of the same moment from other worlds, as in :func:`~marl_lessons.evaluation.talk.channels.shuffle`; nothing else
changes: it sees the same, and as many cars speak. Two questions can be answered so, both in bits:

*Causal influence*: how much does what a car does depend on what it hears? It is the information that message and action share
over all that might be said, moment by moment: CIC of Lowe et al. (2019, "On the Pitfalls of Measuring Emergent
Communication"). *Social influence*: how much did what was really said matter? It is the divergence of the answer to it from
the mean answer (Jaques et al. 2019, there a reward for the speaker). The second, averaged over messages, is the first.

Two limits. Messages are exchanged speaker by speaker, so that together they may tell of what cannot be, such as two cars in one
cell. And a listener that knows how many speak is influenced by that, too; it is no message, and not measured here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.talk.worlds import GatedWorlds
from marl_lessons.checks import (
    as_booleans,
    as_count,
    as_flag,
    as_float_array,
    as_generator,
    as_indices,
)
from marl_lessons.envs.cars.junction import TrafficJunction, check_junction
from marl_lessons.envs.cars.junction_roads import Level, network
from marl_lessons.evaluation.talk.information import causal_influence

# Talking cars of the Traffic Junction, recorded: what each sees, says and does, and what it would do if nothing were said.

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

    ``policy``: a :class:`~marl_lessons.algorithms.talk.commnet.TalkingPolicy` of one seed. Its channel, if it has one, is
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


# ------------------------------------------------------------


class PlaceMeans(NamedTuple):
    """Means over all cars in each place: ``means[S]``, or ``[S, S]`` by listener and speaker, and how many went into each.

    S states of a car, route and position as one number; state 0, no car, has none. ``counts`` of the same shape are whole
    numbers; where one is 0 the mean is nan.
    """

    means: np.ndarray
    counts: np.ndarray


def influence_of_all(
    policy, frames: TalkFrames, n_sets: int, rng: np.random.Generator
) -> np.ndarray:
    """``[T, E, n]``: causal influence of all others' messages together on what each car does, from 0 to 1 bit.

    ``n_sets``: K, how many sets of messages each car hears: what was said, and K - 1 others, see :func:`donors`.
    ``policy``: of one seed, that of the ``frames``; it is asked without its channel. nan where there is no car, or it could
    not hear anything else: nobody else speaks, or only in slots that speak in no other world.
    """
    policy, frames, n_sets, rng = _checked(policy, frames, n_sets, rng)
    chosen, others = donors(frames.speaks, n_sets, rng), heard_pairs(frames)
    actions = np.stack([_answers(policy, frames, exchanged(frames, which)) for which in chosen])
    return np.where(others.any(axis=-1), causal_influence_of(actions), np.nan)


def influence_of_each(
    policy, frames: TalkFrames, n_sets: int, rng: np.random.Generator, social: bool = False
) -> np.ndarray:
    """``[T, E, n, n]``: influence on car i of what car j alone says, all others saying what they said, bits.

    Causal influence, or with ``social`` the social influence of what j really said. They do not add up to
    :func:`influence_of_all`: where one warning is enough, two that say the same have no influence one by one. nan where i or
    j is missing, j is silent, or its slot speaks in no other world. The rest as there.
    """
    policy, frames, n_sets, rng = _checked(policy, frames, n_sets, rng)
    influence_of = social_influence_of if as_flag("social", social) else causal_influence_of
    chosen, others = donors(frames.speaks, n_sets, rng), heard_pairs(frames)
    influence = np.full(others.shape, np.nan)
    for j in range(others.shape[-1]):
        heard = (exchanged(frames, which, j) for which in chosen)
        actions = np.stack([_answers(policy, frames, messages) for messages in heard])
        influence[..., j] = np.where(others[..., j], influence_of(actions), np.nan)
    return influence


def causal_influence_of(actions: np.ndarray) -> np.ndarray:
    """``[...]``: information shared by message and action, of ``actions[K, ...]`` after K messages equally likely, bits.

    A greedy car's answer to a message is certain, so this is the entropy of its answers: 1 bit if half of all messages make
    it brake.
    """
    actions = _as_actions(actions)
    certain = np.eye(N_DRIVING)[np.moveaxis(actions, 0, -1)]
    return causal_influence(certain, np.full(len(actions), 1 / len(actions)))


def social_influence_of(actions: np.ndarray) -> np.ndarray:
    """``[...]``: KL divergence of the answer to message 0, what was said, from the mean answer to all K messages, bits.

    Of ``actions[K, ...]``, gas 0 or brake 1. Answers are certain, so it is -log2 of the share of messages with the same answer:
    0 if all have it, log2 K if no other has.
    """
    actions = _as_actions(actions)
    return 0.0 - np.log2((actions == actions[0]).mean(axis=0))


def donors(speaks: np.ndarray, n_sets: int, rng: np.random.Generator) -> np.ndarray:
    """``[K, T, E, n]``: the world whose message stands in for that of slot i in world e at moment t, in each of K sets.

    ``speaks[T, E, n]``. The worlds in which a slot speaks stand in a random circle; in set k each hears the one k places
    before. So set 0 is what was said, a slot's messages are as frequent in every set, and with K worlds in the circle all K
    sets are all it ever says: the influence is then exact. A smaller circle is gone round again. Who is silent
    keeps its own.
    """
    n_sets, rng = as_count("n_sets", n_sets), as_generator("rng", rng)
    speaks = as_booleans("speaks", speaks, (None, None, None))
    n_moments, n_worlds, n = speaks.shape
    chosen = np.empty((n_sets, *speaks.shape), dtype=np.intp)
    chosen[:] = np.arange(n_worlds)[:, None]
    for t, i in np.ndindex(n_moments, n):
        circle = rng.permutation(np.flatnonzero(speaks[t, :, i]))
        for k in range(n_sets):
            chosen[k, t, circle, i] = np.roll(circle, k)
    return chosen


def heard_pairs(frames: TalkFrames) -> np.ndarray:
    """``[T, E, n, n]`` booleans: whether car i hears j, and j's slot speaks in another world at that moment, too."""
    frames = _check_frames(frames)
    exchangeable = frames.speaks & (frames.speaks.sum(axis=1, keepdims=True) > 1)
    others = exchangeable[..., None, :] & frames.active[..., None]
    return others & ~np.eye(others.shape[-1], dtype=bool)


def exchanged(frames: TalkFrames, chosen: np.ndarray, speaker: int | None = None) -> np.ndarray:
    """``[T, E, n, w]``: the messages of ``frames`` with those of other worlds, ``chosen[T, E, n]``, in their place.

    ``speaker``: exchange those of this slot alone.
    """
    frames = _check_frames(frames)
    chosen = as_indices("chosen", chosen, frames.speaks.shape, frames.speaks.shape[1])
    heard = np.take_along_axis(frames.messages, chosen[..., None], axis=1)
    if speaker is None:
        return heard
    j = int(as_indices("speaker", speaker, (), frames.speaks.shape[2]))
    alone = frames.messages.copy()
    alone[:, :, j] = heard[:, :, j]
    return alone


def by_place(frames: TalkFrames, values: np.ndarray) -> PlaceMeans:
    """Means of ``values[T, E, n]`` over all cars in each state, nan left out.

    A measured influence by the listener's place: ``by_place(frames, influence_of_all(policy, frames, 16, rng))``.
    """
    states = _check_frames(frames).states
    return _means(values, (states,), _n_states(frames))


def by_pair(frames: TalkFrames, values: np.ndarray) -> PlaceMeans:
    """Means of ``values[T, E, n, n]`` by the states of listener i and speaker j.

    Pairs of two cars that are there, i ≠ j, without nan. Of an influence, or of the ``weights`` in ``frames``: whom a car
    attends to need not be who has an influence on it.
    """
    states = _check_frames(frames).states
    return _means(values, (states[..., :, None], states[..., None, :]), _n_states(frames))


def _means(values, states: tuple[np.ndarray, ...], n_states: int) -> PlaceMeans:
    """Means over the entries that are not nan, where all of ``states`` are above 0, off the diagonal of pairs."""
    shape = np.broadcast_shapes(*(s.shape for s in states))
    known = isinstance(values, np.ndarray) and values.dtype.kind in "biuf"
    if not known or values.shape != shape or np.isinf(values).any():
        given = f"{values.dtype} of shape {values.shape}" if known else values
        raise ValueError(
            f"values: expected an array of numbers or nan, shape {shape}, got {given!s:.80}"
        )
    counted = ~np.isnan(values)
    for s in states:
        counted = counted & (s > 0)
    if len(states) == 2:
        counted &= ~np.eye(shape[-1], dtype=bool)
    where = tuple(np.broadcast_to(s, shape)[counted] for s in states)
    sums, counts = np.zeros((2, *[n_states] * len(states)))
    np.add.at(sums, where, values[counted])
    np.add.at(counts, where, 1)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return PlaceMeans(means, counts.astype(int))


def _answers(policy, frames: TalkFrames, messages: np.ndarray) -> np.ndarray:
    """``[T, E, n]``: gas or brake in answer to ``messages[T, E, n, w]``."""
    slots = frames.states.shape
    rows = slots[0] * slots[1], slots[2]
    seen, heard = (x.reshape(*rows, x.shape[-1]) for x in (frames.observations, messages))
    answer = policy.answer(seen, heard)
    return as_indices("policy: its answer", answer, rows, 2 * N_DRIVING).reshape(slots) % N_DRIVING


def _as_actions(actions) -> np.ndarray:
    actions = as_indices("actions", actions, (...,), N_DRIVING)
    if not actions.ndim or not actions.size:
        raise ValueError(f"actions: expected [K, ...], got shape {actions.shape}")
    return actions


def _n_states(frames: TalkFrames) -> int:
    return len(network(frames.level).route)


def _check_frames(frames) -> TalkFrames:
    if not isinstance(frames, TalkFrames):
        raise ValueError(
            f"frames: expected TalkFrames as record_talk(...) makes them, got {frames!r:.80}"
        )
    return frames


def _checked(policy, frames, n_sets, rng) -> tuple:
    """The arguments as they are, checked."""
    policy, frames = check_talking("policy", policy), _check_frames(frames)
    if frames.states.shape[1] < 2:
        raise ValueError("frames: messages are exchanged between worlds; at least 2 are needed")
    return policy, frames, as_count("n_sets", n_sets, low=2), as_generator("rng", rng)
