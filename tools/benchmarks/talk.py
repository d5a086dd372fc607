"""What agents that talk reach, and in how many seconds: every learner of lesson 10 on seeds that no recorded run has used.

    python -m tools.benchmarks.talk --only signalling crossing junction riddle commnet

Run it from the repository's root, on a quiet machine; everything uses one thread. Without ``--only`` all parts are run. Each
row tells the lowest, the middle and the highest of all runs, how many keep to a level that is asked, with an interval for
their share (Wilson, 95 %), and the CPU seconds in which a run learns; of runs that learn side by side, their share.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from marl_lessons.algorithms import (
    Linear,
    PerVisit,
    TabularConfig,
    independent_q_learning_in_worlds,
)
from marl_lessons.algorithms.deep.iql import train_iql
from marl_lessons.algorithms.talk import (
    ListeningWorlds,
    crossing_language,
    greedy_in_worlds,
    junction_language,
    signalling_q_learning,
)
from marl_lessons.algorithms.talk.riddle import train_riddle
from marl_lessons.envs import (
    BlindCrossing,
    TrafficJunction,
    best_payoff,
    every_sequence,
    lewis,
)
from marl_lessons.evaluation import (
    chance_to_go,
    crossing_levels,
    pair_returns,
    play_episodes,
    riddle_levels,
    under_interventions,
    wilson_interval,
)
from marl_lessons.evaluation.talk.channels import mute, shuffle
from tools.recordings.recording import count, machine
from tools.recordings.talk_runs import N_WORLDS, RUNS, SUM, junction_config

FALLING = junction_config(
    3_500, SUM, exploring=0.2, learning_rate=Linear(1.5e-3, 5e-5, 3_500, per="step")
)
FIRST_SEED = 1_000
ROUNDING = 1e-9
N_EPISODES = 1_000  # fresh ones, for each policy


def timed(learn: Callable, *args, **settings):
    """What ``learn`` returns for its arguments, and the CPU seconds it took."""
    began = time.process_time()
    return learn(*args, **settings), time.process_time() - began


def show(
    label: str,
    reached: np.ndarray,
    at_least: float | None = None,
    at_most: float | None = None,
    seconds: float | None = None,
) -> None:
    """Print one row: ``reached[S]`` of all runs, and how many keep to what is asked."""
    reached, share = np.sort(np.asarray(reached, dtype=float)), ""
    for sign, asked in ((">=", at_least), ("<=", at_most)):
        if asked is not None:
            kept = reached >= asked - ROUNDING if sign == ">=" else reached <= asked + ROUNDING
            low, high = wilson_interval(int(kept.sum()), len(kept))
            share = f"{kept.sum():3} of {len(kept)} {sign} {asked:.3f} ({low:.2f} to {high:.2f})"
    levels = f"{reached[0]:7.3f} {np.median(reached):7.3f} {reached[-1]:7.3f}"
    spent = "" if seconds is None else f"{seconds:8.3f} s"
    print(f"  {label:32}{levels}  {share:38}{spent}", flush=True)


def signalling(n_seeds: int) -> None:
    """Lewis games: the expected payoff, exact, after 10,000 rounds."""
    seeds = range(FIRST_SEED, FIRST_SEED + 20 * n_seeds)
    for n_messages in (4, 2):
        game = lewis(4, n_messages=n_messages)
        pairs, seconds = timed(signalling_q_learning, game, seeds)
        label = f"Lewis, 4 states, {n_messages} words"
        show(label, pairs.payoff[-1], best_payoff(game), seconds=seconds / len(seeds))


def tables(worlds: ListeningWorlds, n_steps: int, discount: float):
    """The tables of one run in each of ``worlds``, and the seconds for all of them."""
    epsilon = Linear(0.3, 0.02, n_steps, per="step")
    config = TabularConfig(n_steps, PerVisit(0.6), epsilon, time_limit=None, n_records=1)
    dice = np.random.default_rng(FIRST_SEED)
    history, seconds = timed(
        independent_q_learning_in_worlds, worlds, config, dice, discount=discount
    )
    return history.q, seconds


def crossing(n_seeds: int) -> None:
    """The blind crossing on six cells, tables: the pair's return, exact, beside that of the best table, or of a coin."""
    runs = 3 * n_seeds
    roads, levels = BlindCrossing(runs, distance=6), crossing_levels(BlindCrossing(1, distance=6))
    for kind, best in (
        ("nothing", levels.silent.pair_return),
        ("one bit", levels.one_bit.pair_return),
        ("distance", levels.coin.pair_return),
        ("random symbol", levels.coin.pair_return),
    ):
        language = crossing_language(roads, kind, np.random.default_rng(FIRST_SEED))
        q, seconds = tables(ListeningWorlds(roads, *language), 2_000, discount=1.0)
        reached = pair_returns(roads, chance_to_go(roads, q, kind))[-1]
        show(f"blind crossing, {kind}", reached, best, seconds=seconds / runs)


def junction(n_seeds: int) -> None:
    """Traffic Junction, easy, no sight, tables with bits read from the buffer: the share of fresh episodes without collision."""
    for n_bits in range(4):

        def listening(n_worlds: int, n_bits=n_bits) -> ListeningWorlds:
            roads = TrafficJunction("easy", n_worlds)
            return ListeningWorlds(roads, *junction_language(roads, n_bits))

        q, seconds = tables(listening(n_seeds), 10_000, discount=0.95)
        dice, others = np.random.default_rng(FIRST_SEED), listening(N_EPISODES * n_seeds)
        played = play_episodes(others, greedy_in_worlds(q[-1]), 1, dice, lambda w: ~w.worlds.failed)
        reached = played.measured.reshape(n_seeds, -1).mean(axis=1)
        show(f"tables, {n_bits} bits", reached, seconds=seconds / n_seeds)


def riddle(n_seeds: int) -> None:
    """The switch riddle with three prisoners: the expected reward, exact, as a share of the oracle's."""
    days, levels = every_sequence(3), riddle_levels(3)
    seeds = range(FIRST_SEED, FIRST_SEED + n_seeds)
    oracle, silence = float(levels.oracle), float(levels.silent / levels.oracle)
    for task in RUNS["riddle"].tasks:
        history, seconds = timed(train_riddle, task.config, seeds)
        reached = history.policy.play(days).scores / oracle
        asked = {"at_most": silence} if task.label == "no channel" else {"at_least": 0.95}
        show(f"riddle, {task.label}", reached, seconds=seconds / n_seeds, **asked)


def success(policy, roads: TrafficJunction) -> float:
    """The share of fresh episodes, one in each of ``roads``, that pass without a collision."""
    dice = np.random.default_rng(FIRST_SEED)
    return play_episodes(
        roads, lambda _, seen: policy(seen), 1, dice, lambda w: ~w.failed
    ).measured.mean()


def commnet(n_seeds: int) -> None:
    """Traffic Junction, easy, no sight, CommNet: the share of fresh episodes without collision; seconds of the slowest run."""
    with_channel, without = (RUNS["junction"].tasks[k].config for k in (0, 3))
    roads, found, seconds = TrafficJunction("easy", N_EPISODES), [], []
    for seed in range(FIRST_SEED, FIRST_SEED + n_seeds):
        cars, spent = timed(train_iql, TrafficJunction("easy", N_WORLDS), with_channel, (seed,))
        seconds.append(spent)
        lies = shuffle(np.random.default_rng(seed))
        channels = {"CommNet": None, "muted": mute(), "shuffled": lies}
        tried = under_interventions(
            cars.policy, roads, channels, lambda w: ~w.failed, 1, seed=FIRST_SEED
        )
        found.append([tried[name].success.value for name in channels])
        deaf = train_iql(TrafficJunction("easy", N_WORLDS), without, (seed,))
        found[-1].append(success(deaf.policy, roads))
    trained, muted, shuffled, silent = np.transpose(found)
    show("CommNet", trained, at_least=0.93, seconds=max(seconds))
    fallen, seconds = [], []
    for seed in range(FIRST_SEED, FIRST_SEED + n_seeds):
        cars, spent = timed(train_iql, TrafficJunction("easy", N_WORLDS), FALLING, (seed,))
        fallen.append(success(cars.policy, roads))
        seconds.append(spent)
    show("CommNet, learning rate falls", fallen, at_least=0.93, seconds=max(seconds))
    show("CommNet, muted when tested", muted, at_most=0.35)
    show("CommNet, shuffled when tested", shuffled, at_most=0.35)
    show("trained without a channel", silent, at_most=0.32)


PARTS = (signalling, crossing, junction, riddle, commnet)


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """``arguments``, or those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    seeds = (
        f"how many of each learner with networks, {FIRST_SEED} and those that follow (default: 10)"
    )
    parser.add_argument("--seeds", type=count, default=10, help=seeds)
    names = [part.__name__ for part in PARTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these parts alone")
    return parser.parse_args(arguments)


def main() -> None:
    """Print all rows."""
    args = read_arguments()
    torch.set_num_threads(1)
    about = machine()
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    print(f"{versions}, {about['cores']} cores, one used; lowest, median, highest of all runs")
    for part in PARTS:
        if part.__name__ in args.only:
            print(part.__doc__)
            part(args.seeds)


if __name__ == "__main__":
    main()
