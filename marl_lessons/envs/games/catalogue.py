"""A catalogue of matrix games that every student should have met, with their exact answers. Lessons 03, 04, 05 and 06.

Payoffs are those of Albrecht et al. 2024 where the book has the game, so that text and code agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.checks import as_number
from marl_lessons.envs.games.matrix_games import matrix_game, payoffs_of
from marl_lessons.envs.markov_game import MarkovGame

Pair = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class KnownGame:
    """A matrix game of two agents with what is known about it.

    game        the game itself
    story       what the actions and payoffs stand for
    equilibria  all its Nash equilibria (the extreme ones if it is degenerate), each a pair of strategies
    source      where its payoffs are printed
    """

    game: MarkovGame
    story: str
    equilibria: tuple[Pair, ...]
    source: str


def crossing(
    crash: float = -10.0, go: float = 2.0, wait: float = 0.0, both_wait: float = -1.0
) -> KnownGame:
    """Two cars meet at a crossing: ``crash`` if both go, ``go`` and ``wait`` if one goes, ``both_wait`` if none does.

    Only payoffs that make it a game of chicken are allowed: going is best if the other waits, waiting if the other goes
    (``go`` > ``both_wait`` and ``wait`` > ``crash``).
    """
    given = {"crash": crash, "go": go, "wait": wait, "both_wait": both_wait}
    crash, go, wait, both_wait = (as_number(name, x, -1e9, 1e9) for name, x in given.items())
    if not (go > both_wait and wait > crash):
        raise ValueError(
            f"go is {go}, both_wait {both_wait}, wait {wait}, crash {crash}; allowed are go > both_wait and wait > crash, "
            "else one action is best whatever the other car does"
        )
    bold = (go - both_wait) / (go - both_wait + wait - crash)
    return _symmetric(
        "crossing",
        ("go", "wait"),
        [[crash, go], [wait, both_wait]],
        "Two cars reach a crossing at the same moment. If both go they crash; if both wait they lose time.",
        (_corner(0, 1), _corner(1, 0), ((bold, 1 - bold),) * 2),
        "this course",
    )


def penalty(k: float = -20.0) -> KnownGame:
    """The penalty game: two agents share 10 in either of two corners, and ``k`` < 0 where they choose different corners."""
    k = as_number("k", k, -1e9, -1e-9)
    left, middle, right = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
    equilibria = [(left, right), (right, left), (middle, middle)]
    low, high = (1 / 6, 5 / 6, 0.0), (0.0, 5 / 6, 1 / 6)
    equilibria += [(low, high), (high, low)]
    if k >= -10:
        equilibria.append(((0.5, 0.0, 0.5),) * 2)
    if k > -10:
        corner = 2 / (14 + k)
        equilibria.append(((corner, 1 - 2 * corner, corner),) * 2)
    return _common(
        f"penalty({k:g})",
        [[k, 0, 10], [0, 2, 0], [10, 0, k]],
        "Two agents want to meet in one of two good corners; a misunderstanding costs both, the middle is safe but poor.",
        tuple(equilibria),
        "Claus and Boutilier 1998, Fig. 3; Albrecht et al. 2024",
    )


def speed_check() -> KnownGame:
    """A driver who may speed and a patrol that may check: each wants to know what the other does, and to be unpredictable.

    Speeding unchecked pays the driver 2, speeding checked -6, keeping the limit 0. The patrol gains 2 for a speeder caught,
    loses 2 for one missed and 1 for a check in vain. An inspection game: its only equilibrium is mixed, and each side's
    mixture follows from the *other* side's payoffs.
    """
    return _known(
        "speed check",
        (("speed", "keep the limit"), ("check", "rest")),
        ([[-6, 2], [0, 0]], [[2, -2], [-1, 0]]),
        "A driver is late and may speed; a patrol may check, which costs it time.",
        (((1 / 5, 4 / 5), (1 / 4, 3 / 4)),),
        "this course",
    )


def _symmetric(name, actions, row_payoffs, story, equilibria, source) -> KnownGame:
    """A game that looks the same from both sides: the column agent's payoffs are the transpose."""
    rows = np.array(row_payoffs, dtype=float)
    return _known(name, (actions, actions), (rows, rows.T), story, equilibria, source)


def _common(name, shared_payoffs, story, equilibria, source) -> KnownGame:
    """A game in which both agents earn the same; actions A, B, …"""
    shared = np.array(shared_payoffs, dtype=float)
    letters = tuple("ABCDEF"[: len(shared)])
    return _known(name, (letters, letters), (shared, shared), story, equilibria, source)


def _known(name, actions, payoffs, story, equilibria, source) -> KnownGame:
    return KnownGame(
        matrix_game(np.array(payoffs), actions, name), story, tuple(equilibria), source
    )


def _corner(*actions: int) -> Pair:
    """A pure equilibrium of a game with two actions each."""
    return tuple(tuple(float(a == k) for k in range(2)) for a in actions)


_BOOK = "Albrecht et al. 2024, Sec. 3.1 and 4"
_THIRDS = (1 / 3, 1 / 3, 1 / 3)

CATALOGUE: dict[str, KnownGame] = {
    known.game.name: known
    for known in (
        _symmetric(
            "prisoner's dilemma",
            ("cooperate", "defect"),
            [[-1, -5], [0, -3]],
            "Two suspects, questioned apart: silence serves both best, but each does better by talking.",
            (_corner(1, 1),),
            _BOOK,
        ),
        _symmetric(
            "stag hunt",
            ("stag", "hare"),
            [[4, 0], [3, 2]],
            "Two hunters: together they catch a stag; a hare each can catch alone.",
            (_corner(0, 0), _corner(1, 1), ((2 / 3, 1 / 3),) * 2),
            _BOOK,
        ),
        crossing(),
        _symmetric(
            "chicken",
            ("stay", "leave"),
            [[0, 7], [2, 6]],
            "Two cars approach one lane: who leaves it loses a little, if both stay they crash. A crossing at which two "
            "polite drivers do well.",
            (_corner(0, 1), _corner(1, 0), ((1 / 3, 2 / 3),) * 2),
            _BOOK,
        ),
        _known(
            "battle of the sexes",
            (("opera", "football"),) * 2,
            ([[10, 2], [0, 7]], [[7, 2], [0, 10]]),
            "Two friends want to spend the evening together, but each prefers another place.",
            (_corner(0, 0), _corner(1, 1), ((2 / 3, 1 / 3), (1 / 3, 2 / 3))),
            _BOOK,
        ),
        _common(
            "coordination",
            [[10, 0], [0, 10]],
            "Two cars must keep to the same side of the road, no matter which.",
            (_corner(0, 0), _corner(1, 1), ((0.5, 0.5),) * 2),
            _BOOK,
        ),
        _known(
            "matching pennies",
            (("heads", "tails"),) * 2,
            ([[1, -1], [-1, 1]], [[-1, 1], [1, -1]]),
            "Each shows a side of a coin: the row agent wins if they match, the column agent if they do not.",
            (((0.5, 0.5),) * 2,),
            _BOOK,
        ),
        _symmetric(
            "rock-paper-scissors",
            ("rock", "paper", "scissors"),
            [[0, -1, 1], [1, 0, -1], [-1, 1, 0]],
            "Every action beats one and is beaten by one.",
            ((_THIRDS, _THIRDS),),
            _BOOK,
        ),
        _common(
            "climbing",
            [[11, -30, 0], [-30, 7, 0], [0, 6, 5]],
            "A shared reward whose best corner lies beside deep pits: climbing there needs both to move at once.",
            (((1.0, 0.0, 0.0),) * 2, ((0.0, 1.0, 0.0),) * 2, ((5 / 16, 0.0, 11 / 16),) * 2),
            "Claus and Boutilier 1998, Fig. 5; Albrecht et al. 2024",
        ),
        penalty(),
        _known(
            "Shapley's game",
            (("1", "2", "3"),) * 2,
            ([[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
            "Three actions on a ring: if the column agent is one step ahead, the row agent wins; if it is one step behind, the "
            "column agent; if they are level, nobody.",
            ((_THIRDS, _THIRDS),),
            "Shapley 1964, up to the numbering of actions",
        ),
    )
}


# Matrix games whose payoffs are drawn by lot: what a team earns depends on its actions and on luck.


def lottery_game(payoffs, chances, action_names=None, name: str = "lottery game") -> MarkovGame:
    """One decision each, then a draw: with probability ``chances[k]`` the payoffs are ``payoffs[k, n, A_1, …, A_n]``.

    An episode is one step long. State 0 is where the agents choose, state 1 + k the terminal state in which draw k is paid.
    Discount 0. The expected payoffs, Σ_k chances[k] payoffs[k], are ``game.reward[:, 0]``.
    """
    payoffs = np.asarray(payoffs, dtype=float)
    n_states, n_agents = 1 + len(payoffs), payoffs.shape[1]
    actions = payoffs.shape[2:]
    transition = np.zeros((n_states, *actions, n_states))
    transition[0, ..., 1:] = chances
    outcome_reward = np.zeros((n_agents, n_states, *actions, n_states))
    outcome_reward[:, 0, ..., 1:] = np.moveaxis(payoffs, 0, -1)
    terminal = np.arange(n_states) > 0
    transition[terminal, ..., terminal] = 1.0
    return MarkovGame(
        transition,
        None,
        0.0,
        np.eye(n_states)[0],
        terminal,
        outcome_reward,
        state_names=("choose", *(f"draw {k}" for k in range(len(payoffs)))),
        action_names=action_names,
        name=name,
    )


def stochastic_climbing() -> MarkovGame:
    """Climbing whose second corner pays 14 or 0 with equal chance instead of 7 (Kapetanakis & Kudenko 2002).

    In expectation it is the climbing game; a learner that remembers only its best experience cannot know that.
    Actions A, B, C.
    """
    draws = np.array([payoffs_of(CATALOGUE["climbing"].game)] * 2)  # [draw, agent, A, A]
    draws[:, :, 1, 1] = [[14.0], [0.0]]
    return lottery_game(draws, (0.5, 0.5), (("A", "B", "C"),) * 2, "stochastic climbing")
