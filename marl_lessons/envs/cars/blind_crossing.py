"""The blind crossing: two cars come to one crossing, and each sees only how far away it is itself. Lesson 10.

The whole problem is a small Markov game, :func:`blind_crossing_game`. What makes it hard is what a driver does not see.
"""

from __future__ import annotations

import numpy as np

from marl_lessons.checks import as_count
from marl_lessons.envs.cars.two_cars import GO
from marl_lessons.envs.markov_game import MarkovGame, single_rewards
from marl_lessons.envs.stepping import BatchedStep, Worlds, one_hot

AWAY, ON_THE_CROSSING = 0, 1  # places; place 1 + d is d cells before the crossing
FARTHEST = 30  # cells; the game's tables grow with the fourth power


def drive(place: int, action: int) -> int:
    """Where a car at ``place`` is one second later: on the crossing it drives off it, whatever its ``action``."""
    moves = place == ON_THE_CROSSING or (place > ON_THE_CROSSING and action == GO)
    return place - 1 if moves else place


def meet(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether two cars meet on the crossing in a second that leads from places ``before`` to ``after``.

    They do if one drives onto the crossing while the other drives onto it or off it.
    """
    uses = [ON_THE_CROSSING in car for car in zip(before, after)]
    return all(uses)


def blind_crossing_game(
    distance: int = 6,
    crash_reward: float = -10.0,
    pass_reward: float = 10.0,
    step_reward: float = -1.0,
    discount: float = 1.0,
) -> MarkovGame:
    """Two cars, 1 to ``distance`` cells before the same crossing, never equally far at first; all such starts alike.

    ``GO`` (1) carries a car one cell ahead, ``WAIT`` (0) leaves it where it is. From its last cell a car drives onto the
    crossing and gets ``pass_reward``; one second later it drives off it, whatever it does, and is away. So two cars must
    drive onto the crossing two seconds apart, or more. If not they crash: ``crash_reward`` each, and the episode ends; the
    car that has just entered gets no ``pass_reward``, the one that entered a second before keeps its own. It also ends when
    both are away. Each second costs ``step_reward`` to every car that is before the crossing when the second begins.

    A car's place is 0 (away), 1 (on the crossing) or 1 + d (d cells to go). States are numbered so that
    ``v[:-1].reshape(distance + 2, distance + 2)`` is a table by both cars' places; the last state is "crashed".
    Not every policy ends an episode: with ``discount`` 1 use a time limit.
    """
    distance = as_count("distance", distance, low=2)
    if distance > FARTHEST:
        raise ValueError(f"distance is {distance}; allowed are 2 to {FARTHEST}")
    crash, passing, step = single_rewards(
        crash_reward=crash_reward, pass_reward=pass_reward, step_reward=step_reward
    )
    shape = (distance + 2, distance + 2)
    crashed = shape[0] * shape[1]
    transition = np.zeros((crashed + 1, 2, 2, crashed + 1))
    reward = np.zeros((2, crashed + 1, 2, 2))
    for state, before in enumerate(np.ndindex(shape)):
        for actions in np.ndindex(2, 2):
            after = tuple(drive(place, action) for place, action in zip(before, actions))
            crash_here = meet(before, after)
            target = crashed if crash_here else np.ravel_multi_index(after, shape)
            transition[(state, *actions, target)] = 1.0
            for car in range(2):
                enters = after[car] == ON_THE_CROSSING
                paid = crash if crash_here else passing * enters
                reward[(car, state, *actions)] = paid + step * (before[car] > ON_THE_CROSSING)
    transition[crashed, ..., crashed] = 1.0
    terminal = np.zeros(crashed + 1, dtype=bool)
    terminal[[0, crashed]] = True
    reward[:, terminal] = 0.0
    cells = range(2, distance + 2)
    starts = [int(np.ravel_multi_index((a, b), shape)) for a in cells for b in cells if a != b]
    initial = np.zeros(crashed + 1)
    initial[starts] = 1 / len(starts)
    words = ("away", "on the crossing", *(f"{d} to go" for d in range(1, distance + 1)))
    return MarkovGame(
        transition,
        reward,
        discount,
        initial,
        terminal,
        episodic=True,
        state_names=(*(f"car 0 {words[a]}, car 1 {words[b]}" for a, b in np.ndindex(shape)), "crashed"),
        action_names=(("wait", "go"),) * 2,
        name="blind crossing",
    )  # fmt: skip


class BlindCrossing(Worlds):
    """E copies of :func:`blind_crossing_game` in which each car sees its own place and nothing of the other.

    An observation is the car's cells to go as a one-hot vector ``[distance + 1]``, entry 0 for a car on the crossing; zeros
    for a car that is away. A car that drives off the crossing has ``terminated``; a crash terminates both. After
    ``time_limit`` seconds an episode is truncated, since cars that wait for each other would wait for ever.

    Cars that never wait crash if they start one cell apart. A car that could tell whether the other is nearer would give way
    and lose a second, no more. But two drivers with the same habits who know their own distance alone cannot agree on who
    waits. Starts at equal distance are left out: which of two equal cars is nearer has no answer, so no report
    of distances could settle it. They still arise if the nearer car waits.

    Besides the protocol :class:`~marl_lessons.envs.stepping.BatchedWorlds`, to be read, not written: ``game``,
    ``time_limit`` and:
    distances ``[E, n]``     cells to go, 0 on the crossing, -1 away
    local_states ``[E, n]``  the same plus 1, numbers below ``n_local_states`` = distance + 2
    crashed ``[E]``          the two have crashed in this episode
    """

    def __init__(
        self,
        n_worlds: int = 1,
        *,
        distance: int = 6,
        crash_reward: float = -10.0,
        pass_reward: float = 10.0,
        step_reward: float = -1.0,
        time_limit: int = 20,
    ):
        """Rewards and ``distance`` as in :func:`blind_crossing_game`."""
        game = blind_crossing_game(distance, crash_reward, pass_reward, step_reward)
        super().__init__(game, n_worlds, as_count("time_limit", time_limit))
        self.n_local_states = int(distance) + 2
        self.observation_sizes = (self.n_local_states - 1,) * 2

    @property
    def local_states(self) -> np.ndarray:
        """``[E, 2]``: each car's place: 0 away, 1 on the crossing (also after a crash), 1 + d with d cells to go."""
        states = np.where(self.crashed, 0, self.states)
        places = np.stack(np.divmod(states, self.n_local_states), axis=1)
        return np.where(self.crashed[:, None], ON_THE_CROSSING, places)

    @property
    def distances(self) -> np.ndarray:
        """``[E, 2]``: cells to go, 0 on the crossing (also after a crash), -1 away."""
        return self.local_states - 1

    @property
    def crashed(self) -> np.ndarray:
        """``[E]`` booleans: the two have crashed."""
        return self.states == self.game.n_states - 1

    @property
    def active(self) -> np.ndarray:
        """``[E, 2]`` booleans: which cars are not away yet; none if the episode is over."""
        return (self.local_states > AWAY) & ~self.ended[:, None]

    def _begin(self, which: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        super()._begin(which, rng)
        return self._observations()

    def _advance(self, actions: np.ndarray, rng: np.random.Generator) -> BatchedStep:
        taking_part = self.active
        _, rewards, _, truncated = super()._advance(actions, rng)
        gone = taking_part & ((self.local_states == AWAY) | self.crashed[:, None])
        return BatchedStep(self._observations(), rewards, gone, truncated, self.ended)

    def _observations(self) -> np.ndarray:
        return one_hot(self.distances, self.n_local_states - 1)
