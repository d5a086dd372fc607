"""Problems to solve: exact games, small and large, and stepping many copies of them at once."""

from marl_lessons.envs.catalogue import CATALOGUE, KnownGame, crossing, penalty
from marl_lessons.envs.crossroads import crossroads
from marl_lessons.envs.gridworlds import cliff_walking, corner_grid, jumping_grid
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.matrix_games import matrix_game, payoffs_of
from marl_lessons.envs.simulation import Step, Worlds
from marl_lessons.envs.soccer import Position, soccer, soccer_position, soccer_state
from marl_lessons.envs.two_cars import two_cars, two_cars_state

__all__ = [
    "CATALOGUE",
    "KnownGame",
    "MarkovGame",
    "Position",
    "Step",
    "Worlds",
    "cliff_walking",
    "corner_grid",
    "crossing",
    "crossroads",
    "jumping_grid",
    "matrix_game",
    "payoffs_of",
    "penalty",
    "soccer",
    "soccer_position",
    "soccer_state",
    "two_cars",
    "two_cars_state",
]
