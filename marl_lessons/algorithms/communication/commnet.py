"""CommNet: the Q-networks of several agents with messages between them (Sukhbaatar et al. 2016), trained as one network.

Within a step every agent encodes what it sees and speaks, then all of them listen, then all decide. What an agent hears is a
weighted sum of the others' messages, so that a gradient of the listener's loss reaches the speaker: nobody tells agents what
to say. All agents of a seed share one network.

The functions of tensors are pure and check nothing. Shapes: S seeds, B rows, n agents, d numbers seen, h units, w numbers in a
message, A actions. Parameters are lists ``[W_1, b_1, ...]`` as :func:`~marl_lessons.algorithms.networks.init_mlp` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from marl_lessons.algorithms.communication.talking_gate import GatedWorlds
from marl_lessons.algorithms.communication.talking_policy import TalkingPolicy
from marl_lessons.algorithms.deep_settings import as_positive, as_units, put_checked
from marl_lessons.algorithms.networks import init_mlp, mlp
from marl_lessons.checks import as_count, as_flag
from marl_lessons.envs.batched import BatchedWorlds

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
    """Agents that speak, listen and decide: ``DeepIQLConfig(network=CommNet(), agent_id=False)``. Raises ValueError naming the field.

    hidden_sizes  units of the encoder and of the layer that joins what was heard, then those of the layers that decide
    message_size  w; None: the code itself is said, as in CommNet; a number: tanh of a layer of as many units
    divisor       None: an agent hears the mean of those who speak; a number: their sum divided by it
    gated         the last entry of an observation says whether the agent speaks: for worlds made by
                  :class:`~marl_lessons.algorithms.communication.talking_gate.GatedWorlds` (after IC3Net, Singh et al. 2019)
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
        put_checked(self, "hidden_sizes", as_units)
        if self.message_size is not None:
            put_checked(self, "message_size", as_count)
        if self.divisor is not None:
            put_checked(self, "divisor", as_positive, 1e6)
        put_checked(self, "gated", as_flag)
        put_checked(self, "attention", as_flag)
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
        """Parameters of one network for each of S generators; raises ValueError naming ``n_inputs``, ``n_actions`` or
        ``generators``.

        Encoder, speaker (where messages have a size of their own), keys and questions (with attention), joining layer, deciding
        layers: each drawn as by :func:`~marl_lessons.algorithms.networks.init_mlp`.
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
