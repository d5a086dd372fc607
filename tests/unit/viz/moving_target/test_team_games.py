"""The figures of the team games and their widget: every corner draws, and shows what was computed."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure

from marl_lessons.algorithms.tables.independent_q import (
    IndependentConfig,
    greedy_actions,
    independent_q_learning,
)
from marl_lessons.envs.games.catalogue import CATALOGUE, penalty, stochastic_climbing
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.evaluation.statistics import wilson_interval
from marl_lessons.viz.moving_target import team_games
from marl_lessons.viz.style import png

CLIMBING = CATALOGUE["climbing"].game
CORNERS = {
    "game": ("climbing", "penalty(-1)", "penalty(-30)"),
    "exploration": (10, team_games.LIVE_STEPS),
    "step_size": (0.02, 0.5),
    "ratio": (0.0, 1.0),
}


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def title(ax) -> str:
    return ax.get_title(loc="left") or ax.get_title()


def test_every_corner_of_the_widget_draws() -> None:
    pictures = set()
    for values in itertools.product(*CORNERS.values()):
        figure = team_games.draw_team_widget(**dict(zip(CORNERS, values)))
        assert isinstance(figure, Figure)
        pictures.add(png(figure))
    assert len(pictures) >= 14, "moving the sliders hardly changes the picture"


@pytest.mark.parametrize("name", team_games.TEAM_GAMES)
def test_the_widget_learns_each_game(name: str) -> None:
    counts = team_games.live_counts(name, 500, 0.1, 1.0)
    figure = team_games.draw_team_widget(name, 500, 0.1, 1.0)
    payoff = team_games.team_game(name).reward[0, 0]
    expected = CLIMBING if name == "climbing" else penalty(float(name[8:-1])).game
    assert (payoff == expected.reward[0, 0]).all() and counts.sum() == team_games.LIVE_PAIRS
    optimum = counts[payoff == payoff.max()].sum()
    assert title(figure.axes[1]).startswith(f"Optimum: {optimum} of 200")
    widths = [bar.get_width() for bar in figure.axes[1].patches]
    assert sum(widths) == pytest.approx(1) and widths[0] == optimum / team_games.LIVE_PAIRS


def test_the_widget_answers_its_questions() -> None:
    """Plain pairs miss the climb, and the longer they explore, the more; hysteretic ones make it if they explore long."""
    optimum = {
        (steps, ratio): team_games.live_counts("climbing", steps, 0.1, ratio)[0, 0]
        for steps in (10, team_games.LIVE_STEPS)
        for ratio in (0.1, 1.0)
    }
    assert optimum[10, 1.0] > 2 and optimum[team_games.LIVE_STEPS, 1.0] == 0
    assert 150 < optimum[team_games.LIVE_STEPS, 0.1] > 2 * optimum[10, 0.1]


def test_maps_show_counts_and_payoffs() -> None:
    counts = np.arange(9).reshape(3, 3) * 100
    figure = team_games.draw_outcome_counts({"one": counts, "two": counts.T}, CLIMBING)
    assert [title(ax) for ax in figure.axes] == ["one", "two"]
    shown = texts(figure.axes[1])
    assert shown[0:4] == ["0", "pays 11", "300", "pays -30"] and "pays -30" in shown
    assert len(figure.axes[0].patches) == 1 and png(figure)
    both = team_games.draw_outcome_counts({"one": counts}, penalty(-10).game)
    assert len(both.axes[0].patches) == 2, "two corners are best"


@pytest.mark.parametrize("size", [1e-10, 1e10])
def test_only_the_best_corner_is_framed_at_any_size_of_payoffs(size: float) -> None:
    payoffs = size * np.array([[1.0, 1.000001], [0.0, 0.5]])
    game = matrix_game(np.stack([payoffs, payoffs]))
    (frame,) = team_games.draw_outcome_counts({"one": np.eye(2)}, game).axes[0].patches
    assert np.round(frame.get_xy()).tolist() == [1, 0]


def test_lines_against_an_exploring_partner() -> None:
    """Ends of the lines by hand: uniform means on the left, the row of the payoff table on the right; turns at 0.12."""
    figure = team_games.draw_overgeneralisation(CLIMBING, agent=1)
    lines = figure.axes[2].lines
    ends = np.array([line.get_ydata()[[0, -1]] for line in lines[:3]])
    np.testing.assert_allclose(ends, [[0, -19 / 3], [6, -17 / 3], [5, 5 / 3]])
    assert texts(figure.axes[2]) == ["0.12"] and png(figure)
    assert texts(team_games.draw_overgeneralisation(CLIMBING, 0).axes[1]) == ["0.08"]


def test_drift_of_pairs_counts_what_they_hold_for_best() -> None:
    config = IndependentConfig(n_steps=600, temperature=1.5, time_limit=None, n_records=60)
    history = independent_q_learning(CLIMBING, config, 40)
    actions = greedy_actions(history)[..., 0]
    figure = team_games.draw_drift_of_pairs(history.steps, actions, CLIMBING, seed=3)
    lines = {line.get_label(): line.get_ydata() for line in figure.axes[0].lines}
    both_c = [sum(tuple(pair) == (2, 2) for pair in moment) / 40 for moment in actions]
    np.testing.assert_allclose(lines["(C, C) 5"], both_c)
    assert "pair 3" in title(figure.axes[1]) and png(figure)


def test_sweet_spot_is_shaded_where_the_algebra_says() -> None:
    """By hand: agent 2 prefers A to B above 0.0731, agent 1 A to C below 1/7."""
    game = stochastic_climbing()
    ratios = (0.05, 0.073, 0.0735, 0.1, 0.142, 0.1435, 0.3)
    window = team_games.corner_window(game, team_games.settled_values(game, ratios))
    assert window.tolist() == [False, False, True, True, True, False, False]
    figure = team_games.draw_sweet_spot((0.0, 0.1, 0.5), [0, 80, 5], 100, game)
    assert [c.get_ydata().tolist() for c in figure.axes[0].lines[:1]] == [[0, 0.8, 0.05]]
    assert png(figure)


def test_shares_carry_their_intervals() -> None:
    figure = team_games.draw_penalty_shares((-30, -8), {"plain": [2, 86]}, 100)
    bars = figure.axes[0].containers[0].lines[2][0].get_segments()
    low, high = wilson_interval([2, 86], 100)
    np.testing.assert_allclose([bar[:, 1] for bar in bars], np.stack([low, high], axis=1))
    assert png(figure)
