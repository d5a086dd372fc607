"""Small networks with a network axis: M of them are computed, and trained, side by side. Lessons 06, 09 and 10.

All parameters of a layer lie in one tensor, ``[M, in, out]``. One product of tensors then serves M networks. Adam and plain
gradient descent treat every entry on its own, so that M networks trained together learn as each would alone, as long as
the loss is a sum of M losses, one for each network. Everything is float32, whatever torch's default type is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


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
    shapes = [shape for n_in, n_out in pairwise(sizes) for shape in ((n_in, n_out), (1, n_out))]
    bounds = [n_in**-0.5 for n_in in sizes[:-1] for _ in ("weight", "bias")]
    kind = {"dtype": torch.float32, "device": "cpu"}
    networks = [
        [b * (2 * torch.rand(shape, generator=g, **kind) - 1) for shape, b in zip(shapes, bounds)]
        for g in generators
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
