"""Covariances of two-phase images: how far is an image from one that is prescribed up to some distance?"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import final

import numpy as np
import scipy.fft

from scalebridge.core.threads import thread_count

_NEAR = 20.0


def covariance_map(indicator: np.ndarray, periodic: bool) -> np.ndarray:
    """Centred covariance <(I(x) - f) (I(x + r) - f)> of a 0/1 array over lags r, negative lags at the end.

    Not periodic: the mean over the pairs inside the image, on an array of lags of twice its size.
    """
    centred = indicator.astype(np.float32) - np.float32(indicator.mean())
    if periodic:
        spectrum = scipy.fft.rfftn(centred, workers=thread_count())
        return scipy.fft.irfftn(np.abs(spectrum) ** 2, centred.shape, workers=thread_count()) / centred.size
    double = tuple(2 * n for n in centred.shape)
    spectrum = scipy.fft.rfftn(centred, double, workers=thread_count())
    total = scipy.fft.irfftn(np.abs(spectrum) ** 2, double, workers=thread_count())
    for axis, n in enumerate(centred.shape):
        lag = np.abs(scipy.fft.fftfreq(2 * n, 1 / (2 * n)))
        pairs = np.maximum(n - lag, 1).astype(np.float32)
        total /= pairs.reshape([-1 if k == axis else 1 for k in range(total.ndim)])
    return total


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Misfit:
    """How an image misses a covariance: relative L2 error, weighted squared error and its derivative by lag.

    spectrum: of the centred indicator. pull: the derivative on the block of lags of the target.
    """

    error: float
    objective: float
    spectrum: np.ndarray
    pull: np.ndarray


@final
@dataclasses.dataclass(frozen=True, eq=False)
class CovarianceTarget:
    """A covariance to reach on a torus of `shape`, at lags up to `reach` in all directions, nothing beyond.

    values: on the block of lags -reach ... reach of each axis; weight: their part of the squared error.
    """

    shape: tuple[int, ...]
    reach: int
    values: np.ndarray
    weight: np.ndarray
    fraction: float

    @functools.cached_property
    def norm(self) -> float:
        """Sum of squares of the values aimed at."""
        return float(np.sum(self.values.astype(float) ** 2))

    def spread(self, block: np.ndarray) -> np.ndarray:
        """Values by lag, on the torus: negative lags at the end, zero beyond the reach (float32)."""
        whole = np.zeros(self.shape, np.float32)
        whole[_places(self.shape, self.reach)] = block
        return whole

    def misfit(self, labels: np.ndarray) -> Misfit:
        """What the covariance of label 1 misses."""
        centred = (labels == 1).astype(np.float32)
        centred -= np.float32(self.fraction)
        spectrum = scipy.fft.rfftn(centred, workers=thread_count())
        del centred
        covariance = scipy.fft.irfftn(np.abs(spectrum) ** 2, self.shape, workers=thread_count())
        difference = covariance[_places(self.shape, self.reach)] / labels.size - self.values
        difference *= self.weight > 0
        pull = difference * self.weight
        error = math.sqrt(float(np.sum(difference**2, dtype=float)) / self.norm)
        return Misfit(error, float(np.sum(difference * pull, dtype=float)), spectrum, pull)


def _places(shape: Sequence[int], reach: int) -> tuple[np.ndarray, ...]:
    return np.ix_(*[np.arange(-reach, reach + 1) % n for n in shape])


def target_from(
    reference: np.ndarray, reference_periodic: bool, shape: Sequence[int], reach: int
) -> CovarianceTarget:
    """The covariance of a 0/1 array up to `reach`, on the lags of a torus of another shape."""
    covariance = covariance_map(reference, reference_periodic)
    values = covariance[_places(covariance.shape, reach)]
    square = np.zeros(())
    for _ in shape:
        square = square[..., None] + np.arange(-reach, reach + 1) ** 2
    inside = square <= reach * reach
    # The nearest lags hold the surface, and are few among all: they pull harder.
    weight = (inside * (1 + _NEAR * np.exp(-np.sqrt(square)))).astype(np.float32)
    values = (values * inside).astype(np.float32)
    return CovarianceTarget(tuple(shape), reach, values, weight, float(reference.mean()))
