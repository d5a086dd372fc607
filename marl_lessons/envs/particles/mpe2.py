"""The particle worlds of mpe2 themselves: what the course's own faster copies are measured against. Lesson 09."""

from __future__ import annotations

import os

from marl_lessons.checks import as_choice, as_count, as_flag
from marl_lessons.envs.pettingzoo import ParallelWorlds, from_parallel_env

SCENES = ("simple_spread", "simple_speaker_listener", "simple_tag")


def mpe_worlds(
    name: str,
    n_worlds: int = 1,
    *,
    continuous_actions: bool = False,
    time_limit: int = 25,
    pictures: bool = False,
) -> ParallelWorlds:
    """``n_worlds`` copies of mpe2's environment ``name``, with its own settings but for the arguments named here.

    ``name`` is "simple_spread" (v3), "simple_speaker_listener" (v4) or "simple_tag" (v3). Their episodes end by the clock
    alone, after ``time_limit`` steps. With ``pictures`` each of ``worlds.envs`` draws itself: ``render()`` returns an image
    ``[700, 700, 3]``.
    """
    name = as_choice("name", name, SCENES)
    settings = {
        "continuous_actions": as_flag("continuous_actions", continuous_actions),
        "max_cycles": as_count("time_limit", time_limit),
        "render_mode": "rgb_array" if as_flag("pictures", pictures) else None,
    }
    module = import_mpe2()[name]
    return from_parallel_env(lambda: module.parallel_env(**settings), n_worlds)


def import_mpe2() -> dict:
    """The modules of mpe2's environments by the names of ``SCENES``; ImportError says what to install."""
    # Otherwise pygame greets whoever imports it.
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    try:
        from mpe2 import simple_speaker_listener_v4, simple_spread_v3, simple_tag_v3
    except ImportError as error:
        raise ImportError(
            "these worlds need mpe2; in a terminal run: python -m pip install mpe2"
        ) from error
    return dict(zip(SCENES, (simple_spread_v3, simple_speaker_listener_v4, simple_tag_v3)))
