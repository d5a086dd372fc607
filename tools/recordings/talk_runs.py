"""The recorded runs of lesson 10: learning curves of agents that learn to talk, too slow to repeat in a notebook.

    python -m tools.recordings.talk_runs junction --processes 2

Run it from the repository's root. It trains ten seeds of every method, one thread a process, and writes
``data/talk_<name>.json``; ``--overwrite`` replaces a file that is there, ``--seeds`` trains another number of them. The seeds
are 100 and those that follow, whatever they achieve.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from marl_lessons.algorithms.deep.iql import DeepIQLConfig, train_iql
from marl_lessons.algorithms.tables.schedules import Linear
from marl_lessons.algorithms.talk.commnet import CommNet
from marl_lessons.algorithms.talk.riddle import RiddleConfig, train_riddle
from marl_lessons.algorithms.talk.worlds import GatedWorlds
from marl_lessons.envs import TrafficJunction
from marl_lessons.envs.games.riddle import every_sequence
from marl_lessons.evaluation import play_episodes
from marl_lessons.evaluation.recorded import Curves
from marl_lessons.evaluation.talk.levels import riddle_levels
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

N_WORLDS, N_EPISODES, EVALUATION_SEED = 64, 400, 1


def junction_config(n_steps: int, network, exploring: float = 0.6, **settings) -> DeepIQLConfig:
    """Settings on the Traffic Junction: exploration falls over a share of the steps, rewards are scaled to a size of 1."""
    epsilon = Linear(1.0, 0.02, int(exploring * n_steps), per="step")
    common = {"reward_scale": 0.1, "agent_id": False, "n_records": 20}
    return DeepIQLConfig(n_steps=n_steps, epsilon=epsilon, network=network, **common, **settings)


class Task(NamedTuple):
    """A method: its label and settings; ``price`` of a message for cars with a gate, from step ``since`` on, else None."""

    label: str
    config: DeepIQLConfig | RiddleConfig
    price: float | None = None
    since: int = 0


class Experiment(NamedTuple):
    """Methods to compare; ``level``: of the Traffic Junction, None: the switch riddle with three prisoners."""

    level: str | None
    tasks: list[Task]


EASY, MEDIUM = 2_500, 10_000
SMALL = (32, 32)
SUM, WIDE = CommNet(SMALL, divisor=3.0), CommNet((64, 64), divisor=3.0)
PATIENT = {
    "target_interval": 1_000,
    "buffer_size": 100_000,
    "learning_rate": Linear(1.5e-3, 5e-5, MEDIUM, per="step"),
}
GATED = CommNet(SMALL, divisor=3.0, gated=True)
RUNS = {
    "riddle": Experiment(
        None,
        [
            Task("DIAL", RiddleConfig("dial", n_updates=3_000, n_records=30)),
            Task("RIAL", RiddleConfig("rial", n_updates=3_000, n_records=30)),
            Task("no channel", RiddleConfig("silent", n_updates=3_000, n_records=30)),
        ],
    ),
    "junction": Experiment(
        "easy",
        [
            Task("CommNet, sum", junction_config(EASY, SUM)),
            Task("CommNet, mean", junction_config(EASY, CommNet(SMALL))),
            Task("attention", junction_config(EASY, CommNet(SMALL, attention=True))),
            Task("no channel", junction_config(EASY, None)),
        ],
    ),
    "ingredients": Experiment(
        "easy",
        [
            Task("explores for 60 %", junction_config(EASY, SUM)),
            Task("explores for 20 %", junction_config(EASY, SUM, exploring=0.2)),
            Task("no layer after listening", junction_config(EASY, CommNet((32,), divisor=3.0))),
            Task("one number a message", junction_config(EASY, CommNet(SMALL, 1, divisor=3.0))),
        ],
    ),
    "medium": Experiment(
        "medium",
        [
            Task("CommNet, patient", junction_config(MEDIUM, WIDE, exploring=0.2, **PATIENT)),
            Task("CommNet, as on easy", junction_config(MEDIUM, WIDE, exploring=0.2)),
            Task("no channel", junction_config(MEDIUM, None, exploring=0.2, **PATIENT)),
        ],
    ),
    "price": Experiment(
        "easy",
        [
            Task("free", junction_config(EASY, GATED), 0.0),
            Task("price 1", junction_config(EASY, GATED), 1.0),
            Task("price 3", junction_config(EASY, GATED), 3.0),
            Task("price 3, late", junction_config(EASY, GATED), 3.0, int(0.6 * EASY)),
        ],
    ),
}


class Clock:
    """Seconds since it was made, without those spent in ``judge``, whose answers it keeps, ``[K][S]``."""

    def __init__(self, judge):
        self.judge, self.began, self.apart = judge, time.perf_counter(), 0.0
        self.seconds, self.answers = [], []

    def __call__(self, policy) -> None:
        """Measure, and note when."""
        before = time.perf_counter()
        self.seconds.append(before - self.began - self.apart)
        self.answers.append(np.atleast_1d(self.judge(policy)))
        self.apart += time.perf_counter() - before


def curves_of(clock: Clock, answers: np.ndarray, env_steps: np.ndarray, seeds) -> Curves:
    """``answers[K, S]`` of the clock, as curves."""
    seconds = np.repeat(np.array(clock.seconds)[:, None], len(seeds), axis=1)
    return Curves(env_steps, answers, seconds, np.array(list(seeds)))


def labels(task: Task) -> list[str]:
    """What a task's curves are called: of cars with a gate there is a second one, of how many talk."""
    return [task.label] if task.price is None else [task.label, f"{task.label}: talking"]


def learn_junction(level: str, task: Task, seed: int) -> list[Curves]:
    """One seed's share of episodes without collision, N_EPISODES at each record, the same ones; and of cars that talk."""

    def roads(n_worlds: int, price: float = 0.0):
        inside = TrafficJunction(level, n_worlds)
        return inside if task.price is None else GatedWorlds(inside, price)

    others, worlds = roads(N_EPISODES), roads(N_WORLDS, 0.0 if task.since else task.price or 0.0)

    def failed(worlds) -> np.ndarray:
        return worlds.failed if task.price is None else worlds.worlds.failed

    def judge(policy) -> list[float]:
        talks, there = 0, 0

        def act(worlds, seen):
            nonlocal talks, there
            if task.price is not None:
                talks, there = talks + worlds.talks.sum(), there + worlds.active.sum()
            return policy(seen)

        rng = np.random.default_rng(EVALUATION_SEED)
        success = 1 - play_episodes(others, act, 1, rng, failed).measured.mean()
        return [success] if task.price is None else [success, talks / there]

    def raise_price(worlds, step: int) -> None:
        if task.since and step == task.since:
            worlds.price = task.price

    clock = Clock(judge)
    history = train_iql(worlds, task.config, (seed,), evaluate=clock, before_step=raise_price)
    columns = np.array(clock.answers).T[..., None]
    return [curves_of(clock, column, history.steps * N_WORLDS, (seed,)) for column in columns]


def learn_riddle(config: RiddleConfig, seeds: range) -> list[Curves]:
    """All seeds' expected rewards, exact, as shares of what somebody who sees everything expects."""
    days, oracle = every_sequence(config.n_agents), float(riddle_levels(config.n_agents).oracle)
    clock = Clock(lambda policy: policy.play(days).scores / oracle)
    history = train_riddle(config, seeds, evaluate=clock)
    return [curves_of(clock, np.array(clock.answers), history.episodes, seeds)]


def train(name: str, which: int, seeds: range) -> list[Curves]:
    """Entry ``which`` of RUNS[name] for some seeds, on one thread: curves for each of its labels."""
    torch.set_num_threads(1)
    level, task = RUNS[name].level, RUNS[name].tasks[which]
    if level is None:
        return learn_riddle(task.config, seeds)
    runs = [learn_junction(level, task, seed) for seed in seeds]
    return [side_by_side(list(parts)) for parts in zip(*runs)]


def about(name: str, processes: int, n_seeds: int = N_SEEDS) -> Mapping:
    """What the file says of itself."""
    level, tasks = RUNS[name]
    returns = f"share of {N_EPISODES} episodes without collision, no exploration; talking: of cars and moments"
    steps = f"steps of all {N_WORLDS} worlds together"
    if level is None:
        returns = "expected reward without exploration, exact, as a share of the oracle's"
        steps = "episodes, and seconds for all seeds together"
    return {
        "command": command("talk_runs", name, processes, n_seeds),
        "returns": returns,
        "env_steps": steps,
        **machine(),
        "settings": {
            task.label: as_text(task.config) | {"price": str(task.price), "since": str(task.since)}
            for task in tasks
        },
    }


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """``arguments``, or those of the command line."""
    return arguments_of(__doc__.splitlines()[0], "talk", RUNS, arguments)


def main() -> None:
    """Train, print the sorted last levels of each entry, and write the file."""
    args = read_arguments()
    seeds, curves = seeds_from_first(args.seeds), {}
    shares = [seeds] if RUNS[args.name].level is None else [range(s, s + 1) for s in seeds]
    with ProcessPoolExecutor(args.processes) as pool:
        futures = [
            [pool.submit(train, args.name, which, share) for share in shares]
            for which in range(len(RUNS[args.name].tasks))
        ]
        for task, runs in zip(RUNS[args.name].tasks, futures):
            for label, parts in zip(labels(task), zip(*(run.result() for run in runs))):
                curves[label] = side_by_side(list(parts))
                final = np.sort(np.round(curves[label].returns[-1], 3))
                print(f"{label:16} final {final}", flush=True)
    write(args, curves, about(args.name, args.processes, args.seeds), decimals=4)


if __name__ == "__main__":
    main()
