"""The table of what words mean, while two learners of a signalling game agree on it: made for a slider through training. Lesson 10."""

from __future__ import annotations

import string

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from marl_lessons.algorithms.talk.signalling import SignallingHistory
from marl_lessons.envs.games.signalling import SignallingGame, best_payoff, bits
from marl_lessons.viz.curves import in_thousands
from marl_lessons.viz.style import BLACK, BLUE, GREY, ORANGE, VERMILION, new_figure

LETTERS = string.ascii_uppercase
LARGEST = 12  # states, messages or actions that still can be read
NUMBERS = ("policies", "tables")
TIE = 1e-9


def draw_code_table(
    history: SignallingHistory,
    game: SignallingGame,
    seed: int = 0,
    moment: int = -1,
    numbers: str = "policies",
) -> Figure:
    """Widget: what the words of ``seed`` mean at record ``moment``, and what they pay, among all seeds.

    Above from left to right: what the sender says in each state, what the receiver does after each word, and both together: what
    it does in each state, with frames around the right actions. Words are letters, states and actions are numbers. Shades are
    chances; ``numbers`` are the chances, too ("policies"), or the action values that they come from ("tables").
    Below: the exact payoff of the recorded policies, this seed's in bold, and as levels what is possible without a word
    and with all of them.

    ``seed``: one of ``history.seeds``; ``moment``: the number of a record, -1 the last. A learner without experience says the
    first word and does the first action, as the lowest index wins a tie. At most 12 states, messages and actions.
    """
    if history.sender.shape[2:] != (game.n_states, game.n_messages):
        raise ValueError(f"history: it is none of {game!r}")
    if max(game.n_states, game.n_messages, game.n_actions) > LARGEST:
        raise ValueError(f"game: {game!r} is too large; {LARGEST} of each can be drawn at most")
    if numbers not in NUMBERS:
        raise ValueError(f"numbers is {numbers!r:.80}; allowed are {', '.join(NUMBERS)}")
    if seed not in history.seeds:
        raise ValueError(f"seed is {seed!r:.80}; allowed are {list(history.seeds)!r:.200}")
    which = history.seeds.index(seed)
    figure, (says, does, both, below) = _new_panels(game)
    sender, receiver = history.sender[moment, which], history.receiver[moment, which]
    shown = (sender, receiver)
    if numbers == "tables":
        shown = (history.sender_table[moment, which], history.receiver_table[moment, which])
    _draw_table(says, sender, shown[0], "The sender says", "state", "word")
    _draw_table(does, receiver, shown[1], "The receiver does", "word", "action")
    _draw_table(both, sender @ receiver, sender @ receiver, "Both together", "state", "action")
    _frame_right_actions(both, game)
    _draw_payoffs(below, history, game, which, moment)
    told, most = bits(game, sender), np.log2(game.n_messages)
    pays, rounds = history.payoff[moment, which], int(history.rounds[moment])
    below.set_title(
        f"Seed {seed} after {rounds:,} rounds: pays {pays:.2f}, its words tell {told:.2f} of {most:.2f} bits"
    )
    return figure


def _new_panels(game: SignallingGame) -> tuple[Figure, list[Axes]]:
    """Three tables side by side, as high as their rows need, above one wide panel."""
    tables = 0.55 + 0.3 * max(3, game.n_states, game.n_messages)
    height = tables + 3.0
    figure, axes = new_figure(1, 4, size=(7.8, height))
    top, low = 1 - 0.35 / height, 1 - (tables - 0.1) / height
    for k, ax in enumerate(axes[:3]):
        ax.set_position((0.075 + 0.325 * k, low, 0.255, top - low))
    axes[3].set_position((0.075, 0.78 / height, 0.905, 1.45 / height))
    return figure, list(axes)


def _draw_table(
    ax: Axes, chances: np.ndarray, numbers: np.ndarray, title: str, row: str, column: str
) -> None:
    """``chances[R, C]`` as shades with ``numbers[R, C]`` on them; rows and columns are a state, word or action each."""
    n_rows, n_columns = chances.shape
    ax.imshow(chances, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    size = 9.5 if max(n_rows, n_columns) <= 6 else 7 if max(n_rows, n_columns) <= 9 else 5.5
    for (r, c), chance in np.ndenumerate(chances):
        ink = "white" if chance > 0.55 else BLACK if chance > TIE else "#707070"
        ax.text(c, r, _short(numbers[r, c]), ha="center", va="center", color=ink, fontsize=size,
                weight="bold" if chance > 0.5 else "normal")  # fmt: skip
    ax.set_xticks(range(n_columns), _names(column, n_columns), color=_ink(column))
    ax.set_yticks(range(n_rows), _names(row, n_rows), color=_ink(row))
    ax.set_xlabel(column, color=_ink(column), labelpad=1)
    ax.set_ylabel(row, color=_ink(row), labelpad=4)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_title(title)


def _frame_right_actions(ax: Axes, game: SignallingGame) -> None:
    """A frame around each state's best actions."""
    best = game.payoff >= game.payoff.max(axis=1, keepdims=True) - TIE
    for state, action in np.argwhere(best):
        corner = action - 0.46, state - 0.46
        ax.add_patch(Rectangle(corner, 0.92, 0.92, fill=False, edgecolor=ORANGE, linewidth=2))


def _draw_payoffs(
    ax: Axes, history: SignallingHistory, game: SignallingGame, which: int, moment: int
) -> None:
    """All seeds' payoffs over rounds, one of them in bold with a dot at ``moment``, and the levels."""
    others = np.delete(history.payoff, which, axis=1)
    lines = [np.column_stack([history.rounds, payoff]) for payoff in others.T]
    ax.add_collection(LineCollection(
        lines, colors=GREY, linewidths=0.7, alpha=0.5, zorder=2, label="the other seeds"
    ))  # fmt: skip
    pays, now = history.payoff[:, which], history.rounds[moment]
    seed = history.seeds[which]
    ax.plot(history.rounds, pays, color=BLUE, linestyle="-", linewidth=2.4, label=f"seed {seed}")
    ax.axvline(now, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=1)
    ax.plot(now, pays[moment], "o", color=VERMILION, markersize=8, markeredgecolor=BLACK,
            zorder=6, clip_on=False)  # fmt: skip
    words = f"{game.n_messages} word{'s' if game.n_messages > 1 else ''}"
    silent = best_payoff(SignallingGame(game.prior, game.payoff, 1))
    levels = ((silent, "best without a word", ":"), (best_payoff(game), f"best with {words}", "--"))
    for level, name, style in levels:
        label = f"{name}: {level:.3g}"
        ax.axhline(level, color=BLACK, linestyle=style, linewidth=1.1, label=label, zorder=3)
    every = [*history.payoff.ravel(), silent, best_payoff(game)]
    margin = 0.07 * (max(every) - min(every)) or 0.1
    ax.set(xlim=(0, history.rounds[-1]), ylim=(min(every) - margin, max(every) + margin))
    ax.set(xlabel="rounds", ylabel="expected payoff")
    in_thousands(ax)
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="lower center", ncols=4)


def _short(number: float) -> str:
    """``number`` in few signs: 1, 0, .25, 3.2, 120, 1.5k."""
    if abs(number) >= 999.5:
        return f"{number / 1000:.1f}k" if abs(number) < 99_950 else f"{number:.0e}"
    if abs(number) >= 9.95:
        return f"{number:.0f}"
    rounded = round(number, 2 if abs(number) < 0.995 else 1) + 0.0
    text = f"{rounded:g}"
    return text.replace("0.", ".", 1) if abs(rounded) < 1 else text


def _names(what: str, count: int) -> list[str]:
    """Words are letters, states and actions are numbers from 1."""
    return [LETTERS[k] if what == "word" else str(k + 1) for k in range(count)]


def _ink(what: str) -> str:
    return VERMILION if what == "word" else BLACK
