"""RIAL and DIAL: prisoners of the switch riddle learn what to say, all seeds side by side (Foerster et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from marl_lessons.algorithms.communication.recurrent import init_gru
from marl_lessons.algorithms.communication.riddle_agents import N_ACTIONS, N_VOICE, RiddlePolicy
from marl_lessons.algorithms.communication.riddle_learning import draw_chance, riddle_update
from marl_lessons.algorithms.communication.riddle_settings import RiddleConfig
from marl_lessons.algorithms.deep_checks import check_functions
from marl_lessons.algorithms.history import as_config
from marl_lessons.algorithms.networks import copy_parameters, move_towards
from marl_lessons.seeds import as_seeds


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

    @property
    def policy(self):
        """The last policy."""
        return self.policies[-1]


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

    Raises ValueError naming the argument; ``config`` too if losses or parameters grow beyond all numbers.
    """
    config, seeds = as_config(config, RiddleConfig), as_seeds(seeds)
    if len(set(seeds)) < len(seeds):
        raise ValueError(
            f"seeds: {seeds!r:.80} names a seed twice; seeds are independent runs, each is allowed once"
        )
    check_functions(progress=progress, evaluate=evaluate)
    generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]
    n_outputs = N_ACTIONS + N_VOICE[config.kind]
    online = init_gru(3 + config.n_agents, config.n_hidden, n_outputs, generators)
    target = copy_parameters(online)
    optimizer = torch.optim.Adam(online, lr=config.learning_rate)
    moments = np.linspace(0, config.n_updates, config.n_records + 1).round().astype(int)
    losses, returns, records = [], [], []
    for update in range(config.n_updates + 1):
        if update == moments[len(records)]:
            policy = RiddlePolicy(copy_parameters(online), config.kind, config.n_agents)
            records.append((_mean(losses, seeds), _mean(returns, seeds), policy))
            _check_numbers(policy, losses)
            records[-1] += (evaluate(policy) if evaluate is not None else None,)
            losses, returns = [], []
            if progress is not None:
                progress(float(update / config.n_updates))
        if update < config.n_updates:
            chance = draw_chance(generators, config)
            loss, rewards = riddle_update(online, target, optimizer, chance, config)
            losses.append(loss.numpy())
            returns.append(rewards.mean(axis=1))
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


def _mean(values: list[np.ndarray], seeds: tuple[int, ...]) -> np.ndarray:
    return np.mean(values, axis=0) if values else np.full(len(seeds), np.nan)


def _check_numbers(policy: RiddlePolicy, losses: list[np.ndarray]) -> None:
    finite = all(bool(p.isfinite().all()) for p in policy.parameters)
    if not finite or not np.isfinite(losses).all():
        raise ValueError(
            "config: losses or parameters have grown beyond all numbers; choose a smaller learning rate"
        )
