"""Every seed has a stream of its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.seeds import UniformStreams, as_seeds


@given(
    st.lists(st.integers(0, 2**40), min_size=1, max_size=5, unique=True),
    st.integers(1, 4),
    st.integers(1, 7),
)
def test_a_column_is_the_seeds_own_generator(seeds, n_numbers, block):
    streams = UniformStreams(seeds, n_numbers, block)
    drawn = np.array([streams.next() for _ in range(15)])
    assert drawn.shape == (15, n_numbers, len(seeds)) and ((drawn >= 0) & (drawn < 1)).all()
    for column, seed in enumerate(seeds):
        assert np.array_equal(
            drawn[:, :, column], np.random.default_rng(seed).random((15, n_numbers))
        )


def test_numbers_handed_out_are_not_overwritten():
    streams = UniformStreams([4], 2, block=3)
    drawn = [streams.next() for _ in range(8)]
    again = UniformStreams([4], 2, block=3)
    assert all(np.array_equal(a, again.next()) for a in drawn)


def test_counts_and_sequences():
    assert (
        as_seeds(3)
        == as_seeds(np.int64(3))
        == as_seeds([0, 1, 2])
        == as_seeds(np.arange(3))
        == as_seeds(range(3))
        == (0, 1, 2)
    )
    assert as_seeds((7, 3)) == (7, 3) and as_seeds(s for s in (5, 2)) == (5, 2)


@pytest.mark.parametrize(
    "seeds",
    [
        0,
        -1,
        True,
        2.0,
        None,
        "",
        "12",
        "ab",
        [],
        [-1],
        [1.0],
        [None],
        [True],
        [[1]],
        np.array(3),
        np.eye(2),
        {1.5},
        b"",
        (7, 7, 3),
    ],
)
def test_what_are_no_seeds(seeds):
    for use in (as_seeds, lambda s: UniformStreams(s, 2)):
        with pytest.raises(ValueError, match="seeds"):
            use(seeds)
