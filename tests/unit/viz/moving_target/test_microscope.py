"""The microscope shows what is true: every measure against slow direct computation, the twins, all corners."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.algorithms.tables.independent_q import IndependentConfig
from marl_lessons.algorithms.tables.independent_q_plain import independent_q_one_seed
from marl_lessons.evaluation.moving_target.own_world import own_world
from marl_lessons.solvers.planning import value_iteration
from marl_lessons.viz.moving_target.microscope import (
    CROSSING,
    MEMORY,
    SCENES,
    SPEED_CHECK,
    as_window,
    draw_microscope,
    draw_track,
    observe,
    twin_of,
)
from marl_lessons.viz.style import new_figure, png

BOTH = pytest.mark.parametrize("scene", [CROSSING, SPEED_CHECK], ids=["crossing", "speed check"])
CORNERS = {
    "step_size": (0.0, 0.2),
    "partner_step_size": (0.0, 0.2),
    "learns": (None, (0, 0), (0, 2_500), (1_000, 3_000)),
}


def plain_policies(history, config, k):
    """Boltzmann policies of both agents at record k, written out."""
    policies = []
    for i, tau in enumerate(config.temperature):
        weight = np.exp((history.q[k, 0, i] - history.q[k, 0, i].max()) / tau)
        policies.append(weight / weight.sum(axis=1, keepdims=True))
    return policies


def share_of_steps(game, policies):
    """How often each state is visited: the chain that begins anew at each end, run for a long time."""
    chain = np.zeros((game.n_states, game.n_states))
    for s, a, b in np.ndindex(game.n_states, 2, 2):
        chain[s] += policies[0][s, a] * policies[1][s, b] * game.transition[s, a, b]
    for s in np.flatnonzero(game.terminal):
        chain[:, :] += np.outer(chain[:, s], game.initial)
        chain[:, s] = 0.0
    lazy = (chain + np.eye(game.n_states)) / 2
    rates = game.initial @ np.linalg.matrix_power(lazy, 2**30)
    return rates / rates.sum()


def plain_measures(scene, history, config, k):
    """Induced MDP, weights, error and best actions of agent 0 at record k."""
    game, policies = scene.game, plain_policies(history, config, k)
    world = game.induced_mdp(0, [None, policies[1]])
    q, alive = history.q[k, 0, 0], ~game.terminal
    error = np.zeros_like(q)
    for s, a in itertools.product(np.flatnonzero(alive), range(2)):
        follows = sum(p * q[t].max() for t, p in enumerate(world.transition[s, a]) if alive[t])
        error[s, a] = world.reward[0, s, a] + game.discount * follows - q[s, a]
    if game.is_matrix_game:
        weights = np.array([[1.0, 0.0]])
    else:
        weights = share_of_steps(game, policies)[:, None] * policies[0]
    best = value_iteration(world, 1e-11).q
    best = best >= best.max(axis=1, keepdims=True) - 1e-9
    return world, weights, (weights * np.abs(error)).sum(), best[scene.state], policies


@BOTH
def test_measures_against_slow_computation(scene):
    config = scene.config(step_size=(0.05, 0.03), n_steps=3_000, learns=(None, (0, 2_000)))
    history = independent_q_one_seed(scene.game, config, 2)
    lag = MEMORY // scene.every
    got = own_world(scene.game, history, config, lag, scene.state, scene.action)
    assert lag * scene.every == MEMORY and (np.diff(got.steps) == scene.every).all()
    assert np.isnan(got.drift[:lag]).all() and not np.isnan(got.drift[lag:]).any()
    for k in (lag, len(got.steps) // 2, len(got.steps) - 1):
        world, weights, error, _, policies = plain_measures(scene, history, config, k)
        then, *_ = plain_measures(scene, history, config, k - lag)
        for mine, plain in zip(got.policies, policies, strict=True):
            assert mine[k, 0] == pytest.approx(plain, abs=1e-12)
        assert got.transition[k, 0] == pytest.approx(world.transition, abs=1e-12)
        assert got.reward[k, 0] == pytest.approx(world.reward[0], abs=1e-12)
        assert got.weights[k, 0] == pytest.approx(weights, abs=1e-6)
        assert got.error[k, 0] == pytest.approx(error, rel=1e-6, abs=1e-9)
        if scene.game.is_matrix_game:
            moved = np.abs(world.reward[0] - then.reward[0])
        else:
            moved = np.abs(world.transition - then.transition).sum(axis=-1) / 2
        assert got.drift[k, 0] == pytest.approx((weights * moved).sum(), rel=1e-6, abs=1e-9)


@BOTH
def test_ticks_are_where_the_best_response_changes(scene):
    run, _, _ = observe(scene, *scene.step_sizes, (0, scene.n_steps), 0)
    config = scene.config(learns=(None, (0, scene.n_steps)))
    history = independent_q_one_seed(scene.game, config, 0)
    best = [plain_measures(scene, history, config, k)[3] for k in range(len(run.steps))]
    expected = [False] + [bool((a != b).any()) for a, b in itertools.pairwise(best)]
    assert run.switches[:, 0].tolist() == expected and any(expected)
    _, (ax,) = new_figure()
    draw_track(ax, scene, run, run, 0, (0, scene.n_steps))
    (ticks,) = (line for line in ax.lines if line.get_marker() == "|")
    assert ticks.get_xdata().tolist() == run.steps[expected].tolist()


@BOTH
def test_what_the_lines_show(scene):
    learns = (0, scene.n_steps // 2)
    run, twin, parting = observe(scene, *scene.step_sizes, learns, 1)
    assert parting == scene.n_steps // 2
    figure = draw_microscope(scene.name, 3_000, learns=learns, seed=1)
    (below,) = (ax for ax in figure.axes if "tick" in ax.get_xlabel())
    lines = {line.get_label(): line for line in below.lines}
    mine = lines["my error about it now"]
    assert np.array_equal(mine.get_xdata(), run.steps)
    assert np.array_equal(mine.get_ydata(), run.error[:, 0])
    (other,) = (line for label, line in lines.items() if label.startswith("twin"))
    assert other.get_label() == "twin's error: partner never frozen"
    after = twin.steps >= parting
    assert np.array_equal(other.get_ydata(), twin.error[after, 0])
    assert np.array_equal(other.get_xdata(), twin.steps[after])
    assert [text.get_text().strip() for text in below.texts] == ["partner frozen"]
    # The line of the moment.
    assert any(set(line.get_xdata()) == {3_000} for line in below.lines)


def bars(ax):
    """Widths from top to bottom: filled ones (now), dashed ones (then), and the names beside them."""
    widths = np.array([patch.get_width() for patch in ax.patches])
    return *np.split(widths, 2), [text.get_text() for text in ax.get_yticklabels()]


def test_the_world_at_the_crossing():
    """Both cars are one cell away: what going and waiting lead to, from the rules of two_cars."""
    figure = draw_microscope("crossing", 600, seed=3)
    run, *_ = observe(CROSSING, 0.02, 0.02, (0, 5_000), 3)
    left, right = figure.axes[:2]
    now, then, labels = bars(left)
    assert len(labels) == 6 and labels[1] == "I go: crash"
    slip = 0.1
    for shown, step in ((now, 600), (then, 400)):
        goes = run.policies[1][step // 50, 0, CROSSING.state, 1]
        moves = goes * (1 - slip)
        me = 1 - slip
        going = [me * (1 - moves), me * moves, slip * moves, slip * (1 - moves)]
        assert shown == pytest.approx([*going, moves, 1 - moves])
    texts = [[float(p) for p in text.get_text().split("→")] for text in right.texts]
    colours = right.images[0].get_array()  # [row, column] = [partner's cells, my cells], 2 on top
    assert colours[0, 0] == run.policies[1][12, 0, 3 * 1 + 2, 1]
    assert colours[1, 1] == run.policies[1][12, 0, 3 * 2 + 1, 1]
    cells = [(1, 2), (2, 2), (1, 1), (2, 1)]  # mine, partner's: row by row, the partner's 2 on top
    for (before, p), (mine, theirs) in zip(texts, cells, strict=True):
        goes = run.policies[1][:, 0, 3 * mine + theirs, 1]
        assert p == pytest.approx(goes[12], abs=0.005)
        assert before == pytest.approx(goes[8], abs=0.005)


def test_the_world_of_the_driver():
    figure = draw_microscope("speed check", 2_012, seed=3)  # between records: the one before
    run, *_ = observe(SPEED_CHECK, 0.02, 0.002, (0, 6_000), 3)
    left, right = figure.axes[:2]
    now, then, labels = bars(left)
    assert "free" in labels[0] and "caught" in labels[1]
    checks = run.policies[1][:, 0, 0, 0]
    assert now == pytest.approx([1 - checks[80], checks[80], 1])
    assert then == pytest.approx([1 - checks[72], checks[72], 1])
    worth, was = (2 - 8 * checks[k] for k in (80, 72))
    title = left.get_title() or left.get_title(loc="left")
    assert title == f"Speeding now pays {worth:+.1f} (was {was:+.1f})"
    points = {line.get_marker(): line.get_xydata() for line in right.lines if len(line.get_xdata())}
    assert points["o"] == pytest.approx(
        np.array([[run.policies[0][80, 0, 0, 0], run.policies[1][80, 0, 0, 0]]])
    )
    assert points["*"].tolist() == [[0.2, 0.25]]  # its only equilibrium


@pytest.mark.parametrize(
    "learns, twin, parting",
    [
        ((0, 5_000), (0, 2_500), 2_500),  # always: frozen half-way
        ((0, 9_000), (0, 2_500), 2_500),
        ((0, 0), (2_500, 5_000), 2_500),  # never: released half-way
        ((4_000, 4_000), (2_500, 5_000), 2_500),
        ((4_000, 1_000), (2_500, 5_000), 2_500),
        ((0, 2_000), (0, 5_000), 2_000),  # frozen: goes on
        ((0, 4_999), (0, 5_000), 4_999),
        ((2_000, 5_000), (0, 0), 2_000),  # released: never
        ((1, 5_000), (0, 0), 1),
        ((1_000, 3_000), (0, 0), 1_000),
    ],
)
def test_twins(learns, twin, parting):
    assert twin_of(learns, 5_000) == (twin, parting)
    windows = [as_window(learns), as_window(twin)]
    for first, end in windows:
        assert first < end
        IndependentConfig(learns=(None, (first, end)))
    learning = [[first <= step < end for step in range(5_000)] for first, end in windows]
    differs = [step for step in range(5_000) if learning[0][step] != learning[1][step]]
    assert differs[0] == parting


@BOTH
@pytest.mark.parametrize("learns", [None, (0, 0), (0, 1_000), (2_000, 9_000), (1_000, 2_000)])
def test_twins_are_alike_until_they_part(scene, learns):
    learns = learns or (0, scene.n_steps)
    run, twin, parting = observe(scene, *scene.step_sizes, learns, 4)
    before = run.steps <= parting
    for name in ("transition", "reward", "weights", "error", "drift", "switches"):
        mine, other = getattr(run, name), getattr(twin, name)
        assert np.array_equal(mine[before], other[before], equal_nan=name == "drift"), name
    for mine, other in zip(run.policies, twin.policies, strict=True):
        assert np.array_equal(mine[before], other[before])
    assert not np.array_equal(run.policies[1][-1], twin.policies[1][-1])


@BOTH
def test_a_partner_that_never_learns_is_a_world_that_stands_still(scene):
    run, twin, parting = observe(scene, *scene.step_sizes, (0, 0), 0)
    lag = MEMORY // scene.every
    assert not run.drift[lag:].any() and not run.switches.any()
    assert np.nanmax(twin.drift[twin.steps > parting + scene.every]) > 0
    assert not np.diff(run.policies[1], axis=0).any()


@pytest.mark.parametrize("scene", SCENES)
def test_every_corner_draws_another_picture(scene):
    pictures, n_steps = set(), SCENES[scene].n_steps
    for corner in itertools.product(*CORNERS.values()):
        figure = draw_microscope(scene, n_steps, **dict(zip(CORNERS, corner)))
        assert isinstance(figure, Figure)
        pictures.add(png(figure))
    assert len(pictures) == 16
    for moment, seed in itertools.product((MEMORY, n_steps // 2 + 1, n_steps), (0, 7)):
        pictures.add(png(draw_microscope(scene, moment, seed=seed)))
    assert len(pictures) == 22


@BOTH
def test_the_partner_may_learn_until_the_last_step(scene):
    n = scene.n_steps
    always = png(draw_microscope(scene.name, n))
    assert png(draw_microscope(scene.name, n, learns=(0, n))) == always
    assert png(draw_microscope(scene.name, n, learns=(n, n))) != always


@BOTH
def test_between_two_records_the_earlier_one_is_shown(scene):
    def shown(moment):
        world, partner, *_ = draw_microscope(scene.name, moment, seed=2).axes
        colours = [np.asarray(image.get_array()) for image in partner.images]
        paths = [line.get_xydata() for line in partner.lines]
        return np.concatenate([np.ravel(x) for x in (*bars(world)[:2], *colours, *paths)])

    at, just_before_next = 2_000, 2_000 + scene.every - 1
    assert np.array_equal(shown(at), shown(just_before_next))
    assert not np.array_equal(shown(at), shown(at + scene.every))


@BOTH
def test_the_legend_names_each_line_once_and_the_drift_first(scene):
    below = next(ax for ax in draw_microscope(scene.name).axes if "tick" in ax.get_xlabel())
    names = [text.get_text() for text in below.get_legend().get_texts()]
    assert "drift" in names[0] and "my error" in names[1] and "twin" in names[2]
    assert len(names) == 3


@BOTH
def test_no_axes_are_made_in_vain(scene, monkeypatch):
    """Each one costs time at every move of a slider."""
    made, usual = [], Axes.__init__

    def noted(ax, *args, **options):
        made.append(ax)
        usual(ax, *args, **options)

    monkeypatch.setattr(Axes, "__init__", noted)
    figure = draw_microscope(scene.name)
    assert made == figure.axes and len(made) == (3 if scene is SPEED_CHECK else 4)
