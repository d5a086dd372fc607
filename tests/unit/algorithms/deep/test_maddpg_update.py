"""MADDPG's equations against plain loops, closed forms and finite differences; its updates agent by agent, with torch's own modules."""

import numpy as np
import pytest
import torch
from hypothesis import given
from random_games import seed_numbers

from marl_lessons.algorithms.deep.actor_policy import allowed_entries
from marl_lessons.algorithms.deep.maddpg_update import (
    MADDPGConfig,
    Networks,
    Pieces,
    actor_loss,
    by_agent,
    continuous_action,
    critic_loss,
    critic_step,
    critic_target,
    critic_values,
    discrete_action,
    everyone,
    gumbel_noise,
    maddpg_update,
    next_values,
    own_action_fresh,
)
from marl_lessons.algorithms.deep.networks import copy_parameters, init_mlp, mlp
from marl_lessons.algorithms.deep.replay import Batch

SIZES = (2, 4, 3)  # of three agents' actions
ALLOWED = allowed_entries(SIZES).double()


def numbers(rng, *shape, scale=1.0):
    return torch.as_tensor(scale * rng.standard_normal(shape))


def plain_softmax(z):
    weights = [np.exp(x - max(z)) for x in z]
    return np.array([w / sum(weights) for w in weights])


def networks(sizes, n, seed):
    """n small networks in double precision, which finite differences need."""
    made = init_mlp(sizes, [torch.Generator().manual_seed(seed)] * n)
    return [p.detach().double().requires_grad_() for p in made]


def plain_outputs(parameters, i, x):
    """Network i's answer to one vector ``x``, entry by entry."""
    weights = [p[i].detach().numpy() for p in parameters]
    w1, b1, w2, b2 = weights
    hidden = [
        max(0.0, b1[0, j] + sum(x[a] * w1[a, j] for a in range(len(x)))) for j in range(w1.shape[1])
    ]
    return np.array(
        [
            b2[0, j] + sum(hidden[a] * w2[a, j] for a in range(len(hidden)))
            for j in range(w2.shape[1])
        ]
    )


def finite_differences(function, parameters, step=1e-6):
    """Gradient of ``function()`` with respect to every entry of ``parameters``, by central differences."""
    slopes = []
    for p in parameters:
        slope, entries = torch.zeros_like(p).flatten(), p.data.view(-1)
        for i in range(len(entries)):
            kept = entries[i].item()
            values = []
            for sign in (1, -1):
                entries[i] = kept + sign * step
                values.append(float(torch.as_tensor(function()).detach()))
            entries[i] = kept
            slope[i] = (values[0] - values[1]) / (2 * step)
        slopes.append(slope.view_as(p))
    return slopes


def assert_close(given, expected, tolerance=1e-7):
    for a, b in zip(given, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=tolerance)


@given(seed_numbers)
def test_continuous_actions_are_sigmoids_of_an_agents_own_entries(seed):
    z = numbers(np.random.default_rng(seed), 3, 5, 4, scale=3)
    actions = continuous_action(z, ALLOWED)
    for i, b, k in np.ndindex(3, 5, 4):
        expected = 1 / (1 + np.exp(-z[i, b, k].item())) if k < SIZES[i] else 0.0
        assert actions[i, b, k].item() == pytest.approx(expected, abs=1e-12)


def test_allowed_entries_are_each_agents_first():
    assert allowed_entries((2, 3)).tolist() == [[[1, 1, 0]], [[1, 1, 1]]]
    assert allowed_entries((2,), 4).tolist() == [[[1, 1, 0, 0]]]


@given(seed_numbers)
def test_gumbel_noise_is_minus_log_minus_log(seed):
    u = np.random.default_rng(seed).uniform(0.001, 0.999, 50)
    assert gumbel_noise(torch.as_tensor(u)).numpy() == pytest.approx(-np.log(-np.log(u)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gumbel_noise_is_finite_at_the_ends(dtype):
    assert gumbel_noise(torch.tensor([0.0, 1.0], dtype=dtype)).isfinite().all()


def test_gumbel_noise_draws_from_the_softmax():
    """Each frequency of 100,000 draws lies within 4.5 standard errors of its probability."""
    z, n_draws = torch.tensor([1.0, 0.0, -1.5, 0.7]), 100_000
    u = torch.rand(1, n_draws, 4, generator=torch.Generator().manual_seed(0))
    allowed = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    drawn = discrete_action(z + gumbel_noise(u), allowed).mean(dim=1)[0].numpy()
    expected = plain_softmax(z[:3].numpy())
    error = np.sqrt(expected * (1 - expected) / n_draws)
    assert (np.abs(drawn[:3] - expected) < 4.5 * error).all() and drawn[3] == 0


@given(seed_numbers)
def test_discrete_actions_are_one_hot_at_the_largest_allowed_logit(seed):
    z = numbers(np.random.default_rng(seed), 3, 6, 4, scale=3)
    actions = discrete_action(z.float(), ALLOWED.float()).numpy()
    for i, b in np.ndindex(3, 6):
        best = max(range(SIZES[i]), key=lambda k: z[i, b, k].item())
        assert actions[i, b].tolist() == np.eye(4)[best].tolist()  # exactly, no rounding left


def test_masked_actions_are_never_chosen_however_large_their_logits():
    z = torch.full((3, 1, 4), -1e4)
    z[..., -1] = 1e4
    chosen = discrete_action(z, ALLOWED.float()).argmax(dim=-1).flatten()
    assert chosen.tolist() == [0, 3, 0]


@given(seed_numbers)
def test_discrete_actions_have_the_slopes_of_the_softmax(seed):
    """Forwards argmax; backwards as if the action were softmax(z), whose slope finite differences tell."""
    rng = np.random.default_rng(seed)
    z, weight = numbers(rng, 3, 2, 4).requires_grad_(), numbers(rng, 3, 2, 4)
    (slope,) = torch.autograd.grad((discrete_action(z, ALLOWED) * weight).sum(), z)

    def softened():
        values = z.detach().numpy()
        return sum(
            plain_softmax(values[i, b, : SIZES[i]]) @ weight[i, b, : SIZES[i]].numpy()
            for i, b in np.ndindex(3, 2)
        )

    assert_close([slope], finite_differences(softened, [z]))
    assert (slope * (1 - ALLOWED) == 0).all()


@given(seed_numbers)
def test_critic_targets_stop_where_the_story_ended(seed):
    rng = np.random.default_rng(seed)
    rewards, next_q = numbers(rng, 2, 5), numbers(rng, 2, 5)
    terminated = torch.as_tensor(rng.random((2, 5)) < 0.4)
    target = critic_target(rewards, next_q, terminated, 0.7)
    for i, b in np.ndindex(2, 5):
        later = 0.0 if terminated[i, b] else 0.7 * next_q[i, b].item()
        assert target[i, b].item() == pytest.approx(rewards[i, b].item() + later, abs=1e-12)


def test_what_follows_the_end_may_be_anything():
    target = critic_target(
        torch.ones(1, 2), torch.tensor([[np.nan, np.inf]]), torch.ones(1, 2) > 0, 0.9
    )
    assert target.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("seed", range(3))
def test_slopes_of_the_critics_loss(seed):
    """Finite differences through loss and network, with the target held."""
    rng = np.random.default_rng(seed)
    critics = networks((5, 4, 1), 2, seed)
    seen, actions, target = numbers(rng, 2, 6, 3), numbers(rng, 2, 6, 2), numbers(rng, 2, 6)

    def loss():
        return critic_loss(critic_values(critics, seen, actions), target).sum()

    assert_close(torch.autograd.grad(loss(), critics), finite_differences(loss, critics))


@pytest.mark.parametrize("seed", range(3))
def test_slopes_of_the_whole_actors_loss_with_vectors(seed):
    """Finite differences of -Q_i(x, μ_i(o_i), a_-i) + w z², written out in plain loops, in every parameter of every actor."""
    rng = np.random.default_rng(seed)
    actors, critics = networks((3, 4, 2), 2, seed), networks((10, 4, 1), 2, seed + 9)
    seen, replayed = numbers(rng, 2, 5, 3), numbers(rng, 2, 5, 2)
    allowed, sizes = allowed_entries((1, 2)).double(), (1, 2)

    z = mlp(actors, seen)
    joined = own_action_fresh(replayed, continuous_action(z, allowed))
    q = critic_values(critics, everyone(seen), joined)
    loss = actor_loss(q, z, allowed, 0.1).sum()

    def plain_loss():
        total = 0.0
        for i, b in np.ndindex(2, 5):
            logits = plain_outputs(actors, i, seen[i, b].tolist())[: sizes[i]]
            actions = [replayed[j, b].tolist() for j in range(2)]
            actions[i] = [*(1 / (1 + np.exp(-logits))), *[0.0] * (2 - sizes[i])]
            x = [*seen[0, b].tolist(), *seen[1, b].tolist(), *actions[0], *actions[1]]
            total += (-plain_outputs(critics, i, x)[0] + 0.1 * np.mean(logits**2)) / 5
        return total

    assert loss.item() == pytest.approx(plain_loss())
    assert_close(torch.autograd.grad(loss, actors), finite_differences(plain_loss, actors))


@pytest.mark.parametrize("seed", range(3))
def test_slopes_of_the_whole_actors_loss_with_whole_numbers(seed):
    """The straight-through slope: that of g · softmax(z + noise), where g is the critic's slope at the one-hot action."""
    rng = np.random.default_rng(seed)
    actors, critics = networks((3, 4, 3), 2, seed), networks((12, 4, 1), 2, seed + 9)
    seen, noise = numbers(rng, 2, 5, 3), torch.as_tensor(rng.gumbel(size=(2, 5, 3)))
    replayed = torch.eye(3, dtype=torch.float64)[torch.as_tensor(rng.integers(2, size=(2, 5)))]
    allowed, sizes = allowed_entries((2, 3)).double(), (2, 3)

    z = mlp(actors, seen)
    joined = own_action_fresh(replayed, discrete_action(z + noise, allowed))
    q = critic_values(critics, everyone(seen), joined)
    slopes = torch.autograd.grad(actor_loss(q, z, allowed, 0.1).sum(), actors)

    def noisy(i, b):
        logits = plain_outputs(actors, i, seen[i, b].tolist())[: sizes[i]]
        return logits, logits + noise[i, b, : sizes[i]].numpy()

    def value(i, b, action):
        actions = [replayed[j, b].tolist() for j in range(2)]
        actions[i] = list(action)
        x = [*seen[0, b].tolist(), *seen[1, b].tolist(), *actions[0], *actions[1]]
        return plain_outputs(critics, i, x)[0]

    steepness = np.zeros((2, 5, 3))
    for i, b, k in np.ndindex(2, 5, 3):
        hard = np.eye(3)[noisy(i, b)[1].argmax()]
        ahead, behind = (value(i, b, hard + s * 1e-6 * np.eye(3)[k]) for s in (1, -1))
        steepness[i, b, k] = (ahead - behind) / 2e-6

    def softened():
        total = 0.0
        for i, b in np.ndindex(2, 5):
            logits, moved = noisy(i, b)
            gain = plain_softmax(moved) @ steepness[i, b, : sizes[i]]
            total += (-gain + 0.1 * np.mean(logits**2)) / 5
        return total

    assert_close(slopes, finite_differences(softened, actors))


# Whole updates

N, D, K, B, HIDDEN = 3, 2, 3, 6, 5
OWN = (2, 3, 1)  # of their actions
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
    return Networks(*made[:2], *targets, allowed_entries(OWN).double(), continuous)


def new_batch(continuous, seed=1):
    """A batch of one seed, ``[1, B, n, ·]``, as the replay draws it, in double precision."""
    rng = np.random.default_rng(seed)
    own = np.arange(K) < np.array(OWN)[:, None]
    if continuous:
        actions = rng.random((1, B, N, K)) * own
    else:
        actions = np.eye(K)[np.stack([rng.integers(k, size=(1, B)) for k in OWN], axis=-1)]
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
        own = z[: OWN[i]]
        if self.continuous:
            chosen = 1 / (1 + torch.exp(-own))
        else:
            chosen = torch.eye(OWN[i], dtype=z.dtype)[own.argmax()]
        return torch.cat([chosen, z.new_zeros(K - OWN[i])])

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
                    soft = torch.softmax(noisy[: OWN[i]], dim=0)
                    soft = torch.cat([soft, z.new_zeros(K - OWN[i])])
                    done[i] = self.action(noisy, i).detach() + soft - soft.detach()
                q = self.value(self.critics[i], i, seen[b], done)
                total = total - q + 0.05 * (z[: OWN[i]] ** 2).mean()
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
