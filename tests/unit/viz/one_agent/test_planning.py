"""How planning is drawn: the sliders of the two widgets matter, and their answers are those of lesson 01."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from marl_lessons.envs import crossroads
from marl_lessons.solvers import action_values, policy_iteration, value_iteration
from marl_lessons.viz.one_agent import planning
from marl_lessons.viz.style import png

SWEEP = {"discount": (0.5, 0.99), "sweep": (0, 60)}
TIMING = {"red": (1, 60), "yellow": (1, 10), "green": (1, 60), "grip": (0, 1)}
SWEEP_SLIDERS = {"discount": (0.95, 0.5), "sweep": (3, 20)}
TIMING_SLIDERS = {"red": (6, 20), "yellow": (2, 4), "green": (6, 20), "grip": (0.6, 1.0)}


@pytest.mark.parametrize(
    ("draw", "ranges"), [(planning.draw_sweep, SWEEP), (planning.draw_timing, TIMING)]
)
def test_every_corner_draws(draw, ranges) -> None:
    corners = itertools.product(*ranges.values())
    pictures = {png(draw(**dict(zip(ranges, values)))) for values in corners}
    assert len(pictures) > len(ranges), "moving the sliders hardly changes the picture"


@pytest.mark.parametrize(
    ("draw", "sliders"),
    [(planning.draw_sweep, SWEEP_SLIDERS), (planning.draw_timing, TIMING_SLIDERS)],
)
def test_each_slider_matters(draw, sliders) -> None:
    base = {name: value for name, (value, _) in sliders.items()}
    pictures = {png(draw(**base | {name: other})) for name, (_, other) in sliders.items()}
    assert len(pictures | {png(draw(**base))}) == len(sliders) + 1


def test_sweep_widget_shows_the_true_error() -> None:
    figure = planning.draw_sweep(discount=0.9, sweep=4)
    label = next(line.get_label() for line in figure.axes[1].lines if "now" in line.get_label())
    mdp = crossroads(discount=0.9)
    v = value_iteration(mdp, 1e-3).history[4]
    assert label == f"now: {np.abs(v - policy_iteration(mdp).v).max():.2g}"


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
        for v in value_iteration(mdp, 1e-3).history[:6]:
            q = action_values(v, mdp.joint_transition, mdp.joint_reward[0], discount)
            gaps.append(abs(q[five_green, 1] - q[five_green, 0]) > 1e-9)
        assert gaps.index(True) == 4
