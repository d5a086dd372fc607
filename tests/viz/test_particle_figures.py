"""Pictures of the particle worlds: bodies of their size where they are, words, stars, paths; films and the player."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import EllipseCollection, LineCollection, PatchCollection
from matplotlib.colors import to_rgba
from matplotlib.quiver import Quiver

from marl_lessons.envs import simple_speaker_listener, simple_spread, simple_tag
from marl_lessons.evaluation.particles.frames import Frames, record
from marl_lessons.evaluation.particles.references import (
    random_actions,
    to_assigned,
    to_nearest,
    told_listener,
    told_one_step_late,
    untold_listener,
)
from marl_lessons.evaluation.statistics import play_episodes
from marl_lessons.viz.everyone.particle_player import draw_player, returns_so_far
from marl_lessons.viz.everyone.particles import (
    FIELD,
    WORD_COLOURS,
    draw_beside,
    draw_frame,
    draw_scene,
    film,
    flip_book,
    message_corner,
)
from marl_lessons.viz.style import BLACK, new_figure, png
from marl_lessons.viz.widgets import Animation, Interactive, choice, slider

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
    ax = axes()
    draw_scene(ax, worlds, which, trails)
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
        assert (np.abs(middle) + half < FIELD).all()
        away = np.abs(middle - speaker) - half
        assert away.max() == pytest.approx(0.1)
        near = min(np.linalg.norm(middle - mark) for mark in landmarks)
        others = [speaker + (0.1 + half) * d for d in ([1, 0], [-1, 0], [0, 1], [0, -1])]
        others = [o for o in others if (np.abs(o) + half < FIELD - 0.03).all()]
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


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_the_episode_as_it_is_played(kind):
    worlds, other = KINDS[kind](4), KINDS[kind](4)
    frames = record(worlds, random_actions(generator(1)), generator(7))
    assert frames.positions.shape == (26, 4, len(worlds.scene.sizes), 2)
    assert frames.messages.shape == (26, 4, worlds.n_agents, worlds.scene.n_words)
    other.reset(generator(7))
    assert np.array_equal(frames.goals, other.goals)
    for t in range(26):
        assert np.array_equal(frames.positions[t], other.positions)
        assert np.array_equal(frames.velocities[t], other.velocities)
        assert np.array_equal(frames.messages[t], other.messages)
        if t < 25:
            step = other.step(frames.actions[t], generator())
            assert np.array_equal(frames.rewards[t], step.rewards)
    assert other.ended.all() and worlds.ended.all()


def test_recordings_return_what_episodes_return_and_may_begin_where_worlds_stand():
    frames = record(simple_speaker_listener(5), told_one_step_late, generator(3))
    played = play_episodes(simple_speaker_listener(5), told_one_step_late, 1, generator(3))
    assert np.allclose(returns_so_far(frames)[-1], played.returns.mean(axis=1))
    worlds = simple_speaker_listener(5)
    seen = worlds.reset(generator(3))
    for _ in range(10):
        seen = worlds.step(told_one_step_late(worlds, seen), generator()).observations
    rest = record(worlds, told_one_step_late)
    assert len(rest.rewards) == 15 and np.array_equal(rest.positions, frames.positions[10:])


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


@pytest.mark.parametrize("kind", KINDS)
def test_a_film_is_small_and_ends_with_the_episode(kind):
    pages = list(film(KINDS[kind](2), random_actions(generator()), generator(1), 1, "Random"))
    assert len(pages) == 26
    titles = [p.axes[0].get_title(loc="left") + p.axes[0].get_title() for p in pages]
    assert titles[0] == "Random: step 0" and titles[-1] == "Random: step 25"
    book = Animation(pages, "An episode.")
    assert sum(map(len, book.frames)) < 250_000


def test_long_episodes_are_thinned_out_and_films_stand_side_by_side():
    worlds = simple_spread(1, time_limit=60)
    two = {name: record(worlds, act, generator(1)) for name, act in (("a", to_nearest), ("b", to_assigned))}  # fmt: skip
    pages = list(flip_book(worlds.scene, two))
    assert len(pages) == 26 and all(len(page.axes) == 2 for page in pages)
    ends = [page.axes[1].get_title(loc="left") + page.axes[1].get_title() for page in pages]
    assert ends[0] == "b: step 0" and ends[-1] == "b: step 60" and len(set(ends)) == 26
    short = simple_spread(1, time_limit=1)
    assert len(list(film(short, to_nearest, generator()))) == 2


def recordings():
    worlds = simple_speaker_listener(8, continuous_actions=True)

    def played(share):
        noise = generator(1)

        def act(w, seen):
            told = told_one_step_late(w, seen)
            return share * told + (1 - share) * noise.random(told.shape)

        return record(worlds, act, generator(9))

    frames = {"MADDPG": [played(0.0), played(0.5), played(1.0)], "independent": [played(0.2)] * 3}
    known = {
        name: record(worlds, act, generator(9))
        for name, act in (("told", told_listener), ("never told", untold_listener))
    }
    return worlds.scene, frames, known


SCENE, PLAYED, KNOWN = recordings()
NAMES = ["untrained", "50k steps", "200k steps"]


def player(method="MADDPG", moment=1, start=3, t=10, **changed):
    given = {"scene": SCENE, "references": KNOWN, "moments": NAMES} | changed
    return draw_player(given.pop("frames_by_label", PLAYED), method, moment, start, t, **given)


def test_the_player_shows_the_episode_and_its_return():
    figure = player()
    left, right = figure.axes
    assert left.get_title(loc="left") + left.get_title() == "MADDPG, 50k steps: step 10"
    rewards = PLAYED["MADDPG"][1].rewards[:, 3].mean(axis=1)
    path = np.array([sum(rewards[:k]) for k in range(26)])
    so_far = [line for line in right.lines if len(line.get_xdata()) == 11]
    assert np.allclose(so_far[0].get_ydata(), path[:11])
    title = right.get_title(loc="left") + right.get_title()
    assert title == f"Return {path[10]:.1f} so far, {path[-1]:.1f} in the end"
    ends = [line.get_ydata()[-1] for line in right.lines if to_rgba(line.get_color()) == to_rgba(BLACK)]  # fmt: skip
    assert np.allclose(ends, [f.rewards[:, 3].mean(axis=1).sum() for f in KNOWN.values()])


def test_pictures_of_one_start_have_one_axis_and_are_pure():
    limits = {
        player(method, moment, 3, t).axes[1].get_ylim()
        for method in PLAYED
        for moment in range(3)
        for t in (0, 12, 25)
    }
    assert len({low for low, _ in limits}) == 1
    assert png(player(t=0)) == png(player(t=0)) != png(player(t=25))


def test_an_episode_far_below_is_cut_off_and_the_player_works_for_spread():
    worlds = simple_spread(2)
    known = {"nearest": record(worlds, to_nearest, generator(1))}
    bad = known["nearest"]._replace(rewards=50 * known["nearest"].rewards)
    right = draw_player({"a": [bad]}, "a", 0, 1, 25, scene=worlds.scene, references=known).axes[1]
    floor = right.get_ylim()[0]
    assert floor > 2 * returns_so_far(known["nearest"])[-1, 1]
    (mark,) = [line for line in right.lines if line.get_marker() == "v"]
    assert floor < mark.get_ydata()[0] < 0


def test_the_player_as_a_widget():
    widget = Interactive(
        lambda method, trained, start, moment: player(method, trained, start, moment),
        alt="An episode.",
        method=choice("method", list(PLAYED)),
        trained=slider("trained for", list(zip(NAMES, range(3))), 2),
        start=slider("start", range(8)),
        moment=slider("step", range(26), 25),
    )
    before = widget.image.value
    widget.controls["moment"].value = 3
    assert widget.image.value != before and "alert" not in widget.image.value


def test_bad_input_is_refused():
    worlds = simple_spread(2)
    frames = record(worlds, to_nearest, generator())
    ax = axes()
    for other in (None, frames):
        with pytest.raises(ValueError, match=r"^worlds: expected particle worlds"):
            draw_scene(ax, other)
        with pytest.raises(ValueError, match=r"^worlds"):
            record(other, to_nearest, generator())
        with pytest.raises(ValueError, match=r"^worlds"):
            film(other, to_nearest, generator())
        with pytest.raises(ValueError, match=r"^scene"):
            draw_frame(ax, other, frames, 0)
    with pytest.raises(ValueError, match=r"^act"):
        record(worlds, 3, generator())
    with pytest.raises(ValueError, match=r"^rng"):
        record(worlds, to_nearest, 3)
    with pytest.raises(ValueError, match=r"^worlds: expected episodes that go on"):
        record(worlds, to_nearest)
    with pytest.raises(ValueError, match=r"^which"):
        drawn(worlds, 2)
    with pytest.raises(ValueError, match=r"^trails"):
        drawn(worlds, 0, np.zeros((4, 2, 2)))
    for t in (26, -1, 2.5, True):
        with pytest.raises(ValueError, match=r"^t\b"):
            draw_frame(ax, worlds.scene, frames, t)
    for wrong in (None, tuple(frames), PLAYED["MADDPG"][0], Frames(*[np.zeros(3)] * 6)):
        with pytest.raises(ValueError, match=r"^frames"):
            draw_frame(ax, worlds.scene, wrong, 0)
    with pytest.raises(ValueError, match=r"^recordings"):
        flip_book(worlds.scene, {})
    with pytest.raises(ValueError, match=r"^which"):
        flip_book(worlds.scene, {"a": frames}, 2)
    short = record(simple_spread(2, time_limit=3), to_nearest, generator())
    with pytest.raises(ValueError, match=r"^recordings: expected episodes of one length"):
        flip_book(worlds.scene, {"a": frames, "b": short})


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        ("method", {"method": "DQN"}),
        ("method", {"method": []}),
        ("moment is|moment", {"moment": 3}),
        ("start", {"start": 8}),
        ("t", {"t": 26}),
        ("moments", {"moments": ["one"]}),
        ("frames_by_label", {"frames_by_label": {}}),
        ("frames_by_label", {"frames_by_label": {"MADDPG": []}}),
        ("frames_by_label", {"frames_by_label": {"MADDPG": [3, 3]}}),
        ("references", {"references": [1]}),
        ("scene", {"scene": None}),
    ],
)
def test_the_player_refuses_what_it_cannot_show(message, changed):
    with pytest.raises(ValueError, match=f"^({message})"):
        player(**changed)


def test_the_player_refuses_other_starts():
    other = record(simple_speaker_listener(8), told_listener, generator(10))
    for wrong in (other, KNOWN["told"]._replace(goals=(KNOWN["told"].goals + 1) % 3)):
        with pytest.raises(ValueError, match=r"^frames_by_label\['b'\]\[0\]: expected"):
            player("MADDPG", frames_by_label=PLAYED | {"b": [wrong]})


def test_two_programs_pictures_stand_side_by_side():
    worlds = simple_speaker_listener(2, continuous_actions=True)
    frames = record(worlds, told_listener, np.random.default_rng(0))
    image = np.random.default_rng(0).integers(256, size=(7, 9, 3))
    figure = draw_beside(image, worlds.scene, frames, 1)
    left, right = figure.axes
    np.testing.assert_array_equal(left.get_images()[0].get_array(), image)
    assert left.get_title() != right.get_title()
    for bad in (image[..., :2], image + 1000, image / 255, None):
        with pytest.raises(ValueError, match=r"^image"):
            draw_beside(bad, worlds.scene, frames)
    with pytest.raises(ValueError, match=r"^which"):
        draw_beside(image, worlds.scene, frames, 2)
