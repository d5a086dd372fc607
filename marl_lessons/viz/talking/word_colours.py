"""Words that are vectors, as colours: principal components of all that was said in a recording, and a map of colours for two. Lesson 10.

Vectors of 64 numbers cannot be looked at. Two words that are close have similar colours; two that differ in what the components
leave out may have, too: :attr:`WordMap.share` says how much the components hold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# From dark to light along the first component, from blue to yellow along the second: told apart by colour-blind readers, too.
CORNERS = np.array([[[8, 62, 118], [118, 42, 8]], [[150, 214, 246], [255, 214, 70]]]) / 255
SILENT = (0.88, 0.88, 0.88)
EXTREME = 0.02  # this share of the words at each end of a component may lie beyond the ends of the colours


class WordMap(NamedTuple):
    """Where words of a recording lie on a map of two dimensions, for T moments, E worlds and n agents.

    scores ``[T, E, n, 2]``   the words' first two principal components; nan where nothing was said
    colours ``[T, E, n, 3]``  red, green and blue from 0 to 1; grey where nothing was said
    share                     how much of the words' variance the two components hold; 1 if all words are the same
    """

    scores: np.ndarray
    colours: np.ndarray
    share: float


def map_words(messages: np.ndarray, speaks: np.ndarray) -> WordMap:
    """Principal components of the ``messages[T, E, n, w]`` where ``speaks[T, E, n]``, and a colour for each.

    The components are those of all words that were said in the recording, whoever said them: one word has one colour. A
    component's sign is chosen so that its largest entry is positive.
    """
    scores = np.full((*speaks.shape, 2), np.nan)
    colours = np.broadcast_to(SILENT, (*speaks.shape, 3)).copy()
    if not speaks.any():
        return WordMap(scores, colours, 1.0)
    scores[speaks], share = principal_components(messages[speaks])
    colours[speaks] = colours_of(scores[speaks])
    return WordMap(scores, colours, share)


def principal_components(words: np.ndarray) -> tuple[np.ndarray, float]:
    """``[K, 2]``: the first two principal components of ``words[K, w]``, and the share of the variance that they hold.

    A component that the words do not have is 0.
    """
    centred = words - words.mean(axis=0)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    variances, axes = variances[::-1], axes[:, ::-1]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    some = variances > 1e-12 * max(1.0, (words**2).sum())
    variances, axes = variances * some, axes * np.sign(largest) * some
    scores = np.zeros((len(words), 2))
    scores[:, : len(variances)] = centred @ axes[:, :2]
    total = variances.sum()
    return scores, float(variances[:2].sum() / total) if total else 1.0


def colours_of(scores: np.ndarray) -> np.ndarray:
    """``[K, 3]``: colours for ``scores[K, 2]``, between those of CORNERS; a component without spread is in the middle."""
    low, high = np.quantile(scores, [EXTREME, 1 - EXTREME], axis=0)
    spread = np.where(high > low, high - low, 1.0)
    place = np.where(high > low, (scores - low) / spread, 0.5).clip(0, 1)
    (first, second), corners = place.T[..., None], CORNERS
    dark = (1 - second) * corners[0, 0] + second * corners[0, 1]
    light = (1 - second) * corners[1, 0] + second * corners[1, 1]
    return (1 - first) * dark + first * light
