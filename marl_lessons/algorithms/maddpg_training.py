"""A run of MADDPG: all that changes while it goes on, one step of it, and the same as plain data for a file."""

from __future__ import annotations

import time
from copy import deepcopy
from dataclasses import asdict

import numpy as np
import torch

from marl_lessons.algorithms.actor_policy import ActorPolicy, Critics, allowed_entries
from marl_lessons.algorithms.deep_checks import check_numbers, check_step, checked_observations
from marl_lessons.algorithms.exploration import correlated_noise
from marl_lessons.algorithms.history import record_moments
from marl_lessons.algorithms.maddpg_records import MADDPGHistory, judged
from marl_lessons.algorithms.maddpg_saved import check_state, kind_of
from marl_lessons.algorithms.maddpg_settings import MADDPGConfig
from marl_lessons.algorithms.maddpg_update import Networks, Pieces, by_agent, maddpg_update
from marl_lessons.algorithms.networks import copy_parameters, init_mlp, mlp
from marl_lessons.algorithms.replay import Replay
from marl_lessons.envs.batched import are_continuous


class MADDPGRun:
    """One run with one seed; inner machinery whose arguments :mod:`~marl_lessons.algorithms.maddpg` has checked.

    ``step()`` makes one step of all worlds and the updates that go with it, ``record`` notes where the run stands,
    ``state()`` is everything needed to go on elsewhere, ``restore(state)`` goes on from there. Neither shares memory with it.
    """

    def __init__(self, worlds, config: MADDPGConfig, seed: int, device, pieces: Pieces | None):
        """Begin the run, and an episode in every world."""
        self.worlds, self.config, self.seed, self.pieces = worlds, config, seed, pieces
        self.continuous = are_continuous(worlds)
        self.action_sizes = worlds.action_sizes if self.continuous else worlds.n_actions
        n, d, k = worlds.n_agents, max(worlds.observation_sizes), max(self.action_sizes)
        self.seen_shape = (worlds.n_worlds, n, d)
        self.rng = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed % 2**63)
        owners, seen_by_critic = [self.generator] * n, (n if config.central else 1) * (d + k)
        actors = init_mlp((d, *config.hidden_sizes, k), owners, device)
        critics = init_mlp((seen_by_critic, *config.hidden_sizes, 1), owners, device)
        targets = copy_parameters(actors), copy_parameters(critics)
        allowed = allowed_entries(self.action_sizes).to(device)
        self.nets = Networks(actors, critics, *targets, allowed, self.continuous)
        self.optimizers = tuple(
            torch.optim.Adam(parameters, lr=rate, fused=torch.device(device).type != "mps")
            for parameters, rate in ((actors, config.actor_rate), (critics, config.critic_rate))
        )
        self.replay = Replay(config.buffer_size, 1, n, d, device, action_size=k)
        self.moments = record_moments(config)
        self.noise = self.rng.standard_normal((worlds.n_worlds, n, k))
        self.n_steps, self.n_updates, self.seconds = 0, 0, 0.0
        self._total = np.zeros((worlds.n_worlds, n))
        self._losses: list[torch.Tensor] = []
        self._ended: list[tuple[np.ndarray, np.ndarray]] = []
        self._records: list[dict] = []
        self.seen = checked_observations(worlds.reset(self.rng), self.seen_shape)

    def step(self) -> None:
        """One step of all worlds, then the updates. Raises ValueError naming ``worlds`` if an agent takes no part in it."""
        began = time.perf_counter()
        if not self.worlds.active.all():
            raise ValueError(
                "worlds: an agent came late, or left before its world's episode ended; MADDPG needs all agents until then"
            )
        actions = self._explore()
        if not np.isfinite(actions).all():
            self._check()
        told = actions if self.continuous else actions.argmax(axis=-1)
        result = self.worlds.step(told, self.rng)
        if self.n_steps == 0:
            check_step(result, self.seen_shape)
        ended = result.ended
        cut = False if self.config.bootstrap_on_truncation else result.truncated[:, None]
        self._remember(actions, result.rewards, result.observations, result.terminated | cut)
        self.n_steps += 1
        self._total += result.rewards
        self.noise = correlated_noise(self.noise, self.config.noise_correlation, self.rng)
        self.seen = result.observations  # of this episode still: a reset comes after
        if ended.any():
            self._ended.append((self._total[ended], np.full(ended.sum(), self.n_steps)))
            self._total[ended] = 0.0
            self.seen = self.worlds.reset_where(ended, self.rng)
            self.noise[ended] = self.rng.standard_normal(self.noise[ended].shape)
        if self.n_steps > self.config.learn_from:
            for _ in range(self.config.updates_per_step):
                self._update()
        self.seconds += time.perf_counter() - began

    def record(self, evaluate) -> None:
        """Note where the run stands; ``evaluate(policy)`` judges the present policy, if it is not None."""
        self._check()
        losses = torch.stack(self._losses).mean(0).tolist() if self._losses else None
        policy = self._policy(copy_parameters(self.nets.actors))
        evaluation = judged(evaluate, policy, self._records)
        self._losses = []
        self._records.append(
            {
                "step": self.n_steps,
                "updates": self.n_updates,
                "losses": losses or [float("nan")] * self.worlds.n_agents,
                "seconds": self.seconds,
                "actors": policy.actors,
                "evaluation": evaluation,
            }
        )

    def history(self) -> MADDPGHistory:
        """Everything recorded."""
        records = self._records
        columns = {
            name: np.array([record[name] for record in records])
            for name in ("step", "updates", "losses", "seconds", "evaluation")
        }
        n = self.worlds.n_agents
        totals, steps = zip((np.zeros((0, n)), np.zeros(0, int)), *self._ended)
        return MADDPGHistory(
            steps=columns["step"],
            env_steps=columns["step"] * self.worlds.n_worlds,
            updates=columns["updates"],
            noise=np.array([self.config.noise_scale(int(u)) for u in columns["updates"]]),
            losses=columns["losses"],
            seconds=columns["seconds"],
            policies=tuple(self._policy(record["actors"]) for record in records),
            critics=Critics(
                copy_parameters(self.nets.critics), self.config.central, self.seen_shape[2]
            ),
            evaluations=None if records[-1]["evaluation"] is None else columns["evaluation"],
            returns=np.concatenate(totals),
            ended_at=np.concatenate(steps),
            seed=self.seed,
        )

    def state(self) -> dict:
        """All that the run needs to go on, as tensors, numbers, strings, lists and dicts; a copy, which stays as it is.

        Raises ValueError naming ``worlds`` if a file could not hold their snapshot.
        """
        parts = {
            "config": asdict(self.config),
            "seed": self.seed,
            "kind": self.kind(),
            "networks": [[p.detach() for p in part] for part in self.nets[:4]],
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "worlds": self._snapshot(),
            "rng": self.rng.bit_generator.state,
            "generator": self.generator.get_state(),
            "noise": torch.as_tensor(self.noise),
            "seen": torch.as_tensor(self.seen),
            "total": torch.as_tensor(self._total),
            "counts": [self.n_steps, self.n_updates],
            "seconds": self.seconds,
            "ended": [[torch.as_tensor(part) for part in parts] for parts in self._ended],
            "records": self._records,
        }
        return {**deepcopy(parts), "replay": self.replay.snapshot()}

    def restore(self, state: dict) -> None:
        """Go on from a :meth:`state` with the parts of one, taken after a record, of worlds of the same :meth:`kind`.

        Raises ValueError, or another error, where a part does not fit.
        """
        check_state(state, self.state(), self.moments.tolist())
        self.replay.restore(state["replay"])
        state = deepcopy({name: part for name, part in state.items() if name != "replay"})
        with torch.no_grad():
            for mine, saved in zip(self.nets[:4], state["networks"], strict=True):
                for p, value in zip(mine, saved, strict=True):
                    p.copy_(value)
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            settings = optimizer.state_dict()["param_groups"]  # as the config and the device say
            optimizer.load_state_dict({"state": saved["state"], "param_groups": settings})
        self.worlds.restore(_as_arrays(state["worlds"]))
        self.rng.bit_generator.state = state["rng"]
        self.generator.set_state(state["generator"])
        self.noise, self.seen = state["noise"].numpy(), state["seen"].numpy()
        self._total = state["total"].numpy()
        self.n_steps, self.n_updates = state["counts"]
        self.seconds, self._records = state["seconds"], state["records"]
        self._ended = [tuple(part.numpy() for part in parts) for parts in state["ended"]]

    def kind(self) -> dict:
        """What worlds must have in common for one to take the other's place in a run."""
        return kind_of(self.worlds, self.action_sizes, self.continuous, self._snapshot())

    def _snapshot(self) -> dict:
        """The worlds' state as a file can hold it; raises ValueError naming ``worlds`` if it cannot."""
        snapshot = self.worlds.snapshot()
        if not isinstance(snapshot, dict):
            raise ValueError(f"worlds: expected snapshot() to return a dict, got {snapshot!r:.60}")
        return _as_plain(snapshot)

    def _inputs(self) -> torch.Tensor:
        """What the actors see now, ``[n, E, d]``."""
        return torch.as_tensor(self.seen).transpose(0, 1).to(self.nets.allowed)

    def _check(self) -> None:
        learned = [*self.nets.actors, *self.nets.critics, *self._losses]
        check_numbers(learned, self._inputs(), self.replay)

    def _explore(self) -> np.ndarray:
        """Actions ``[E, n, k]`` with exploration; one-hot where actions are whole numbers."""
        with torch.no_grad():
            logits = mlp(self.nets.actors, self._inputs())
            if not self.continuous:
                logits = logits + torch.as_tensor(self.rng.gumbel(size=logits.shape)).to(logits)
            greedy = self.nets.actions(logits).transpose(0, 1).cpu().numpy()
        if not self.continuous:
            return greedy
        noisy = greedy + self.config.noise_scale(self.n_updates) * self.noise
        allowed = self.nets.allowed.transpose(0, 1).cpu().numpy()
        return np.clip(noisy, 0.0, 1.0).astype(np.float32) * allowed

    def _remember(self, actions, rewards, next_seen, terminated) -> None:
        active = np.ones(rewards.shape, dtype=bool)
        parts = (self.seen, actions, rewards, next_seen, terminated, active)
        self.replay.add(*(part[None] for part in parts))

    def _update(self) -> None:
        batch = by_agent(self.replay.sample(self.config.batch_size, [self.generator]))
        loss = maddpg_update(
            self.nets, self.optimizers, batch, self.config, self.generator, self.pieces
        )
        self._losses.append(loss)
        self.n_updates += 1

    def _policy(self, actors) -> ActorPolicy:
        sizes = self.action_sizes, self.worlds.observation_sizes
        return ActorPolicy(actors, *sizes, self.continuous)


def _as_plain(value):
    """``value`` with tensors in place of arrays; raises ValueError naming ``worlds`` if a file could not hold it."""
    if isinstance(value, dict):
        return {name: _as_plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_as_plain(part) for part in value])
    try:
        if isinstance(value, np.ndarray | np.generic):
            return torch.as_tensor(value) if isinstance(value, np.ndarray) else value.item()
    except TypeError as error:
        raise ValueError(f"worlds: snapshot() holds an array of {value.dtype}") from error
    if value is None or isinstance(value, bool | int | float | str | torch.Tensor):
        return value
    raise ValueError(f"worlds: snapshot() holds {value!r:.60}; allowed are arrays and plain values")


def _as_arrays(value):
    """``value`` with arrays in place of tensors."""
    if isinstance(value, dict):
        return {name: _as_arrays(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_as_arrays(part) for part in value])
    return value.numpy() if isinstance(value, torch.Tensor) else value
