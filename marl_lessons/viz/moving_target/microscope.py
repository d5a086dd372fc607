"""The non-stationarity microscope: one agent's world at one moment of training, and its error all along. Lesson 05.

Above, what the agent's decisive actions lead to now and 200 steps ago, and what the partner does now. Below, over the whole
run: how far the world has moved, how wrong the agent's table is about it, and the same error of a twin whose partner stands
still where this one learns, or learns where this one stands still.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.algorithms import IndependentConfig
from marl_lessons.algorithms.tables.independent_q_plain import independent_q_one_seed
from marl_lessons.envs.cars.two_cars import two_cars, two_cars_state
from marl_lessons.envs.games.catalogue import speed_check
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.moving_target.own_world import OwnWorld, own_world
from marl_lessons.viz.curves import in_thousands, mark
from marl_lessons.viz.style import BLACK, BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, new_figure

MEMORY = 200  # steps that the microscope looks back, about what a step size of 0.02 remembers
EQUILIBRIUM = tuple(strategy[0] for strategy in speed_check().equilibria[0])  # speed, check


@dataclass(frozen=True, eq=False)
class Scene:
    """A game under the microscope, seen by agent 0.

    ``n_steps`` long, with a record every ``every`` steps; ``step_sizes`` and ``temperatures`` of agents 0 and 1; ``state``,
    in which the decisive choice is made; ``action``, whose entries alone are looked at, or None for all.
    """

    name: str
    game: MarkovGame
    n_steps: int
    every: int
    step_sizes: tuple[float, float]
    temperatures: tuple[float, float]
    state: int
    action: int | None = None

    def config(self, **changes) -> IndependentConfig:
        """The learners' settings, with ``changes`` of fields of :class:`IndependentConfig`."""
        usual = {
            "n_steps": self.n_steps,
            "step_size": self.step_sizes,
            "temperature": self.temperatures,
            "time_limit": None,
        }
        settings = usual | changes
        return IndependentConfig(**settings, n_records=settings["n_steps"] // self.every)


CROSSING = Scene(
    "crossing", two_cars(distance=2), 5000, 50, (0.02, 0.02), (0.2, 0.2), two_cars_state(1, 1)
)
# Only speeding is looked at: keeping the limit pays the same whatever the patrol does, and its entry is never wrong.
SPEED_CHECK = Scene(
    "speed check", speed_check().game, 6000, 25, (0.02, 0.002), (0.5, 0.05), 0, action=0
)
SCENES = {scene.name: scene for scene in (CROSSING, SPEED_CHECK)}


@functools.lru_cache(maxsize=32)
def observe(
    scene: Scene, step_size: float, partner_step_size: float, learns: tuple[int, int], seed: int
) -> tuple[OwnWorld, OwnWorld, int]:
    """A run in which the partner learns from step ``learns[0]`` to ``learns[1]``, its twin, and where the two part ways."""
    twin_learns, parting = twin_of(learns, scene.n_steps)
    runs = []
    for window in (learns, twin_learns):
        config = scene.config(
            step_size=(step_size, partner_step_size), learns=(None, as_window(window))
        )
        history = independent_q_one_seed(scene.game, config, seed)
        lag = MEMORY // scene.every
        runs.append(own_world(scene.game, history, config, lag, scene.state, scene.action))
    return runs[0], runs[1], parting


def as_window(learns: tuple[int, int]) -> tuple[int, int]:
    """``learns`` as a window for :class:`IndependentConfig`; an empty one as a window that is over before the first step."""
    first, end = learns
    return (first, end) if first < end else (10**9, 10**9 + 1)


def twin_of(learns: tuple[int, int], n_steps: int) -> tuple[tuple[int, int], int]:
    """When the twin's partner learns, and the step at which the two runs part ways.

    Released partner (begins late): the twin's is never released. Frozen partner: the twin's goes on. A partner that always
    learns: the twin's is frozen half-way. A partner that never learns: the twin's is released half-way.
    """
    first, end = learns
    half = n_steps // 2
    if first >= end:
        return (half, n_steps), half
    if first > 0:
        return (0, 0), first
    return ((0, n_steps), end) if end < n_steps else ((0, half), half)


def draw_microscope(
    scene: str = "crossing",
    moment: int = 3200,
    step_size: float | None = None,
    partner_step_size: float | None = None,
    learns: tuple[int, int] | None = None,
    seed: int = 0,
) -> Figure:
    """Widget: learn anew, with a twin, and look at ``moment``.

    ``scene``: a key of SCENES; ``moment``: a step from MEMORY to the run's last, between two records the earlier one is
    shown; ``step_size``, ``partner_step_size``: α of both, None for the scene's own; ``learns``: the steps of the run from
    and until which the partner learns, None for always; ``seed``: of the run and its twin.
    """
    shown = SCENES[scene]
    own = shown.step_sizes[0] if step_size is None else step_size
    partners = shown.step_sizes[1] if partner_step_size is None else partner_step_size
    learns = (0, shown.n_steps) if learns is None else learns
    run, twin, parting = observe(shown, own, partners, learns, seed)
    figure, (left, right, below) = new_figure(1, 3, size=(7.8, 5.3))
    left.set_position((0.175, 0.6, 0.3, 0.3))
    right.set_position((0.6, 0.6, 0.3, 0.3))
    below.set_position((0.085, 0.095, 0.83, 0.345))
    now = moment // shown.every
    then = now - MEMORY // shown.every
    at_crossing = shown is CROSSING
    (_world_at_crossing if at_crossing else _world_of_driver)(left, run, now, then)
    (_partner_at_crossing if at_crossing else _loop_of_policies)(right, run, now, then)
    draw_track(below, shown, run, twin, parting, learns, moment)
    return figure


def _bars(ax: Axes, labels: list[str], now: np.ndarray, then: np.ndarray, colours: list[str]):
    """Horizontal bars of probabilities, filled for now and dashed for then, from top to bottom."""
    y = np.arange(len(labels))[::-1]
    ax.barh(y, now, color=colours, height=0.66)
    ax.barh(y, then, facecolor="none", edgecolor=BLACK, linestyle=(0, (2, 1.5)), height=0.66)
    for place, p in zip(y, now):
        ax.text(1.03, place, f"{p:.2f}", va="center", fontsize=8.5)
    ax.set_yticks(y, labels, fontsize=8.5)
    ax.set(xlim=(0, 1), xticks=(0, 0.5, 1), xlabel="probability")
    ax.grid(False)


def _world_at_crossing(ax: Axes, run: OwnWorld, now: int, then: int) -> None:
    me, other = two_cars_state(0, 1), two_cars_state(1, 0)
    both, crash = CROSSING.state, -1
    rows = ((1, me), (1, crash), (1, other), (1, both), (0, other), (0, both))
    going = ["I go: I pass", "I go: crash", "I go: other passes", "I go: nothing"]
    labels = [*going, "I wait: other passes", "I wait: nothing"]
    colours = [GREEN, VERMILION, SKY, GREY, SKY, GREY]
    kernel = run.transition[:, 0, both]
    values = [np.array([kernel[k, a, s] for a, s in rows]) for k in (now, then)]
    _bars(ax, labels, *values, colours)
    ax.set_title("My world now, both 1 cell away")


def _world_of_driver(ax: Axes, run: OwnWorld, now: int, then: int) -> None:
    check = run.policies[1][:, 0, 0, 0]
    labels = ["I speed: free, +2", "I speed: caught, -6", "I keep the limit: 0"]
    values = [np.array([1 - check[k], check[k], 1.0]) for k in (now, then)]
    _bars(ax, labels, *values, [GREEN, VERMILION, GREY])
    worth, was = run.reward[now, 0, 0, 0], run.reward[then, 0, 0, 0]
    ax.set_title(f"Speeding now pays {worth:+.1f} (was {was:+.1f})")


def _partner_at_crossing(ax: Axes, run: OwnWorld, now: int, then: int) -> None:
    going = run.policies[1][:, 0, :-1, 1].reshape(-1, 3, 3)  # [moment, my cells, partner's cells]
    shown = going[now, 1:, 1:].T[::-1]
    ax.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, theirs in enumerate((2, 1)):
        for column, mine in enumerate((1, 2)):
            p, before = going[now, mine, theirs], going[then, mine, theirs]
            colour = "white" if p > 0.55 else BLACK
            text = f"{before:.2f} → {p:.2f}"
            ax.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    ax.set_xticks((0, 1), ("1", "2"))
    ax.set_yticks((0, 1), ("2", "1"))
    ax.set(xlabel="my cells to go", ylabel="partner's cells to go")
    ax.grid(False)
    ax.set_title(f"Partner goes: {MEMORY} steps ago → now")


def _loop_of_policies(ax: Axes, run: OwnWorld, now: int, then: int) -> None:
    mine, theirs = (run.policies[i][:, 0, 0, 0] for i in (0, 1))
    ax.plot(mine[: now + 1], theirs[: now + 1], "-", color="#bdbdbd", linewidth=0.7)
    ax.plot(mine[then : now + 1], theirs[then : now + 1], "-", color=BLUE, linewidth=2.2)
    ax.plot(mine[now], theirs[now], "o", color=BLACK, markersize=6)
    ax.plot(*EQUILIBRIUM, "*", color=ORANGE, markeredgecolor=BLACK, markersize=12)
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="I speed (probability)", ylabel="patrol checks")
    ax.set_title(f"Last {MEMORY} steps; ★ equilibrium")


def draw_track(
    ax: Axes,
    scene: Scene,
    run: OwnWorld,
    twin: OwnWorld,
    parting: int,
    learns: tuple[int, int],
    moment: int | None = None,
) -> None:
    """Drift, error and the twin's error over one run; ticks where the best response changes; ``moment`` draws a line."""
    in_points = scene.game.is_matrix_game
    moved = ax if in_points else _axis_of_drift(ax, run)
    what = "worth of speeding" if in_points else "my world"
    band = {"color": SKY, "alpha": 0.45, "linewidth": 0}
    drift = run.drift[:, 0]
    moved.fill_between(run.steps, 0, drift, label=f"{what}: drift in {MEMORY} steps", **band)
    ax.plot(
        run.steps, run.error[:, 0], color=VERMILION, linestyle="-", label="my error about it now"
    )
    after, says = twin.steps >= parting, _twin_says(learns, scene.n_steps)
    dotted = {"color": BLACK, "linestyle": (0, (1, 1)), "label": f"twin's error: {says}"}
    ax.plot(twin.steps[after], twin.error[after, 0], **dotted)
    top = _highest(scene, run, twin)
    for k, (step, text) in enumerate(_changes_of_partner(learns, scene.n_steps)):
        mark(ax, step, (1 - 0.1 * k) * top, text)  # one below the other, in case they are close
    switched = run.steps[run.switches[:, 0]]
    below = np.full(len(switched), -0.035 * top)
    ax.plot(switched, below, "|", color=BLACK, markersize=6, clip_on=False)
    if moment is not None:
        ax.axvline(moment, color=BLACK, linewidth=1.3, linestyle="-")
    ax.set(xlim=(0, scene.n_steps), ylim=(-0.07 * top, top))
    ax.set_xlabel("step (tick: my best action changes)")
    ax.set_ylabel("points a decision" if in_points else "size of the mean TD error")
    in_thousands(ax)
    axes = (ax,) if moved is ax else (moved, ax)  # the drift first
    handles = [handle for each in axes for handle in each.get_legend_handles_labels()[0]]
    ax.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=8,
        columnspacing=1.2, handlelength=1.6,
    )  # fmt: skip


def _axis_of_drift(ax: Axes, run: OwnWorld) -> Axes:
    """A second vertical axis on the right, behind ``ax``, on which the drift of ``run`` is to be read."""
    moved, most = ax.twinx(), max(0.3, 1.3 * np.nanmax(run.drift))
    moved.set(ylim=(-0.07 * most, most), ylabel="drift (total variation)")
    moved.grid(False)
    moved.spines["right"].set_visible(True)
    ax.set_zorder(moved.get_zorder() + 1)
    ax.patch.set_visible(False)
    return moved


def _highest(scene: Scene, run: OwnWorld, twin: OwnWorld) -> float:
    """Where the vertical axis ends; the first errors, which are those of an empty table, may be cut off."""
    settled = run.steps > scene.n_steps // 5
    top = 1.15 * max(run.error[settled].max(), twin.error[settled].max(), 0.05)
    return max(top, 1.12 * np.nanmax(run.drift)) if scene.game.is_matrix_game else top


def _changes_of_partner(learns: tuple[int, int], n_steps: int) -> list[tuple[int, str]]:
    first, end = learns
    if first >= end:
        return [(0, "partner never learns")]
    begins = [(first, "partner begins to learn")] if first > 0 else []
    return begins + ([(end, "partner frozen")] if end < n_steps else [])


def _twin_says(learns: tuple[int, int], n_steps: int) -> str:
    first, end = learns
    if first >= end:
        return "partner released half-way"
    if first > 0:
        return "partner never learns"
    return "partner never frozen" if end < n_steps else "partner frozen half-way"
