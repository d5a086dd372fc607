"""Littman's soccer: a slow simulator written from the words of the rules, and what theory says about the solution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from marl_lessons.envs.games.soccer import goal_rows, soccer, soccer_position, soccer_state
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.solvers.markov_games import shapley_iteration
from marl_lessons.solvers.planning import policy_iteration
from marl_lessons.solvers.zero_sum import solve_zero_sum

SIZES = [(4, 5), (3, 4), (1, 3), (2, 2), (5, 2)]
SOUTH, WEST, STAND = 1, 3, 4
FIGURE = soccer_state((1, 1), (1, 0), 0)  # A has the ball, B stands between A and the goal


@pytest.fixture(scope="module")
def game() -> MarkovGame:
    return soccer()


@pytest.fixture(scope="module")
def solution(game):
    return shapley_iteration(game, 1e-12)


def play_once(where: dict, holder: str, choices: dict, order: str, rows: int, columns: int):
    """One step by the words of the rules: where all stand and who has the ball, or "A scores", "B scores"."""
    where = dict(where)
    for player in order:
        opponent = {"A": "B", "B": "A"}[player]
        row, column = where[player]
        if choices[player] == "stand":
            continue
        if choices[player] == "north":
            row -= 1
        elif choices[player] == "south":
            row += 1
        elif choices[player] == "east":
            column += 1
        elif choices[player] == "west":
            column -= 1
        if where[opponent] == (row, column):
            holder = opponent
        elif row in range(rows) and column in range(columns):
            where[player] = (row, column)
        elif holder == player and row in range(rows):
            in_goal = row == rows // 2 or (rows % 2 == 0 and row == rows // 2 - 1)
            if in_goal and player == "A" and column < 0:
                return "A scores"
            if in_goal and player == "B" and column == columns:
                return "B scores"
    return where["A"], where["B"], holder


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_every_transition_and_reward(rows, columns):
    game = soccer(rows, columns)
    n_cells = rows * columns
    assert game.n_states == 2 * n_cells * (n_cells - 1) + 2 and game.n_actions == (5, 5)
    names = game.action_names
    for state in range(game.n_states - 2):
        a, b, ball = soccer_position(state, rows, columns)
        for joint in np.ndindex(5, 5):
            choices = {"A": names[0][joint[0]], "B": names[1][joint[1]]}
            happens: dict[int, float] = {}
            for order in ("AB", "BA"):
                after = play_once({"A": a, "B": b}, "AB"[ball], choices, order, rows, columns)
                if after in ("A scores", "B scores"):
                    target = game.state_names.index(f"{after[0]} has scored")
                else:
                    target = soccer_state(after[0], after[1], "AB".index(after[2]), rows, columns)
                happens[target] = happens.get(target, 0.0) + 0.5
            row = game.transition[(state, *joint)]
            assert {
                t: row[t] for t in happens
            } == happens  # they sum to 1, so that nothing else happens
            for target in happens:
                paid = {game.n_states - 2: 1.0, game.n_states - 1: -1.0}.get(target, 0.0)
                assert game.outcome_reward[(0, state, *joint, target)] == paid
                assert game.outcome_reward[(1, state, *joint, target)] == -paid


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_states_positions_and_names(rows, columns):
    game, seen = soccer(rows, columns), set()
    for state in range(game.n_states - 2):
        a, b, ball = soccer_position(state, rows, columns)
        assert soccer_state(a, b, ball, rows, columns) == state and a != b
        marks = (" with ball", "") if ball == 0 else ("", " with ball")
        assert (
            game.state_names[state] == f"A ({a[0]},{a[1]}){marks[0]}, B ({b[0]},{b[1]}){marks[1]}"
        )
        seen.add((a, b, ball))
    assert len(seen) == game.n_states - 2
    assert game.state_names[-2:] == ("A has scored", "B has scored")
    assert np.array_equal(np.flatnonzero(game.terminal), game.n_states - np.array([2, 1]))


def test_the_start(game):
    starts = [soccer_state((1, 3), (2, 1), ball) for ball in (0, 1)]
    assert np.array_equal(np.flatnonzero(game.initial), starts)
    assert np.allclose(game.initial[starts], 0.5)
    assert game.state_names[starts[0]] == "A (1,3) with ball, B (2,1)"
    assert game.n_states == 762 and game.discount == 0.9


@pytest.mark.parametrize(("rows", "columns"), [*SIZES, (1, 2), (3, 3), (2, 4), (3, 5)])
def test_the_start_is_fair_on_every_grid(rows, columns):
    """Turned by half a circle, each player stands where the other stood; A stands right of B."""
    game = soccer(rows, columns)
    starts = [soccer_position(s, rows, columns) for s in np.flatnonzero(game.initial)]
    assert [s.ball for s in starts] == [0, 1] and starts[0][:2] == starts[1][:2]
    (row, column), b = starts[0].a, starts[0].b
    assert b == (rows - 1 - row, columns - 1 - column) and column > b[1]
    assert game.initial @ shapley_iteration(game, 1e-9).v == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("rows", "goal"), [(1, (0,)), (2, (0, 1)), (3, (1,)), (4, (1, 2)), (5, (2,)), (6, (2, 3))]
)
def test_goals_lie_in_the_middle(rows, goal):
    assert goal_rows(rows) == goal


def test_known_values(game, solution):
    with_a, with_b = np.flatnonzero(game.initial)
    assert solution.v[with_a] == pytest.approx(0.2185, abs=1e-3)
    assert solution.v[with_b] == pytest.approx(-0.2185, abs=1e-3)
    assert game.initial @ solution.v == pytest.approx(0, abs=1e-11)
    assert solution.v[FIGURE] == pytest.approx(0.3152, abs=1e-4)
    assert np.allclose(solution.policies[0][FIGURE], [0, 0.5, 0, 0, 0.5], atol=1e-9)
    assert np.abs(solution.v).max() <= 1 and np.all(solution.v[game.terminal] == 0)


def test_the_figure_state_is_mixed_in_one_way_only(solution):
    """The least and the largest probability of every action over all optimal strategies, by linear programmes."""
    q, v = solution.q[FIGURE], solution.v[FIGURE]

    def extremes(payoffs, value):
        found = []
        for cost in (*np.eye(5), *-np.eye(5)):
            found.append(
                linprog(
                    cost,
                    A_ub=-payoffs.T,
                    b_ub=np.full(5, 1e-10 - value),
                    A_eq=np.ones((1, 5)),
                    b_eq=[1],
                ).x[np.flatnonzero(cost)[0]]
            )
        return np.reshape(found, (2, 5))

    assert np.allclose(extremes(q, v), [0, 0.5, 0, 0, 0.5], atol=1e-6)
    # B is at the left edge, where west is the same as standing; it shares 1/2 between the two as it likes.
    assert np.array_equal(q[:, WEST], q[:, STAND])
    least, most = extremes(-q.T, -v)
    assert np.allclose(least, [0, 0.5, 0, 0, 0], atol=1e-6)
    assert np.allclose(most, [0, 0.5, 0, 0.5, 0.5], atol=1e-6)


def value_against_best_response(game: MarkovGame, policy: np.ndarray) -> np.ndarray:
    """``[S]``: what A earns with ``policy`` against a B that knows it."""
    return -policy_iteration(game.induced_mdp(1, [policy, None])).v


def test_nobody_can_exploit_the_optimal_policies(game, solution):
    least = value_against_best_response(game, solution.policies[0])
    most = policy_iteration(game.induced_mdp(0, [None, solution.policies[1]])).v
    assert np.abs(least - solution.v).max() < 1e-10 and np.abs(most - solution.v).max() < 1e-10


def test_every_deterministic_policy_is_exploitable_in_the_figure_state(game, solution):
    """Whatever action is played there for certain, the rest being optimal, costs A at least 0.03."""
    losses = []
    for action in range(5):
        policy = solution.policies[0].copy()
        policy[FIGURE] = np.eye(5)[action]
        losses.append(solution.v[FIGURE] - value_against_best_response(game, policy)[FIGURE])
    assert min(losses) == pytest.approx(losses[SOUTH]) and losses[SOUTH] > 0.03
    assert losses[STAND] > 0.3
    # No deterministic policy at all does better: q holds the values of optimal play afterwards.
    assert solution.q[FIGURE].min(axis=1).max() < solution.v[FIGURE] - 0.03


def test_the_error_bound_is_honest(game, solution):
    rough = shapley_iteration(game, 1e-3)
    assert rough.error_bound <= 1e-3 and rough.sweeps < solution.sweeps
    assert np.abs(rough.v - solution.v).max() <= rough.error_bound + solution.error_bound


def test_mixing_is_needed_in_few_states(game, solution):
    solved = solve_zero_sum(solution.q)
    pure = np.isclose(
        solution.q.min(axis=2).max(axis=1), solution.q.max(axis=1).min(axis=1), atol=1e-9
    )
    assert (~pure).sum() == 56
    assert np.all(solved.row[~pure].max(axis=1) < 1) and np.all(
        solved.column[~pure].max(axis=1) < 1
    )


@pytest.mark.parametrize(
    "call, refused",
    [
        (soccer, {"rows": [0, 2.0, True], "columns": [1, "5"], "discount": [1.0, -0.1, None]}),
        (
            soccer_state,
            {"a": [(4, 0), (0, -1), (0.0, 1.0), 3, np.array(3)], "b": [(0, 0), (0, 5), (0, 1, 2)],
             "ball": [2, True, "A"], "rows": [0], "columns": [1]},
        ),
        (soccer_position, {"state": [760, 761, -1, 3.0, True, None]}),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, refused):
    fine = {
        soccer: {"rows": 2, "columns": 2},
        soccer_state: {"a": (0, 0), "b": (0, 1), "ball": 0},
        soccer_position: {},
    }
    for name, values in refused.items():
        for value in values:
            with pytest.raises(ValueError, match=f"^{name}"):
                call(**{**fine[call], name: value})


def test_pitches_that_are_too_large_are_refused():
    with pytest.raises(ValueError, match=r"rows is 6, columns 7: 3444 states would take 2.4 GB"):
        soccer(6, 7)
