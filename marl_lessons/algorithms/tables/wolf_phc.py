"""WoLF-PHC: policies that climb towards the greedy action, slowly while they win and fast while they lose.

Policy hill climbing (PHC) is the same with one rate for both. All seeds advance together. :func:`hill_climb`,
:func:`move_average` and :func:`wolf_rate` are pure functions of arrays that their callers have checked: they check nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marl_lessons.algorithms.settings import as_config, check_settings
from marl_lessons.algorithms.tables.history import (
    USUAL_RECORDS,
    History,
    Recorder,
    common_n_actions,
    draw_actions,
    experience,
)
from marl_lessons.algorithms.tables.rules import q_learning_target, td_update
from marl_lessons.algorithms.tables.schedules import Progress, Schedule
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.seeds import UniformStreams


@dataclass(frozen=True, eq=False)
class WolfConfig:
    """Settings of WoLF-PHC.

    n_steps, epsilon, time_limit, n_records   as in :class:`~marl_lessons.algorithms.TabularConfig`
    step_size        α of the tables of action values, a number in [0, 1] or a schedule (typical 0.1)
    win_rate         how much probability moves in one step while winning, a number in [0, 1] or a schedule. At 0.01 only the
                     average policies settle in matching pennies; at 0.0002, with 60,000 steps, the policies do.
    lose_rate        the same while losing, typically 2 to 4 times ``win_rate``; equal rates make PHC
    initial_policies ``[n, S, A]``: where the policies of the n agents begin; None: every action with equal chance

    The rates are given a :class:`Progress` whose ``visits[E, n]`` count the visits of the present state. A rate that falls
    with the steps, as in the paper, is a function: ``lambda progress: 1 / (1_000 + progress.step)``.
    """

    n_steps: int = 20_000
    step_size: Schedule | float = 0.1
    win_rate: Schedule | float = 0.01
    lose_rate: Schedule | float = 0.04
    epsilon: Schedule | float = 0.1
    time_limit: int | None = 200
    initial_policies: np.ndarray | None = None
    n_records: int | None = None

    def __post_init__(self):
        """Check every field and turn numbers into constant schedules."""
        check_settings(self, USUAL_RECORDS)


def hill_climb(policy: np.ndarray, q: np.ndarray, rate: np.ndarray | float) -> np.ndarray:
    """``policy[..., A]`` after a step towards the greedy action of ``q[..., A]`` (Bowling & Veloso 2002, Table 1).

    Every other action gives min(π(a), δ/(A-1)) to the greedy one, δ being ``rate[...]``: no probability falls below 0, and
    they still sum to 1. The lowest index wins a tie.
    """
    n_actions = q.shape[-1]
    greedy = np.arange(n_actions) == q.argmax(axis=-1)[..., None]
    share = np.asarray(rate)[..., None] / max(n_actions - 1, 1)
    given = np.where(greedy, 0.0, np.minimum(policy, share))
    return policy - given + greedy * given.sum(axis=-1, keepdims=True)


def move_average(average: np.ndarray, policy: np.ndarray, visits: np.ndarray) -> np.ndarray:
    """``average[..., A]`` of a state's policies after ``visits[...]`` of them, ``policy[..., A]`` the latest.

    π̄ + (π - π̄)/C (Bowling & Veloso 2002, Table 5).
    """
    return average + (policy - average) / visits[..., None]


def wolf_rate(policy: np.ndarray, average: np.ndarray, q: np.ndarray, win_rate, lose_rate):
    """``[...]``: win or learn fast, the rate δ at which to climb (Bowling & Veloso 2002, Table 5).

    The agent wins where its policy is worth more than its average policy: Σ_a π(a) Q(a) > Σ_a π̄(a) Q(a). All ``[..., A]``,
    the rates numbers or ``[...]``.
    """
    wins = (policy * q).sum(axis=-1) > (average * q).sum(axis=-1)
    return np.where(wins, win_rate, lose_rate)


def wolf_phc(game: MarkovGame, config: WolfConfig | None = None, seeds=30) -> History:
    """Every agent of ``game`` learns by WoLF-PHC (Bowling & Veloso 2002, Table 5; Albrecht et al. 2024, Sec. 6.4.4).

    Each has a table of action values, moved by Q-learning, and a policy that climbs towards the greedy action. It acts on
    that policy, with probability ε on any action with equal chance. A matrix game is a game of one state and discount 0.
    Truncation is no termination: the last target of an episode cut short counts the value of the next state.

    ``seeds``: a count or a sequence of integers; each seed's run is the same whatever others run beside it. Returns a
    :class:`History` with agent axis and, besides, ``policies`` and ``average_policies`` ``[K+1, E, n, S, A]``. Raises
    ValueError naming ``game`` (also if its agents have different numbers of actions), ``config`` or ``seeds``.
    """
    config = as_config(config, WolfConfig)
    n, n_states = check_game("game", game).n_agents, game.n_states
    n_actions = common_n_actions("game", game)
    streams = UniformStreams(seeds, n_numbers=2 * n + 2)
    n_seeds = len(streams.seeds)
    q = np.zeros((n_seeds, n, n_states, n_actions))
    visits = np.zeros(q.shape, dtype=np.int64)
    policies = np.empty(q.shape)
    policies[:] = _initial_policies(config, (n, n_states, n_actions))
    averages = policies.copy()
    recorder = Recorder(
        config, streams.seeds, q, visits, policies=policies, average_policies=averages
    )
    # Flat views of the tables: row (seed, agent, state), entry row * A + action. One index is faster than four.
    q_rows, visit_rows, policy_rows, average_rows = (
        table.reshape(-1, n_actions) for table in (q, visits, policies, averages)
    )
    first_row = np.arange(n_seeds * n).reshape(n_seeds, n) * n_states

    def choose(state, epsilon, uniform):
        return draw_actions(policy_rows.take(first_row + state[:, None], axis=0), epsilon, uniform)

    for now in experience(game, config, streams, recorder, choose, slice(None)):
        row, next_row = first_row + now.state[:, None], first_row + now.next_state[:, None]
        entry = row * n_actions + now.action
        visits.reshape(-1)[entry] += 1
        counts = visit_rows.take(row, axis=0)
        progress = Progress(now.step, now.episode, visits.take(entry))
        target = q_learning_target(
            now.reward, q_rows.take(next_row, axis=0), now.terminated[:, None], game.discount
        )
        td_update(q.reshape(-1), entry, target, config.step_size(progress))

        values, policy = q_rows.take(row, axis=0), policy_rows.take(row, axis=0)
        progress = progress._replace(visits=counts.sum(axis=-1))
        average = move_average(average_rows.take(row, axis=0), policy, progress.visits)
        win_rate, lose_rate = config.win_rate(progress), config.lose_rate(progress)
        rate = wolf_rate(policy, average, values, win_rate, lose_rate)
        average_rows[row] = average
        policy_rows[row] = hill_climb(policy, values, rate)
    return recorder.history()


def _initial_policies(config: WolfConfig, shape: tuple[int, int, int]) -> np.ndarray:
    if config.initial_policies is None:
        return np.full(shape, 1 / shape[-1])
    if config.initial_policies.shape != shape:
        raise ValueError(
            f"config: initial_policies have shape {config.initial_policies.shape}; this game needs {shape}"
        )
    return config.initial_policies
