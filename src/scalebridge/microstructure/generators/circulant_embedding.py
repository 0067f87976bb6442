"""Stationary Gaussian fields on a torus of voxels, with a prescribed correlation, by two Fourier transforms.

White noise whose Fourier modes are multiplied with the square roots of the eigenvalues of the circulant
covariance matrix is an exact sample [dietrich1997]. The eigenvalues are the transform of the correlation; where
they come out negative, no field has that correlation on that torus: they are clipped, and how much is told.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import final

import numpy as np
import scipy.fft

from scalebridge.core.errors import ImageError
from scalebridge.core.threads import thread_count

# Clipping the share s of negative eigenvalues changes no correlation by more than 2 s.
LARGEST_CLIPPED_SHARE = 0.05
BYTES_PER_VOXEL = 13  # spectrum, its working copy, field in float32, and the amplitudes of one octant


def octant_shape(torus: Sequence[int]) -> tuple[int, ...]:
    """Lags 0 ... n/2 per axis: an even function on the torus is known by these."""
    return tuple(n // 2 + 1 for n in torus)


def octant_distance(torus: Sequence[int], stretch: Sequence[float] | None = None) -> np.ndarray:
    """Distance of each lag of an octant, each axis measured in units of its stretch."""
    square = np.zeros(())
    for axis, n in enumerate(octant_shape(torus)):
        lag = np.arange(n, dtype=float) / (1.0 if stretch is None else stretch[axis])
        square = square[..., None] + lag**2
    return np.sqrt(square, out=square)


def _mirror(n: int) -> np.ndarray:
    index = np.arange(n)
    return np.minimum(index, n - index)


def even_transform(octant: np.ndarray, torus: Sequence[int]) -> np.ndarray:
    """The discrete Fourier transform of an even real function from and to octants; twice it is the identity
    times the number of voxels.
    """
    for axis, n in enumerate(torus):
        if n % 2 == 0:
            octant = scipy.fft.dct(octant, type=1, axis=axis)
        elif n > 1:
            octant = scipy.fft.rfft(np.take(octant, _mirror(n), axis), axis=axis).real
    return octant


def _multiplicity(torus: Sequence[int]) -> np.ndarray:
    """How many lags of the torus each entry of an octant stands for."""
    product = np.ones(())
    for n in torus:
        product = product[..., None] * np.bincount(_mirror(n))
    return product


@final
@dataclasses.dataclass(frozen=True, eq=False)
class CirculantEmbedding:
    """Amplitudes of the Fourier modes of a field on `torus` (one octant), and the share clipped to get them."""

    torus: tuple[int, ...]
    amplitude: np.ndarray
    clipped_share: float

    def correlation(self) -> np.ndarray:
        """The correlation the fields do have (octant of lags)."""
        return even_transform(self.amplitude.astype(float) ** 2, self.torus) / math.prod(self.torus)

    def sample(self, random: np.random.Generator) -> np.ndarray:
        """One field of mean zero and variance one, float32, of the torus's shape."""
        noise = random.standard_normal(self.torus, dtype=np.float32)
        spectrum = scipy.fft.rfftn(noise, workers=thread_count())
        del noise
        rows = [_mirror(n) for n in self.torus[:-1]]
        for number, row in enumerate(rows[0]):
            plane = self.amplitude[row]
            spectrum[number] *= plane[rows[1]] if len(rows) > 1 else plane
        return scipy.fft.irfftn(spectrum, self.torus, overwrite_x=True, workers=thread_count())


def embed(correlation: np.ndarray, torus: Sequence[int], what: str) -> CirculantEmbedding:
    """The embedding for a correlation given on the octant of lags of `torus`, one at lag zero.

    Fails when more than `LARGEST_CLIPPED_SHARE` of the variance would have to be clipped (ImageError naming
    `what`): the nearest field would be another material.
    """
    torus = tuple(int(n) for n in torus)
    values = even_transform(correlation, torus)
    weight = _multiplicity(torus)
    clipped = float(-np.sum(weight * np.minimum(values, 0))) / math.prod(torus)
    if not clipped <= LARGEST_CLIPPED_SHARE:
        raise ImageError(
            f"{what} has no Gaussian field on a torus of {torus} voxels: {100 * clipped:.3g} % of its "
            f"variance would be negative ({100 * LARGEST_CLIPPED_SHARE:g} % is accepted). Take a shorter "
            "correlation, a larger shape, or another covariance."
        )
    np.maximum(values, 0, out=values)
    values *= math.prod(torus) / float(np.sum(weight * values))
    return CirculantEmbedding(torus, np.sqrt(values, out=values).astype(np.float32), clipped)
