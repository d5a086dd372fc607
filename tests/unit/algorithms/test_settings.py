"""What a learner's settings may be: one table of what is refused, and what numbers become."""

import dataclasses

import numpy as np
import pytest

from marl_lessons.algorithms import (
    Distributed,
    Hysteretic,
    IndependentConfig,
    Lenient,
    PerEpisode,
    PerVisit,
    TabularConfig,
    WolfConfig,
    independent_q_learning,
    minimax_q,
    q_learning,
    sarsa,
    wolf_phc,
)
from marl_lessons.algorithms.deep.iql import DeepIQLConfig
from marl_lessons.algorithms.tables.schedules import Constant, PerAgent
from marl_lessons.envs import crossroads, soccer, two_cars

NAN, INF = float("nan"), float("inf")
NO_COUNT = (0, -1, 2.5, "3", True, NAN, {})
NO_RATE = (-0.1, 1.1, NAN, INF, None, "fast", [0.1], True, 1j, PerVisit)
NO_NUMBER = (NAN, INF, None, "warm", [0.5], True, 1j)
NO_TEMPERATURE = (0, 0.0, -1.0, NAN, INF, 1e10, "hot", True, 1j, {}, np.array([1.0]))
NO_WINDOW = (
    5,
    True,
    "ab",
    np.array([0, 5]),
    (),
    (1,),
    (-1, 5),
    (None, 5),
    (5, 4),
    (0, 0),
    (0, "9"),
)
TABULAR = {
    "n_steps": (*NO_COUNT, None),
    "n_records": (*NO_COUNT, 20_001),
    "time_limit": NO_COUNT,
    "epsilon": (*NO_RATE, PerVisit(), PerEpisode, PerAgent("epsilon", (0.1, 0.1))),
}
VALUES = {"initial_value": NO_NUMBER, "bootstrap_on_truncation": (None, 1, "yes")}
WRONG = {
    TabularConfig: {**TABULAR, **VALUES, "step_size": NO_RATE},
    IndependentConfig: {
        **TABULAR,
        **VALUES,
        "step_size": (*NO_RATE[:6], (), [], *((0.1, wrong) for wrong in NO_RATE)),
        "temperature": (*NO_TEMPERATURE, *((0.5, wrong) for wrong in NO_TEMPERATURE)),
        "memory": (*NO_COUNT, None, *((3, wrong) for wrong in NO_COUNT)),
        "batch_size": (*NO_COUNT, None, (1, 1)),
        "optimism": (True, 0.01, "hysteretic", Hysteretic, Distributed, {}, ()),
        "correlated_exploration": (None, 1, "yes", (True, True)),
        "learns": (True, 5, "always", (5, 10), (), *((None, wrong) for wrong in NO_WINDOW)),
    },
    WolfConfig: {
        **TABULAR,
        "step_size": NO_RATE,
        "win_rate": NO_RATE,
        "lose_rate": NO_RATE,
        "initial_policies": ([0.5, 0.5], np.full((2, 1, 2), 0.6), "uniform", [[[1.5, -0.5]]]),
    },
    Hysteretic: {"negative_step_size": NO_RATE},
    Lenient: {
        "start": (*NO_NUMBER, 0, -1.0, 1e10),
        "decay": (*NO_NUMBER, 0, -0.5, 1.01),
        "leniency": (*NO_NUMBER, 0, -1.0, 1e10),
        "coldest": (*NO_NUMBER, 0, 1e-7, 1e10),
        "exploration": (*NO_NUMBER, 0, -1.0, 1e10),
        "diffusion": (*NO_NUMBER, -0.1, 1.1),
    },
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_settings(kind):
    for name, values in WRONG[kind].items():
        for value in values:
            with pytest.raises(ValueError, match=rf"^{name}\b"):
                kind(**{name: value})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"temperature": 0.5, "optimism": Distributed()}, r"^temperature is 0\.5"),
        ({"memory": 2, "optimism": Lenient()}, "^memory .* only 1 is allowed"),
        ({"memory": (1, 2), "optimism": Distributed()}, "^memory .* only 1 is allowed"),
        ({"correlated_exploration": True, "temperature": (1.0, 2.0)}, "^correlated_exploration"),
        ({"correlated_exploration": True, "optimism": Lenient()}, "^correlated_exploration"),
    ],
)
def test_settings_that_do_not_fit_each_other(fields, said):
    with pytest.raises(ValueError, match=said):
        IndependentConfig(**fields)
    for optimism in (None, Hysteretic(), Distributed()):
        IndependentConfig(correlated_exploration=True, optimism=optimism)
    IndependentConfig(optimism=Lenient(), memory=(1, 1), batch_size=5)


CROSS, CARS = crossroads(), two_cars()
EACH = PerAgent("step_size", (0.1, 0.2))


@pytest.mark.parametrize(
    ("learner", "arguments", "named"),
    [
        *((learner, (None,), "^mdp") for learner in (q_learning, sarsa)),
        *((learner, (CARS,), "^mdp: has 2 agents") for learner in (q_learning, sarsa)),
        *((learner, ("game",), "^game") for learner in (independent_q_learning, minimax_q, wolf_phc)),
        *((q_learning, (CROSS, wrong), "^config") for wrong in ({}, 0, TabularConfig, WolfConfig())),
        (q_learning, (CROSS, IndependentConfig()), "^config"),
        (independent_q_learning, (CARS, TabularConfig), "^config"),
        *(
            (learner, (game, kind(10, EACH, n_records=1)), "^config: step_size is a PerAgent")
            for learner, game, kind in (
                (q_learning, CROSS, TabularConfig),
                (minimax_q, soccer(), TabularConfig),
                (wolf_phc, CARS, WolfConfig),
            )
        ),
        *(
            (independent_q_learning, (CARS, IndependentConfig(**{name: value})), f"^config: {name} .* 2 agents")
            for name, value in (
                ("step_size", (0.1,)),
                ("temperature", (0.1,) * 3),
                ("learns", (None,)),
                ("memory", (2, 2, 2)),
            )
        ),
        *((sarsa, (CROSS, None, seeds), "^seeds") for seeds in (0, 2.5, None, [], [-1], "ab", [3, 3])),
        *((independent_q_learning, (CARS, None, seeds), "^seeds") for seeds in (-1, True, [3, 3])),
    ],
)  # fmt: skip
def test_what_learners_refuse(learner, arguments, named):
    with pytest.raises(ValueError, match=named):
        learner(*arguments)


def test_exploration_needs_one_schedule_that_counts_no_visits():
    for kind in (TabularConfig, IndependentConfig, WolfConfig, DeepIQLConfig):
        with pytest.raises(ValueError, match=r"^epsilon: PerVisit"):
            kind(epsilon=PerVisit())


def test_settings_are_frozen_and_numbers_become_plain():
    short = TabularConfig(np.int64(10), np.float32(0.5), 1, np.int8(3), np.True_, 2, np.int16(1))
    assert (type(short.n_steps), type(short.time_limit), type(short.n_records)) == (int, int, int)
    assert short.bootstrap_on_truncation is True and type(short.initial_value) is float
    with pytest.raises(dataclasses.FrozenInstanceError):
        short.n_steps = 5
    assert Hysteretic(1).negative_step_size == Constant(1.0)
    assert all(type(value) is float for value in vars(Lenient(1, 1, 1, 1, 1, 0)).values())
    default, explicit = (q_learning(crossroads(distance=1), c, 1) for c in (None, TabularConfig()))
    assert np.array_equal(default.q, explicit.q)
