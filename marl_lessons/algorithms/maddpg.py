"""MADDPG: actors that see for themselves, trained with critics that see everyone (Lowe et al. 2017)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch

from marl_lessons.algorithms.actor_policy import ActorPolicy
from marl_lessons.algorithms.deep_checks import check_functions, usable_device
from marl_lessons.algorithms.history import as_config
from marl_lessons.algorithms.maddpg_records import MADDPGHistory
from marl_lessons.algorithms.maddpg_settings import MADDPGConfig
from marl_lessons.algorithms.maddpg_training import MADDPGRun
from marl_lessons.algorithms.maddpg_update import Pieces
from marl_lessons.checks import as_count
from marl_lessons.envs.batched import BatchedWorlds, ContinuousWorlds, check_batched_worlds


def train_maddpg(
    worlds: ContinuousWorlds | BatchedWorlds,
    config: MADDPGConfig | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
    evaluate: Callable[[ActorPolicy], object] | None = None,
    save_to: str | Path | None = None,
    pieces: Pieces | None = None,
) -> MADDPGHistory:
    """MADDPG (Lowe et al. 2017, Algorithm 1), or independent DDPG with ``config.central`` False.

    All E ``worlds`` feed one replay, a joint transition a row. Actions are vectors (``action_sizes``), explored with noise, or
    whole numbers (``n_actions``), explored with Gumbel noise and learned by its straight-through estimator. All agents must
    take part until their world's episode ends. The agents' own rewards are used: nothing is shared that the worlds do not
    share. In the critics' targets all agents act by their target actors; in agent i's policy gradient the others do what the
    replay says they did.

    ``seed`` decides everything: one seed, one result on one machine. ``progress(share)`` is told the share done.
    ``evaluate(policy)`` is called at each record, and its answers, numbers or arrays, are kept; it must not step ``worlds``.
    ``save_to``: a file that holds the whole run after each record, so that :func:`resume_maddpg` can go on from there; it must
    not exist, and ``worlds`` must offer ``snapshot`` and ``restore``. ``pieces``: parts of the update to exchange.

    Example::

        worlds = simple_speaker_listener(n_worlds=16, continuous_actions=True)
        history = train_maddpg(worlds, MADDPGConfig(n_steps=3_000), progress=print)
        others = mpe_worlds("simple_speaker_listener")
        returns = play_episodes(others, history.policy.act, 100, np.random.default_rng(0)).returns

    Raises ValueError naming the argument, ``config`` also if what is learned diverges.
    """
    config = as_config(config, MADDPGConfig)
    save_to = None if save_to is None else _new_file(save_to)
    run = _new_run(worlds, config, seed, device, pieces, save_to is not None)
    check_functions(progress=progress, evaluate=evaluate)
    run.record(evaluate)
    return _go_on(run, progress, evaluate, save_to)


def resume_maddpg(
    path: str | Path,
    worlds: ContinuousWorlds | BatchedWorlds,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
    evaluate: Callable[[ActorPolicy], object] | None = None,
    pieces: Pieces | None = None,
) -> MADDPGHistory:
    """Go on with a run that :func:`train_maddpg` saved to ``path``, to its end; it is saved there again.

    With the same ``worlds`` (kind and number), ``evaluate`` and ``pieces`` the history is the same as if the run had never
    stopped, ``seconds`` aside. A run that had finished is returned as it is. Raises ValueError naming ``path`` for a file
    that is not such a run, or ``worlds`` if they do not fit it; the file stays as it was.
    """
    path, state, config = _loaded(path)
    check_functions(progress=progress, evaluate=evaluate)
    run = _new_run(worlds, config, state["seed"], device, pieces, saved=True)
    try:
        run.restore(state)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"worlds: they are not like those of the run in {path} ({error})"
        ) from error
    return _go_on(run, progress, evaluate, path)


def _new_run(worlds, config, seed, device, pieces, saved: bool) -> MADDPGRun:
    """A run that has made no step, with checked arguments."""
    check_batched_worlds("worlds", worlds, continuous=None)
    if saved and not (hasattr(worlds, "snapshot") and hasattr(worlds, "restore")):
        raise ValueError(
            f"worlds: to save a run they need snapshot() and restore(), got {worlds!r:.80}"
        )
    if config.buffer_size < worlds.n_worlds:
        raise ValueError(
            f"config: buffer_size is {config.buffer_size}; allowed is at least {worlds.n_worlds}, the number of worlds"
        )
    if pieces is not None and not isinstance(pieces, Pieces):
        raise ValueError(f"pieces: expected Pieces(...) or None, got {pieces!r:.80}")
    return MADDPGRun(worlds, config, as_count("seed", seed, 0), usable_device(device), pieces)


def _go_on(run: MADDPGRun, progress, evaluate, save_to: Path | None) -> MADDPGHistory:
    """Step until the end, record when it is due."""
    for moment in run.moments[run.moments > run.n_steps]:
        if progress is not None:
            progress(run.n_steps / run.config.n_steps)
        while run.n_steps < moment:
            run.step()
        run.record(evaluate)
        if save_to is not None:
            _save(run.state(), save_to)
    if progress is not None:
        progress(1.0)
    return run.history()


def _new_file(path) -> Path:
    """A path that can be written to; raises ValueError naming ``save_to`` if it exists or its folder does not."""
    if not isinstance(path, str | Path):
        raise ValueError(f"save_to: expected a path, got {path!r:.80}")
    path = Path(path)
    if path.exists():
        raise ValueError(
            f"save_to: {path} exists; go on with resume_maddpg, or choose another name"
        )
    if not path.parent.is_dir():
        raise ValueError(f"save_to: there is no folder {path.parent}")
    return path


def _save(state: dict, path: Path) -> None:
    """Write ``state`` beside ``path``, then put it in its place: whenever the program dies, ``path`` holds a whole run."""
    beside = path.with_name(path.name + ".part")
    torch.save(state, beside)
    os.replace(beside, path)


def _loaded(path) -> tuple[Path, dict, MADDPGConfig]:
    """A checked path, the state in that file, read without running any code that it may contain, and its config."""
    if not isinstance(path, str | Path):
        raise ValueError(f"path: expected a path, got {path!r:.80}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"it is a {type(state).__name__}")
        config = MADDPGConfig(**state["config"])
        as_count("seed", state["seed"], 0)
        missing = {"kind", "networks", "optimizers", "replay", "records"} - set(state)
    except Exception as error:
        raise ValueError(f"path: {path} holds no saved run ({error!s:.120})") from error
    if missing:
        raise ValueError(f"path: {path} holds no saved run, {sorted(missing)} are missing")
    return Path(path), state, config
