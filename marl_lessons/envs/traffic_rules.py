"""Two ways to drive through the Traffic Junction without learning: the yardsticks of every learner.

Both take ``observations`` that they do not look at, so that they can be given as ``act`` to
``play_episodes`` or ``junction_frames``.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.envs.traffic_junction import (
    BRAKE,
    GAS,
    TrafficJunction,
    check_junction,
    drive_on,
)


def never_brake(world: TrafficJunction, observations: np.ndarray | None = None) -> np.ndarray:
    """Actions ``[E, n]``: gas in every slot, whatever happens. Who succeeds no more often than this has learned nothing.

    Raises ValueError naming ``world`` if it is no Traffic Junction.
    """
    world = check_junction("world", world)
    return np.full((world.n_worlds, world.n_agents), GAS)


def full_information_rule(
    world: TrafficJunction, observations: np.ndarray | None = None
) -> np.ndarray:
    """Actions ``[E, n]`` of a traffic control that sees all cars: of those that want one cell, the longest on the road goes.

    Cars that share no cell now share none after they have moved. What is left are cars hit on the first cell of their route
    by a new arrival: the rule does not look that far ahead. Raises ValueError naming ``world`` if it is no Traffic Junction.
    """
    world = check_junction("world", world)
    place, states = world.roads.place, world.local_states
    after, _ = drive_on(states, never_brake(world), world.roads.leaves)
    priority = world.waited * world.n_agents + np.arange(world.n_agents)  # no two are equal
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
