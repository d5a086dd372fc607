"""Problems to solve: exact games, small and large, and stepping many copies of them at once. All lessons."""

from marl_lessons.envs.cars.blind_crossing import BlindCrossing
from marl_lessons.envs.cars.junction import TrafficJunction, full_information_rule, never_brake
from marl_lessons.envs.cars.one_car import crossroads
from marl_lessons.envs.cars.two_cars import two_cars, two_cars_state
from marl_lessons.envs.games.catalogue import (
    CATALOGUE,
    crossing,
    penalty,
    speed_check,
    stochastic_climbing,
)
from marl_lessons.envs.games.matrix_games import matrix_game, payoffs_of
from marl_lessons.envs.games.riddle import code_table, every_sequence, tell_table
from marl_lessons.envs.games.signalling import best_payoff, bits, lewis
from marl_lessons.envs.games.soccer import Position, soccer, soccer_state
from marl_lessons.envs.grids import cliff_walking, corner_grid, jumping_grid
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.particles.mpe2 import mpe_worlds
from marl_lessons.envs.particles.speaker_listener import simple_speaker_listener
from marl_lessons.envs.particles.spread import simple_spread
from marl_lessons.envs.particles.tag import simple_tag
from marl_lessons.envs.particles.worlds import ParticleWorlds
from marl_lessons.envs.pettingzoo import ParallelWorlds, as_parallel_env, from_parallel_env
from marl_lessons.envs.stepping import BatchedWorlds, GameWorlds, Step, Worlds
