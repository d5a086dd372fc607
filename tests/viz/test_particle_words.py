"""Words in pictures of the particle worlds: all numbers of a vector, one word of three, colours that all readers can tell apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from marl_lessons.envs import simple_speaker_listener, simple_spread
from marl_lessons.evaluation.particles.frames import record
from marl_lessons.evaluation.particles.references import told_listener, told_one_step_late
from marl_lessons.viz.everyone.particle_player import draw_player
from marl_lessons.viz.everyone.particles import (
    FIELD,
    LOOKS,
    WORD_COLOURS,
    draw_frame,
    draw_scene,
    film,
    flip_book,
    message_corner,
)
from marl_lessons.viz.style import new_figure


def generator(seed=0):
    return np.random.default_rng(seed)


def axes():
    return new_figure(size=(3, 3))[1][0]


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
    worlds = simple_speaker_listener(1)
    (ax,) = list(film(worlds, told_listener, generator(), words=False))[3].axes
    assert numbers_of_words(ax) == []
    for wrong in (None, 0, "no"):
        with pytest.raises(ValueError, match=r"^words"):
            flip_book(scene, {"a": frames}, words=wrong)
        with pytest.raises(ValueError, match=r"^words"):
            draw_frame(axes(), scene, frames, 0, words=wrong)


@pytest.mark.parametrize("continuous", [True, False])
def test_captions_fit_below_their_panels(continuous):
    worlds = simple_speaker_listener(8, continuous_actions=continuous)
    frames = record(worlds, told_one_step_late, generator())
    for page in list(flip_book(worlds.scene, {"a": frames, "b": frames}, 2))[::5]:
        for ax in page.axes:
            assert ax.xaxis.label.get_window_extent().width <= ax.bbox.width


def test_the_box_of_words_lies_in_the_picture_with_its_edges():
    half = np.array([0.33, 0.42]) / 2
    for seed in range(100):
        rng = generator(seed)
        speaker, landmarks = rng.uniform(-1, 1, 2), rng.uniform(-1, 1, (3, 2))
        middle = message_corner(speaker, landmarks) + half
        assert (np.abs(middle) + half <= FIELD - 0.03 + 1e-9).all()


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


@pytest.mark.parametrize("wrong", [None, 3, "x"])
def test_axes_that_are_none_are_refused(wrong):
    scene, frames = speaking([0.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"^ax: expected axes"):
        draw_frame(wrong, scene, frames, 0)
    with pytest.raises(ValueError, match=r"^ax: expected axes"):
        draw_scene(wrong, simple_spread())
    assert isinstance(axes(), Axes)


@pytest.mark.parametrize("wrong", [None, ["a"], {}])
def test_titles_that_are_no_texts_are_refused(wrong):
    scene, frames = speaking([0.0, 0.0, 1.0])
    with pytest.raises(ValueError, match=r"^title: expected a text"):
        draw_frame(axes(), scene, frames, 0, 0, wrong)
    with pytest.raises(ValueError, match=r"^title: expected a text"):
        film(simple_spread(), lambda worlds, seen: None, title=wrong)


def test_the_player_refuses_names_that_are_no_list_and_methods_that_are_no_text():
    scene, frames = speaking([0.0, 0.0, 1.0])
    given = {"scene": scene, "references": {"b": frames}}
    for wrong in (3, "x", None):
        if wrong is not None:
            with pytest.raises(ValueError, match=r"^moments"):
                draw_player({"a": [frames]}, "a", 0, 0, 0, moments=wrong, **given)
    for wrong in (None, 3, np.array(["a", "b"])):
        with pytest.raises(ValueError, match=r"^method"):
            draw_player({"a": [frames]}, wrong, 0, 0, 0, **given)
