"""Runs of MADDPG: how it explores, that it learns, what it records and refuses."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from corridor_worlds import CorridorWorlds
from maddpg_worlds import ToyWorlds, always_one, quick, watched_run

from marl_lessons.algorithms.deep.maddpg import correlated_noise, train_maddpg
from marl_lessons.algorithms.deep.maddpg_update import MADDPGConfig, Pieces
from marl_lessons.envs import mpe_worlds, simple_speaker_listener, simple_spread, simple_tag


def speak(n_worlds=3, continuous=True, **settings):
    settings = {"time_limit": 7, **settings}
    return simple_speaker_listener(n_worlds, continuous_actions=continuous, **settings)


def first_actions(policy):
    seen = np.random.default_rng(0).random((2, len(policy.action_sizes), 11)).astype(np.float32)
    return policy(seen)


def assert_same(a, b):
    """All that two histories hold, but for the seconds."""
    for name in ("steps", "env_steps", "updates", "noise", "losses", "episodes"):
        x, y = getattr(a, name), getattr(b, name)
        assert x.dtype == y.dtype and np.array_equal(x, y, equal_nan=True), name
    assert np.array_equal(a.returns[0], b.returns[0])
    assert np.array_equal(a.ended_at[0], b.ended_at[0])
    assert a.seeds == b.seeds and len(a.policies) == len(b.policies)
    assert (a.evaluations is None) == (b.evaluations is None)
    assert a.evaluations is None or np.array_equal(a.evaluations, b.evaluations)
    for mine, theirs in zip(a.policies, b.policies):
        assert all(torch.equal(p, q) for p, q in zip(mine.actors, theirs.actors, strict=True))
        assert mine.action_sizes == theirs.action_sizes
        assert mine.observation_sizes == theirs.observation_sizes
        assert mine.continuous == theirs.continuous


def differ(a, b):
    last = zip(a.policy.actors, b.policy.actors, strict=True)
    return any(not torch.equal(p, q) for p, q in last)


# What it learns


# Every setting that matters is named: what is learned within a second must not hang on the defaults.
LEARNER = {
    "hidden_sizes": (32,),
    "batch_size": 64,
    "buffer_size": 10_000,
    "actor_rate": 0.01,
    "critic_rate": 0.01,
    "target_rate": 0.05,
    "learn_from": 10,
    "noise_start": 0.35,
    "noise_end": 0.1,
    "noise_over": 200,
    "noise_correlation": 0.6,
    "n_records": 1,
}


def meet(actions, secrets):
    """Both pay the squared gap between their difference and half the difference of their secrets."""
    gap = actions[:, 0, 0] - actions[:, 1, 0] - (secrets[:, 0] - secrets[:, 1]) / 2
    return np.repeat(-(gap[:, None] ** 2), 2, axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_vectors_that_must_fit_each_other_are_learned(seed):
    """The optimum is 0, where a_i = s_i / 2 + c with the same c; actions that ignore the secrets pay 1/24 or more.

    One agent that uses its secret while the other does not still pays 1/48 = 0.021.
    """
    config = MADDPGConfig(n_steps=400, **LEARNER)
    history = train_maddpg(ToyWorlds(16, (1, 2), meet, sees=(2, 2)), config, seed)
    worlds, rng = ToyWorlds(2000, (1, 2), meet, sees=(2, 2)), np.random.default_rng(5)
    paid = worlds.step(history.policy(worlds.reset(rng)), rng).rewards
    assert paid.mean() > -0.008


def both_right(actions, secrets):
    """1 for both if each tells whether its secret is above one half; one that errs spoils it for both."""
    right = (actions == (secrets > 0.5)).all(axis=1)
    return np.repeat(right[:, None], 2, axis=1)


@pytest.mark.parametrize("seed", range(3))
def test_whole_numbers_are_learned_through_gumbel_noise(seed):
    """The optimum is 1; 1/2 is what is left where one agent knows its part and the other guesses, 1/4 where both do."""
    config = MADDPGConfig(n_steps=400, **LEARNER)
    settings = {"continuous": False, "sees": (2, 2)}
    history = train_maddpg(ToyWorlds(16, (2, 3), both_right, **settings), config, seed)
    worlds, rng = ToyWorlds(2000, (2, 3), both_right, **settings), np.random.default_rng(5)
    paid = worlds.step(history.policy(worlds.reset(rng)), rng).rewards
    assert paid.mean() > 0.75


# What is recorded


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
def test_what_a_history_holds(continuous):
    told, seen = [], []
    config = quick(n_steps=30, learn_from=6, updates_per_step=2, noise_start=0.5, noise_end=0.1)

    def evaluate(policy):
        seen.append(policy)
        return [1.0, len(seen)]

    history = train_maddpg(
        speak(continuous=continuous), config, seed=4, progress=told.append, evaluate=evaluate
    )
    assert history.steps.tolist() == [0, 10, 20, 30]
    assert history.env_steps.tolist() == [0, 30, 60, 90]
    assert history.updates.tolist() == [0, 8, 28, 48]
    assert history.noise == pytest.approx([0.5, 0.5 - 0.4 * 8 / 50, 0.5 - 0.4 * 28 / 50, 0.116])
    assert history.losses.shape == (4, 2) and np.isnan(history.losses[0]).all()
    assert (history.losses[1:] > 0).all() and (np.diff(history.seconds) > 0).all()
    assert history.evaluations.tolist() == [[1, 1], [1, 2], [1, 3], [1, 4]]
    assert history.returns[0].shape == (12, 2) and history.seeds == (4,)
    assert history.episodes.tolist() == [[0], [3], [6], [12]]
    assert history.ended_at[0].tolist() == [7] * 3 + [14] * 3 + [21] * 3 + [28] * 3
    assert told == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert len(history.policies) == 4 and history.policy is history.policies[-1]
    for policy, at_record in zip(history.policies, seen, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(policy.actors, at_record.actors))


def test_returns_are_sums_of_what_the_worlds_paid():
    worlds = ToyWorlds(3, (2, 2), lambda a, s: s, n_steps=4)
    history = train_maddpg(worlds, quick(n_steps=12, n_records=1))
    paid = np.array([step[2] for step in worlds.log]).reshape(3, 4, 3, 2)
    assert history.returns[0] == pytest.approx(paid.sum(axis=1).reshape(9, 2))


def test_losses_are_means_since_the_record_before():
    told = []

    def loss(q, target):
        told.append((target - q).square().mean(dim=1))
        return told[-1]

    config = quick(n_steps=20, learn_from=10, n_records=4)
    history = train_maddpg(speak(), config, pieces=Pieces(critic_loss=loss))
    assert np.isnan(history.losses[:3]).all() and len(told) == 10
    for k, part in ((3, told[:5]), (4, told[5:])):
        assert history.losses[k] == pytest.approx(torch.stack(part).mean(dim=0).tolist(), rel=1e-5)


def test_nothing_is_learned_before_its_time():
    history = train_maddpg(speak(), quick(n_steps=10, learn_from=10, n_records=1))
    assert history.updates.tolist() == [0, 0]
    assert all(map(torch.equal, history.policies[0].actors, history.policy.actors))


def test_exploration_stays_within_the_allowed_actions():
    """Noise far stronger than the actions: entries stay in [0, 1], 0 behind an agent's own, and reach both ends."""
    worlds = ToyWorlds(20, (1, 3), always_one, n_steps=3)
    train_maddpg(worlds, quick(n_steps=9, noise_start=3.0, n_records=1))
    actions = np.array([step[1] for step in worlds.log])
    assert actions.min() == 0 and actions.max() == 1 and (actions[:, :, 0, 1:] == 0).all()
    assert ((actions == 0) | (actions == 1))[:, :, 1].mean() > 0.7


@pytest.mark.parametrize("scale", [0.0, 0.05])
def test_exploration_is_as_strong_as_it_is_told(scale):
    worlds = ToyWorlds(400, (2, 2), always_one, n_steps=5)
    config = quick(n_steps=10, learn_from=99, noise_start=scale, n_records=1)
    policy = train_maddpg(worlds, config).policy
    for seen, actions, *_ in worlds.log:
        apart = actions - policy(seen)
        assert apart.std() == pytest.approx(scale, rel=0.1, abs=1e-7)
        assert apart.mean() == pytest.approx(0.0, abs=0.01)


def test_exploration_calms_down_with_the_updates():
    """The actors all but stand still; after two updates the noise is as weak as it ends."""
    worlds = ToyWorlds(400, (2, 2), always_one, n_steps=5)
    settings = {"noise_start": 0.1, "noise_end": 0.02, "noise_over": 2, "actor_rate": 1e-9}
    policy = train_maddpg(worlds, quick(n_steps=6, learn_from=2, n_records=1, **settings)).policy
    strength = [(actions - policy(seen)).std() for seen, actions, *_ in worlds.log]
    assert strength == pytest.approx([0.1, 0.1, 0.1, 0.06, 0.02, 0.02], rel=0.1)


def test_exploration_noise_is_correlated_within_an_episode_alone():
    worlds = ToyWorlds(1000, (2, 2), always_one, n_steps=4)
    config = quick(n_steps=8, learn_from=99, noise_start=0.05, noise_correlation=0.8, n_records=1)
    policy = train_maddpg(worlds, config).policy
    noise = [(actions - policy(seen)).ravel() for seen, actions, *_ in worlds.log]
    alike = [np.corrcoef(x, y)[0, 1] for x, y in pairwise(noise)]
    assert alike == pytest.approx([0.8, 0.8, 0.8, 0.0, 0.8, 0.8, 0.8], abs=0.06)


def test_whole_numbers_explore_as_the_softmax_says():
    worlds = ToyWorlds(5000, (2, 3), always_one, n_steps=3, continuous=False)
    config = quick(n_steps=3, learn_from=99, n_records=1, buffer_size=5000)
    actors = train_maddpg(worlds, config).policy.actors
    w1, b1, w2, b2 = (p.double().numpy() for p in actors)
    actions = np.array([step[1] for step in worlds.log])
    for i, size in enumerate((2, 3)):
        z = (np.maximum(0, w1[i, 0] + b1[i, 0]) @ w2[i] + b2[i, 0])[:size]
        expected = np.exp(z) / np.exp(z).sum()
        shares = [(actions[..., i] == a).mean() for a in range(size)]
        assert shares == pytest.approx(expected, abs=0.02)


# One seed, one run


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
@pytest.mark.parametrize("central", [True, False], ids=["central", "independent"])
def test_a_seed_decides_everything(continuous, central):
    config = quick(n_steps=30, central=central)
    a, b, c = (train_maddpg(speak(continuous=continuous), config, seed) for seed in (1, 1, 2))
    assert_same(a, b)
    assert differ(a, c) and (a.returns[0] != c.returns[0]).any()
    assert differ(
        a, train_maddpg(speak(continuous=continuous), quick(n_steps=30, central=not central), 1)
    )


def test_evaluation_and_progress_do_not_disturb_a_run():
    config = quick(n_steps=30)
    watched = train_maddpg(speak(), config, evaluate=first_actions, progress=lambda share: None)
    assert not differ(watched, train_maddpg(speak(), config))


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
def test_what_is_set_for_all_of_torch_and_numpy_changes_nothing(continuous):
    """Double precision by default, gradients switched off in either way, NumPy that raises at an underflow."""
    config = quick(n_steps=30)
    expected = train_maddpg(speak(continuous=continuous), config)
    torch.set_default_dtype(torch.float64)
    try:
        assert_same(train_maddpg(speak(continuous=continuous), config), expected)
    finally:
        torch.set_default_dtype(torch.float32)
    with torch.no_grad(), np.errstate(all="raise"):
        assert_same(train_maddpg(speak(continuous=continuous), config), expected)
    with torch.inference_mode():
        assert_same(train_maddpg(speak(continuous=continuous), config), expected)


def test_bodies_far_apart_are_no_underflow():
    with np.errstate(all="raise"):
        train_maddpg(simple_tag(8, continuous_actions=True), quick(n_steps=60))


def test_a_history_shows_itself_in_a_line():
    history = train_maddpg(speak(), quick(n_steps=10))
    assert repr(history).startswith("DeepHistory(") and len(repr(history)) < 1000
    assert len(repr(history.policy)) < 500 and len(repr(history.critics)) < 500


@pytest.mark.parametrize("continuous", [True, False], ids=["vectors", "numbers"])
@pytest.mark.parametrize("make", [simple_spread, simple_speaker_listener, simple_tag])
def test_all_particle_worlds_can_be_learned_in(make, continuous):
    history = train_maddpg(make(2, continuous_actions=continuous), quick(n_steps=30))
    assert np.isfinite(history.losses[-1]).all() and history.updates[-1] == 25
    seen = make(2).reset(np.random.default_rng(0))
    assert len(history.policy(seen)) == 2


@pytest.mark.parametrize("name", ["simple_spread", "simple_speaker_listener", "simple_tag"])
def test_mpe2_can_be_learned_in(name):
    pytest.importorskip("mpe2", reason="mpe2 is optional")
    for continuous in (True, False):
        worlds = mpe_worlds(name, 2, continuous_actions=continuous, time_limit=10)
        history = train_maddpg(worlds, quick(n_steps=30))
        assert history.updates[-1] == 25 and len(history.returns[0]) == 6


def test_observations_in_double_precision_are_taken():
    worlds = ToyWorlds(3, (2, 2), always_one, n_steps=4)
    see = worlds.see
    worlds.see = lambda: see().astype(float)
    same = ToyWorlds(3, (2, 2), always_one, n_steps=4)
    assert_same(train_maddpg(worlds, quick(n_steps=20)), train_maddpg(same, quick(n_steps=20)))


# What training refuses


class EarlyLeaver(ToyWorlds):
    """Agent 1 leaves after the first of three steps, or takes part only from the second step on."""

    late = False

    @property
    def active(self):
        there = super().active
        there[:, 1] &= (self.ages > 0) == self.late
        return there


@pytest.mark.parametrize("late", [False, True])
def test_agents_that_leave_early_or_come_late_are_refused(late):
    worlds = EarlyLeaver(2, (2, 2), always_one, n_steps=3)
    worlds.late = late
    with pytest.raises(ValueError, match="worlds: an agent"):
        train_maddpg(worlds, quick(n_steps=6))
    with pytest.raises(ValueError, match="worlds: an agent"):
        train_maddpg(CorridorWorlds(3, 2), quick(n_steps=20))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"worlds": None}, "worlds"),
        ({"worlds": "simple_spread"}, "worlds"),
        ({"config": {"n_steps": 3}}, "config"),
        ({"config": quick(buffer_size=2)}, "config: buffer_size"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": True}, "seed"),
        ({"device": "abacus"}, "device"),
        ({"progress": 1}, "progress"),
        ({"evaluate": "all"}, "evaluate"),
        ({"evaluate": lambda policy: "good"}, "could not convert string to float: 'good'"),
        ({"pieces": {"next_values": None}}, "pieces: expected Pieces"),
        (
            {
                "config": quick(central=False),
                "pieces": Pieces(own_action_fresh=lambda replayed, fresh: replayed.flatten(2)),
            },
            "pieces.own_action_fresh: has no effect where config.central is False",
        ),
    ],
)
def test_wrong_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        train_maddpg(**{"worlds": speak(), "config": quick(n_steps=5), **arguments})


def test_a_buffer_may_be_as_small_as_one_step():
    assert train_maddpg(speak(3), quick(n_steps=9, buffer_size=3)).updates[-1] == 4


def bad(value):
    def pay(actions, secrets):
        return np.full(secrets.shape, value)

    return pay


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e60])
def test_rewards_that_are_no_numbers_are_the_worlds_fault(value):
    with pytest.raises(ValueError, match="worlds"):
        train_maddpg(ToyWorlds(2, (2, 2), bad(value), n_steps=3), quick(n_steps=20))


def test_learning_that_diverges_is_the_configs_fault():
    """Squares of rewards as large as 1e30 are beyond float32, and a critic whose loss is NaN becomes NaN."""

    def lost(q, target):
        return (q * np.nan).mean(dim=1)

    with pytest.raises(ValueError, match="config"):
        train_maddpg(speak(), quick(), pieces=Pieces(critic_loss=lost))
    with pytest.raises(ValueError, match="config"):
        train_maddpg(ToyWorlds(2, (2, 2), bad(1e30)), quick())


def test_worlds_that_break_the_protocol_are_named():
    worlds = ToyWorlds(2, (2, 2), always_one, n_steps=3)
    right = worlds.step
    worlds.step = lambda actions, rng: tuple(right(actions, rng))
    with pytest.raises(ValueError, match=r"^worlds: expected a step"):
        train_maddpg(worlds, quick(n_steps=5))
    worlds.reset = lambda rng: np.ones((2, 2, 0))
    with pytest.raises(ValueError, match=r"^worlds: expected observations"):
        train_maddpg(worlds, quick(n_steps=5))


# Settings


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("n_steps", 0),
        ("batch_size", 2.5),
        ("buffer_size", 0),
        ("noise_over", 0),
        ("updates_per_step", -1),
        ("learn_from", -1),
        ("central", 1),
        ("bootstrap_on_truncation", 1),
        ("actor_rate", 0.0),
        ("critic_rate", 1.1),
        ("target_rate", 0.0),
        ("discount", True),
        ("noise_start", np.nan),
        ("noise_end", -0.1),
        ("noise_correlation", 1.0),
        ("logit_weight", "1"),
        ("hidden_sizes", (64, 0)),
        ("n_records", 61),
    ],
)
def test_settings_that_make_no_sense_are_named(name, wrong):
    with pytest.raises(ValueError, match=name):
        quick(**{name: wrong})


def test_usual_settings():
    config = MADDPGConfig()
    assert config.n_records == 20 and config.central and config.bootstrap_on_truncation
    assert MADDPGConfig(n_steps=3).n_records == 3
    assert MADDPGConfig(hidden_sizes=[8, 4]).hidden_sizes == (8, 4)


def test_noise_falls_along_a_straight_line():
    config = quick(noise_start=0.5, noise_end=0.1, noise_over=100)
    scales = [config.noise_scale(k) for k in (0, 25, 100, 1000)]
    assert scales == pytest.approx([0.5, 0.4, 0.1, 0.1])


@pytest.mark.parametrize(("rate", "part"), [("actor_rate", "actors"), ("critic_rate", "critics")])
def test_actors_and_critics_have_their_own_learning_rates(rate, part):
    """A rate of next to nothing leaves one kind of network where it began; the other moves by about its rate in each update."""
    before = watched_run(speak(), 10, updates_per_step=0).nets
    after = watched_run(speak(), 10, **{"actor_rate": 0.01, "critic_rate": 0.01, rate: 1e-12}).nets
    for name in ("actors", "critics"):
        pairs = zip(getattr(before, name), getattr(after, name), strict=True)
        moved = max((p - q).abs().max().item() for p, q in pairs)
        assert moved < 1e-6 if name == part else moved == pytest.approx(0.05, rel=0.5)


def test_networks_are_as_large_as_told():
    for central, width in ((True, 2 * (11 + 5)), (False, 11 + 5)):
        nets = watched_run(
            speak(), 5, central=central, hidden_sizes=(7, 6), updates_per_step=0
        ).nets
        shapes = [tuple(p.shape) for p in nets.critics[::2]]
        assert shapes == [(2, width, 7), (2, 7, 6), (2, 6, 1)]
        assert [tuple(p.shape) for p in nets.actors[::2]] == [(2, 11, 7), (2, 7, 6), (2, 6, 5)]
        for slow, fast in ((nets.target_actors, nets.actors), (nets.target_critics, nets.critics)):
            assert all(torch.equal(p, q) and p is not q for p, q in zip(slow, fast))


# Exploration noise


def path(correlation, n_steps=400, n_paths=500, seed=0):
    """Noise ``[n_steps, n_paths]`` that begins with standard deviation 1."""
    rng = np.random.default_rng(seed)
    noise = [rng.standard_normal(n_paths)]
    for _ in range(n_steps - 1):
        noise.append(correlated_noise(noise[-1], correlation, rng))
    return np.array(noise)


def test_one_step_is_a_mixture_of_the_old_and_the_new():
    before = np.array([[1.0, -2.0], [0.5, 3.0]])
    fresh = np.random.default_rng(4).standard_normal((2, 2))
    after = correlated_noise(before, 0.6, np.random.default_rng(4))
    assert after == pytest.approx(0.6 * before + 0.8 * fresh)


@pytest.mark.parametrize("correlation", [0.0, 0.6, 0.9])
def test_noise_keeps_its_strength_and_forgets_geometrically(correlation):
    """Standard deviation 1 at all times; correlation ρ^k between steps k apart."""
    noise = path(correlation)
    assert noise[-1].std() == pytest.approx(1.0, abs=0.12)
    assert noise.std() == pytest.approx(1.0, abs=0.03)
    assert noise.mean() == pytest.approx(0.0, abs=0.04)
    for k in (1, 2, 5):
        alike = (noise[k:] * noise[:-k]).mean()
        assert alike == pytest.approx(correlation**k, abs=0.05)
