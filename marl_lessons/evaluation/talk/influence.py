"""Who is listened to, and where: the causal influence of messages that are vectors, on cars of the Traffic Junction. Lesson 10.

Every listener is asked what it would do if it had heard something else in the very same place. What it hears instead are true
messages of the same moment from other worlds, as in :func:`~marl_lessons.evaluation.talk.channels.shuffle`; nothing else
changes: it sees the same, and as many cars speak. *Causal influence* is the information that message and action share over all
that might be said, moment by moment: CIC of Lowe et al. (2019, "On the Pitfalls of Measuring Emergent Communication").

Two limits. Messages are exchanged speaker by speaker, so that together they may tell of what cannot be, such as two cars in one
cell. And a listener that knows how many speak is influenced by that, too; it is no message, and not measured here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from marl_lessons.algorithms.talk.worlds import GatedWorlds
from marl_lessons.checks import as_count, as_generator, as_kind
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.cars.junction_roads import Level, network
from marl_lessons.evaluation.talk.channels import check_talking
from marl_lessons.evaluation.talk.information import causal_influence
from marl_lessons.results import short_repr

N_DRIVING = 2  # gas and brake; a gate's action is driving + 2 · talk


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

    __repr__ = short_repr

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
    rest.
    """
    inside = worlds.worlds if isinstance(worlds, GatedWorlds) else worlds
    junction = as_kind("worlds", inside, TrafficJunction)
    policy, rng = check_talking("policy", policy), as_generator("rng", rng)
    n_steps = junction.time_limit if n_steps is None else as_count("n_steps", n_steps)
    if n_steps > junction.time_limit:
        raise ValueError(
            f"n_steps is {n_steps}, but an episode of these worlds has {junction.time_limit} steps"
        )
    seen, moments = worlds.reset(rng), []
    for _ in range(n_steps):
        said, actions = policy.messages(seen), policy(seen)
        moment = {
            "observations": seen.copy(),
            "states": junction.local_states.copy(),
            "messages": said.astype(float),
            "speaks": policy.speaks(seen),
            "weights": policy.weights(seen).astype(float),
            "actions": actions % N_DRIVING,
            "muted": policy.answer(seen, np.zeros_like(said)) % N_DRIVING,
            "collided": junction.collided.copy(),
        }
        moments.append(moment)
        seen = worlds.step(actions, rng).observations
    columns = {name: np.stack([moment[name] for moment in moments]) for name in moments[0]}
    return TalkFrames(level=junction.level, failed=junction.failed.copy(), **columns)


def influence_of_all(
    policy, frames: TalkFrames, n_sets: int, rng: np.random.Generator
) -> np.ndarray:
    """``[T, E, n]``: causal influence of all others' messages together on what each car does, from 0 to 1 bit.

    ``n_sets``: K, how many sets of messages each car hears: what was said, and K - 1 others, see :func:`donors`.
    ``policy``: of one seed, that of the ``frames``; it is asked without its channel. nan where there is no car, or it could
    not hear anything else: nobody else speaks, or only in slots that speak in no other world.
    """
    policy, n_sets = check_talking("policy", policy), as_count("n_sets", n_sets, low=2)
    speaks, slots = frames.speaks, frames.states.shape
    rows = (slots[0] * slots[1], slots[2])
    seen = frames.observations.reshape(*rows, -1)
    actions = []
    for donor in donors(speaks, n_sets, as_generator("rng", rng)):
        heard = np.take_along_axis(frames.messages, donor[..., None], axis=1)
        answer = policy.answer(seen, heard.reshape(*rows, -1))
        actions.append(answer.reshape(slots) % N_DRIVING)
    # Whose slot speaks in another world, too, can be exchanged; of them car i hears all but itself.
    exchangeable = speaks & (speaks.sum(axis=1, keepdims=True) > 1)
    others = exchangeable.sum(axis=-1, keepdims=True) - exchangeable
    return np.where((others > 0) & frames.active, causal_influence_of(np.stack(actions)), np.nan)


def donors(speaks: np.ndarray, n_sets: int, rng: np.random.Generator) -> np.ndarray:
    """``[K, T, E, n]``: the world whose message stands in for that of slot i in world e at moment t, in each of K sets.

    ``speaks[T, E, n]``. The worlds in which a slot speaks stand in a random circle; in set k each hears the one k places
    before. So set 0 is what was said, a slot's messages are as frequent in every set, and with K worlds in the circle all K
    sets are all it ever says: the influence is then exact. A smaller circle is gone round again. Who is silent
    keeps its own.
    """
    n_moments, n_worlds, n = speaks.shape
    chosen = np.empty((n_sets, *speaks.shape), dtype=np.intp)
    chosen[:] = np.arange(n_worlds)[:, None]
    for t, i in np.ndindex(n_moments, n):
        circle = rng.permutation(np.flatnonzero(speaks[t, :, i]))
        for k in range(n_sets):
            chosen[k, t, circle, i] = np.roll(circle, k)
    return chosen


def causal_influence_of(actions: np.ndarray) -> np.ndarray:
    """``[...]``: information shared by message and action, of ``actions[K, ...]`` after K messages equally likely, bits.

    A greedy car's answer to a message is certain, so this is the entropy of its answers: 1 bit if half of all messages make
    it brake.
    """
    certain = np.eye(N_DRIVING)[np.moveaxis(actions, 0, -1)]
    return causal_influence(certain, np.full(len(actions), 1 / len(actions)))


class PlaceMeans(NamedTuple):
    """Means over all cars in each place, ``means[S]``, and how many cars went into each, ``counts[S]``.

    S states of a car, route and position as one number; state 0, no car, has none. Where a count is 0 the mean is nan.
    """

    means: np.ndarray
    counts: np.ndarray


def by_place(frames: TalkFrames, values: np.ndarray) -> PlaceMeans:
    """Means of ``values[T, E, n]`` over all cars in each state, nan left out.

    A measured influence by the listener's place: ``by_place(frames, influence_of_all(policy, frames, 16, rng))``.
    """
    counted, n_states = ~np.isnan(values) & frames.active, len(network(frames.level).route)
    states = frames.states[counted]
    sums = np.bincount(states, values[counted], minlength=n_states)
    counts = np.bincount(states, minlength=n_states)
    means = np.divide(sums, counts, out=np.full(n_states, np.nan), where=counts > 0)
    return PlaceMeans(means, counts)
