"""Phase portraits of games with two actions each: where learning leads from every mixed strategy. Lesson 03."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.algorithms import fictitious_play, gradient_ascent
from marl_lessons.algorithms.dynamics.replicator import softmax
from marl_lessons.envs.games.catalogue import CATALOGUE
from marl_lessons.envs.games.matrix_games import matrix_game, payoffs_of
from marl_lessons.solvers import nash_equilibria
from marl_lessons.viz.games.matrix_games import best_response_marks
from marl_lessons.viz.style import BLACK, BLUE, GREEN, ORANGE, PINK, VERMILION, new_figure

CORNER_TINTS = np.array(  # where both play their first action, A its first and B its second, and so on; last: none
    [[[0.80, 0.90, 0.97], [0.99, 0.88, 0.78]], [[0.82, 0.94, 0.88], [0.95, 0.86, 0.93]]]
)
NOWHERE = np.array([0.95, 0.95, 0.95])
GRID, ROUNDS = 50, 1500
LEARNERS = ("replicator", "gradient, tiny steps", "WoLF, tiny steps", "fictitious play")
LEARNER_LINES = {
    "replicator": (BLACK, "-"),
    "gradient, tiny steps": (GREEN, "--"),
    "WoLF, tiny steps": (PINK, "-."),
    "fictitious play": (ORANGE, ":"),
}
TWO_BY_TWO = tuple(name for name, known in CATALOGUE.items() if known.game.n_actions == (2, 2))


def leads(payoffs: np.ndarray) -> np.ndarray:
    """``[2, 2]``: what A's first action earns more than its second against each action of B, and the same for B."""
    return np.stack([payoffs[0, 0] - payoffs[0, 1], payoffs[1, :, 0] - payoffs[1, :, 1]])


def basins(payoffs: np.ndarray, size: int = GRID) -> np.ndarray:
    """``[size, size, 3]`` colours: the corner that the replicator dynamics reach from each interior point, grey for none.

    Rows are car B's probability of its first action, columns car A's. Followed in logits by steps of Verlet's kind, until all
    points have arrived or ``ROUNDS`` steps are made. Without a pure equilibrium there is nowhere to arrive.
    """
    equilibria = best_response_marks(payoffs).all(axis=0)
    if not equilibria.any():
        return np.broadcast_to(NOWHERE, (size, size, 3))
    spread = np.ptp(payoffs) or 1.0
    lead_a, lead_b = 0.4 / spread * leads(payoffs)
    middle = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(*[np.log(middle / (1 - middle))] * 2)
    y = 1 / (1 + np.exp(-v))
    u = u - (lead_a[1] + (lead_a[0] - lead_a[1]) * y) / 2  # A moves half a step behind B
    for k in range(ROUNDS):
        y = 1 / (1 + np.exp(-v))
        u = np.clip(u + lead_a[1] + (lead_a[0] - lead_a[1]) * y, -40, 40)
        x = 1 / (1 + np.exp(-u))
        v = np.clip(v + lead_b[1] + (lead_b[0] - lead_b[1]) * x, -40, 40)
        if k % 50 == 49:
            second_a, second_b = (u < 0).astype(int), (v < 0).astype(int)
            arrived = (np.abs(u) > 5) & (np.abs(v) > 5) & equilibria[second_a, second_b]
            if arrived.all():
                break
    return np.where(arrived[..., None], CORNER_TINTS[second_a, second_b], NOWHERE)


def learner_path(payoffs: np.ndarray, learner: str, start: tuple[float, float]) -> np.ndarray:
    """``[K+1, 2]``: a learner's actual way from ``start``, both cars' probabilities of their first action.

    One of LEARNERS. Fictitious play: what each is believed to do, from 10 imagined rounds distributed as ``start``. WoLF
    needs to know an equilibrium and takes the one that mixes most; where there is only a pure one, that.
    """
    spread = np.ptp(payoffs) or 1.0
    point = np.array(start, dtype=float)
    mixed = np.stack([point, 1 - point], axis=1)
    if learner == "replicator":
        return _replicator_path(payoffs, np.log(mixed), 0.1 / spread, 600)
    if learner == "fictitious play":
        play = fictitious_play(payoffs, 400, counts=tuple(10 * mixed))
        beliefs = np.stack([b[:, 0] for b in play.beliefs()], axis=1)
        return np.concatenate([point[None], beliefs])
    step, n_steps = 0.02 / spread, 1500
    if learner == "gradient, tiny steps":
        return gradient_ascent(payoffs, point, step, n_steps, method="exact")
    target = np.array([s[0] for s in nash_equilibria(payoffs).equilibria[-1].strategies])
    return gradient_ascent(
        payoffs, point, step, n_steps, "exact", win_rate=0.5, lose_rate=2.0, equilibrium=target
    )


def _replicator_path(
    payoffs: np.ndarray, logits: np.ndarray, step: float, n_steps: int
) -> np.ndarray:
    """``[n_steps + 1, 2]``: the replicator dynamics from ``logits[2, 2]`` by steps of Runge and Kutta's method of order 4.

    Both cars move at the same time. Two that start alike thus stay alike, even where the slightest difference would grow,
    which the package's integrator cannot promise: it moves one after the other.
    """

    def slope(logits):
        x, y = softmax(logits)
        return np.stack([payoffs[0] @ y, x @ payoffs[1]])

    path = [logits]
    for _ in range(n_steps):
        k1 = slope(path[-1])
        k2 = slope(path[-1] + step / 2 * k1)
        k3 = slope(path[-1] + step / 2 * k2)
        k4 = slope(path[-1] + step * k3)
        path.append(path[-1] + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return softmax(np.array(path))[..., 0]


def draw_portrait(
    ax: Axes,
    payoffs: np.ndarray,
    paths: dict[str, np.ndarray],
    title: str,
    names: tuple[str, str] = ("first", "first"),
) -> None:
    """The unit square of two mixed strategies: ``paths``, equilibria (filled: pure, hollow: mixed), arrows and tints.

    Arrows are the replicator field, tints its basins, whatever learners ``paths`` belong to.

    ``paths[learner][K+1, 2]``; ``names``: the first action of A and of B, for the axes' labels.
    """
    ax.imshow(
        basins(payoffs), origin="lower", extent=(0, 1, 0, 1), interpolation="nearest", zorder=0
    )
    x, y = np.meshgrid(np.linspace(0.05, 0.95, 10), np.linspace(0.05, 0.95, 10))
    lead_a, lead_b = leads(payoffs)
    dx = x * (1 - x) * (lead_a[0] * y + lead_a[1] * (1 - y))
    dy = y * (1 - y) * (lead_b[0] * x + lead_b[1] * (1 - x))
    length = np.maximum(np.hypot(dx, dy), 1e-12)
    shown = length**0.35 / (length**0.35).max() / length  # short arrows stay visible
    ax.quiver(
        x, y, dx * shown, dy * shown, color="#8a8a8a", pivot="mid", scale=17, width=0.005, zorder=2
    )
    for learner, path in paths.items():
        colour, linestyle = LEARNER_LINES[learner]
        ax.plot(*path.T, color=colour, linestyle=linestyle, linewidth=1.5, label=learner, zorder=4)
    first = next(iter(paths.values()))[0]
    ax.plot(*first, "s", color="white", markeredgecolor=BLACK, markersize=6, zorder=6)
    for equilibrium in nash_equilibria(payoffs).equilibria:
        point = [s[0] for s in equilibrium.strategies]
        pure = all(p in (0.0, 1.0) for p in point)
        look = {"color": BLACK if pure else "white", "markeredgecolor": BLACK, "markersize": 8}
        ax.plot(*point, "o", markeredgewidth=1.8, clip_on=False, zorder=7, **look)
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
    ax.set(xlabel=f"A's probability of {names[0]}", ylabel=f"B's probability of {names[1]}")
    ax.set_title(title)
    ax.grid(False)


def draw_learner(
    game: str = "crossing", learner: str = "replicator", start_a: float = 0.3, start_b: float = 0.6
) -> Figure:
    """Widget: one learner's way through the portrait of a catalogued 2x2 game, and both cars' strategies over time."""
    chosen = CATALOGUE[game].game
    payoffs = payoffs_of(chosen)
    path = learner_path(payoffs, learner, (start_a, start_b))
    figure, (left, right) = new_figure(
        1, 2, size=(7.6, 3.7), left=0.09, right=0.98, top=0.9, bottom=0.14, wspace=0.25
    )
    names = tuple(actions[0] for actions in chosen.action_names)
    draw_portrait(left, payoffs, {learner: path}, game, names)
    share = np.linspace(0, 1, len(path))
    for k, (colour, linestyle, who) in enumerate(((BLUE, "-", "A"), (VERMILION, "--", "B"))):
        look = {"color": colour, "linestyle": linestyle, "label": f"{who} plays {names[k]}"}
        right.plot(share, path[:, k], **look)
    right.set(xlim=(0, 1), ylim=(-0.03, 1.03))
    right.set(xlabel="share of the time shown", ylabel="probability")
    right.set_title(f"ends at ({path[-1, 0]:.2f}, {path[-1, 1]:.2f})")
    right.legend(loc="best")
    return figure


def draw_any_game(
    a_first: float = -10.0, a_second: float = 3.0, b_first: float = -10.0, b_second: float = 3.0
) -> Figure:
    """Widget: the portrait of any game with two actions each, given by what the first action earns more than the second.

    ``a_first``: that difference for car A if B plays its first action, ``a_second`` if B plays its second; ``b_first``,
    ``b_second`` likewise for car B. Everything else in a payoff matrix moves no learner and no equilibrium.
    """
    payoffs = lead_payoffs(a_first, a_second, b_first, b_second)
    game = matrix_game(payoffs)
    found = nash_equilibria(game)
    paths = {
        name: learner_path(payoffs, name, (0.3, 0.6))
        for name in ("replicator", "gradient, tiny steps", "fictitious play")
    }
    figure, (ax,) = new_figure(size=(6.6, 3.9), left=0.02, right=0.72, top=0.9, bottom=0.14)
    pure = sum(all((s == 1).any() for s in e.strategies) for e in found.equilibria)
    text = f"{pure} pure, {len(found.equilibria) - pure} mixed"
    draw_portrait(ax, payoffs, paths, text + (" (degenerate: more)" if found.degenerate else ""))
    ax.legend(loc="center left", bbox_to_anchor=(1.04, 0.5))
    return figure


def lead_payoffs(a_first: float, a_second: float, b_first: float, b_second: float) -> np.ndarray:
    """``[2, 2, 2]``: a game in which the second action earns 0 and the first the given lead, against each action of the other."""
    return np.array([[[a_first, a_second], [0.0, 0.0]], [[b_first, 0.0], [b_second, 0.0]]])
