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


def refuses(check, value, *args, **settings):
    with pytest.raises(ValueError, match="argument"):
        check("argument", value, *args, **settings)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_float_arrays_are_fresh_copies(values):
    given_array = np.array(values)
    result = as_float_array("argument", given_array, (None,))
    assert np.array_equal(result, given_array) and not np.shares_memory(result, given_array)


@pytest.mark.parametrize(
    "value",
    [None, 1.0, np.array(1.0), "a", ["a"], [None], [NAN], [1, INF], [], [[1.0]], [[1], [1, 2]], {}, [1j], object()],
)  # fmt: skip
def test_what_is_no_vector_of_numbers(value):
    refuses(as_float_array, value, (None,))


def test_shapes():
    assert as_float_array("argument", [[1, 2]], (None, 2)).shape == (1, 2)
    for shape in ((None, 3), (2, 2), (None,), (1, 2, None), ()):
        refuses(as_float_array, [[1, 2]], shape)
    refuses(as_float_array, np.zeros((0, 2)), (None, 2))


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


def test_distributions_within_the_tolerance():
    exact = pytest.approx(1, abs=1e-15)
    assert as_distributions("argument", [0.5, 0.5 + 0.9e-8], (2,)).sum() == exact
    for row in ([0.5, 0.5 + 1.1e-8], [0.5, 0.5 - 1.1e-8], [0.0, 0.0], [2.0, -1.0], [NAN, 1.0], [INF, 0.0]):  # fmt: skip
        refuses(as_distributions, row, (2,))
    for kind, error in ((np.float32, 3e-4), (np.float16, 0.02)):
        assert as_distributions("argument", np.array([0.5, 0.5 + error], kind), (2,)).sum() == exact
        refuses(as_distributions, np.array([0.5, 0.5 + 2 * error], kind), (2,))
    softmax = torch.softmax(torch.randn(1000, 5, generator=torch.Generator().manual_seed(0)), -1)
    for given_as in (softmax, softmax.numpy(), list(softmax.numpy())):
        assert as_distributions("argument", given_as, (1000, 5)).sum() == pytest.approx(1000)


@pytest.mark.parametrize("value", [None, 0, [0.0], ["0"], [True], [-1], [3], [[0]], [None], [NAN]])
def test_what_is_no_index(value):
    refuses(as_indices, value, (1,), 3)


def test_indices():
    assert as_indices("argument", [0, 2], (None,), 3).tolist() == [0, 2]
    assert as_indices("argument", np.array([2], dtype=np.uint8), (1,), 3).dtype.kind in "iu"


@given(
    st.floats()
    | st.none()
    | st.text(alphabet="xyz")
    | st.lists(st.integers(), max_size=2)
    | st.complex_numbers()
)
def test_numbers(value):
    try:
        number = as_number("argument", value, -1.0, 1.0)
    except ValueError as error:
        assert "argument" in str(error)
        assert not (isinstance(value, float) and -1 <= value <= 1)
    else:
        assert isinstance(number, float) and number == value and -1 <= number <= 1


def test_positions():
    assert [as_position("argument", k, 3) for k in (0, np.int64(2))] == [0, 2]
    for value in (-1, 3, 1.0, True, None, "0"):
        refuses(as_position, value, 3)


def test_ends_of_the_interval():
    assert as_number("argument", 0, 0, 1) == 0 and as_number("argument", np.float32(1), 0, 1) == 1
    refuses(as_number, 0, 0, 1, open_low=True)
    assert as_number("argument", 5e-324, 0, 1, open_low=True) == 5e-324


@pytest.mark.parametrize(
    "value", [0, -1, 1.0, 3.5, True, False, np.True_, "1", None, [1], NAN, INF, 1j, np.array([1])]
)
def test_what_is_no_count(value):
    refuses(as_count, value)


def test_counts():
    assert as_count("argument", np.int8(3)) == 3 and type(as_count("argument", np.int8(3))) is int
    assert as_count("argument", 0, low=0) == 0
    assert as_count("argument", 2**63 - 1) == 2**63 - 1
    for value, low in ((4, 5), (2**63, 0), (2**70, 1), (10**5000, 1)):
        refuses(as_count, value, low=low)


@pytest.mark.parametrize(
    "use",
    [
        lambda: as_number("argument", "0.5"),
        lambda: as_number("argument", True),
        lambda: as_number("argument", np.True_),
        lambda: as_number("argument", np.array(0.5)),
        lambda: as_number("argument", np.complex128(0.5)),
        lambda: as_number("argument", -(10**400)),
        lambda: as_number("argument", 10**5000),
        lambda: as_number("argument", 10**400),
        lambda: as_float_array("argument", [10**400], (1,)),
        lambda: as_float_array("argument", ["0.5"], (1,)),
        lambda: as_float_array("argument", np.array([0.5], dtype=object), (1,)),
        lambda: as_float_array("argument", np.array(["2020-01-01"], dtype="datetime64[D]"), (1,)),
        lambda: as_float_array("argument", np.array([1j]), (1,)),
        lambda: as_float_array("argument", torch.ones(1, requires_grad=True), (1,)),
        lambda: as_indices("argument", [[0], [0, 1]], (2, 1), 3),
        lambda: as_indices("argument", np.array([2**64 - 1], dtype=np.uint64), (1,), 3),
    ],
)
def test_refused_by_name(use):
    with pytest.raises(ValueError, match="argument"):
        use()


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


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.uint64, np.int64])
def test_indices_become_numpys_own(kind):
    assert as_indices("argument", np.ones(2, dtype=kind), (2,), 3).dtype == np.intp


def test_leading_axes():
    for leading in ((), (1,), (4, 3), (0, 5)):
        shape = (*leading, 2, 3)
        assert as_float_array("argument", np.zeros(shape), (..., 2, 3)).shape == shape
        assert as_float_array("argument", np.zeros(shape), (...,)).shape == shape
    for shape in ((3,), (), (3, 2), (2, 3, 1)):
        refuses(as_float_array, np.zeros(shape), (..., 2, 3))


@pytest.mark.parametrize("value", [None, 0, 1, "yes", "", [], [True], np.array([True]), 1.0])
def test_what_is_no_flag(value):
    refuses(as_flag, value)


def test_flags():
    assert as_flag("argument", True) is True and as_flag("argument", np.False_) is False
    given_array = np.array([True, False])
    result = as_booleans("argument", given_array, (2,))
    assert result.tolist() == [True, False] and not np.shares_memory(result, given_array)
    for value in (None, True, [0, 1], [True], [[True, False]], ["a", "b"], [[True], []], [None, 0]):
        refuses(as_booleans, value, (2,))


def test_booleans_of_any_shape():
    given_array = np.zeros((2, 3), dtype=bool)
    result = as_booleans("argument", given_array, (None, 3))
    assert result.shape == (2, 3) and not np.shares_memory(result, given_array)
    for value in (None, True, np.zeros((2, 3)), np.zeros((3, 2), bool), [[True], [True, False]]):
        refuses(as_booleans, value, (None, 3))


def test_generators():
    rng = np.random.default_rng(0)
    assert as_generator("argument", rng) is rng
    for value in (None, 0, "rng", np.random, np.random.RandomState(0), np.random.default_rng):
        refuses(as_generator, value)
