"""The checks at the boundary themselves."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from marl_lessons.checks import (
    as_booleans,
    as_count,
    as_distributions,
    as_flag,
    as_float_array,
    as_generator,
    as_indices,
    as_number,
    as_position,
)

NAN, INF = float("nan"), float("inf")
RAGGED, YES = [[1], [1, 2]], np.ones((2, 3), bool)
# A check, what it is told about the argument, and what it refuses.
REFUSED = [
    (as_float_array, [(None,)], [None, 1.0, np.array(1.0), "a", ["a"], ["0.5"], [None], [NAN], [1, INF], [], [[1.0]], RAGGED, {},
                                 [1j], np.array([1j]), object(), [10**400], np.array([0.5], dtype=object),
                                 np.array(["2020-01-01"], "datetime64[D]"), torch.ones(1, requires_grad=True)]),
    *((as_float_array, [shape], [[[1, 2]]]) for shape in ((None, 3), (2, 2), (None,), (1, 2, None), ())),
    (as_float_array, [(None, 2)], [np.zeros((0, 2))]),
    (as_float_array, [(..., 2, 3)], [np.zeros(shape) for shape in ((3,), (), (3, 2), (2, 3, 1))]),
    (as_distributions, [(2,)], [[0.5, 0.5 + 1.1e-8], [0.5, 0.5 - 1.1e-8], [0.0, 0.0], [2.0, -1.0], [NAN, 1.0], [INF, 0.0],
                                np.array([0.5, 0.5006], np.float32), np.array([0.5, 0.54], np.float16)]),
    (as_indices, [(1,), 3], [None, 0, [0.0], ["0"], [True], [-1], [3], [[0]], [None], [NAN], RAGGED,
                             np.array([2**64 - 1], dtype=np.uint64)]),
    (as_position, [3], [-1, 3, 1.0, True, None, "0"]),
    (as_number, [-1.0, 1.0], ["0.5", True, np.True_, np.array(0.5), np.complex128(0.5), 0j, None, [0], NAN, INF, 1.01, -1.01]),
    (as_number, [], [-(10**400), 10**400, 10**5000]),
    (as_count, [], [0, -1, 1.0, 3.5, True, False, np.True_, "1", None, [1], NAN, INF, 1j, np.array([1]), 2**70, 10**5000]),
    (as_count, [5], [4]), (as_count, [0], [2**63]),
    (as_flag, [], [None, 0, 1, "yes", "", [], [True], np.array([True]), 1.0]),
    (as_booleans, [(2,)], [None, True, [0, 1], [True], [[True, False]], ["a", "b"], [[True], []], [None, 0]]),
    (as_booleans, [(None, 3)], [None, True, np.zeros((2, 3)), np.zeros((3, 2), bool), [[True], [True, False]]]),
    (as_generator, [], [None, 0, "rng", np.random, np.random.RandomState(0), np.random.default_rng]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "allowed", "values"), REFUSED)
def test_what_is_refused_is_named(check, allowed, values):
    for value in values:
        with pytest.raises(ValueError, match="argument"):
            check("argument", value, *allowed)


def test_what_is_accepted():
    """Whatever NumPy's kind, the answer is of one kind; arrays are copies."""
    check = lambda f, *args, **settings: f("argument", *args, **settings)  # noqa: E731
    for leading in ((), (1,), (4, 3), (0, 5)):
        for shape in ((..., 2, 3), (...,)):
            zeros = np.zeros((*leading, 2, 3))
            assert check(as_float_array, zeros, shape).shape == zeros.shape
    assert check(as_float_array, [[1, 2]], (None, 2)).shape == (1, 2)
    assert check(as_indices, [0, 2], (None,), 3).tolist() == [0, 2]
    for kind in (np.int8, np.uint8, np.uint64, np.int64):
        assert check(as_indices, np.ones(2, dtype=kind), (2,), 3).dtype == np.intp
    assert [check(as_position, k, 3) for k in (0, np.int64(2))] == [0, 2]
    assert [check(as_number, x, 0, 1) for x in (0, np.float32(1))] == [0, 1]
    assert check(as_number, 5e-324, 0, 1, open_low=True) == 5e-324
    with pytest.raises(ValueError, match="argument"):
        check(as_number, 0, 0, 1, open_low=True)
    assert check(as_count, np.int8(3)) == 3 and type(check(as_count, np.int8(3))) is int
    assert check(as_count, 0, low=0) == 0 and check(as_count, 2**63 - 1) == 2**63 - 1
    assert check(as_flag, True) is True and check(as_flag, np.False_) is False
    for f, mine, shape in ((as_booleans, YES[0], (3,)), (as_booleans, YES, (None, 3))):
        assert np.array_equal(check(f, mine, shape), mine)
        assert not np.shares_memory(check(f, mine, shape), mine)
    rng = np.random.default_rng(0)
    assert check(as_generator, rng) is rng


def test_distributions_within_the_tolerance():
    exact = pytest.approx(1, abs=1e-15)
    assert as_distributions("argument", [0.5, 0.5 + 0.9e-8], (2,)).sum() == exact
    for kind, error in ((np.float32, 3e-4), (np.float16, 0.02)):
        assert as_distributions("argument", np.array([0.5, 0.5 + error], kind), (2,)).sum() == exact
    softmax = torch.softmax(torch.randn(1000, 5, generator=torch.Generator().manual_seed(0)), -1)
    for given_as in (softmax, softmax.numpy(), list(softmax.numpy())):
        assert as_distributions("argument", given_as, (1000, 5)).sum() == pytest.approx(1000)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_float_arrays_are_fresh_copies(values):
    given_array = np.array(values)
    result = as_float_array("argument", given_array, (None,))
    assert np.array_equal(result, given_array) and not np.shares_memory(result, given_array)


def test_the_first_bad_entry_is_named():
    with pytest.raises(ValueError, match=r"argument\[1, 0\] is nan"):
        as_float_array("argument", [[0, 1], [NAN, NAN]], (2, 2))
    with pytest.raises(ValueError, match=r"argument\[1, 2\] is -0.5"):
        as_distributions("argument", [[1, 0, 0], [1, 0.5, -0.5]], (2, 3))
    with pytest.raises(ValueError, match=r"argument\[1\] sums to 0.9"):
        as_distributions("argument", [[1, 0], [0.4, 0.5]], (2, 2))
    with pytest.raises(ValueError, match="argument sums to 2"):
        as_distributions("argument", [1, 1], (2,))
    with pytest.raises(ValueError, match=r"argument\[0, 1\] is 3; allowed are 0 to 2"):
        as_indices("argument", [[0, 3]], (1, 2), np.array([5, 3]))


def test_what_has_no_axes_has_no_brackets():
    with pytest.raises(ValueError, match=r"^argument is 7; allowed are 0 to 2$"):
        as_indices("argument", 7, (), 3)
    with pytest.raises(ValueError, match=r"^argument is inf; every entry must be a finite number$"):
        as_float_array("argument", INF, ())


@pytest.mark.parametrize(
    "value", [0, np.int64(0), np.float32(0.5), np.uint8(1), Fraction(1, 2), np.float64(0.25)]
)
def test_real_numbers_of_any_kind(value):
    number = as_number("argument", value, 0, 1)
    assert type(number) is float and number == value


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint64, np.float16, np.float64])
def test_real_arrays_of_any_kind(kind):
    result = as_float_array("argument", np.ones(2, dtype=kind), (2,))
    assert result.dtype == np.float64 and result.tolist() == [1, 1]
