"""Small networks with a network axis: M of them are computed, and trained, side by side.

All parameters of a layer lie in one tensor, ``[M, in, out]``. One product of tensors then serves M networks. Adam and plain
gradient descent treat every entry on its own, so that M networks trained together learn as each would alone, as long as
the loss is a sum of M losses, one for each network.

The functions of tensors check nothing themselves, :func:`init_mlp` aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from marl_lessons.checks import as_count
from marl_lessons.envs.stepping import BatchedStep

# What deep learners demand of their arguments, before the first step, after it and at each record.


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


# ------------------------------------------------------------


def init_mlp(
    sizes: Sequence[int],
    generators: Sequence[torch.Generator],
    device: torch.device | str = "cpu",
) -> list[Tensor]:
    """Parameters ``[W_1, b_1, W_2, b_2, …]`` of M fully connected networks, one for each generator.

    ``sizes``: (inputs, hidden units of each layer, outputs). ``W_k`` is ``[M, in, out]``, ``b_k`` is ``[M, 1, out]``, every
    entry uniform in ±1/√in, as in torch's own linear layers. Network m draws from ``generators[m]`` alone, on the CPU: it
    does not depend on the others, nor on the device. A generator named twice goes on drawing.
    """
    sizes = _checked_sizes(sizes)
    shapes = [shape for n_in, n_out in pairwise(sizes) for shape in ((n_in, n_out), (1, n_out))]
    bounds = [n_in**-0.5 for n_in in sizes[:-1] for _ in ("weight", "bias")]
    networks = [
        [bound * (2 * torch.rand(shape, generator=g) - 1) for shape, bound in zip(shapes, bounds)]
        for g in check_generators("generators", generators)
    ]
    return [torch.stack(layer).to(device).requires_grad_() for layer in zip(*networks)]


def mlp(parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """Outputs ``[M, B, out]`` of M networks for inputs ``x[M, B, in]``: h ← max(0, hW + b), the last layer without max."""
    *hidden, weight, bias = parameters
    for w, b in zip(hidden[::2], hidden[1::2]):
        x = torch.relu(torch.baddbmm(b, x, w))
    # The same as baddbmm(bias, x, weight). A narrow last layer is several times faster in this order.
    return torch.baddbmm(bias.mT, weight.mT, x.mT).mT


def copy_parameters(parameters: Sequence[Tensor]) -> list[Tensor]:
    """Copies that share no memory with ``parameters`` and that no gradient reaches: a target network."""
    return [p.detach().clone() for p in parameters]


@torch.no_grad()
def move_towards(target: Sequence[Tensor], online: Sequence[Tensor], rate: float = 1.0) -> None:
    """θ⁻ ← θ⁻ + τ (θ - θ⁻) in place, ``rate`` τ in [0, 1]; with τ = 1 the target becomes a copy."""
    for slow, fast in zip(target, online):
        slow.lerp_(fast, rate)


def check_generators(name: str, generators) -> list[torch.Generator]:
    """``generators`` as a list; raises ValueError naming ``name`` for no generator, or for anything that is none."""
    if not isinstance(generators, list | tuple) or not generators:
        raise ValueError(
            f"{name}: expected a list of torch.Generator, one per network or seed, got {generators!r:.80}"
        )
    for i, generator in enumerate(generators):
        if not isinstance(generator, torch.Generator):
            raise ValueError(f"{name}[{i}]: expected a torch.Generator, got {generator!r:.80}")
    return list(generators)


def _checked_sizes(sizes) -> tuple[int, ...]:
    if not isinstance(sizes, list | tuple) or len(sizes) < 2:
        raise ValueError(
            f"sizes: expected (inputs, hidden units ..., outputs), two numbers or more, got {sizes!r:.80}"
        )
    return tuple(as_count(f"sizes[{i}]", size) for i, size in enumerate(sizes))
