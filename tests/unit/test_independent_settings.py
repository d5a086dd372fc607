"""Every setting of independent learners: what it accepts, what it becomes, and how it refuses."""

import dataclasses

import numpy as np
import pytest

from marl_lessons.algorithms.tables.history import TabularConfig
from marl_lessons.algorithms.tables.independent_q import IndependentConfig, fitting
from marl_lessons.algorithms.tables.rules import Distributed, Hysteretic, Lenient
from marl_lessons.algorithms.tables.schedules import Constant, PerAgent, PerEpisode, PerVisit

NAN, INF = float("nan"), float("inf")
NO_RATE = (-0.1, 1.1, NAN, INF, None, "fast", [0.1], True, 1j)
NO_TEMPERATURE = (0, 0.0, -1.0, NAN, INF, 1e10, "hot", True, 1j, {}, np.array([1.0]))
NO_COUNT = (0, -1, 2.5, "3", None, True, NAN, {})


@pytest.mark.parametrize(
    "name, values",
    [
        ("n_steps", NO_COUNT),
        ("n_records", (0, -1, 2.5, "3", True, 20_001)),
        ("time_limit", (0, -1, 2.5, "3", True, NAN)),
        ("step_size", (-0.1, 1.1, NAN, INF, None, "fast", True, PerVisit, {}, np.array([0.1]))),
        ("step_size", ((), [])),
        ("epsilon", (*NO_RATE, PerVisit(), PerEpisode, (0.1, 0.1))),
        ("initial_value", (NAN, INF, None, "high", [0.0])),
        ("bootstrap_on_truncation", (None, 1, "yes")),
        ("temperature", NO_TEMPERATURE),
        ("memory", NO_COUNT),
        ("batch_size", (*NO_COUNT, (1, 1))),
        ("optimism", (True, 0.01, "hysteretic", Hysteretic, Lenient, Distributed, {}, ())),
        ("correlated_exploration", (None, 1, "yes", (True, True))),
        ("learns", (True, 5, "always", (5, 10), (None, 5), {}, np.array([[0, 1]]), (), [])),
    ],
)
def test_wrong_settings(name, values):
    for value in values:
        with pytest.raises(ValueError, match=rf"^{name}\b"):
            IndependentConfig(**{name: value})


@pytest.mark.parametrize("wrong", NO_RATE)
def test_wrong_step_sizes_of_an_agent(wrong):
    for values in ((0.1, wrong), [0.1, wrong]):
        with pytest.raises(ValueError, match=r"^step_size\[1\]"):
            IndependentConfig(step_size=values)


@pytest.mark.parametrize("wrong", (*NO_TEMPERATURE, None, [1.0]))
def test_wrong_temperatures_of_an_agent(wrong):
    with pytest.raises(ValueError, match=r"^temperature\[1\]"):
        IndependentConfig(temperature=(0.5, wrong))


@pytest.mark.parametrize("wrong", NO_COUNT)
def test_wrong_memories_of_an_agent(wrong):
    with pytest.raises(ValueError, match=r"^memory\[0\]"):
        IndependentConfig(memory=(wrong, 3))


@pytest.mark.parametrize(
    "wrong",
    [
        *(5, True, "ab", {0: 1, 1: 2}, np.array([0, 5]), (), (1,), (1, 2, 3)),
        *((-1, 5), (None, 5), (5, 5), (5, 4), (0, 0), (1.0, 5), (0, "9"), (0, True), (True, 9)),
        (0, NAN),
    ],
)
def test_wrong_windows(wrong):
    with pytest.raises(ValueError, match=r"^learns\[1\]"):
        IndependentConfig(learns=(None, wrong))


def test_a_learner_that_keeps_a_policy_takes_no_temperature():
    with pytest.raises(ValueError, match=r"^temperature is 0\.5"):
        IndependentConfig(temperature=0.5, optimism=Distributed())


@pytest.mark.parametrize("optimism", [Lenient(), Distributed()])
@pytest.mark.parametrize("memory", [2, (1, 2), [5, 1]])
def test_memories_that_do_not_fit_the_optimism(optimism, memory):
    with pytest.raises(ValueError, match=r"^memory .* only 1 is allowed"):
        IndependentConfig(optimism=optimism, memory=memory)
    IndependentConfig(optimism=optimism, memory=(1, 1), batch_size=5)
    IndependentConfig(optimism=Hysteretic(), memory=memory)


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        IndependentConfig().memory = 5


def test_what_settings_become():
    config = IndependentConfig(
        np.int64(10),
        [1, PerVisit(0.7)],
        temperature=[1, np.float32(0.5)],
        learns=[None, [np.int8(3), None]],
        memory=[np.int16(4), 1],
        batch_size=np.int64(2),
        optimism=Hysteretic(1),
    )
    assert config.step_size.parts == (Constant(1.0), PerVisit(0.7))
    assert config.temperature == (1.0, 0.5) and type(config.temperature[0]) is float
    assert config.learns == (None, (3, None)) and type(config.learns[1][0]) is int
    assert config.memory == (4, 1) and type(config.memory[0]) is int and config.batch_size == 2
    assert config.optimism.negative_step_size == Constant(1.0)
    single = IndependentConfig(temperature=2, memory=3)
    assert type(single.temperature) is float and single.memory == 3
    assert dataclasses.replace(config, n_steps=20).step_size is config.step_size


def test_when_agents_learn():
    config = IndependentConfig(learns=((0, 3), (2, None), None, (5, 6)))
    learning = [config.learning(step, 4).tolist() for step in range(7)]
    assert np.transpose(learning).tolist() == [
        [True, True, True, False, False, False, False],
        [False, False, True, True, True, True, True],
        [True] * 7,
        [False, False, False, False, False, True, False],
    ]
    assert IndependentConfig().learning(0, 3).tolist() == [True] * 3


def test_settings_of_plain_learners_carry_over():
    plain = TabularConfig(77, PerVisit(0.6), PerEpisode(1.0, 0.9), 9, False, 2.5, 11)
    config = fitting(plain, 3)
    assert isinstance(config, IndependentConfig)
    for field in dataclasses.fields(TabularConfig):
        assert getattr(config, field.name) == getattr(plain, field.name)
    assert config.optimism is config.temperature is config.learns is None and config.memory == 1
    same = IndependentConfig(step_size=(0.1, 0.2))
    assert fitting(same, 2) is same and fitting(None, 4) == IndependentConfig()


@pytest.mark.parametrize(
    "name, value",
    [
        ("step_size", (0.1, 0.1)),
        ("temperature", (0.1, 0.1)),
        ("learns", (None, None)),
        ("memory", (1, 1)),
    ],
)
def test_tuples_fit_the_number_of_agents(name, value):
    config = IndependentConfig(**{name: value})
    assert fitting(config, 2) is config
    for n_agents in (1, 3):
        with pytest.raises(ValueError, match=f"^config: {name} has 2 entries.* {n_agents} agents"):
            fitting(config, n_agents)


@pytest.mark.parametrize("wrong", [3, "config", {}, IndependentConfig, Hysteretic()])
def test_wrong_configs(wrong):
    with pytest.raises(ValueError, match=r"^config"):
        fitting(wrong, 2)


def test_a_schedule_for_each_agent_may_be_given_as_such():
    config = IndependentConfig(step_size=PerAgent("step_size", (0.1, 0.2)))
    with pytest.raises(ValueError, match=r"config: step_size has 2 entries"):
        fitting(config, 3)


@pytest.mark.parametrize(
    "fields", [{"temperature": 1.0}, {"temperature": (1.0, 2.0)}, {"optimism": Lenient()}]
)
def test_only_greedy_learners_explore_together(fields):
    with pytest.raises(ValueError, match=r"^correlated_exploration"):
        IndependentConfig(correlated_exploration=True, **fields)
    IndependentConfig(correlated_exploration=False, **fields)
    for optimism in (None, Hysteretic(), Distributed()):
        IndependentConfig(correlated_exploration=True, optimism=optimism)
