"""How learners are drawn: the live widget is the learner itself, and its answers are those of lesson 02."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from marl_lessons.algorithms import PerEpisode, PerVisit, TabularConfig, q_learning
from marl_lessons.envs import crossroads
from marl_lessons.evaluation import distance_to_optimum
from marl_lessons.solvers import policy_iteration
from marl_lessons.viz.one_agent import learning
from marl_lessons.viz.style import png

STEPS = np.arange(0, 1001, 10)


def median_line(figure: Figure) -> np.ndarray:
    """The live widget's median over the seeds."""
    lines = figure.axes[0].lines
    return next(line for line in lines if line.get_label().startswith("30 seeds")).get_ydata()


def test_every_corner_of_the_live_widget_draws_another_picture() -> None:
    corners = list(itertools.product(("0.5", "n^-2"), (0, 1), learning.DECAYS))
    pictures = {png(learning.draw_live(*corner)) for corner in corners}
    assert len(pictures) == 8  # without exploration nothing can decay


def test_live_widget_is_the_learner_and_not_a_picture_of_one() -> None:
    """The curve drawn is that of q_learning with the settings of the controls."""
    figure = learning.draw_live(step_size="n^-0.8", epsilon=0.6, decay=learning.DECAYS[1])
    mdp, exact = learning.live_problem()
    config = TabularConfig(
        n_steps=learning.LIVE_STEPS,
        step_size=PerVisit(0.8),
        epsilon=PerEpisode(0.6, 0.99),
        n_records=40,
    )
    history = q_learning(mdp, config, seeds=30)
    expected = np.median(distance_to_optimum(history, mdp, exact.q), axis=1)
    np.testing.assert_allclose(median_line(figure), expected)


def test_answers_that_lesson_02_gives_about_the_live_widget() -> None:
    by_size = {
        a: median_line(learning.draw_live(a, 1, learning.DECAYS[0]))[-1]
        for a in ("0.5", "0.1", "0.02")
    }
    assert by_size["0.1"] < 0.5 * min(by_size["0.5"], by_size["0.02"])
    steady, hasty = (
        median_line(learning.draw_live("n^-0.8", 1, decay))[-1] for decay in learning.DECAYS[::2]
    )
    assert steady == pytest.approx(0.15, abs=0.01) and hasty == pytest.approx(0.33, abs=0.01)


def test_one_seed_is_drawn_at_any_moment() -> None:
    mdp = crossroads()
    exact = policy_iteration(mdp)
    history = q_learning(mdp, TabularConfig(n_steps=500, epsilon=1.0, n_records=10), seeds=3)
    drawn = [(seed, record) for seed in (0, 2) for record in (0, 10)]
    assert len({png(learning.draw_one_seed(history, mdp, exact, *which)) for which in drawn}) == 4


def test_a_mistaken_time_limit_is_drawn_beside_the_truth() -> None:
    estimates = np.random.default_rng(0).random((len(STEPS), 4))
    (ax,) = learning.draw_time_limit(STEPS, {"mistaken": estimates}, truth=2.0, wrong=0.8).axes
    shown = {line.get_label(): line.get_ydata() for line in ax.lines}
    np.testing.assert_allclose(shown["mistaken"], np.median(estimates, axis=1))
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["true value 2.00", "what the mistake teaches 0.80"]
