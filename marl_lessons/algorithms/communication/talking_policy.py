"""The greedy policy of agents that talk, in two phases, so that what is said can be tampered with before it is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.communication.message_buffer import Channel
from marl_lessons.checks import as_count, as_float_array, as_position


class TalkingNetwork(Protocol):
    """What a :class:`TalkingPolicy` asks of a network, as :class:`~marl_lessons.algorithms.communication.commnet.CommNet` answers it."""

    width: int

    def speaks(self, inputs: Tensor) -> Tensor:
        """``[S, B, n]`` booleans: who speaks."""

    def messages(self, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """``[S, B, n, w]``: what is said."""

    def answer(self, parameters: Sequence[Tensor], inputs: Tensor, messages: Tensor) -> Tensor:
        """``[S, B, n, A]``: action values after ``messages`` have arrived."""

    def weights(self, parameters: Sequence[Tensor], inputs: Tensor, messages: Tensor) -> Tensor:
        """``[S, B, n, n]``: how much agent i listens to agent j."""


@dataclass(frozen=True, eq=False)
class TalkingPolicy:
    """The greedy joint actions of S seeds' talking agents: ``policy(observations[S·E, n, d])`` is ``actions[S·E, n]``.

    Seed s acts in worlds s·E to (s+1)·E - 1, for any number E. The same in two phases, with everything in between::

        said = policy.messages(observations)
        actions = policy.answer(observations, said)

    ``channel(messages[S·E, n, w], speaks[S·E, n])`` returns what arrives of what is said, None: everything;
    :meth:`through` is the same policy with another channel. The channels of
    :mod:`~marl_lessons.evaluation.channels` mute, shuffle, delay or disturb. Raises ValueError naming ``n_seeds``, ``n_agents``
    or ``channel``.
    """

    network: TalkingNetwork
    parameters: list[Tensor]
    n_seeds: int
    n_agents: int
    channel: Channel | None = None

    def __post_init__(self):
        """Check the numbers and the channel."""
        as_count("n_seeds", self.n_seeds)
        as_count("n_agents", self.n_agents)
        if len(self.parameters[0]) != self.n_seeds:
            raise ValueError(
                f"n_seeds is {self.n_seeds}; the parameters are those of {len(self.parameters[0])} seeds"
            )
        if self.channel is not None and not callable(self.channel):
            raise ValueError(f"channel: expected a function or None, got {self.channel!r:.80}")

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Greedy ``actions[S·E, n]``; the lowest index wins a tie. Raises ValueError naming ``observations`` or ``channel``."""
        return self.values(observations).argmax(axis=-1)

    def values(self, observations: np.ndarray) -> np.ndarray:
        """Action values ``[S·E, n, A]`` after what came through the channel; raises ValueError naming ``observations`` or ``channel``."""
        inputs = self._inputs(observations)
        with torch.no_grad():
            said = self.network.messages(self.parameters, inputs)
        if self.channel is not None:
            speaks = as_rows(self.network.speaks(inputs))
            arrived = self.channel(as_rows(said), speaks)
            said = self._arrived("channel: what it returns", arrived, inputs)
        return self._values("observations", inputs, said)

    def messages(self, observations: np.ndarray) -> np.ndarray:
        """What each agent says, ``[S·E, n, w]``, before any channel; of those who don't speak, what they would say.

        Raises ValueError naming ``observations``.
        """
        with torch.no_grad():
            return as_rows(self.network.messages(self.parameters, self._inputs(observations)))

    def speaks(self, observations: np.ndarray) -> np.ndarray:
        """Who speaks, booleans ``[S·E, n]``; raises ValueError naming ``observations``."""
        return as_rows(self.network.speaks(self._inputs(observations)))

    def answer(self, observations: np.ndarray, messages: np.ndarray) -> np.ndarray:
        """Greedy ``actions[S·E, n]`` if ``messages[S·E, n, w]`` arrive; raises ValueError naming the argument."""
        return self.values_after(observations, messages).argmax(axis=-1)

    def values_after(self, observations: np.ndarray, messages: np.ndarray) -> np.ndarray:
        """Action values ``[S·E, n, A]`` if ``messages[S·E, n, w]`` arrive; raises ValueError naming the argument."""
        inputs = self._inputs(observations)
        arrived = self._arrived("messages", messages, inputs)
        return self._values("observations, messages", inputs, arrived)

    def weights(self, observations: np.ndarray) -> np.ndarray:
        """How much agent i listens to agent j, ``[S·E, n, n]``, without any channel; raises ValueError naming ``observations``."""
        inputs = self._inputs(observations)
        with torch.no_grad():
            said = self.network.messages(self.parameters, inputs)
            return as_rows(self.network.weights(self.parameters, inputs, said))

    def through(self, channel: Channel | None) -> TalkingPolicy:
        """This policy with ``channel`` in place of its own, None: everything arrives; raises ValueError naming ``channel``."""
        return replace(self, channel=channel)

    def of_seed(self, which: int) -> TalkingPolicy:
        """The policy of the seed at position ``which`` alone; raises ValueError naming ``which``."""
        which = as_position("which", which, self.n_seeds)
        return replace(self, parameters=[p[which : which + 1] for p in self.parameters], n_seeds=1)

    def _values(self, name: str, inputs: Tensor, messages: Tensor) -> np.ndarray:
        """Action values ``[S·E, n, A]``; raises ValueError naming ``name`` where they are not finite."""
        with torch.no_grad():
            values = self.network.answer(self.parameters, inputs, messages)
        if not values.isfinite().all():
            raise ValueError(f"{name}: so large that the network has no finite answer")
        return as_rows(values)

    def _inputs(self, observations) -> Tensor:
        """``[S, E, n, d]`` float32; raises ValueError naming ``observations``."""
        shape = (None, self.n_agents, self.parameters[0].shape[1])
        seen = as_float_array("observations", observations, shape)
        if len(seen) % self.n_seeds:
            raise ValueError(
                f"observations: {len(seen)} worlds cannot be shared out to {self.n_seeds} seeds"
            )
        return self._as_tensor("observations", seen)

    def _arrived(self, name: str, messages, inputs: Tensor) -> Tensor:
        """``[S, E, n, w]`` float32; raises ValueError naming ``name`` for another width or numbers that are not finite."""
        shape = (inputs.shape[0] * inputs.shape[1], self.n_agents, self.network.width)
        return self._as_tensor(name, as_float_array(name, messages, shape))

    def _as_tensor(self, name: str, values: np.ndarray) -> Tensor:
        tensor = torch.as_tensor(values, dtype=torch.float32, device=self.parameters[0].device)
        if not tensor.isfinite().all():
            raise ValueError(
                f"{name}: holds a number beyond float32, so large that the network has no finite answer"
            )
        return tensor.unflatten(0, (self.n_seeds, -1))


def as_rows(x: Tensor) -> np.ndarray:
    """``[S·E, ...]``: the worlds of ``x[S, E, ...]`` one after the other, as an array."""
    return x.flatten(0, 1).cpu().numpy()
