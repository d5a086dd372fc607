"""Prisoners who have learned: in the worlds they see no more than their observations, and channels do what they say."""

import numpy as np
import pytest
import torch
from plain_riddle import cells_of, episode_of

from marl_lessons.algorithms.talk.riddle_agents import (
    N_VOICE,
    RiddlePolicy,
    best_words,
    init_gru,
    of_visitor,
    prisoners_see,
)
from marl_lessons.envs.games.riddle import SwitchRiddle, every_sequence

KINDS = ("dial", "rial", "silent")


def policy_of(kind, seeds=(0, 1), n_agents=3, n_hidden=12, scale=3.0):
    """Networks with large random numbers, whose words and deeds vary."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    parameters = init_gru(3 + n_agents, n_hidden, 2 + N_VOICE[kind], generators)
    return RiddlePolicy([scale * p.detach() for p in parameters], kind, n_agents)


def some_days(n_episodes, n_agents=3, seed=0):
    return np.random.default_rng(seed).integers(n_agents, size=(n_episodes, 4 * n_agents - 6))


def test_what_a_prisoner_sees():
    here = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]])
    heard, last = torch.tensor([[0.75, 0.0]]), torch.tensor([[[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]])
    seen = prisoners_see(here, heard, last)
    assert seen[0, 0].tolist() == [[0, 0, 0, 1, 0, 0], [1, 0.5, 0, 0, 1, 0], [0, 0, 1, 0, 0, 1]]
    assert seen[0, 1].tolist() == [[0, 0, -1, 1, 0, 0], [0, 0, 0, 0, 1, 0], [1, -1, 0, 0, 0, 1]]


def test_values_of_the_visitor():
    values = torch.arange(24.0).reshape(1, 2, 2, 3, 2)
    today = torch.tensor([[[0, 2], [1, 1]]])
    assert of_visitor(values, today).tolist() == [[[[0, 1], [10, 11]], [[14, 15], [20, 21]]]]


def test_words_without_exploration():
    logits = torch.tensor([[-0.1], [0.0], [0.2], [0.7]])
    assert best_words("dial", logits).tolist() == [0, 0, 1, 1]
    assert best_words("rial", torch.tensor([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])).tolist() == [
        1,
        0,
        0,
    ]
    assert best_words("silent", torch.zeros(3, 0)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("n_agents", [3, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_play_is_that_of_plain_loops(kind, n_agents):
    policy, today = policy_of(kind, n_agents=n_agents), some_days(12, n_agents)
    play = policy.play(today)
    assert play.said.shape == play.heard.shape == play.tells.shape == (2, *today.shape)
    for m in range(2):
        network = cells_of(policy.parameters, m)
        for e, visitors in enumerate(today.tolist()):
            said = []

            def speak(day, output, said=said):
                bit = {"dial": output[2:3] > 0, "rial": output[3:4] > output[2:3]}.get(kind)
                said.append(0.0 if bit is None else float(bit))
                return said[-1], torch.tensor(said[-1])

            outputs = episode_of(network, kind, n_agents, visitors, speak)
            assert play.said[m, e].tolist() == said == play.heard[m, e].tolist()
            tells = [bool(o[who][1] > o[who][0]) for o, who in zip(outputs, visitors)]
            assert play.tells[m, e].tolist() == tells
    assert kind == "silent" or 0.05 < play.said.mean() < 0.95


def test_in_the_worlds_prisoners_get_by_with_their_observations():
    """Step by step in SwitchRiddle, with nothing but observations and yesterday's word: the same words, deeds and rewards."""
    policy, rng = policy_of("dial", seeds=(4,)), np.random.default_rng(1)
    network, worlds = cells_of(policy.parameters, 0), SwitchRiddle(40, 3)
    seen = worlds.reset(rng)
    memory, lamp, total = torch.zeros(40, 3, 12), np.zeros(40), np.zeros(40)
    last, visitors = np.zeros((40, 3)), [worlds.in_room.copy()]
    alive = np.ones(40, dtype=bool)
    while True:
        inside = seen[:, :, 1]
        parts = [inside, inside * (2 * lamp - 1)[:, None], last]
        x = np.concatenate([np.stack(parts, -1), np.tile(np.eye(3), (40, 1, 1))], -1)
        with torch.no_grad():
            flat = torch.as_tensor(x, dtype=torch.float32).flatten(0, 1)
            memory = network[0](flat, memory.reshape(120, 12))
            outputs = network[1](memory).reshape(40, 3, 3).numpy()
        bits = (outputs[..., 2] > 0).astype(float)
        lamp, last = (bits * inside).sum(1), inside * (2 * bits - 1)
        step = worlds.step(outputs[..., :2].argmax(-1), rng)
        total += step.rewards[:, 0] * alive
        alive &= ~step.ended
        if not alive.any():
            break
        seen = worlds.reset_where(worlds.ended, rng)  # those play on, unwatched
        visitors.append(worlds.in_room.copy())
    lived = len(visitors)
    today = np.zeros((40, 6), dtype=int)
    today[:, :lived] = np.stack(visitors, 1)
    play = policy.play(today)
    assert play.rewards[0].tolist() == total.tolist()
    assert len(np.unique(total)) > 1


def test_a_policy_of_one_seed_plays_as_it_did_beside_others():
    policy, today = policy_of("rial", seeds=(5, 6, 7)), every_sequence(3)
    together = policy.play(today)
    for seed in range(3):
        alone = policy.of_seed(seed).play(today)
        for a, b in zip(alone[1:], together[1:]):
            assert (a[0] == b[seed]).all()
    assert together.scores.shape == (3,)


def test_a_channel_that_changes_nothing_changes_nothing():
    for kind in KINDS:
        policy, today = policy_of(kind), some_days(50)
        plain, through = policy.play(today), policy.play(today, lambda messages, present: messages)
        assert all(np.array_equal(a, b) for a, b in zip(plain, through))


def test_a_channel_meets_the_words_of_the_day_and_their_speaker():
    policy, today, calls = policy_of("dial"), some_days(5), []

    def channel(messages, present):
        calls.append((messages.copy(), present.copy()))
        return np.where(present[..., None], 0.25, 99.0)

    play = policy.play(today, channel)
    assert len(calls) == 12 and (play.heard == 0.25).all()
    for k, (messages, present) in enumerate(calls):
        seed, day = divmod(k, 6)
        assert messages.shape == (5, 3, 1) and present.dtype == bool
        assert present.argmax(1).tolist() == today[:, day].tolist() and (present.sum(1) == 1).all()
        assert messages.sum(axis=(1, 2)).tolist() == play.said[seed, :, day].tolist()
        assert (messages[~present] == 0).all()


def test_words_lost_on_the_way_matter_and_speakers_know_what_they_said():
    """Muted: the next visitor hears 0, but who spoke remembers its own word."""
    policy, today = policy_of("dial", seeds=(3,)), some_days(8, seed=4)
    play = policy.play(today, lambda messages, present: 0 * messages)
    network = cells_of(policy.parameters, 0)
    for e, visitors in enumerate(today.tolist()):
        said = []

        def speak(day, output, said=said):
            said.append(float(output[2] > 0))
            return said[-1], torch.zeros(())

        episode_of(network, "dial", 3, visitors, speak)
        assert play.said[0, e].tolist() == said
    assert (play.heard == 0).all() and play.said.any()


def test_a_channel_with_a_memory_forgets_before_every_seed():
    class Late:
        def __init__(self):
            self.forgotten = 0

        def forget(self):
            self.forgotten += 1
            self.before = None

        def __call__(self, messages, present):
            now = messages.sum(axis=1, keepdims=True)
            old, self.before = (0 * now if self.before is None else self.before), now
            return np.broadcast_to(old, messages.shape)

    policy, today, late = policy_of("dial", seeds=(0, 1, 2)), some_days(30), Late()
    play = policy.play(today, late)
    assert late.forgotten == 3
    assert (play.heard[..., 0] == 0).all() and (play.heard[..., 1:] == play.said[..., :-1]).all()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 5), dtype=int),
        np.zeros(6, dtype=int),
        np.zeros((4, 6)),
        np.full((4, 6), 3),
        np.full((4, 6), -1),
        np.zeros((0, 6), dtype=int),
        "days",
        None,
    ],
)
def test_impossible_days_are_refused(wrong):
    with pytest.raises(ValueError, match="today"):
        policy_of("dial").play(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "mute",
        3,
        lambda messages, present: None,
        lambda messages, present: messages[:, :, 0],
        lambda messages, present: messages[:2],
        lambda messages, present: messages * np.nan,
        lambda messages, present: messages + np.inf,
        lambda messages, present: messages[: len(present) - 1],
    ],
)
def test_impossible_channels_are_refused(wrong):
    with pytest.raises(ValueError, match="channel"):
        policy_of("dial").play(some_days(4), wrong)


@pytest.mark.parametrize("which", [-1, 2, True, 1.0, "0", None])
def test_a_policy_of_no_such_seed_is_refused(which):
    with pytest.raises(ValueError, match="which"):
        policy_of("dial").of_seed(which)


def test_a_channel_that_writes_on_what_it_is_given_changes_no_speaker():
    def vandal(messages, present):
        present[:] = False
        return messages

    policy, today = policy_of("dial"), some_days(4)
    assert np.array_equal(policy.play(today, vandal).said, policy.play(today).said)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"kind": "loud"}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": ["dial"]}, "kind"),
        ({"kind": "rial"}, "parameters: 6 inputs and 3 outputs"),
        ({"n_agents": 4}, "parameters"),
        ({"n_agents": 2}, "n_agents"),
        ({"n_agents": None}, "n_agents"),
    ],
)
def test_networks_of_other_prisoners_are_refused(change, name):
    given = {"parameters": policy_of("dial").parameters, "kind": "dial", "n_agents": 3}
    with pytest.raises(ValueError, match=f"^{name}"):
        RiddlePolicy(**given | change)
