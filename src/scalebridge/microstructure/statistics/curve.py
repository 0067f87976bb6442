"""A statistic as a function of distance, and its mean over several realizations."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import final

import numpy as np

from scalebridge.core.errors import ImageError


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Curve:
    """Values over distances, each the mean of `weights` pairs, lines or lags.

    Shapes: all (n,), float64. Units: distances in the unit of the grid's cell size (m where the spacing is known,
    else voxels). standard_error: None for one image, whose lags share their errors; see `average_curves`.
    """

    distances: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    standard_error: np.ndarray | None = None
    realizations: int = 1

    def __len__(self) -> int:
        return len(self.distances)


def average_curves(curves: Iterable[Curve]) -> Curve:
    """The mean over independent realizations and, lag by lag, the standard error of that mean.

    s / sqrt(n) with the sample standard deviation s of the n realizations; they are read one after the other.
    Fails when: there are fewer than two, or they are not given at the same distances (ImageError).
    """
    count = 0
    for curve in curves:
        if count == 0:
            first = curve
            mean, scatter = np.zeros(len(curve)), np.zeros(len(curve))
            weights = np.zeros(len(curve))
        elif not np.array_equal(curve.distances, first.distances):
            raise ImageError(
                "Only curves at the same distances can be averaged: same shape, spacing and reach."
            )
        count += 1
        step = curve.values - mean  # Welford: no realization is kept
        mean = mean + step / count
        scatter = scatter + step * (curve.values - mean)
        weights = weights + curve.weights
    if count < 2:
        raise ImageError(f"A standard error needs at least two realizations, got {count}.")
    error = np.sqrt(scatter / (count - 1)) / math.sqrt(count)
    return Curve(first.distances, mean, weights, error, count)
