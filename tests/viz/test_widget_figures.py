"""Every widget's draw function at every corner of its sliders: a figure comes out, and the corners differ."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from marl_lessons.algorithms import PerVisit, TabularConfig, q_learning
from marl_lessons.envs import crossroads
from marl_lessons.solvers import policy_iteration
from marl_lessons.viz.one_agent import learning, planning
from marl_lessons.viz.style import png

SWEEP_CORNERS = {"discount": (0.5, 0.99), "sweep": (0, 60)}
TIMING_CORNERS = {"red": (1, 60), "yellow": (1, 10), "green": (1, 60), "grip": (0, 1)}
LIVE_CORNERS = {"step_size": ("0.5", "n^-2"), "epsilon": (0, 1), "decay": learning.DECAYS}


def corners(ranges: dict[str, tuple]) -> list[dict[str, object]]:
    """Every combination of the extremes."""
    return [dict(zip(ranges, values)) for values in itertools.product(*ranges.values())]


@pytest.mark.parametrize(
    ("draw", "ranges"),
    [
        (planning.draw_sweep, SWEEP_CORNERS),
        (planning.draw_timing, TIMING_CORNERS),
        (learning.draw_live, LIVE_CORNERS),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_corner_draws(draw, ranges) -> None:
    pictures = set()
    for setting in corners(ranges):
        figure = draw(**setting)
        assert isinstance(figure, Figure)
        pictures.add(png(figure))
    assert len(pictures) > len(ranges), "moving the sliders hardly changes the picture"


@pytest.mark.parametrize("name", ["discount", "sweep"])
def test_each_slider_of_the_sweeps_matters(name: str) -> None:
    base = {"discount": 0.95, "sweep": 3}
    other = base | {name: {"discount": 0.5, "sweep": 20}[name]}
    assert png(planning.draw_sweep(**base)) != png(planning.draw_sweep(**other))


@pytest.mark.parametrize("name", list(TIMING_CORNERS))
def test_each_slider_of_the_timing_matters(name: str) -> None:
    base = {"red": 6, "yellow": 2, "green": 6, "grip": 0.6}
    other = base | {name: {"red": 20, "yellow": 4, "green": 20, "grip": 1.0}[name]}
    assert png(planning.draw_timing(**base)) != png(planning.draw_timing(**other))


def test_live_widget_is_the_learner_and_not_a_picture_of_one() -> None:
    """The curve drawn is that of q_learning with the settings of the controls."""
    figure = learning.draw_live(step_size="n^-0.8", epsilon=0.6, decay=learning.DECAYS[1])
    median = next(line for line in figure.axes[0].lines if line.get_label().startswith("30 seeds"))
    mdp, exact = learning.live_problem()
    config = TabularConfig(
        n_steps=learning.LIVE_STEPS,
        step_size=PerVisit(0.8),
        epsilon=learning.PerEpisode(0.6, 0.99),
        n_records=40,
    )
    history = q_learning(mdp, config, seeds=30)
    expected = np.median(learning.distance_to_optimum(history, mdp, exact.q), axis=1)
    np.testing.assert_allclose(median.get_ydata(), expected)


def test_one_seed_is_drawn_at_any_moment() -> None:
    mdp = crossroads()
    exact = policy_iteration(mdp)
    history = q_learning(mdp, TabularConfig(n_steps=500, epsilon=1.0, n_records=10), seeds=3)
    pictures = {
        png(learning.draw_one_seed(history, mdp, exact, seed, record))
        for seed in (0, 2)
        for record in (0, 10)
    }
    assert len(pictures) == 4


def test_sweep_widget_shows_the_true_error() -> None:
    figure = planning.draw_sweep(discount=0.9, sweep=4)
    label = next(line.get_label() for line in figure.axes[1].lines if "now" in line.get_label())
    mdp = crossroads(discount=0.9)
    v = planning.value_iteration(mdp, 1e-3).history[4]
    assert label == f"now: {np.abs(v - policy_iteration(mdp).v).max():.2g}"


def median_error(figure: Figure) -> float:
    """The last point of the live widget's median."""
    lines = figure.axes[0].lines
    return float(next(line for line in lines if line.get_label().startswith("30")).get_ydata()[-1])


def test_answers_that_lesson_02_gives_about_the_live_widget() -> None:
    by_size = {
        a: median_error(learning.draw_live(a, 1, learning.DECAYS[0]))
        for a in ("0.5", "0.1", "0.02")
    }
    assert by_size["0.1"] < 0.5 * min(by_size["0.5"], by_size["0.02"])
    steady, hasty = (median_error(learning.draw_live("n^-0.8", 1, d)) for d in learning.DECAYS[::2])
    assert steady == pytest.approx(0.15, abs=0.01) and hasty == pytest.approx(0.33, abs=0.01)


def crash_probability(yellow: float) -> float:
    """Chance that the best driver's drive ends in a crash."""
    mdp, policy = crossroads(yellow=yellow), planning.solve_crossroads(yellow=yellow).policy
    chain = np.einsum("sa,sat->st", policy, mdp.joint_transition)
    chance = np.linalg.solve(np.eye(30) - chain[:30, :30], chain[:30, -1])
    return float(mdp.initial[:30] @ chance)


def test_answers_that_lesson_01_gives_about_the_timing_widget() -> None:
    brakes = {
        y: (planning.solve_crossroads(yellow=y).q @ [1, -1])[6:10].max() > 1e-9
        for y in (2, 2.5, 3, 4)
    }
    assert brakes == {2: True, 2.5: True, 3: False, 4: False}
    assert [round(crash_probability(y), 2) for y in (2, 3)] == [0.08, 0.13]
    q = planning.solve_crossroads(grip=0.0).q[:15]
    np.testing.assert_allclose(q[:, 0], q[:, 1])


def test_news_takes_four_sweeps_to_the_fifth_cell_whatever_the_discount() -> None:
    five_green = crossroads().state_names.index("5 to go, moving, green")
    for discount in (0.5, 0.7, 0.8, 0.9, 0.95, 0.99):
        mdp = crossroads(discount=discount)
        gaps = []
        for v in planning.value_iteration(mdp, 1e-3).history[:6]:
            q = planning.action_values(v, mdp.joint_transition, mdp.joint_reward[0], discount)
            gaps.append(abs(q[five_green, 1] - q[five_green, 0]) > 1e-9)
        assert gaps.index(True) == 4
