"""CommNet: the Q-networks of several agents with messages between them (Sukhbaatar et al. 2016), trained as one network.

Within a step every agent encodes what it sees and speaks, then all of them listen, then all decide. What an agent hears is a
weighted sum of the others' messages, so that a gradient of the listener's loss reaches the speaker: nobody tells agents what
to say. All agents of a seed share one network.

The functions of tensors are pure and check nothing. Shapes: S seeds, B rows, n agents, d numbers seen, h units, w numbers in a
message, A actions. Parameters are lists ``[W_1, b_1, ...]`` as :func:`~marl_lessons.algorithms.deep.networks.init_mlp` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep.networks import init_mlp, mlp
from marl_lessons.algorithms.settings import check_settings
from marl_lessons.algorithms.talk.worlds import Channel, GatedWorlds
from marl_lessons.checks import as_count, as_float_array, as_position
from marl_lessons.envs.stepping import BatchedWorlds

# The greedy policy of agents that talk, in two phases, so that what is said can be tampered with before it is heard.


class TalkingNetwork(Protocol):
    """What a :class:`TalkingPolicy` asks of a network, as :class:`~marl_lessons.algorithms.talk.commnet.CommNet` answers it."""

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
    :mod:`~marl_lessons.evaluation.talk.channels` mute, shuffle, delay or disturb.
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
        """Greedy ``actions[S·E, n]``; the lowest index wins a tie."""
        return self.values(observations).argmax(axis=-1)

    def values(self, observations: np.ndarray) -> np.ndarray:
        """Action values ``[S·E, n, A]`` after what came through the channel."""
        inputs = self._inputs(observations)
        with torch.no_grad():
            said = self.network.messages(self.parameters, inputs)
        if self.channel is not None:
            speaks = as_rows(self.network.speaks(inputs))
            arrived = self.channel(as_rows(said), speaks)
            said = self._arrived("channel: what it returns", arrived, inputs)
        return self._values("observations", inputs, said)

    def messages(self, observations: np.ndarray) -> np.ndarray:
        """What each agent says, ``[S·E, n, w]``, before any channel; of those who don't speak, what they would say."""
        with torch.no_grad():
            return as_rows(self.network.messages(self.parameters, self._inputs(observations)))

    def speaks(self, observations: np.ndarray) -> np.ndarray:
        """Who speaks, booleans ``[S·E, n]``."""
        return as_rows(self.network.speaks(self._inputs(observations)))

    def answer(self, observations: np.ndarray, messages: np.ndarray) -> np.ndarray:
        """Greedy ``actions[S·E, n]`` if ``messages[S·E, n, w]`` arrive."""
        return self.values_after(observations, messages).argmax(axis=-1)

    def values_after(self, observations: np.ndarray, messages: np.ndarray) -> np.ndarray:
        """Action values ``[S·E, n, A]`` if ``messages[S·E, n, w]`` arrive."""
        inputs = self._inputs(observations)
        arrived = self._arrived("messages", messages, inputs)
        return self._values("observations, messages", inputs, arrived)

    def weights(self, observations: np.ndarray) -> np.ndarray:
        """How much agent i listens to agent j, ``[S·E, n, n]``, without any channel."""
        inputs = self._inputs(observations)
        with torch.no_grad():
            said = self.network.messages(self.parameters, inputs)
            return as_rows(self.network.weights(self.parameters, inputs, said))

    def through(self, channel: Channel | None) -> TalkingPolicy:
        """This policy with ``channel`` in place of its own, None: everything arrives."""
        return replace(self, channel=channel)

    def of_seed(self, which: int) -> TalkingPolicy:
        """The policy of the seed at position ``which`` alone."""
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
        """``[S, E, n, d]`` float32."""
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


# ------------------------------------------------------------

# Numbers in the key of a message and in a listener's question, as in Das et al. (2019).
KEY_SIZE = 16


def is_present(observations: Tensor) -> Tensor:
    """``[S, B, n]`` booleans: an agent takes part if any entry of ``observations[S, B, n, d]`` is not 0."""
    return (observations != 0).any(dim=-1)


def linear(parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """``x[S, B, n, in] W + b``, ``[S, B, n, out]``, for every agent with its seed's W and b."""
    weight, bias = parameters
    return torch.baddbmm(bias, x.flatten(1, 2), weight).unflatten(1, x.shape[1:3])


def encode(parameters: Sequence[Tensor], observations: Tensor) -> Tensor:
    """``[S, B, n, h]``: tanh(oW + b), what an agent makes of what it sees, ``observations[S, B, n, d]``."""
    return torch.tanh(linear(parameters, observations))


def others_who_speak(speaks: Tensor) -> Tensor:
    """``[S, B, n, n]`` booleans: entry i, j is True if j speaks and is not i itself; ``speaks[S, B, n]``."""
    itself = torch.eye(speaks.shape[-1], dtype=torch.bool, device=speaks.device)
    return speaks[:, :, None, :] & ~itself


def equal_weights(speaks: Tensor, divisor: float | None = None) -> Tensor:
    """``[S, B, n, n]``: how much agent i listens to agent j: 1 / the number of others who speak (CommNet), 0 if j is silent.

    With a ``divisor`` 1 / divisor: what is heard is then a sum, and tells how many speak.
    """
    others = others_who_speak(speaks).float()
    return others / (divisor or others.sum(dim=-1, keepdim=True).clamp(min=1))


def attention_weights(questions: Tensor, keys: Tensor, speaks: Tensor) -> Tensor:
    """``[S, B, n, n]``: how much i listens to j: the softmax of q_i · k_j / √k over those who speak (TarMAC, Das et al. 2019).

    ``questions[S, B, n, k]`` of the listeners, ``keys[S, B, n, k]`` from the speakers. Who hears nobody has weights 0.
    """
    others = others_who_speak(speaks)
    scores = questions @ keys.mT / keys.shape[-1] ** 0.5
    weights = torch.softmax(scores.masked_fill(~others, -torch.inf), dim=-1)
    return torch.where(others, weights, 0.0)


def listen(weights: Tensor, messages: Tensor) -> Tensor:
    """``[S, B, n, w]``: what each agent hears, Σ_j weights[i, j] · messages[j]; zeros for one alone."""
    return weights @ messages


def decide(joining: Sequence[Tensor], deciding: Sequence[Tensor], own: Tensor, heard: Tensor):
    """Action values ``[S, B, n, A]`` from an agent's ``own[S, B, n, h]`` code and what it ``heard[S, B, n, w]``.

    First both are joined, tanh([own, heard] W + b); then a network with layers of its own decides. A rule such as "brake if
    one car is here AND another there" takes layers after listening, since what is heard is a sum.
    """
    joined = torch.tanh(linear(joining, torch.cat([own, heard], dim=-1)))
    return mlp(deciding, joined.flatten(1, 2)).unflatten(1, own.shape[1:3])


@dataclass(frozen=True)
class CommNet:
    """Agents that speak, listen and decide: ``DeepIQLConfig(network=CommNet(), agent_id=False)``.

    hidden_sizes  units of the encoder and of the layer that joins what was heard, then those of the layers that decide
    message_size  w; None: the code itself is said, as in CommNet; a number: tanh of a layer of as many units
    divisor       None: an agent hears the mean of those who speak; a number: their sum divided by it
    gated         the last entry of an observation says whether the agent speaks: for worlds made by
                  :class:`~marl_lessons.algorithms.talk.worlds.GatedWorlds` (after IC3Net, Singh et al. 2019)
    attention     a message carries a key of 16 numbers, and listeners weigh messages by it (after TarMAC, Das et al. 2019)

    An agent whose observation is all zeros takes no part: it is not heard. So an agent's number cannot be part of what it
    sees, and agents share their network. ``parameters`` are those of :meth:`init`, one flat list.
    """

    hidden_sizes: tuple[int, ...] = (64, 64)
    message_size: int | None = None
    divisor: float | None = None
    gated: bool = False
    attention: bool = False

    def __post_init__(self):
        """Check every field."""
        check_settings(self)
        if self.attention and self.divisor is not None:
            raise ValueError(f"divisor is {self.divisor}; with attention the weights sum to 1")

    def check_worlds(self, worlds: BatchedWorlds) -> None:
        """Raises ValueError naming ``config`` if the network has a gate and the worlds none, or the other way round."""
        if self.gated != isinstance(worlds, GatedWorlds):
            there = "without" if self.gated else "with"
            raise ValueError(
                f"config: network.gated is {self.gated}; worlds {there} a gate need {not self.gated}"
            )

    @property
    def width(self) -> int:
        """Numbers in a message, w, its key included."""
        return (self.message_size or self.hidden_sizes[0]) + KEY_SIZE * self.attention

    def init(self, n_inputs: int, n_actions: int, generators, device="cpu") -> list[Tensor]:
        """Parameters of one network for each of S generators.

        Encoder, speaker (where messages have a size of their own), keys and questions (with attention), joining layer, deciding
        layers: each drawn as by :func:`~marl_lessons.algorithms.deep.networks.init_mlp`.
        """
        n_inputs = as_count("n_inputs", n_inputs, low=1 + self.gated)
        h, *after = self.hidden_sizes
        said = self.message_size or h
        sizes = [(n_inputs, h)]
        sizes += [(h, said)] if self.message_size else []
        sizes += [(h, KEY_SIZE), (h, KEY_SIZE)] if self.attention else []
        sizes += [(h + said, h), (h, *after, as_count("n_actions", n_actions))]
        return [p for part in sizes for p in init_mlp(part, generators, device)]

    def values(self, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Action values ``[S, B, n, A]`` for ``inputs[S, B, n, d]``, everybody hearing what the others say."""
        own = encode(parameters[:2], inputs)
        return self._decide(parameters, own, self._say(parameters, own), self.speaks(inputs))

    def speaks(self, inputs: Tensor) -> Tensor:
        """``[S, B, n]`` booleans: who speaks, those who are there and, with a gate, have it open."""
        if not self.gated:
            return is_present(inputs)
        return is_present(inputs[..., :-1]) & (inputs[..., -1] > 0)

    def messages(self, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """``[S, B, n, w]``: what each agent says, or would say if it spoke; with attention the key comes first."""
        return self._say(parameters, encode(parameters[:2], inputs))

    def answer(self, parameters: Sequence[Tensor], inputs: Tensor, messages: Tensor) -> Tensor:
        """Action values ``[S, B, n, A]`` if ``messages[S, B, n, w]`` arrive, whatever was said."""
        own = encode(parameters[:2], inputs)
        return self._decide(parameters, own, messages, self.speaks(inputs))

    def weights(self, parameters: Sequence[Tensor], inputs: Tensor, messages: Tensor) -> Tensor:
        """``[S, B, n, n]``: how much agent i listens to agent j."""
        own = encode(parameters[:2], inputs)
        return self._weights(parameters, own, messages, self.speaks(inputs))

    def policy(self, parameters: list[Tensor], n_seeds: int, n_agents: int) -> TalkingPolicy:
        """The greedy policy of S seeds' networks."""
        return TalkingPolicy(self, parameters, n_seeds, n_agents)

    def _say(self, parameters, own: Tensor) -> Tensor:
        said, rest = own, parameters[2:]
        if self.message_size:
            said, rest = encode(rest[:2], own), rest[2:]
        return torch.cat([linear(rest[:2], own), said], dim=-1) if self.attention else said

    def _weights(self, parameters, own: Tensor, messages: Tensor, speaks: Tensor) -> Tensor:
        if not self.attention:
            return equal_weights(speaks, self.divisor)
        first = 4 + 2 * bool(self.message_size)
        questions = linear(parameters[first : first + 2], own)
        return attention_weights(questions, messages[..., :KEY_SIZE], speaks)

    def _decide(self, parameters, own: Tensor, messages: Tensor, speaks: Tensor) -> Tensor:
        weights = self._weights(parameters, own, messages, speaks)
        heard = listen(weights, messages[..., KEY_SIZE * self.attention :])
        n_deciding = 2 * len(self.hidden_sizes)
        joining, deciding = parameters[-n_deciding - 2 : -n_deciding], parameters[-n_deciding:]
        return decide(joining, deciding, own, heard)
