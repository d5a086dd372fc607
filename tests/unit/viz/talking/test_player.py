"""The player of talking cars: what is drawn is what was recorded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

from marl_lessons.envs.cars.junction_roads import LEVELS, network
from marl_lessons.evaluation.talk.influence import TalkFrames
from marl_lessons.viz.cars import beside_each_other
from marl_lessons.viz.style import BLACK, LIGHT_COLOURS, ORANGE, png
from marl_lessons.viz.talking.player import (
    LINES_TO,
    WIDEST,
    acts_otherwise,
    draw_talk,
    near_each_other,
)
from marl_lessons.viz.talking.word_colours import (
    SILENT,
    map_words,
)
from marl_lessons.viz.widgets import Interactive, choice, slider


def made_up(level="easy", seed=0, n_moments=6, n_worlds=2, n=4, width=5) -> TalkFrames:
    """Frames in which nothing fits together, so that every part of a picture can be told from the others."""
    rng, level = np.random.default_rng(seed), LEVELS[level]
    slots = n_moments, n_worlds, n
    n_states = len(network(level).route)
    states = rng.integers(1, n_states, slots) * (rng.random(slots) < 0.75)
    return TalkFrames(
        level=level,
        observations=rng.random((*slots, 3)),
        states=states,
        messages=rng.normal(size=(*slots, width)),
        speaks=(rng.random(slots) < 0.6) & (states > 0),
        weights=rng.random((*slots, n)) * (rng.random((*slots, n)) < 0.7),
        actions=rng.integers(2, size=slots),
        muted=rng.integers(2, size=slots),
        collided=(rng.random(slots) < 0.15) & (states > 0),
        failed=rng.random(n_worlds) < 0.5,
    )


EASY, MEDIUM = made_up(), made_up("medium", 1, n=6)


BOTH = pytest.mark.parametrize("frames", [EASY, MEDIUM], ids=["easy", "medium"])


def parts(ax, kind) -> list:
    return [patch for patch in ax.patches if type(patch) is kind]


def boxes(ax) -> dict[int, Rectangle]:
    """The boxes beside the cars by the number of the car's slot."""
    found = {}
    for text in ax.texts:
        middle = np.array(text.get_position())
        for box in parts(ax, Rectangle):
            around = np.allclose(np.array(box.get_xy()) + 0.27, middle)
            if around and box.get_width() == pytest.approx(0.54):
                found[int(text.get_text()) - 1] = box
    return found


@BOTH
@pytest.mark.parametrize("world", [0, 1])
def test_cars_lights_boxes_rings_and_stars_are_those_of_the_moment(frames, world):
    words = map_words(frames.messages, frames.speaks)
    for moment in (0, 2, 5):
        now = moment, world
        ax = draw_talk(frames, moment, world, words=words).axes[0]
        there = frames.active[now]
        assert len(parts(ax, FancyBboxPatch)) == there.sum()
        red = to_rgba(LIGHT_COLOURS["red"])
        lights = [p for p in parts(ax, Rectangle) if p.get_facecolor() == red]
        assert len(lights) == 2 * (frames.actions[now] * there).sum()
        found = boxes(ax)
        assert set(found) == set(np.flatnonzero(there))
        for i, box in found.items():
            speaks = frames.speaks[(*now, i)]
            colour = words.colours[(*now, i)] if speaks else (1, 1, 1)
            assert np.allclose(box.get_facecolor()[:3], colour)
            assert (box.get_linestyle() == ":") != speaks
            middle = np.array(box.get_xy())[::-1] + 0.27
            assert np.linalg.norm(middle - frames.cells[(*now, i)]) < 2.2
        rings = parts(ax, Circle)
        cells = frames.cells[now][there & (frames.actions[now] != frames.muted[now])]
        assert len(rings) == len(cells)
        assert all(ring.get_edgecolor() == to_rgba(ORANGE) for ring in rings)
        for ring, (row, column) in zip(rings, cells):
            assert np.abs(np.array(ring.center) - (column, row)).max() < 0.21
        assert len(parts(ax, Polygon)) == len(np.unique(frames.cells[now][frames.collided[now]], axis=0))  # fmt: skip


@BOTH
def test_arrows_lead_from_speakers_to_listeners_as_wide_as_the_weights(frames):
    words, n = map_words(frames.messages, frames.speaks), frames.actions.shape[2]
    seen = 0
    for moment, lines_to in ((0, "everybody"), (3, "everybody"), (2, "who acts otherwise")):
        now = moment, 1
        ax = draw_talk(frames, moment, 1, lines_to, words).axes[0]
        there, expected = frames.active[now], []
        middles = beside_each_other(frames.cells[now])[0]
        for i in range(n):
            wanted = lines_to == "everybody" or frames.actions[now][i] != frames.muted[now][i]
            for j in range(n):
                weight = frames.weights[now][i, j] / frames.weights.max()
                if there[i] and wanted and there[j] and j != i and frames.speaks[now][j] and weight > 0.03:  # fmt: skip
                    ends = [middles[k][::-1] for k in (j, i)]
                    expected.append((weight * WIDEST, *words.colours[now][j], *np.ravel(ends)))
        arrows = [
            (p.get_linewidth(), *p.get_edgecolor()[:3], *np.ravel(p._posA_posB))
            for p in parts(ax, FancyArrowPatch)
        ]
        assert np.allclose(sorted(arrows), sorted(expected))
        seen += len(arrows)
    assert seen > 5
    assert not parts(draw_talk(frames, 0, 1, "nobody", words).axes[0], FancyArrowPatch)


@BOTH
def test_rows_hold_the_whole_recording(frames):
    words = map_words(frames.messages, frames.speaks)
    ax = draw_talk(frames, 4, 0, words=words).axes[1]
    active, actions = frames.active[:, 0].T, frames.actions[:, 0].T
    pixels = np.asarray(ax.images[0].get_array())
    assert np.allclose(pixels[~active], 1.0)
    assert np.allclose(pixels[active], words.colours[:, 0].swapaxes(0, 1)[active])
    silent = active & ~frames.speaks[:, 0].T
    assert silent.any() and np.allclose(pixels[silent], SILENT)
    (bars,) = [c for c in ax.collections if isinstance(c, PatchCollection)]
    corners = [path.vertices[:4].mean(axis=0) for path in bars.get_paths()]
    found = {(int(i), round(t)) for t, i in corners}
    assert found == set(map(tuple, np.argwhere(active & (actions == 1))))
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]
    places = {(round(i), int(t)) for t, i in dots.get_xydata()}
    otherwise = active & (actions != frames.muted[:, 0].T)
    assert places == set(map(tuple, np.argwhere(otherwise)))
    assert np.array_equal(acts_otherwise(frames)[:, 0].T, otherwise)
    (frame,) = [p for p in ax.patches if p.get_edgecolor() == to_rgba(BLACK)]
    assert (frame.get_x(), frame.get_width()) == (3.5, 1)
    does = {0: "drives", 1: "brakes"}
    for i, text in enumerate(ax.get_yticklabels()):
        expected = f"{i + 1}: no car"
        if active[i, 4]:
            expected = f"{i + 1} {does[actions[i, 4]]}"
            if otherwise[i, 4]:
                expected += f", else {does[frames.muted[4, 0, i]]}"
        assert text.get_text() == expected


def test_the_map_holds_all_words_and_those_of_now():
    words = map_words(EASY.messages, EASY.speaks)
    ax = draw_talk(EASY, 2, 0, words=words).axes[2]
    assert len(ax.collections[0].get_offsets()) == EASY.speaks.sum()
    there, near = {}, 0.05 * np.nanmax(np.abs(words.scores), axis=(0, 1, 2)) * 2
    for text in ax.texts:
        there |= {int(k) - 1: text.get_position() for k in text.get_text().split(",")}
    assert set(there) == set(np.flatnonzero(EASY.speaks[2, 0]))
    for i, place in there.items():
        assert (np.abs(words.scores[2, 0, i] - place) <= near).all()
    assert f"{words.share:.0%}" in ax.get_title(loc="left") + ax.get_title()


def test_speakers_of_one_word_share_a_box():
    messages = EASY.messages.copy()
    messages[2] = messages[2, :1, :1]
    frames = replace(EASY, messages=messages, speaks=EASY.active)
    texts = [t.get_text() for t in draw_talk(frames, 2, 0).axes[2].texts]
    assert texts == [",".join(str(i + 1) for i in np.flatnonzero(EASY.active[2, 0]))]
    places = np.array([[0, 0], [3, 0], [1, 1], [4, 0.5], [0, 3]])
    assert near_each_other(places, np.array([1, 2])) == [[0, 2], [1, 3], [4]]


def test_no_cars_no_words_or_one_number_can_be_drawn():
    empty = replace(EASY, states=np.zeros_like(EASY.states), speaks=np.zeros_like(EASY.speaks), collided=np.zeros_like(EASY.collided))  # fmt: skip
    assert png(draw_talk(empty, 0, 0, "everybody"))
    deaf = replace(EASY, weights=np.zeros_like(EASY.weights))
    figure = draw_talk(deaf, 1, 0, "everybody")
    assert png(figure) and not parts(figure.axes[0], FancyArrowPatch)
    assert png(draw_talk(made_up(width=1, n_moments=1, n=1), 0))


def test_as_a_widget():
    words = map_words(EASY.messages, EASY.speaks)
    widget = Interactive(
        lambda world, lines_to, moment: draw_talk(EASY, moment, world, lines_to, words),
        alt="Cars that talk.",
        moment=slider("moment", range(6), 3),
        world=slider("world", range(2)),
        lines_to=choice("arrows to", LINES_TO),
    )
    pictures = {widget.image.value}
    for name, value in (("world", 1), ("moment", 2), ("lines_to", "nobody")):
        widget.controls[name].value = value
        assert "alert" not in widget.image.value
        pictures.add(widget.image.value)
    assert len(pictures) == 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        *(({"moment": t}, "moment") for t in (6, -1, True, 1.0, None)),
        *(({"world": e}, "world") for e in (2, -1, None)),
        *(({"lines_to": who}, "lines_to") for who in ("all", None)),
    ],
)
def test_bad_input_is_refused(change, named):
    with pytest.raises(ValueError, match=f"^{named}"):
        draw_talk(**({"frames": EASY} | change))
