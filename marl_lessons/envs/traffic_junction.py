"""The Traffic Junction of CommNet and IC3Net: cars that see little, on roads that cross, and many worlds at once."""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import (
    as_count,
    as_flag,
    as_flags,
    as_generator,
    as_indices,
    as_number,
)
from marl_lessons.envs.batched import BatchedStep, check_going_on
from marl_lessons.envs.traffic_routes import LEVELS, network
from marl_lessons.envs.traffic_views import cars_at, look_up, observe, views

GAS, BRAKE = 0, 1
DELAY_COST, COLLISION_COST = 0.01, 10.0
# Cells; from 3 on, the original lets cars of the easy level see where absent cars are kept.
FARTHEST = 2


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


class TrafficJunction:
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

    An observation is [last action, route / (M - 1), window]: see :func:`~marl_lessons.envs.traffic_views.observe`. The
    window shows (2 · vision + 1)² cells. Sizes for vision 0 and 1: easy 17 and 137, medium 61 and 533, hard 149 and 1,325.

    Besides the protocol :class:`~marl_lessons.envs.batched.BatchedWorlds`, to be read, not written, ``level`` and:
    local_states ``[E, n]``  route and position of each car as one number below ``n_local_states``, 0 where there is no car;
                             ``roads`` has the tables. A car of vision 0 sees besides its last action, and whether it has
                             collided
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
        """``level``: "easy", "medium" or "hard"; ``vision``: 0 to 2 cells. None: as the level has it, see :data:`LEVELS`.

        Raises ValueError naming the argument.
        """
        if not isinstance(level, str) or level not in LEVELS:
            raise ValueError(f"level is {level!r:.80}; allowed are {', '.join(LEVELS)}")
        self.level = LEVELS[level]
        self.n_worlds, self.vision = as_count("n_worlds", n_worlds), as_count("vision", vision, 0)
        if self.vision > FARTHEST:
            raise ValueError(f"vision is {vision}; allowed are 0 to {FARTHEST}")
        self.arrival_rate = self.level.final_rate if arrival_rate is None else arrival_rate
        self.n_agents = self.level.max_cars if max_cars is None else as_count("max_cars", max_cars)
        self.time_limit = (
            self.level.time_limit if time_limit is None else as_count("time_limit", time_limit)
        )
        self.clean_observations = as_flag("clean_observations", clean_observations)
        self.roads = network(self.level)
        self._views = views(self.level, self.vision, self.clean_observations)
        self.n_actions = (2,) * self.n_agents
        self.observation_sizes = (self._views.fixed.shape[1],) * self.n_agents
        self.n_local_states = len(self.roads.route)
        self._n_places = 1 + int(self.roads.place_at.max())
        nobody = np.zeros((self.n_worlds, self.n_agents), dtype=int)
        self._states, self.waited, self.last_actions = nobody, nobody, nobody
        self.collided, self.failed = nobody > 0, np.zeros(self.n_worlds, dtype=bool)
        self.ages, self.ended = np.zeros(self.n_worlds, dtype=int), ~self.failed

    @property
    def arrival_rate(self) -> float:
        """Probability of an arrival per entry and step. It may be changed at any time."""
        return self._arrival_rate

    @arrival_rate.setter
    def arrival_rate(self, value: float) -> None:
        """Change the rate from the next step on; raises ValueError if it is not in [0, 1]."""
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

    @property
    def route(self) -> np.ndarray:
        """``[E, n]``: the number of each car's route, -1 without a car."""
        return self.roads.route[self._states]

    @property
    def progress(self) -> np.ndarray:
        """``[E, n]``: how many cells of its route lie behind each car, -1 without a car."""
        return self.roads.progress[self._states]

    @property
    def cells(self) -> np.ndarray:
        """``[E, n, 2]``: row and column of each car, -1 without a car."""
        return self.roads.cell[self._states]

    def reset(self, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in every world; returns the observations ``[E, n, d]``. Raises ValueError naming ``rng``."""
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Begin a new episode in the worlds where ``which[E]`` is True; returns all observations ``[E, n, d]``.

        The roads are empty at first, so no random numbers are drawn. Raises ValueError naming ``which`` or ``rng``.
        """
        which, _ = as_flags("which", which, self.n_worlds), as_generator("rng", rng)
        going_on = ~which
        self._states = self._states * going_on[:, None]
        self.waited = self.waited * going_on[:, None]
        self.last_actions = self.last_actions * going_on[:, None]
        self.collided = self.collided & going_on[:, None]
        self.failed, self.ages = self.failed & going_on, self.ages * going_on
        self.ended = self.ended & going_on
        counts = cars_at(self.roads.place[self._states], self._n_places)
        return observe(self._views, self._states, self.last_actions, counts)

    def step(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        """Advance every world by the joint actions ``[E, n]``. ``terminated[e, i]``: the car in slot i has left the road.

        Then ``rewards[e, i]`` is 0, or the reward of the car that has taken its slot in this very step.

        Draws the same random numbers whatever the cars do: worlds that are stepped with equal generators see the same
        arrivals, as long as no car is refused for want of a slot. Raises ValueError naming ``actions`` or ``rng``, and for
        worlds that have ended and were not begun again.
        """
        rng = as_generator("rng", rng)
        actions = as_indices("actions", actions, (self.n_worlds, self.n_agents), 2)
        check_going_on(self.ended)
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


def check_junction(name: str, world) -> TrafficJunction:
    """Return a Traffic Junction as it is; raises ValueError naming ``name`` for anything else."""
    if not isinstance(world, TrafficJunction):
        raise ValueError(f"{name}: expected a TrafficJunction, got {world!r:.80}")
    return world
