"""Tables of the crossing say what the numbers say."""

from __future__ import annotations

import numpy as np

from marl_lessons.envs import crossroads
from marl_lessons.solvers import policy_iteration
from marl_lessons.viz import new_figure
from marl_lessons.viz.one_agent.tables import (
    BRAKE,
    EITHER,
    GO,
    approach_table,
    decisions,
    draw_decisions,
)


def test_table_has_the_states_in_their_places() -> None:
    mdp = crossroads(distance=4)
    table = approach_table(np.arange(mdp.n_states), speed=1)
    for (phase, cell), state in np.ndenumerate(table):
        assert (
            mdp.state_names[state]
            == f"{cell + 1} to go, stopped, {('green', 'yellow', 'red')[phase]}"
        )


def test_decisions_are_the_larger_value_or_either() -> None:
    q = np.zeros((32, 2))
    q[0], q[1], q[2] = (1, 0), (0, 1), (1, 1 + 1e-12)
    assert decisions(q)[0, :3].tolist() == [BRAKE, GO, EITHER]


def test_words_drawn_are_the_decisions() -> None:
    q = policy_iteration(crossroads(red=20)).q
    _, (ax,) = new_figure()
    draw_decisions(ax, q, "title")
    words = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in ax.texts}
    for (row, column), decision in np.ndenumerate(decisions(q)[:, ::-1]):
        assert words[row, column] == ("either", "brake", "go")[decision]
