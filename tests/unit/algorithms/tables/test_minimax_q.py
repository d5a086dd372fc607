"""Minimax-Q: updates by hand, one seed in plain loops, the bound on its lazy values, and where it arrives."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from plain_learner import pick
from random_games import random_kernel, random_mdp, seed_numbers
from scipy.optimize import linprog

from marl_lessons.algorithms import PerEpisode, PerVisit, TabularConfig
from marl_lessons.algorithms.tables.minimax_q import SolvedGames, minimax_q, minimax_q_target
from marl_lessons.envs import MarkovGame
from marl_lessons.envs.games.matrix_games import matrix_game
from marl_lessons.seeds import UniformStreams
from marl_lessons.solvers.zero_sum import solve_zero_sum

PENNIES = np.array([[1.0, -1.0], [-1.0, 1.0]])
SEEDS = 10


def value_of(payoffs) -> float:
    """The value of one matrix game, by the column agent's linear programme: minimise w, Σ_b R(a, b) y_b ≤ w."""
    a, b = np.shape(payoffs)
    rows = np.column_stack([payoffs, -np.ones(a)])
    once, bounds = np.append(np.ones(b), 0.0), [(0, None)] * b + [(None, None)]
    return linprog(np.eye(b + 1)[-1], rows, np.zeros(a), once[None], [1.0], bounds).fun


def zero_sum_game(rng, n_states, n_actions, discount, terminal=False, outcomes=False) -> MarkovGame:
    """A random zero-sum game of two; its last state is terminal if asked for, and left with probability 0.1 or more."""
    transition = random_kernel(rng, (n_states, *n_actions), n_states)
    gain = rng.normal(size=(n_states, *n_actions) + ((n_states,) if outcomes else ()))
    ends = np.arange(n_states) == (n_states - 1 if terminal else -1)
    if terminal:
        transition = 0.9 * transition + 0.1 * np.eye(n_states)[-1]
        transition[-1], gain[-1] = np.eye(n_states)[-1], 0.0
    rewards = np.stack([gain, -gain])
    paid = {"outcome_reward": rewards, "reward": None} if outcomes else {"reward": rewards}
    return MarkovGame(transition, discount=discount, terminal=ends, **paid)


def shapley_values(game) -> np.ndarray:
    """``v[S]`` of agent 0: the backup with one linear programme for each state, repeated."""
    v = np.zeros(game.n_states)
    for _ in range(int(np.ceil(np.log(1e-5) / np.log(game.discount)))):
        q = game.reward[0] + game.discount * game.transition @ v
        v = np.array([0.0 if game.terminal[s] else value_of(q[s]) for s in range(game.n_states)])
    return v


def test_target_by_hand():
    ended = np.array([False, True])
    assert minimax_q_target(np.array([1.0, 1.0]), np.array([3.0, 3.0]), ended, 0.5).tolist() == [
        2.5,
        1.0,
    ]


def corridor(last_is_terminal: bool) -> MarkovGame:
    """0 -> 1 -> 2; agent 0 is paid by matching pennies in 0, 4 in 1, and in 2 the game ends or goes on without pay."""
    transition = np.zeros((3, 2, 2, 3))
    for s, t in ((0, 1), (1, 2), (2, 2)):
        transition[s, ..., t] = 1.0
    gain = np.stack([PENNIES, np.full((2, 2), 4.0), np.zeros((2, 2))])
    ends = np.array([False, False, last_is_terminal])
    return MarkovGame(transition, np.stack([gain, -gain]), 0.5, [1, 0, 0], ends)


def test_the_first_updates_by_hand():
    """α = 1/2, γ = 1/2, all entries begin at 2: both learners see the same step, each from its own side."""
    config = TabularConfig(2, 0.5, 1.0, None, True, 2.0, n_records=2)
    history = minimax_q(corridor(True), config=config, seeds=8, tolerance=0.0)
    assert history.q.shape == history.visits.shape == (3, 8, 2, 3, 2, 2)
    assert (history.q[0, :, :, :2] == 2).all() and (history.q[:, :, :, 2] == 0).all()
    for e in range(8):
        # Step 1, in state 0: r = ±1 and V(1) = 2, so Q = 2 + (r + 1 - 2)/2. Step 2, in state 1, ends: 2 + (±4 - 2)/2.
        (a,), (o,) = (list(x) for x in np.nonzero(history.visits[1, e, 0, 0]))
        first, second = history.q[1, e, :, 0]
        assert first[a, o] == 1.5 + PENNIES[a, o] / 2 and second[o, a] == 1.5 - PENNIES[a, o] / 2
        assert (
            np.delete(first, 2 * a + o).tolist() == np.delete(second, 2 * o + a).tolist() == [2] * 3
        )
        (a,), (o,) = (list(x) for x in np.nonzero(history.visits[2, e, 0, 1]))
        assert history.q[2, e, 0, 1, a, o] == 3 and history.q[2, e, 1, 1, o, a] == -1
        # One entry 3 among 2s is worth 2, one entry -1 makes the other row worth 2: neither changes the value.
        assert (
            history.values[2, e, :, 1].tolist() == [2, 2]
            and (history.values[2, e, :, 2] == 0).all()
        )
        assert history.policies[2, e, 1, 1] == pytest.approx(np.eye(2)[1 - o])
    assert (
        len(set(history.visits[1, :, 0, 0].argmax(axis=-1)[:, 0].tolist())) > 1
    )  # not one action only


def test_truncation_counts_the_next_state_unless_told_otherwise():
    """Step 2 is cut short in a world that goes on: its target is 4 + 2/2, or 4 alone."""
    for bootstrap, value in ((True, 3.5), (False, 3.0)):
        config = TabularConfig(2, 0.5, 1.0, 2, bootstrap, 2.0, n_records=1)
        history = minimax_q(corridor(False), config, 4)
        assert (history.q[-1, :, 0, 1].max(axis=(1, 2)) == value).all()


@given(seed_numbers, st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.0, 0.05, 0.5]))
def test_lazy_values_keep_their_promise(seed, n_actions, n_others, tolerance):
    """After every change: value within tolerance/2 of the linear programme's, strategy within tolerance of optimal."""
    rng = np.random.default_rng(seed)
    q = np.full((4, n_actions, n_others), 0.5)
    value, strategy = np.empty(4), np.empty((4, n_actions))
    games = SolvedGames(q, value, strategy, tolerance)
    for _ in range(12):
        changed = np.unique(rng.integers(4, size=2))
        q[changed, rng.integers(n_actions), rng.integers(n_others)] += 0.3 * rng.normal()
        games.changed(changed)
        asked = rng.integers(4, size=1)
        games.prepare(asked)
        for r in asked:
            exact = value_of(q[r])
            assert abs(value[r] - exact) <= tolerance / 2 + 1e-9
            assert (strategy[r] @ q[r]).min() >= exact - tolerance - 1e-9
            assert strategy[r].sum() == pytest.approx(1) and (strategy[r] >= 0).all()
    games.prepare()
    assert value == pytest.approx([value_of(x) for x in q], abs=tolerance / 2 + 1e-9)


@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_records_keep_the_promise(tolerance):
    game = zero_sum_game(np.random.default_rng(4), 3, (3, 3), 0.8, terminal=True)
    config = TabularConfig(400, 0.3, 0.3, 20, n_records=8)
    history = minimax_q(game, config=config, seeds=2, tolerance=tolerance)
    for at in np.ndindex(history.values.shape):
        exact = value_of(history.q[at])
        assert abs(history.values[at] - exact) <= tolerance / 2 + 1e-9
        assert (history.policies[at] @ history.q[at]).min() >= exact - tolerance - 1e-9


def test_laziness_saves_work(monkeypatch):
    module = sys.modules[
        "marl_lessons.algorithms.tables.minimax_q"
    ]  # the package's name is the function

    solved = []

    def counting(payoffs, guess=None):
        solved.append(len(payoffs))
        return solve_zero_sum(payoffs, guess)

    monkeypatch.setattr(module, "solve_zero_sum", counting)
    game = zero_sum_game(np.random.default_rng(4), 4, (3, 3), 0.8)
    numbers = []
    for tolerance in (0.0, 0.01, 0.1):
        solved.clear()
        config = TabularConfig(1_000, PerVisit(0.8), 0.3, None, n_records=1)
        minimax_q(game, config=config, seeds=5, tolerance=tolerance)
        numbers.append(sum(solved))
    assert numbers[0] > 2 * numbers[1] > 4 * numbers[2]


def test_values_converge_to_shapleys():
    """Over 10 seeds, by exploration alone, so that every entry is seen."""
    rng = np.random.default_rng(7)
    for n_states, n_actions, terminal in ((2, (2, 2), False), (3, (2, 2), True), (4, (3, 3), True)):
        game = zero_sum_game(rng, n_states, n_actions, 0.7, terminal, outcomes=n_states == 3)
        v = shapley_values(game)
        config = TabularConfig(10_000, PerVisit(0.8), 1.0, 20, n_records=3)
        history = minimax_q(game, config, SEEDS, tolerance=0.02)
        off = np.abs(history.values - np.stack([v, -v])).reshape(4, SEEDS, -1).max(axis=-1)
        assert off[-1].max() < 0.2 and np.median(off[-1]) < min(0.1, np.median(off[0]) / 5)


@pytest.mark.parametrize("n_actions", [2, 3])
def test_one_state_is_a_matrix_game(n_actions):
    """With discount 0 and a step size of 1/visits the table becomes the payoffs, its value the linear programme's."""
    payoffs = np.random.default_rng(n_actions).normal(size=(n_actions, n_actions))
    config = TabularConfig(1_500, PerVisit(1.0), 0.5, None, n_records=1)
    history = minimax_q(matrix_game([payoffs, -payoffs]), config, SEEDS, tolerance=0.0)
    value = value_of(payoffs)
    for agent, (own, worth) in enumerate(((payoffs, value), (-payoffs.T, -value))):
        assert np.allclose(history.q[-1, :, agent, 0], own)
        assert history.values[-1, :, agent] == pytest.approx(worth, abs=1e-8)
        least = (history.policies[-1, :, agent, 0] @ own).min(axis=-1)
        assert least == pytest.approx(worth, abs=1e-8)


def bracket(q, mine, theirs) -> tuple[float, float]:
    """What ``mine`` earns at least and ``theirs`` concedes at most."""
    a, o = range(len(mine)), range(len(theirs))
    earned = [sum(mine[k] * q[k, j] for k in a) for j in o]
    paid = [sum(theirs[j] * q[k, j] for j in o) for k in a]
    return float(min(earned)), float(max(paid))


def plain_minimax(game, seed, n_steps, alpha, epsilon, limit, initial, tolerance):
    """One seed from the definitions: a game is solved again as soon as its bracket is too wide."""
    learners = range(2)
    stream = UniformStreams([seed], 6)
    numbers = {i: (game.n_actions[i], game.n_actions[1 - i]) for i in range(2)}
    q = {
        (i, s): np.full(numbers[i], 0.0 if game.terminal[s] else initial)
        for i in learners
        for s in range(game.n_states)
    }
    visits = {key: np.zeros(table.shape, dtype=int) for key, table in q.items()}
    value = {key: float(table[0, 0]) for key, table in q.items()}
    policy = {key: [1 / len(table)] * len(table) for key, table in q.items()}
    solved = {key: solve_zero_sum(table) for key, table in q.items()}
    u = [float(x) for x in stream.next()[:, 0]]
    s, episode, age, total, returns = pick(u[-1], enumerate(game.initial.tolist())), 0, 0, 0.0, []
    for _ in range(n_steps):
        actions = []
        for i in range(2):
            if u[i] < epsilon(episode):
                actions.append(int(u[2 + i] * game.n_actions[i]))
            else:
                actions.append(pick(u[2 + i], enumerate(policy[i, s])))
        row = game.transition[(s, *actions)].tolist()
        t = pick(u[-2], sorted(enumerate(row), key=lambda item: -item[1]))
        age, ends = age + 1, bool(game.terminal[t])
        for i in learners:
            reward = float(game.reward[(i, s, *actions)])
            own = actions[i], actions[1 - i]
            target = reward + (0.0 if ends else game.discount * value[i, t])
            visits[i, s][own] += 1
            q[i, s][own] += alpha(int(visits[i, s][own])) * (target - q[i, s][own])
            total += reward if i == 0 else 0.0
        for i in learners:
            mine, theirs = policy[i, s], solved[i, s].column.tolist()
            least, most = bracket(q[i, s], mine, theirs)
            value[i, s] = (least + most) / 2
            if most - least > tolerance:
                unit = tolerance / 100
                coarse = np.array([[round(x / unit) * unit for x in row] for row in q[i, s]])
                solved[i, s] = solve_zero_sum(coarse, solved[i, s].basis)
                policy[i, s] = solved[i, s].row.tolist()
                value[i, s] = sum(bracket(q[i, s], policy[i, s], solved[i, s].column)) / 2
        u, s = [float(x) for x in stream.next()[:, 0]], t
        if ends or age == limit:
            s, episode, age = pick(u[-1], enumerate(game.initial.tolist())), episode + 1, 0
            returns.append(total)
            total = 0.0
    return q, visits, policy, value, returns


def test_one_seed_in_plain_loops():
    game = zero_sum_game(np.random.default_rng(11), 4, (3, 3), 0.8, terminal=True)
    config = TabularConfig(
        800, PerVisit(0.6), PerEpisode(1.0, 0.98, 0.1), 7, True, 1.0, n_records=2
    )
    history = minimax_q(game, config, (11, 4), tolerance=0.01)
    for column, seed in enumerate((11, 4)):
        q, visits, policy, value, returns = plain_minimax(
            game,
            seed,
            800,
            lambda visits: visits**-0.6,
            lambda episode: max(0.1, 0.98**episode),
            7,
            1.0,
            0.01,
        )
        for i, s in q:
            at = (-1, column, i, s)
            assert history.visits[at].tolist() == visits[i, s].tolist()
            assert history.q[at] == pytest.approx(q[i, s], abs=1e-9)
            assert history.values[at] == pytest.approx(value[i, s], abs=1e-9)
            assert history.policies[at] == pytest.approx(policy[i, s], abs=1e-6)
        assert history.returns[column][:, 0] == pytest.approx(returns)


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_a_seeds_run_does_not_depend_on_the_others(tolerance):
    rng = np.random.default_rng(8)
    game = zero_sum_game(rng, 4, (3, 3), 0.9, terminal=True)
    config = TabularConfig(1_000, PerVisit(0.7), PerEpisode(1.0, 0.99, 0.05), 9)

    def of(seed, seeds, n_records=50):
        history = minimax_q(game, replace(config, n_records=n_records), seeds, tolerance=tolerance)
        e = list(seeds).index(seed)
        tables = (history.q, history.visits, history.policies, history.values)
        return [*(table[[0, -1], e] for table in tables), history.returns[e], history.lengths[e]]

    alone = of(6, [6])
    for seeds in ([6, 1, 2], [9, 6], list(range(12))):
        assert all(np.array_equal(a, b) for a, b in zip(alone, of(6, seeds), strict=True))
    assert not np.array_equal(alone[0], of(1, [6, 1])[0])
    # Nor on how often it is recorded, although recording solves the games that wait.
    assert all(np.array_equal(a, b) for a, b in zip(alone, of(6, [6], 1), strict=True))


GAME = zero_sum_game(np.random.default_rng(0), 2, (2, 2), 0.9)
UNEVEN = zero_sum_game(np.random.default_rng(0), 2, (2, 3), 0.9)


@pytest.mark.parametrize(
    "name, use",
    [
        ("game", lambda: minimax_q(None)),
        ("game", lambda: minimax_q(PENNIES)),
        ("game", lambda: minimax_q(random_mdp(np.random.default_rng(0)))),
        ("game", lambda: minimax_q(matrix_game([PENNIES, PENNIES]))),
        ("game", lambda: minimax_q(matrix_game(np.zeros((3, 2, 2, 2))))),
        ("game: agents have different", lambda: minimax_q(UNEVEN)),
        ("config", lambda: minimax_q(GAME, config={})),
        ("seeds", lambda: minimax_q(GAME, seeds=0)),
        ("tolerance", lambda: minimax_q(GAME, tolerance=-0.1)),
        ("tolerance", lambda: minimax_q(GAME, tolerance=None)),
        ("tolerance", lambda: minimax_q(GAME, tolerance=float("nan"))),
    ],
)
def test_refused_by_name(name, use):
    with pytest.raises(ValueError, match=name):
        use()
