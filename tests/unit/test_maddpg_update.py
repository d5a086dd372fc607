"""Updates of MADDPG against the same, slowly: agent by agent, with torch's own modules, one transition at a time."""

import numpy as np
import pytest
import torch

from marl_lessons.algorithms.deep.actor_policy import allowed_entries
from marl_lessons.algorithms.deep.maddpg_update import (
    MADDPGConfig,
    Networks,
    Pieces,
    by_agent,
    check_pieces,
    critic_step,
    gumbel_noise,
    maddpg_update,
    next_values,
)
from marl_lessons.algorithms.deep.networks import copy_parameters, init_mlp
from marl_lessons.algorithms.deep.replay import Batch

N, D, K, B, HIDDEN = 3, 2, 3, 6, 5
SIZES = (2, 3, 1)
CONFIG = MADDPGConfig(
    actor_rate=0.01, critic_rate=0.02, discount=0.8, target_rate=0.25, logit_weight=0.05
)


def double(parameters):
    return [p.detach().double().requires_grad_() for p in parameters]


def new_networks(central, continuous, seed=0):
    """Online and target networks that differ from each other, in double precision."""
    generators = [torch.Generator().manual_seed(seed)] * N
    actor_sizes, critic_sizes = (D, HIDDEN, K), ((N if central else 1) * (D + K), HIDDEN, 1)
    made = [double(init_mlp(s, generators)) for s in (actor_sizes, critic_sizes) * 2]
    targets = [copy_parameters(p) for p in made[2:]]
    return Networks(*made[:2], *targets, allowed_entries(SIZES).double(), continuous)


def new_batch(continuous, seed=1):
    """A batch of one seed, ``[1, B, n, ·]``, as the replay draws it, in double precision."""
    rng = np.random.default_rng(seed)
    own = np.arange(K) < np.array(SIZES)[:, None]
    if continuous:
        actions = rng.random((1, B, N, K)) * own
    else:
        actions = np.eye(K)[np.stack([rng.integers(k, size=(1, B)) for k in SIZES], axis=-1)]
    parts = (
        rng.standard_normal((1, B, N, D)),
        actions,
        rng.standard_normal((1, B, N)),
        rng.standard_normal((1, B, N, D)),
        rng.random((1, B, N)) < 0.3,
        np.ones((1, B, N), dtype=bool),
        np.arange(B)[None],
    )
    return Batch(*(torch.as_tensor(part) for part in parts))


def new_optimizers(nets):
    return (
        torch.optim.Adam(nets.actors, lr=CONFIG.actor_rate),
        torch.optim.Adam(nets.critics, lr=CONFIG.critic_rate),
    )


def as_module(parameters, i):
    """Network i as a torch module of its own."""
    w1, b1, w2, b2 = (p[i].detach().clone() for p in parameters)
    layers = torch.nn.Linear(*w1.shape), torch.nn.Linear(*w2.shape)
    for layer, w, b in zip(layers, (w1, w2), (b1, b2)):
        layer.weight.data, layer.bias.data = w.T.clone(), b[0].clone()
    return torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])


def module_parameters(module):
    first, _, last = module
    return [first.weight.T, first.bias[None], last.weight.T, last.bias[None]]


class SlowMADDPG:
    """The same algorithm for separate agents, whose modules and optimisers know nothing of each other."""

    def __init__(self, nets, central):
        self.central, self.continuous = central, nets.continuous
        self.actors, self.critics, self.target_actors, self.target_critics = (
            [as_module(part, i) for i in range(N)] for part in nets[:4]
        )
        self.actor_optimizers = [torch.optim.Adam(a.parameters(), lr=0.01) for a in self.actors]
        self.critic_optimizers = [torch.optim.Adam(c.parameters(), lr=0.02) for c in self.critics]

    def action(self, z, i):
        """Agent i's action for its logits, with zeros behind its own entries; where they are whole numbers, the greedy one."""
        own = z[: SIZES[i]]
        if self.continuous:
            chosen = 1 / (1 + torch.exp(-own))
        else:
            chosen = torch.eye(SIZES[i], dtype=z.dtype)[own.argmax()]
        return torch.cat([chosen, z.new_zeros(K - SIZES[i])])

    def value(self, critic, i, seen, actions):
        if self.central:
            return critic(torch.cat([*seen, *actions]))[0]
        return critic(torch.cat([seen[i], actions[i]]))[0]

    def update(self, batch, gumbel):
        seen, actions, rewards, later, terminated = (part[0] for part in batch[:5])
        losses = []
        for i in range(N):
            errors = []
            for b in range(B):
                with torch.no_grad():
                    said = [self.action(self.target_actors[j](later[b, j]), j) for j in range(N)]
                    follows = self.value(self.target_critics[i], i, later[b], said)
                    y = rewards[b, i] + (0.0 if terminated[b, i] else 0.8 * follows)
                errors.append((self.value(self.critics[i], i, seen[b], actions[b]) - y) ** 2)
            losses.append(sum(errors) / B)
            self.descend(self.critic_optimizers[i], losses[i])
        for i in range(N):
            total = 0.0
            for b in range(B):
                z = self.actors[i](seen[b, i])
                done = [actions[b, j] for j in range(N)]
                if self.continuous:
                    done[i] = self.action(z, i)
                else:
                    noisy = z + gumbel[i, b]
                    soft = torch.softmax(noisy[: SIZES[i]], dim=0)
                    soft = torch.cat([soft, z.new_zeros(K - SIZES[i])])
                    done[i] = self.action(noisy, i).detach() + soft - soft.detach()
                q = self.value(self.critics[i], i, seen[b], done)
                total = total - q + 0.05 * (z[: SIZES[i]] ** 2).mean()
            self.descend(self.actor_optimizers[i], total / B)
        for slow, fast in (
            *zip(self.target_actors, self.actors),
            *zip(self.target_critics, self.critics),
        ):
            for old, new in zip(slow.parameters(), fast.parameters()):
                old.data = 0.75 * old.data + 0.25 * new.data
        return [float(loss.detach()) for loss in losses]

    @staticmethod
    def descend(optimizer, loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("central", [True, False], ids=["central", "independent"])
@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
def test_four_updates_are_those_of_separate_agents(central, continuous):
    nets = new_networks(central, continuous)
    slow, optimizers = SlowMADDPG(nets, central), new_optimizers(nets)
    config = MADDPGConfig(**{**vars(CONFIG), "central": central})
    generator, same = (torch.Generator().manual_seed(5) for _ in range(2))
    for k in range(4):
        batch = new_batch(continuous, seed=k)
        loss = maddpg_update(nets, optimizers, by_agent(batch), config, generator)
        gumbel = None if continuous else gumbel_noise(torch.rand((N, B, K), generator=same))
        expected = slow.update(batch, gumbel)
        assert loss.numpy() == pytest.approx(np.array(expected), rel=1e-8)
        assert not loss.requires_grad
    kept = slow.actors, slow.critics, slow.target_actors, slow.target_critics
    for part, modules in zip(nets[:4], kept):
        for i in range(N):
            for mine, theirs in zip(part, module_parameters(modules[i])):
                torch.testing.assert_close(mine[i], theirs, rtol=1e-7, atol=1e-9)


def test_a_batch_is_turned_so_that_agents_come_first():
    batch = new_batch(True)
    turned = by_agent(batch)
    assert turned.ages is batch.ages
    for before, after in zip(batch[:-1], turned[:-1]):
        for i, b in np.ndindex(N, B):
            assert torch.equal(after[i, b], before[0, b, i])


def test_next_values_of_independent_agents_depend_on_their_own_part_alone():
    nets, batch = new_networks(False, True), by_agent(new_batch(True))
    seen = batch.next_observations.clone()
    seen[1] += 1
    before, after = (
        next_values(nets, b, False) for b in (batch, batch._replace(next_observations=seen))
    )
    assert torch.equal(before[[0, 2]], after[[0, 2]]) and not torch.equal(before[1], after[1])


def test_next_values_of_central_critics_depend_on_everyone():
    nets, batch = new_networks(True, True), by_agent(new_batch(True))
    seen = batch.next_observations.clone()
    seen[1] += 1
    before, after = (
        next_values(nets, b, True) for b in (batch, batch._replace(next_observations=seen))
    )
    assert (before != after).any(dim=1).all()


@pytest.mark.parametrize("which", ["actors", "critics"])
def test_an_optimizer_touches_its_own_networks_alone(which):
    """A learning rate of 0 for one kind of network leaves it as it was, whatever the other learns."""
    nets = new_networks(True, True)
    before = {part: copy_parameters(getattr(nets, part)) for part in ("actors", "critics")}
    optimizers = new_optimizers(nets)
    still = optimizers[0 if which == "actors" else 1]
    still.param_groups[0]["lr"] = 0.0
    maddpg_update(nets, optimizers, by_agent(new_batch(True)), CONFIG, torch.Generator())
    for part, kept in before.items():
        same = all(torch.equal(a, b) for a, b in zip(getattr(nets, part), kept))
        assert same == (part == which)


def test_a_critic_step_lowers_every_critics_loss_and_leaves_the_rest():
    nets, batch = new_networks(True, True), by_agent(new_batch(True))
    kept = [
        copy_parameters(part) for part in (nets.actors, nets.target_actors, nets.target_critics)
    ]
    optimizer = torch.optim.SGD(nets.critics, lr=1e-3)
    first, second = (critic_step(nets, optimizer, batch, CONFIG, Pieces()) for _ in range(2))
    assert (second < first).all()
    for part, before in zip((nets.actors, nets.target_actors, nets.target_critics), kept):
        assert all(torch.equal(a, b) for a, b in zip(part, before))


def test_pieces_take_the_place_of_their_parts():
    """Each piece is called, and what it says is used: next values of 0 and a prepared reward of 2 make a target of 2."""
    nets, batch, called = new_networks(True, True), by_agent(new_batch(True)), []

    def target_is_two(q, target):
        called.append(target)
        return (target - q).square().mean(dim=1)

    pieces = Pieces(
        prepare=lambda b: b._replace(rewards=torch.full_like(b.rewards, 2.0)),
        next_values=lambda nets, b, central: torch.zeros_like(b.rewards),
        critic_loss=target_is_two,
    )
    maddpg_update(nets, new_optimizers(nets), batch, CONFIG, torch.Generator(), pieces)
    assert len(called) == 1 and (called[0] == 2.0).all()


WRONG_ANSWERS = {
    "prepare": [None, 3, (), "batch"],
    "next_values": [
        None,
        1.0,
        torch.zeros(B),
        torch.zeros(N, B, 1),
        torch.zeros(B, N),
        np.zeros((N, B)),
    ],
    "critic_values": [None, torch.zeros(N), torch.zeros(N, B, 1), torch.zeros((N, B), dtype=int)],
    "critic_loss": [None, 0.0, torch.zeros(()), torch.zeros(N, B), torch.zeros(1), torch.zeros(N)],
    "own_action_fresh": [None, torch.zeros(N, B, K), torch.zeros(N, N * K)],
    "actor_loss": [None, torch.zeros(()), torch.zeros(N, B), torch.zeros(N)],
}


@pytest.mark.parametrize(
    ("name", "answer"), [(name, a) for name, answers in WRONG_ANSWERS.items() for a in answers]
)
def test_pieces_that_answer_in_another_shape_are_named(name, answer):
    """Losses of the right shape through which no gradient passes are no losses either."""
    nets, batch = new_networks(True, True), by_agent(new_batch(True))
    pieces = Pieces(**{name: lambda *given: answer})
    with pytest.raises(ValueError, match=rf"^pieces\.{name}: "):
        maddpg_update(nets, new_optimizers(nets), batch, CONFIG, torch.Generator(), pieces)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("rewards", lambda x: x[0]),
        ("rewards", lambda x: None),
        ("rewards", lambda x: x[:, :0]),
        ("observations", lambda x: x[:, :-1]),
        ("next_observations", lambda x: x[:, :, :-1]),
        ("actions", lambda x: x.transpose(0, 1)),
        ("terminated", lambda x: x.double()),
    ],
)
def test_prepared_batches_of_other_shapes_are_named(field, change):
    nets, batch = new_networks(True, True), by_agent(new_batch(True))
    pieces = Pieces(prepare=lambda b: b._replace(**{field: change(getattr(b, field))}))
    with pytest.raises(ValueError, match=r"^pieces\.prepare: "):
        maddpg_update(nets, new_optimizers(nets), batch, CONFIG, torch.Generator(), pieces)


def test_a_prepared_batch_may_have_other_rows():
    """Half of the rows, given as such, and taken by ``prepare``, lead to the same update."""
    losses = []
    for first, pieces in ((B // 2, None), (B, Pieces(prepare=lambda b: half(b, B // 2)))):
        nets, batch = new_networks(True, True), half(by_agent(new_batch(True)), first)
        loss = maddpg_update(nets, new_optimizers(nets), batch, CONFIG, torch.Generator(), pieces)
        losses.append(loss)
    assert torch.equal(*losses)


def half(batch, n_rows):
    return Batch(*(field[:, :n_rows] for field in batch[:-1]), batch.ages)


@pytest.mark.parametrize("name", Pieces._fields)
@pytest.mark.parametrize("wrong", [None, 3, "critic_loss", torch.zeros(2)])
def test_pieces_are_functions(name, wrong):
    with pytest.raises(ValueError, match=rf"^pieces\.{name}: expected a function"):
        check_pieces(Pieces(**{name: wrong}), CONFIG)
    with pytest.raises(ValueError, match=r"^pieces: expected Pieces"):
        check_pieces({name: wrong}, CONFIG)


def test_what_independent_agents_never_ask_may_not_be_exchanged():
    alone = MADDPGConfig(central=False)
    exchanged = Pieces(own_action_fresh=lambda replayed, fresh: replayed.flatten(2))
    check_pieces(exchanged, CONFIG)
    check_pieces(Pieces(critic_loss=lambda q, target: q.sum(dim=1)), alone)
    with pytest.raises(
        ValueError, match=r"^pieces\.own_action_fresh: has no effect where config.central is False"
    ):
        check_pieces(exchanged, alone)
    assert "central" in Pieces.__doc__
