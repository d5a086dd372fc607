"""What deep learners demand of their arguments, before the first step, after it and at each record.

Every refusal is a ValueError that names the argument.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep_settings import DeepIQLConfig
from marl_lessons.algorithms.history import common_n_actions
from marl_lessons.envs.batched import BatchedStep, check_batched_worlds


def checked_shape(worlds, seeds: tuple[int, ...], config: DeepIQLConfig) -> tuple[int, int, int]:
    """Seeds, worlds per seed, agents; raises ValueError naming ``worlds``, ``seeds`` or ``config`` if they do not fit."""
    n_seeds = len(seeds)
    if len(set(seeds)) < n_seeds:
        raise ValueError(
            f"seeds: {seeds!r:.80} names a seed twice; seeds are independent runs, each is allowed once"
        )
    check_batched_worlds("worlds", worlds)
    common_n_actions("worlds", worlds)
    if worlds.n_worlds % n_seeds:
        raise ValueError(
            f"worlds: there are {worlds.n_worlds}; {n_seeds} seeds need a multiple of {n_seeds}"
        )
    each = worlds.n_worlds // n_seeds
    if config.buffer_size < each:
        raise ValueError(
            f"config: buffer_size is {config.buffer_size}; allowed is at least {each}, the worlds of each seed"
        )
    return n_seeds, each, worlds.n_agents


def usable_device(device) -> torch.device:
    """``device`` as a torch.device on which this machine can compute; raises ValueError naming ``device`` otherwise."""
    try:
        device = torch.device(device)
        torch.zeros(1, device=device).cpu()
    except (AssertionError, NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(
            f'device: expected one that this machine has, such as "cpu", got {device!r:.80} ({reason:.120})'
        ) from error
    return device


def check_functions(**functions) -> None:
    """Raises ValueError naming the first of ``functions`` that is neither None nor can be called."""
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise ValueError(f"{name}: expected a function or None, got {function!r:.80}")


def checked_observations(observations, shape: tuple[int, int, int]) -> np.ndarray:
    """What worlds begin with, as it is; raises ValueError naming ``worlds`` if its shape is not ``shape``."""
    _check_shape("observations", observations, shape)
    return observations


def check_step(step, shape: tuple[int, int, int]) -> None:
    """Raises ValueError naming ``worlds`` if ``step`` is no BatchedStep of observations of ``shape``, which is ``(E, n, d)``."""
    if not isinstance(step, BatchedStep):
        raise ValueError(f"worlds: expected a step to bring a BatchedStep, got {step!r:.80}")
    _check_shape("observations", step.observations, shape)
    _check_shape("rewards", step.rewards, shape[:2])
    _check_shape("terminated", step.terminated, shape[:2], kinds="b")
    _check_shape("truncated", step.truncated, shape[:1], kinds="b")
    _check_shape("ended", step.ended, shape[:1], kinds="b")


def check_numbers(learned: Sequence[Tensor], inputs: Tensor, replay) -> None:
    """Raises ValueError if what was ``learned`` is not finite: it names ``worlds`` if that came from them, else ``config``.

    ``inputs``: what the agents see now; ``replay``: the transitions that were learned from.
    """
    learned_well = bool(torch.cat([x.flatten() for x in learned]).isfinite().all())
    if not inputs.isfinite().all() or not (learned_well or replay.is_finite()):
        raise ValueError("worlds: an observation or a reward is NaN, infinite or beyond float32")
    if not learned_well:
        raise ValueError(
            "config: losses or parameters have grown beyond all numbers; "
            "choose smaller learning rates or rewards, or a discount below 1"
        )


def _check_shape(what: str, values, shape: tuple[int, ...], kinds: str = "biuf") -> None:
    if (
        not isinstance(values, np.ndarray)
        or values.shape != shape
        or values.dtype.kind not in kinds
    ):
        noun = "booleans" if kinds == "b" else "numbers"
        given = f"{getattr(values, 'dtype', type(values).__name__)} of shape {np.shape(values)}"
        raise ValueError(f"worlds: expected {what} to be {noun} of shape {shape}, got {given}")
