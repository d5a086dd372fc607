"""Pictures of the particle worlds: bodies of their size where they are, words, stars, paths and flip-books."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection, LineCollection, PatchCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.quiver import Quiver

from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.evaluation.particles.frames import record
from marl_lessons.evaluation.particles.references import (
    random_actions,
    to_assigned,
    to_nearest,
    told_listener,
    told_one_step_late,
)
from marl_lessons.viz.everyone.particles import (
    FIELD,
    LOOKS,
    ROOM,
    WORD_COLOURS,
    Moment,
    draw_beside,
    draw_frame,
    draw_moment,
    flip_book,
    message_corner,
)
from marl_lessons.viz.style import new_figure, png
from marl_lessons.viz.widgets import Animation

KINDS = {
    "spread": lambda e=1: simple_spread(e),
    "speaker": lambda e=1: simple_speaker_listener(e, continuous_actions=True),
    "tag": lambda e=1: simple_tag(e, n_prey=2),
}


def generator(seed=0):
    return np.random.default_rng(seed)


def axes():
    return new_figure(size=(3, 3))[1][0]


def drawn(worlds, which=0, trails=None):
    """World number ``which`` as it stands."""
    ax, goal = axes(), int(worlds.goals[which])
    state = (worlds.positions[which], worlds.velocities[which], worlds.messages[which], goal)
    draw_moment(ax, worlds.scene, Moment(*state), trails)
    return ax


def discs(ax):
    """Middles ``[k, 2]`` and radii ``[k]`` of all discs and rings."""
    found = [c for c in ax.collections if isinstance(c, EllipseCollection)]
    middles = np.concatenate([c.get_offsets() for c in found])
    return middles, np.concatenate([np.ravel(c.get_widths()) / 2 for c in found])


def squares(ax):
    """Middles ``[k, 2]`` and half sides ``[k, 2]`` of the patches in the collections, in the order drawn."""
    boxes = [
        path.get_extents()
        for c in ax.collections
        if isinstance(c, PatchCollection)
        for path in c.get_paths()
    ]
    low, high = np.array([b.min for b in boxes]), np.array([b.max for b in boxes])
    return (low + high) / 2, (high - low) / 2


def stars(ax):
    return [line.get_xydata() for line in ax.lines if line.get_marker() == "*"]


def has(places, wanted):
    return np.isclose(places[:, None], wanted, atol=1e-9).all(axis=-1).any(axis=0)


@pytest.mark.parametrize("kind", KINDS)
def test_bodies_have_their_size_where_they_are(kind):
    worlds = KINDS[kind](3)
    scene, n, pictures = worlds.scene, worlds.n_agents, set()
    worlds.reset(generator(4))
    for which in range(3):
        ax = drawn(worlds, which)
        pictures.add(png(ax.figure))
        middles, radii = discs(ax)
        for i, (place, size) in enumerate(zip(worlds.positions[which], scene.sizes)):
            if i < n or scene.collides[i]:
                at = np.isclose(middles, place).all(axis=1)
                assert at.any() and np.isclose(radii[at], size).any()
            else:
                where, half = squares(ax)
                at = np.isclose(where, place).all(axis=1)
                assert at.any() and np.isclose(half[at], size).all()
        assert ax.get_aspect() == 1 and ax.get_xlim() == ax.get_ylim() == (-FIELD, FIELD)
    assert len(pictures) == 3


def test_roles_have_letters_and_agents_that_are_alike_numbers():
    def letters(worlds):
        worlds.reset(generator(1))
        return [text.get_text() for text in drawn(worlds).texts]

    assert letters(simple_spread(n_agents=4)) == ["1", "2", "3", "4"]
    assert letters(simple_tag()) == ["C"] * 3
    # Numbers of landmarks, the two roles, numbers of words.
    assert letters(simple_speaker_listener()) == ["1", "2", "3", "S", "L", "1", "2", "3"]


def test_the_goal_is_ringed_and_the_words_are_bars_in_the_landmarks_colours():
    worlds = simple_speaker_listener(3, continuous_actions=True)
    worlds.reset(generator(2))
    worlds.place(worlds.positions, None, [2, 0, 1])
    said = np.array([[1.0, 0, 0], [0.2, 0.5, 0.9], [0, 0, 0]])
    actions = np.zeros((3, 2, 5))
    actions[:, 0, :3] = said
    worlds.step(actions, generator())
    for which in range(3):
        ax = drawn(worlds, which)
        middles, radii = discs(ax)
        ring = middles[radii > 0.1]
        assert np.allclose(ring, worlds.positions[which, 2 + worlds.goals[which]])
        bars = [c for c in ax.collections if isinstance(c, PatchCollection)][-1]
        heights = np.array([p.get_extents().height for p in bars.get_paths()])
        assert np.allclose(heights[4:] / heights[1:4], said[which])
        colours = [tuple(c) for c in bars.get_facecolors()[4:]]
        assert colours == [to_rgba(c) for c in WORD_COLOURS]
        markers = next(c for c in ax.collections if isinstance(c, PatchCollection))
        assert [tuple(c) for c in markers.get_facecolors()] == colours


def test_the_message_lies_in_the_picture_beside_the_speaker_and_clear_of_landmarks():
    half = np.array([0.33, 0.42]) / 2
    for seed in range(200):
        rng = generator(seed)
        speaker, landmarks = rng.uniform(-1, 1, 2), rng.uniform(-1, 1, (3, 2))
        middle = message_corner(speaker, landmarks) + half
        assert (np.abs(middle) + half <= ROOM + 1e-9).all()
        away = np.abs(middle - speaker) - half
        assert away.max() == pytest.approx(0.1)
        near = min(np.linalg.norm(middle - mark) for mark in landmarks)
        others = [speaker + (0.1 + half) * d for d in ([1, 0], [-1, 0], [0, 1], [0, -1])]
        others = [o for o in others if (np.abs(o) + half < ROOM).all()]
        assert near == pytest.approx(
            max(min(np.linalg.norm(o - m) for m in landmarks) for o in others)
        )
    for speaker in ([1.4, 1.4], [-9, 0.0]):
        assert (np.abs(message_corner(np.array(speaker), landmarks) + half) + half < 1.41).all()


def test_a_star_marks_each_contact():
    places = [[0, 0], [0.2, 0.1], [0.1, -0.19], [0, 0.05], [1, 1], [-1, 0]]
    worlds = simple_spread(2)
    worlds.place(np.array([places, np.array(places) * 5.0]))
    agents = np.array(places[:3])
    expected = [
        (agents[i] + agents[j]) / 2
        for i in range(3)
        for j in range(i)
        if np.hypot(*(agents[i] - agents[j])) < 0.3
    ]
    (found,) = stars(drawn(worlds))
    assert len(found) == len(expected) == worlds.contacts[0]
    assert has(found, np.array(expected)).all()
    assert stars(drawn(worlds, 1)) == [] and worlds.contacts[1] == 0


def test_an_arrow_leads_to_where_an_agent_would_be():
    worlds = simple_spread()
    worlds.reset(generator())
    velocities = np.array([[[1.0, 0.5], [0, 0], [0, -2]]])
    places = np.clip(worlds.positions, -0.8, 0.8)
    worlds.place(places, velocities)
    (arrows,) = [c for c in drawn(worlds).collections if isinstance(c, Quiver)]
    assert np.allclose(np.stack([arrows.U, arrows.V], axis=1), 0.3 * velocities[0, [0, 2]])
    gaps = arrows.get_offsets() - places[0, [0, 2]]
    assert np.allclose(np.linalg.norm(gaps, axis=1), 0.15)  # arrows begin at the rim
    still = simple_spread()
    still.reset(generator())
    assert not [c for c in drawn(still).collections if isinstance(c, Quiver)]


def test_agents_outside_are_triangles_on_the_edge():
    worlds = simple_speaker_listener()
    worlds.place([[[0, 0], [4.4, -0.5], [0, 1], [1, 0], [1, 1]]])
    ax = drawn(worlds)
    (triangle,) = [line for line in ax.lines if isinstance(line.get_marker(), tuple)]
    assert np.allclose(triangle.get_xydata(), [[FIELD - 0.07, -0.5]])
    assert triangle.get_marker() == (3, 0, -90)
    assert "3.0 outside" in [text.get_text() for text in ax.texts]
    assert "L" not in [text.get_text() for text in ax.texts]


def test_a_frame_shows_the_path_so_far_and_the_rest():
    worlds = simple_spread(2)
    frames = record(worlds, to_nearest, generator(5))
    ax = axes()
    draw_frame(ax, worlds.scene, frames, 10, 1, "T")
    rest, past = [c for c in ax.collections if isinstance(c, LineCollection)][:2]
    for i in range(3):
        assert np.array_equal(past.get_segments()[i], frames.positions[:11, 1, i])
        assert np.array_equal(rest.get_segments()[i], frames.positions[10:, 1, i])
    assert rest.get_alpha() < past.get_alpha()
    agents, marks = frames.positions[10, 1, :3], frames.positions[10, 1, 3:]
    away = sum(min(np.hypot(*(a - mark)) for a in agents) for mark in marks)
    assert f"uncovered by {away:.2f} in all" in ax.xaxis.label.get_text()
    worlds.place(frames.positions[10])
    trails = frames.positions[:11, 1, :3]
    again = next(c for c in drawn(worlds, 1, trails).collections if isinstance(c, LineCollection))
    assert np.array_equal(again.get_segments()[2], trails[:, 2])


def title(ax):
    return ax.get_title(loc="left") + ax.get_title()


@pytest.mark.parametrize("kind", KINDS)
def test_a_flip_book_is_small_and_ends_with_the_episode(kind):
    worlds = KINDS[kind](2)
    frames = record(worlds, random_actions(generator()), generator(1))
    pages = list(flip_book(worlds.scene, {"Random": frames}, 1))
    assert len(pages) == 26
    assert [title(pages[k].axes[0]) for k in (0, -1)] == ["Random: step 0", "Random: step 25"]
    assert sum(map(len, Animation(pages, "An episode.").frames)) < 250_000


def test_long_episodes_are_thinned_out_and_recordings_stand_side_by_side():
    worlds = simple_spread(1, time_limit=60)
    acts = {"a": to_nearest, "b": to_assigned}
    two = {name: record(worlds, act, generator(1)) for name, act in acts.items()}
    pages = list(flip_book(worlds.scene, two))
    assert len(pages) == 26 and all(len(page.axes) == 2 for page in pages)
    titles = [title(page.axes[1]) for page in pages]
    assert titles[0] == "b: step 0" and titles[-1] == "b: step 60" and len(set(titles)) == 26
    short = simple_spread(1, time_limit=1)
    assert len(list(flip_book(short.scene, {"": record(short, to_nearest, generator())}))) == 2


def test_two_programs_pictures_stand_side_by_side():
    worlds = simple_speaker_listener(2, continuous_actions=True)
    frames = record(worlds, told_listener, generator())
    image = generator().integers(256, size=(7, 9, 3))
    left, right = draw_beside(image, worlds.scene, frames, 1).axes
    np.testing.assert_array_equal(left.get_images()[0].get_array(), image)
    assert title(left) != title(right)


def speaking(*words):
    """Frames of vector words: the speaker says one after the other, then the last for ever."""
    worlds, said = simple_speaker_listener(2, continuous_actions=True), iter(words)

    def act(_, seen):
        actions = np.zeros((len(seen), 2, 5))
        actions[:, 0, :3] = next(said, words[-1])
        return actions

    return worlds.scene, record(worlds, act, generator(3))


def caption(scene, frames, t, **options):
    ax = axes()
    draw_frame(ax, scene, frames, t, **options)
    return ax.xaxis.label.get_text()


def numbers_of_words(ax):
    """The numbers in small print: those below the bars, not those beside landmarks."""
    return [text.get_text() for text in ax.texts if text.get_fontsize() == 7 and text.get_text() in "123"]  # fmt: skip


def test_of_a_word_that_is_a_vector_all_numbers_are_shown():
    scene, frames = speaking([0.24, 1.0, 0.0], [0.9, 0.9, 0.86])
    goal = f"goal {frames.goals[0] + 1}, "
    assert caption(scene, frames, 0).startswith(goal + "S is silent, listener ")
    assert caption(scene, frames, 1).startswith(goal + "word 0.2 1.0 0.0, listener ")
    assert caption(scene, frames, 2).startswith(goal + "word 0.9 0.9 0.9, listener ")
    assert "says" not in caption(scene, frames, 1)


def test_of_three_words_the_one_that_is_said_is_named():
    worlds = simple_speaker_listener(4)
    frames = record(worlds, told_one_step_late, generator(1))
    for which, goal in enumerate(frames.goals):
        text = caption(worlds.scene, frames, 5, which=which)
        assert text.startswith(f"goal {goal + 1}, S says word {goal + 1}, listener ")
    assert ", S is silent, " in caption(worlds.scene, frames, 0)


def test_words_that_mean_nothing_can_be_left_out():
    scene, frames = speaking([0.2, 1.0, 0.0])
    pages = {words: list(flip_book(scene, {"a": frames}, words=words))[7] for words in (True, False)}  # fmt: skip
    (shown,), (hidden,) = pages[True].axes, pages[False].axes
    assert numbers_of_words(shown) == ["1", "2", "3"] and numbers_of_words(hidden) == []
    assert len(hidden.collections) == len(shown.collections) - 1
    away = shown.xaxis.label.get_text().split(", ")[-1]
    assert hidden.xaxis.label.get_text() == f"goal {frames.goals[0] + 1}, {away}"


@pytest.mark.parametrize("continuous", [True, False])
def test_captions_fit_below_their_panels(continuous):
    worlds = simple_speaker_listener(8, continuous_actions=continuous)
    frames = record(worlds, told_one_step_late, generator())
    for page in list(flip_book(worlds.scene, {"a": frames, "b": frames}, 2))[::5]:
        for ax in page.axes:
            assert ax.xaxis.label.get_window_extent().width <= ax.bbox.width


# What readers with full sight see, and those without long, middle or short cones (Machado et al. 2009, severity 1).
SIGHTS = {
    "full": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]


def lab(colour, sight):
    """CIELAB coordinates of a colour as a reader with this sight sees it."""
    rgb = np.array(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1)
    x, y, z = (
        np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116
        for v in XYZ @ seen / np.array([0.9505, 1.0, 1.089])
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHTS)
def test_every_reader_can_tell_the_landmarks_and_the_listener_apart(sight):
    for first, second in combinations(WORD_COLOURS, 2):
        assert np.linalg.norm(lab(first, sight) - lab(second, sight)) > 35
    for colour in WORD_COLOURS:
        assert np.linalg.norm(lab(colour, sight) - lab(LOOKS["listener"].colour, sight)) > 20
