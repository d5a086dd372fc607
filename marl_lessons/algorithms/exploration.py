"""Noise for actions that are vectors: white, or correlated from one step to the next."""

from __future__ import annotations

import numpy as np


def correlated_noise(
    before: np.ndarray, correlation: float, rng: np.random.Generator
) -> np.ndarray:
    """Noise of standard deviation 1 for the next step: x ← ρ x + √(1 - ρ²) ξ, with ξ standard normal.

    ``before``: the noise of the step before, any shape, itself of standard deviation 1; ``correlation`` ρ in [0, 1). ρ = 0 is
    white noise. Otherwise it is the Ornstein-Uhlenbeck process, which Lillicrap et al. (2016, Section 3) explore with, seen at
    whole steps: as strong as white noise, but it pushes the same way for about 1 / (1 - ρ) steps.
    """
    fresh = rng.standard_normal(before.shape)
    return correlation * before + np.sqrt(1 - correlation**2) * fresh
