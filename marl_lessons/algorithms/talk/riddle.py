"""RIAL and DIAL on the switch riddle: prisoners learn what to say, all seeds side by side (Foerster et al. 2016). Lesson 10.

Shapes as in :mod:`~marl_lessons.algorithms.talk.riddle_agents`: M networks, B episodes, T days, n prisoners, A actions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep.checks import check_functions
from marl_lessons.algorithms.deep.networks import copy_parameters, move_towards
from marl_lessons.algorithms.settings import SHARE, as_config, check_settings, record_moments
from marl_lessons.algorithms.tables.rules import epsilon_greedy
from marl_lessons.algorithms.talk.riddle_agents import (
    N_ACTIONS,
    N_VOICE,
    RiddlePolicy,
    Speak,
    Story,
    hard_message,
    init_gru,
    live_through,
    of_visitor,
    soft_message,
)
from marl_lessons.checks import as_count
from marl_lessons.envs.games.riddle import FEWEST, NONE, riddle_days, riddle_outcome
from marl_lessons.results import short_repr
from marl_lessons.seeds import as_seeds

USUAL_RECORDS = 20


@dataclass(frozen=True)
class RiddleConfig:
    """Settings of RIAL and DIAL on the switch riddle (Foerster et al. 2016).

    kind             how prisoners learn what to say. "dial": the message is a number that a gradient passes through, from who
                     heard it to who said it. "rial": the message is a second action with values of its own. "silent": nobody
                     says anything
    n_agents         n prisoners, at least 3; an episode has at most T = 4n - 6 days
    n_updates        updates (typical 1,000 to 5,000), each from ``n_episodes`` new episodes (typical 32)
    n_hidden         units of the memory (typical 32 to 128)
    learning_rate    of Adam (typical 1e-3 to 5e-3)
    discount         γ in [0, 1] (typical 1)
    epsilon          ε in [0, 1], probability of a random action, and in RIAL of a random message (typical 0.05)
    noise_scale      standard deviation of the channel's noise in training, 0 or more (typical 2). It has no effect but in DIAL
    target_interval  updates after which the target network becomes a copy of the online one (typical 20 to 100)
    n_records        K: networks are recorded K times at equal distances, and at the start; None: 20 times, or at every update

    The defaults are for three prisoners, and do not carry over to four. There DIAL's seeds 0 to 4 are worth -1.28 to .75 of
    the oracle's reward after 1,000 updates, seeds 0 to 2 .75 to .81 after 5,000; the best silent team has .73.
    """

    kind: str = "dial"
    n_agents: int = 3
    n_updates: int = 1_000
    n_episodes: int = 32
    n_hidden: int = 32
    learning_rate: float = 4e-3
    discount: float = 1.0
    epsilon: float = 0.05
    noise_scale: float = 2.0
    target_interval: int = 20
    n_records: int | None = None

    def __post_init__(self):
        """Check every field."""
        if not isinstance(self.kind, str) or self.kind not in N_VOICE:
            raise ValueError(f"kind is {self.kind!r:.80}; allowed are {', '.join(N_VOICE)}")
        own = {"n_agents": partial(as_count, low=FEWEST), "epsilon": SHARE}
        check_settings(self, USUAL_RECORDS, "n_updates", **own)

    @property
    def n_days(self) -> int:
        """T, the days after which an episode ends."""
        return riddle_days(self.n_agents)


class Chance(NamedTuple):
    """All that is random in one update of M networks.

    today ``[M, B, T]``       who is in the room
    uniform ``[4, M, B, T]``  numbers in [0, 1): whether to act at random, how, whether to speak at random, what
    noise ``[M, B, T]``       standard normal, the channel's
    """

    today: Tensor
    uniform: np.ndarray
    noise: Tensor


def draw_chance(generators: Sequence[torch.Generator], config: RiddleConfig) -> Chance:
    """Network m's part comes from ``generators[m]`` alone, and in the same order for all kinds of prisoners."""
    shape = (config.n_episodes, config.n_days)
    today = [torch.randint(config.n_agents, shape, generator=g) for g in generators]
    uniform = [torch.rand(4, *shape, generator=g, dtype=torch.float32) for g in generators]
    noise = [torch.randn(shape, generator=g, dtype=torch.float32) for g in generators]
    return Chance(torch.stack(today), torch.stack(uniform, dim=1).numpy(), torch.stack(noise))


def learners_speech(chance: Chance, config: RiddleConfig) -> Speak:
    """How prisoners speak while they learn. DIAL: a soft, noisy message. RIAL: an ε-greedy bit. Silent ones: 0."""

    def dial(day: int, voice: Tensor) -> tuple[Tensor, Tensor]:
        logit = voice[..., 0]
        return hard_message(logit), soft_message(logit, config.noise_scale, chance.noise[..., day])

    def rial(day: int, voice: Tensor) -> tuple[Tensor, Tensor]:
        values, uniform = voice.detach().numpy(), chance.uniform[2:, ..., day]
        said = torch.as_tensor(epsilon_greedy(values, config.epsilon, uniform)).to(voice.dtype)
        return said, said

    def silent(day: int, voice: Tensor) -> tuple[Tensor, Tensor]:
        said = voice.new_zeros(voice.shape[:-1])
        return said, said

    return {"dial": dial, "rial": rial, "silent": silent}[config.kind]


def targets_speech(story: Story, chance: Chance, config: RiddleConfig) -> Speak:
    """How the target network's prisoners speak while they live through the episodes of the online network's ``story``.

    In DIAL a message is an activation inside the network of all prisoners. So the target network makes its own, from its own
    logits, with the same noise. In RIAL a message is an action, which the target network judges but does not choose: it
    hears what was said.
    """
    if config.kind == "dial":
        return learners_speech(chance, config)
    return lambda day, voice: (story.said[..., day], story.heard[..., day])


def riddle_targets(
    rewards: Tensor, next_values: Tensor, goes_on: Tensor, discount: float
) -> Tensor:
    """``[M, B, T, n]``: y = r + γ max_a' Q⁻(tomorrow, a'), and r alone where the episode ends today.

    ``rewards[M, B, T]`` and ``goes_on[M, B, T]`` (False on the last day) are the same for all n; ``next_values[M, B, T, n]``:
    :func:`state_values` of tomorrow, of the target network.
    """
    return rewards[..., None] + discount * (goes_on[..., None] * next_values)


def state_values(values: Tensor, today: Tensor) -> Tensor:
    """``[M, B, T, n]``: max_a Q(a) over what is allowed, for ``values[M, B, T, n, A]``. Outside the room that is NONE alone."""
    here = torch.nn.functional.one_hot(today, values.shape[3]).bool()
    return torch.where(here, values.max(dim=-1).values, values[..., NONE])


def squared_errors(values: Tensor, chosen: Tensor, targets: Tensor) -> Tensor:
    """``[...]``: (y - Q(a))² for ``values[..., A]``, the action ``chosen[...]`` and ``targets[...]`` y."""
    return (targets - values.gather(-1, chosen[..., None]).squeeze(-1)).square()


def riddle_losses(
    online: Sequence[Tensor], target: Sequence[Tensor], chance: Chance, config: RiddleConfig
) -> tuple[Tensor, np.ndarray]:
    """Each network's loss ``[M]`` and the episodes' rewards ``[M, B]``, with exploration.

    The loss is a sum over the days until the episode ended and over all prisoners, and a mean over episodes. In RIAL the
    message of the day adds its own error, towards the target of who said it.
    """
    today, n = chance.today, config.n_agents
    story = live_through(online, today, n, learners_speech(chance, config))
    mine = of_visitor(story.values, today)
    actions = epsilon_greedy(mine.detach().numpy(), config.epsilon, chance.uniform[:2])
    rewards, lived = riddle_outcome(today.numpy(), actions != NONE, n)
    lived, goes_on = torch.as_tensor(lived), torch.as_tensor(lived & (actions == NONE))
    goes_on[..., -1] = False
    with torch.no_grad():
        ahead = live_through(target, today, n, targets_speech(story, chance, config))
        tomorrow = state_values(ahead.values, today).roll(-1, dims=2)  # the last day's goes unused
        y = riddle_targets(torch.as_tensor(rewards).float(), tomorrow, goes_on, config.discount)
    here = torch.nn.functional.one_hot(today, n).bool()
    chosen = torch.where(here, torch.as_tensor(actions)[..., None], NONE)
    error = (squared_errors(story.values, chosen, y) * lived[..., None]).sum(dim=(2, 3))
    if config.kind == "rial":
        spoken = squared_errors(story.voice, story.said.long(), (y * here).sum(dim=-1))
        error = error + (spoken * goes_on).sum(dim=2)  # what is said at the end is never read
    return error.mean(dim=1), rewards.sum(axis=-1)


@dataclass(frozen=True, eq=False)
class RiddleHistory:
    """What was recorded: K+1 moments, S seeds.

    updates ``[K+1]``         updates before the record
    episodes ``[K+1]``        episodes that each seed had learned from
    losses ``[K+1, S]``       mean loss of the updates since the record before; NaN where there were none
    returns ``[K+1, S]``      mean reward of those updates' episodes, exploration and noise included; NaN likewise
    policies                  K+1 policies without exploration
    evaluations               K+1 answers of the caller's ``evaluate``, or None
    """

    updates: np.ndarray
    episodes: np.ndarray
    losses: np.ndarray
    returns: np.ndarray
    policies: tuple
    evaluations: tuple | None
    seeds: tuple[int, ...]

    __repr__ = short_repr

    @property
    def policy(self):
        """The last policy."""
        return self.policies[-1]


@torch.inference_mode(False)  # gradients flow, whatever the caller has switched off
@torch.enable_grad()
def train_riddle(
    config: RiddleConfig | None = None,
    seeds=10,
    progress: Callable[[float], None] | None = None,
    evaluate: Callable[[RiddlePolicy], object] | None = None,
) -> RiddleHistory:
    """RIAL, DIAL or silent prisoners learn the switch riddle, all seeds side by side.

    An update takes new episodes, with exploration, and goes back through them as a whole: deep Q-learning without replay,
    since old messages mean nothing to prisoners who have changed their code.

    ``seeds``: a count or a sequence of different integers. All that is random for seed s comes from its own generator, so its
    run does not depend on the others (rounding aside). The same seed meets the same visitors whatever ``config.kind`` is.
    ``progress``: told the finished share, 0 to 1, at each record. ``evaluate``: judges the policy at each record.

    With ten seeds, a run of the defaults, and the share of the oracle's 20/27 that each of them reaches::

        everyone = every_sequence(3)
        history = train_riddle(
            RiddleConfig("dial", n_updates=1_000), seeds=10, progress=print,
            evaluate=lambda policy: policy.play(everyone).scores / (20 / 27),
        )
        np.stack(history.evaluations)[-1].round(2)
    """
    config, seeds = as_config(config, RiddleConfig), as_seeds(seeds)
    check_functions(progress=progress, evaluate=evaluate)
    generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]
    n_outputs = N_ACTIONS + N_VOICE[config.kind]
    online = init_gru(3 + config.n_agents, config.n_hidden, n_outputs, generators)
    target = copy_parameters(online)
    adam = torch.optim.Adam(online, lr=config.learning_rate)
    moments, records, recent = record_moments(config, "n_updates"), [], []
    for update in range(config.n_updates + 1):
        if update == moments[len(records)]:
            policy = RiddlePolicy(copy_parameters(online), config.kind, config.n_agents)
            nothing = [np.full((1, len(seeds)), np.nan)] * 2
            loss, reward = (np.mean(part, axis=0) for part in (zip(*recent) if recent else nothing))
            finite = all(bool(p.isfinite().all()) for p in online)
            if not finite or (recent and not np.isfinite(loss).all()):
                raise ValueError(
                    "config: losses or parameters have grown beyond all numbers; choose a smaller learning rate"
                )
            judgement = evaluate(policy) if evaluate is not None else None
            records.append((loss, reward, policy, judgement))
            recent = []
            if progress is not None:
                progress(update / config.n_updates)
        if update == config.n_updates:
            break
        losses, rewards = riddle_losses(online, target, draw_chance(generators, config), config)
        adam.zero_grad()
        losses.sum().backward()
        adam.step()
        recent.append((losses.detach().numpy(), rewards.mean(axis=1)))
        if (update + 1) % config.target_interval == 0:
            move_towards(target, online)
    losses, returns, policies, evaluations = zip(*records)
    return RiddleHistory(
        updates=moments,
        episodes=moments * config.n_episodes,
        losses=np.stack(losses),
        returns=np.stack(returns),
        policies=policies,
        evaluations=None if evaluate is None else evaluations,
        seeds=seeds,
    )
