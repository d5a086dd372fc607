"""Teams that learn apart: where many pairs end in a game they share, and why rarely in the best corner. Lesson 06."""

from __future__ import annotations

import functools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from marl_lessons.algorithms.tables.independent_q import (
    IndependentConfig,
    behaviour,
    greedy_actions,
    independent_q_learning,
)
from marl_lessons.algorithms.tables.rules import Hysteretic
from marl_lessons.algorithms.tables.schedules import Linear
from marl_lessons.envs.games.catalogue import CATALOGUE, penalty
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.evaluation.distances import outcome_counts, values_against
from marl_lessons.evaluation.statistics import wilson_interval
from marl_lessons.solvers.exact import exact
from marl_lessons.viz.style import BLACK, BLUE, GREEN, GREY, LINES, ORANGE, VERMILION, new_figure


def draw_outcome_counts(counts: dict[str, np.ndarray], game: MarkovGame) -> Figure:
    """Where the pairs ended, ``counts[title][A_1, A_2]`` as maps side by side; each cell says how many and what it pays.

    The best joint actions stand in a frame. Up to four maps have room.
    """
    figure, axes = new_figure(
        1, len(counts), size=(7.4, 2.75), left=0.06, right=0.99, top=0.78, bottom=0.12, wspace=0.14
    )
    for ax, (title, count) in zip(axes, counts.items()):
        draw_outcomes(ax, count, game, title)
        ax.set_ylabel("")
    axes[0].set_ylabel("agent 1", color=BLUE, labelpad=2)
    return figure


def draw_outcomes(ax: Axes, count: np.ndarray, game: MarkovGame, title: str) -> None:
    """One map of ``count[A_1, A_2]`` pairs that ended with each joint action; frames mark the best of them."""
    payoff, share = game.reward[0, 0], count / count.sum()
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), number in np.ndenumerate(count):
        colour = "white" if share[row, column] > 0.5 else BLACK
        weight = "bold" if number else "normal"
        at = {"ha": "center", "va": "center", "color": colour}
        ax.text(column, row - 0.12, f"{number:,}", fontsize=11, weight=weight, **at)
        ax.text(column, row + 0.27, f"pays {payoff[row, column]:g}", fontsize=7.5, **at)
    worth = exact(payoff)
    for row, column in np.argwhere(worth == worth.max()):
        corner = (column - 0.47, row - 0.47)
        ax.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, edgecolor=ORANGE, linewidth=2.5))
    ax.set_xticks(range(count.shape[1]), game.action_names[1], color=VERMILION)
    ax.set_yticks(range(count.shape[0]), game.action_names[0], color=BLUE)
    ax.set_xlabel("agent 2", color=VERMILION, labelpad=1)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_title(title)


def draw_overgeneralisation(game: MarkovGame, agent: int = 0) -> Figure:
    """What each action of ``agent`` is worth on average, exactly, against a partner who explores less and less.

    One picture for each action that the partner may hold for its best: it plays that with probability 1 - ε and a random
    one otherwise. On the left ε = 1, and all pictures agree; on the right it has stopped exploring.
    """
    partner_actions = game.action_names[1 - agent]
    figure, axes = new_figure(
        1, len(partner_actions), size=(7.4, 3.0), left=0.1, right=0.985, bottom=0.3, wspace=0.12
    )
    epsilons = np.linspace(0, 1, 201)
    values = np.array(
        [
            [values_against(game, agent, p) for p in behaviour(q, epsilons)]
            for q in np.repeat(np.eye(len(partner_actions))[:, None], len(epsilons), axis=1)
        ]
    )  # [partner's favourite, ε, action]
    for ax, theirs, value in zip(axes, partner_actions, values):
        for name, curve, (colour, linestyle, _) in zip(game.action_names[agent], value.T, LINES):
            ax.plot(epsilons, curve, color=colour, linestyle=linestyle, label=f"my {name}")
        best = value.argmax(axis=1)
        for turn in np.flatnonzero(best[1:] != best[:-1]):
            ax.axvline(epsilons[turn], color=GREY, linestyle=(0, (1, 1)), linewidth=1.2)
            ax.text(
                epsilons[turn] + 0.02, 0.02, f"{epsilons[turn]:.2f}", ha="right", fontsize=8.5,
                color="#555555", transform=ax.get_xaxis_transform(),
            )  # fmt: skip
        ax.set(xlabel="partner's ε", title=f"Partner prefers {theirs}")
        ax.set(xlim=(1, 0), ylim=(values.min() - 1, values.max() + 1))
        ax.set_xticks([1, 0.5, 0], ["1", "0.5", "0"])
        if ax is not axes[0]:
            ax.set_yticklabels([])
    axes[0].set_ylabel("average payoff")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="lower center", ncols=3)
    return figure


def draw_drift_of_pairs(
    steps: np.ndarray, actions: np.ndarray, game: MarkovGame, seed: int = 0
) -> Figure:
    """Greedy joint actions ``actions[K+1, E, 2]`` of E pairs over ``steps[K+1]``: the share of each, and one pair's way.

    Joint actions that fewer than 2 % of the pairs hold at any time after the first tenth are left out.
    """
    figure, (ax, way) = new_figure(
        2, 1, size=(7.4, 3.9), bottom=0.13, top=0.91, hspace=0.55, right=0.83
    )
    joint = np.ravel_multi_index(np.moveaxis(actions, -1, 0), game.n_actions)
    shares = np.stack([(joint == j).mean(axis=1) for j in range(game.reward[0, 0].size)])
    shown = np.flatnonzero(shares[:, len(steps) // 10 :].max(axis=1) > 0.02)
    shown = shown[np.argsort(game.reward[0, 0].ravel()[shown])]
    names = {}
    for j, (colour, linestyle, _) in zip(shown, LINES):
        row, column = np.unravel_index(j, game.n_actions)
        pays = game.reward[0, 0, row, column]
        names[j] = f"({game.action_names[0][row]}, {game.action_names[1][column]}) {pays:g}"
        ax.plot(steps, shares[j], color=colour, linestyle=linestyle, label=names[j])
    ax.set(xlim=(0, steps[-1]), ylim=(0, 1), ylabel="share of pairs")
    ax.set_title(f"What {actions.shape[1]:,} pairs hold for best")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=1.8, fontsize=8.5)
    places = {j: place for place, j in enumerate(names)}
    held = np.array([places.get(j, np.nan) for j in joint[:, seed]])
    way.plot(steps, held, color=BLACK, linewidth=1.2, linestyle="-", drawstyle="steps-post")
    way.set_yticks(range(len(names)), [name.split(")")[0] + ")" for name in names.values()])
    way.set(xlim=(0, steps[-1]), ylim=(-0.4, len(names) - 0.6), xlabel="step")
    way.set_title(f"One of them: pair {seed}")
    return figure


def draw_sweet_spot(ratios, successes, n: int, game: MarkovGame) -> Figure:
    """Share of n pairs that ended in the best corner by ρ = β / α, and what the algebra says of the exploring phase.

    ``successes[R]`` for ``ratios[R]``. Right: where the entries of both agents settle against a uniform partner; shaded where
    an action of the best corner is the best of all for both.
    """
    figure, (left, right) = new_figure(1, 2, size=(7.4, 3.3), wspace=0.24)
    draw_shares(left, ratios, {"measured": successes}, n)
    left.set(ylabel="share at the optimum", title=f"{n:,} pairs, 95 % intervals")
    grid = np.linspace(0, max(ratios), 201)
    values = settled_values(game, tuple(grid))
    window = corner_window(game, values)
    best = np.unravel_index(game.reward[0, 0].argmax(), game.n_actions)[0]
    for a, (name, (colour, linestyle, _)) in enumerate(zip(game.action_names[0], LINES)):
        look = {"color": colour, "linestyle": linestyle}
        right.plot(grid, values[:, 0, a], label=f"{name}, agent 1", **look)
        right.plot(grid, values[:, 1, a], linewidth=0.9, alpha=0.8, **look)
    for ax in (left, right):
        ax.fill_between(grid, 0, 1, where=window, color="#d9efe4", zorder=0, linewidth=0,
                        transform=ax.get_xaxis_transform())  # fmt: skip
        ax.set(xlabel="ρ = β / α", xlim=(-0.02 * max(ratios), 1.02 * max(ratios)))
    name = game.action_names[0][best]
    right.set(ylabel="settled value", title=f"Algebra: in green, {name} is best for both")
    right.legend(loc="upper right", title="thin: agent 2", title_fontsize=8.5)
    return figure


@functools.lru_cache(maxsize=8)
def settled_values(game: MarkovGame, ratios: tuple[float, ...]) -> np.ndarray:
    """``[R, 2, A]``: where both agents' entries settle against a uniform partner, for each of the ``ratios``."""
    uniform = [np.full(a, 1 / a) for a in game.n_actions]
    return np.array([[values_against(game, i, uniform[1 - i], r) for i in (0, 1)] for r in ratios])


def corner_window(game: MarkovGame, values: np.ndarray) -> np.ndarray:
    """``[R]`` booleans: where the best entry of both agents in ``values[R, 2, A]`` is that of the best joint action."""
    corner = np.unravel_index(game.reward[0, 0].argmax(), game.n_actions)
    return (values.argmax(axis=-1) == corner).all(axis=-1)


def draw_shares(ax: Axes, x, successes: dict[str, np.ndarray], n: int) -> None:
    """Shares ``successes[name] / n`` over ``x`` with Wilson's 95 % intervals."""
    for (name, found), (colour, linestyle, marker) in zip(successes.items(), LINES):
        share, (low, high) = np.asarray(found) / n, wilson_interval(found, n)
        ax.errorbar(
            x, share, [share - low, high - share], color=colour, linestyle=linestyle, marker=marker,
            capsize=2.5, elinewidth=1.2, linewidth=1.5, label=name,
        )  # fmt: skip
    ax.set(ylim=(-0.03, 1.03))


def draw_penalty_shares(penalties, successes: dict[str, np.ndarray], n: int) -> Figure:
    """Share of n pairs that ended in one of the two good corners of ``penalty(k)``, by k, for each kind of learner."""
    figure, (ax,) = new_figure(size=(7.4, 3.2))
    draw_shares(ax, penalties, successes, n)
    ax.axvline(-8, color=GREY, linestyle=(0, (4, 3)), linewidth=1)
    ax.text(
        -7.8, 0.12, "left of this line, the safe\naction is best against a\npartner who acts at random",
        color="#555555", fontsize=8.5,
    )  # fmt: skip
    ax.set(xlabel="penalty k", ylabel="share at the optimum")
    ax.set_title(f"It tips gradually ({n:,} pairs, 95 % intervals)")
    ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.66))
    return figure


LIVE_STEPS, LIVE_PAIRS = 1000, 200
PENALTIES = (-1, -5, -8, -10, -15, -20, -30)
TEAM_GAMES = ("climbing", *(f"penalty({k})" for k in PENALTIES))


@functools.lru_cache(maxsize=len(TEAM_GAMES))
def team_game(name: str) -> MarkovGame:
    """One of the TEAM_GAMES by its name."""
    return CATALOGUE[name].game if name == "climbing" else penalty(float(name[8:-1])).game


@functools.lru_cache(maxsize=64)
def live_counts(name: str, exploration: int, step_size: float, ratio: float) -> np.ndarray:
    """``[A_1, A_2]``: where LIVE_PAIRS pairs end after LIVE_STEPS steps; arguments as in :func:`draw_team_widget`."""
    config = IndependentConfig(
        n_steps=LIVE_STEPS,
        step_size=step_size,
        epsilon=Linear(1, 0, exploration, per="step"),
        optimism=Hysteretic(ratio * step_size),
        time_limit=None,
        n_records=1,
    )
    history = independent_q_learning(team_game(name), config, LIVE_PAIRS)
    return outcome_counts(greedy_actions(history)[-1, :, :, 0], (3, 3))


def draw_team_widget(
    game: str = "climbing",
    exploration: int = LIVE_STEPS,
    step_size: float = 0.1,
    ratio: float = 1.0,
) -> Figure:
    """Widget: 200 pairs learn afresh; where they end, and how they share out over the payoffs.

    ``game``: one of TEAM_GAMES; ``exploration``: steps until ε has fallen from 1 to 0; ``step_size``: α; ``ratio``: β / α,
    1 for plain Q-learning, less for hysteretic.
    """
    shown, count = team_game(game), live_counts(game, exploration, step_size, ratio)
    figure, (left, right) = new_figure(1, 2, size=(7.4, 2.9), left=0.07, right=0.98, wspace=0.25)
    draw_outcomes(left, count, shown, f"Where {LIVE_PAIRS} pairs ended")
    left.set_ylabel("agent 1", color=BLUE)
    payoff = shown.reward[0, 0]
    levels = np.unique(payoff)[::-1]
    found = np.array([count[payoff == level].sum() for level in levels])
    share, (low, high) = found / LIVE_PAIRS, wilson_interval(found, LIVE_PAIRS)
    place = np.arange(len(levels))[::-1]
    colours = [GREEN if level == levels[0] else GREY for level in levels]
    right.barh(place, share, xerr=[share - low, high - share], color=colours, height=0.6,
               error_kw={"linewidth": 1.2, "capsize": 2.5})  # fmt: skip
    right.set_yticks(place, [f"pays {level:g}" for level in levels])
    right.set(xlim=(0, 1.02), xlabel="share of pairs, with 95 % interval")
    mean = (count * payoff).sum() / LIVE_PAIRS
    right.set_title(f"Optimum: {found[0]} of {LIVE_PAIRS}, mean {mean:.1f}")
    return figure
