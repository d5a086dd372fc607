"""Problems to solve: exact tabular games, and stepping many copies of them at once."""

from marl_lessons.envs.crossroads import crossroads
from marl_lessons.envs.gridworlds import cliff_walking, corner_grid, jumping_grid
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.simulation import Step, Worlds
from marl_lessons.envs.two_cars import two_cars

__all__ = [
    "MarkovGame",
    "Step",
    "Worlds",
    "cliff_walking",
    "corner_grid",
    "crossroads",
    "jumping_grid",
    "two_cars",
]
