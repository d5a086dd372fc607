"""What the switch riddle is worth to prisoners who talk, who don't, and to somebody who sees everything: exact fractions.

Rewards are one agent's, from -1 to 1, as in :class:`~marl_lessons.envs.switch_riddle.SwitchRiddle`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb
from typing import NamedTuple

from marl_lessons.checks import as_count, as_indices
from marl_lessons.envs.switch_riddle import riddle_days

MOST_AGENTS = 5
MOST_DRAWN, MOST_DAYS = 100, 10_000  # fractions beyond have too many digits


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

    Inclusion and exclusion: Σ_k (-1)^k C(n, k) (1 - k/n)^T. At most 100 agents and 10,000 days. Raises ValueError naming the
    argument.
    """
    n, days = as_count("n_agents", n_agents), as_count("n_days", n_days, low=0)
    for name, given, most in (("n_agents", n, MOST_DRAWN), ("n_days", days, MOST_DAYS)):
        if given > most:
            raise ValueError(f"{name} is {given}; allowed are at most {most}")
    terms = ((-1) ** k * comb(n, k) * Fraction(n - k, n) ** days for k in range(n + 1))
    return sum(terms, Fraction(0))


def protocol_reward(n_agents: int, protocol: Protocol) -> Fraction:
    """Expected reward in the switch riddle if all ``n_agents`` follow ``protocol``.

    ``protocol(day, memory, heard)`` returns a :class:`Deed` of the prisoner in the room: ``memory`` is what it remembered
    at its last visit, None at its first; ``heard`` is the word of yesterday's visitor, None on day 1. All that can
    happen is followed day by day; prisoners with equal memories are not told apart. Words and memories must be hashable, as
    numbers and texts are. Raises ValueError naming the argument.
    """
    n, last = _as_agents(n_agents), riddle_days(n_agents)
    if not callable(protocol):
        raise ValueError(f"protocol: expected a function, got {protocol!r:.80}")
    chances, reward = {((None,) * n, None): Fraction(1)}, Fraction(0)
    for day in range(1, last + 1):
        tomorrow = defaultdict(Fraction)
        for (memories, heard), chance in chances.items():
            for memory, how_many in Counter(memories).items():
                others = list(memories)
                others.remove(memory)
                tell, say, kept = _as_deed(protocol(day, memory, heard))
                share = chance * how_many / n
                if tell:
                    reward += share * (-1 if None in others else 1)
                else:
                    tomorrow[_in_order([kept, *others]), say] += share
        chances = tomorrow
    return reward


def counting_protocol(n_agents: int) -> Protocol:
    """A protocol as good as the oracle: every visitor leaves word how many have been in the room, and tells at n.

    The word is never n, since then somebody tells: n - 1 words are enough, 0 meaning one visitor. A prisoner needs to
    remember only that it has been there. Raises ValueError naming ``n_agents``.
    """
    n = _as_agents(n_agents)

    def protocol(day: int, memory: Hashable, heard: Hashable) -> Deed:
        before = 0 if heard is None else heard + 1
        visitors = before + (memory is None)
        return Deed(visitors == n, visitors - 1, "been there")

    return protocol


def visits_protocol(most_visits: Sequence[int]) -> Protocol:
    """Without words: on day t tell after at most ``most_visits[t - 1]`` visits of one's own, today's included; 0 is never.

    The fewer of the days one has taken up oneself, the more were left to the others. Raises ValueError naming
    ``most_visits``.
    """
    limits = as_indices("most_visits", most_visits, (None,), 1_000_000).tolist()

    def protocol(day: int, memory: Hashable, heard: Hashable) -> Deed:
        visits = 1 + (memory or 0)
        return Deed(day <= len(limits) and visits <= limits[day - 1], None, visits)

    return protocol


def last_day_limits(n_agents: int) -> tuple[int, ...]:
    """The best ``most_visits`` of :func:`visits_protocol` among those that tell on the last day only.

    After k visits of its own a prisoner knows that the other n - 1 shared the other T - k days; it tells if these have more
    likely sufficed than not. Raises ValueError naming ``n_agents``.
    """
    n, last = _as_agents(n_agents), riddle_days(n_agents)
    sure = [k for k in range(1, last + 1) if 2 * chance_all_visited(n - 1, last - k) > 1]
    return (0,) * (last - 1) + (max(sure),)


def best_silent_limits(n_agents: int) -> tuple[int, ...]:
    """The ``most_visits`` of :func:`visits_protocol` that no change on a single day improves, from :func:`last_day_limits` on.

    For n = 3 that is the best there is without a channel, even for prisoners who remember every day of their visits and
    follow different rules: 130/243, by integer programming. For larger n it is a lower bound of it. Raises ValueError
    naming ``n_agents``.
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
    """The levels of the riddle for ``n_agents`` prisoners, 3 to 5; raises ValueError naming ``n_agents``."""
    n = _as_agents(n_agents)
    days, last = riddle_days(n), last_day_limits(n)
    silent, last_day, blind = (
        protocol_reward(n, visits_protocol(limits))
        for limits in (best_silent_limits(n), last, (*last[:-1], days))
    )
    counting = protocol_reward(n, counting_protocol(n))
    return RiddleLevels(chance_all_visited(n, days), counting, silent, last_day, blind)


def _as_agents(n_agents: int) -> int:
    n = as_count("n_agents", n_agents, low=3)
    if n > MOST_AGENTS:
        raise ValueError(f"n_agents is {n}; allowed are 3 to {MOST_AGENTS}")
    return n


def _as_deed(value) -> Deed:
    """What a protocol returned, checked; a memory of None would mean that the prisoner has never been there."""
    if not isinstance(value, tuple) or len(value) != 3 or not isinstance(value[0], bool):
        raise ValueError(f"protocol: expected it to return a Deed, got {value!r:.80}")
    if value[2] is None:
        raise ValueError("protocol: returned None as memory, which stands for a first visit")
    try:
        hash(value[1:])
    except TypeError as error:
        raise ValueError(
            f"protocol: word and memory must be hashable, got {value!r:.80}"
        ) from error
    return Deed(*value)


def _in_order(memories: list) -> tuple:
    """The same memories, those that are equal side by side: who holds which plays no part."""
    return tuple(sorted(memories, key=repr))
