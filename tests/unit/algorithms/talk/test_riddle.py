"""RIAL and DIAL: where gradients go, who hears whom, one update against a plain one, whole runs, hostile arguments."""

import numpy as np
import pytest
import torch
from plain_riddle import cells_of, gradients_of, plain_loss

from marl_lessons.algorithms.deep.networks import copy_parameters
from marl_lessons.algorithms.talk import riddle
from marl_lessons.algorithms.talk.riddle import (
    RiddleConfig,
    draw_chance,
    learners_speech,
    riddle_losses,
    riddle_targets,
    state_values,
    targets_speech,
    train_riddle,
)
from marl_lessons.algorithms.talk.riddle_agents import N_VOICE, init_gru, live_through
from marl_lessons.envs.games.riddle import every_sequence

ORACLE = 20 / 27
KINDS = tuple(N_VOICE)


def quick(kind="dial", **changes):
    settings = dict(n_updates=12, n_episodes=6, n_hidden=8, n_records=3, target_interval=5)
    return RiddleConfig(kind, **(settings | changes))


def networks_of(config, seeds=(0, 1), scale=2.0):
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    sizes = 3 + config.n_agents, config.n_hidden, 2 + N_VOICE[config.kind]
    parameters = init_gru(*sizes, generators)
    return [(scale * p.detach()).requires_grad_() for p in parameters], generators


def never(chance, which):
    """The same chance, except that nobody acts (0) or speaks (2) at random."""
    uniform = chance.uniform.copy()
    uniform[which] = 1.0
    return chance._replace(uniform=uniform)


class Overhears:
    """Passes on every word, and keeps what the network gave for it, so that gradients can be asked for."""

    def __init__(self, speak):
        self.speak, self.voices = speak, []

    def __call__(self, day, voice):
        self.voices.append(voice)
        return self.speak(day, voice)


def overheard_story(config, seeds=(0, 1)):
    online, generators = networks_of(config, seeds)
    chance = draw_chance(generators, config)
    speak = Overhears(learners_speech(chance, config))
    return live_through(online, chance.today, config.n_agents, speak), speak.voices, chance


def effect(outputs, voice):
    """The gradient of a sum of outputs with respect to what a network gave for its words; zeros where none reaches it."""
    (gradient,) = torch.autograd.grad(outputs.sum(), voice, retain_graph=True, allow_unused=True)
    return torch.zeros_like(voice) if gradient is None else gradient


def test_dial_a_gradient_runs_from_who_hears_to_who_spoke_a_day_before():
    story, voices, chance = overheard_story(quick("dial"))
    here = torch.nn.functional.one_hot(chance.today, 3).bool()
    for day in range(5):
        tomorrow, hearer = story.values[:, :, day + 1], here[:, :, day + 1]
        assert (effect(tomorrow[hearer], voices[day]) != 0).all()
        assert (effect(tomorrow[~hearer], voices[day]) == 0).all(), (
            "outside the room nothing is heard"
        )
        so_far = story.values[:, :, : day + 1]
        assert (effect(so_far, voices[day]) == 0).all(), "a word has no effect before it is heard"


@pytest.mark.parametrize("kind", ["rial", "silent"])
def test_without_dial_no_gradient_runs_through_words(kind):
    story, voices, _ = overheard_story(quick(kind))
    given = torch.autograd.grad(story.values.sum(), voices, allow_unused=True)
    assert given == (None,) * 6
    assert not story.heard.requires_grad


def overheard_losses(monkeypatch, config, chance=None):
    """The loss of every network, what its prisoners' voices were, and the days that each episode had."""
    online, generators = networks_of(config)
    chance = draw_chance(generators, config) if chance is None else chance
    kept = []

    def speech(chance, config):
        kept.append(Overhears(learners_speech(chance, config)))
        return kept[-1]

    monkeypatch.setattr(riddle, "learners_speech", speech)
    losses, _ = riddle_losses(online, copy_parameters(online), chance, config)
    return losses, kept[0].voices


def test_dial_words_that_nobody_reads_get_no_gradient(monkeypatch):
    """Those of the last day, and those from the day on which somebody told."""
    config = quick("dial", n_episodes=40, epsilon=0.4)
    online, generators = networks_of(config)
    chance = draw_chance(generators, config)
    losses, voices = overheard_losses(monkeypatch, config, chance)
    gradients = torch.autograd.grad(losses.sum(), voices, allow_unused=True)
    assert gradients[-1] is None or (gradients[-1] == 0).all()
    story = live_through(online, chance.today, 3, learners_speech(chance, config))
    mine = riddle.of_visitor(story.values, chance.today).detach().numpy()
    acts = riddle.epsilon_greedy(mine, config.epsilon, chance.uniform[:2])
    told_by = torch.as_tensor(np.cumsum(acts, axis=-1) > 0)
    assert 0.1 < told_by[..., 4].float().mean() < 1 and told_by[..., 0].any()
    for day in range(5):
        unread = gradients[day][..., 0] == 0
        assert unread[told_by[..., day]].all()
        assert not unread[~told_by[..., day]].any()


def test_rial_words_get_gradient_from_their_own_value_alone(monkeypatch):
    config = quick("rial", epsilon=0.0)
    online, generators = networks_of(config)
    with torch.no_grad():
        online[5][..., 0] += 10.0  # nobody tells
    chance = draw_chance(generators, config)
    story = live_through(online, chance.today, 3, learners_speech(chance, config))

    def told(parameters, *rest):
        return story if parameters is online else live_through(parameters, *rest)

    monkeypatch.setattr(riddle, "live_through", told)
    losses, rewards = riddle_losses(online, copy_parameters(online), chance, config)
    assert (rewards == 0).all()
    (gradient,) = torch.autograd.grad(losses.sum(), story.voice)
    said = story.said.long()[..., None]
    assert (gradient.gather(-1, said)[..., :5, 0] != 0).all()
    assert (gradient.gather(-1, 1 - said) == 0).all(), "what was not said is left alone"
    assert (gradient[:, :, 5] == 0).all(), "the last word is never read"


def test_the_targets_words_are_made_by_the_target_network_alone_in_dial():
    config = quick("dial")
    online, generators = networks_of(config, (0, 1))
    other, _ = networks_of(config, (8, 9))
    target, _ = networks_of(config, (3, 4))
    chance = draw_chance(generators, config)

    def ahead(online, target):
        story = live_through(online, chance.today, 3, learners_speech(chance, config))
        heard = targets_speech(story, chance, config)
        return story, live_through(target, chance.today, 3, heard)

    story, first = ahead(online, target)
    other_story, second = ahead(other, target)
    assert not torch.allclose(story.heard, other_story.heard, atol=1e-3)
    for a, b in zip(first, second):
        assert torch.equal(a, b)
    third = ahead(online, other)[1]
    assert not torch.allclose(first.heard, third.heard, atol=1e-3)
    assert torch.equal(ahead(online, online)[1].heard, story.heard)


@pytest.mark.parametrize("kind", ["rial", "silent"])
def test_the_target_hears_what_was_said_in_rial(kind):
    config = quick(kind)
    online, generators = networks_of(config, (0, 1))
    target, _ = networks_of(config, (3, 4))
    chance = draw_chance(generators, config)
    story = live_through(online, chance.today, 3, learners_speech(chance, config))
    ahead = live_through(target, chance.today, 3, targets_speech(story, chance, config))
    assert torch.equal(ahead.heard, story.heard) and torch.equal(ahead.said, story.said)


@pytest.mark.parametrize("kind", KINDS)
def test_no_gradient_reaches_the_target_network(kind):
    config = quick(kind)
    online, generators = networks_of(config, (0, 1))
    target, _ = networks_of(config, (3, 4))
    riddle_losses(online, target, draw_chance(generators, config), config)[0].sum().backward()
    assert all(p.grad is None for p in target) and all(p.grad is not None for p in online)


@pytest.mark.parametrize("n_agents", [3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_one_update_is_that_of_plain_loops(kind, n_agents):
    """Losses, rewards, every gradient and Adam's step, against torch's own cells, episode by episode."""
    config = quick(kind, n_agents=n_agents, epsilon=0.3, discount=0.9, learning_rate=0.01)
    online, generators = networks_of(config, (0, 1), scale=1.5)
    target, _ = networks_of(config, (3, 4), scale=1.5)
    chance = draw_chance(generators, config)
    start = copy_parameters(online)
    losses, rewards = riddle_losses(online, target, chance, config)
    losses.sum().backward()
    torch.optim.Adam(online, lr=config.learning_rate).step()
    for m in range(2):
        network, slow = cells_of(start, m), cells_of(target, m)
        total, paid = torch.zeros(()), []
        for e in range(config.n_episodes):
            loss, reward = plain_loss(
                network, slow, kind, n_agents, chance.today[m, e].tolist(),
                chance.uniform[:, m, e].tolist(), chance.noise[m, e].tolist(), 0.3, 2.0, 0.9,
            )  # fmt: skip
            total, paid = total + loss / config.n_episodes, [*paid, reward]
        modules = torch.nn.ModuleList(network)
        optimizer = torch.optim.Adam(modules.parameters(), lr=config.learning_rate)
        total.backward()
        assert losses[m].item() == pytest.approx(total.item(), rel=1e-4)
        assert rewards[m].tolist() == paid
        for mine, plain in zip(online, gradients_of(*network)):
            assert torch.allclose(mine.grad[m], plain, atol=2e-5, rtol=1e-3)
        optimizer.step()
        # Adam's first step has the size of the learning rate: only entries with a clear gradient can be compared
        after = [network[0].weight_ih.T, network[0].bias_ih[None], network[0].weight_hh.T]
        for mine, plain in zip(online, after):
            clear = mine.grad[m].abs() > 1e-4
            assert torch.allclose(mine[m][clear], plain[clear], atol=1e-4)


def test_targets_and_values_of_a_hand_made_day():
    values = torch.tensor([[[[[1.0, 5.0], [2.0, 9.0], [4.0, 3.0]]]]])
    assert state_values(values, torch.tensor([[[1]]])).tolist() == [[[[1, 9, 4]]]]
    assert state_values(values, torch.tensor([[[2]]])).tolist() == [[[[1, 2, 4]]]]
    rewards, goes_on = torch.tensor([[[0.0, -1.0]]]), torch.tensor([[[True, False]]])
    ahead = torch.tensor([[[[1.0, 2.0, 3.0], [50.0, 50.0, 50.0]]]])
    y = riddle_targets(rewards, ahead, goes_on, 0.5)
    assert y.tolist() == [[[[0.5, 1.0, 1.5], [-1.0, -1.0, -1.0]]]]


def test_chance_is_each_seeds_own_and_the_same_for_all_kinds():
    def drawn(kind, *seeds):
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return draw_chance(generators, quick(kind, n_episodes=2000))

    alone, beside = drawn("dial", 7), drawn("rial", 1, 7)
    assert torch.equal(alone.today[0], beside.today[1])
    assert (alone.uniform[:, 0] == beside.uniform[:, 1]).all()
    assert torch.equal(alone.noise[0], beside.noise[1])
    assert not torch.equal(beside.today[0], beside.today[1])
    assert np.bincount(alone.today.ravel()) / 12_000 == pytest.approx([1 / 3] * 3, abs=0.02)
    assert alone.uniform.mean(axis=(1, 2, 3)) == pytest.approx([0.5] * 4, abs=0.02)
    assert alone.noise.mean().item() == pytest.approx(0, abs=0.05)
    assert alone.noise.std().item() == pytest.approx(1, abs=0.03)


def test_rial_explores_words_and_dial_does_not():
    config = quick("rial", n_episodes=500, epsilon=0.4)
    chance = draw_chance([torch.Generator().manual_seed(0)], config)
    voice = torch.tensor([1.0, 0.0]).expand(1, 500, 2)  # 0 is better
    said, heard = learners_speech(chance, config)(2, voice)
    assert said.mean().item() == pytest.approx(0.2, abs=0.06) and torch.equal(said, heard)
    assert learners_speech(never(chance, 2), config)(2, voice)[0].sum() == 0
    said, heard = learners_speech(chance, quick("dial"))(2, torch.full((1, 500, 1), 0.3))
    expected = torch.sigmoid(0.3 + 2.0 * chance.noise[..., 2])
    assert (said == 1).all() and torch.allclose(heard, expected)


def test_a_run_can_be_repeated_and_does_not_depend_on_its_neighbours():
    for kind in KINDS:
        first, again = (train_riddle(quick(kind), (3, 5, 8)) for _ in range(2))
        alone = train_riddle(quick(kind), (5,))
        for a, b, c in zip(
            first.policy.parameters, again.policy.parameters, alone.policy.parameters
        ):
            assert torch.equal(a, b)
            assert torch.allclose(a[1], c[0], atol=1e-4)
            assert not torch.allclose(a[0], a[1], atol=1e-2)
        assert np.allclose(first.returns[:, 1], alone.returns[:, 0], equal_nan=True)


def test_the_history_of_a_run():
    told = []
    config = quick(n_updates=20, n_records=4)
    history = train_riddle(config, (4, 9), told.append, lambda policy: policy.n_seeds)
    assert history.seeds == (4, 9) and history.updates.tolist() == [0, 5, 10, 15, 20]
    assert history.episodes.tolist() == [0, 30, 60, 90, 120]
    assert told == [0.0, 0.25, 0.5, 0.75, 1.0] and history.evaluations == (2,) * 5
    for measured in (history.losses, history.returns):
        assert measured.shape == (5, 2) and np.isnan(measured[0]).all()
        assert np.isfinite(measured[1:]).all()
    assert (np.abs(history.returns[1:]) <= 1).all() and (history.losses[1:] > 0).all()
    assert len(history.policies) == 5 and history.policy is history.policies[-1]
    before, after = history.policies[0].parameters, history.policy.parameters
    assert not torch.equal(before[0], after[0]) and not after[0].requires_grad
    assert train_riddle(quick(n_updates=2, n_records=None), 1).evaluations is None


def test_records_are_20_or_every_update():
    assert RiddleConfig().n_records == 20 and RiddleConfig(n_updates=7).n_records == 7
    history = train_riddle(quick(n_updates=3, n_records=None), 1)
    assert history.updates.tolist() == [0, 1, 2, 3]


def test_dial_learns_to_count_visitors_and_silent_prisoners_do_not():
    """Exact expectations over all 729 sequences; 130/243 is the best there is without words."""
    today = every_sequence(3)
    dial = train_riddle(RiddleConfig("dial", n_updates=400, n_records=1), (1, 2, 3)).policy
    scores = dial.play(today).scores / ORACLE
    assert (scores > 0.95).all()
    muted = dial.play(today, lambda messages, present: 0 * messages).scores / ORACLE
    assert (muted < 0.75).all()
    silent = train_riddle(RiddleConfig("silent", n_updates=150, n_records=1), (1, 2, 3)).policy
    assert (silent.play(today).scores <= 130 / 243 + 1e-9).all()


@pytest.mark.parametrize(("field", "values"), [
    ("kind", ["DIAL", None, ["dial"]]), ("n_agents", [2, 3.0, True]), ("n_updates", [0, "many"]), ("n_episodes", [0]),
    ("n_hidden", [-1, (32,)]), ("learning_rate", [0.0, float("nan"), 2.0]), ("discount", [1.01, None]),
    ("epsilon", [-0.1, "0.1"]), ("noise_scale", [-1.0, float("inf")]), ("target_interval", [0]), ("n_records", [0, 10**6]),
])  # fmt: skip
def test_impossible_settings_are_refused(field, values):
    for value in values:
        with pytest.raises(ValueError, match=f"^{field}"):
            RiddleConfig(**{field: value})


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match=r"^config"):
        train_riddle({"kind": "dial"}, 2)
    for seeds in ([], 0, -1, "ab", 2.5, None, [0, -1], True):
        with pytest.raises(ValueError, match=r"^seeds"):
            train_riddle(quick(), seeds)
    with pytest.raises(ValueError, match=r"^seeds: .* twice"):
        train_riddle(quick(), (3, 1, 3))
    for name in ("progress", "evaluate"):
        with pytest.raises(ValueError, match=f"^{name}: expected a function or None, got True"):
            train_riddle(quick(), 2, **{name: True})


def test_a_target_stays_until_its_interval_is_over(monkeypatch):
    seen = []

    def spy(online, target, *rest):
        seen.append((online[0].detach().clone(), target[0].clone()))
        return riddle_losses(online, target, *rest)

    monkeypatch.setattr(riddle, "riddle_losses", spy)
    train_riddle(quick(n_updates=12, target_interval=5), 1)
    for k, (_, target) in enumerate(seen):
        assert torch.equal(target, seen[k - k % 5][0])


def test_divergence_is_refused(monkeypatch):
    def explode(online, *rest):
        losses, rewards = riddle_losses(online, *rest)
        return losses * float("inf"), rewards

    monkeypatch.setattr(riddle, "riddle_losses", explode)
    with pytest.raises(ValueError, match=r"^config: losses or parameters"):
        train_riddle(quick(), 1)


def test_the_callers_modes_change_nothing():
    plain = train_riddle(quick(), 1)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            other = train_riddle(quick(), 1)
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.array_equal(plain.losses, other.losses, equal_nan=True)


def test_what_is_learned_is_printed_in_one_line():
    history = train_riddle(quick(), 1)
    assert len(repr(history)) < 400 and len(repr(history.policy)) < 400


def test_the_example_of_the_docstring_runs():
    lines = train_riddle.__doc__.split("reaches::")[1].strip().splitlines()
    assert len(lines) == 6
    code = "\n".join(line.strip() for line in lines).replace("n_updates=1_000", "n_updates=2")
    names = {"train_riddle": train_riddle, "RiddleConfig": RiddleConfig, "np": np}
    code = code.replace("seeds=10", "seeds=2").replace("progress=print", "progress=None")
    exec(code, names | {"every_sequence": every_sequence})
