"""Figures of play over time show beliefs, what should be conserved, and median regrets."""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms import fictitious_play, regret_matching, replicator
from marl_lessons.envs import CATALOGUE
from marl_lessons.viz.games import dynamics

PENNIES = CATALOGUE["matching pennies"].game


def test_beliefs_of_each_action() -> None:
    play = fictitious_play(PENNIES, 1000)
    figure = dynamics.draw_beliefs({"pennies": (play, ("heads", "tails"))})
    (heads, tails) = figure.axes[0].lines
    assert heads.get_ydata()[-1] == play.beliefs()[0][-1, 0]
    assert np.allclose(heads.get_ydata() + tails.get_ydata(), 1)


def test_an_orbit_conserves_what_it_should() -> None:
    orbit = replicator(PENNIES, ([0.7, 0.3], [0.5, 0.5]), 10, 0.05)
    _, quantity = dynamics.draw_orbits({"orbit": orbit}, ([0.5, 0.5], [0.5, 0.5])).axes
    assert np.ptp(quantity.lines[0].get_ydata()) < 1e-9


def test_regrets_are_medians_of_seeds() -> None:
    run = regret_matching(PENNIES, 500, seeds=5)
    shown = {"matching pennies": run.largest_regret[1:]}
    (ax,) = dynamics.draw_average_regret(run.rounds[1:], shown).axes
    assert np.allclose(ax.lines[0].get_ydata(), np.median(run.largest_regret[1:], axis=1))
