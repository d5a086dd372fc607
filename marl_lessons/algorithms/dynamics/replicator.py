"""Replicator dynamics: in each of two populations, a strategy grows by as much as it earns above the average. Lesson 03.

(Taylor & Jonker 1978; Hofbauer & Sigmund 1998, "Evolutionary Games and Population Dynamics".) Time is measured in units in
which a strategy that earns 1 above the average grows at rate 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from marl_lessons.algorithms.tables.rules import boltzmann_policy
from marl_lessons.checks import as_number
from marl_lessons.envs.games.matrix_games import Strategies, check_strategies, payoffs_of
from marl_lessons.results import short_repr

MOST_STEPS = 10_000_000
# Three Verlet steps of these lengths make one step of order 4 (Yoshida 1990, Phys. Lett. A 150).
OUTER = 1 / (2 - 2 ** (1 / 3))
YOSHIDA = (OUTER, 1 - 2 * OUTER, OUTER)
FINEST = 0.02  # the largest product of the integrator's step and the range of the payoffs


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Two populations over time: K+1 moments.

    times ``[K+1]``: from 0 to the duration, at equal distances.
    strategies: ``([K+1, A_0], [K+1, A_1])``, the shares of the strategies in each population.
    """

    times: np.ndarray
    strategies: tuple[np.ndarray, np.ndarray]

    __repr__ = short_repr


@np.errstate(under="ignore")  # a share may become 0
def replicator(
    game, start: Strategies, duration: float, step: float = 0.01, method: str = "symplectic"
) -> Trajectory:
    """Follow the replicator dynamics of a game of two agents from ``start``, one strategy ``[A_i]`` per agent.

    ``duration`` is divided into the fewest equal steps that are no longer than ``step``; each is recorded.
    ``method="symplectic"``: steps in the logarithms of the shares (:func:`verlet_step`), of order 4, divided further where
    the payoffs are so large that accuracy demands it. What the dynamics conserve stays constant up to a small error that
    does not grow with time. A share of 0 stays 0.
    ``method="euler"``: one naive step on the shares themselves (:func:`euler_step`). Its error does grow with time.
    """
    payoffs = payoffs_of(game, n_agents=2)
    start = check_strategies(payoffs.shape[1:], start, name="start")
    if method not in ("symplectic", "euler"):
        raise ValueError(f"method is {method!r:.80}; allowed are 'symplectic' and 'euler'")
    duration = as_number("duration", duration, 0.0, 1e9, open_low=True)
    step = as_number("step", step, duration / MOST_STEPS, 1e9)
    n_steps = math.ceil(duration / step * (1 - 1e-12))  # rounding must not add a step
    times = np.linspace(0.0, duration, n_steps + 1)
    if method == "symplectic":
        return Trajectory(times, _symplectic(payoffs, start, n_steps, duration / n_steps))
    path = [tuple(start)]
    for _ in range(n_steps):
        path.append(euler_step(payoffs, path[-1], duration / n_steps))
    x, y = (np.array(shares) for shares in zip(*path))
    return Trajectory(times, (x, y))


def replicator_field(
    payoffs: np.ndarray, strategies: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """``([A_0], [A_1])``: dx/dt and dy/dt for ``payoffs[2, A_0, A_1]`` and shares x = ``strategies[0]``, y likewise.

    dx_a/dt = x_a [ (Ay)_a - x·Ay ], and likewise for y (Hofbauer & Sigmund 1998, Ch. 10).
    """
    x, y = strategies
    earned_x = payoffs[0] @ y
    earned_y = x @ payoffs[1]
    return x * (earned_x - x @ earned_x), y * (earned_y - y @ earned_y)


def euler_step(payoffs: np.ndarray, strategies: Strategies, step: float) -> list[np.ndarray]:
    """The naive step x + h dx/dt; where a share leaves [0, 1] it is cut off, and the shares are made to sum to 1.

    That happens only where ``step`` times what a strategy earns below the average exceeds 1.
    """
    result = []
    for shares, change in zip(strategies, replicator_field(payoffs, strategies)):
        shares = np.clip(shares + step * change, 0.0, 1.0)
        result.append(shares / shares.sum())
    return result


def softmax(logits: np.ndarray) -> np.ndarray:
    """``[..., A]``: shares proportional to exp(logits): Boltzmann exploration at temperature 1."""
    return boltzmann_policy(logits, 1.0)


def verlet_step(
    payoffs: np.ndarray, u: np.ndarray, v: np.ndarray, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """One Störmer-Verlet step of order 2 for the logits u of x and v of y.

    With x = softmax(u), the replicator dynamics are du/dt = Ay + c(t), where c(t), the same for all strategies, has no
    effect on x and is left out. So u changes by what depends on v alone, and v by what depends on u alone: each can be
    moved exactly while the other rests (Hairer, Lubich & Wanner 2006, "Geometric Numerical Integration", Sec. I.1.4).
    """
    u = u + step / 2 * (payoffs[0] @ softmax(v))
    v = v + step * (softmax(u) @ payoffs[1])
    u = u + step / 2 * (payoffs[0] @ softmax(v))
    return u, v


def conserved_quantity(trajectory: Trajectory, equilibrium: Strategies) -> np.ndarray:
    """``[K+1]``: H = Σ_a p_a ln x_a + Σ_b q_b ln y_b along a trajectory, for the equilibrium (p, q).

    In a zero-sum game with an interior equilibrium the dynamics conserve it (Hofbauer & Sigmund 1998, Ch. 11). It is
    largest at the equilibrium, and -inf where a strategy that the equilibrium uses has share 0.
    """
    n_actions = tuple(shares.shape[1] for shares in trajectory.strategies)
    equilibrium = check_strategies(n_actions, equilibrium, name="equilibrium")
    for i, probabilities in enumerate(equilibrium):
        if not probabilities.all():
            raise ValueError(f"equilibrium[{i}] holds a 0; every probability must be positive")
    with np.errstate(divide="ignore"):
        x, y = (np.log(shares) for shares in trajectory.strategies)
    return x @ equilibrium[0] + y @ equilibrium[1]


def _symplectic(payoffs, start, n_steps: int, step: float) -> tuple[np.ndarray, np.ndarray]:
    # Subtracting what an agent's actions earn on average moves all its logits alike, and keeps them from growing.
    centred = np.stack([payoffs[i] - payoffs[i].mean(axis=i, keepdims=True) for i in (0, 1)])
    n_parts = math.ceil(max(1.0, step * np.ptp(centred, axis=(1, 2)).max() / FINEST))
    if n_steps * n_parts > MOST_STEPS:
        raise ValueError(
            f"duration: {step * n_steps} takes {n_steps * n_parts} steps with payoffs as large as these; allowed are "
            f"at most {MOST_STEPS}"
        )
    u, v = (np.empty((n_steps + 1, len(shares))) for shares in start)
    with np.errstate(divide="ignore"):  # the logarithm of a share of 0 is -inf, and stays so
        u[0], v[0] = (np.log(shares) for shares in start)
    lengths = [weight * step / n_parts for weight in YOSHIDA] * n_parts
    for k in range(n_steps):
        now = u[k], v[k]
        for length in lengths:
            now = verlet_step(centred, *now, length)
        u[k + 1], v[k + 1] = now
    return softmax(u), softmax(v)
