"""The particle worlds of mpe2 themselves, as batched worlds: what the course's own faster copies are measured against.

Lowe et al. 2017 introduced these worlds; mpe2 keeps them as PettingZoo environments. It is imported when worlds are made.
"""

from __future__ import annotations

import os

from marl_lessons.checks import as_count, as_flag
from marl_lessons.envs.parallel_worlds import ParallelWorlds, from_parallel_env

SCENES = ("simple_spread", "simple_speaker_listener", "simple_tag")


def mpe_worlds(
    name: str,
    n_worlds: int = 1,
    *,
    continuous_actions: bool = True,
    time_limit: int = 25,
    pictures: bool = False,
) -> ParallelWorlds:
    """``n_worlds`` copies of mpe2's environment ``name``, with its own settings but for the arguments named here.

    ``name`` is "simple_spread" (v3), "simple_speaker_listener" (v4) or "simple_tag" (v3). Their episodes end by the clock
    alone, after ``time_limit`` steps. With ``pictures`` each of ``worlds.envs`` draws itself: ``render()`` returns an image
    ``[700, 700, 3]``. Raises ValueError naming the argument, and ImportError if mpe2 is not installed.
    """
    if not isinstance(name, str) or name not in SCENES:
        raise ValueError(f"name is {name!r:.80}; allowed are {', '.join(SCENES)}")
    modules = import_mpe2()
    settings = {
        "continuous_actions": as_flag("continuous_actions", continuous_actions),
        "max_cycles": as_count("time_limit", time_limit),
        "render_mode": "rgb_array" if as_flag("pictures", pictures) else None,
    }
    return from_parallel_env(lambda: modules[name].parallel_env(**settings), n_worlds)


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
