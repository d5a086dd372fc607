"""What deep learners demand of arguments, of somebody's worlds, and of numbers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from marl_lessons.algorithms.deep.checks import (
    as_float32,
    check_functions,
    check_numbers,
    check_step,
    usable_device,
)
from marl_lessons.envs.stepping import BatchedStep

STEP = BatchedStep(
    np.ones((4, 2, 3), np.float32),
    np.ones((4, 2)),
    np.zeros((4, 2), dtype=bool),
    np.zeros(4, dtype=bool),
    np.zeros(4, dtype=bool),
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("observations", np.ones((4, 2), np.float32)),
        ("observations", np.ones((4, 2, 2), np.float32)),
        ("rewards", np.ones(4)),
        ("rewards", np.ones((2, 2))),
        ("terminated", np.zeros(4, dtype=bool)),
        ("terminated", np.zeros((4, 2))),
        ("truncated", np.zeros((4, 2), dtype=bool)),
        ("truncated", False),
        ("ended", np.zeros(3, dtype=bool)),
        ("ended", np.zeros(4, dtype=int)),
    ],
)
def test_steps_of_other_shapes_are_refused(field, value):
    check_step(STEP, (4, 2, 3))
    with pytest.raises(ValueError, match=f"^worlds: expected {field} to be"):
        check_step(STEP._replace(**{field: value}), (4, 2, 3))
    for wrong in (None, tuple(STEP)):
        with pytest.raises(ValueError, match=r"^worlds: expected a step to bring a BatchedStep"):
            check_step(wrong, (4, 2, 3))


@pytest.mark.parametrize(
    ("learned", "seen", "stored", "named"),
    [
        (1.0, 1.0, True, None),
        (1.0, 1.0, False, None),  # not drawn yet
        (1.0, np.nan, True, "worlds"),
        (np.nan, 1.0, False, "worlds"),
        (np.inf, 1.0, True, "config"),
    ],
)
def test_whose_fault_it_is_that_numbers_are_not_finite(learned, seen, stored, named):
    replay = SimpleNamespace(is_finite=lambda: stored)
    arguments = [torch.ones(2), torch.tensor([[learned]])], torch.tensor([seen]), replay
    if named is None:
        check_numbers(*arguments)
    else:
        with pytest.raises(ValueError, match=f"^{named}"):
            check_numbers(*arguments)


def test_the_first_number_beyond_float32_is_named():
    seen = np.zeros((2, 3, 5))
    assert as_float32("seen", seen, (None, 3, 5)).dtype == np.float32
    seen[1, 0, 2] = 1e300
    with pytest.raises(ValueError, match=r"^seen\[1, 0, 2\] is 1e\+300; .* 3.4e\+38"):
        as_float32("seen", seen, (None, 3, 5))


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", None, 1.5, "abacus"])
def test_devices_that_cannot_compute_are_refused(device):
    assert usable_device("cpu") == usable_device(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(ValueError, match=r"^device: expected one that this machine has"):
        usable_device(device)


def test_the_first_that_is_no_function_is_named():
    check_functions(progress=None, evaluate=print)
    with pytest.raises(ValueError, match=r"^evaluate: expected a function or None, got 3"):
        check_functions(progress=None, evaluate=3)
