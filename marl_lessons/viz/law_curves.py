"""How far the parts of a critic's target move while policies learn: curves over training, in panels that share the time axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from marl_lessons.checks import as_float_array
from marl_lessons.viz.curves import in_thousands
from marl_lessons.viz.style import LINES, new_figure


def draw_moving_parts(
    env_steps: np.ndarray, panels: Mapping[str, tuple[str, Mapping[str, np.ndarray]]]
) -> Figure:
    """One panel for each of ``panels[title] = (unit, {label: values[K-1]})``: how far something moved between two records.

    ``env_steps[K]``: steps of all worlds at the records; a value stands at the later one. All axes begin at 0, so that what
    stands still lies on the lower edge. Raises ValueError naming the argument.
    """
    steps = as_float_array("env_steps", env_steps, (None,))
    if not isinstance(panels, Mapping) or not panels:
        raise ValueError(f"panels: expected curves by title, got {panels!r:.80}")
    figure, axes = new_figure(
        1, len(panels), size=(7.8, 3.1), left=0.08, right=0.985, top=0.86, bottom=0.17, wspace=0.3
    )
    for ax, (title, (unit, curves)) in zip(axes, panels.items()):
        for (label, values), (colour, style, marker) in zip(curves.items(), LINES):
            values = as_float_array(f"panels[{title!r:.40}]", values, (len(steps) - 1,))
            ax.plot(
                steps[1:],
                values,
                color=colour,
                linestyle=style,
                marker=marker,
                markersize=4,
                label=label,
                clip_on=False,
                zorder=3,
            )
        ax.set(xlim=(0, steps[-1]), xlabel="steps of all worlds", ylabel=unit)
        ax.set_ylim(0, 1.15 * max(1e-9, *(np.max(v) for v in curves.values())))
        ax.set_title(title, fontsize=10)
        in_thousands(ax)
        ax.legend(loc="upper right")
    return figure
