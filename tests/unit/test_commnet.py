"""Networks that talk: by plain loops, by what must not matter, and by where gradients go."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from marl_lessons.algorithms.deep.iql import DeepIQLConfig, PlainNetwork, network_of, train_iql
from marl_lessons.algorithms.tables.schedules import Linear
from marl_lessons.algorithms.talk.commnet import (
    KEY_SIZE,
    CommNet,
    attention_weights,
    decide,
    encode,
    equal_weights,
    is_present,
    listen,
    others_who_speak,
)
from marl_lessons.envs.cars.junction import TrafficJunction
from marl_lessons.envs.stepping import BatchedStep

seed_numbers = st.integers(0, 10_000)
quickly = settings(max_examples=20)

NETWORKS = {
    "mean": CommNet((6, 5)),
    "sum": CommNet((6,), divisor=3.0),
    "narrow": CommNet((6, 5, 4), message_size=2),
    "attention": CommNet((6, 5), attention=True),
    "narrow attention": CommNet((6, 5), message_size=3, attention=True),
    "gated": CommNet((6, 5), gated=True),
    "gated attention": CommNet((6, 5), gated=True, attention=True),
}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def generators(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def random_inputs(network, seed, n_seeds=2, n_rows=3, n_agents=4, d=5):
    """Observations of which some are absent, and, for a gate, whose last entry is 0 or 1."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n_seeds, n_rows, n_agents, d))
    if network.gated:
        inputs[..., -1] = rng.random(inputs.shape[:3]) < 0.6
    inputs *= (rng.random(inputs.shape[:3]) < 0.75)[..., None]
    return torch.tensor(inputs, dtype=torch.float32)


def random_network(network, seed, n_seeds=2, d=5, n_actions=2):
    return network.init(d, n_actions, generators(*range(seed, seed + n_seeds)))


# What the network computes


def plain_values(network, parameters, inputs):
    """The same in float64, one agent at a time: ``[B, n, A]`` for one seed's ``parameters`` and ``inputs[B, n, d]``."""
    layers = iter(zip(parameters[::2], parameters[1::2], strict=True))
    encoder = next(layers)
    speaker = next(layers) if network.message_size else None
    keyer, asker = (next(layers), next(layers)) if network.attention else (None, None)
    joiner, *deciders = layers

    def through(layer, x):
        return x @ layer[0] + layer[1][0]

    n_rows, n_agents, _ = inputs.shape
    values = []
    for row in range(n_rows):
        seen = inputs[row]
        codes = [np.tanh(through(encoder, o)) for o in seen]
        said = [np.tanh(through(speaker, c)) if speaker else c for c in codes]
        for i in range(n_agents):
            talkers = []
            for j in range(n_agents):
                there = any(seen[j][:-1] if network.gated else seen[j])
                if j != i and there and (not network.gated or seen[j][-1] == 1):
                    talkers.append(j)
            heard = np.zeros(len(said[0]))
            if network.attention and talkers:
                question = through(asker, codes[i])
                scores = [question @ through(keyer, codes[j]) / np.sqrt(16) for j in talkers]
                shares = np.exp(scores) / np.exp(scores).sum()
                heard = sum(share * said[j] for share, j in zip(shares, talkers))
            elif talkers:
                heard = sum(said[j] for j in talkers) / (network.divisor or len(talkers))
            x = np.tanh(through(joiner, np.concatenate([codes[i], heard])))
            for layer in deciders[:-1]:
                x = np.maximum(0, through(layer, x))
            values.append(through(deciders[-1], x))
    return np.array(values).reshape(n_rows, n_agents, -1)


@every_network
@given(seed=seed_numbers)
@quickly
def test_a_plain_loop_over_agents_gives_the_same_values(network, seed):
    parameters, inputs = random_network(network, seed), random_inputs(network, seed)
    values = network.values(parameters, inputs)
    assert values.shape == (2, 3, 4, 2)
    for s in range(2):
        alone = [p[s].detach().double().numpy() for p in parameters]
        expected = plain_values(network, alone, inputs[s].double().numpy())
        assert values[s].detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_the_mean_of_the_others_by_hand():
    messages = torch.tensor([[[[1.0], [2.0], [6.0], [50.0]]]])
    speaks = torch.tensor([[[True, True, True, False]]])
    assert listen(equal_weights(speaks), messages).flatten().tolist() == [4.0, 3.5, 1.5, 3.0]
    summed = listen(equal_weights(speaks, 2.0), messages)
    assert summed.flatten().tolist() == [4.0, 3.5, 1.5, 4.5]


def test_one_agent_alone_hears_nothing():
    messages = torch.full((1, 2, 3, 4), 9.0)
    speaks = torch.tensor([[[False, True, False], [False, False, False]]])
    for weights in (
        equal_weights(speaks),
        equal_weights(speaks, 3.0),
        attention_weights(messages, messages, speaks),
    ):
        heard = listen(weights, messages)
        assert (heard[0, 0, 1] == 0).all() and (heard[0, 1] == 0).all()
        assert (heard[0, 0, [0, 2]] != 0).all()  # the others hear it


def test_an_agent_is_there_if_it_sees_anything():
    seen = torch.tensor([[[[0.0, 0.0], [0.0, -1e-3], [2.0, 0.0]]]])
    assert is_present(seen).tolist() == [[[False, True, True]]]


@given(seed=seed_numbers)
@quickly
def test_attention_shares_out_one_whole_among_those_who_speak(seed):
    rng = np.random.default_rng(seed)
    speaks = torch.tensor(rng.random((2, 5, 4)) < 0.6)
    questions, keys = torch.tensor(rng.normal(0, 3, size=(2, 2, 5, 4, 7)))
    weights = attention_weights(questions, keys, speaks)
    others = others_who_speak(speaks)
    assert (weights[~others] == 0).all() and (weights[others] > 0).all()
    total, anybody = weights.sum(dim=-1), others.any(dim=-1)
    assert total.numpy() == pytest.approx(anybody.double().numpy())
    same = attention_weights(questions, keys[..., :1, :].expand_as(keys), speaks)
    assert same.numpy() == pytest.approx(equal_weights(speaks).numpy(), abs=1e-6)


def test_attention_goes_to_the_key_that_answers_the_question():
    keys = 40 * torch.eye(3)[None, None]
    weights = attention_weights(keys[:, :, [1, 2, 0]], keys, torch.ones(1, 1, 3, dtype=torch.bool))
    assert weights[0, 0].numpy() == pytest.approx(np.eye(3)[[1, 2, 0]], abs=1e-6)


# What must not matter


@every_network
@given(seed=seed_numbers)
@quickly
def test_agents_may_change_places(network, seed):
    """Values of agents in another order are the values in that order: nobody has a number."""
    parameters, inputs = random_network(network, seed), random_inputs(network, seed)
    order = torch.randperm(4, generator=generators(seed)[0])
    moved = network.values(parameters, inputs[:, :, order])
    assert torch.allclose(moved, network.values(parameters, inputs)[:, :, order], atol=1e-6)


@every_network
@given(seed=seed_numbers)
@quickly
def test_absent_agents_have_no_effect_on_anyone(network, seed):
    """With 1 to 3 empty places more, in between, everybody's values stay what they are."""
    parameters = random_network(network, seed)
    inputs = random_inputs(network, seed)
    n_empty = 1 + seed % 3
    wider = torch.cat([torch.zeros(2, 3, n_empty, 5), inputs], dim=2)
    assert torch.allclose(
        network.values(parameters, wider)[:, :, n_empty:],
        network.values(parameters, inputs),
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["gated", "gated attention"])
@given(seed=seed_numbers)
@quickly
def test_whoever_is_silent_hears_but_is_not_heard(name, seed):
    network = NETWORKS[name]
    parameters, inputs = random_network(network, seed), random_inputs(network, seed)
    inputs[:, :, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0, 0.0])  # there, and silent
    inputs[:, :, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0, 1.0])  # speaks
    values = network.values(parameters, inputs)
    other = inputs.clone()
    other[:, :, 0, :4] = -7.0
    changed = network.values(parameters, other)
    assert torch.equal(changed[:, :, 1:], values[:, :, 1:])
    assert not torch.allclose(changed[:, :, 0], values[:, :, 0])
    other = inputs.clone()
    other[:, :, 1, :4] = -7.0
    assert (network.values(parameters, other)[:, :, 0] != values[:, :, 0]).any()


@every_network
def test_a_seeds_network_does_not_depend_on_its_neighbours(network):
    both = random_network(network, 7)
    alone = network.init(5, 2, generators(8))
    inputs = random_inputs(network, 1)
    assert all(torch.equal(p[1:], q) for p, q in zip(both, alone, strict=True))
    values = network.values(both, inputs)
    assert torch.allclose(values[1:], network.values(alone, inputs[1:]), atol=1e-6)


# Where gradients go


@every_network
def test_gradients_reach_the_speaker_through_its_message(network):
    parameters = random_network(network, 3, n_seeds=1)
    inputs = torch.rand(1, 1, 3, 5) + 0.1
    inputs[..., -1] = 1.0
    inputs.requires_grad_()
    q = network.values(parameters, inputs)[0, 0, 0].sum()
    (to_all,) = torch.autograd.grad(q, inputs)
    assert (to_all[0, 0] != 0).any(dim=-1).tolist() == [True, True, True]
    said = network.messages(parameters, inputs).detach()
    q = network.answer(parameters, inputs, said)[0, 0, 0].sum()
    (cut,) = torch.autograd.grad(q, inputs)
    assert (cut[0, 0] != 0).any(dim=-1).tolist() == [True, False, False]


@every_network
def test_gradients_are_finite_where_nobody_is_heard(network):
    parameters = random_network(network, 3, n_seeds=1)
    inputs = torch.zeros(1, 2, 3, 5)
    inputs[0, 0, 1] = 1.0
    network.values(parameters, inputs).square().sum().backward()
    assert all(p.grad.isfinite().all() for p in parameters)
    assert parameters[0].grad.abs().sum() > 0


# Two phases


@every_network
@given(seed=seed_numbers)
@quickly
def test_saying_and_answering_are_the_values(network, seed):
    parameters, inputs = random_network(network, seed), random_inputs(network, seed)
    said = network.messages(parameters, inputs)
    assert said.shape == (2, 3, 4, network.width)
    values = network.values(parameters, inputs)
    assert torch.equal(network.answer(parameters, inputs, said), values)


@every_network
def test_muted_agents_decide_by_what_they_see_alone(network):
    parameters, inputs = random_network(network, 5), random_inputs(network, 5)
    muted = network.answer(parameters, inputs, torch.zeros(2, 3, 4, network.width))
    n_last = 2 * len(network.hidden_sizes)
    joining, deciding = parameters[-n_last - 2 : -n_last], parameters[-n_last:]
    own = encode(parameters[:2], inputs)
    nothing = torch.zeros(2, 3, 4, joining[0].shape[1] - own.shape[-1])
    assert torch.allclose(muted, decide(joining, deciding, own, nothing), atol=1e-6)
    for row in range(3):  # each agent as if it were alone in the world
        for i in range(4):
            alone = network.values(parameters, inputs[:, row : row + 1, i : i + 1])
            assert torch.allclose(alone[:, 0, 0], muted[:, row, i], atol=1e-6)


def test_the_width_of_messages():
    widths = {name: network.width for name, network in NETWORKS.items()}
    assert widths["mean"] == 6 and widths["narrow"] == 2 and widths["gated"] == 6
    assert widths["attention"] == 6 + KEY_SIZE and widths["narrow attention"] == 3 + KEY_SIZE


def test_weights_are_those_that_the_values_use():
    network = NETWORKS["attention"]
    parameters, inputs = random_network(network, 2), random_inputs(network, 2)
    said = network.messages(parameters, inputs)
    weights = network.weights(parameters, inputs, said)
    others = others_who_speak(is_present(inputs))
    assert torch.equal(weights != 0, others)
    uneven = weights[others.sum(dim=-1) == 3].std(dim=-1)
    assert (uneven > 1e-3).any()
    muddled = said.clone()
    muddled[..., :KEY_SIZE] = 0.0  # without keys everybody is listened to alike
    assert torch.allclose(
        network.weights(parameters, inputs, muddled), equal_weights(is_present(inputs))
    )


# Learning


class OneKnows:
    """Agent 0 sees a bit, agent 1 does not; both are paid 1 if agent 1 names it. A third agent is never there."""

    n_agents, n_actions, observation_sizes = 3, (2, 2, 2), (3, 3, 3)

    def __init__(self, n_worlds):
        self.n_worlds = n_worlds
        self.ended = np.ones(n_worlds, dtype=bool)

    @property
    def active(self):
        return np.outer(~self.ended, [True, True, False])

    def reset(self, rng):
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which, rng):
        bits = rng.integers(2, size=self.n_worlds)
        self.bits = np.where(which, bits, getattr(self, "bits", bits))
        self.ended = self.ended & ~which
        return self.see()

    def see(self):
        seen = np.zeros((self.n_worlds, 3, 3), dtype=np.float32)
        seen[np.arange(self.n_worlds), 0, self.bits] = 1.0
        seen[:, 1, 2] = 1.0
        return seen

    def step(self, actions, rng):
        right = (actions[:, 1] == self.bits).astype(float)
        self.ended = np.ones(self.n_worlds, dtype=bool)
        ends = np.ones((self.n_worlds, 3), dtype=bool)
        rewards = right[:, None] * [1.0, 1.0, 0.0]
        return BatchedStep(self.see(), rewards, ends, ~self.ended, self.ended.copy())


def right_answers(policy, n=200):
    worlds = OneKnows(3 * n)
    rng = np.random.default_rng(5)
    rewards = worlds.step(policy(worlds.reset(rng)), rng).rewards[:, 0]
    return rewards.reshape(3, n).mean(axis=1)


@pytest.mark.parametrize(
    "network",
    [CommNet((8, 8)), CommNet((8,), message_size=1, divisor=1.0), CommNet((8, 8), attention=True)],
    ids=["mean", "one number", "attention"],
)
def test_agents_learn_what_to_say(network):
    """Nobody names the bit: it is the listener's loss that teaches the speaker. Muted it is a guess again, half right."""
    config = DeepIQLConfig(
        n_steps=300,
        network=network,
        agent_id=False,
        learning_rate=0.01,
        batch_size=64,
        buffer_size=1000,
        target_interval=20,
        epsilon=Linear(1.0, 0.1, 150, per="step"),
        n_records=1,
    )
    policy = train_iql(OneKnows(8 * 3), config, seeds=3).policy
    assert right_answers(policy).tolist() == [1.0] * 3
    muted = policy.through(lambda messages, speaks: 0 * messages)
    assert right_answers(muted) == pytest.approx(np.full(3, 0.5), abs=0.15)


def test_a_run_with_messages_can_be_repeated_and_records_policies_that_talk():
    def run():
        config = DeepIQLConfig(
            n_steps=30, network=CommNet((8,)), agent_id=False, learn_from=5, batch_size=16
        )
        return train_iql(TrafficJunction("easy", 6), config, seeds=3)

    first, again = run(), run()
    pairs = zip(first.policy.parameters, again.policy.parameters, strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)
    assert not torch.equal(first.policies[0].parameters[0], first.policy.parameters[0])
    assert first.policy.messages(np.ones((3, 5, 17))).shape == (3, 5, 8)


# What is refused


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hidden_sizes", ()),
        ("hidden_sizes", 64),
        ("hidden_sizes", (0,)),
        ("hidden_sizes", (8, 2.5)),
        ("message_size", 0),
        ("message_size", True),
        ("message_size", 1.5),
        ("divisor", 0.0),
        ("divisor", -1.0),
        ("divisor", float("nan")),
        ("divisor", "mean"),
        ("gated", 1),
        ("attention", None),
    ],
)
def test_impossible_networks_are_refused(field, value):
    with pytest.raises(ValueError, match=field):
        CommNet(**{field: value})


def test_attention_has_no_divisor():
    with pytest.raises(ValueError, match=r"^divisor is 3.0"):
        CommNet(attention=True, divisor=3.0)


def test_impossible_sizes_are_refused():
    for network, low in ((CommNet(), 0), (CommNet(gated=True), 1)):
        with pytest.raises(ValueError, match="n_inputs"):
            network.init(low, 2, generators(0))
    with pytest.raises(ValueError, match="n_actions"):
        CommNet().init(3, 0, generators(0))


@pytest.mark.parametrize("wrong", ["CommNet", CommNet, 3, object(), np.tanh])
def test_a_network_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"^network: expected"):
        DeepIQLConfig(network=wrong, agent_id=False)


def test_a_network_with_messages_needs_agents_without_number_that_share_it():
    with pytest.raises(ValueError, match=r"^agent_id is True"):
        DeepIQLConfig(network=CommNet())
    with pytest.raises(ValueError, match=r"^share_parameters is False"):
        DeepIQLConfig(network=CommNet(), agent_id=False, share_parameters=False)
    config = DeepIQLConfig(network=CommNet(), agent_id=False)
    assert network_of(config) is config.network
    plain = network_of(DeepIQLConfig(hidden_sizes=(7,), agent_id=False))
    assert plain == PlainNetwork((7,), share_parameters=True, agent_id=False)
