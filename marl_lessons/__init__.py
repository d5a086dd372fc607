"""Helper package of the MARL lessons: multi-agent reinforcement learning from one agent to many.

Imports go one way: ``viz`` -> ``evaluation`` -> ``algorithms`` -> ``solvers`` -> ``envs``. Importing this top level is
light: neither torch nor matplotlib is loaded.
"""

__version__ = "0.1.0"
