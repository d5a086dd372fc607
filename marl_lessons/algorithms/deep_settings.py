"""What a deep learner was told to do."""

from __future__ import annotations

from dataclasses import dataclass

from marl_lessons.algorithms.schedules import Linear, Progress, Schedule, as_exploration
from marl_lessons.checks import as_count, as_flag, as_number

USUAL_RECORDS = 20


@dataclass(frozen=True)
class DeepIQLConfig:
    """Settings of deep independent Q-learning. Raises ValueError naming the field.

    n_steps          steps that every world makes (typical 500 to 5,000)
    hidden_sizes     units of each hidden layer (typical ``(64, 64)``)
    learning_rate    of Adam (typical 5e-4 to 2e-3): a number in (0, 1], or ``Linear(..., per="step")``, by which it falls
    discount         γ in [0, 1] (typical 0.9 to 0.99)
    batch_size       joint transitions in a batch, for each seed (typical 32 to 512)
    buffer_size      joint transitions that each seed's replay keeps (typical 5,000 to 100,000)
    updates_per_step updates after each step of all worlds (typical 1 to 4)
    learn_from       steps of all worlds before the first update (typical 10 to 100)
    target_interval  updates after which the target network becomes a copy of the online one (typical 100 to 1,000)
    double_q         True: the online network chooses the next action (van Hasselt et al. 2016); False: plain DQN
    epsilon          ε, probability of a random action, a number in [0, 1] or a schedule, but not ``PerVisit``. It counts the
                     episodes that all worlds of a seed have finished together, and the steps that each world has made.
    share_parameters True: the agents of a seed share one network; False: each has its own
    agent_id         True: an agent's number, one-hot, follows its observation. Take care where numbers tell what agents should
                     not know, such as who came first
    correlated_exploration  True: one random number decides for all agents of a world whether they explore: a mistake found
                     in published programs, here to be studied
    bootstrap_on_truncation  True: a truncated episode's last target still counts what would have come next. False treats
                     truncation as termination: a mistake, here to be studied.
    reward_scale     the learner sees rewards times this number, above 0 (typical: such that returns are of size 1 to 10)
    network          None: each agent values what it sees by itself, through ``hidden_sizes``. Else a network with messages
                     between the agents, :class:`~marl_lessons.algorithms.communication.commnet.CommNet`, or any object with the methods of
                     :class:`~marl_lessons.algorithms.deep_iql.PlainNetwork`. It has sizes of its own, ``hidden_sizes`` is
                     not used. It needs ``agent_id`` False and ``share_parameters`` True
    n_records        K: networks are recorded K times at equal distances, and at the start; None: 20 times, or at every step
    """

    n_steps: int = 1_000
    hidden_sizes: tuple[int, ...] = (64, 64)
    learning_rate: Linear | float = 1e-3
    discount: float = 0.95
    batch_size: int = 256
    buffer_size: int = 40_000
    updates_per_step: int = 2
    learn_from: int = 20
    target_interval: int = 200
    double_q: bool = True
    epsilon: Schedule | float = 0.1
    share_parameters: bool = True
    agent_id: bool = True
    correlated_exploration: bool = False
    bootstrap_on_truncation: bool = True
    reward_scale: float = 1.0
    network: object | None = None
    n_records: int | None = None

    def __post_init__(self):
        """Check every field and turn a number ε into a constant schedule."""
        put_checked(self, "n_steps", as_count)
        if self.n_records is None:
            object.__setattr__(self, "n_records", min(USUAL_RECORDS, self.n_steps))
        for name in ("batch_size", "buffer_size", "target_interval", "n_records"):
            put_checked(self, name, as_count)
        for name in ("updates_per_step", "learn_from"):
            put_checked(self, name, as_count, 0)
        for name in ("double_q", "share_parameters", "agent_id"):
            put_checked(self, name, as_flag)
        for name in ("correlated_exploration", "bootstrap_on_truncation"):
            put_checked(self, name, as_flag)
        put_checked(self, "learning_rate", as_learning_rate)
        put_checked(self, "reward_scale", as_positive, 1e6)
        put_checked(self, "discount", as_number, 0.0, 1.0)
        put_checked(self, "epsilon", as_exploration)
        put_checked(self, "hidden_sizes", as_units)
        check_network(self)
        if self.n_records > self.n_steps:
            raise ValueError(
                f"n_records is {self.n_records}; allowed is at most n_steps = {self.n_steps}"
            )

    def learning_rate_at(self, step: int) -> float:
        """Adam's learning rate at ``step``, counted from 0."""
        if isinstance(self.learning_rate, Linear):
            return float(self.learning_rate(Progress(step, None, None)))
        return self.learning_rate


def check_network(config: DeepIQLConfig) -> None:
    """Raises ValueError naming ``network`` for an object that is none, or ``agent_id`` or ``share_parameters`` beside one."""
    if config.network is None:
        return
    if isinstance(config.network, type) or not all(
        callable(getattr(config.network, method, None))
        for method in ("check_worlds", "init", "values", "policy")
    ):
        raise ValueError(
            f"network: expected a network as CommNet() or None, got {config.network!r:.80}"
        )
    for field, needed in (("agent_id", False), ("share_parameters", True)):
        if getattr(config, field) is not needed:
            raise ValueError(
                f"{field} is {not needed}; a network with messages needs {needed}: its agents share one network, "
                "and those who are absent are told by their zeros"
            )


def put_checked(config, name: str, check, *args) -> None:
    """Replace a field of a frozen dataclass by what ``check(name, value, *args)`` makes of it."""
    object.__setattr__(config, name, check(name, getattr(config, name), *args))


def as_units(name: str, value) -> tuple[int, ...]:
    """Units of one hidden layer or more, as ``(64, 64)``; raises ValueError naming ``name`` for anything else."""
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(
            f"{name}: expected the units of each hidden layer, as (64, 64), got {value!r:.80}"
        )
    return tuple(as_count(f"{name}[{k}]", size) for k, size in enumerate(value))


def as_learning_rate(name: str, value) -> Linear | float:
    """A number in (0, 1], or a line that counts steps and begins above 0; raises ValueError naming ``name`` otherwise.

    Lines that count episodes are refused: seeds finish them at different times, but share one optimiser.
    """
    if not isinstance(value, Linear):
        return as_positive(name, value, 1.0)
    if value.per != "step" or value.start == 0:
        raise ValueError(f'{name}: expected a Linear above 0 with per="step", got {value!r:.80}')
    return value


def as_positive(name: str, value, high: float) -> float:
    """A number in ``(0, high]``; raises ValueError naming ``name`` otherwise."""
    return as_number(name, value, 0.0, high, open_low=True)
