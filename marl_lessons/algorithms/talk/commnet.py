"""CommNet: the Q-networks of several agents with messages between them, trained as one (Sukhbaatar et al. 2016). Lesson 10.

Within a step every agent encodes what it sees and speaks, then all of them listen, then all decide. What an agent hears is a
weighted sum of the others' messages, so that a gradient of the listener's loss reaches the speaker: nobody tells agents what
to say. All agents of a seed share one network.

Shapes: S seeds, B rows, n agents, d numbers seen, h units, w numbers in a message, A actions. The parameters of a layer are a
list ``[W_1, b_1, ...]`` as :func:`~marl_lessons.algorithms.deep.networks.init_mlp` makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep.networks import init_mlp, mlp
from marl_lessons.algorithms.settings import check_settings
from marl_lessons.algorithms.talk.worlds import Channel, GatedWorlds, mark_present
from marl_lessons.checks import as_float_array, as_position
from marl_lessons.envs.stepping import BatchedWorlds
from marl_lessons.results import short_repr

KEY_SIZE = (
    16  # numbers in the key of a message and in a listener's question, as in Das et al. (2019)
)


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


class Layers(NamedTuple):
    """The layers of a CommNet, in the order in which they are drawn; those it does not have are empty.

    encoding   from what is seen to the own code
    speaking   from the code to what is said, where messages have a size of their own
    keys       from the code to the key of a message, with attention
    questions  from the code to what a listener asks for, with attention
    joining    from the own code and what was heard to a new code
    deciding   from there to action values, one layer or more
    """

    encoding: Sequence[Tensor]
    speaking: Sequence[Tensor]
    keys: Sequence[Tensor]
    questions: Sequence[Tensor]
    joining: Sequence[Tensor]
    deciding: Sequence[Tensor]


@dataclass(frozen=True)
class CommNet:
    """Agents that speak, listen and decide: ``DeepIQLConfig(network=CommNet(), agent_id=False)``.

    hidden_sizes  units of the encoder and of the layer that joins what was heard, then those of the layers that decide
    message_size  w; None: the code itself is said, as in CommNet; a number: tanh of a layer of as many units
    divisor       None: an agent hears the mean of those who speak; a number: their sum divided by it
    gated         the last entry of an observation says whether the agent speaks: for worlds made by
                  :class:`~marl_lessons.algorithms.talk.worlds.GatedWorlds` (after IC3Net, Singh et al. 2019)
    attention     a message carries a key of 16 numbers, and listeners weigh messages by it (after TarMAC, Das et al. 2019)

    Who takes part is heard, and nobody else: see :func:`~marl_lessons.algorithms.talk.worlds.mark_present`. An agent's number cannot be part of what it sees, since
    agents share their network. ``parameters`` are those of :meth:`init`, one flat list.
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
        """Refuse worlds without a gate if the network has one, and the other way round."""
        if self.gated != isinstance(worlds, GatedWorlds):
            there = "without" if self.gated else "with"
            raise ValueError(
                f"config: network.gated is {self.gated}; worlds {there} a gate need {not self.gated}"
            )

    @property
    def width(self) -> int:
        """Numbers in a message, w, its key included."""
        return (self.message_size or self.hidden_sizes[0]) + KEY_SIZE * self.attention

    def sizes(self, n_inputs: int, n_actions: int) -> Layers:
        """Numbers that go into each of the :class:`Layers` and come out of it."""
        h, *after = self.hidden_sizes
        speaking = (h, self.message_size) if self.message_size else ()
        asking = (h, KEY_SIZE) if self.attention else ()
        joining = (h + (self.message_size or h), h)
        return Layers((n_inputs, h), speaking, asking, asking, joining, (h, *after, n_actions))

    def init(self, n_inputs: int, n_actions: int, generators, device="cpu") -> list[Tensor]:
        """Parameters of one network for each of S generators: those of all :class:`Layers`, one after the other."""
        sizes = [size for size in self.sizes(n_inputs, n_actions) if size]
        return [p for size in sizes for p in init_mlp(size, generators, device)]

    def layers(self, parameters: Sequence[Tensor]) -> Layers:
        """The flat list of :meth:`init` by name."""
        rest = iter(parameters)
        # A layer from ``in`` to ``out`` numbers has a weight and a bias.
        counts = [2 * max(len(size) - 1, 0) for size in self.sizes(1, 1)]
        return Layers(*([next(rest) for _ in range(count)] for count in counts))

    def values(self, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Action values ``[S, B, n, A]`` for ``inputs[S, B, n, d]``, everybody hearing what the others say."""
        layers = self.layers(parameters)
        own = encode(layers.encoding, inputs)
        return self._decide(layers, own, self._say(layers, own), self.speaks(inputs))

    def speaks(self, inputs: Tensor) -> Tensor:
        """``[S, B, n]`` booleans: who speaks, those who take part; with a gate those of them who have it open."""
        return inputs[..., -1] > 0 if self.gated else is_present(inputs)

    def messages(self, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """``[S, B, n, w]``: what each agent says, or would say if it spoke; with attention the key comes first."""
        layers = self.layers(parameters)
        return self._say(layers, encode(layers.encoding, inputs))

    def answer(self, parameters: Sequence[Tensor], inputs: Tensor, messages: Tensor) -> Tensor:
        """Action values ``[S, B, n, A]`` if ``messages[S, B, n, w]`` arrive, whatever was said."""
        layers = self.layers(parameters)
        return self._decide(layers, encode(layers.encoding, inputs), messages, self.speaks(inputs))

    def weights(self, parameters: Sequence[Tensor], inputs: Tensor, messages: Tensor) -> Tensor:
        """``[S, B, n, n]``: how much agent i listens to agent j."""
        layers = self.layers(parameters)
        return self._weights(layers, encode(layers.encoding, inputs), messages, self.speaks(inputs))

    def policy(self, parameters: list[Tensor], n_seeds: int, n_agents: int) -> TalkingPolicy:
        """The greedy policy of S seeds' networks."""
        return TalkingPolicy(self, parameters, n_seeds, n_agents)

    def _say(self, layers: Layers, own: Tensor) -> Tensor:
        said = encode(layers.speaking, own) if self.message_size else own
        return torch.cat([linear(layers.keys, own), said], dim=-1) if self.attention else said

    def _weights(self, layers: Layers, own: Tensor, messages: Tensor, speaks: Tensor) -> Tensor:
        if not self.attention:
            return equal_weights(speaks, self.divisor)
        questions = linear(layers.questions, own)
        return attention_weights(questions, messages[..., :KEY_SIZE], speaks)

    def _decide(self, layers: Layers, own: Tensor, messages: Tensor, speaks: Tensor) -> Tensor:
        weights = self._weights(layers, own, messages, speaks)
        heard = listen(weights, messages[..., KEY_SIZE * self.attention :])
        return decide(layers.joining, layers.deciding, own, heard)


@dataclass(frozen=True, eq=False)
class TalkingPolicy:
    """The greedy joint actions of S seeds' talking agents: ``policy(observations[S·E, n, d])`` is ``actions[S·E, n]``.

    Seed s acts in worlds s·E to (s+1)·E - 1, for any number E. ``policy.act(worlds, observations)`` knows from the worlds who
    takes part; where only observations are given, an agent that sees nothing but zeros counts as absent, as on the Traffic
    Junction. The same in two phases, so that what is said can be tampered with before it is heard::

        said = policy.messages(observations)
        actions = policy.answer(observations, said)

    ``channel(messages[S·E, n, w], speaks[S·E, n])`` returns what arrives of what is said, None: everything;
    :meth:`through` is the same policy with another channel. The channels of
    :mod:`~marl_lessons.evaluation.talk.channels` mute, shuffle, delay or disturb.
    """

    network: CommNet
    parameters: list[Tensor]
    n_seeds: int
    n_agents: int
    channel: Channel | None = None

    __repr__ = short_repr

    def act(self, worlds: BatchedWorlds, observations: np.ndarray) -> np.ndarray:
        """Greedy ``actions[S·E, n]`` of those who take part in ``worlds``, for ``play_episodes``."""
        return self(mark_present(observations, worlds.active))

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Greedy ``actions[S·E, n]``; the lowest index wins a tie."""
        return self.values(observations).argmax(axis=-1)

    def values(self, observations: np.ndarray) -> np.ndarray:
        """Action values ``[S·E, n, A]`` after what came through the channel."""
        said = self.messages(observations)
        if self.channel is None:
            return self.values_after(observations, said)
        arrived = self.channel(said, self.speaks(observations))
        return self.values_after(observations, arrived, "channel: what it returns")

    @torch.no_grad()
    def messages(self, observations: np.ndarray) -> np.ndarray:
        """What each agent says, ``[S·E, n, w]``, before any channel; of those who don't speak, what they would say."""
        return as_rows(self.network.messages(self.parameters, self._inputs(observations)))

    def speaks(self, observations: np.ndarray) -> np.ndarray:
        """Who speaks, booleans ``[S·E, n]``."""
        return as_rows(self.network.speaks(self._inputs(observations)))

    def answer(self, observations: np.ndarray, messages: np.ndarray) -> np.ndarray:
        """Greedy ``actions[S·E, n]`` if ``messages[S·E, n, w]`` arrive."""
        return self.values_after(observations, messages).argmax(axis=-1)

    @torch.no_grad()
    def values_after(
        self, observations: np.ndarray, messages: np.ndarray, name: str = "messages"
    ) -> np.ndarray:
        """Action values ``[S·E, n, A]`` if ``messages[S·E, n, w]`` arrive, called ``name`` where they are refused."""
        inputs = self._inputs(observations)
        shape = (len(observations), self.n_agents, self.network.width)
        arrived = self._as_tensor(name, as_float_array(name, messages, shape))
        values = self.network.answer(self.parameters, inputs, arrived)
        if not values.isfinite().all():
            raise ValueError(
                f"observations, {name}: too large for the network's answer to be finite"
            )
        return as_rows(values)

    @torch.no_grad()
    def weights(self, observations: np.ndarray) -> np.ndarray:
        """How much agent i listens to agent j, ``[S·E, n, n]``, without any channel."""
        inputs = self._inputs(observations)
        said = self.network.messages(self.parameters, inputs)
        return as_rows(self.network.weights(self.parameters, inputs, said))

    def through(self, channel: Channel | None) -> TalkingPolicy:
        """This policy with ``channel`` in place of its own, None: everything arrives."""
        if channel is not None and not callable(channel):
            raise ValueError(f"channel: expected a function or None, got {channel!r:.80}")
        return replace(self, channel=channel)

    def of_seed(self, which: int) -> TalkingPolicy:
        """The policy of the seed at position ``which`` alone."""
        which = as_position("which", which, self.n_seeds)
        return replace(self, parameters=[p[which : which + 1] for p in self.parameters], n_seeds=1)

    def _inputs(self, observations) -> Tensor:
        """``[S, E, n, d]`` float32."""
        shape = (None, self.n_agents, self.parameters[0].shape[1])
        seen = as_float_array("observations", observations, shape)
        if len(seen) % self.n_seeds:
            raise ValueError(
                f"observations: {len(seen)} worlds cannot be shared out to {self.n_seeds} seeds"
            )
        return self._as_tensor("observations", seen)

    def _as_tensor(self, name: str, values: np.ndarray) -> Tensor:
        tensor = torch.as_tensor(values, dtype=torch.float32, device=self.parameters[0].device)
        if not tensor.isfinite().all():
            raise ValueError(f"{name}: holds a number beyond float32")
        return tensor.unflatten(0, (self.n_seeds, -1))


def as_rows(x: Tensor) -> np.ndarray:
    """``[S·E, ...]``: the worlds of ``x[S, E, ...]`` one after the other, as an array."""
    return x.flatten(0, 1).cpu().numpy()
