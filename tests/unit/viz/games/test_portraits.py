"""Phase portraits: learners' own paths, equilibria where they are, and basins where the replicator dynamics lead."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from marl_lessons.algorithms import replicator
from marl_lessons.envs import CATALOGUE, payoffs_of
from marl_lessons.solvers import nash_equilibria
from marl_lessons.viz.games import portraits
from marl_lessons.viz.style import png

LEARNER = (("crossing", "matching pennies"), portraits.LEARNERS, (0.05, 0.95), (0.05, 0.95))
ANY = ((-10, 6), (-6, 10), (-10, 6), (-6, 10))


@pytest.mark.parametrize(
    ("draw", "ranges", "at_least"),
    [(portraits.draw_learner, LEARNER, 30), (portraits.draw_any_game, ANY, 16)],
)
def test_every_corner_draws_another_picture(draw, ranges, at_least) -> None:
    pictures = {png(draw(*corner)) for corner in itertools.product(*ranges)}
    assert len(pictures) >= at_least, "moving the sliders hardly changes the picture"


@pytest.mark.parametrize("name", portraits.TWO_BY_TWO)
@pytest.mark.parametrize("learner", portraits.LEARNERS)
def test_a_path_stays_in_the_square_and_begins_at_its_start(name: str, learner: str) -> None:
    payoffs = payoffs_of(CATALOGUE[name].game)
    path = portraits.learner_path(payoffs, learner, (0.3, 0.6))
    assert np.allclose(path[0], (0.3, 0.6), atol=1e-9)
    assert ((path >= 0) & (path <= 1)).all() and len(path) > 100


def test_the_portrait_draws_the_learners_own_path_and_all_equilibria() -> None:
    figure = portraits.draw_learner("stag hunt", "fictitious play", 0.5, 0.7)
    square = figure.axes[0]
    payoffs = payoffs_of(CATALOGUE["stag hunt"].game)
    path = portraits.learner_path(payoffs, "fictitious play", (0.5, 0.7))
    drawn = [line.get_xydata() for line in square.lines]
    assert any(line.shape == path.shape and np.allclose(line, path) for line in drawn)
    for equilibrium in nash_equilibria(payoffs).equilibria:
        point = [strategy[0] for strategy in equilibrium.strategies]
        assert any(len(line) == 1 and np.allclose(line[0], point) for line in drawn)


def test_the_replicators_path_is_that_of_the_package() -> None:
    payoffs = payoffs_of(CATALOGUE["crossing"].game)
    path = portraits.learner_path(payoffs, "replicator", (0.3, 0.6))
    exact = replicator(payoffs, ([0.3, 0.7], [0.6, 0.4]), duration=60 / 12, step=0.1 / 12)
    assert np.allclose(path, np.stack([s[:, 0] for s in exact.strategies], axis=1), atol=2e-3)


def test_two_who_start_alike_stay_alike() -> None:
    payoffs = payoffs_of(CATALOGUE["crossing"].game)
    path = portraits.learner_path(payoffs, "replicator", (0.6, 0.6))
    assert np.allclose(path[:, 0], path[:, 1], atol=1e-6) and np.allclose(
        path[-1], 3 / 13, atol=1e-4
    )


def slopes(time, point, payoffs):
    """The replicator dynamics of two first actions, written out."""
    (a, b), (r, c) = point, payoffs
    lead_a = b * (r[0, 0] - r[1, 0]) + (1 - b) * (r[0, 1] - r[1, 1])
    lead_b = a * (c[0, 0] - c[0, 1]) + (1 - a) * (c[1, 0] - c[1, 1])
    return [a * (1 - a) * lead_a, b * (1 - b) * lead_b]


@pytest.mark.parametrize("name", ["crossing", "stag hunt", "battle of the sexes", "coordination"])
def test_basins_are_where_the_replicator_dynamics_lead(name: str) -> None:
    payoffs = payoffs_of(CATALOGUE[name].game)
    colours = portraits.basins(payoffs, size=5)
    for (row, column), _ in np.ndenumerate(colours[..., 0]):
        start = [(column + 0.5) / 5, (row + 0.5) / 5]
        near = [np.add(start, shift) for shift in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01))]
        ends = [
            solve_ivp(slopes, (0, 100), point, args=(payoffs,)).y[:, -1] < 0.5 for point in near
        ]
        if all((end == ends[0]).all() for end in ends):  # not on the border between two basins
            assert np.allclose(colours[row, column], portraits.CORNER_TINTS[tuple(ends[0] * 1)])


@pytest.mark.parametrize("leads", [(-1, 10, 1, 1), (-10, -1, -10, 3), (6, -6, 1, 10)])
def test_slow_learners_arrive_as_well(leads) -> None:
    colours = portraits.basins(portraits.lead_payoffs(*leads))
    assert (colours != portraits.NOWHERE).any(axis=2).mean() > 0.97


def test_where_nothing_is_reached_there_is_no_basin() -> None:
    colours = portraits.basins(payoffs_of(CATALOGUE["matching pennies"].game))
    assert np.allclose(colours, portraits.NOWHERE)


@pytest.mark.parametrize(
    "leads", [(-10, 3, -10, 3), (2, -2, -2, 2), (1, -2, 1, -2), (-1, -2, -1, -1)]
)
def test_four_leads_make_any_game(leads) -> None:
    payoffs = portraits.lead_payoffs(*leads)
    assert tuple(portraits.leads(payoffs).ravel()) == leads


def test_a_game_without_any_lead_can_be_drawn() -> None:
    assert png(portraits.draw_any_game(0, 0, 0, 0))
