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
from marl_lessons.algorithms.maddpg_saved import check_parts
from marl_lessons.algorithms.maddpg_settings import MADDPGConfig
from marl_lessons.algorithms.maddpg_training import MADDPGRun
from marl_lessons.algorithms.maddpg_update import Pieces, check_pieces
from marl_lessons.checks import as_count, check_same
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
    ``save_to``: a file that holds the whole run after each record, from the one at step 0 on, so that :func:`resume_maddpg` can
    go on from there; it must not exist, and ``worlds`` must offer ``snapshot``, of arrays, numbers, strings, lists and dicts,
    and ``restore``. An entry "kind" of a snapshot, a dict, tells rules that worlds must share to go on with the run.
    ``pieces``: parts of the update to exchange.

    Example::

        worlds = simple_speaker_listener(n_worlds=16, continuous_actions=True)
        history = train_maddpg(worlds, MADDPGConfig(n_steps=3_000), progress=print)
        others = mpe_worlds("simple_speaker_listener")
        returns = play_episodes(others, history.policy.act, 100, np.random.default_rng(0)).returns

    Raises ValueError naming the argument, ``config`` also if what is learned diverges.
    """
    config = as_config(config, MADDPGConfig)
    save_to = None if save_to is None else _new_file(save_to)
    check_functions(progress=progress, evaluate=evaluate)
    run = _new_run(worlds, config, seed, device, pieces, save_to is not None)
    if config.buffer_size < worlds.n_worlds:
        raise ValueError(
            f"config: buffer_size is {config.buffer_size}; allowed is at least {worlds.n_worlds}, the number of worlds"
        )
    run.record(evaluate)
    if save_to is not None:
        _save(run.state(), save_to)
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
    that is not such a run or is damaged, or ``worlds`` if they differ from those of the run, and in what; the file stays as it
    was.
    """
    path, state, config = _loaded(path)
    check_functions(progress=progress, evaluate=evaluate)
    run = _new_run(worlds, config, state["seed"], device, pieces, saved=True)
    try:
        check_same("worlds", run.kind(), state["kind"])
    except ValueError as error:
        raise ValueError(f"{error}; the run in {path} needs worlds like its own") from None
    try:
        run.restore(state)
    except Exception as error:
        raise ValueError(
            f"path: {path} holds no run that such worlds can go on with ({error!s:.120})"
        ) from error
    return _go_on(run, progress, evaluate, path)


def _new_run(worlds, config, seed, device, pieces, saved: bool) -> MADDPGRun:
    """A run that has made no step, with checked arguments."""
    check_batched_worlds("worlds", worlds, continuous=None)
    if saved and not (hasattr(worlds, "snapshot") and hasattr(worlds, "restore")):
        raise ValueError(
            f"worlds: to save a run they need snapshot() and restore(), got {worlds!r:.80}"
        )
    if pieces is not None:
        check_pieces(pieces, config)
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


def _new_file(save_to) -> Path:
    """A path that can be written to; raises ValueError naming ``save_to`` if it exists or its folder does not."""
    path = _as_path("save_to", save_to)
    try:
        if path.is_dir():
            raise ValueError(
                f"save_to: {path} is a folder; name a file in it, such as {path / 'run.pt'}"
            )
        if path.exists():
            raise ValueError(
                f"save_to: {path} exists; go on with resume_maddpg, or choose another name"
            )
        if not path.parent.is_dir():
            raise ValueError(f"save_to: there is no folder {path.parent}")
    except OSError as error:
        raise ValueError(f"save_to: {save_to!r:.80} cannot be a file ({error!s:.80})") from error
    return path


def _as_path(name: str, path) -> Path:
    """``path`` as a Path; raises ValueError naming ``name`` for anything else, and for empty text."""
    if not isinstance(path, str | Path) or path == "":
        raise ValueError(
            f"{name}: expected the name of a file, as text or a Path, got {path!r:.80}"
        )
    return Path(path)


def _save(state: dict, path: Path) -> None:
    """Write ``state`` beside ``path``, then put it in its place: whenever the program dies, ``path`` holds a whole run."""
    beside = path.with_name(path.name + ".part")
    torch.save(state, beside)
    os.replace(beside, path)


def _loaded(path) -> tuple[Path, dict, MADDPGConfig]:
    """A checked path, the state in that file, read without running any code that it may contain, and its config."""
    path = _as_path("path", path)
    try:
        if path.is_dir():
            raise ValueError("it is a folder; name the file in it that a run was saved to")
        state = torch.load(path, map_location="cpu", weights_only=True)
        check_parts(state)
        config = MADDPGConfig(**state["config"])
        as_count("seed", state["seed"], 0)
    except Exception as error:
        raise ValueError(f"path: {path} holds no saved run ({error!s:.120})") from error
    return path, state, config
