"""MADDPG: actors that see for themselves, trained with critics that see everyone (Lowe et al. 2017). Lesson 09."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep.actor_policy import ActorPolicy, Critics, allowed_entries
from marl_lessons.algorithms.deep.checks import (
    check_functions,
    check_numbers,
    check_step,
    check_told,
    usable_device,
)
from marl_lessons.algorithms.deep.history import DeepHistory, Recorder
from marl_lessons.algorithms.deep.maddpg_update import (
    MADDPGConfig,
    Networks,
    Pieces,
    by_agent,
    maddpg_update,
    own_action_fresh,
)
from marl_lessons.algorithms.deep.networks import copy_parameters, init_mlp, mlp
from marl_lessons.algorithms.deep.replay import Replay
from marl_lessons.algorithms.deep.saving import load_run, save_run
from marl_lessons.algorithms.settings import as_config
from marl_lessons.checks import as_count
from marl_lessons.envs.stepping import BatchedWorlds, are_continuous, check_batched_worlds


def correlated_noise(
    before: np.ndarray, correlation: float, rng: np.random.Generator
) -> np.ndarray:
    """Noise of standard deviation 1 for the next step: x ← ρ x + √(1 - ρ²) ξ, with ξ standard normal.

    ``before``: the noise of the step before, any shape, itself of standard deviation 1; ``correlation`` ρ in [0, 1). ρ = 0 is
    white noise. Otherwise it is the Ornstein-Uhlenbeck process, which Lillicrap et al. (2016, Section 3) explore with, seen at
    whole steps: as strong as white noise, but it pushes the same way for about 1 / (1 - ρ) steps.
    """
    fresh = rng.standard_normal(before.shape)
    return correlation * before + np.sqrt(1 - correlation**2) * fresh


def explore(
    nets: Networks, seen: Tensor, noise: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Actions ``[E, n, k]`` where the agents see ``seen[E, n, d]``.

    Vectors have ``noise[E, n, k]`` added, cut to [0, 1]; whole numbers are drawn from the softmax, one-hot.
    """
    with torch.no_grad():
        logits = mlp(nets.actors, seen.transpose(0, 1))
        if not nets.continuous:
            logits = logits + torch.as_tensor(rng.gumbel(size=logits.shape)).to(logits)
        actions = nets.actions(logits).transpose(0, 1).cpu().numpy()
    if not nets.continuous:
        return actions
    allowed = nets.allowed.transpose(0, 1).cpu().numpy()
    return np.clip(actions + noise, 0.0, 1.0).astype(np.float32) * allowed


def init_networks(worlds, config: MADDPGConfig, generator: torch.Generator, device) -> Networks:
    """Fresh networks for the agents of ``worlds``; targets begin as copies."""
    continuous = are_continuous(worlds)
    sizes = worlds.action_sizes if continuous else worlds.n_actions
    n, d, k = worlds.n_agents, max(worlds.observation_sizes), max(sizes)
    critic_input = (n if config.central else 1) * (d + k)
    actors = init_mlp((d, *config.hidden_sizes, k), [generator] * n, device)
    critics = init_mlp((critic_input, *config.hidden_sizes, 1), [generator] * n, device)
    targets = copy_parameters(actors), copy_parameters(critics)
    return Networks(actors, critics, *targets, allowed_entries(sizes).to(device), continuous)


@torch.inference_mode(False)  # gradients flow, whatever the caller has switched off
def train_maddpg(
    worlds: BatchedWorlds,
    config: MADDPGConfig | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
    evaluate: Callable[[ActorPolicy], object] | None = None,
    save_to: str | Path | None = None,
    pieces: Pieces | None = None,
) -> DeepHistory:
    """MADDPG (Lowe et al. 2017, Algorithm 1), or independent DDPG with ``config.central`` False.

    All E ``worlds`` feed one replay, a joint transition a row. Actions are vectors (``action_sizes``), explored with noise, or
    whole numbers (``n_actions``), explored with Gumbel noise and learned by its straight-through estimator. All agents must
    take part until their world's episode ends. The agents' own rewards are used: nothing is shared that the worlds do not
    share. In the critics' targets all agents act by their target actors; in agent i's policy gradient the others do what the
    replay says they did.

    ``seed`` decides everything: one seed, one result on one machine. ``progress(share)`` is told the share done at each record.
    ``evaluate(policy)`` is called there, too, and its answers, numbers or arrays, are kept; it must not step ``worlds``.
    ``save_to``: a file that holds the whole run after each record. If it is there already, the run in it goes on, and the
    history is the same as if it had never stopped, ``seconds`` aside; ``worlds`` need ``snapshot()`` and ``restore()``.
    ``pieces``: parts of the update to exchange.

    Example::

        worlds = simple_speaker_listener(n_worlds=16, continuous_actions=True)
        history = train_maddpg(worlds, MADDPGConfig(n_steps=3_000), progress=print)
        others = mpe_worlds("simple_speaker_listener", continuous_actions=True)
        returns = play_episodes(others, history.policy.act, 100, np.random.default_rng(0)).returns

    Raises ValueError naming ``worlds`` or ``config`` also if what is learned is no longer finite.
    """
    config, seed = as_config(config, MADDPGConfig), as_count("seed", seed, 0)
    _check_arguments(worlds, config, pieces, progress=progress, evaluate=evaluate)
    device = usable_device(device)
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    nets = init_networks(worlds, config, generator, device)
    actor_adam, critic_adam = (
        torch.optim.Adam(parameters, lr=rate, fused=device.type != "mps")
        for parameters, rate in (
            (nets.actors, config.actor_rate),
            (nets.critics, config.critic_rate),
        )
    )
    shape = worlds.n_worlds, worlds.n_agents, max(worlds.observation_sizes)
    sizes = worlds.action_sizes if nets.continuous else worlds.n_actions
    replay = Replay(config.buffer_size, 1, *shape[1:], device, action_size=max(sizes))
    recorder = Recorder(config, (seed,), *shape[:2], n_losses=worlds.n_agents)
    noise = rng.standard_normal((*shape[:2], max(sizes)))
    everyone_active = np.ones(shape[:2], dtype=bool)

    def see(observations: np.ndarray) -> Tensor:
        return torch.as_tensor(observations, dtype=torch.float32, device=device)

    def check_run() -> None:
        check_numbers([*nets.actors, *nets.critics, *recorder.losses], seen, replay)

    def policy_of(actors: list[Tensor]) -> ActorPolicy:
        return ActorPolicy(actors, sizes, worlds.observation_sizes, nets.continuous)

    first = worlds.reset(rng)
    check_told("observations", first, shape)
    seen = see(first).clone()
    parts = {
        "worlds": worlds, "networks": nets[:4], "optimizers": [actor_adam, critic_adam],
        "replay": replay, "generators": [rng, generator], "noise": noise, "seen": seen,
        "recorder": recorder,
    }  # fmt: skip
    about = f"{config}, seed {seed}, {shape} with actions {sizes}, vectors: {nets.continuous}"
    if save_to is not None and Path(save_to).exists():
        load_run(save_to, about, parts)
    for step in range(recorder.n_steps, config.n_steps + 1):
        if recorder.is_due():
            check_run()
            learned, scale = copy_parameters(nets.actors), config.noise_scale(recorder.n_updates)
            recorder.record(policy_of(learned), learned, evaluate, noise=scale)
            if save_to is not None:
                save_run(save_to, about, parts)
            if progress is not None:
                progress(step / config.n_steps)
        if step == config.n_steps:
            break
        began = time.perf_counter()
        if not worlds.active.all():
            raise ValueError(
                "worlds: an agent came late, or left before its world's episode ended; MADDPG needs all agents until then"
            )
        actions = explore(nets, seen, config.noise_scale(recorder.n_updates) * noise, rng)
        if not np.isfinite(actions).all():
            check_run()
        result = worlds.step(actions if nets.continuous else actions.argmax(axis=-1), rng)
        if step == 0:
            check_step(result, shape)
        later, ended = see(result.observations), result.ended  # of this episode still
        cut = False if config.bootstrap_on_truncation else result.truncated[:, None]
        terminated = result.terminated | cut
        replay.add(seen, actions, result.rewards, later, terminated, everyone_active)
        recorder.step_made(result.rewards, ended)
        noise[...] = correlated_noise(noise, config.noise_correlation, rng)
        seen.copy_(later)
        if ended.any():
            seen.copy_(see(worlds.reset_where(ended, rng)))
            noise[ended] = rng.standard_normal(noise[ended].shape)
        for _ in range(config.updates_per_step if step >= config.learn_from else 0):
            batch = by_agent(replay.sample(config.batch_size, [generator]))
            loss = maddpg_update(nets, (actor_adam, critic_adam), batch, config, generator, pieces)
            recorder.update_made(loss)
        recorder.seconds += time.perf_counter() - began
    return recorder.history(
        policy_of,
        noise=recorder.column("noise"),
        seconds=recorder.column("seconds"),
        critics=Critics(copy_parameters(nets.critics), config.central, shape[2]),
    )


def _check_arguments(worlds, config: MADDPGConfig, pieces, **functions) -> None:
    """Raises ValueError naming the argument of :func:`train_maddpg` that is not like what it says."""
    check_functions(**functions)
    check_batched_worlds("worlds", worlds, continuous=None)
    if config.buffer_size < worlds.n_worlds:
        raise ValueError(
            f"config: buffer_size is {config.buffer_size}; allowed is at least {worlds.n_worlds}, the number of worlds"
        )
    if pieces is not None and not isinstance(pieces, Pieces):
        raise ValueError(f"pieces: expected Pieces(...) or None, got {pieces!r:.80}")
    if pieces and not config.central and pieces.own_action_fresh is not own_action_fresh:
        raise ValueError(
            "pieces.own_action_fresh: has no effect where config.central is False; allowed is the default"
        )
