"""The Traffic Junction of CommNet and IC3Net: cars that see little, on roads that cross. Lessons 06 and 10."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from marl_lessons.checks import as_choice, as_count, as_flag, as_kind, as_number, as_position
from marl_lessons.envs.cars.junction_roads import LEVELS, Level, Network, network
from marl_lessons.envs.stepping import BatchedStep, CheckedWorlds

GAS, BRAKE = 0, 1
DELAY_COST, COLLISION_COST = 0.01, 10.0
# Cells; from 3 on, the original lets cars of the easy level see where absent cars are kept.
FARTHEST = 2


class TrafficJunction(CheckedWorlds):
    """E copies of the Traffic Junction (Sukhbaatar et al. 2016; rules of Singh et al. 2019), with N slots for cars.

    A step: every car drives on (``GAS`` 0) or stays (``BRAKE`` 1); all at once, as if they could drive through each other.
    Then, entry by entry in a fixed order, a car arrives with probability ``arrival_rate``, unless N cars are there.
    It takes a random free slot and a random route. Then every car pays 0.01 τ, τ being the steps since its arrival
    (driving or not), and 10 more if another car stands in its cell. A collision changes nothing else: the cars drive on, and
    pay again in each step in which they share a cell. A car that leaves the road pays nothing. An episode has 20, 40 or 80
    steps, and it is a success if ``failed`` is still False at the end: no collision at all. A new episode begins without
    cars, so all agents see zeros.

    Faithful to the program of Singh et al. (2019), where these may surprise:
    nobody looks whether the entry is free: a car that brakes on the first cell of its route may be hit there;
    where several cars arrive while one slot is free, the first entry gets it (north before west on the easy level);
    a slot may be given away again in the very step in which its car leaves; its reward of that step is then the new car's,
    0, or -10 if the new car is hit on arrival, though the slot is ``terminated``;
    the last action that a newly arrived car sees is the slot's, 1 where the car that left it braked in the step before;
    on the easy level cell (5, 3) looks like a cell without road.
    ``clean_observations`` mends the last two.

    An observation is [last action, route / (M - 1), window]: see :func:`~marl_lessons.envs.cars.junction.observe`. The
    window shows (2 · vision + 1)² cells. Sizes for vision 0 and 1: easy 17 and 137, medium 61 and 533, hard 149 and 1,325.

    Besides the protocol :class:`~marl_lessons.envs.stepping.BatchedWorlds`, to be read, not written, ``level`` and:
    local_states ``[E, n]``  route and position of each car as one number below ``n_local_states``, 0 where there is no car;
                             ``roads`` has the tables. A car of vision 0 sees besides its last action, and whether it has
                             collided
    route, progress ``[E, n]``, cells ``[E, n, 2]``  what ``roads`` tells of each car, -1 where there is none
    waited ``[E, n]``        τ;  last_actions ``[E, n]``
    collided ``[E, n]``      shares its cell with another car now;  failed ``[E]``: a collision happened in this episode
    ages ``[E]``             steps made
    """

    def __init__(
        self,
        level: str = "easy",
        n_worlds: int = 1,
        *,
        vision: int = 0,
        arrival_rate: float | None = None,
        max_cars: int | None = None,
        time_limit: int | None = None,
        clean_observations: bool = False,
    ):
        """``level``: "easy", "medium" or "hard"; ``vision``: 0 to 2 cells. None: as the level has it, see :data:`LEVELS`."""
        self.level = LEVELS[as_choice("level", level, tuple(LEVELS))]
        self.n_worlds = as_count("n_worlds", n_worlds)
        self.vision = as_position("vision", vision, FARTHEST + 1)
        self.arrival_rate = self.level.final_rate if arrival_rate is None else arrival_rate
        self.n_agents = self.level.max_cars if max_cars is None else as_count("max_cars", max_cars)
        self.time_limit = (
            self.level.time_limit if time_limit is None else as_count("time_limit", time_limit)
        )
        self.clean_observations = as_flag("clean_observations", clean_observations)
        self.n_actions = (2,) * self.n_agents
        self.observation_sizes = (self._views.fixed.shape[1],) * self.n_agents
        self.n_local_states = len(self.roads.route)
        self._n_places = 1 + int(self.roads.place_at.max())
        nobody = np.zeros((self.n_worlds, self.n_agents), dtype=int)
        self._states, self.waited, self.last_actions = nobody, nobody, nobody
        self.collided, self.failed = nobody > 0, np.zeros(self.n_worlds, dtype=bool)
        self.ages, self.ended = np.zeros(self.n_worlds, dtype=int), ~self.failed

    @property
    def roads(self) -> Network:
        """The routes of the level and their tables, not to be written to. Made once, so no copy or pickle holds them."""
        return network(self.level)

    @property
    def _views(self) -> Views:
        return views(self.level, self.vision, self.clean_observations)

    @property
    def arrival_rate(self) -> float:
        """Probability of an arrival per entry and step. It may be changed at any time."""
        return self._arrival_rate

    @arrival_rate.setter
    def arrival_rate(self, value: float) -> None:
        """Change the rate from the next step on."""
        self._arrival_rate = as_number("arrival_rate", value, 0.0, 1.0)

    @property
    def local_states(self) -> np.ndarray:
        """``[E, n]``: each car's route and position as one number, 0 without a car; an array that cannot be written to."""
        states = self._states.view()
        states.flags.writeable = False
        return states

    @property
    def active(self) -> np.ndarray:
        """``[E, n]`` booleans: which slots have a car that drives on with the next step; none if the episode is over."""
        return (self._states > 0) & ~self.ended[:, None]

    route = property(lambda self: self.roads.route[self._states])
    progress = property(lambda self: self.roads.progress[self._states])
    cells = property(lambda self: self.roads.cell[self._states])

    def _begin(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The roads are empty at first, so no random numbers are drawn."""
        going_on = ~which
        self._states = self._states * going_on[:, None]
        self.waited = self.waited * going_on[:, None]
        self.last_actions = self.last_actions * going_on[:, None]
        self.collided = self.collided & going_on[:, None]
        self.failed, self.ages = self.failed & going_on, self.ages * going_on
        self.ended = self.ended & going_on
        counts = cars_at(self.roads.place[self._states], self._n_places)
        return observe(self._views, self._states, self.last_actions, counts)

    def _advance(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """``terminated[e, i]``: the car in slot i has left. ``rewards[e, i]`` is 0 then, or that of the car that took the slot.

        Draws the same random numbers whatever the cars do: worlds that are stepped with equal generators see the same
        arrivals, as long as no car is refused for want of a slot.
        """
        self._states, left = drive_on(self._states, actions, self.roads.leaves)
        stayed = self._states > 0
        self.waited = (self.waited + 1) * stayed
        self.last_actions = np.where(stayed, actions, self.last_actions)
        self._let_arrive(*rng.random((3, len(self.level.entries), self.n_worlds)))
        places = self.roads.place[self._states]
        counts = cars_at(places, self._n_places)
        self.collided = look_up(counts, places) > 1
        self.failed = self.failed | self.collided.any(axis=1)
        self.ages = self.ages + 1
        self.ended = self.ages >= self.time_limit
        return BatchedStep(
            observe(self._views, self._states, self.last_actions, counts),
            junction_rewards(self.waited, self.collided),
            left,
            self.ended.copy(),
            self.ended.copy(),
        )

    def _let_arrive(self, arrival: np.ndarray, slot: np.ndarray, way: np.ndarray) -> None:
        """Put new cars on the roads; ``[R, E]`` random numbers decide whether, in which slot, and on which route."""
        arrives = arrival < self.arrival_rate
        for entry, routes in enumerate(self.roads.routes_from):
            worlds = np.flatnonzero(arrives[entry])
            if not len(worlds):
                continue
            free = self._states[worlds] == 0
            room = free.sum(axis=1)
            worlds, free, room = worlds[room > 0], free[room > 0], room[room > 0]
            chosen = nth_free(free, (slot[entry, worlds] * room).astype(int))
            route = routes[(way[entry, worlds] * len(routes)).astype(int)]
            self._states[worlds, chosen] = self.roads.first_state[route]
            if self.clean_observations:
                self.last_actions[worlds, chosen] = GAS


def drive_on(
    states: np.ndarray, actions: np.ndarray, leaves: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """States ``[E, n]`` after the cars have moved, and which cars have left the road.

    Gas leads to the next cell of the route, whoever stands there; the state's number grows by 1. From a route's last cell,
    ``leaves[S]``, it leads off the road, to state 0. Brake keeps the place.
    """
    moving = (states > 0) & (actions == GAS)
    left = moving & leaves[states]
    return np.where(left, 0, states + moving), left


def junction_rewards(waited: np.ndarray, collided: np.ndarray) -> np.ndarray:
    """``[E, n]``: -0.01 τ, with τ the steps since the car arrived, and -10 more in each step in which it shares a cell."""
    return 0.0 - DELAY_COST * waited - COLLISION_COST * collided


def nth_free(free: np.ndarray, n: np.ndarray) -> np.ndarray:
    """``[K]``: in each row of ``free[K, N]`` the position of the True that has ``n[K]`` others before it."""
    return (free.cumsum(axis=1) > n[:, None]).argmax(axis=1)


class Views(NamedTuple):
    """Tables from which observations of d numbers are put together, V of them for each of the w² cells of the window.

    fixed ``[S, d]`` float32    what follows from a car's route and position alone; zeros for state 0, "no car"
    window ``[S, w²]``          which places lie in the window of a car in each state, 0 for cells without road
    counts                      the entries that count the cars in each cell of the window
    """

    fixed: np.ndarray
    window: np.ndarray
    counts: slice


def cell_classes(level: Level, clean: bool) -> tuple[np.ndarray, int]:
    """The class ``[size, size]`` of each cell, and how many there are, as Singh et al. (2019) number them.

    First come the cells of the rows that are lanes, then those of the columns, road by road; a crossing has the number
    from its column. The next class is "outside", for cells without road; one class is spare; the last counts cars.

    The original reserves 2 · 6 classes for the lanes of the easy level, as if they had 6 cells; they have 7. So cell
    (5, 3) is in class 12, "outside". ``clean`` gives it the class of the crossing's row, which is not in use otherwise.
    """
    n_lanes = len(level.lanes)
    outside = 2 * n_lanes * (level.size - level.size % 2)
    classes = np.full((level.size, level.size), outside)
    classes[level.lanes, :] = np.arange(n_lanes * level.size).reshape(n_lanes, -1)
    width = min(n_lanes, 2)  # a road has one lane or two
    for road, columns in enumerate(np.reshape(level.lanes, (-1, width))):
        first = (n_lanes + road * width) * level.size
        classes[:, columns] = first + np.arange(width * level.size).reshape(-1, width)
    if clean and level.size % 2:
        crossing = level.lanes[0]
        classes[outside - level.size, crossing] = crossing
    return classes, outside + 3


@cache
def views(level: Level, vision: int, clean: bool) -> Views:
    """The tables of ``level`` for cars that see ``vision`` cells far to each side, made once and not to be written to."""
    roads = network(level)
    classes, n_classes = cell_classes(level, clean)
    outside, width = classes[0, 0], 2 * vision + 1
    cells = roads.cell[1:, :, None] + np.arange(width)  # in a grid with ``vision`` cells of margin
    rows, columns = cells[:, 0, :, None], cells[:, 1, None, :]
    seen = np.pad(classes, vision, constant_values=outside)[rows, columns]
    window = np.pad(roads.place_at, vision)[rows, columns]
    n_states, n_seen = len(roads.route), width * width
    fixed = np.zeros((n_states, 2 + n_seen * n_classes), dtype=np.float32)
    fixed[1:, 1] = roads.route[1:] / (len(roads.routes) - 1)
    fixed[1:, 2:] = np.eye(n_classes, dtype=np.float32)[seen].reshape(n_states - 1, -1)
    window = np.concatenate([np.zeros((1, n_seen), dtype=int), window.reshape(-1, n_seen)])
    tables = Views(fixed, window, slice(1 + n_classes, None, n_classes))
    for table in tables[:2]:
        table.setflags(write=False)
    return tables


def cars_at(places: np.ndarray, n_places: int) -> np.ndarray:
    """``[E, n_places]``: how many cars stand in each place, from the ``places[E, n]`` of all cars; none in place 0."""
    offset = np.arange(len(places))[:, None] * n_places
    counts = np.bincount((places + offset).ravel(), minlength=len(places) * n_places)
    counts = counts.reshape(len(places), n_places)
    counts[:, 0] = 0
    return counts


def look_up(counts: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``counts[e, p]`` for every place p in ``places[E, ...]`` of world e."""
    offset = np.arange(len(counts)).reshape(-1, *(1,) * (places.ndim - 1)) * counts.shape[1]
    return counts.take(places + offset)


def observe(tables: Views, states: np.ndarray, last_actions: np.ndarray, counts: np.ndarray):
    """``[E, n, d]`` float32: what cars in ``states[E, n]`` see, with ``counts[E, C+1]`` cars in the C places.

    An observation is (last action, route / (M - 1), window); the window has one unit vector for the class of each of its
    cells, row by row, whose last entry is the number of cars there, the observer included. No car sees zeros.
    """
    observations = tables.fixed.take(states, axis=0)
    observations[..., 0] = last_actions * (states > 0)
    observations[..., tables.counts] = look_up(counts, tables.window.take(states, axis=0))
    return observations


def never_brake(worlds: TrafficJunction, observations: np.ndarray | None = None) -> np.ndarray:
    """Actions ``[E, n]``: gas in every slot, whatever happens. Who succeeds no more often than this has learned nothing."""
    worlds = as_kind("worlds", worlds, TrafficJunction)
    return np.full((worlds.n_worlds, worlds.n_agents), GAS)


def full_information_rule(
    worlds: TrafficJunction, observations: np.ndarray | None = None
) -> np.ndarray:
    """Actions ``[E, n]`` of a traffic control that sees all cars: of those that want one cell, the longest on the road goes.

    Cars that share no cell now share none after they have moved. What is left are cars hit on the first cell of their route
    by a new arrival: the rule does not look that far ahead.
    """
    worlds = as_kind("worlds", worlds, TrafficJunction)
    place, states = worlds.roads.place, worlds.local_states
    after, _ = drive_on(states, never_brake(worlds), worlds.roads.leaves)
    priority = worlds.waited * worlds.n_agents + np.arange(worlds.n_agents)  # no two are equal
    return np.where(reserve(place[states], place[after], priority), GAS, BRAKE)


def reserve(here: np.ndarray, ahead: np.ndarray, priority: np.ndarray) -> np.ndarray:
    """``[E, n]`` booleans: who may drive from place ``here`` to place ``ahead``, so that no two come to the same place.

    All arguments ``[E, n]``; place 0 is off the road and has room for everyone; priorities of a world differ. At first all
    may go. Then, until nothing changes: of those who claim the same place, the one who stays there keeps it, otherwise the
    one with the highest ``priority``; the others must stay, and so claim the place where they are.
    """
    goes = np.ones(here.shape, dtype=bool)
    while True:
        claimed = np.where(goes, ahead, here)
        rank = np.where(goes, priority, np.iinfo(priority.dtype).max)
        same = (claimed[:, :, None] == claimed[:, None, :]) & (claimed[:, :, None] > 0)
        beaten = goes & (same & (rank[:, None, :] > rank[:, :, None])).any(axis=2)
        if not beaten.any():
            return goes
        goes = goes & ~beaten
