"""What deep learners and their policies demand of their arguments, of somebody's worlds, and of numbers. Lessons 06, 09 and 10."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from marl_lessons.checks import as_float_array
from marl_lessons.envs.stepping import BatchedStep


def usable_device(device) -> torch.device:
    """``device`` as a torch.device on which this machine can compute."""
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


def as_float32(name: str, value, shape) -> np.ndarray:
    """``value`` as a float32 array of ``shape``; raises ValueError naming it, also for numbers that float32 does not have."""
    array = as_float_array(name, value, shape)
    largest = float(np.finfo(np.float32).max)
    bad = np.argwhere(np.abs(array) > largest)
    if len(bad):
        index = tuple(int(i) for i in bad[0])
        raise ValueError(
            f"{name}{list(index)} is {array[index]}; allowed are numbers up to {largest:.3g}, the largest of float32"
        )
    return array.astype(np.float32)


def check_told(name: str, values, shape: tuple[int, ...], kinds: str = "biuf") -> None:
    """Raises ValueError naming ``worlds`` unless the ``values`` that they tell are an array of ``shape`` of such a kind."""
    fits = isinstance(values, np.ndarray) and values.shape == shape
    if not fits or values.dtype.kind not in kinds:
        noun = "booleans" if kinds == "b" else "numbers"
        given = f"{getattr(values, 'dtype', type(values).__name__)} of shape {np.shape(values)}"
        raise ValueError(f"worlds: expected {name} to be {noun} of shape {shape}, got {given}")


def check_step(step, shape: tuple[int, int, int]) -> None:
    """Raises ValueError naming ``worlds`` if ``step`` is no BatchedStep of observations of ``shape``, which is ``(E, n, d)``."""
    if not isinstance(step, BatchedStep):
        raise ValueError(f"worlds: expected a step to bring a BatchedStep, got {step!r:.80}")
    check_told("observations", step.observations, shape)
    check_told("rewards", step.rewards, shape[:2])
    check_told("terminated", step.terminated, shape[:2], kinds="b")
    check_told("truncated", step.truncated, shape[:1], kinds="b")
    check_told("ended", step.ended, shape[:1], kinds="b")


def check_numbers(learned: Sequence[Tensor], seen: Tensor, replay) -> None:
    """Raises ValueError if what was ``learned`` is not finite: it names ``worlds`` if that came from them, else ``config``.

    ``seen``: what the agents see now; ``replay``: the transitions that were learned from.
    """
    learned_well = bool(torch.cat([x.flatten() for x in learned]).isfinite().all())
    if not seen.isfinite().all() or not (learned_well or replay.is_finite()):
        raise ValueError("worlds: an observation or a reward is NaN, infinite or beyond float32")
    if not learned_well:
        raise ValueError(
            "config: losses or parameters have grown beyond all numbers; "
            "choose smaller learning rates or rewards, or a discount below 1"
        )
