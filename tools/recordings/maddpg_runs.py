"""The recorded runs of lesson 09: learning curves of MADDPG and its relatives, too slow to repeat in a notebook.

    python -m tools.recordings.maddpg_runs speaker_listener --processes 2

Run it from the repository's root. It trains ten seeds of every method, one thread a process, and writes
``data/maddpg_<name>.json``; ``--overwrite`` replaces a file that is there, ``--seeds`` trains another number of them. The
seeds are 100 and those that follow, whatever they return.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from marl_lessons.algorithms.deep.maddpg import train_maddpg
from marl_lessons.algorithms.deep.maddpg_update import MADDPGConfig
from marl_lessons.algorithms.deep.maddpg_variants import BLINKERS, FAULTS
from marl_lessons.envs import ParticleWorlds, simple_speaker_listener, simple_spread
from marl_lessons.evaluation import play_episodes
from marl_lessons.evaluation.recorded import Curves
from tools.recordings.recording import (
    N_SEEDS,
    arguments_of,
    as_text,
    command,
    machine,
    seeds_from_first,
    side_by_side,
    write,
)

N_EPISODES = 400  # the same ones at each measurement, played without exploration
EVALUATION_SEED = 1

JOINT = MADDPGConfig(n_steps=6_000, n_records=24)
SHORT = MADDPGConfig(n_steps=3_000, n_records=12)
# The best of about 15 settings tried for independent DDPG: noise that lasts longer, and a short memory.
LOCAL = replace(JOINT, central=False, noise_correlation=0.85, buffer_size=12_500)
LONG = replace(LOCAL, n_steps=12_000, n_records=24, buffer_size=25_000)
SPREAD = MADDPGConfig(
    n_steps=8_000, n_records=16, discount=0.9, target_rate=0.05, actor_rate=2e-3, critic_rate=8e-3,
    noise_start=0.3, noise_end=0.05, noise_over=4_000, noise_correlation=0.5,
)  # fmt: skip
SPREAD_ALONE = replace(SPREAD, central=False, critic_rate=4e-3, noise_end=0.1)

# In these worlds nothing ends by itself; and holding actions small slows learning down, no more.
NOT_SHOWN = ("ends are dropped", "actions held small, not logits")

PIECES = FAULTS | BLINKERS
Task = tuple[str, MADDPGConfig, str | None]  # label, settings, a key of PIECES


def without_noise(config: MADDPGConfig) -> MADDPGConfig:
    """The same settings with no exploration at all."""
    return replace(config, noise_start=0.0, noise_end=0.0)


class Experiment(NamedTuple):
    """Methods to compare in one kind of worlds; ``vectors``: whether actions are vectors, or whole numbers."""

    make: Callable[..., ParticleWorlds]
    tasks: list[Task]
    n_worlds: int = 16  # that learn together
    vectors: bool = True


RUNS = {
    "speaker_listener": Experiment(
        simple_speaker_listener,
        [
            ("MADDPG, correlated noise", JOINT, None),
            ("MADDPG, no noise", without_noise(JOINT), None),
            ("independent DDPG, correlated noise", LOCAL, None),
            ("independent DDPG, no noise", without_noise(LOCAL), None),
        ],
    ),
    "longer": Experiment(simple_speaker_listener, [("independent DDPG", LONG, None)], n_worlds=32),
    "faults": Experiment(
        simple_speaker_listener,
        [
            ("as it should be", SHORT, None),
            ("time limit taken for the end", replace(SHORT, bootstrap_on_truncation=False), None),
            *[(name, SHORT, name) for name in FAULTS if name not in NOT_SHOWN],
        ],
    ),
    "sight": Experiment(
        simple_speaker_listener,
        [
            *[(name, JOINT, name) for name in BLINKERS],
            ("MADDPG, the other's settings", replace(LOCAL, central=True), None),
            ("independent DDPG, the other's settings", replace(JOINT, central=False), None),
        ],
    ),
    "words": Experiment(simple_speaker_listener, [("MADDPG", JOINT, None)], vectors=False),
    "spread": Experiment(
        simple_spread,
        [("MADDPG", SPREAD, None), ("independent DDPG", SPREAD_ALONE, None)],
        n_worlds=32,
    ),
}


def greedy_return(make: Callable[..., ParticleWorlds], vectors: bool = True) -> Callable:
    """A function that judges a policy: its mean return per agent in N_EPISODES episodes, without exploration.

    ``vectors``: whether actions are vectors; otherwise whole numbers.
    """
    worlds = make(N_EPISODES, continuous_actions=vectors)

    def judge(policy) -> float:
        rng = np.random.default_rng(EVALUATION_SEED)
        return float(play_episodes(worlds, policy.act, 1, rng).returns.mean())

    return judge


def train_one(name: str, which: int, seed: int) -> Curves:
    """The curve of one seed of entry ``which`` of RUNS[name], trained on one thread."""
    torch.set_num_threads(1)
    make, tasks, n_worlds, vectors = RUNS[name]
    _, config, exchanged = tasks[which]
    worlds = make(n_worlds, continuous_actions=vectors)
    pieces = None if exchanged is None else PIECES[exchanged]
    judge = greedy_return(make, vectors)
    run = train_maddpg(worlds, config, seed, evaluate=judge, pieces=pieces)
    return Curves(run.env_steps, run.evaluations[:, None], run.seconds[:, None], np.array([seed]))


def about(name: str, processes: int, n_seeds: int = N_SEEDS) -> Mapping:
    """What the file says of itself."""
    return {
        "command": command("maddpg_runs", name, processes, n_seeds),
        "returns": f"mean per agent, {N_EPISODES} episodes without exploration, undiscounted",
        "worlds": RUNS[name].n_worlds,
        **machine(),
        "settings": {label: as_text(config) for label, config, _ in RUNS[name].tasks},
    }


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """``arguments``, or those of the command line."""
    return arguments_of(__doc__.splitlines()[0], "maddpg", RUNS, arguments)


def main() -> None:
    """Train, print the sorted last returns of each entry, and write the file."""
    args = read_arguments()
    curves = {}
    with ProcessPoolExecutor(args.processes) as pool:
        for which, (label, *_) in enumerate(RUNS[args.name].tasks):
            futures = [
                pool.submit(train_one, args.name, which, seed)
                for seed in seeds_from_first(args.seeds)
            ]
            curves[label] = side_by_side([future.result() for future in futures])
            final = np.sort(curves[label].returns[-1])
            print(f"{label:40} final {np.round(final, 1)}", flush=True)
    write(args, curves, about(args.name, args.processes, args.seeds))


if __name__ == "__main__":
    main()
