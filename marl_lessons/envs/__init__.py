"""Problems to solve: exact games, small and large, and stepping many copies of them at once."""

from marl_lessons.envs.cars.blind_crossing import BlindCrossing, blind_crossing_game
from marl_lessons.envs.cars.junction import (
    BRAKE,
    GAS,
    TrafficJunction,
    full_information_rule,
    never_brake,
)
from marl_lessons.envs.cars.one_car import crossroads
from marl_lessons.envs.cars.two_cars import two_cars, two_cars_state
from marl_lessons.envs.games.catalogue import (
    CATALOGUE,
    KnownGame,
    crossing,
    lottery_game,
    penalty,
    speed_check,
    stochastic_climbing,
)
from marl_lessons.envs.games.matrix_games import matrix_game, payoffs_of
from marl_lessons.envs.games.riddle import (
    code_table,
    every_sequence,
    riddle_days,
    tell_table,
)
from marl_lessons.envs.games.signalling import (
    SignallingGame,
    best_payoff,
    bits,
    expected_payoff,
    lewis,
)
from marl_lessons.envs.games.soccer import Position, soccer, soccer_position, soccer_state
from marl_lessons.envs.grids import cliff_walking, corner_grid, jumping_grid
from marl_lessons.envs.markov_game import MarkovGame
from marl_lessons.envs.particles.worlds import (
    ParticleWorlds,
    mpe_worlds,
    simple_speaker_listener,
    simple_spread,
    simple_tag,
)
from marl_lessons.envs.pettingzoo import ParallelWorlds, as_parallel_env, from_parallel_env
from marl_lessons.envs.stepping import (
    BatchedStep,
    BatchedWorlds,
    ContinuousWorlds,
    GameWorlds,
    Step,
    Worlds,
)

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
    "TrafficJunction",
    "Worlds",
    "as_parallel_env",
    "best_payoff",
    "bits",
    "blind_crossing_game",
    "cliff_walking",
    "code_table",
    "corner_grid",
    "crossing",
    "crossroads",
    "every_sequence",
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
    "tell_table",
    "two_cars",
    "two_cars_state",
]
