"""Cars from above: positions between steps; on the junction as many cars, brake lights and stars as there are, where they are."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle

from marl_lessons.envs.cars.junction import TrafficJunction, full_information_rule, never_brake
from marl_lessons.envs.cars.junction_roads import EAST, LEVELS, NORTH, SOUTH, WEST, network
from marl_lessons.envs.cars.two_cars import two_cars
from marl_lessons.envs.stepping import GameWorlds
from marl_lessons.viz.cars import (
    HEADING_COLOURS,
    beside_each_other,
    draw_junction,
    glide,
    heading_at,
    junction_frames,
)
from marl_lessons.viz.style import LIGHT_COLOURS, new_figure, png
from marl_lessons.viz.widgets import Animation


def test_glide_passes_through_every_position_at_even_pace():
    positions = np.array([[3.0, 3.0], [2.0, 3.0], [2.0, 2.0]])
    path = glide(positions, 4)
    assert len(path) == 9
    np.testing.assert_allclose(path[::4], positions)
    np.testing.assert_allclose(path[1], [2.75, 3.0])


def drawn(world, which=0):
    figure, (ax,) = new_figure(size=(3, 3))
    draw_junction(ax, world, which)
    return figure, ax


def centres(ax, kind):
    """Middles (row, column) in the map of all patches of one kind, in cells."""
    found = []
    for patch in ax.patches:
        if type(patch) is kind:
            corners = patch.get_transform().transform_path(patch.get_path()).vertices
            x, y = ax.transData.inverted().transform(corners.min(axis=0) / 2 + corners.max(0) / 2)
            found.append((y, x))
    return np.array(found).reshape(-1, 2)


def red_lights(ax):
    red = to_rgba(LIGHT_COLOURS["red"])
    return [p for p in ax.patches if type(p) is Rectangle and p.get_facecolor() == red]


@pytest.mark.parametrize("level", LEVELS)
def test_cars_lights_and_stars_are_where_they_should_be(level):
    world, rng = TrafficJunction(level, 2, arrival_rate=0.4), np.random.default_rng(2)
    world.reset(rng)
    pictures, stars = set(), 0
    for moment in range(13):
        if moment % 3 == 0:
            for which in range(2):
                figure, ax = drawn(world, which)
                pictures.add(png(figure))
                active, hit = world.active[which], world.collided[which]
                cells = world.cells[which]
                cars = centres(ax, FancyBboxPatch)
                assert len(cars) == active.sum()
                assert np.abs(cars - cells[active]).max(initial=0.0) < 0.25
                assert np.abs(cars - cells[active])[~hit[active]].max(initial=0.0) < 1e-6
                expected = np.unique(cells[hit], axis=0)
                assert np.allclose(np.sort(centres(ax, Polygon), axis=0), np.sort(expected, axis=0), atol=0.02)  # fmt: skip
                assert len(red_lights(ax)) == 2 * (world.last_actions[which] * active).sum()
                stars += len(expected)
        world.step(rng.integers(2, size=(2, world.n_agents)), rng)
    assert len(pictures) == 9  # both worlds are empty at the start
    assert stars > 0


def test_colours_tell_where_cars_came_from_and_lights_are_behind():
    world = TrafficJunction("medium", arrival_rate=0.0)
    world.reset(np.random.default_rng(0))
    routes = world.roads.routes_from[:, 2]  # four cars that turn left, drawn after the turn
    world._states[0, :4] = world.roads.first_state[routes] + 10
    world.step(np.ones((1, 10), dtype=int), np.random.default_rng(0))
    ax = drawn(world)[1]
    colours = [p.get_facecolor() for p in ax.patches if isinstance(p, FancyBboxPatch)]
    assert colours == [to_rgba(HEADING_COLOURS[h]) for h in (SOUTH, NORTH, EAST, WEST)]
    now = [heading_at(world.roads.routes[m], 10) for m in routes]
    assert now == [EAST, WEST, NORTH, SOUTH]
    lights = []
    for patch in red_lights(ax):
        corners = patch.get_transform().transform(patch.get_path().vertices[:4])
        lights.append(ax.transData.inverted().transform(corners.mean(axis=0))[::-1])
    behind = np.array(lights).reshape(4, 2, 2).mean(axis=1) - world.cells[0, :4]
    assert np.allclose(np.sign(np.round(behind, 6)), [[0, -1], [0, 1], [1, 0], [-1, 0]])


def test_headings_along_a_route():
    route = network(LEVELS["medium"]).routes[2]
    headings = [heading_at(route, k) for k in range(len(route))]
    assert headings == [SOUTH] * 7 + [EAST] * 8


def test_cars_that_share_a_cell_stand_beside_each_other():
    middles, side = beside_each_other(np.array([[3, 2], [3, 3], [3, 2], [0, 3], [3, 3], [3, 3]]))
    assert side.tolist() == [-1, -2, 1, 0, 0, 2]
    shift = middles - [[3, 2], [3, 3], [3, 2], [0, 3], [3, 3], [3, 3]]
    assert np.allclose(shift, 0.2 * np.array([[-1], [-1], [1], [0], [0], [1]]))


def test_a_film_of_two_worlds_with_the_same_arrivals():
    worlds = [TrafficJunction("easy") for _ in range(2)]
    acts = [lambda w, _: never_brake(w), lambda w, _: full_information_rule(w)]
    frames, arrived = [], []
    for figure in junction_frames(worlds, acts, 3, 30, ["Never brake", "With full information"]):
        assert isinstance(figure, Figure) and len(figure.axes) == 2
        frames.append([ax.get_xlabel() or ax.xaxis.label.get_text() for ax in figure.axes])
        arrived.append([(w.active & (w.waited == 0)).sum() for w in worlds])
    assert len(frames) == 21  # the episode is over after 20 steps
    assert np.array_equal(*np.array(arrived).T) and np.sum(arrived) > 10
    assert frames[0] == ["step 0: 0 passed, no collision so far"] * 2
    assert "failed" in frames[-1][0] and "no collision" in frames[-1][1]
    film = junction_frames(worlds[:1], acts[:1], 0, 2, ["One"])
    assert len(Animation(film, "A junction.").frames) == 3


WORLD, OTHER = TrafficJunction(), GameWorlds(two_cars(), 1)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"titles": ["a", "b"]}, "titles"),
        ({"n_steps": 0}, "n_steps"),
        ({"seed": True}, "seed"),
        ({"worlds": [WORLD, WORLD], "acts": [never_brake] * 2, "titles": "ab"}, "given twice"),
        ({"worlds": [WORLD, OTHER], "acts": [never_brake] * 2, "titles": "ab"}, r"^worlds\[1\]"),
        ({"worlds": [None]}, r"^worlds\[0\]: expected a TrafficJunction"),
    ],
)
def test_bad_films_are_refused(changed, word):
    film = {"worlds": [WORLD], "acts": [never_brake], "seed": 0, "n_steps": 5, "titles": ["a"]}
    with pytest.raises(ValueError, match=word):
        junction_frames(**film | changed)


def test_cars_are_still_drawn_when_the_episode_is_over():
    world = TrafficJunction("easy", arrival_rate=1.0, time_limit=2)
    rng = np.random.default_rng(0)
    world.reset(rng)
    for _ in range(2):
        world.step(never_brake(world), rng)
    assert world.ended[0] and not world.active.any()
    assert len(centres(drawn(world)[1], FancyBboxPatch)) == 4
