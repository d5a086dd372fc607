"""Networks with a memory, and with a network axis: M of them are computed, and trained, side by side.

As in :mod:`~marl_lessons.algorithms.networks`, all parameters of a layer lie in one tensor, ``[M, in, out]``, and a loss that
is a sum of M losses trains M networks as if each were alone. The functions of tensors check nothing themselves,
:func:`init_gru` aside.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from marl_lessons.algorithms.networks import check_generators
from marl_lessons.checks import as_count


def init_gru(
    n_inputs: int,
    n_hidden: int,
    n_outputs: int,
    generators: Sequence[torch.Generator],
) -> list[Tensor]:
    """Parameters ``[W, b, U, c, V, d]`` of M networks with H hidden units each, one network for each generator.

    ``W[M, in, 3H]``, ``b[M, 1, 3H]`` for what comes in, ``U[M, H, 3H]``, ``c[M, 1, 3H]`` for what is remembered: the columns
    of reset gate, update gate and new memory lie side by side. ``V[M, H, out]`` and ``d[M, 1, out]`` are the last layer. All
    entries are uniform in ±1/√H, as in torch's own layers. Network m draws from ``generators[m]`` alone.

    Raises ValueError naming the argument.
    """
    n_inputs, n_outputs = as_count("n_inputs", n_inputs), as_count("n_outputs", n_outputs)
    n_hidden = as_count("n_hidden", n_hidden)
    gates = 3 * n_hidden
    shapes = [(n_inputs, gates), (1, gates), (n_hidden, gates), (1, gates)]
    shapes += [(n_hidden, n_outputs), (1, n_outputs)]
    networks = [
        [n_hidden**-0.5 * (2 * torch.rand(shape, generator=g) - 1) for shape in shapes]
        for g in check_generators("generators", generators)
    ]
    return [torch.stack(layer).requires_grad_() for layer in zip(*networks)]


def gru_cell(gates: Sequence[Tensor], x: Tensor, h: Tensor) -> Tensor:
    """The memory ``[M, B, H]`` after ``x[M, B, in]`` was seen, from the memory ``h[M, B, H]`` before (Cho et al. 2014).

    ``gates``: (W, b, U, c) of :func:`init_gru`. The update gate decides how much of the old memory stays, the reset gate how
    much of it the new memory takes into account. The formula is that of ``torch.nn.GRUCell``.
    """
    w, b, u, c = gates
    reset_x, update_x, new_x = torch.baddbmm(b, x, w).chunk(3, dim=-1)
    reset_h, update_h, new_h = torch.baddbmm(c, h, u).chunk(3, dim=-1)
    reset = torch.sigmoid(reset_x + reset_h)
    update = torch.sigmoid(update_x + update_h)
    new = torch.tanh(new_x + reset * new_h)
    return new + update * (h - new)


def recurrent_step(parameters: Sequence[Tensor], x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs ``[M, B, out]`` and memory ``[M, B, H]`` after ``x[M, B, in]``, for memory ``h[M, B, H]``: y = h'V + d."""
    *gates, weight, bias = parameters
    h = gru_cell(gates, x, h)
    return torch.baddbmm(bias, h, weight), h
