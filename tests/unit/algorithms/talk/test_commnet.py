"""Networks that talk, and their policies: by plain loops, by what must not matter, by where gradients go, through channels."""

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
from marl_lessons.evaluation.talk.channels import Delay, mute, noise, shuffle

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
                if j != i and (seen[j][-1] == 1 if network.gated else any(seen[j])):
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


def test_attention_goes_to_the_key_that_answers_the_question():
    keys = 40 * torch.eye(3)[None, None]
    weights = attention_weights(keys[:, :, [1, 2, 0]], keys, torch.ones(1, 1, 3, dtype=torch.bool))
    assert weights[0, 0].numpy() == pytest.approx(np.eye(3)[[1, 2, 0]], abs=1e-6)


# What must not matter
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
def test_muted_agents_decide_by_what_they_see_alone(network):
    parameters, inputs = random_network(network, 5), random_inputs(network, 5)
    muted = network.answer(parameters, inputs, torch.zeros(2, 3, 4, network.width))
    layers = network.layers(parameters)
    own = encode(layers.encoding, inputs)
    nothing = torch.zeros(2, 3, 4, layers.joining[0].shape[1] - own.shape[-1])
    assert torch.allclose(muted, decide(layers.joining, layers.deciding, own, nothing), atol=1e-6)
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
class CountingJudge:
    """Agents 0 to 3 see a bit as 0 or 1, and nothing else; agent 4 is paid for naming whether two or more see a 1.

    With each bit an agent may be away: then it is not to be counted as one that sees 0, nor is it active.
    """

    n_agents, n_actions, observation_sizes = 5, (2,) * 5, (2,) * 5

    def __init__(self, n_worlds):
        self.n_worlds, self.ended = n_worlds, np.ones(n_worlds, dtype=bool)
        self.there = np.zeros((n_worlds, 5), dtype=bool)

    @property
    def active(self):
        return self.there & ~self.ended[:, None]

    def reset(self, rng):
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.bits = rng.integers(2, size=(self.n_worlds, 4))
        self.there = np.hstack([rng.random((self.n_worlds, 4)) < 0.7, np.ones((self.n_worlds, 1), bool)])  # fmt: skip
        self.ended = np.zeros(self.n_worlds, dtype=bool)
        return self.see()

    def see(self):
        seen = np.zeros((self.n_worlds, 5, 2), dtype=np.float32)
        seen[:, :4, 0] = self.bits * self.there[:, :4]
        seen[:, 4, 1] = 1.0
        return seen

    def step(self, actions, rng):
        zeros = ((self.bits == 0) & self.there[:, :4]).sum(axis=1)
        right = (actions[:, 4] == (zeros >= 2)).astype(float)
        self.ended = np.ones(self.n_worlds, dtype=bool)
        ends, rewards = np.ones((self.n_worlds, 5), dtype=bool), right[:, None].repeat(5, axis=1)
        return BatchedStep(self.see(), rewards, ends, ~self.ended, self.ended.copy())


def test_who_sees_zeros_and_takes_part_is_heard():
    """The judge must count the zeros of those who are there. Asked without the worlds it takes those for absent."""
    config = DeepIQLConfig(
        n_steps=300,
        network=CommNet((16, 16), divisor=3.0),
        agent_id=False,
        learning_rate=0.01,
        batch_size=128,
        target_interval=20,
        epsilon=Linear(1.0, 0.05, 150, per="step"),
        n_records=1,
    )
    policy = train_iql(CountingJudge(32), config, seeds=1).policy
    others, rng = CountingJudge(1000), np.random.default_rng(5)
    seen = others.reset(rng)
    knowing, guessing = policy.act(others, seen), policy(seen)
    assert others.step(knowing, rng).rewards[:, 4].mean() > 0.97
    assert others.step(guessing, rng).rewards[:, 4].mean() < 0.8


def test_behind_a_gate_who_speaks_is_heard_whatever_it_sees():
    seen = torch.tensor([[[[0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [2.0, 0.0, 1.0]]]])
    assert CommNet(gated=True).speaks(seen).tolist() == [[[True, False, False, True]]]


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
@pytest.mark.parametrize(("field", "values"), [
    ("hidden_sizes", [(), 64, (0,), (8, 2.5)]), ("message_size", [0, True, 1.5]),
    ("divisor", [0.0, -1.0, float("nan"), "mean"]), ("gated", [1]), ("attention", [None]),
])  # fmt: skip
def test_impossible_networks_are_refused(field, values):
    for value in values:
        with pytest.raises(ValueError, match=field):
            CommNet(**{field: value})


def test_attention_has_no_divisor():
    with pytest.raises(ValueError, match=r"^divisor is 3.0"):
        CommNet(attention=True, divisor=3.0)


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


SHAPE = (6, 3, 4)  # two seeds, three worlds each; three agents


@pytest.fixture(params=[False, True], ids=["equal", "attention"])
def policy(request):
    network = CommNet((6, 5), attention=request.param)
    generators = [torch.Generator().manual_seed(seed) for seed in (4, 5)]
    parameters = [p.detach() for p in network.init(4, 3, generators)]
    return network.policy(parameters, 2, 3)


def seen(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=SHAPE) * (rng.random(SHAPE[:2]) < 0.8)[..., None]


def test_the_two_phases_are_the_policy(policy):
    said = policy.messages(seen())
    assert said.shape == (6, 3, policy.network.width)
    assert np.array_equal(policy.values_after(seen(), said), policy.values(seen()))
    assert np.array_equal(policy.answer(seen(), said), policy(seen()))
    assert np.array_equal(policy(seen()), policy.values(seen()).argmax(axis=-1))
    assert policy.values(seen()).shape == (*SHAPE[:2], 3)


def test_the_channel_is_told_what_is_said_and_by_whom(policy):
    told = []

    def channel(messages, speaks):
        told.append((messages, speaks))
        return messages

    same = policy.through(channel)
    assert np.array_equal(same.values(seen()), policy.values(seen()))
    ((messages, speaks),) = told
    assert np.array_equal(messages, policy.messages(seen()))
    assert np.array_equal(speaks, seen().any(axis=-1)) and not speaks.all()
    assert np.array_equal(policy.speaks(seen()), speaks)


def test_what_the_channel_returns_is_what_is_heard(policy):
    other = policy.messages(seen(1))
    heard = policy.through(lambda messages, speaks: other)
    assert np.array_equal(heard.values(seen()), policy.values_after(seen(), other))
    assert not np.allclose(heard.values(seen()), policy.values(seen()))
    # What is said is said before any channel; another channel replaces this one, it does not come behind it.
    assert np.array_equal(heard.messages(seen()), policy.messages(seen()))
    assert np.array_equal(heard.through(None).values(seen()), policy.values(seen()))


def test_who_is_listened_to(policy):
    weights = policy.weights(seen())
    assert weights.shape == (6, 3, 3) and (weights[:, range(3), range(3)] == 0).all()
    assert (weights[~policy.speaks(seen())[:, None].repeat(3, axis=1)] == 0).all()
    n_heard = policy.speaks(seen()).sum(axis=1, keepdims=True) - policy.speaks(seen())
    assert weights.sum(axis=-1) == pytest.approx((n_heard > 0).astype(float))


def test_what_arrives_from_whoever_is_absent_is_not_heard(policy):
    loud = policy.through(lambda m, speaks: np.where(speaks[..., None], m, 1e6))
    assert np.array_equal(loud.values(seen()), policy.values(seen()))


def test_the_interventions_of_the_package_fit(policy):
    rng = np.random.default_rng(0)
    muted = policy.values_after(seen(), np.zeros_like(policy.messages(seen())))
    assert np.array_equal(policy.through(mute()).values(seen()), muted)
    late = policy.through(Delay(1))
    assert np.array_equal(late.values(seen()), muted)
    for channel in (noise(0.5, rng), shuffle(rng)):
        assert not np.allclose(policy.through(channel).values(seen()), policy.values(seen()))


def test_one_seeds_policy_alone(policy):
    both = policy.values(seen())
    for s in range(2):
        alone = policy.of_seed(s).values(seen()[3 * s : 3 * s + 3])
        assert alone == pytest.approx(both[3 * s : 3 * s + 3], abs=1e-6)
    assert policy.through(mute()).of_seed(1).channel is not None
    for which in (-1, 2, True, 1.0, None):
        with pytest.raises(ValueError, match=r"^which is"):
            policy.of_seed(which)


BROKEN = np.full((6, 3, 6), np.nan)


@pytest.mark.parametrize(
    "ask, name",
    [
        *((lambda p, x=x: p(x), "observations") for x in (
            np.ones((6, 3)), np.ones((6, 3, 5)), np.ones((6, 2, 4)), np.ones((5, 3, 4)), np.ones((0, 3, 4)),
            np.full(SHAPE, np.nan), np.full(SHAPE, 1e308), [["a"]], None)),
        *((lambda p, m=m: p.answer(seen(), m), "messages") for m in (BROKEN, BROKEN[:3], BROKEN[:, :2], "hello", None)),
        (lambda p: p.answer(seen(), np.full((6, 3, p.network.width), 1e308)), "messages"),
        (lambda p: p.through(lambda m, speaks: m[:3])(seen()), "channel: what it returns"),
        (lambda p: p.through("mute"), "channel: expected a function"),
        (lambda p: p.of_seed(2), "which"),
    ],
)  # fmt: skip
def test_what_a_policy_cannot_answer_is_refused(policy, ask, name):
    with pytest.raises(ValueError, match=f"^{name}"):
        ask(policy)
