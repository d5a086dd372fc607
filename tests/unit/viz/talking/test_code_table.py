"""The table of words: numbers, shades, frames and levels are those of the history and the game."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from marl_lessons.algorithms.talk.signalling import (
    signalling_q_learning,
)
from marl_lessons.envs.games.signalling import SignallingGame, lewis
from marl_lessons.viz.style import BLUE, ORANGE, png
from marl_lessons.viz.talking.code_table import LARGEST, NUMBERS, draw_code_table
from marl_lessons.viz.widgets import Interactive, choice, slider

LEWIS = lewis(3)


LEARNED = signalling_q_learning(LEWIS, [4, 7, 9], n_rounds=600, n_records=6)
RANDOM = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 7, 3, 3))  # policies in shades
MIXED = LEARNED._replace(sender=RANDOM[0], receiver=RANDOM[1])


TABLES = signalling_q_learning(LEWIS, 3, n_rounds=400, n_records=4)


UNEVEN = SignallingGame([0.5, 0.3, 0.2], [[1, 0, 0.4, 2], [0, 1, 1, 0], [0.5, 0, 3, 3]], 2)


def numbers(ax) -> np.ndarray:
    """The numbers in a table's cells as they are written, in its shape."""
    places = {tuple(int(k) for k in t.get_position()[::-1]): t.get_text() for t in ax.texts}
    n_rows, n_columns = (1 + max(place[k] for place in places) for k in (0, 1))
    return np.array([[places[r, c] for c in range(n_columns)] for r in range(n_rows)])


def shades(ax) -> np.ndarray:
    return np.asarray(ax.images[0].get_array())


def title(ax) -> str:
    return ax.get_title(loc="left") or ax.get_title()


def level(figure, name: str) -> list[float]:
    return [line.get_ydata()[0] for line in figure.axes[3].lines if name in str(line.get_label())]


@pytest.mark.parametrize("seed", [4, 9])
@pytest.mark.parametrize("moment", [0, 3, -1])
def test_shades_and_numbers_are_the_policies_of_that_seed_at_that_moment(seed, moment):
    figure = draw_code_table(MIXED, LEWIS, seed, moment)
    e = [4, 7, 9].index(seed)
    says, does = MIXED.sender[moment, e], MIXED.receiver[moment, e]
    both = [[sum(says[s, m] * does[m, a] for m in range(3)) for a in range(3)] for s in range(3)]
    for ax, chances in zip(figure.axes, (says, does, np.array(both))):
        assert np.allclose(shades(ax), chances)
        assert np.allclose(numbers(ax).astype(float), chances, atol=0.006)
    assert title(figure.axes[3]).startswith(f"Seed {seed} after {MIXED.rounds[moment]:,} rounds")
    assert f"pays {MIXED.payoff[moment, e]:.2f}," in title(figure.axes[3])


def test_tables_are_written_on_the_shades_of_the_policies():
    figure = draw_code_table(TABLES, LEWIS, 1, 2, "tables")
    assert np.allclose(numbers(figure.axes[0]).astype(float), TABLES.sender_table[2, 1], atol=0.006)
    assert np.allclose(
        numbers(figure.axes[1]).astype(float), TABLES.receiver_table[2, 1], atol=0.006
    )
    assert np.array_equal(shades(figure.axes[0]), TABLES.sender[2, 1])


def test_large_values_are_written_in_thousands():
    history = MIXED._replace(sender_table=np.full(MIXED.sender.shape, 1234.0))
    assert (numbers(draw_code_table(history, LEWIS, 4, 0, "tables").axes[0]) == "1.2k").all()


def test_frames_are_around_the_best_actions_of_each_state():
    history = signalling_q_learning(UNEVEN, 2, n_rounds=50, n_records=2)
    figure = draw_code_table(history, UNEVEN)
    frames = [p for p in figure.axes[2].patches if isinstance(p, Rectangle)]
    framed = {(round(p.get_y() + 0.46), round(p.get_x() + 0.46)) for p in frames}
    assert all(p.get_edgecolor() == to_rgba(ORANGE) for p in frames)
    assert framed == {(0, 3), (1, 1), (1, 2), (2, 2), (2, 3)} and len(frames) == 5
    assert [numbers(ax).shape for ax in figure.axes[:3]] == [(3, 2), (2, 4), (3, 4)]
    # Without a word: action 3 for ever, .5 · 2 + .2 · 3; with two: actions 3 and 1 or 2, .3 more.
    assert level(figure, "without a word") == [pytest.approx(1.6)]
    assert level(figure, "with 2 words") == [pytest.approx(1.9)]


def test_below_are_all_seeds_payoffs_and_the_levels():
    figure = draw_code_table(MIXED, LEWIS, 7, 2)
    ax = figure.axes[3]
    bold = [line for line in ax.lines if line.get_color() == BLUE]
    assert len(bold) == 1 and np.array_equal(bold[0].get_ydata(), MIXED.payoff[:, 1])
    thin = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    assert np.array_equal(thin, MIXED.payoff[:, [0, 2]].T)
    (dot,) = [line for line in ax.lines if line.get_marker() == "o"]
    assert dot.get_xydata().tolist() == [[MIXED.rounds[2], MIXED.payoff[2, 1]]]
    assert level(figure, "without a word") == [pytest.approx(1 / 3)]
    assert level(figure, "with 3 words") == [1.0]
    names = [text.get_text() for text in figure.legends[0].texts]
    assert names[:2] == ["the other seeds", "seed 7"]


def test_bits_in_the_title_are_those_of_a_code_that_one_knows():
    sender = np.eye(3)[[0, 1, 1]]  # tells state 1 from the others: H(1/3) = .918 bits
    history = TABLES._replace(sender=np.broadcast_to(sender, TABLES.sender.shape))
    assert "0.92 of 1.58 bits" in title(draw_code_table(history, LEWIS).axes[3])


def test_as_a_widget():
    widget = Interactive(
        lambda seed, numbers, moment: draw_code_table(MIXED, LEWIS, seed, moment, numbers),
        alt="What words mean.",
        moment=slider("record", range(7)),
        seed=slider("seed", MIXED.seeds),
        numbers=choice("numbers", NUMBERS),
    )
    pictures = {widget.image.value}
    for name, value in (("moment", 3), ("seed", 9), ("numbers", "tables")):
        widget.controls[name].value = value
        assert "alert" not in widget.image.value
        pictures.add(widget.image.value)
    assert len(pictures) == 4


@pytest.mark.parametrize("game", [lewis(1), lewis(2, 5), lewis(6, 1), lewis(LARGEST)])
def test_any_size_can_be_drawn(game):
    history = signalling_q_learning(game, 1, n_rounds=20, n_records=1)
    assert png(draw_code_table(history, game, 0, 1))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((MIXED, lewis(4)), "history"),
        ((MIXED, lewis(3, 4)), "history"),
        ((signalling_q_learning(lewis(LARGEST + 1), 1, n_rounds=1), lewis(LARGEST + 1)), "game"),
        ((MIXED, LEWIS, 5), "seed"),
        ((MIXED, LEWIS, 4, 0, "chances"), "numbers"),
    ],
)
def test_bad_input_is_refused(arguments, named):
    with pytest.raises(ValueError, match=rf"^{named}"):
        draw_code_table(*arguments)
