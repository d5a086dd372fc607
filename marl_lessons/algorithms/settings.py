"""What a learner's settings may be: one table for all configs, and what all configs share. All lessons."""

from __future__ import annotations

from dataclasses import fields
from functools import partial

import numpy as np

from marl_lessons.algorithms.tables.schedules import (
    Linear,
    PerAgent,
    as_exploration,
    as_schedule,
)
from marl_lessons.checks import as_count, as_distributions, as_flag, as_number


def as_units(name: str, value) -> tuple[int, ...]:
    """Units of one hidden layer or more, as ``(64, 64)``."""
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(
            f"{name}: expected the units of each hidden layer, as (64, 64), got {value!r:.80}"
        )
    return tuple(as_count(f"{name}[{k}]", size) for k, size in enumerate(value))


def as_learning_rate(name: str, value) -> Linear | float:
    """A number in (0, 1], or a line that counts steps and begins above 0.

    Lines that count episodes are refused: seeds finish them at different times, but share one optimiser.
    """
    if not isinstance(value, Linear):
        return RATE(name, value)
    if value.per != "step" or value.start == 0:
        raise ValueError(f'{name}: expected a Linear above 0 with per="step", got {value!r:.80}')
    return value


COUNT = as_count  # a whole number of at least 1
COUNT_FROM_0 = partial(as_count, low=0)
SHARE = partial(as_number, low=0.0, high=1.0)
RATE = partial(as_number, low=0.0, high=1.0, open_low=True)
SCALE = partial(as_number, low=0.0, high=1e6, open_low=True)
SMALL = partial(as_number, low=0.0, high=10.0)
# By the name of a field, which means the same in every config. None is allowed where it is the default.
BOUNDS = {
    "actor_rate": RATE,
    "agent_id": as_flag,
    "attention": as_flag,
    "batch_size": COUNT,
    "bootstrap_on_truncation": as_flag,
    "buffer_size": COUNT,
    "central": as_flag,
    "correlated_exploration": as_flag,
    "critic_rate": RATE,
    "discount": SHARE,
    "divisor": SCALE,
    "double_q": as_flag,
    "epsilon": as_exploration,
    "gated": as_flag,
    "hidden_sizes": as_units,
    "initial_policies": partial(as_distributions, shape=(None, None, None)),
    "initial_value": partial(as_number, low=-1e12, high=1e12),
    "learn_from": COUNT_FROM_0,
    "learning_rate": as_learning_rate,
    "logit_weight": SMALL,
    "lose_rate": as_schedule,
    "message_size": COUNT,
    "n_episodes": COUNT,
    "n_hidden": COUNT,
    "n_steps": COUNT,
    "n_updates": COUNT,
    "noise_correlation": partial(as_number, low=0.0, high=0.999),
    "noise_end": SMALL,
    "noise_over": COUNT,
    "noise_scale": partial(as_number, low=0.0, high=100.0),
    "noise_start": SMALL,
    "n_records": COUNT,
    "reward_scale": SCALE,
    "share_parameters": as_flag,
    "step_size": as_schedule,
    "target_interval": COUNT,
    "target_rate": RATE,
    "time_limit": lambda name, value: None if value is None else as_count(name, value),
    "updates_per_step": COUNT_FROM_0,
    "win_rate": as_schedule,
}


def check_settings(
    config, usual_records: int | None = None, length: str = "n_steps", **own_bounds
) -> None:
    """Replace each field of a frozen ``config`` by what its bounds make of it: numbers, schedules, units.

    ``usual_records``: how often is recorded where ``n_records`` is None, or at every step if there are fewer; ``length``
    names the field that says how many there are. ``own_bounds`` go before BOUNDS.
    """
    bounds = BOUNDS | own_bounds
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name in bounds and not (value is None and field.default is None):
            put(config, field.name, bounds[field.name](field.name, value))
    if usual_records is not None:
        most = getattr(config, length)
        if config.n_records is None:
            put(config, "n_records", min(usual_records, most))
        if config.n_records > most:
            raise ValueError(
                f"n_records is {config.n_records}; allowed is at most {length} = {most}"
            )


def put(config, name: str, value) -> None:
    """Set a field of a frozen dataclass."""
    object.__setattr__(config, name, value)


def as_config(config, kind: type, *, per_agent: bool = False):
    """``config``, a ``kind`` of settings and nothing more, as it is; the defaults for None.

    Settings of another learner are refused, also those that have more fields: they would be ignored without a word.
    ``per_agent``: whether the learner can follow a :class:`~marl_lessons.algorithms.tables.schedules.PerAgent`.
    """
    if config is not None and type(config) is not kind:
        raise ValueError(f"config: expected a {kind.__name__} or None, got {config!r:.80}")
    config = kind() if config is None else config
    for field in () if per_agent else fields(config):
        if isinstance(getattr(config, field.name), PerAgent):
            raise ValueError(
                f"config: {field.name} is a PerAgent; this learner needs one number or schedule for all agents"
            )
    return config


def record_moments(config, length: str = "n_steps") -> np.ndarray:
    """``[K+1]``: the steps at which to record, ``config.n_records`` of them at equal distances, and the start.

    ``length`` names the field that says how many steps there are.
    """
    return np.linspace(0, getattr(config, length), config.n_records + 1).astype(int)
