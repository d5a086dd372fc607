"""Pictures, animations and widgets. A `draw_…` function returns a figure, or draws into the axes it is given first. All lessons."""

from marl_lessons.viz.prediction import answers, predict
from marl_lessons.viz.style import Picture, new_figure, use_style
from marl_lessons.viz.widgets import (
    Animation,
    Interactive,
    choice,
    progress_bar,
    slider,
    span,
    track,
)
