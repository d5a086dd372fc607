"""Figures of deep learners at the Traffic Junction: success while they learn, beside the levels one knows without learning."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.algorithms.deep.iql import DeepHistory
from marl_lessons.checks import as_float_array, as_number
from marl_lessons.viz.curves import in_thousands
from marl_lessons.viz.style import BLACK, BLUE, new_figure


def draw_junction_curves(runs: Mapping[str, DeepHistory], levels: Mapping[str, float]) -> Figure:
    """Share of episodes without a collision while networks learn, one panel for each of ``runs``.

    ``runs[title].evaluations`` hold one such share for each seed, ``[E]``, at each record; ``levels[name]``: shares drawn as
    horizontal lines, what is reached without learning. Raises ValueError naming ``runs`` if there are none or one was not
    evaluated so, ``levels`` for a share outside [0, 1].
    """
    if not isinstance(runs, Mapping) or not runs:
        raise ValueError(f"runs: expected one run or more by title, got {runs!r:.80}")
    shares = {title: _shares(title, run) for title, run in runs.items()}
    levels = {name: as_number(f"levels[{name!r:.40}]", v, 0.0, 1.0) for name, v in levels.items()}
    figure, axes = new_figure(
        1, len(runs), size=(7.8, 3.3), left=0.085, right=0.985, top=0.88, bottom=0.16, wspace=0.08
    )
    for ax, (title, run) in zip(axes, runs.items()):
        at, values = run.steps, shares[title]
        ax.plot(
            at,
            values,
            color=BLUE,
            linewidth=0.9,
            alpha=0.6,
            linestyle="-",
            marker="o",
            markersize=2.5,
        )
        ax.plot(
            at,
            np.median(values, axis=1),
            color=BLUE,
            linewidth=2.4,
            linestyle="-",
            label="median of seeds",
        )
        for (name, level), line in zip(levels.items(), (":", "--", "-.")):
            ax.axhline(
                level, color=BLACK, linestyle=line, linewidth=1.1, label=f"{name}: {level:.2f}"
            )
        ax.set(xlabel="steps of every world", xlim=(0, at[-1]), ylim=(0, 1.04), title=title)
        in_thousands(ax)
    axes[0].set_ylabel("episodes without a collision")
    for ax in axes[1:]:
        ax.set_yticklabels([])
    axes[-1].legend(loc="lower right")
    return figure


def _shares(title: str, run: DeepHistory) -> np.ndarray:
    """``[K+1, E]``: the evaluations of ``run``, or ValueError naming it."""
    name = f"runs[{title!r:.40}]"
    if not isinstance(run, DeepHistory):
        raise ValueError(f"{name}: expected the history of a training run, got {run!r:.80}")
    if run.evaluations is None:
        raise ValueError(f"{name} has no evaluations; give evaluate=... when training")
    shares = as_float_array(f"{name}.evaluations", run.evaluations, (len(run.steps), None))
    if shares.min() < 0 or shares.max() > 1:
        raise ValueError(f"{name}.evaluations: allowed are shares from 0 to 1")
    return shares
