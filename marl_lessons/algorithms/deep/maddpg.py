"""MADDPG: actors that see for themselves, trained with critics that see everyone (Lowe et al. 2017)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from marl_lessons.algorithms.deep.actor_policy import ActorPolicy, Critics, allowed_entries
from marl_lessons.algorithms.deep.maddpg_update import (
    MADDPGConfig,
    Networks,
    Pieces,
    by_agent,
    check_pieces,
    maddpg_update,
)
from marl_lessons.algorithms.deep.networks import (
    check_functions,
    check_numbers,
    check_step,
    checked_observations,
    copy_parameters,
    init_mlp,
    mlp,
    usable_device,
)
from marl_lessons.algorithms.deep.replay import Replay
from marl_lessons.algorithms.settings import as_config, record_moments
from marl_lessons.checks import as_count, check_same
from marl_lessons.envs.stepping import (
    BatchedWorlds,
    are_continuous,
    check_batched_worlds,
)

# Noise for actions that are vectors: white, or correlated from one step to the next.


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


# What is measured while MADDPG learns.


@dataclass(frozen=True, eq=False)
class MADDPGHistory:
    """What was recorded: K+1 moments, n agents.

    steps ``[K+1]``         steps that every world had made before the record
    env_steps ``[K+1]``     the same in all worlds together
    updates ``[K+1]``       updates made
    noise ``[K+1]``         standard deviation of the exploration noise
    losses ``[K+1, n]``     mean loss of each critic since the record before; NaN where there were no updates
    seconds ``[K+1]``       seconds spent on acting and learning, evaluations aside; the one thing that differs between runs
    policies                K+1 joint policies without exploration
    critics                 the critics at the end
    evaluations ``[K+1, …]``  answers of the caller's ``evaluate``, or None
    returns ``[episodes, n]`` undiscounted return of every finished episode, exploration included
    ended_at ``[episodes]``   the steps that each world had made when the episode ended
    """

    steps: np.ndarray
    env_steps: np.ndarray
    updates: np.ndarray
    noise: np.ndarray
    losses: np.ndarray
    seconds: np.ndarray
    policies: tuple
    critics: Callable
    evaluations: np.ndarray | None
    returns: np.ndarray
    ended_at: np.ndarray
    seed: int

    @property
    def policy(self):
        """The last policy."""
        return self.policies[-1]


def judged(evaluate, policy, records: list[dict]) -> float | list | None:
    """What ``evaluate`` says of ``policy``, as plain numbers; raises ValueError naming it if that is not like its ``records``."""
    answer = None
    if evaluate is not None:
        value = evaluate(policy)
        if value is None:
            raise ValueError("evaluate: expected numbers, got None; does it return its answer?")
        try:
            answer = np.asarray(value, dtype=float).tolist()
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"evaluate: expected numbers, got {value!r:.80}") from error
    before = records[-1]["evaluation"] if records else answer
    if (answer is None) != (before is None) or np.shape(answer) != np.shape(before):
        raise ValueError(f"evaluate: the record before has {before!r:.60}, this one {answer!r:.60}")
    return answer


# What a saved run of MADDPG must hold, so that going on from a damaged file fails at once and says why.

PARTS = {
    "config": dict,
    "seed": int,
    "kind": dict,
    "networks": list,
    "optimizers": list,
    "replay": dict,
    "worlds": dict,
    "rng": dict,
    "generator": None,
    "noise": None,
    "seen": None,
    "total": None,
    "counts": list,
    "seconds": float,
    "ended": list,
    "records": list,
}  # None: a tensor


def kind_of(worlds, action_sizes, continuous: bool, snapshot: dict) -> dict:
    """What worlds must have in common for one to take the other's place in a run, and what they say of it in a ``snapshot``."""
    sizes = {"actions": action_sizes, "observations": worlds.observation_sizes}
    lists = {name: [int(size) for size in each] for name, each in sizes.items()}
    told = snapshot.get("kind", {})
    rules = told if isinstance(told, dict) else {"kind": told}
    return {"n_worlds": int(worlds.n_worlds), "continuous": continuous, **rules, **lists}


def check_parts(state) -> None:
    """Raises ValueError unless ``state`` is a dict with all :data:`PARTS`, each of its type."""
    if not isinstance(state, dict):
        raise ValueError(f"it is a {type(state).__name__}, not a run")
    missing = [name for name in PARTS if name not in state]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")
    for name, kind in PARTS.items():
        if not (hasattr(state[name], "shape") if kind is None else type(state[name]) is kind):
            raise ValueError(f"{name} is {state[name]!r:.60}")
    if not {"n_worlds", "continuous", "actions", "observations"} <= set(state["kind"]):
        raise ValueError(f"kind is {state['kind']!r:.60}")


def check_state(state: dict, fresh: dict, moments: list[int]) -> None:
    """Raises ValueError unless ``state``, checked by :func:`check_parts`, may be that of a run that began as ``fresh``.

    ``moments``: the steps at which the run makes its records. What replay and worlds hold is left to them.
    """
    for name in ("networks", "rng", "generator", "noise", "seen", "total", "counts"):
        check_like(name, state[name], fresh[name])
    actors, critics = fresh["networks"][:2]
    n = len(actors[0])
    check_records(state, moments, n, actors)
    check_ended(state["ended"], n)
    stored, n_rows = state["replay"].get("n_stored"), state["counts"][0] * fresh["kind"]["n_worlds"]
    if stored != n_rows:
        raise ValueError(f"replay['n_stored'] is {stored!r:.60}, not {n_rows}")
    check_like("optimizers", [0] * len(state["optimizers"]), [0, 0])
    for i, learned in enumerate((actors, critics)):
        parts = [{"step": p.sum(), "exp_avg": p, "exp_avg_sq": p} for p in learned]
        model = dict(enumerate(parts)) if state["counts"][1] else {}
        check_like(f"optimizers[{i}]['state']", state["optimizers"][i]["state"], model)


def check_like(name: str, given, model) -> None:
    """Raises ValueError naming the first place where ``given`` is not built as ``model``: keys, lengths, types, shapes.

    What numbers it holds is free, but tensors must be finite.
    """
    if type(given) is not type(model):
        raise ValueError(f"{name} is {given!r:.60}")
    if isinstance(model, dict):
        if set(given) != set(model):
            raise ValueError(
                f"{name} has {sorted(given, key=str)!r:.60}, not {sorted(model)!r:.60}"
            )
        for key in model:
            check_like(f"{name}[{key!r}]", given[key], model[key])
    elif isinstance(model, list):
        if len(given) != len(model):
            raise ValueError(f"{name} has {len(given)} entries, not {len(model)}")
        for i, (mine, wanted) in enumerate(zip(given, model)):
            check_like(f"{name}[{i}]", mine, wanted)
    elif hasattr(model, "shape"):
        if given.shape != model.shape or given.is_floating_point() != model.is_floating_point():
            raise ValueError(f"{name} has shape {tuple(given.shape)}, not {tuple(model.shape)}")
        if not given.isfinite().all():
            raise ValueError(f"{name} is not finite")


def check_records(state: dict, moments: list[int], n_agents: int, actors: list) -> None:
    """Raises ValueError unless the records are those of the first ``moments``, and the counts those of the last record.

    ``actors``: tensors of the shapes that recorded actors must have.
    """
    records, (n_steps, n_updates) = state["records"], state["counts"]
    if not records:
        raise ValueError("records are empty")
    whole = {"step": 0, "updates": 0, "losses": [0.0] * n_agents, "seconds": 0.0, "actors": actors}
    for k, record in enumerate(records):
        check_like(f"records[{k}]", record, {**whole, "evaluation": _evaluation(k, record)})
    if [record["step"] for record in records] != moments[: len(records)]:
        raise ValueError("records were not made at the steps of its config")
    if [n_steps, n_updates] != [records[-1]["step"], records[-1]["updates"]]:
        raise ValueError(f"counts are {[n_steps, n_updates]}, not those of the last record")


def check_ended(ended: list, n_agents: int) -> None:
    """Raises ValueError unless ``ended`` are pairs of tensors: returns ``[episodes, n]`` and steps ``[episodes]``."""
    for k, pair in enumerate(ended):
        shapes = [tuple(getattr(part, "shape", ())) for part in pair] if type(pair) is list else []
        if len(shapes) != 2 or len(shapes[1]) != 1 or shapes[0] != (*shapes[1], n_agents):
            raise ValueError(f"ended[{k}] has shapes {shapes}")


def _evaluation(k: int, record):
    """What ``evaluate`` said at record k, if it is None, a number or a list."""
    value = record.get("evaluation", "nothing") if isinstance(record, dict) else "nothing"
    if value is not None and type(value) not in (float, list):
        raise ValueError(f"records[{k}]['evaluation'] is {value!r:.60}")
    return value


# A run of MADDPG: all that changes while it goes on, one step of it, and the same as plain data for a file.


class MADDPGRun:
    """One run with one seed; inner machinery whose arguments :mod:`~marl_lessons.algorithms.deep.maddpg` has checked.

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


# ------------------------------------------------------------


def train_maddpg(
    worlds: BatchedWorlds,
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
        others = mpe_worlds("simple_speaker_listener", continuous_actions=True)
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
    worlds: BatchedWorlds,
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
