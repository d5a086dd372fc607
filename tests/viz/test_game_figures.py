"""The figures of lessons 03 and 04: every corner of their widgets, and that they show what was computed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.integrate import solve_ivp

from marl_lessons.algorithms import fictitious_play, regret_matching, replicator
from marl_lessons.envs import CATALOGUE, Position, payoffs_of, soccer, soccer_state, two_cars
from marl_lessons.solvers import nash_equilibria, shapley_iteration, stationary_equilibria
from marl_lessons.viz.games import dynamics, equilibria, matrix_games, portraits
from marl_lessons.viz.games import soccer as pitch
from marl_lessons.viz.style import png

LIGHT = {"crash": (-20, -1), "go": (0.8, 8), "both_wait": (-3, 0.5)}
LEARNER = {
    "game": ("crossing", "matching pennies"),
    "learner": portraits.LEARNERS,
    "start_a": (0.05, 0.95),
    "start_b": (0.05, 0.95),
}
ANY = {"a_first": (-10, 6), "a_second": (-6, 10), "b_first": (-10, 6), "b_second": (-6, 10)}
EQUILIBRIA = {"urgency": (1, 12), "slip": (0.0, 0.4), "crash": (-30, -3)}


def title(ax) -> str:
    """An axes' title, wherever the style in force has put it."""
    return ax.get_title(loc="left") or ax.get_title()


@pytest.fixture(scope="module")
def solution():
    return shapley_iteration(soccer(), tolerance=1e-6)


@pytest.mark.parametrize(
    ("draw", "ranges", "at_least"),
    [
        (matrix_games.draw_light, LIGHT, 8),
        (portraits.draw_learner, LEARNER, 30),
        (portraits.draw_any_game, ANY, 16),
        (equilibria.draw_all_equilibria, EQUILIBRIA, 6),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_corner_draws_another_picture(draw, ranges, at_least) -> None:
    pictures = set()
    for values in itertools.product(*ranges.values()):
        figure = draw(**dict(zip(ranges, values)))
        assert isinstance(figure, Figure)
        pictures.add(png(figure))
    assert len(pictures) >= at_least, "moving the sliders hardly changes the picture"


def test_corners_of_the_pitch(solution) -> None:
    pictures = set()
    for a, b, ball in itertools.product(((0, 0), (3, 4)), ((0, 0), (2, 1), (3, 4)), (0, 1)):
        pictures.add(png(pitch.draw_position(solution, a, b, ball)))
    assert len(pictures) == 9  # four positions twice, and one picture that says "not in one cell"


def test_the_pitch_shows_the_exact_value_and_both_mixtures(solution) -> None:
    figure = pitch.draw_position(solution, (1, 1), (1, 0), 0)
    field, bars = figure.axes
    assert title(field) == "Worth +0.3152 to A"
    widths = [patch.get_width() for patch in bars.patches]
    state = soccer_state((1, 1), (1, 0), 0)
    position = Position((1, 1), (1, 0), 0)
    played = [pitch.as_played(p[state], position, i) for i, p in enumerate(solution.policies)]
    assert np.allclose(widths, np.concatenate(played))
    arrows = [text for text in field.texts if getattr(text, "arrow_patch", None)]
    moving = sum((p[:4] > pitch.SHOWN).sum() for p in played)
    assert len(arrows) == moving


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
    assert tuple(payoffs[0, 0] - payoffs[0, 1]) == leads[:2]
    assert tuple(payoffs[1, :, 0] - payoffs[1, :, 1]) == leads[2:]


def test_the_region_is_bounded_by_correlated_equilibria() -> None:
    region = matrix_games.correlated_region(payoffs_of(CATALOGUE["chicken"].game))
    corners = {tuple(np.round(p, 6)) for p in region}
    assert corners == {(7, 2), (2, 7), (5.25, 5.25), (3.6, 3.6)}


def test_the_fair_light() -> None:
    assert np.allclose(matrix_games.fair_light(payoffs_of(CATALOGUE["crossing"].game)), 1)
    assert np.allclose(matrix_games.fair_light(payoffs_of(CATALOGUE["chicken"].game)), 4.5)
    assert matrix_games.fair_light(payoffs_of(CATALOGUE["matching pennies"].game)) is None


def test_boxes_mark_best_responses_and_shades_equilibria() -> None:
    marks = matrix_games.best_response_marks(payoffs_of(CATALOGUE["prisoner's dilemma"].game))
    assert marks[0].tolist() == [[False, False], [True, True]]
    assert marks[1].tolist() == [[False, True], [False, True]]
    figure = matrix_games.draw_payoff_tables({"x": CATALOGUE["stag hunt"].game})
    shades = [patch.get_facecolor() for patch in figure.axes[0].patches]
    assert len(set(shades)) == 2 and shades[0] == shades[3] and shades[1] == shades[2]


def test_all_equilibria_are_drawn_where_they_are_worth_what_they_are() -> None:
    figure = equilibria.draw_all_equilibria(urgency=3.0, slip=0.1)
    plane, *maps = figure.axes
    found = stationary_equilibria(two_cars(2, 0.1, urgency=(3.0, 1.0)))
    points = np.array([line.get_xydata()[0] for line in plane.lines])
    assert np.allclose(points, equilibria.start_values(found)) and len(maps) == len(found) == 5
    texts = [{text.get_text() for text in ax.texts} for ax in maps]
    assert "B goes" in texts[0] and "A goes" in texts[1] and any("0.31" in t for t in texts[2])


def test_more_equilibria_than_maps() -> None:
    figure = equilibria.draw_all_equilibria(slip=0.0)
    assert title(figure.axes[0]) == "7 equilibria (6 drawn)"
    assert len(figure.axes) == 1 + equilibria.MOST_MAPS


def test_figures_of_play_over_time() -> None:
    game = CATALOGUE["matching pennies"].game
    play = fictitious_play(game, 1000)
    figure = dynamics.draw_beliefs({"pennies": (play, ("heads", "tails"))})
    (heads, tails) = figure.axes[0].lines
    assert heads.get_ydata()[-1] == play.beliefs()[0][-1, 0]
    assert np.allclose(heads.get_ydata() + tails.get_ydata(), 1)
    centre = ([0.5, 0.5], [0.5, 0.5])
    orbit = replicator(game, ([0.7, 0.3], [0.5, 0.5]), 10, 0.05)
    _, quantity = dynamics.draw_orbits({"orbit": orbit}, centre).axes
    assert np.ptp(quantity.lines[0].get_ydata()) < 1e-9
    run = regret_matching(game, 500, seeds=5)
    shown = {"matching pennies": run.largest_regret[1:]}
    (ax,) = dynamics.draw_average_regret(run.rounds[1:], shown).axes
    assert np.allclose(ax.lines[0].get_ydata(), np.median(run.largest_regret[1:], axis=1))


def test_moves_off_the_field_are_drawn_as_standing() -> None:
    strategy = np.array([0.1, 0.2, 0.3, 0.25, 0.15])  # north, south, east, west, stand
    corner = Position((0, 0), (2, 4), 1)
    assert np.allclose(pitch.as_played(strategy, corner, 0), [0, 0.2, 0.3, 0, 0.5])
    assert np.allclose(pitch.as_played(strategy, corner, 1), strategy)  # B scores to the east
    without = Position((2, 0), (2, 4), 1)
    assert np.allclose(pitch.as_played(strategy, without, 0), [0.1, 0.2, 0.3, 0, 0.4])


def test_two_who_start_alike_stay_alike() -> None:
    payoffs = payoffs_of(CATALOGUE["crossing"].game)
    path = portraits.learner_path(payoffs, "replicator", (0.6, 0.6))
    assert np.allclose(path[:, 0], path[:, 1], atol=1e-6) and np.allclose(
        path[-1], 3 / 13, atol=1e-4
    )


def test_a_solution_of_another_pitch_is_refused(solution) -> None:
    with pytest.raises(ValueError, match="solution: has 762 states"):
        pitch.draw_position(solution, (0, 2), (0, 3), 0, rows=3)
    small = shapley_iteration(soccer(3, 4), tolerance=1e-6)
    figure = pitch.draw_position(small, (0, 2), (0, 3), 0, rows=3, columns=4)
    assert title(figure.axes[0]) == "Worth +0.7290 to A"


@pytest.mark.parametrize(
    "wrong", [{"game": "crosing"}, {"game": "climbing"}, {"learner": "x"}, {"start_a": 0}]
)
def test_wrong_settings_of_the_portrait_are_named(wrong) -> None:
    with pytest.raises(ValueError, match=r"game|learner|start"):
        portraits.draw_learner(**wrong)


def test_a_game_without_any_lead_can_be_drawn() -> None:
    assert isinstance(portraits.draw_any_game(0, 0, 0, 0), Figure)
