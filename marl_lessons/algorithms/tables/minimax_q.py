"""Minimax-Q: Q-learning for zero-sum games of two, where a state is worth what the game played there is worth. Lesson 04."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from marl_lessons.algorithms.settings import as_config
from marl_lessons.algorithms.tables.history import (
    History,
    Recorder,
    TabularConfig,
    common_n_actions,
    experience,
)
from marl_lessons.algorithms.tables.rules import draw_actions, td_update
from marl_lessons.algorithms.tables.schedules import Progress
from marl_lessons.checks import as_number
from marl_lessons.envs.games.matrix_games import cancels
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.seeds import UniformStreams
from marl_lessons.solvers.zero_sum import guarantees, solve_zero_sum


def minimax_q_target(
    reward: np.ndarray, next_value: np.ndarray, terminated: np.ndarray, discount: float
) -> np.ndarray:
    """``[...]``: r + γ V(s'), and r alone where the episode terminated (Littman 1994, Fig. 1).

    ``next_value[...]`` is V(s') = max_π min_o Σ_a π(a) Q(s', a, o), the value of the matrix game in s'.
    """
    return reward + discount * np.where(terminated, 0.0, next_value)


class SolvedGames:
    """The values and optimal strategies of R zero-sum matrix games whose payoffs change one by one, solved when needed.

    After a change the strategies found earlier still bracket the value: least ≤ V ≤ most, by
    :func:`~marl_lessons.solvers.zero_sum.guarantees`. While the bracket is no wider than ``tolerance``, V is taken to be its
    middle, at most tolerance/2 from the truth, and the row agent's strategy guarantees V less ``tolerance``. A game with a
    wider bracket is solved again before it is used, together with all the others that wait.

    The games are solved with payoffs rounded to a hundredth of ``tolerance``: a table that is being learned holds differences
    of 1e-14 beside others of 1, which no method solves well. The bracket is that of the payoffs themselves.
    """

    def __init__(self, q: np.ndarray, value: np.ndarray, row: np.ndarray, tolerance: float):
        """Watch ``q[R, A, O]``, in each game all entries equal; keep ``value[R]`` and strategies ``row[R, A]``, in place."""
        self._q, self._value, self._row, self._tolerance = q, value, row, tolerance
        solved = solve_zero_sum(q)
        self._column, self._basis = solved.column, solved.basis
        value[:] = q[:, 0, 0]
        row[:] = 1 / q.shape[1]  # where all entries are equal, every strategy is optimal
        self._waits = np.zeros(len(q), dtype=bool)

    def changed(self, games: np.ndarray) -> None:
        """Bracket the values of ``games[...]`` anew, after a change of their payoffs or strategies."""
        q, row, column = (x.take(games, axis=0) for x in (self._q, self._row, self._column))
        least, most = guarantees(q, row, column)
        self._value[games] = (least + most) / 2
        self._waits[games] = most - least > self._tolerance

    def prepare(self, games: np.ndarray | slice = slice(None)) -> None:
        """Make value and strategy of ``games[...]`` ready for use; when one has to be solved, solve all that wait."""
        if self._waits[games].any():
            waiting = self._waits.nonzero()[0]
            payoffs, unit = self._q[waiting], self._tolerance / 100
            if unit > 1e-12:
                payoffs = np.round(payoffs / unit) * unit
            solved = solve_zero_sum(payoffs, guess=self._basis[waiting])
            self._row[waiting], self._column[waiting] = solved.row, solved.column
            self._basis[waiting] = solved.basis
            self.changed(waiting)
            # Also for tolerance 0, where the brackets are as wide as rounding.
            self._waits[waiting] = False


def minimax_q(
    game: MarkovGame,
    config: TabularConfig | None = None,
    seeds=30,
    *,
    tolerance: float = 0.01,
    progress: Callable[[float], None] | None = None,
) -> History:
    """Minimax-Q (Littman 1994; Albrecht et al. 2024, Sec. 6.2.1) in a zero-sum game; all seeds advance together.

    Both agents learn, each with a table of its own. A learner sees both actions and rewards: it moves Q(s, a, o), a its own
    action, o its opponent's, towards r + γ V(s'). It acts on a maxmin strategy of the game Q(s), with probability ε on any
    action with equal chance (Littman: ε = 0.2, ``initial_value=1``, a step size that falls with every step to 0.01).

    The games are solved lazily (:class:`SolvedGames`): V(s) is within ``tolerance``/2 of the value of the table Q(s), and
    the policy acted on and recorded guarantees that value less ``tolerance``. 0 solves after every change that matters.
    ``seeds``: a count or a sequence of integers; each seed's run is the same whatever others run beside it.
    ``progress`` is told the share of the steps done.

    Returns a :class:`History` with ``q[K+1, E, n, S, A, O]``, ``visits`` alike, ``policies[K+1, E, n, S, A]`` and
    ``values[K+1, E, n, S]``.
    """
    if check_game("game", game).n_agents != 2 or not cancels(game.reward):
        raise ValueError("game: expected two agents whose rewards add up to 0 everywhere")
    n_actions = common_n_actions("game", game)
    config, tolerance = as_config(config, TabularConfig), as_number("tolerance", tolerance, 0.0)
    streams = UniformStreams(seeds, n_numbers=6)
    shape = (len(streams.seeds), 2, game.n_states)
    q = np.full((*shape, n_actions, n_actions), config.initial_value)
    q[:, :, game.terminal] = 0.0
    visits = np.zeros(q.shape, dtype=np.int64)
    strategies, values = np.empty((*shape, n_actions)), np.empty(shape)
    tables = {"q": q, "visits": visits, "policies": strategies, "values": values}
    recorder = Recorder(config, streams.seeds, 2, **tables)
    # The matrix games in one row, one for each seed, learner and state: views of the tables.
    payoffs, counts = q.reshape(-1, n_actions, n_actions), visits.reshape(-1, n_actions, n_actions)
    strategy, value = strategies.reshape(-1, n_actions), values.reshape(-1)
    games = SolvedGames(payoffs, value, strategy, tolerance)
    first = np.arange(shape[0] * shape[1]).reshape(shape[:2]) * game.n_states

    def choose(state, epsilon, uniform):
        here = first + state[:, None]
        games.prepare(here)
        return draw_actions(strategy[here], epsilon, uniform)

    for now in experience(game, config, streams, recorder, choose, progress):
        here, there = first + now.state[:, None], first + now.next_state[:, None]
        entry = (here, now.action, now.action[:, ::-1])  # an agent's own action first
        games.prepare(there)
        target = minimax_q_target(now.reward, value[there], now.ends, game.discount)
        counts[entry] += 1
        so_far = Progress(now.step, now.episode, counts[entry])
        td_update(payoffs, entry, target, config.step_size(so_far))
        games.changed(here)
        if recorder.is_due(now.step + 1):
            games.prepare()
    return recorder.history()
