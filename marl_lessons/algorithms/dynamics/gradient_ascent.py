"""Gradient ascent on the expected payoff, in games of two agents with two actions each. Lessons 03 and 05.

A pair of strategies is a point (α, β) of the unit square: the probabilities with which agent 0 and agent 1 take their
FIRST action (Singh, Kearns & Mansour 2000, "Nash convergence of gradient dynamics in general-sum games"; Albrecht et al.
2024, Sec. 6.4).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import expm

from marl_lessons.checks import as_count, as_float_array, as_number
from marl_lessons.envs.games.matrix_games import payoffs_of

# The largest products of payoff and step that are computed with: beyond them the results would be rounding errors.
LARGEST_STEP = {"euler": 1e6, "exact": 2.0}


def gradient_ascent(
    game,
    points,
    step_size: float,
    n_steps: int,
    method: str = "euler",
    win_rate: float = 1.0,
    lose_rate: float = 1.0,
    equilibrium=None,
) -> np.ndarray:
    """``points[T+1, ..., 2]``: T = ``n_steps`` steps of gradient ascent from each of the points ``points[..., 2]``.

    ``method="euler"``: a step of κ = ``step_size`` times the gradient, then the nearest point of the square.
    ``method="exact"``: infinitesimal gradient ascent (IGA), the limit of ever smaller steps. Inside the square the solution
    of the differential equations is followed exactly for the time ``step_size``, and then the nearest point of the square
    is taken. Along the border, and where rates change, the error is of the order of ``step_size``.
    ``win_rate``, ``lose_rate``: factors of an agent's step while it is winning, and otherwise. If they differ, the method
    is WoLF-IGA (win or learn fast: Bowling & Veloso 2002, "Multiagent learning using a variable learning rate"), and
    needs an ``equilibrium``, the point ``[2]``, to tell who is winning (:func:`is_winning`).
    """
    payoffs = payoffs_of(game, n_agents=2)
    if payoffs.shape != (2, 2, 2):
        raise ValueError(f"game: has {payoffs.shape[1:]} actions; allowed are two for each agent")
    start = _checked_points("points", points, (..., 2))
    n_steps = as_count("n_steps", n_steps)
    if method not in ("euler", "exact"):
        raise ValueError(f"method is {method!r:.80}; allowed are 'euler' and 'exact'")
    step_size = as_number("step_size", step_size, 0.0, 1e6, open_low=True)
    win_rate = as_number("win_rate", win_rate, 0.0, 1e6)
    lose_rate = as_number("lose_rate", lose_rate, 0.0, 1e6)
    largest = max(win_rate, lose_rate) * np.abs(payoffs).max()
    if step_size * largest > LARGEST_STEP[method]:
        raise ValueError(
            f"step_size is {step_size}; allowed with these payoffs and rates and method={method!r} is a number up to "
            f"{LARGEST_STEP[method] / largest:.3g}"
        )
    if equilibrium is not None:
        equilibrium = _checked_points("equilibrium", equilibrium, (2,))
    elif win_rate != lose_rate:
        raise ValueError(
            "equilibrium: needed to tell who is winning, where win_rate and lose_rate differ; give its point (α, β)"
        )
    # What belongs to an agent that is not winning, and to one that is: a boolean is the index.
    steps = step_size * np.array([lose_rate, win_rate])
    if method == "exact":  # [2, 2, 3, 3]: one flow for each answer to who is winning
        flows = np.array([[exact_flow(payoffs, (a, b)) for b in steps] for a in steps])
    path = np.empty((n_steps + 1, *start.shape))
    path[0] = start
    winning = np.zeros(start.shape, dtype=np.intp)
    for k, now in enumerate(path[:-1]):
        if win_rate != lose_rate:
            winning = is_winning(payoffs, now, equilibrium).astype(np.intp)
        if method == "exact":
            flow = flows[winning[..., 0], winning[..., 1]]
            carried = (flow[..., :2, :2] @ now[..., None])[..., 0] + flow[..., :2, 2]
        else:
            gradient = payoff_gradient(payoffs, now[..., 0], now[..., 1])
            carried = now + steps[winning] * gradient
        path[k + 1] = np.clip(carried, 0.0, 1.0)
    return path


def payoff_gradient(payoffs: np.ndarray, alpha, beta) -> np.ndarray:
    """``[..., 2]``: how fast each agent's expected payoff grows with its own probability, ∂U_0/∂α and ∂U_1/∂β.

    They are β u + (r_12 - r_22) and α u' + (c_21 - c_22), where u = r_11 - r_12 - r_21 + r_22 and u' likewise, for
    ``payoffs[2, 2, 2]``, the matrices r and c (Albrecht et al. 2024, Sec. 6.4.1). ``alpha``, ``beta``: numbers or ``[...]``.
    """
    r, c = payoffs
    u_0 = r[0, 0] - r[0, 1] - r[1, 0] + r[1, 1]
    u_1 = c[0, 0] - c[0, 1] - c[1, 0] + c[1, 1]
    slope_0 = beta * u_0 + (r[0, 1] - r[1, 1])
    slope_1 = alpha * u_1 + (c[1, 0] - c[1, 1])
    return np.stack([slope_0, slope_1], axis=-1)


def is_winning(payoffs: np.ndarray, points: np.ndarray, equilibrium: np.ndarray) -> np.ndarray:
    """``[..., 2]`` booleans: whether each agent earns more than its equilibrium strategy would (Bowling & Veloso 2002).

    Both are measured against the other's present strategy. As the payoff is linear in α, the difference is
    U_0(α, β) - U_0(α*, β) = (α - α*) ∂U_0/∂α, and likewise for agent 1. ``points[..., 2]``, ``equilibrium[2]``.
    """
    gradient = payoff_gradient(payoffs, points[..., 0], points[..., 1])
    return (points - equilibrium) * gradient > 0


def exact_flow(payoffs: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """``[3, 3]``: the matrix that maps (α, β, 1) to where the gradient carries it, if nothing is in the way.

    ``steps[2]``: time multiplied by each agent's rate. The gradient is affine in (α, β). With a 1 as third coordinate the
    differential equations are linear, and a matrix exponential solves them.
    """
    constant = payoff_gradient(payoffs, 0.0, 0.0)
    per_alpha = payoff_gradient(payoffs, 1.0, 0.0) - constant
    per_beta = payoff_gradient(payoffs, 0.0, 1.0) - constant
    rates = np.stack([per_alpha, per_beta, constant], axis=1) * np.reshape(steps, (2, 1))
    return expm(np.vstack([rates, np.zeros(3)]))


def _checked_points(name: str, value, shape) -> np.ndarray:
    points = as_float_array(name, value, shape)
    if ((points < 0) | (points > 1)).any():
        raise ValueError(f"{name}: every coordinate is a probability; allowed are 0 to 1")
    return points
