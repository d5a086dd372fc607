"""What talking is worth: exact levels of the blind crossing and of the switch riddle, with, without and beyond a channel. Lesson 10.

Returns of the crossing are of the pair: both cars' rewards of an episode added up, undiscounted, as
:class:`~marl_lessons.envs.cars.blind_crossing.BlindCrossing` pays them. Both cars drive by one table and have no memory. A table
``go[own, other]`` holds the probability to go at places 0 (away), 1 (on the crossing), 1 + d (d cells to go); a driver who
does not hear of the other has the same probability for every place of the other.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import comb
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from marl_lessons.algorithms.talk.languages import KINDS
from marl_lessons.checks import as_count, as_float_array, as_kind
from marl_lessons.envs.cars.blind_crossing import AWAY, ON_THE_CROSSING, BlindCrossing
from marl_lessons.envs.games.riddle import FEWEST, riddle_days

MOST_TABLES = 20_000
CHUNK = 1_000  # tables side by side
MOST_AGENTS = 5


@dataclass(frozen=True, eq=False)
class CrossingLevel:
    """The expected ``pair_return`` of a best table ``go[own, other]`` of its kind."""

    pair_return: float
    go: np.ndarray


@dataclass(frozen=True, eq=False)
class CrossingLevels:
    """The best of each kind, exactly unless said otherwise.

    silent      a driver knows its own place and does always the same there
    coin        a random symbol, heads or tails, anew each second: where it is told to, a driver goes at heads only
    any_chance  any probability at each place. The best that was found, a lower bound: no proof that there is no better
    one_bit     a driver hears whether the other is nearer: not away, and fewer cells to go, a car on the crossing having 0
    all_seeing  one mind that sees both cars and the clock and drives both: a number, no table. No channel gives more
    """

    silent: CrossingLevel
    coin: CrossingLevel
    any_chance: CrossingLevel
    one_bit: CrossingLevel
    all_seeing: float


def other_is_nearer(own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Whether the other car is nearer than one's own, for places that broadcast: away is not near, equal is not nearer."""
    return (other != AWAY) & (other < own)


def pair_returns(worlds: BlindCrossing, go) -> np.ndarray:
    """``[...]``: the pair's expected return when both cars drive by ``go[..., L, L]``, L = ``worlds.n_local_states``.

    Backward over the seconds left: V(s) = Σ_a π(a|s) [R_0(s,a) + R_1(s,a) + V(s')], with both cars deciding
    independently. Leading axes are different tables.
    """
    worlds = as_kind("worlds", worlds, BlindCrossing)
    size = worlds.n_local_states
    go = as_float_array("go", go, (..., size, size))
    tables = go.reshape(-1, size, size)
    parts = [tables[k : k + CHUNK] for k in range(0, len(tables), CHUNK)]
    return np.concatenate([_pair_returns(worlds, part) for part in parts]).reshape(go.shape[:-2])


def chance_to_go(worlds: BlindCrossing, q, kind: str) -> np.ndarray:
    """``[..., L, L]``: the chance to go at each own and other's place, by the greedy tables ``q[..., L · H, 2]`` of learners.

    ``kind``: what they could hear, one of :data:`~marl_lessons.algorithms.talk.languages.KINDS`, H numbers of it. Random
    symbols are equally likely, whatever the other's place. For :func:`pair_returns`.
    """
    size = as_kind("worlds", worlds, BlindCrossing).n_local_states
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r:.80}; allowed are {', '.join(KINDS)}")
    q = as_float_array("q", q, (..., None, 2))
    n_heard = q.shape[-2] // size
    wanted = {"nothing": 1, "one bit": 2, "distance": size}.get(kind, max(n_heard, 1))
    if q.shape[-2] != size * wanted:
        raise ValueError(f"q: {size * wanted} rows fit {kind!r}, got shape {q.shape}")
    goes = q.reshape(*q.shape[:-2], size, wanted, 2).argmax(axis=-1).astype(float)
    own, other = np.indices((size, size))
    if kind == "random symbol":
        return goes.mean(axis=-1)[..., own]
    bit = other_is_nearer(own, other).astype(int)
    return goes[..., own, {"nothing": 0 * own, "one bit": bit, "distance": other}[kind]]


def best_table(
    worlds: BlindCrossing, probabilities: Sequence[float] = (0.0, 1.0), one_bit: bool = False
) -> CrossingLevel:
    """The best of all tables that hold these ``probabilities`` to go: at each place, or with ``one_bit`` at each (place, bit).

    Random symbols of K, one for each driver and second, allow the probabilities 0, 1/K, …, 1. Among equals the
    first is returned. At most 20,000 tables are tried.
    """
    size = worlds.n_local_states
    n_choices = (size - 2) * (2 if one_bit else 1)
    if len(probabilities) ** n_choices > MOST_TABLES:
        raise ValueError(
            f"worlds: {len(probabilities)}^{n_choices} tables; allowed are {MOST_TABLES}, take a smaller distance"
        )
    chosen = np.array(list(product(probabilities, repeat=n_choices)))
    heard = other_is_nearer(*np.indices((size, size))) if one_bit else np.zeros((size, size), int)
    go = _as_tables(chosen.reshape(len(chosen), size - 2, -1), heard.astype(int))
    returns = pair_returns(worlds, go)
    return CrossingLevel(float(returns.max()), go[returns.argmax()])


def best_by_chance(worlds: BlindCrossing) -> CrossingLevel:
    """A table without channel that no small change of its probabilities improves, found from the best with a coin.

    A local maximum by L-BFGS-B; the value is a lower bound of the best.
    """
    coin = best_table(worlds, (0.0, 0.5, 1.0))
    unheard = np.zeros(coin.go.shape, dtype=int)

    def loss_and_slope(x: np.ndarray) -> tuple[float, np.ndarray]:
        # The return is a polynomial, so a table may be tried a hair beyond 0 and 1.
        step = 1e-5 * np.eye(len(x))
        tried = np.concatenate([x[None], x + step, x - step])
        returns = _pair_returns(worlds, _as_tables(tried[:, :, None], unheard))
        up, down = np.split(returns[1:], 2)
        return -returns[0], (down - up) / 2e-5

    start = coin.go[ON_THE_CROSSING + 1 :, 0]
    found = minimize(loss_and_slope, start, jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(start))  # fmt: skip
    go = _as_tables(found.x[None, :, None], unheard)[0]
    return CrossingLevel(float(pair_returns(worlds, go)), go)


def best_pair_return(worlds: BlindCrossing) -> float:
    """The expected return of one mind that sees both cars and the clock and drives both: dynamic programming."""
    game = worlds.game
    next_state, reward = game.joint_transition.argmax(axis=2), game.joint_reward.sum(axis=0)
    v = np.zeros(game.n_states)
    for _ in range(worlds.time_limit):
        v = (reward + v[next_state]).max(axis=1)
    return float(game.initial @ v)


def crossing_levels(worlds: BlindCrossing) -> CrossingLevels:
    """All levels of these worlds, with their ``distance`` of 7 at most."""
    worlds = as_kind("worlds", worlds, BlindCrossing)
    return CrossingLevels(
        best_table(worlds),
        best_table(worlds, (0.0, 0.5, 1.0)),
        best_by_chance(worlds),
        best_table(worlds, one_bit=True),
        best_pair_return(worlds),
    )


def _pair_returns(worlds: BlindCrossing, go: np.ndarray) -> np.ndarray:
    """``[B]``: :func:`pair_returns` of ``go[B, L, L]``, not checked."""
    game = worlds.game
    next_state, reward = game.joint_transition.argmax(axis=2), game.joint_reward.sum(axis=0)
    own = go.transpose(1, 2, 0)  # [L, L, B]: tables side by side, so that numpy works on long rows
    first, second = own.reshape(-1, len(go)), own.transpose(1, 0, 2).reshape(-1, len(go))
    alive = slice(len(first))  # all states but the last, "crashed"
    joint = [
        (first if a else 1 - first) * (second if b else 1 - second)
        for a, b in product((0, 1), repeat=2)
    ]
    paid = sum(p * reward[alive, a, None] for a, p in enumerate(joint))
    v = np.zeros((game.n_states, len(go)))
    for _ in range(worlds.time_limit):
        v[alive] = paid + sum(p * v[next_state[alive, a]] for a, p in enumerate(joint))
    return game.initial @ v


def _as_tables(chosen: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """``[B, L, L]`` from ``chosen[B, distance, H]`` and what is ``heard[own, other]``; on the crossing and away a car goes."""
    before = chosen[:, np.arange(len(heard) - 2)[:, None], heard[ON_THE_CROSSING + 1 :]]
    rest = np.ones((len(chosen), ON_THE_CROSSING + 1, len(heard)))
    return np.concatenate([rest, before], axis=1)


# The switch riddle: exact fractions.


class Deed(NamedTuple):
    """What the prisoner in the room does: ``tell`` or not, the word it leaves, and what it remembers."""

    tell: bool
    say: Hashable
    memory: Hashable


Protocol = Callable[[int, Hashable, Hashable], Deed]


@dataclass(frozen=True)
class RiddleLevels:
    """Expected reward of each prisoner, exactly.

    oracle    somebody who sees the room every day tells as soon as all have been there, and never wrongly
    counting  each visitor leaves word how many have been there: n - 1 words, one bit for n = 3. As good as the oracle
    silent    no word is left: a visitor goes by the day and by the number of its own visits, see :func:`best_silent_limits`
    last_day  the same, but nobody tells before the last day
    blind     no word is left, nothing is remembered: whoever is in the room on the last day tells
    """

    oracle: Fraction
    counting: Fraction
    silent: Fraction
    last_day: Fraction
    blind: Fraction


def chance_all_visited(n_agents: int, n_days: int) -> Fraction:
    """Probability that each of ``n_agents`` is drawn at least once in ``n_days`` independent fair draws.

    Inclusion and exclusion: Σ_k (-1)^k C(n, k) (1 - k/n)^T.
    """
    n = n_agents
    terms = ((-1) ** k * comb(n, k) * Fraction(n - k, n) ** n_days for k in range(n + 1))
    return sum(terms, Fraction(0))


def protocol_reward(n_agents: int, protocol: Protocol) -> Fraction:
    """Expected reward in the switch riddle if all ``n_agents`` follow ``protocol``.

    ``protocol(day, memory, heard)`` returns a :class:`Deed` of the prisoner in the room: ``memory`` is what it remembered
    at its last visit, None at its first; ``heard`` is the word of yesterday's visitor, None on day 1. All that can
    happen is followed day by day; prisoners with equal memories are not told apart.
    """
    n = n_agents
    chances, reward = {((None,) * n, None): Fraction(1)}, Fraction(0)
    for day in range(1, riddle_days(n) + 1):
        tomorrow = defaultdict(Fraction)
        for (memories, heard), chance in chances.items():
            for memory, how_many in Counter(memories).items():
                others = list(memories)
                others.remove(memory)
                tell, say, kept = protocol(day, memory, heard)
                share = chance * how_many / n
                if tell:
                    reward += share * (-1 if None in others else 1)
                else:
                    # Who holds which memory plays no part: equal ones side by side are one case.
                    tomorrow[tuple(sorted([kept, *others], key=repr)), say] += share
        chances = tomorrow
    return reward


def counting_protocol(n_agents: int) -> Protocol:
    """A protocol as good as the oracle: every visitor leaves word how many have been in the room, and tells at n.

    The word is never n, since then somebody tells: n - 1 words are enough, 0 meaning one visitor. A prisoner needs to
    remember only that it has been there.
    """

    def protocol(day: int, memory: Hashable, heard: Hashable) -> Deed:
        before = 0 if heard is None else heard + 1
        visitors = before + (memory is None)
        return Deed(visitors == n_agents, visitors - 1, "been there")

    return protocol


def visits_protocol(most_visits: Sequence[int]) -> Protocol:
    """Without words: on day t tell after at most ``most_visits[t - 1]`` visits of one's own, today's included; 0 is never.

    The fewer of the days one has taken up oneself, the more were left to the others.
    """

    def protocol(day: int, memory: Hashable, heard: Hashable) -> Deed:
        visits = 1 + (memory or 0)
        return Deed(visits <= most_visits[day - 1], None, visits)

    return protocol


def last_day_limits(n_agents: int) -> tuple[int, ...]:
    """The best ``most_visits`` of :func:`visits_protocol` among those that tell on the last day only.

    After k visits of its own a prisoner knows that the other n - 1 shared the other T - k days; it tells if these have more
    likely sufficed than not.
    """
    n, last = n_agents, riddle_days(n_agents)
    sure = [k for k in range(1, last + 1) if 2 * chance_all_visited(n - 1, last - k) > 1]
    return (0,) * (last - 1) + (max(sure),)


def best_silent_limits(n_agents: int) -> tuple[int, ...]:
    """The ``most_visits`` of :func:`visits_protocol` that no change on a single day improves, from :func:`last_day_limits` on.

    For n = 3 that is the best there is without a channel, even for prisoners who remember every day of their visits and
    follow different rules: 130/243, by integer programming. For larger n it is a lower bound of it.
    """
    limits, best = last_day_limits(n_agents), Fraction(-1)
    while True:
        changed = [
            (*limits[:t], k, *limits[t + 1 :]) for t in range(len(limits)) for k in range(t + 2)
        ]
        rewards = [protocol_reward(n_agents, visits_protocol(one)) for one in changed]
        if max(rewards) <= best:
            return limits
        best, limits = max(rewards), changed[rewards.index(max(rewards))]


def riddle_levels(n_agents: int = 3) -> RiddleLevels:
    """The levels of the riddle for ``n_agents`` prisoners, 3 to 5."""
    n = as_count("n_agents", n_agents, low=FEWEST)
    if n > MOST_AGENTS:
        raise ValueError(f"n_agents is {n}; allowed are {FEWEST} to {MOST_AGENTS}")
    days, last = riddle_days(n), last_day_limits(n)
    silent, last_day, blind = (
        protocol_reward(n, visits_protocol(limits))
        for limits in (best_silent_limits(n), last, (*last[:-1], days))
    )
    counting = protocol_reward(n, counting_protocol(n))
    return RiddleLevels(chance_all_visited(n, days), counting, silent, last_day, blind)
