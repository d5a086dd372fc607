"""Independent Q-learning in any Markov game, all seeds side by side: each agent learns as if alone. Lessons 00, 04, 05, 06 and 09."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial

import numpy as np

from marl_lessons.algorithms.settings import as_config, check_settings
from marl_lessons.algorithms.tables.history import (
    USUAL_RECORDS,
    History,
    Recorder,
    TabularConfig,
    Transition,
    experience,
)
from marl_lessons.algorithms.tables.rules import (
    Distributed,
    Hysteretic,
    Lenient,
    Memory,
    boltzmann_policy,
    changes_policy,
    cooler,
    epsilon_greedy,
    hysteretic_step,
    leniency,
    one_draw_for_all,
    q_learning_target,
    sample_actions,
)
from marl_lessons.algorithms.tables.schedules import PerAgent, Progress, as_schedule
from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.markov_game import MarkovGame, check_game
from marl_lessons.seeds import UniformStreams

COLDEST = 1e-100  # no temperature falls below: rounded to 0 it could not be divided by


@dataclass(frozen=True)
class IndependentConfig(TabularConfig):
    """Settings of independent Q-learning: those of :class:`TabularConfig`, and the following.

    step_size     may also be a tuple, one number or schedule for each agent
    temperature   τ, at least 1e-9, of Boltzmann exploration, one number or a tuple with one for each agent, in units of
                  reward. ε is not used then, and recorded as 0. None: ε-greedy
    optimism      what to do with bad news: None for plain Q-learning, :class:`Hysteretic`, :class:`Lenient` or
                  :class:`Distributed`
    learns        None: all agents learn all the time. Otherwise one entry for each agent, None or (first, end): it learns
                  at steps first, …, end - 1, without end if that is None. Its table is frozen the rest of the time.
    memory        how many of its own latest transitions an agent keeps (experience replay). 1, the default, is the present
                  one. One number or a tuple with one for each agent. Not with :class:`Distributed` or :class:`Lenient`.
    batch_size    how many of them it draws at each step, with equal chance and with replacement; the table moves by the
                  mean of what each would do. Of no effect where the memory is 1
    correlated_exploration  True: one random number decides for all agents whether they explore at this step, a mistake found
                  in published programs, here to be studied. Only for ε-greedy learners
    """

    temperature: float | tuple[float, ...] | None = None
    optimism: Hysteretic | Lenient | Distributed | None = None
    learns: tuple[tuple[int, int | None] | None, ...] | None = None
    memory: int | tuple[int, ...] = 1
    batch_size: int = 1
    correlated_exploration: bool = False

    def __post_init__(self):
        """Check every field and turn numbers into constant schedules."""
        check_settings(
            self,
            USUAL_RECORDS,
            step_size=_as_step_size,
            temperature=_each(partial(as_number, low=1e-9, high=1e9)),
            optimism=_as_optimism,
            learns=_each(_as_window),
            memory=_each(as_count),
        )
        if self.correlated_exploration and not self.uses_epsilon:
            raise ValueError(
                "correlated_exploration is True; allowed only with ε-greedy exploration, "
                "without temperature and Lenient()"
            )
        if isinstance(self.optimism, Distributed) and self.temperature is not None:
            raise ValueError(
                f"temperature is {self.temperature}; a Distributed() learner acts on its policy, only None is allowed"
            )
        if isinstance(self.optimism, Lenient | Distributed) and np.max(self.memory) > 1:
            raise ValueError(
                f"memory is {self.memory}; with optimism {type(self.optimism).__name__}() only 1 is allowed"
            )

    @property
    def uses_epsilon(self) -> bool:
        """Whether the agents explore with probability ε, rather than by temperature."""
        return self.temperature is None and not isinstance(self.optimism, Lenient)

    def learning(self, step: int, n_agents: int) -> np.ndarray:
        """``[n]`` booleans: which agents learn at ``step``."""
        windows = self.learns or (None,) * n_agents
        return np.array([w is None or w[0] <= step < (w[1] or np.inf) for w in windows])


def _each(check: Callable) -> Callable:
    """``check`` of a value for all agents, or of each entry of a tuple with one for each agent."""

    def checked(name: str, value):
        if not isinstance(value, tuple | list):
            return check(name, value)
        if not value:
            raise ValueError(f"{name} is empty; one entry for each agent is needed")
        return tuple(check(f"{name}[{i}]", entry) for i, entry in enumerate(value))

    return checked


def _as_step_size(name: str, value):
    return PerAgent(name, value) if isinstance(value, tuple | list) else as_schedule(name, value)


def _as_optimism(name: str, value) -> Hysteretic | Lenient | Distributed:
    if not isinstance(value, Hysteretic | Lenient | Distributed):
        raise ValueError(
            f"{name}: expected None, Hysteretic(), Lenient() or Distributed(), got {value!r:.80}"
        )
    return value


def _as_window(name: str, value) -> tuple[int, int | None] | None:
    if value is None:
        return None
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name}: expected None or (first, end), got {value!r:.80}")
    first = as_count(f"{name}[0]", value[0], low=0)
    end = None if value[1] is None else as_count(f"{name}[1]", value[1], low=first + 1)
    return first, end


def as_independent_config(config: TabularConfig | None, n_agents: int) -> IndependentConfig:
    """``config`` as an :class:`IndependentConfig` whose tuples fit ``n_agents``."""
    if not isinstance(config, IndependentConfig):
        plain = as_config(config, TabularConfig, per_agent=True)
        config = IndependentConfig(**{f.name: getattr(plain, f.name) for f in fields(plain)})
    step_sizes = config.step_size.parts if isinstance(config.step_size, PerAgent) else None
    values = {name: getattr(config, name) for name in ("temperature", "learns", "memory")}
    for name, value in {"step_size": step_sizes, **values}.items():
        if isinstance(value, tuple) and len(value) != n_agents:
            raise ValueError(
                f"config: {name} has {len(value)} entries; this game has {n_agents} agents"
            )
    return config


@np.errstate(under="ignore")  # a probability may become 0
def independent_q_learning(
    game: MarkovGame,
    config: TabularConfig | None = None,
    seeds=30,
    *,
    progress: Callable[[float], None] | None = None,
) -> History:
    """Every agent of ``game`` runs Q-learning on a table of its own, as if the others were part of the world.

    Independent Q-learning (Tan 1993; Albrecht et al. 2024, Sec. 5.3.2). ``config``: an :class:`IndependentConfig`, or a
    :class:`TabularConfig` for plain learners. ``seeds``: a count or a sequence of integers; each seed's run is the same
    whatever others run beside it. ``progress`` is told the share of the steps done.

    Returns a :class:`History` with agent axis; where an agent has fewer actions than another, its tables end with -inf.
    With :class:`Distributed` it holds ``policies``, too.
    """
    n = check_game("game", game).n_agents
    config = as_independent_config(config, n)
    if not config.uses_epsilon:
        config = replace(config, epsilon=0.0)  # recorded so, too
    draws = config.batch_size if np.max(config.memory) > 1 else 0
    own_numbers = draws + isinstance(config.optimism, Lenient)
    streams = UniformStreams(seeds, n_numbers=(2 + own_numbers) * n + 2)
    learners = _Learners(game, config, len(streams.seeds))
    recorder = Recorder(config, streams.seeds, n, **learners.tables())
    for now in experience(game, config, streams, recorder, learners.choose, progress):
        learners.learn(now)
    return recorder.history()


class _Learners:
    """The tables of E seeds and n agents, how they choose and how they learn.

    ``rows`` and ``entries`` are flat views: row (seed, agent, state), entry row * A + action. One index is faster than four.
    """

    def __init__(self, game: MarkovGame, config: IndependentConfig, n_seeds: int):
        n, n_states, self.n_actions = game.n_agents, game.n_states, max(game.n_actions)
        self.config, self.discount, self.own_actions = config, game.discount, game.n_actions
        self.q = np.full((n_seeds, n, n_states, self.n_actions), config.initial_value)
        self.q[:, :, game.terminal] = 0.0
        for i, own in enumerate(game.n_actions):
            self.q[:, i, :, own:] = -np.inf
        self.visits = np.zeros(self.q.shape, dtype=np.int64)
        self.rows, self.entries = self.q.reshape(-1, self.n_actions), self.q.reshape(-1)
        self.counts = self.visits.reshape(-1)
        self.first_row = np.arange(n_seeds * n).reshape(n_seeds, n) * n_states
        self.policies = self.temperatures = self.memory = None
        if isinstance(config.optimism, Distributed):
            self.policies = np.broadcast_to(np.eye(self.n_actions)[0], self.q.shape).copy()
        if isinstance(config.optimism, Lenient):
            self.temperatures = np.full(self.rows.shape, config.optimism.start)
            self.temperatures[~np.isfinite(self.rows)] = np.nan
        if np.max(config.memory) > 1:
            self.memory = Memory(np.broadcast_to(config.memory, n), n_seeds)

    def tables(self) -> dict[str, np.ndarray]:
        """What is recorded."""
        kept = {} if self.policies is None else {"policies": self.policies}
        return {"q": self.q, "visits": self.visits, **kept}

    def choose(self, state: np.ndarray, epsilon, uniform: np.ndarray) -> np.ndarray:
        """Joint actions ``[E, n]`` in ``state[E]``, as ``uniform[2, E, n]`` decide."""
        row = self.first_row + state[:, None]
        q = self.rows.take(row, axis=0)
        if self.temperatures is not None:
            return self._choose_leniently(q, row, uniform)
        if self.config.temperature is not None:
            return sample_actions(boltzmann_policy(q, self.config.temperature), uniform[1])
        if self.policies is not None:
            q = self.policies.reshape(self.rows.shape).take(row, axis=0)
        if self.config.correlated_exploration:
            uniform = one_draw_for_all(uniform)
        if len(set(self.own_actions)) > 1:  # a random action is one of those that exist
            share = (np.array(self.own_actions) - 1e-9) / self.n_actions
            uniform = np.stack([uniform[0], uniform[1] * share])
        return epsilon_greedy(q, epsilon, uniform)

    def _choose_leniently(self, q: np.ndarray, row: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        lenient, mean = self.config.optimism, np.nanmean(self.temperatures.take(row, axis=0), -1)
        drawn = sample_actions(boltzmann_policy(q, lenient.exploration * mean), uniform[1])
        return np.where(mean < lenient.coldest, q.argmax(axis=-1), drawn)

    def learn(self, now: Transition) -> None:
        """Move every agent's table by one transition: the present one, or the mean of a batch from its memory."""
        config, ends = self.config, now.ends
        row = self.first_row + now.state[:, None]
        next_row = self.first_row + now.next_state[:, None]
        entry, reward = row * self.n_actions + now.action, now.reward
        learning = 1 if config.learns is None else config.learning(now.step, len(self.own_actions))
        self.counts[entry] += learning
        if self.memory is not None:
            draws, ends = now.uniform[: config.batch_size], np.broadcast_to(ends, entry.shape)
            entry, reward, next_row, ends = self.memory.exchange(
                draws, entry, reward, next_row, ends
            )
        # The maximum over a short last axis is ten times faster in Fortran order.
        next_q = np.asfortranarray(self.rows.take(next_row, axis=0))
        target = q_learning_target(reward, next_q, ends, self.discount)
        error = target - self.entries.take(entry)
        progress = Progress(now.step, now.episode, np.maximum(self.counts.take(entry), 1))
        step_size = learning * self._step_size(progress, error, entry, now.uniform)
        if self.memory is not None:  # an entry may be drawn several times
            np.add.at(self.entries, entry, step_size * error / config.batch_size)
            return
        moved = self.entries.take(entry) + step_size * error
        if self.policies is None:
            self.entries[entry] = moved
        else:  # for α = 1 the target itself: the last digits of q + (target - q) must not look like news
            self._keep_or_change(row, now.action, entry, np.where(step_size == 1, target, moved))
        if self.temperatures is not None:
            self._cool(learning, entry, next_row, ends)

    def _step_size(self, progress: Progress, error, entry, uniform) -> np.ndarray | float:
        """α, and where the news is bad what the optimism makes of it."""
        step_size, optimism = self.config.step_size(progress), self.config.optimism
        if optimism is None:
            return step_size
        if isinstance(optimism, Hysteretic):
            worse = optimism.negative_step_size(progress)
        elif isinstance(optimism, Distributed):
            worse = 0.0
        else:  # Lenient
            forgives = leniency(self.temperatures.reshape(-1).take(entry), optimism.leniency)
            worse = np.where(uniform[-1] < forgives, 0.0, step_size)
        return hysteretic_step(error, step_size, worse)

    def _cool(self, learning, entry, next_row, ends) -> None:
        lenient, temperatures = self.config.optimism, self.temperatures.reshape(-1)
        before = temperatures.take(entry)
        next_mean = np.nanmean(self.temperatures.take(next_row, axis=0), axis=-1)
        after = cooler(before, next_mean, lenient.decay, lenient.diffusion, ends)
        temperatures[entry] = np.where(learning, np.maximum(after, COLDEST), before)

    def _keep_or_change(self, row, action, entry, moved) -> None:
        before = self.rows.take(row, axis=0)
        self.entries[entry] = moved
        changed = changes_policy(before, self.rows.take(row, axis=0))
        policies = self.policies.reshape(self.rows.shape)
        policies[row[changed]] = np.eye(self.n_actions)[action[changed]]


def behaviour(
    q: np.ndarray, epsilon: np.ndarray | float, temperature: np.ndarray | float | None = None
) -> np.ndarray:
    """``[..., A]``: the policies of learners with tables ``q[..., A]``, exploration included.

    ε-greedy, or Boltzmann exploration if a ``temperature`` is given; both numbers or ``[...]``. The lowest index wins a tie,
    and an action that does not exist (-inf) has probability 0.
    """
    if temperature is not None:
        return boltzmann_policy(q, temperature)
    exists = np.isfinite(q)
    greedy = np.arange(q.shape[-1]) == q.argmax(axis=-1)[..., None]
    epsilon = np.asarray(epsilon)[..., None]
    return epsilon * exists / exists.sum(axis=-1, keepdims=True) + (1 - epsilon) * greedy


def behaviour_policies(history: History, config: TabularConfig) -> list[np.ndarray]:
    """One array ``[K+1, E, S, A_i]`` for each agent: the policies on which it acted at each moment of ``history``.

    ``config``: the one the history was made with. So the whole history of joint policies is known, and with it the MDP that
    each agent faced. Not for lenient learners, whose temperatures are not recorded, nor for correlated exploration, where
    the joint policy is not the product of the agents' own.
    """
    if history.q.ndim != 5:
        raise ValueError(
            "history: expected one with agent axis, as independent_q_learning returns it"
        )
    n_agents = history.q.shape[2]
    config = as_independent_config(config, n_agents)
    if isinstance(config.optimism, Lenient):
        raise ValueError("config: a lenient learner acts on temperatures that are not recorded")
    if config.correlated_exploration:
        raise ValueError(
            "config: correlated_exploration is True; the agents do not draw independently, "
            "so that policies of their own do not tell what they do together"
        )
    table = history.q if history.policies is None else history.policies
    policies = []
    for i in range(n_agents):
        tau = config.temperature[i] if isinstance(config.temperature, tuple) else config.temperature
        own = np.isfinite(history.q[0, 0, i, 0]).sum()
        policies.append(behaviour(table[:, :, i, :, :own], history.epsilon[..., None], tau))
    return policies


def greedy_actions(history: History) -> np.ndarray:
    """``[K+1, E, n, S]``: the action that every agent holds for the best in each state (the policy of distributed learners)."""
    table = history.q if history.policies is None else history.policies
    return table.argmax(axis=-1)
