"""Deep learners at the Traffic Junction: success while they learn, beside levels known without learning. Lesson 06."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.algorithms.deep.iql import DeepHistory
from marl_lessons.viz.curves import in_thousands
from marl_lessons.viz.style import BLACK, BLUE, new_figure


def draw_junction_curves(runs: Mapping[str, DeepHistory], levels: Mapping[str, float]) -> Figure:
    """Share of episodes without a collision while networks learn, one panel for each of ``runs``.

    ``runs[title].evaluations`` hold one such share for each seed, ``[E]``, at each record; ``levels[name]``: shares drawn as
    horizontal lines, what is reached without learning.
    """
    figure, axes = new_figure(
        1, len(runs), size=(7.8, 3.3), left=0.085, right=0.985, top=0.88, bottom=0.16, wspace=0.08
    )
    for ax, (title, run) in zip(axes, runs.items()):
        at, shares = run.steps, np.array(run.evaluations)
        seeds = {"linewidth": 0.9, "alpha": 0.6, "marker": "o", "markersize": 2.5}
        ax.plot(at, shares, color=BLUE, linestyle="-", **seeds)
        median = {"linewidth": 2.4, "label": "median of seeds"}
        ax.plot(at, np.median(shares, axis=1), color=BLUE, linestyle="-", **median)
        for (name, level), line in zip(levels.items(), (":", "--", "-.")):
            look = {"color": BLACK, "linestyle": line, "linewidth": 1.1}
            ax.axhline(level, label=f"{name}: {level:.2f}", **look)
        ax.set(xlabel="steps of every world", xlim=(0, at[-1]), ylim=(0, 1.04), title=title)
        in_thousands(ax)
    axes[0].set_ylabel("episodes without a collision")
    for ax in axes[1:]:
        ax.set_yticklabels([])
    axes[-1].legend(loc="lower right")
    return figure
