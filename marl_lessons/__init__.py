"""Helper package of the MARL lessons: multi-agent reinforcement learning from one agent to many.

Imports go one way: ``viz`` -> ``evaluation`` -> ``algorithms`` -> ``solvers`` -> ``envs``. Importing this top level is
light: neither torch nor matplotlib is loaded.

Bad input at a door (a world, a config, a function that a reader calls) raises ValueError, which names the argument, what was
given and what is allowed. Docstrings tell only what goes beyond that. Functions of arrays behind the doors check nothing.
"""

__version__ = "0.1.0"
