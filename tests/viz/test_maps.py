"""Maps say what the numbers say."""

from __future__ import annotations

import numpy as np

from marl_lessons.envs import cliff_walking, crossroads
from marl_lessons.solvers import policy_iteration
from marl_lessons.viz import new_figure, tables
from marl_lessons.viz.one_agent import planning
from marl_lessons.viz.tables import BRAKE, EITHER, GO, approach_table, decisions, draw_decisions


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


def test_first_optimal_sweep_by_brute_force() -> None:
    mdp = crossroads()
    exact = policy_iteration(mdp)
    history = planning.value_iteration(mdp, 1e-6).history
    best = exact.q >= exact.q.max(axis=1, keepdims=True) - 1e-9
    right = []
    for v in history:
        q = mdp.joint_reward[0] + mdp.discount * mdp.joint_transition @ v
        right.append(all(best[s, q[s].argmax()] for s in range(mdp.n_states)))
    first = planning.first_optimal_sweep(history, mdp, exact)
    assert all(right[first:]) and not right[first - 1]


def test_greedy_path_walks_the_optimal_policy_to_the_goal() -> None:
    cliff = cliff_walking()
    path = tables.greedy_path(cliff, policy_iteration(cliff).q)
    assert len(path) == 14 and path[0] == (3, 0) and path[-1] == (3, 11)
    assert all(row == 2 for row, _ in path[1:-1])


def test_a_path_that_never_arrives_is_cut() -> None:
    cliff = cliff_walking()
    assert len(tables.greedy_path(cliff, np.zeros((48, 4)), longest=10)) == 11
