"""The first film: cars where the state says, as long as the longer run."""

from __future__ import annotations

import numpy as np

from marl_lessons.envs import two_cars
from marl_lessons.envs.stepping import Episode, rollout
from marl_lessons.viz.one_agent import first_look


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
