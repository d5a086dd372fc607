"""The message buffer: whoever posts is read by all others and never by itself; silence, wiped boards and wrong messages."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.algorithms.talk.worlds import Heard, MessageBuffer, others_of


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 5), st.integers(1, 3))
def test_everybody_reads_the_others_in_their_order(seed, n_worlds, n, width):
    rng = np.random.default_rng(seed)
    buffer = MessageBuffer(n_worlds, n, width)
    messages, present = rng.normal(size=(n_worlds, n, width)), rng.random((n_worlds, n)) < 0.6
    buffer.post(messages, present)
    everything = buffer.read_all()
    assert everything.messages.shape == (n_worlds, n, n - 1, width)
    assert everything.spoke.shape == (n_worlds, n, n - 1) and everything.spoke.dtype == bool
    for i in range(n):
        heard = buffer.read(i)
        others = [j for j in range(n) if j != i]
        for e in range(n_worlds):
            for place, j in enumerate(others):
                said = messages[e, j] if present[e, j] else np.zeros(width)
                assert heard.messages[e, place].tolist() == said.tolist()
                assert heard.spoke[e, place] == present[e, j]
        assert np.array_equal(heard.messages, everything.messages[:, i])
        assert np.array_equal(heard.spoke, everything.spoke[:, i])


@given(st.integers(0, 2**32 - 1))
def test_it_behaves_like_a_dictionary_of_worlds_and_agents(seed):
    """Twelve random operations, also on an ordinary dict; a board that nobody wrote on cannot be read."""
    rng, n_worlds, n = np.random.default_rng(seed), 3, 3
    buffer, plain = MessageBuffer(n_worlds, n, 2), [None] * n_worlds
    for _ in range(12):
        what = rng.integers(3)
        if what == 0:
            messages, present = rng.normal(size=(n_worlds, n, 2)), rng.random((n_worlds, n)) < 0.5
            buffer.post(messages, present)
            plain = [
                {j: messages[e, j] for j in range(n) if present[e, j]} for e in range(n_worlds)
            ]
        elif what == 1:
            agent, messages = int(rng.integers(n)), rng.normal(size=(n_worlds, 2))
            buffer.post_one(agent, messages)
            plain = [{**(board or {}), agent: messages[e]} for e, board in enumerate(plain)]
        else:
            which = rng.random(n_worlds) < 0.4
            buffer.clear_where(which)
            plain = [None if gone else board for gone, board in zip(which, plain, strict=True)]
        if None in plain:
            with pytest.raises(ValueError, match=f"nobody has posted in world {plain.index(None)}"):
                buffer.read(0)
            with pytest.raises(ValueError, match="nobody has posted in world"):
                buffer.read_all()
            continue
        for i in range(n):
            heard = buffer.read(i)
            others = [j for j in range(n) if j != i]
            expected = [[board.get(j, np.zeros(2)) for j in others] for board in plain]
            assert np.array_equal(heard.messages, expected)
            assert heard.spoke.tolist() == [[j in board for j in others] for board in plain]


def test_an_empty_room_is_not_an_unwritten_board():
    buffer = MessageBuffer(2, 2, 1)
    with pytest.raises(ValueError, match="nobody has posted in world 0"):
        buffer.read(1)
    buffer.post(np.ones((2, 2, 1)), np.zeros((2, 2), dtype=bool))
    heard = buffer.read(1)
    assert isinstance(heard, Heard) and not heard.spoke.any() and not heard.messages.any()


def test_a_new_moment_leaves_nothing_of_the_last_one():
    buffer = MessageBuffer(1, 3, 1)
    buffer.post([[[1], [2], [3]]])
    buffer.post([[[4], [5], [6]]], np.array([[True, False, True]]))
    assert buffer.read(0).messages.ravel().tolist() == [0.0, 6.0]
    buffer.post_one(1, [[7.0]])
    assert buffer.read(0).messages.ravel().tolist() == [7.0, 6.0]


def test_what_was_posted_or_read_can_be_changed_without_changing_the_buffer():
    buffer, messages, present = MessageBuffer(1, 2, 1), np.ones((1, 2, 1)), np.ones((1, 2), bool)
    buffer.post(messages, present)
    messages[:], present[:] = 5.0, False
    heard = buffer.read(0)
    assert heard.messages.tolist() == [[[1.0]]] and heard.spoke.all()
    heard.messages[:], heard.spoke[:] = 9.0, False
    whole = buffer.read_all()
    whole.messages[:] = 9.0
    assert buffer.read(0).messages.tolist() == [[[1.0]]] and buffer.read(0).spoke.all()


def test_someone_alone_hears_nobody():
    buffer = MessageBuffer(2, 1, 3)
    buffer.post(np.ones((2, 1, 3)))
    assert buffer.read(0).messages.shape == (2, 0, 3) and buffer.read_all().spoke.shape == (2, 1, 0)


def test_the_numbers_of_the_others():
    assert others_of(3).tolist() == [[1, 2], [0, 2], [0, 1]]
    assert others_of(1).shape == (1, 0)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda b: MessageBuffer(0, 2, 1), "^n_worlds is 0"),
        (lambda b: MessageBuffer(1, 2.0, 1), "^n_agents is 2.0"),
        (lambda b: MessageBuffer(1, 2, 0), "^width is 0"),
        (lambda b: b.post(np.zeros((2, 3, 5))), r"^messages: .*\(2, 3, 4\).* shape \(2, 3, 5\)"),
        (lambda b: b.post(np.zeros((2, 3))), "^messages"),
        (lambda b: b.post(np.zeros((1, 3, 4))), "^messages"),
        (lambda b: b.post("stop"), "^messages"),
        (lambda b: b.post(np.full((2, 3, 4), np.nan)), r"^messages\[0, 0, 0\] is nan"),
        (
            lambda b: b.post(np.full((2, 3, 4), np.inf), np.zeros((2, 3), bool)),
            r"^messages\[0, 0, 0\] is inf",
        ),
        (lambda b: b.post(np.zeros((2, 3, 4)), np.ones((2, 3))), "^present"),
        (lambda b: b.post(np.zeros((2, 3, 4)), np.ones((3, 2), bool)), "^present"),
        (lambda b: b.post(np.zeros((2, 3, 4)), [[True], [True, False]]), "^present"),
        (lambda b: b.post_one(3, np.zeros((2, 4))), "^agent is 3; allowed are 0 to 2"),
        (lambda b: b.post_one(-1, np.zeros((2, 4))), "^agent is -1"),
        (lambda b: b.post_one(True, np.zeros((2, 4))), "^agent is True"),
        (lambda b: b.post_one(0, np.zeros((2, 3))), "^messages"),
        (lambda b: b.post_one(0, [[0, 0, 0, 0], [0, 0, np.inf, 0]]), r"^messages\[1, 2\] is inf"),
        (lambda b: b.read(3), "^agent is 3"),
        (lambda b: b.read(None), "^agent is None"),
        (lambda b: b.clear_where(np.ones(3, bool)), "^which"),
        (lambda b: b.clear_where(np.ones(2)), "^which"),
    ],
)
def test_messages_that_do_not_fit_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call(MessageBuffer(2, 3, 4))
