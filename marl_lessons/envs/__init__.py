"""Problems to solve: exact games, small and large, and stepping many copies of them at once."""

from marl_lessons.envs.batched import BatchedStep, BatchedWorlds, ContinuousWorlds
from marl_lessons.envs.blind_crossing import BlindCrossing, blind_crossing_game
from marl_lessons.envs.catalogue import CATALOGUE, KnownGame, crossing, penalty, speed_check
from marl_lessons.envs.crossroads import crossroads
from marl_lessons.envs.game_worlds import GameWorlds
from marl_lessons.envs.gridworlds import cliff_walking, corner_grid, jumping_grid
from marl_lessons.envs.lotteries import lottery_game, stochastic_climbing
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.matrix_games import matrix_game, payoffs_of
from marl_lessons.envs.mpe import mpe_worlds
from marl_lessons.envs.parallel_env import as_parallel_env
from marl_lessons.envs.parallel_worlds import ParallelWorlds, from_parallel_env
from marl_lessons.envs.particles import (
    ParticleWorlds,
    simple_speaker_listener,
    simple_spread,
    simple_tag,
)
from marl_lessons.envs.signalling import (
    SignallingGame,
    best_code,
    best_payoff,
    bits,
    expected_payoff,
    lewis,
)
from marl_lessons.envs.simulation import Step, Worlds
from marl_lessons.envs.soccer import Position, soccer, soccer_position, soccer_state
from marl_lessons.envs.switch_riddle import SwitchRiddle, riddle_days
from marl_lessons.envs.traffic_junction import BRAKE, GAS, TrafficJunction
from marl_lessons.envs.traffic_rules import full_information_rule, never_brake
from marl_lessons.envs.two_cars import two_cars, two_cars_state

__all__ = [
    "BRAKE",
    "CATALOGUE",
    "GAS",
    "BatchedStep",
    "BatchedWorlds",
    "BlindCrossing",
    "ContinuousWorlds",
    "GameWorlds",
    "KnownGame",
    "MarkovGame",
    "ParallelWorlds",
    "ParticleWorlds",
    "Position",
    "SignallingGame",
    "Step",
    "SwitchRiddle",
    "TrafficJunction",
    "Worlds",
    "as_parallel_env",
    "best_code",
    "best_payoff",
    "bits",
    "blind_crossing_game",
    "cliff_walking",
    "corner_grid",
    "crossing",
    "crossroads",
    "expected_payoff",
    "from_parallel_env",
    "full_information_rule",
    "jumping_grid",
    "lewis",
    "lottery_game",
    "matrix_game",
    "mpe_worlds",
    "never_brake",
    "payoffs_of",
    "penalty",
    "riddle_days",
    "simple_speaker_listener",
    "simple_spread",
    "simple_tag",
    "soccer",
    "soccer_position",
    "soccer_state",
    "speed_check",
    "stochastic_climbing",
    "two_cars",
    "two_cars_state",
]
