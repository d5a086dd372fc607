"""Prisoners of the switch riddle: a network with a memory, the channel, an episode lived through, what they do at last. Lesson 10.

Shapes: M networks (one for each seed), B episodes, T days, n prisoners, H units of memory. The prisoners of a seed share one
network, as in Foerster et al. (2016); a one-hot vector tells it whose memory it works on. Every prisoner sees every day; only
the one in the room acts, hears and speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from marl_lessons.checks import as_float_array, as_indices, as_position
from marl_lessons.envs.games.riddle import TELL, RiddlePlay, riddle_days, riddle_outcome
from marl_lessons.results import short_repr

N_ACTIONS = 2
# What a network gives besides action values: DIAL one logit, RIAL a value for each of two messages.
N_VOICE = {"dial": 1, "rial": 2, "silent": 0}

# speak(day, voice[M, B, K]) -> what the prisoner in the room says, and what is heard of it tomorrow, both [M, B]
Speak = Callable[[int, Tensor], tuple[Tensor, Tensor]]


def init_gru(n_inputs: int, n_hidden: int, n_outputs: int, generators) -> list[Tensor]:
    """Parameters ``[W, b, U, c, V, d]`` of M networks with H hidden units each, one network for each generator.

    ``W[M, in, 3H]``, ``b[M, 1, 3H]`` for what comes in, ``U[M, H, 3H]``, ``c[M, 1, 3H]`` for what is remembered: the columns
    of reset gate, update gate and new memory lie side by side. ``V[M, H, out]`` and ``d[M, 1, out]`` are the last layer. All
    entries are uniform in ±1/√H, as in torch's own layers. Network m draws from ``generators[m]`` alone.
    """
    gates = 3 * n_hidden
    shapes = [(n_inputs, gates), (1, gates), (n_hidden, gates), (1, gates)]
    shapes += [(n_hidden, n_outputs), (1, n_outputs)]
    networks = [
        [n_hidden**-0.5 * (2 * torch.rand(s, generator=g, dtype=torch.float32) - 1) for s in shapes]
        for g in generators
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


# The channel of DIAL: soft and noisy while agents learn, one bit when they act (Foerster et al. 2016, Section 5.2).


def soft_message(logit: Tensor, scale: float, noise: Tensor) -> Tensor:
    """What is heard in training, between 0 and 1, ``[...]``: σ(m + s · ξ) for ``logit[...]`` m.

    ``noise[...]`` ξ: standard normal numbers; ``scale`` s: their standard deviation in the channel, 0 or more.
    """
    return torch.sigmoid(logit + scale * noise)


def hard_message(logit: Tensor) -> Tensor:
    """The bit that is sent in execution, ``[...]`` of 0.0 and 1.0: 1{m > 0}. No gradient passes.

    The threshold lies at logit 0, where :func:`soft_message` without noise crosses 1/2.
    """
    return (logit > 0).to(logit.dtype)


def error_chance(logit: Tensor, scale: float) -> Tensor:
    """Probability ``[...]`` that noise carries ``logit[...]`` to the other side of 0: Φ(-|m| / s), for ``scale`` s > 0.

    The bit that the receiver would read off a soft message is then not the one that the sender means.
    """
    return torch.special.ndtr(-logit.abs() / scale)


def best_words(kind: str, voice: Tensor) -> Tensor:
    """The bits ``[...]`` that prisoners say without exploration: DIAL's 1{m > 0}, RIAL's best; 0 from silent ones."""
    if kind == "dial":
        return hard_message(voice[..., 0])
    if kind == "rial":
        return voice.argmax(dim=-1).to(voice.dtype)
    return voice.new_zeros(voice.shape[:-1])


class Story(NamedTuple):
    """B episodes lived through by M networks, as if nobody had told before the last day.

    values ``[M, B, T, n, A]``  everyone's action values
    voice ``[M, B, T, K]``      what the network of the prisoner in the room says about messages: DIAL's logit, RIAL's values
    said ``[M, B, T]``          bits that were said
    heard ``[M, B, T]``         what is heard of them on the next day
    """

    values: Tensor
    voice: Tensor
    said: Tensor
    heard: Tensor


def prisoners_see(here: Tensor, heard: Tensor, last_said: Tensor) -> Tensor:
    """``[M, B, n, 3 + n]``: am I in the room, what do I hear there, what did I say yesterday, who am I.

    ``here[M, B, n]``: 1 for the one in the room; ``heard[M, B]``: yesterday's message, 0 to 1; ``last_said[M, B, n]``: 1 or -1
    for who spoke yesterday. Messages are seen as 2m - 1, so that 0 stands for none.
    """
    hears = here * (2 * heard - 1)[..., None]
    n_agents = here.shape[-1]
    who = torch.eye(n_agents, dtype=here.dtype).expand(*here.shape, n_agents)
    return torch.cat([torch.stack([here, hears, last_said], dim=-1), who], dim=-1)


def live_through(parameters: Sequence[Tensor], today: Tensor, n_agents: int, speak: Speak) -> Story:
    """M networks go through B episodes day by day; ``today[M, B, T]`` says who is in the room.

    Before the first day the message is 0: the lamp is off. What was said is a bit, which the speaker knows on the
    next day; no gradient passes it. So a gradient reaches a message only through whoever hears it on the next day.
    """
    *gates, weight, bias = parameters
    n_networks, n_episodes, _ = today.shape
    memory = weight.new_zeros(n_networks, n_episodes * n_agents, weight.shape[1])
    heard = weight.new_zeros(n_networks, n_episodes)
    last_said = weight.new_zeros(n_networks, n_episodes, n_agents)
    days = []
    for day, here in enumerate(torch.nn.functional.one_hot(today, n_agents).float().unbind(2)):
        seen = prisoners_see(here, heard, last_said).flatten(1, 2)
        memory = gru_cell(gates, seen, memory)
        outputs = torch.baddbmm(bias, memory, weight).unflatten(1, (n_episodes, n_agents))
        voice = (here[..., None] * outputs[..., N_ACTIONS:]).sum(dim=2)
        said, heard = speak(day, voice)
        last_said = here * (2 * said - 1)[..., None]
        days.append((outputs[..., :N_ACTIONS], voice, said, heard))
    return Story(*(torch.stack(part, dim=2) for part in zip(*days)))


def of_visitor(values: Tensor, today: Tensor) -> Tensor:
    """``[M, B, T, A]``: of everyone's ``values[M, B, T, n, A]`` those of the prisoner in the room, ``today[M, B, T]``."""
    index = today[..., None, None].expand(*today.shape, 1, values.shape[-1])
    return values.gather(3, index).squeeze(3)


@dataclass(frozen=True, eq=False)
class RiddlePolicy:
    """What S seeds' prisoners do without exploration: the best action, and the bit that they mean.

    ``kind``: "dial", "rial" or "silent"; ``parameters``: those of :func:`init_gru`.
    """

    parameters: list[Tensor]
    kind: str
    n_agents: int

    __repr__ = short_repr

    @property
    def n_seeds(self) -> int:
        """S."""
        return len(self.parameters[0])

    def of_seed(self, which: int) -> RiddlePolicy:
        """The policy of the seed at position ``which`` alone."""
        which = as_position("which", which, self.n_seeds)
        mine = [p[which : which + 1] for p in self.parameters]
        return RiddlePolicy(mine, self.kind, self.n_agents)

    def play(self, today: np.ndarray, channel: Callable | None = None) -> RiddlePlay:
        """Every seed's prisoners live through the same episodes, ``today[E, T]`` says who is in the room.

        ``channel(messages, present)``: what becomes of messages on their way to the next day, to try what a team does with
        a channel that it has not learned with. It is called once a day, for one seed after the other, with
        ``messages[E, n, 1]`` and ``present[E, n]``, which is True for the speaker alone. It returns messages of the same shape,
        from 0 to 1 or other real numbers. A channel with a memory forgets before every seed: ``channel.forget()``.
        """
        today = as_indices("today", today, (None, riddle_days(self.n_agents)), self.n_agents)
        if channel is None:
            return self._play(today, lambda day, said: said)
        if not callable(channel):
            raise ValueError(f"channel: expected a function or None, got {channel!r:.80}")

        def through(day: int, said: Tensor) -> Tensor:
            present = today[:, day, None] == np.arange(self.n_agents)
            sent = np.where(present, said[0, :, None].numpy(), 0.0)[..., None]
            arrived = as_float_array("channel", channel(sent, present.copy()), sent.shape)
            heard = arrived[present].reshape(1, -1)  # each world has one speaker
            return torch.as_tensor(heard, dtype=torch.float32)

        plays = []
        for seed in range(self.n_seeds):
            if hasattr(channel, "forget"):
                channel.forget()
            plays.append(self.of_seed(seed)._play(today, through))
        parts = zip(*(play[1:] for play in plays))
        return RiddlePlay(today, *(np.concatenate(part) for part in parts))

    def _play(self, today: np.ndarray, through: Callable[[int, Tensor], Tensor]) -> RiddlePlay:
        def speak(day: int, voice: Tensor) -> tuple[Tensor, Tensor]:
            said = best_words(self.kind, voice)
            return said, through(day, said)

        with torch.no_grad():
            beside = torch.as_tensor(today).expand(self.n_seeds, -1, -1)
            story = live_through(self.parameters, beside, self.n_agents, speak)
            tells = (of_visitor(story.values, beside).argmax(dim=-1) == TELL).numpy()
        rewards, lived = riddle_outcome(today, tells, self.n_agents)
        said, heard = story.said.numpy().astype(int), story.heard.numpy().astype(float)
        return RiddlePlay(today, said, heard, tells, lived, rewards.sum(axis=-1))
