"""What a History says: moments, visits, episodes, returns, lengths, exploration."""

import numpy as np
import pytest

from marl_lessons.algorithms import (
    PerEpisode,
    PerStep,
    TabularConfig,
    independent_q_learning,
    q_learning,
    sarsa,
)
from marl_lessons.envs import MarkovGame, crossroads, two_cars

LOOP = MarkovGame(np.ones((1, 2, 1)), [[[1.0, 1.0]]], 0.9)


@pytest.mark.parametrize(
    "n_steps, n_records", [(1, 1), (10, 10), (10, 4), (100, 1), (2_000, 50), (999, 7)]
)
def test_moments(n_steps, n_records):
    history = q_learning(crossroads(distance=2), TabularConfig(n_steps, n_records=n_records), 2)
    assert (
        history.steps[0] == 0
        and history.steps[-1] == n_steps
        and len(history.steps) == n_records + 1
    )
    assert np.abs(history.steps - np.arange(n_records + 1) * n_steps / n_records).max() <= 1
    if n_steps % n_records == 0:
        assert (np.diff(history.steps) == n_steps // n_records).all()
    assert history.q.shape == history.visits.shape == (n_records + 1, 2, 14, 2)
    assert history.episodes.shape == history.epsilon.shape == (n_records + 1, 2)
    assert history.seeds == (0, 1)


@pytest.mark.parametrize("learner", [q_learning, sarsa, independent_q_learning])
def test_visits_sum_to_steps(learner):
    game = two_cars() if learner is independent_q_learning else crossroads()
    history = learner(game, TabularConfig(1_000, epsilon=0.5, time_limit=20, n_records=10), 3)
    assert (history.visits.sum(axis=(-2, -1)).T == history.steps).all()
    assert (np.diff(history.visits, axis=0) >= 0).all()
    assert (history.visits[..., game.terminal, :] == 0).all() and (
        history.q[..., game.terminal, :] == 0
    ).all()
    untouched = history.visits == 0
    assert (history.q[untouched] == 0).all()


@pytest.mark.parametrize("learner", [q_learning, sarsa, independent_q_learning])
def test_lengths_returns_and_episodes_agree(learner):
    game = two_cars() if learner is independent_q_learning else crossroads()
    history = learner(game, TabularConfig(1_000, epsilon=0.3, time_limit=20, n_records=20), 4)
    for e in range(4):
        ends = np.cumsum(history.lengths[e])
        assert (
            ends[-1] <= 1_000 and history.lengths[e].max() <= 20 and history.lengths[e].min() >= 1
        )
        assert history.episodes[:, e].tolist() == [(ends <= step).sum() for step in history.steps]
        assert len(history.returns[e]) == len(ends) and 1_000 - ends[-1] < 20
    assert history.returns[0].shape[1:] == ((2,) if learner is independent_q_learning else ())


def test_a_clock_of_seven():
    history = q_learning(LOOP, TabularConfig(50, time_limit=7, n_records=50), 2)
    for e in range(2):
        assert history.lengths[e].tolist() == [7] * 7 and history.returns[e].tolist() == [7.0] * 7
        assert history.episodes[:, e].tolist() == [step // 7 for step in range(51)]


def test_no_episode_finished():
    history = q_learning(LOOP, TabularConfig(50, time_limit=None, n_records=1), 2)
    assert [len(r) for r in history.returns] == [len(r) for r in history.lengths] == [0, 0]
    assert history.returns[0].shape == (0,) and (history.episodes == 0).all()


def test_exploration_recorded_is_the_one_in_use():
    by_step = q_learning(LOOP, TabularConfig(10, epsilon=PerStep(0.8, 0.5, 0.01), n_records=10), 2)
    assert by_step.epsilon[:, 0] == pytest.approx([max(0.01, 0.8 * 0.5**k) for k in range(11)])
    by_episode = q_learning(
        LOOP, TabularConfig(10, epsilon=PerEpisode(0.8, 0.5), time_limit=3, n_records=10), 2
    )
    assert by_episode.epsilon[:, 1] == pytest.approx([0.8 * 0.5 ** (k // 3) for k in range(11)])
    assert (q_learning(LOOP, TabularConfig(10, epsilon=0.25, n_records=2), 3).epsilon == 0.25).all()


def test_each_seed_decays_by_its_own_episodes():
    schedule = PerEpisode(1.0, 0.9, 0.05)
    history = q_learning(crossroads(), TabularConfig(2_000, epsilon=schedule, n_records=20), 5)
    assert history.epsilon == pytest.approx(np.maximum(0.05, 0.9**history.episodes))
    assert len(set(history.episodes[10])) > 1  # the seeds differ


def test_returns_are_undiscounted_and_initial_values_recorded():
    history = q_learning(two_steps(), TabularConfig(4, initial_value=3.0, n_records=1), 1)
    assert history.returns[0].tolist() == [12.0, 12.0] and history.lengths[0].tolist() == [2, 2]
    assert history.q[0, 0, :, 0].tolist() == [3.0, 3.0, 0.0] and (history.visits[0] == 0).all()


def two_steps() -> MarkovGame:
    transition = np.zeros((3, 1, 3))
    transition[[0, 1, 2], 0, [1, 2, 2]] = 1.0
    return MarkovGame(
        transition, [[[5.0], [7.0], [0.0]]], 0.1, [1, 0, 0], np.array([False, False, True])
    )


def test_records_are_not_views_of_the_running_tables():
    history = q_learning(crossroads(), TabularConfig(500, n_records=5), 1)
    assert (history.q[0] == 0).all() and not np.array_equal(history.q[1], history.q[5])


def test_the_games_arrays_are_left_alone():
    game = crossroads()
    before = [array.copy() for array in (game.transition, game.outcome_reward, game.initial)]
    q_learning(game, TabularConfig(500, n_records=5), 2)
    after = (game.transition, game.outcome_reward, game.initial)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("learner", [q_learning, sarsa, independent_q_learning])
@pytest.mark.parametrize("bootstrap", [True, False])
def test_last_states_say_why_an_episode_ended(learner, bootstrap):
    game = two_cars() if learner is independent_q_learning else crossroads()
    config = TabularConfig(2_000, epsilon=0.5, time_limit=6, bootstrap_on_truncation=bootstrap)
    history = learner(game, config, 3)
    for last, lengths in zip(history.last_states, history.lengths, strict=True):
        assert last.shape == lengths.shape and 0 < game.terminal[last].mean() < 1
        assert (lengths[~game.terminal[last]] == 6).all()  # truncated, and only then


def test_last_states_by_hand():
    """0 leads to 1 and 1 to the end in 2: cut short after one step an episode ends in 1, else in 2."""
    for limit, last in ((1, [1] * 6), (2, [2] * 3), (None, [2] * 3)):
        history = q_learning(two_steps(), TabularConfig(6, time_limit=limit, n_records=1), 2)
        assert [states.tolist() for states in history.last_states] == [last, last]
    unfinished = q_learning(LOOP, TabularConfig(5, time_limit=None, n_records=1), 2)
    assert [states.tolist() for states in unfinished.last_states] == [[], []]


def test_last_state_of_an_episode_is_the_one_that_crashed():
    history = independent_q_learning(two_cars(slip=0.0), TabularConfig(2_000, epsilon=1.0), 4)
    crashed = two_cars().state_names.index("crashed")
    for last, returns in zip(history.last_states, history.returns, strict=True):
        assert (returns[last == crashed] < -10).all() and (returns[last != crashed] <= 1).all()
        assert (last == crashed).any() and (last == 0).any()


def test_short_runs_are_recorded_at_every_step() -> None:
    assert TabularConfig(n_steps=20).n_records == 20 and TabularConfig().n_records == 50


def test_a_history_prints_what_it_holds_not_its_numbers():
    history = q_learning(crossroads(), TabularConfig(500, n_records=5), 40)
    told = repr(history)
    assert told.startswith("History(steps [6], q [6, 40, ") and "returns 40 arrays" in told
    assert len(told) < 250 and "\n" not in told and "policies" not in told
