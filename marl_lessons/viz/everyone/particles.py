"""Particle worlds from above: agents as discs of their true size, landmarks, words, contacts and paths. Lesson 09.

Shown are episodes that :func:`~marl_lessons.evaluation.particles.frames.record` has kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection, PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from marl_lessons.envs.particles.physics import overlaps
from marl_lessons.envs.particles.scenes import Scene, State
from marl_lessons.envs.particles.spread import uncovered
from marl_lessons.evaluation.particles.frames import Frames
from marl_lessons.viz.cars import VERGE
from marl_lessons.viz.style import BLACK, BLUE, GREY, PINK, VERMILION, new_figure

FIELD = 1.4  # the picture's edges: from -FIELD to FIELD
# Landmarks 1, 2, 3 of speaker-listener, and the words for them: far apart for colour-blind readers, too.
WORD_COLOURS = (VERMILION, BLUE, BLACK)
RING = 0.13  # radius of the ring around the goal
SMALLEST_LETTER = 0.07  # agents smaller than that have no room for a letter
BAR, GAP = 0.09, 0.1  # of a message: width of a bar, and from the speaker to the bars
BOX = np.array([3 * BAR + 0.06, 0.42])
ROOM = FIELD - 0.03  # boxes end here, so that their edges are seen
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


class Look(NamedTuple):
    """How a role is drawn: its letter in the colour ``ink``, its colour, its disc's edge, and the line of its path."""

    letter: str
    colour: str
    ink: str
    edge: str | tuple
    width: float
    line: str | tuple


LOOKS = {  # by the first part of an agent's name
    "speaker": Look("S", "white", BLACK, (0, (3, 1.2)), 1.0, "-"),
    "listener": Look("L", PINK, BLACK, "-", 1.1, "-"),
    "adversary": Look("C", VERMILION, "white", "-", 1.6, "-"),
    "agent": Look("", BLUE, "white", "-", 0.8, (0, (4, 1.5))),
}


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
    what the speaker says, where it means nothing.
    """
    at = (arrays[t, which] for arrays in frames[:3])
    moment = Moment(*at, int(frames.goals[which]))
    paths = frames.positions[:, which, : scene.n_agents]
    draw_moment(ax, scene, moment, paths[: t + 1], paths[t:], words)
    ax.set_title(title)
    said = in_words(moment.messages[0], frames.actions.ndim == 4) if words else ""
    ax.set_xlabel(status_line(scene, *moment, said), fontsize=8.5, color=BLACK, loc="left")


def flip_book(
    scene: Scene, recordings: Mapping[str, Frames], which: int = 0, *, words: bool = True
) -> Iterator[Figure]:
    """Pages with one panel for each of ``recordings`` by title, all of world ``which``; at most 26, the last is the end.

    ``words=False`` leaves out what speakers say.
    """
    n_steps, width = len(next(iter(recordings.values())).rewards), 3.0
    for t in np.linspace(0, n_steps, min(n_steps + 1, MAX_PAGES)).round().astype(int):
        figure, axes = new_figure(
            1, len(recordings), size=(width * len(recordings), width + 0.35), left=0.02,
            right=0.98, bottom=0.09, top=0.92, wspace=0.06,
        )  # fmt: skip
        for ax, (title, frames) in zip(axes, recordings.items()):
            heading = f"{title}: step {t}" if title else f"Step {t}"
            draw_frame(ax, scene, frames, t, which, heading, words=words)
        yield figure


def draw_beside(image: np.ndarray, scene: Scene, frames: Frames, which: int = 0) -> Figure:
    """The end of world ``which``, beside an ``image[H, W, 3]`` of another program's."""
    figure, (left, right) = new_figure(
        1, 2, size=(6.0, 3.35), left=0.02, right=0.98, bottom=0.09, top=0.92, wspace=0.06
    )
    left.imshow(image)
    left.set(xticks=[], yticks=[], title="As mpe2 draws it")
    draw_frame(right, scene, frames, len(frames.rewards), which, "As we draw it")
    return figure


def draw_moment(
    ax: Axes, scene: Scene, moment: Moment, past=None, rest=None, words: bool = True
) -> None:
    """One world at one ``moment``; ``past[k, n, 2]`` and ``rest[k, n, 2]``: where its agents have been, and will be.

    Landmarks are squares, agents discs: S speaker, L listener, C chaser, small ones prey. A ring marks the goal, a star bodies
    that overlap, an arrow the way of the next 0.3 seconds. The bars beside the speaker are its message, unless ``words`` is
    False. Outside the field a triangle on its edge stands for an agent.
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


def looks_of(scene: Scene) -> list[Look]:
    """How each agent of a scene is drawn; where all are alike, letters are numbers from 1."""
    kinds = [name.rsplit("_", 1)[0] for name in scene.agent_names]
    alike = len(set(kinds)) == 1
    looks = []
    for i, kind in enumerate(kinds):
        letter = str(i + 1) if alike else LOOKS[kind].letter
        fits = scene.sizes[i] >= SMALLEST_LETTER
        looks.append(LOOKS[kind]._replace(letter=letter if fits else ""))
    return looks


def inside(places: np.ndarray) -> np.ndarray:
    """``[...]``: which of ``places[..., 2]`` lie in the picture."""
    return (np.abs(places) <= FIELD).all(axis=-1)


def draw_landmarks(ax: Axes, scene: Scene, positions: np.ndarray, goal: int) -> None:
    """The square where bodies start, landmarks as squares, obstacles as hatched discs, and a ring around the goal."""
    n = scene.n_agents
    places, sizes, solid = positions[n:], scene.sizes[n:], scene.collides[n:]
    corners = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1], [-1, -1]])
    ax.add_collection(
        LineCollection([corners], colors=GREY, linewidths=0.7, linestyles=":", zorder=1)
    )
    if solid.any():
        width = 2 * sizes[solid]
        ax.add_collection(EllipseCollection(
            width, width, np.zeros(len(width)), units="xy", offsets=places[solid],
            transOffset=ax.transData, facecolors="#cfcfcf", edgecolors=GREY, hatch="///", zorder=2,
        ))  # fmt: skip
    free = ~solid
    if free.any():
        colours = WORD_COLOURS if scene.n_goals else [BLACK] * free.sum()
        squares = [Rectangle(p - r, 2 * r, 2 * r) for p, r in zip(places[free], sizes[free])]
        ax.add_collection(PatchCollection(
            squares, facecolors=colours, edgecolors="white", linewidths=0.7, zorder=4.5 if scene.n_goals else 6
        ))  # fmt: skip
    if scene.n_goals:
        for k, (x, y) in enumerate(places):
            ax.text(x + (0.12 if k == goal else 0.06), y + (0.08 if k == goal else 0.05), str(k + 1), color=WORD_COLOURS[k], zorder=4,
                    fontsize=9, fontweight="bold", clip_on=True)  # fmt: skip
        ax.add_collection(EllipseCollection(
            2 * RING, 2 * RING, 0, units="xy", offsets=places[[goal]], transOffset=ax.transData,
            facecolors="none", edgecolors=BLACK, linewidths=1.6, zorder=4,
        ))  # fmt: skip


def message_corner(speaker: np.ndarray, avoid: np.ndarray) -> np.ndarray:
    """``[2]``: the lower left corner of the box beside the ``speaker[2]``: of four sides the one farthest from all ``avoid[k, 2]``.

    Landmarks and the speaker stand still, so the box does, too.
    """
    reach = GAP + BOX / 2
    sides = speaker + reach * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    middles = sides[(np.abs(sides) + BOX / 2 < ROOM).all(axis=1)]
    if not len(middles):
        middles = np.clip(sides[:1], BOX / 2 - ROOM, ROOM - BOX / 2)
    room = np.linalg.norm(middles[:, None] - avoid, axis=2).min(axis=1)
    return middles[room.argmax()] - BOX / 2


def draw_message(ax: Axes, speaker: np.ndarray, message: np.ndarray, avoid: np.ndarray) -> None:
    """What the speaker says as bars in a box beside it, one for each word: full for 1, empty for 0; not over ``avoid[k, 2]``."""
    width, height = BOX
    left, low = message_corner(speaker, avoid)
    base, room = low + 0.14, height - 0.17
    lefts = left + 0.03 + BAR * np.arange(3) + 0.01
    boxes = [Rectangle((left, low), width, height)]
    boxes += [Rectangle((x, base), BAR - 0.02, room) for x in lefts]
    boxes += [Rectangle((x, base), BAR - 0.02, room * said) for x, said in zip(lefts, message)]
    faces = ["white"] + ["#ececec"] * 3 + list(WORD_COLOURS)
    edges = [BLACK] + ["none"] * 6
    ax.add_collection(
        PatchCollection(boxes, facecolors=faces, edgecolors=edges, linewidths=0.7, zorder=4.6)
    )
    for k, x in enumerate(lefts):
        ax.text(x + BAR / 2 - 0.01, low + 0.03, str(k + 1), fontsize=7, ha="center", zorder=4.7)


def draw_strays(ax: Axes, places: np.ndarray, colours: list[str]) -> None:
    """For agents outside: a triangle on the picture's edge that points to them, and how far from the edge they are."""
    for place, colour in zip(places, colours):
        if inside(place):
            continue
        at = np.clip(place, -FIELD + 0.07, FIELD - 0.07)
        out = place - np.clip(place, -FIELD, FIELD)
        angle = np.degrees(np.arctan2(out[1], out[0])) - 90
        ax.plot(*at, marker=(3, 0, angle), markersize=10, color=colour, markeredgecolor=BLACK, zorder=8)  # fmt: skip
        side = "left" if place[0] < 0 else "right"
        shift = 0.1 if place[0] < 0 else -0.1
        ax.text(at[0] + shift, at[1], f"{np.hypot(*out):.1f} outside", fontsize=8, ha=side,
                va="center", zorder=8)  # fmt: skip


def in_words(message: np.ndarray, vectors: bool) -> str:
    """What the speaker, S, says by ``message[c]``: where words are ``vectors``, all of its numbers; else the one word."""
    if not message.any():
        return "S is silent"
    if vectors:
        return "word " + " ".join(f"{number:.1f}" for number in message)
    return f"S says word {message.argmax() + 1}"


def status_line(
    scene: Scene,
    positions: np.ndarray,
    velocities: np.ndarray,
    messages: np.ndarray,
    goal: int,
    said: str,
) -> str:
    """What decides the reward of one world in this state, in words: distance from the goal, what is uncovered, contacts.

    ``said``: what the speaker says, as :func:`in_words` puts it, or nothing.
    """
    if scene.n_goals:
        away = np.linalg.norm(positions[1] - positions[scene.n_agents + goal])
        parts = f"goal {goal + 1}", said, f"listener {away:.2f} away"
        return ", ".join(part for part in parts if part)
    touching = int(overlaps(positions[..., None], scene.pairs).sum())
    contacts = f"{touching} contact{'s' if touching != 1 else ''}"
    if scene.name != "simple_spread":
        return contacts
    state = State(
        positions[..., None], velocities[..., None], messages[..., None], np.zeros(1, int)
    )
    return f"landmarks uncovered by {uncovered(state)[0]:.2f} in all, {contacts}"
