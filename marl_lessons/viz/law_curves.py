"""How far the parts of a critic's target move while policies learn: curves over training, in panels that share the time axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from marl_lessons.checks import as_float_array
from marl_lessons.viz.curves import in_thousands
from marl_lessons.viz.style import LINES, new_figure

Panels = Mapping[str, tuple[str, Mapping[str, np.ndarray]]]


def draw_moving_parts(env_steps: np.ndarray, panels: Panels) -> Figure:
    """One panel for each of ``panels[title] = (unit, {label: values[K-1]})``: how far something moved between two records.

    ``env_steps[K]``: steps of all worlds at the records, increasing; a value, at least 0, stands at the later one. All axes
    begin at 0, so that what stands still lies on the lower edge. A panel has at most 5 curves, told apart without colour, too.
    Raises ValueError naming the argument.
    """
    steps = as_float_array("env_steps", env_steps, (None,))
    if len(steps) < 2 or (np.diff(steps) <= 0).any() or steps[0] < 0:
        raise ValueError(f"env_steps: expected 2 increasing numbers or more, got {env_steps!r:.80}")
    panels = _as_panels(panels, len(steps) - 1)
    figure, axes = new_figure(
        1, len(panels), size=(7.8, 3.1), left=0.08, right=0.985, top=0.86, bottom=0.17, wspace=0.3
    )
    for ax, (title, (unit, curves)) in zip(axes, panels.items()):
        _draw_panel(ax, steps, curves)
        ax.set(xlim=(0, steps[-1]), xlabel="steps of all worlds", ylabel=unit)
        ax.set_title(title, fontsize=10)
    return figure


def _draw_panel(ax: Axes, steps: np.ndarray, curves: dict[str, np.ndarray]) -> None:
    for (label, values), (colour, style, marker) in zip(curves.items(), LINES):
        ax.plot(steps[1:], values, color=colour, linestyle=style, marker=marker, markersize=4,
                label=label, clip_on=False, zorder=3)  # fmt: skip
    ax.set_ylim(0, 1.15 * max(1e-9, *(values.max() for values in curves.values())))
    in_thousands(ax)
    ax.legend(loc="upper right")


def _as_panels(panels, count: int) -> dict[str, tuple[str, dict[str, np.ndarray]]]:
    """``panels`` with ``count`` values in each curve; raises ValueError naming the first thing that is none."""
    if not isinstance(panels, Mapping) or not panels:
        raise ValueError(f"panels: expected curves by title, got {panels!r:.80}")
    checked = {}
    for title, panel in panels.items():
        name = f"panels[{title!r:.40}]"
        if not isinstance(panel, tuple | list) or len(panel) != 2 or not isinstance(panel[0], str):
            raise ValueError(f"{name}: expected a unit and curves by label, got {panel!r:.80}")
        unit, curves = panel
        if not isinstance(curves, Mapping) or not curves:
            raise ValueError(f"{name}: expected curves by label, got {curves!r:.80}")
        if len(curves) > len(LINES):
            raise ValueError(f"{name}: {len(LINES)} curves at most fit, got {len(curves)}")
        arrays = {k: as_float_array(f"{name}[{k!r:.40}]", v, (count,)) for k, v in curves.items()}
        for label, values in arrays.items():
            if values.min() < 0:
                raise ValueError(f"{name}[{label!r:.40}]: a distance is not below 0, got {values.min():g}")  # fmt: skip
        checked[title] = unit, arrays
    return checked
