"""How fast the particle worlds step and MADDPG learns, beside mpe2 and a public MADDPG, in one run.

    python -m tools.benchmarks.maddpg --public PYTHON

Run it from the repository's root, on a quiet machine; everything uses one thread. ``--public`` names the python of an
environment in which ``tools/benchmarks/public_maddpg.py`` runs; without it that comparison is left out.

Returns are per agent and episode, without exploration. While our learners learn they are measured in 400 episodes of our
worlds, at the end in 400 episodes of mpe2's own; those of the public implementation in 200 episodes of mpe2's own. Seconds
are those of acting and learning; measuring does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from marl_lessons.algorithms.deep.maddpg import train_maddpg
from marl_lessons.envs import (
    mpe_worlds,
    simple_speaker_listener,
    simple_spread,
    simple_tag,
)
from marl_lessons.evaluation import play_episodes, random_actions
from tools.recordings.maddpg_runs import JOINT, LOCAL, RUNS, greedy_return
from tools.recordings.recording import count

SCENES = {
    "simple_spread": simple_spread,
    "simple_speaker_listener": simple_speaker_listener,
    "simple_tag": simple_tag,
}
THRESHOLDS = (-20, -15, -12, -10, -9)
PUBLIC = Path(__file__).with_name("public_maddpg.py")


def steps_per_second(worlds, n_steps: int) -> float:
    """Env steps of all worlds together in one CPU second: random actions, resets included."""
    rng = np.random.default_rng(0)
    act = random_actions(rng)
    seen = worlds.reset(rng)
    actions = [act(worlds, seen) for _ in range(50)]
    began = time.process_time()
    for step in range(n_steps):
        result = worlds.step(actions[step % 50], rng)
        if result.ended.any():
            worlds.reset_where(result.ended, rng)
    return n_steps * worlds.n_worlds / (time.process_time() - began)


def mpe2_steps_per_second(name: str, continuous: bool, n_steps: int = 5_000) -> float:
    """The same of mpe2's parallel environment, stepped as its own users do."""
    (env,) = mpe_worlds(name, continuous_actions=continuous).envs
    env.reset(seed=0)
    actions = [{a: env.action_space(a).sample() for a in env.possible_agents} for _ in range(50)]
    began = time.process_time()
    for step in range(n_steps):
        env.step(actions[step % 50])
        if not env.agents:
            env.reset()
    return n_steps / (time.process_time() - began)


def compare_worlds(n_worlds: int = 256) -> None:
    """Print how many times as fast as mpe2 the particle worlds are."""
    print(f"\nEnv steps per CPU second, {n_worlds} worlds against mpe2 {version('mpe2')}")
    print(f"{'scene':26}{'actions':12}{'mpe2':>8}{'ours':>12}{'ratio':>8}")
    for name, make in SCENES.items():
        for continuous in (False, True):
            theirs = mpe2_steps_per_second(name, continuous)
            ours = steps_per_second(make(n_worlds, continuous_actions=continuous), 1_500)
            kind = "vectors" if continuous else "numbers"
            print(f"{name:26}{kind:12}{theirs:8,.0f}{ours:12,.0f}{ours / theirs:8.0f}")


def first_beyond(places, returns, threshold: float) -> float:
    """The first of ``places[K]`` at which ``returns[K]`` are beyond the threshold; infinite if none is."""
    beyond = np.flatnonzero(np.asarray(returns) > threshold)
    return float(places[beyond[0]]) if len(beyond) else np.inf


def learn(label: str, config, seeds: range) -> None:
    """Train every seed and print when it first passed each threshold, and what it returns on mpe2 in the end."""
    rows, final, spent = [], [], []
    judge = greedy_return(simple_speaker_listener)
    theirs = mpe_worlds("simple_speaker_listener", 40, continuous_actions=True)
    for seed in seeds:
        worlds = simple_speaker_listener(RUNS["speaker_listener"].n_worlds, continuous_actions=True)
        run = train_maddpg(worlds, config, seed, evaluate=judge)
        rows.append(
            [
                (
                    first_beyond(run.seconds, run.evaluations, t),
                    first_beyond(run.env_steps, run.evaluations, t),
                )
                for t in THRESHOLDS
            ]
        )
        played = play_episodes(theirs, run.policy.act, 10, np.random.default_rng(seed))
        final.append(played.returns.mean())
        spent.append(run.seconds[-1])
    print_thresholds(label, np.array(rows))
    at = f"{int(run.env_steps[-1]):,} env steps, {np.median(spent):.1f} s (longest {max(spent):.1f} s)"
    print(f"  on mpe2 after {at}: {np.sort(np.round(final, 1))}")
    print(f"  beyond -9 on mpe2: {sum(f > -9 for f in final)} of {len(final)} seeds", flush=True)


def print_thresholds(label: str, rows: np.ndarray) -> None:
    """``rows[S, T, 2]``: seconds and env steps to each threshold, infinite where a seed never passed it."""
    print(f"\n{label}, {len(rows)} seeds")
    for k, threshold in enumerate(THRESHOLDS):
        seconds, steps = np.sort(rows[:, k], axis=0).T
        passed = int(np.isfinite(seconds).sum())
        middle = f"median {np.median(seconds):6.1f} s {np.median(steps) / 1000:7.0f}k env steps"
        spread = f"({seconds[0]:.1f} to {seconds[-1]:.1f} s)"
        print(f"  beyond {threshold:4}: {passed:2} seeds, {middle} {spread}", flush=True)


def learn_elsewhere(python: str, seeds: range, seconds: float, settings: str) -> None:
    """The same for the public implementation, each seed for a fixed time of training, on mpe2 itself."""
    rows = []
    for seed in seeds:
        command = [python, str(PUBLIC), "--seed", str(seed), "--seconds", str(seconds)]
        done = subprocess.run([*command, "--settings", settings], capture_output=True, check=True)
        answer = json.loads(done.stdout)
        passed = [answer["better_than"][str(t)] for t in THRESHOLDS]
        rows.append([(p["seconds"], p["env_steps"]) if p else (np.inf, np.inf) for p in passed])
    label = (
        f"{answer['library']} {answer['version']}, settings {settings}, {seconds:g} s of training"
    )
    print_thresholds(label, np.array(rows))


def duration(text: str) -> float:
    """Seconds, more than 0, from the command line; raises ArgumentTypeError or ValueError for anything else."""
    if not 0 < float(text) < np.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")
    return float(text)


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """``arguments``, or those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ours = "how many of each of our learners, 1000 and those that follow (default: 10)"
    parser.add_argument("--seeds", type=count, default=10, help=ours)
    parser.add_argument("--public", help="python of an environment with the public implementation")
    theirs = "how many of the public implementation, 0 and those that follow (default: 3)"
    parser.add_argument("--public-seeds", type=count, default=3, help=theirs)
    training = "seconds of training for each of its seeds (default: 120)"
    parser.add_argument("--public-seconds", type=duration, default=120.0, help=training)
    args = parser.parse_args(arguments)
    if args.public is not None and shutil.which(args.public) is None:
        parser.error(f"argument --public: there is no program {args.public!r}")
    return args


def main() -> None:
    """Print all figures."""
    args = read_arguments()
    torch.set_num_threads(1)
    cores = f"{os.cpu_count()} cores, one used"
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}, {cores}"
    )
    compare_worlds()
    seeds = range(1_000, 1_000 + args.seeds)
    learn("MADDPG", JOINT, seeds)
    learn("Independent DDPG", LOCAL, seeds)
    if args.public:
        for settings in ("page", "quick"):
            learn_elsewhere(args.public, range(args.public_seeds), args.public_seconds, settings)


if __name__ == "__main__":
    main()
