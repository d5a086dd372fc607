"""What independent learners can be told to do, and what they do at a given moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from marl_lessons.algorithms.history import History, TabularConfig, as_config
from marl_lessons.algorithms.optimism import Distributed, Hysteretic, Lenient
from marl_lessons.algorithms.schedules import PerAgent
from marl_lessons.algorithms.temporal_difference import boltzmann_policy
from marl_lessons.checks import as_count, as_flag, as_number


@dataclass(frozen=True)
class IndependentConfig(TabularConfig):
    """Settings of independent Q-learning: those of :class:`TabularConfig`, and the following. Raises ValueError.

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
        """Check every field."""
        if isinstance(self.step_size, tuple | list):
            self._put("step_size", PerAgent("step_size", self.step_size))
        super().__post_init__()
        if self.temperature is not None:
            self._put("temperature", _each("temperature", self.temperature, _as_temperature))
        self._put("memory", _each("memory", self.memory, as_count))
        self._put("batch_size", as_count("batch_size", self.batch_size))
        if not isinstance(self.optimism, Hysteretic | Lenient | Distributed | None):
            raise ValueError(
                f"optimism: expected None, Hysteretic(), Lenient() or Distributed(), got {self.optimism!r:.80}"
            )
        self._put(
            "correlated_exploration", as_flag("correlated_exploration", self.correlated_exploration)
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
        if self.learns is not None:
            self._put("learns", _each("learns", self.learns, _as_window))

    def _put(self, name: str, value) -> None:
        object.__setattr__(self, name, value)

    @property
    def uses_epsilon(self) -> bool:
        """Whether the agents explore with probability ε, rather than by temperature."""
        return self.temperature is None and not isinstance(self.optimism, Lenient)

    def learning(self, step: int, n_agents: int) -> np.ndarray:
        """``[n]`` booleans: which agents learn at ``step``."""
        windows = self.learns or (None,) * n_agents
        return np.array([w is None or w[0] <= step < (w[1] or np.inf) for w in windows])


def fitting(config: TabularConfig | None, n_agents: int) -> IndependentConfig:
    """``config`` as an :class:`IndependentConfig`; raises ValueError where its tuples do not fit ``n_agents``."""
    if not isinstance(config, IndependentConfig):
        plain = as_config(config, TabularConfig, per_agent=True)
        config = IndependentConfig(**{f.name: getattr(plain, f.name) for f in fields(plain)})
    parts = config.step_size.parts if isinstance(config.step_size, PerAgent) else None
    for name, value in (
        ("step_size", parts),
        ("temperature", config.temperature),
        ("learns", config.learns),
        ("memory", config.memory),
    ):
        if isinstance(value, tuple) and len(value) != n_agents:
            raise ValueError(
                f"config: {name} has {len(value)} entries; this game has {n_agents} agents"
            )
    return config


def behaviour(
    q: np.ndarray, epsilon: np.ndarray | float, temperature: np.ndarray | float | None = None
) -> np.ndarray:
    """``[..., A]``: the policies of learners with tables ``q[..., A]``, exploration included.

    ε-greedy, or Boltzmann exploration if a ``temperature`` is given; both numbers or ``[...]``. The lowest index wins a tie,
    and an action that does not exist (-inf) has probability 0. A pure function of checked arrays.
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
    each agent faced. Raises ValueError naming ``config`` for a lenient learner, whose temperatures are not recorded, and
    for correlated exploration, where the joint policy is not the product of the agents' own; ``history`` if it has no
    agent axis.
    """
    if not isinstance(history, History) or history.q.ndim != 5:
        raise ValueError(
            "history: expected a History with agent axis, as independent_q_learning returns it"
        )
    n_agents = history.q.shape[2]
    config = fitting(config, n_agents)
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
    """``[K+1, E, n, S]``: the action that every agent holds for the best in each state (the policy of distributed learners).

    Raises ValueError naming ``history`` if it is none.
    """
    if not isinstance(history, History):
        raise ValueError(f"history: expected a History, got a {type(history).__name__}")
    table = history.q if history.policies is None else history.policies
    return table.argmax(axis=-1)


def _each(name: str, value, check: Callable):
    """A value for all agents, checked; or a tuple of checked values."""
    if not isinstance(value, tuple | list):
        return check(name, value)
    if not value:
        raise ValueError(f"{name} is empty; one entry for each agent is needed")
    return tuple(check(f"{name}[{i}]", entry) for i, entry in enumerate(value))


def _as_temperature(name: str, value) -> float:
    return as_number(name, value, 1e-9, 1e9)


def _as_window(name: str, value) -> tuple[int, int | None] | None:
    if value is None:
        return None
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name}: expected None or (first, end), got {value!r:.80}")
    first = as_count(f"{name}[0]", value[0], low=0)
    end = None if value[1] is None else as_count(f"{name}[1]", value[1], low=first + 1)
    return first, end
