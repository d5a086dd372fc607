"""Colours of words are places on a map of two principal components."""

from __future__ import annotations

import numpy as np
import pytest

from marl_lessons.viz.talking.word_colours import (
    CORNERS,
    SILENT,
    colours_of,
    map_words,
    principal_components,
)


def test_words_on_a_line_or_in_a_plane_are_found():
    rng = np.random.default_rng(0)
    for rank in (1, 2):
        scores, share = principal_components(rng.normal(size=(50, rank)) @ rng.normal(size=(rank, 7)))  # fmt: skip
        assert share == pytest.approx(1.0)
        assert np.allclose(scores.mean(axis=0), 0) and (np.ptp(scores, axis=0) > 0.1).sum() == rank


def test_components_are_those_of_a_singular_value_decomposition():
    words = np.random.default_rng(1).normal(size=(40, 6)) * [5, 1, 3, 0.5, 2, 0.1]
    scores, share = principal_components(words)
    u, lengths, _ = np.linalg.svd(words - words.mean(axis=0), full_matrices=False)
    assert np.allclose(np.abs(scores), np.abs(u[:, :2] * lengths[:2]))
    assert share == pytest.approx((lengths[:2] ** 2).sum() / (lengths**2).sum())
    axis = np.linalg.lstsq(scores, words - words.mean(axis=0), rcond=None)[0]
    assert (np.take_along_axis(axis, np.abs(axis).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_colours_are_the_corners_at_the_ends_and_between_them_inside():
    corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
    assert np.allclose(colours_of(corners), CORNERS.reshape(4, 3))
    assert np.allclose(colours_of(np.zeros((3, 2))), CORNERS.mean(axis=(0, 1)))
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 6)] * 2), axis=-1).reshape(-1, 2)
    light = colours_of(grid) @ (0.3, 0.59, 0.11)
    by_first = light.reshape(6, 6)
    assert (np.diff(by_first, axis=1) > 0).all(), "lighter along the first component"


def test_the_same_word_has_one_colour_and_silence_is_grey():
    messages = np.random.default_rng(2).normal(size=(4, 1, 3, 5))
    messages[2, 0, 1] = messages[0, 0, 2]
    speaks = np.ones((4, 1, 3), dtype=bool)
    speaks[3] = False
    words = map_words(messages, speaks)
    assert np.array_equal(words.colours[2, 0, 1], words.colours[0, 0, 2])
    assert np.allclose(words.colours[3], SILENT) and np.isnan(words.scores[3]).all()
    nothing = map_words(messages, np.zeros((4, 1, 3), dtype=bool))
    assert nothing.share == 1.0 and np.allclose(nothing.colours, SILENT)
    alike = map_words(np.ones((4, 1, 3, 5)), speaks)
    assert alike.share == 1.0 and not alike.scores[speaks].any()
