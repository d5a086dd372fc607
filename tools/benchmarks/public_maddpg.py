"""How fast a public MADDPG learns to talk: AgileRL's, on mpe2's simple_speaker_listener_v4 with continuous actions.

    python tools/benchmarks/public_maddpg.py --seed 0 --seconds 90 [--settings page]

runs in an environment of its own, which is kept out of this project's requirements (AgileRL brings many packages,
and pins the versions of some that the lessons use):

    python3 -m venv public
    public/bin/pip install torch==2.13.0
    public/bin/pip install agilerl==2.58.0 mpe2==1.1.1
    public/bin/python tools/benchmarks/public_maddpg.py --seed 0

Prints one line of JSON. ``seconds`` are wall seconds of training: acting, the worlds, storing and learning; neither the
import nor the making of worlds and networks nor evaluation is in them. ``env_steps`` counts the steps of all worlds
together. A return is that of one agent over the 25 steps of an episode, undiscounted (both agents get the same reward), of
the policy without noise, as a mean over fresh episodes. ``better_than`` says when an evaluation first exceeded each
threshold, null if none did. ``cpu_seconds`` is this process alone, without the worlds' processes. A measurement, not a test.

The library's networks, replay, noise and updates are used untouched. The loop around them follows the one that the library
prints for this task: when it learns, what it stores, when it resets the noise. Its vectorised worlds begin the next episode
within the step that the clock cuts short, so what it stores as the last transition's next observation belongs to the next
episode. ``--change '{"worlds": 16}'`` replaces single settings. Three settings have names:

page   the example on the documentation's page about MADDPG, for this task: the class's own defaults, 8 worlds, each in a
       process of its own
yaml   the library's configs/training/multi_agent/maddpg.yaml, for this task, without the evolution of a population
quick  the best of a few variations of page tried for a budget of 90 seconds, one seed each: ten times the noise, larger
       batches, a smaller step of the critic, a nearer horizon and faster targets. The page's noise starts each episode at
       zero and has a standard deviation of 0.05, of an action range of 2, at the end of its 25 steps. Seeds differ about
       as much as the variations do
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are first imported

import numpy as np

try:
    import torch
    from agilerl.algorithms import MADDPG
    from agilerl.components.data import MultiAgentTransition
    from agilerl.components.replay_buffer import ReplayBuffer
    from agilerl.vector import PzDummyVecEnv
    from agilerl.vector.pz_async_vec_env import AsyncPettingZooVecEnv
    from mpe2 import simple_speaker_listener_v4
except ImportError as missing:
    raise SystemExit(
        f"{missing}. This benchmark needs AgileRL in an environment of its own: "
        "pip install torch==2.13.0, then pip install agilerl==2.58.0 mpe2==1.1.1"
    ) from missing

TIME_LIMIT = 25
THRESHOLDS = (-20, -15, -12, -10, -9)

PAGE = {
    "worlds": 8, "memory": 1_000_000, "batch_size": 64, "lr_actor": 0.001, "lr_critic": 0.01,
    "learn_step": 5, "gamma": 0.95, "tau": 0.01, "O_U_noise": True, "expl_noise": 0.1,
    "theta": 0.15, "dt": 0.01, "net_config": None,
}  # fmt: skip
YAML = {
    "worlds": 16, "memory": 100_000, "lr_actor": 0.0001, "lr_critic": 0.001, "learn_step": 16,
    "tau": 0.001,
    "net_config": {
        "latent_dim": 64, "encoder_config": {"hidden_size": [64]},
        "head_config": {"hidden_size": [64, 64], "activation": "ReLU"},
    },
}  # fmt: skip
QUICK = {"expl_noise": 1.0, "batch_size": 256, "lr_critic": 0.003, "gamma": 0.85, "tau": 0.03}
SETTINGS: dict[str, dict[str, Any]] = {"page": PAGE, "yaml": PAGE | YAML, "quick": PAGE | QUICK}


def new_world():
    """One copy of the task."""
    return simple_speaker_listener_v4.parallel_env(max_cycles=TIME_LIMIT, continuous_actions=True)


def greedy_return(learner: MADDPG, worlds: list, rounds: int) -> float:
    """Mean return of one agent without noise, over ``rounds`` fresh episodes of each world."""
    learner.set_training_mode(False)
    names, total = worlds[0].possible_agents, 0.0
    for _ in range(rounds):
        seen = [world.reset()[0] for world in worlds]
        for _ in range(TIME_LIMIT):
            stacked = {name: np.stack([each[name] for each in seen]) for name in names}
            actions, _ = learner.get_action(obs=stacked)
            outcomes = [
                world.step({name: actions[name][k] for name in names})
                for k, world in enumerate(worlds)
            ]
            seen = [outcome[0] for outcome in outcomes]
            total += sum(np.mean(list(outcome[1].values())) for outcome in outcomes)
    learner.set_training_mode(True)
    return float(total) / (rounds * len(worlds))


def updates_due(step: int, n_worlds: int, learn_step: int) -> int:
    """How often the library learns after its ``step``-th vector step: once in ``learn_step`` env steps, rounded its way."""
    if learn_step > n_worlds:
        return int(step % (learn_step // n_worlds) == 0)
    return n_worlds // learn_step


def train(learner: MADDPG, env, memory: ReplayBuffer, seed: int) -> Iterator[None]:
    """The library's training loop; stops for a look after every vector step."""
    observations, infos = env.reset(seed=seed)
    step = 0
    while True:
        actions, raw = learner.get_action(obs=observations, infos=infos)
        following, rewards, terminated, truncated, infos = env.step(actions)
        transition = MultiAgentTransition(
            obs=observations, action=raw, reward=rewards, next_obs=following, done=terminated
        ).to_tensordict()
        transition.batch_size = [env.num_envs]
        memory.add(transition)
        if len(memory) >= learner.batch_size:
            for _ in range(updates_due(step, env.num_envs, learner.learn_step)):
                learner.learn(memory.sample(learner.batch_size))
        over = np.logical_or(*(np.stack(list(flags.values())) for flags in (terminated, truncated)))
        learner.reset_action_noise(np.flatnonzero(over.all(axis=0)).tolist())
        observations, step = following, step + 1
        yield


def timed(
    training: Iterator[None],
    evaluate: Callable[[], float],
    n_worlds: int,
    every: int,
    limit: float,
) -> tuple[list[tuple[float, int, float]], float]:
    """Runs until ``limit`` seconds of training. Returns the curve (seconds, env steps, return) and the CPU seconds."""
    curve, seconds, cpu, env_steps = [(0.0, 0, evaluate())], 0.0, 0.0, 0
    while seconds < limit:
        start, start_cpu = time.perf_counter(), time.process_time()
        for _ in range(every // n_worlds):
            next(training)
        seconds += time.perf_counter() - start
        cpu += time.process_time() - start_cpu
        env_steps += every // n_worlds * n_worlds
        curve.append((round(seconds, 2), env_steps, round(evaluate(), 3)))
    return curve, cpu


def first_better(curve: list[tuple[float, int, float]]) -> dict[str, dict[str, float] | None]:
    """For each threshold the seconds and env steps of the first evaluation above it."""
    passed = {
        threshold: next((point for point in curve if point[2] > threshold), None)
        for threshold in THRESHOLDS
    }
    return {
        str(threshold): point and {"seconds": point[0], "env_steps": point[1]}
        for threshold, point in passed.items()
    }


def run(name: str, changes: dict[str, Any], seed: int, limit: float, every: int) -> dict[str, Any]:
    """One seed: makes worlds, networks and memory, trains, and describes what came out."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (the library draws from it)
    settings = SETTINGS[name] | changes
    options = dict(settings)
    n_worlds, memory = options.pop("worlds"), ReplayBuffer(max_size=options.pop("memory"))
    env = (
        PzDummyVecEnv(new_world())
        if n_worlds == 1
        else AsyncPettingZooVecEnv([new_world for _ in range(n_worlds)])
    )
    learner = MADDPG(
        [env.single_observation_space(agent) for agent in env.agents],
        [env.single_action_space(agent) for agent in env.agents],
        list(env.agents),
        vect_noise_dim=n_worlds,
        **options,
    )
    learner.set_training_mode(True)
    judges = [new_world() for _ in range(50)]
    for k, world in enumerate(judges):
        world.reset(seed=1_000_000 + 1_000 * seed + k)
    rounds = 4
    curve, cpu = timed(
        train(learner, env, memory, 10_000 * (seed + 1)),
        lambda: greedy_return(learner, judges, rounds),
        n_worlds,
        every,
        limit,
    )
    env.close()
    return {
        "library": "agilerl",
        "version": version("agilerl"),
        "versions": {package: version(package) for package in ("torch", "numpy", "mpe2")},
        "cores": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "seed": seed,
        "settings_name": name,
        "settings": settings,
        "worlds_in": "this process" if n_worlds == 1 else f"{n_worlds} processes",
        "episodes_per_evaluation": rounds * len(judges),
        "env_steps_per_second": round(curve[-1][1] / curve[-1][0]),
        "cpu_seconds": round(cpu, 2),
        "best_return": max(point[2] for point in curve),
        "better_than": first_better(curve),
        "curve": curve,
    }


def number(text: str) -> int:
    """A whole number of at least 0 from the command line; raises ArgumentTypeError for anything else."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def duration(text: str) -> float:
    """Seconds, more than 0, from the command line; raises ArgumentTypeError or ValueError for anything else."""
    if not 0 < float(text) < np.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text!r}")
    return float(text)


def table(text: str) -> dict[str, Any]:
    """A JSON object from the command line; raises ArgumentTypeError or ValueError for anything else."""
    if not isinstance(json.loads(text), dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object, got {text!r}")
    return json.loads(text)


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """``arguments``, or those of the command line; evaluations are at least one step of all worlds apart."""
    look = argparse.ArgumentDefaultsHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], formatter_class=look)
    parser.add_argument("--seed", type=number, default=0, help="of the run")
    parser.add_argument("--seconds", type=duration, default=90.0, help="training time")
    parser.add_argument("--settings", choices=SETTINGS, default="page", help="named in this file")
    parser.add_argument("--every", type=number, default=2_000, help="env steps to an evaluation")
    parser.add_argument("--change", type=table, default={}, help="JSON, over the settings")
    args = parser.parse_args(arguments)
    worlds = (SETTINGS[args.settings] | args.change)["worlds"]
    if not isinstance(worlds, int) or not 1 <= worlds <= args.every:
        parser.error(f"argument --every: {args.every} env steps are no step of {worlds!r} worlds")
    return args


if __name__ == "__main__":
    given = read_arguments()
    print(json.dumps(run(given.settings, given.change, given.seed, given.seconds, given.every)))
