"""WoLF-PHC: policies that climb towards the greedy action, slowly while they win and fast while they lose. Lesson 05.

Policy hill climbing (PHC) is the same with one rate for both.
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
    experience,
)
from marl_lessons.algorithms.tables.rules import draw_actions, q_learning_target, td_update
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
    bootstrap_on_truncation = True  # no setting: truncation is no termination

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

    ``seeds``: a count or a sequence of integers; each seed's run is the same whatever others run beside it. Returns a
    :class:`History` with agent axis and, besides, ``policies`` and ``average_policies`` ``[K+1, E, n, S, A]``.
    """
    config = as_config(config, WolfConfig)
    n, n_actions = check_game("game", game).n_agents, common_n_actions("game", game)
    streams = UniformStreams(seeds, n_numbers=2 * n + 2)
    q = np.zeros((len(streams.seeds), n, game.n_states, n_actions))
    visits = np.zeros(q.shape, dtype=np.int64)
    policies = np.full(q.shape, 1 / n_actions)
    if config.initial_policies is not None:
        if config.initial_policies.shape != q.shape[1:]:
            raise ValueError(
                f"config: initial_policies have shape {config.initial_policies.shape}; this game needs {q.shape[1:]}"
            )
        policies[:] = config.initial_policies
    averages = policies.copy()
    tables = {"q": q, "visits": visits, "policies": policies, "average_policies": averages}
    recorder = Recorder(config, streams.seeds, n, **tables)
    # From here on one row for each seed, agent and state: views of the tables.
    q, visits, policies, averages = (table.reshape(-1, n_actions) for table in tables.values())
    first = np.arange(len(streams.seeds) * n).reshape(-1, n) * game.n_states

    def choose(state, epsilon, uniform):
        return draw_actions(policies.take(first + state[:, None], axis=0), epsilon, uniform)

    for now in experience(game, config, streams, recorder, choose):
        here, there = first + now.state[:, None], first + now.next_state[:, None]
        entry = (here, now.action)
        visits[entry] += 1
        progress = Progress(now.step, now.episode, visits[entry])
        next_q = q.take(there, axis=0)
        target = q_learning_target(now.reward, next_q, now.ends, game.discount)
        td_update(q, entry, target, config.step_size(progress))

        values, policy = q.take(here, axis=0), policies.take(here, axis=0)
        progress = progress._replace(visits=visits.take(here, axis=0).sum(axis=-1))
        average = move_average(averages.take(here, axis=0), policy, progress.visits)
        rates = config.win_rate(progress), config.lose_rate(progress)
        averages[here] = average
        policies[here] = hill_climb(policy, values, wolf_rate(policy, average, values, *rates))
    return recorder.history()
