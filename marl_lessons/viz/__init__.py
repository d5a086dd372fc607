"""Pictures, animations and widgets. Everything that draws is a pure function that returns a matplotlib Figure."""

from marl_lessons.viz.animation import Animation
from marl_lessons.viz.interactive import Interactive, choice, slider
from marl_lessons.viz.prediction import predict
from marl_lessons.viz.style import Picture, new_figure, use_style

__all__ = [
    "Animation",
    "Interactive",
    "Picture",
    "choice",
    "new_figure",
    "predict",
    "slider",
    "use_style",
]
