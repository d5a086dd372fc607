"""Pictures, animations and widgets. A `draw_…` function returns a figure, or draws into the axes it is given first."""

from marl_lessons.viz.animation import Animation
from marl_lessons.viz.interactive import Interactive, choice, slider, span
from marl_lessons.viz.prediction import predict
from marl_lessons.viz.progress import progress_bar
from marl_lessons.viz.style import Picture, new_figure, use_style

__all__ = [
    "Animation",
    "Interactive",
    "Picture",
    "choice",
    "new_figure",
    "predict",
    "progress_bar",
    "slider",
    "span",
    "use_style",
]
