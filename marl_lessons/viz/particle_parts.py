"""The parts of a picture of a particle world: how roles look, landmarks, spoken words, agents outside, a line that sums up.

Pure functions of what :mod:`~marl_lessons.viz.particles` has checked: they check nothing themselves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection, PatchCollection
from matplotlib.patches import Rectangle

from marl_lessons.envs.particle_physics import overlaps
from marl_lessons.envs.particle_rules import State, uncovered
from marl_lessons.envs.particle_scenes import Scene
from marl_lessons.viz.style import BLACK, BLUE, GREY, PINK, VERMILION

FIELD = 1.4  # the picture's edges: from -FIELD to FIELD
# Landmarks 1, 2, 3 of speaker-listener, and the words for them: far apart for colour-blind readers, too.
WORD_COLOURS = (VERMILION, BLUE, BLACK)
RING = 0.13  # radius of the ring around the goal
SMALLEST_LETTER = 0.07  # agents smaller than that have no room for a letter
BAR, GAP = 0.09, 0.1  # of a message: width of a bar, and from the speaker to the bars
BOX = np.array([3 * BAR + 0.06, 0.42])
ROOM = FIELD - 0.03  # boxes end here, so that their edges are seen


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
