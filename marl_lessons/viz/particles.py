"""The particle worlds drawn from above: agents as discs of their true size, landmarks, words, contacts and the paths so far.

:func:`draw_scene` shows worlds as they stand; the other functions show episodes that
:func:`~marl_lessons.evaluation.particle_frames.record` has kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection
from matplotlib.figure import Figure

from marl_lessons.checks import as_flag, as_float_array, as_indices
from marl_lessons.envs.particle_physics import overlaps
from marl_lessons.envs.particle_scenes import Scene
from marl_lessons.envs.particles import ParticleWorlds
from marl_lessons.evaluation.particle_frames import (
    Act,
    Frames,
    check_frames,
    check_particles,
    record,
)
from marl_lessons.viz.crossing import VERGE
from marl_lessons.viz.particle_parts import (
    FIELD,
    draw_landmarks,
    draw_message,
    draw_strays,
    in_words,
    inside,
    looks_of,
    status_line,
)
from marl_lessons.viz.style import BLACK, new_figure

MAX_PAGES = 26  # of a flip-book: an episode of 25 steps
ARROW_SECONDS = 0.3  # an arrow leads to where its agent would be after so long
SLOWEST_ARROW = 0.1  # no arrow for speeds below
ROOMY = 0.1  # discs larger than that leave their middle free for a landmark


class Moment(NamedTuple):
    """One world at one moment: ``positions[m, 2]``, ``velocities[n, 2]``, ``messages[n, c]`` and the number of the goal."""

    positions: np.ndarray
    velocities: np.ndarray
    messages: np.ndarray
    goal: int


def draw_scene(ax: Axes, worlds: ParticleWorlds, which: int = 0, trails=None) -> None:
    """World number ``which`` as it stands. ``trails[k, n, 2]``: where its agents have been, drawn as lines.

    Landmarks are squares, agents discs: S speaker, L listener, C chaser, small ones prey. A ring marks the goal, a star bodies
    that overlap, an arrow the way of the next 0.3 seconds. The bars beside the speaker are its message. Outside the field a
    triangle on its edge stands for an agent. Raises ValueError naming the argument.
    """
    ax, worlds = _as_axes(ax), check_particles("worlds", worlds)
    which = int(as_indices("which", which, (), worlds.n_worlds))
    if trails is not None:
        trails = as_float_array("trails", trails, (None, worlds.n_agents, 2))
    now = Moment(
        worlds.positions[which],
        worlds.velocities[which],
        worlds.messages[which],
        int(worlds.goals[which]),
    )
    draw_moment(ax, worlds.scene, now, trails)


def draw_frame(
    ax: Axes,
    scene: Scene,
    frames: Frames,
    t: int,
    which: int = 0,
    title: str = "",
    *,
    words: bool = True,
) -> None:
    """Moment ``t`` of a recorded episode in world ``which``: the path so far, and faintly the rest of it.

    What the moment is worth looking at for stands below: of a word that is a vector all numbers. ``words=False`` leaves out
    what the speaker says, where it means nothing. Raises ValueError naming the argument.
    """
    ax, title, words = _as_axes(ax), _as_title(title), as_flag("words", words)
    check_frames("frames", frames, scene)
    t = int(as_indices("t", t, (), len(frames.positions)))
    which = int(as_indices("which", which, (), len(frames.goals)))
    at = (arrays[t, which] for arrays in frames[:3])
    moment = Moment(*at, int(frames.goals[which]))
    paths = frames.positions[:, which, : scene.n_agents]
    draw_moment(ax, scene, moment, paths[: t + 1], paths[t:], words)
    ax.set_title(title)
    said = in_words(moment.messages[0], frames.actions.ndim == 4) if words else ""
    ax.set_xlabel(status_line(scene, *moment, said), fontsize=8.5, color=BLACK, loc="left")


def film(
    worlds: ParticleWorlds,
    act: Act,
    rng: np.random.Generator | None = None,
    which: int = 0,
    title: str = "",
    *,
    words: bool = True,
) -> Iterator[Figure]:
    """The pages of a flip-book (for ``Animation``) of one episode in world ``which``; arguments as in :func:`record`.

    Raises ValueError naming the argument.
    """
    scene, title = check_particles("worlds", worlds).scene, _as_title(title)
    return flip_book(scene, {title: record(worlds, act, rng)}, which, words=words)


def flip_book(
    scene: Scene, recordings: Mapping[str, Frames], which: int = 0, *, words: bool = True
) -> Iterator[Figure]:
    """Pages with one panel for each of ``recordings`` by title, all of world ``which``; at most 26, the last is the end.

    ``words=False`` leaves out what speakers say. Raises ValueError naming the argument, ``recordings`` also if they are not
    equally long.
    """
    words = as_flag("words", words)
    if not isinstance(recordings, Mapping) or not recordings:
        raise ValueError(f"recordings: expected Frames by title, got {recordings!r:.80}")
    for title, frames in recordings.items():
        check_frames(f"recordings[{title!r:.40}]", frames, scene)
        as_indices("which", which, (), len(frames.goals))
    lengths = {len(frames.rewards) for frames in recordings.values()}
    if len(lengths) > 1:
        raise ValueError(f"recordings: expected episodes of one length, got {sorted(lengths)}")
    n_steps = lengths.pop()
    moments = np.linspace(0, n_steps, min(n_steps + 1, MAX_PAGES)).round().astype(int)
    return (_page(scene, recordings, which, t, words) for t in moments)


def draw_beside(image: np.ndarray, scene: Scene, frames: Frames, which: int = 0) -> Figure:
    """The end of world ``which``, beside an ``image[H, W, 3]`` of another program's; raises ValueError naming the argument."""
    check_frames("frames", frames, scene)
    as_indices("which", which, (), len(frames.goals))
    pixels = as_indices("image", image, (None, None, 3), 256)
    figure, (left, right) = new_figure(
        1, 2, size=(6.0, 3.35), left=0.02, right=0.98, bottom=0.09, top=0.92, wspace=0.06
    )
    left.imshow(pixels.astype(np.uint8))
    left.set(xticks=[], yticks=[], title="As mpe2 draws it")
    draw_frame(right, scene, frames, len(frames.rewards), which, "As we draw it")
    return figure


def _page(
    scene: Scene, recordings: Mapping[str, Frames], which: int, t: int, words: bool
) -> Figure:
    count, width = len(recordings), 3.0
    figure, axes = new_figure(
        1, count, size=(width * count, width + 0.35), left=0.02, right=0.98, bottom=0.09,
        top=0.92, wspace=0.06,
    )  # fmt: skip
    for ax, (title, frames) in zip(axes, recordings.items()):
        heading = f"{title}: step {t}" if title else f"Step {t}"
        draw_frame(ax, scene, frames, t, which, heading, words=words)
    return figure


def draw_moment(
    ax: Axes, scene: Scene, moment: Moment, past=None, rest=None, words: bool = True
) -> None:
    """One world at one ``moment``; ``past[k, n, 2]`` and ``rest[k, n, 2]``: where its agents have been, and will be.

    ``words``: whether what the speaker says is drawn. Checks nothing: its callers do.
    """
    ax.set(xlim=(-FIELD, FIELD), ylim=(-FIELD, FIELD), xticks=[], yticks=[], aspect="equal")
    ax.set_facecolor(VERGE)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    n, looks = scene.n_agents, looks_of(scene)
    for path, alpha, width in ((rest, 0.45, 1.0), (past, 0.85, 1.6)):
        if path is not None:
            colours, lines = [look.colour for look in looks], [look.line for look in looks]
            ax.add_collection(LineCollection(
                list(path.swapaxes(0, 1)), colors=colours, linestyles=lines, linewidths=width,
                alpha=alpha, zorder=3,
            ))  # fmt: skip
    draw_landmarks(ax, scene, moment.positions, moment.goal)
    _draw_agents(ax, scene, moment, looks)
    _draw_contacts(ax, scene, moment.positions)
    draw_strays(ax, moment.positions[:n], [look.colour for look in looks])
    for i in np.flatnonzero(scene.speaks & words):
        draw_message(ax, moment.positions[i], moment.messages[i], moment.positions[n:])


def _draw_agents(ax: Axes, scene: Scene, moment: Moment, looks) -> None:
    n = scene.n_agents
    places, width = moment.positions[:n], 2 * scene.sizes[:n]
    ax.add_collection(EllipseCollection(
        width, width, np.zeros(n), units="xy", offsets=places, transOffset=ax.transData, zorder=5,
        facecolors=[look.colour for look in looks], edgecolors=BLACK,
        linestyles=[look.edge for look in looks], linewidths=[look.width for look in looks],
    ))  # fmt: skip
    for place, size, look in zip(places, scene.sizes, looks):
        aside = (-0.08, 0.065) if size > ROOMY else (0.0, 0.0)
        if look.letter and inside(place):
            ax.text(*(place + aside), look.letter, color=look.ink, fontsize=7, fontweight="bold",
                    ha="center", va="center_baseline", zorder=7)  # fmt: skip
    speeds = np.linalg.norm(moment.velocities, axis=1)
    fast = (speeds > SLOWEST_ARROW) & inside(places)
    if fast.any():
        way = ARROW_SECONDS * moment.velocities[fast]
        rim = (
            places[fast]
            + (scene.sizes[:n] / np.maximum(speeds, SLOWEST_ARROW))[fast, None]
            * moment.velocities[fast]
        )
        ax.quiver(*rim.T, *way.T, angles="xy", scale_units="xy", scale=1, width=0.007,
                  headwidth=4, headlength=4.5, headaxislength=4, color=BLACK, zorder=6)  # fmt: skip


def _draw_contacts(ax: Axes, scene: Scene, positions: np.ndarray) -> None:
    """A star between every two bodies that overlap."""
    touching = overlaps(positions[..., None], scene.pairs)[:, 0]
    ends = positions[scene.pairs.first[touching]], positions[scene.pairs.second[touching]]
    stars = (ends[0] + ends[1]) / 2
    if touching.any():
        ax.plot(*stars.T, "*", color="#F0C000", markeredgecolor=BLACK, markersize=13, zorder=8)


def _as_axes(ax) -> Axes:
    if not isinstance(ax, Axes):
        raise ValueError(f"ax: expected axes as new_figure() makes them, got {ax!r:.80}")
    return ax


def _as_title(title) -> str:
    if not isinstance(title, str):
        raise ValueError(f"title: expected a text, got {title!r:.80}")
    return title
