"""The player shows the chosen episode, its return so far, and the ways one knows without learning."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import to_rgba

from marl_lessons.envs import simple_speaker_listener, simple_spread
from marl_lessons.evaluation.particles.frames import record
from marl_lessons.evaluation.particles.references import (
    to_nearest,
    told_listener,
    told_one_step_late,
    untold_listener,
)
from marl_lessons.evaluation.statistics import play_episodes
from marl_lessons.viz.everyone.particle_player import draw_player, returns_so_far
from marl_lessons.viz.style import BLACK, png
from marl_lessons.viz.widgets import Interactive, choice, slider


def generator(seed=0):
    return np.random.default_rng(seed)


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


def test_the_return_so_far_ends_with_that_of_the_episode():
    frames = record(simple_speaker_listener(5), told_one_step_late, generator(3))
    played = play_episodes(simple_speaker_listener(5), told_one_step_late, 1, generator(3))
    assert np.allclose(returns_so_far(frames)[-1], played.returns.mean(axis=1))
