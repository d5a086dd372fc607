"""Flip-books: a still for everybody, frames for those who can play them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from marl_lessons.envs import two_cars
from marl_lessons.envs.stepping import Episode, rollout
from marl_lessons.viz import Animation, new_figure
from marl_lessons.viz.cars import glide
from marl_lessons.viz.one_agent import first_look


def frames(n: int):
    for k in range(n):
        figure, (ax,) = new_figure(size=(1.5, 1.2))
        ax.plot([0, k], [0, 1])
        yield figure


def page(film: Animation) -> tuple[dict, dict]:
    """The film's bundle and the settings of its script."""
    bundle, metadata = film._repr_mimebundle_()
    assert metadata == {"image/png": {"alt": film.alt}}
    return bundle, json.loads(re.search(r"\)\((\{.*\})\);</script>", bundle["text/html"])[1])


def test_page_holds_still_and_all_frames() -> None:
    bundle, film = page(Animation(frames(3), "A line that turns.", still=1))
    assert len(set(film["frames"])) == 3
    assert film["still"] == 1 and film["frames"][1] == bundle["image/png"]
    assert 'alt="A line that turns."' in bundle["text/html"]
    assert f'data-film="{film["film"]}"' in bundle["text/html"].split("<script>")[0]


def test_same_frames_same_page_and_films_of_one_still_have_their_own_names() -> None:
    assert page(Animation(frames(2), "A line.")) == page(Animation(frames(2), "A line."))
    films = [
        Animation(frames(2), "Two.", still=0),
        Animation(frames(3), "Three.", still=0),
        Animation(frames(3), "Slow.", still=0, frames_per_second=2),
    ]
    assert len({page(film)[1]["film"] for film in films}) == 3
    assert len({page(film)[0]["image/png"] for film in films}) == 1


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("figures", lambda: Animation([], "Nothing.")),
        ("alt", lambda: Animation(frames(1), "")),
        ("still", lambda: Animation(frames(2), "Two.", still=2)),
        ("frames_per_second", lambda: Animation(frames(1), "One.", frames_per_second=0)),
    ],
)
def test_bad_arguments_are_named(argument: str, make) -> None:
    with pytest.raises(ValueError, match=argument):
        make()


def test_glide_passes_through_every_position_at_even_pace() -> None:
    positions = np.array([[3.0, 3.0], [2.0, 3.0], [2.0, 2.0]])
    path = glide(positions, 4)
    assert len(path) == 9
    np.testing.assert_allclose(path[::4], positions)
    np.testing.assert_allclose(path[1], [2.75, 3.0])


def test_cars_stand_where_the_state_says() -> None:
    game = two_cars(distance=2)
    names = game.state_names
    states = [
        names.index("car 0: 2 to go, car 1: 1 to go"),
        names.index("car 0: 2 to go, car 1: 0 to go"),
    ]
    places, crashed = first_look.meeting_positions(Episode(np.array(states), None, None, False), 2)
    assert not crashed
    np.testing.assert_allclose(places, [[2, 1], [2, first_look.BEYOND]])
    places, crashed = first_look.meeting_positions(
        Episode(np.array([names.index("crashed")]), None, None, True), 2
    )
    assert crashed and (places == 0).all()


def test_films_run_as_long_as_the_longer_one() -> None:
    game = two_cars(distance=1, slip=0.0)
    go = np.tile([0.0, 1.0], (game.n_states, 1))
    wait = np.tile([1.0, 0.0], (game.n_states, 1))
    rng = np.random.default_rng(0)
    crash, pass_ = rollout(game, [go, go], rng), rollout(game, [go, wait], rng, time_limit=2)
    drawn = list(first_look.meeting_frames([crash], [pass_, pass_], 1, ("left", "right"), pause=2))
    assert len(drawn) == 2 * (2 * first_look.FRAMES_PER_STEP + 1 + 2)
