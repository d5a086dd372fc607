"""The equations of MADDPG against plain loops, closed forms and finite differences."""

import numpy as np
import pytest
import torch
from hypothesis import given
from random_games import seed_numbers

from marl_lessons.algorithms.deep.actor_policy import allowed_entries
from marl_lessons.algorithms.deep.maddpg_update import (
    actor_loss,
    continuous_action,
    critic_loss,
    critic_target,
    critic_values,
    discrete_action,
    everyone,
    gumbel_noise,
    own_action_fresh,
)
from marl_lessons.algorithms.deep.networks import init_mlp, mlp

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
def test_everyone_puts_all_agents_side_by_side(seed):
    values = numbers(np.random.default_rng(seed), 3, 4, 2)
    joined = everyone(values)
    assert joined.shape == (3, 4, 6)
    for i, b in np.ndindex(3, 4):
        expected = [x for j in range(3) for x in values[j, b].tolist()]
        assert joined[i, b].tolist() == expected


@given(seed_numbers)
def test_each_critic_is_shown_its_own_agents_fresh_action_and_the_others_replayed(seed):
    rng = np.random.default_rng(seed)
    replayed, fresh = numbers(rng, 3, 4, 2), numbers(rng, 3, 4, 2)
    joined = own_action_fresh(replayed, fresh)
    assert joined.shape == (3, 4, 6)
    for i, b in np.ndindex(3, 4):
        parts = [fresh[j, b] if j == i else replayed[j, b] for j in range(3)]
        assert joined[i, b].tolist() == torch.cat(parts).tolist()


@given(seed_numbers)
def test_critic_values_are_those_of_separate_networks(seed):
    rng = np.random.default_rng(seed)
    critics = networks((5, 4, 1), 2, seed)
    seen, actions = numbers(rng, 2, 3, 3), numbers(rng, 2, 3, 2)
    q = critic_values(critics, seen, actions)
    assert q.shape == (2, 3)
    for i, b in np.ndindex(2, 3):
        x = [*seen[i, b].tolist(), *actions[i, b].tolist()]
        assert q[i, b].item() == pytest.approx(plain_outputs(critics, i, x)[0], abs=1e-10)


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


@given(seed_numbers)
def test_critic_losses_are_mean_squares(seed):
    rng = np.random.default_rng(seed)
    q, target = numbers(rng, 3, 4), numbers(rng, 3, 4)
    expected = [np.mean([(target[i, b] - q[i, b]).item() ** 2 for b in range(4)]) for i in range(3)]
    assert critic_loss(q, target).numpy() == pytest.approx(np.array(expected))


@given(seed_numbers)
def test_actor_losses_count_an_agents_own_logits_alone(seed):
    rng = np.random.default_rng(seed)
    q, z = numbers(rng, 3, 4), numbers(rng, 3, 4, 4)
    loss = actor_loss(q, z, ALLOWED, 0.3)
    for i in range(3):
        squares = [z[i, b, k].item() ** 2 for b in range(4) for k in range(SIZES[i])]
        assert loss[i].item() == pytest.approx(-np.mean(q[i].tolist()) + 0.3 * np.mean(squares))


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
