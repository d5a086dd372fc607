"""Dominance against its dual, elimination against random orders, the Pareto set against plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_games import seed_numbers
from scipy.optimize import linprog

from marl_lessons.envs.games.catalogue import CATALOGUE
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.solvers.matrix_games import (
    dominated_actions,
    iterated_elimination,
    pareto_set,
)

shapes = st.sampled_from([(1, 1), (2, 2), (3, 2), (2, 4), (4, 3), (3, 3), (2, 2, 2), (3, 2, 2)])
kinds = st.sampled_from(["generic", "tied"])
# Neither A nor B beats C everywhere, but an equal mixture of them earns 1.5 > 1.
MIXTURE = np.array([[[3, 0], [0, 3], [1, 1]], [[0, 1], [1, 0], [0, 0]]], dtype=float)


def draw(seed: int, shape: tuple[int, ...], kind: str = "generic") -> np.ndarray:
    rng = np.random.default_rng(seed)
    size = (len(shape), *shape)
    return rng.normal(size=size) if kind == "generic" else rng.integers(0, 4, size=size) * 1.0


def own_table(payoffs: np.ndarray, agent: int) -> np.ndarray:
    """``[own action, joint action of the others]``, in plain loops."""
    others = [range(count) for j, count in enumerate(payoffs.shape[1:]) if j != agent]
    return np.array(
        [
            [
                payoffs[(agent, *joint[:agent], a, *joint[agent:])]
                for joint in itertools.product(*others)
            ]
            for a in range(payoffs.shape[1 + agent])
        ]
    )


def never_best(table: np.ndarray, action: int) -> bool:
    """Whether ``action`` is a best response to no belief about the others: the dual of mixed dominance (Pearce 1984)."""
    n_own, n_other = table.shape
    behind = table - table[action]
    # Variables: a belief q and t, the largest lead of another action: minimise t with t ≥ Σ_b behind[a, b] q_b.
    solved = linprog(
        np.append(np.zeros(n_other), 1.0),
        A_ub=np.column_stack([behind, -np.ones(n_own)]),
        b_ub=np.zeros(n_own),
        A_eq=[[1.0] * n_other + [0.0]],
        b_eq=[1.0],
        bounds=[(0, None)] * n_other + [(None, None)],
    )
    return solved.fun > 1e-8


def beaten_by_one(table: np.ndarray, action: int) -> bool:
    return any(all(other[b] > table[action][b] for b in range(table.shape[1])) for other in table)


@given(seed_numbers, shapes, kinds)
def test_dominated_actions(seed, shape, kind):
    payoffs = draw(seed, shape, kind)
    for agent in range(len(shape)):
        table = own_table(payoffs, agent)
        expected = [never_best(table, a) for a in range(len(table))]
        assert dominated_actions(payoffs, agent).tolist() == expected
        expected = [beaten_by_one(table, a) for a in range(len(table))]
        assert dominated_actions(matrix_game(payoffs), agent, mixed=False).tolist() == expected


def test_a_mixture_may_dominate_where_no_action_does():
    assert dominated_actions(MIXTURE, 0).tolist() == [False, False, True]
    assert dominated_actions(MIXTURE, 0, mixed=False).tolist() == [False, False, False]
    assert [a.tolist() for a in iterated_elimination(MIXTURE).actions] == [[0, 1], [0, 1]]
    assert iterated_elimination(MIXTURE).order == ((0, 2),)
    assert iterated_elimination(MIXTURE, mixed=False).order == ()


def test_a_tie_somewhere_is_no_strict_dominance():
    weak = [[[1, 1], [1, 0]], [[0, 0], [0, 0]]]
    for mixed in (True, False):
        assert not dominated_actions(weak, 0, mixed).any()
        assert not dominated_actions(weak, 1, mixed).any()
    even = np.array([[[2, 0], [0, 2], [1, 1]], [[0, 0], [0, 0], [0, 0]]])
    assert not dominated_actions(even, 0).any()  # the mixture earns as much, not more


def eliminate_in_random_order(payoffs: np.ndarray, rng, mixed: bool) -> list[list[int]]:
    """One dominated action of a random agent at a time, until none is left."""
    left = [list(range(count)) for count in payoffs.shape[1:]]
    while True:
        reduced = payoffs[(slice(None), *np.ix_(*left))]
        is_dominated = never_best if mixed else beaten_by_one
        gone = [
            (i, k)
            for i, mine in enumerate(left)
            for k in range(len(mine))
            if is_dominated(own_table(reduced, i), k)
        ]
        if not gone:
            return left
        agent, k = gone[rng.integers(len(gone))]
        left[agent].pop(k)


@settings(max_examples=25)
@given(seed_numbers, shapes, kinds, st.booleans())
def test_the_order_of_elimination_does_not_matter(seed, shape, kind, mixed):
    payoffs = draw(seed, shape, kind)
    result = iterated_elimination(payoffs, mixed)
    for order in range(2):
        expected = eliminate_in_random_order(payoffs, np.random.default_rng(order), mixed)
        assert [actions.tolist() for actions in result.actions] == expected
    struck_out = {(i, a) for i, n in enumerate(shape) for a in range(n)} - {
        (i, a) for i, actions in enumerate(expected) for a in actions
    }
    assert set(result.order) == struck_out and len(result.order) == len(struck_out)
    # Replayed one by one, every action is dominated when its turn comes.
    left = [list(range(count)) for count in shape]
    for agent, action in result.order:
        table = own_table(payoffs[(slice(None), *np.ix_(*left))], agent)
        assert (never_best if mixed else beaten_by_one)(table, left[agent].index(action))
        left[agent].remove(action)


def test_elimination_in_several_rounds():
    """The column agent's B goes first, then the row agent's B, then C of the column agent."""
    row = [[3, 0, 1], [1, 4, 0]]
    column = [[2, 0, 1], [1, 0, 2]]
    result = iterated_elimination([row, column])
    assert [a.tolist() for a in result.actions] == [[0], [0]]
    assert result.order == ((1, 1), (0, 1), (1, 2))
    dilemma = iterated_elimination(CATALOGUE["prisoner's dilemma"].game)
    assert [a.tolist() for a in dilemma.actions] == [[1], [1]]
    assert dilemma.order == ((0, 0), (1, 0))


@given(seed_numbers, shapes, kinds)
def test_the_pareto_set(seed, shape, kind):
    payoffs = draw(seed, shape, kind)
    found = pareto_set(payoffs)
    assert found.shape == shape and found.any()
    for a in np.ndindex(shape):
        mine = payoffs[(slice(None), *a)]
        others = [payoffs[(slice(None), *b)] for b in np.ndindex(shape)]
        dominated = any(
            all(o >= m for o, m in zip(other, mine)) and any(o > m for o, m in zip(other, mine))
            for other in others
        )
        assert found[a] == (not dominated)


def test_the_pareto_set_of_many_joint_actions():
    payoffs = np.random.default_rng(0).permutation(7_200).reshape(2, 60, 60)
    first = np.argsort(-payoffs[0], axis=None)  # from best to worst for agent 0: agent 1's records
    best_so_far = np.maximum.accumulate(payoffs[1].ravel()[first])
    expected = np.zeros(3_600, dtype=bool)
    expected[first] = payoffs[1].ravel()[first] == best_so_far
    assert np.array_equal(pareto_set(payoffs).ravel(), expected)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e6, 1e10])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_the_scale_of_payoffs_does_not_matter(scale, offset):
    for payoffs in (MIXTURE, *(draw(seed, (3, 3), "tied") for seed in range(5))):
        other = scale * (payoffs + offset * np.array([1, 10])[:, None, None])
        for agent, mixed in itertools.product(range(2), (True, False)):
            expected = dominated_actions(payoffs, agent, mixed)
            assert np.array_equal(dominated_actions(other, agent, mixed), expected)
        assert np.array_equal(pareto_set(other), pareto_set(payoffs))
        struck_out = iterated_elimination(payoffs).order
        assert iterated_elimination(other).order == struck_out


@pytest.mark.parametrize("large", [1e3, 1e9, 1e12])
def test_a_large_payoff_hides_no_small_difference(large):
    row = np.array([[3, 0, large], [0, 3, large], [1, 1, large - 1]])
    payoffs = np.stack([row, np.zeros((3, 3))])
    assert dominated_actions(payoffs, 0).tolist() == [False, False, True]
    assert dominated_actions(payoffs, 0, mixed=False).tolist() == [False, False, False]
    payoffs = np.array([[[large, 1], [0, 2]], [[0, 1], [0, 1]]])
    assert pareto_set(payoffs).tolist() == [[True, False], [False, True]]


def test_agents_may_count_in_different_units():
    payoffs = np.stack([1e9 * MIXTURE[0], 1e-3 * MIXTURE[1]])
    assert np.array_equal(pareto_set(payoffs), pareto_set(MIXTURE))
    far = MIXTURE + 1e9
    assert dominated_actions(far, 0).tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("use", "named"),
    [
        *((lambda f=f: f(5), "game") for f in (iterated_elimination, pareto_set)),
        *((lambda g=g: dominated_actions(g, 0), "game") for g in (None, [[1, 2], [3, 4]], np.zeros((2, 2, 0)))),
        *((lambda a=a: dominated_actions(MIXTURE, a), "agent") for a in (-1, 2, 0.0, None, True)),
        *((lambda m=m: dominated_actions(MIXTURE, 0, m), "mixed") for m in (None, "no", 1)),
        (lambda: iterated_elimination(MIXTURE, 1), "mixed"),
    ],
)  # fmt: skip
def test_refused_by_name(use, named):
    with pytest.raises(ValueError, match=rf"^{named}\b"):
        use()


@pytest.mark.parametrize("difference, counts", [(1e-3, True), (1e-11, True), (1e-16, False)])
def test_what_counts_as_a_difference(difference, counts):
    row = np.array([[5.0, 1.0], [5.0 - 4 * difference, 1.0 - 4 * difference]])
    for mixed in (True, False):
        found = dominated_actions(np.stack([row, np.zeros((2, 2))]), 0, mixed)
        assert found.tolist() == [False, counts]
    expected = [[True, False], [not counts, False]]
    assert pareto_set(np.stack([row, np.zeros((2, 2))])).tolist() == expected
