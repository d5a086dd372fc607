"""How fast the package is: import, learning, planning, and the figures behind the lessons' controls.

    python tools/benchmarks/package.py

Numbers are the best of several rounds where nothing else is said. A measurement, not a test.
"""

from __future__ import annotations

import ast
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import numpy as np

from marl_lessons.algorithms import (
    IndependentConfig,
    PerVisit,
    TabularConfig,
    fictitious_play,
    independent_q_learning,
    minimax_q,
    q_learning,
)
from marl_lessons.algorithms.tables.independent_q_plain import independent_q_one_seed
from marl_lessons.envs import CATALOGUE, MarkovGame, crossroads, soccer, two_cars
from marl_lessons.solvers import nash_equilibria, shapley_iteration, value_iteration
from marl_lessons.viz import Interactive
from marl_lessons.viz.moving_target.microscope import SCENES, draw_microscope, observe
from marl_lessons.viz.style import png

ROOT = Path(__file__).resolve().parents[2]
N_SEEDS, N_STEPS, STEP_SIZE, EPSILON = 30, 10_000, 0.1, 0.1


def seconds(action: Callable[[], object], rounds: int = 3) -> float:
    """The shortest of several runs."""
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return min(taken)


def import_seconds(module: str, rounds: int = 7) -> tuple[float, float]:
    """Shortest and median time of an import in a fresh process, without the start of Python itself."""
    code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        for _ in range(rounds)
    ]
    taken = [float(run.stdout) for run in runs]
    return min(taken), statistics.median(taken)


def reference_q_learning(
    mdp: MarkovGame, n_steps: int, seed: int, time_limit: int = 200
) -> list[list[float]]:
    """Q-learning of one seed as one would write it down first: Python lists and one step at a time."""
    rng = random.Random(seed)
    transition, reward = mdp.joint_transition, mdp.outcome_reward[0]
    outcomes = [
        [
            (p[p > 0].tolist(), p.nonzero()[0].tolist(), reward[state, action, p > 0].tolist())
            for action, p in enumerate(rows)
        ]
        for state, rows in enumerate(transition)
    ]
    starts = range(mdp.n_states), mdp.initial.tolist()
    q = [[0.0] * mdp.n_actions[0] for _ in range(mdp.n_states)]
    state, age = rng.choices(*starts)[0], 0
    for _ in range(n_steps):
        row = q[state]
        action = rng.randrange(len(row)) if rng.random() < EPSILON else row.index(max(row))
        probabilities, states, rewards = outcomes[state][action]
        (k,) = rng.choices(range(len(states)), probabilities)
        target = rewards[k]
        if not mdp.terminal[states[k]]:
            target += mdp.discount * max(q[states[k]])
        row[action] += STEP_SIZE * (target - row[action])
        state, age = states[k], age + 1
        if mdp.terminal[state] or age >= time_limit:
            state, age = rng.choices(*starts)[0], 0
    return q


class ArticleAgent:
    """A learner as a short article prints it: one object, one table, one random number at a time."""

    def __init__(self, n_states: int, n_actions: int):
        """An empty table."""
        self.table, self.n_actions, self.epsilon = np.zeros((n_states, n_actions)), n_actions, 1.0

    def choose(self, state: int) -> int:
        """ε-greedy."""
        if np.random.random() < self.epsilon:  # noqa: NPY002  (as articles print it)
            return np.random.randint(self.n_actions)  # noqa: NPY002
        return int(np.argmax(self.table[state]))

    def update(self, state, action, reward, next_state, terminated, discount: float) -> None:
        """Q-learning."""
        target = reward + (0.0 if terminated else discount * np.max(self.table[next_state]))
        self.table[state, action] += STEP_SIZE * (target - self.table[state, action])

    def decay(self) -> None:
        """Explore less in the next episode."""
        self.epsilon = max(EPSILON, 0.99 * self.epsilon)


def article_loop(game: MarkovGame, n_steps: int, seed: int, time_limit: int = 200) -> None:
    """Independent Q-learning of one seed with :class:`ArticleAgent`; the game itself is as fast as arrays allow."""
    np.random.seed(seed)  # noqa: NPY002
    cumulative = game.transition.cumsum(axis=-1)
    agents = [ArticleAgent(game.n_states, n) for n in game.n_actions]
    first = int(game.initial.argmax())
    state, age = first, 0
    for _ in range(n_steps):
        actions = tuple(agent.choose(state) for agent in agents)
        drawn = np.random.random()  # noqa: NPY002
        next_state = int(cumulative[(state, *actions)].searchsorted(drawn, side="right"))
        rewards = game.outcome_reward[(slice(None), state, *actions, next_state)]
        terminated = game.terminal[next_state]
        for agent, action, reward in zip(agents, actions, rewards):
            agent.update(state, action, reward, next_state, terminated, game.discount)
        state, age = next_state, age + 1
        if terminated or age >= time_limit:
            for agent in agents:
                agent.decay()
            state, age = first, 0


def lesson_controls(notebook: Path) -> Iterator[Interactive]:
    """The controls of a lesson, as far as they need no more than its imports and their own cell."""
    content = nbformat.read(notebook, as_version=4)
    sources = [
        cell.source
        for cell in content.cells
        if cell.cell_type == "code" and "%pip" not in cell.source
    ]
    names: dict[str, object] = {}
    for statement in (node for source in sources for node in ast.parse(source).body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            exec(ast.unparse(statement), names)
    for source in sources:
        last = ast.parse(source).body[-1:]
        if (
            last
            and isinstance(last[0], ast.Expr)
            and ast.unparse(last[0]).startswith("Interactive(")
        ):
            try:
                yield eval(ast.unparse(last[0]), names)
            except NameError as missing:
                print(
                    f"{notebook.stem}: a control is left out, it needs an earlier cell ({missing})"
                )


def draw_seconds(shown: Interactive) -> float:
    """Median time to draw a figure and turn it into a PNG, over all settings of the first control."""
    name, control = next(iter(shown.controls.items()))
    settings = [{**shown.values, name: value} for _, value in control.options]
    return statistics.median(seconds(lambda s=s: png(shown.draw(**s)), rounds=1) for s in settings)


def games() -> Iterator[str]:
    """How long games take: all equilibria of a small one, soccer from its rules to its values, and learning it."""
    climbing = CATALOGUE["climbing"].game
    nash_equilibria(climbing)  # the first call loads a library
    yield f"nash_equilibria, 3x3: {1e3 * seconds(lambda: nash_equilibria(climbing), 20):.2f} ms"
    yield f"soccer, its arrays: {seconds(soccer, 1):.2f} s"
    pitch = soccer()
    yield f"soccer, values within 1e-8: {seconds(lambda: shapley_iteration(pitch), 1):.2f} s"
    config = TabularConfig(n_steps=N_STEPS, step_size=PerVisit(0.55), n_records=1)
    taken = seconds(lambda: minimax_q(pitch, config=config, seeds=10), 1)
    yield f"minimax_q, two learners, 10 seeds on soccer: {1e6 * taken / N_STEPS:.0f} µs per step"
    rounds = 200_000
    taken = seconds(lambda: fictitious_play(climbing, rounds), 1)
    yield f"fictitious_play, 3x3: {1e6 * taken / rounds:.2f} µs per round"


def independent_learners() -> Iterator[str]:
    """Two cars that learn: 200 seeds side by side against an article's loop, one seed in lists, and the microscope."""
    cars, n_seeds, n_slow = two_cars(), 200, 5
    config = TabularConfig(n_steps=N_STEPS, step_size=STEP_SIZE, epsilon=EPSILON)
    ours = seconds(lambda: independent_q_learning(cars, config, n_seeds))
    slow = seconds(lambda: [article_loop(cars, N_STEPS, seed) for seed in range(n_slow)], 1)
    loop = slow * n_seeds / n_slow
    yield f"independent_q_learning, {n_seeds} seeds on two_cars: {1e6 * ours / N_STEPS:.0f} µs per step of all seeds"
    yield (
        f"an article's loop, {n_slow} seeds extrapolated to {n_seeds}: {1e6 * loop / N_STEPS:.0f} µs, "
        f"{loop / ours:.1f} times as long"
    )
    soft = IndependentConfig(n_steps=N_STEPS, step_size=STEP_SIZE, temperature=0.2)
    arrays = seconds(lambda: independent_q_learning(cars, soft, 1), 1)
    lists = seconds(lambda: independent_q_one_seed(cars, soft))
    yield (
        f"independent_q_one_seed, one seed on two_cars: {1e6 * lists / N_STEPS:.1f} µs per step, with a seed axis "
        f"{1e6 * arrays / N_STEPS:.1f} µs, {arrays / lists:.1f} times as long"
    )
    for name, scene in SCENES.items():
        always = (0, scene.n_steps)
        anew = seconds(lambda s=scene, a=always: observe.__wrapped__(s, *s.step_sizes, a, 0))
        again = seconds(lambda n=name: png(draw_microscope(n)))
        yield f"microscope, {name}: {1e3 * anew:.0f} ms to learn anew, {1e3 * again:.0f} ms to draw"


def main() -> None:
    """Measure and print."""
    for module in ("marl_lessons", "marl_lessons.algorithms", "marl_lessons.viz"):
        shortest, median = import_seconds(module)
        print(
            f"import {module}: {1e3 * shortest:.0f} ms, median {1e3 * median:.0f} ms of 7 fresh processes"
        )
    mdp = crossroads()
    config = TabularConfig(n_steps=N_STEPS, step_size=STEP_SIZE, epsilon=EPSILON)
    ours = seconds(lambda: q_learning(mdp, config, N_SEEDS))
    loop = N_SEEDS * seconds(lambda: reference_q_learning(mdp, N_STEPS, seed=0))
    print(
        f"q_learning, {N_SEEDS} seeds on crossroads: {1e6 * ours / N_STEPS:.1f} µs per step of all seeds"
    )
    plainly = f"{1e6 * loop / N_STEPS:.1f} µs, {loop / ours:.1f} times as long"
    print(f"plain Python loop, one seed times {N_SEEDS}: {plainly}")
    print(f"value_iteration on crossroads: {1e3 * seconds(lambda: value_iteration(mdp)):.2f} ms")
    for line in (*games(), *independent_learners()):
        print(line)
    for notebook in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        for shown in lesson_controls(notebook):
            name = getattr(shown.draw, "__name__", "draw")
            print(f"{notebook.stem}, {name}: {1e3 * draw_seconds(shown):.0f} ms per picture")


if __name__ == "__main__":
    main()
