"""Level cuts of Gaussian random fields: two phases with a prescribed two-point function."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import final

import numpy as np
import scipy.fft

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.generators import level_cut
from scalebridge.microstructure.generators.circulant_embedding import (
    BYTES_PER_VOXEL,
    CirculantEmbedding,
    embed,
    octant_distance,
)
from scalebridge.microstructure.generators.covariances import AbstractCovariance
from scalebridge.microstructure.generators.generator import AbstractGenerator, Realization, checked_shape
from scalebridge.microstructure.spacing import Spacing

# Beyond the distance where a correlation stays below this, a torus need not keep two ends of a window apart.
_NEGLIGIBLE = 1e-4


def exceedance(field: np.ndarray, fraction: float) -> np.ndarray:
    """Label 1 in exactly round(fraction * size) voxels: where the field is largest (ties: the first ones)."""
    count = round(fraction * field.size)
    if count == 0:
        return np.zeros(field.shape, np.uint8)
    place = field.size - count
    level = np.partition(field, place, axis=None)[place]
    labels = (field > level).astype(np.uint8)
    missing = count - int(np.count_nonzero(labels))
    labels.reshape(-1)[np.flatnonzero(field == level)[:missing]] = 1
    return labels


def coincidence(labels: np.ndarray, axis: int, lag: int, periodic: bool) -> float:
    """The share of pairs of voxels `lag` apart along an axis that both have label 1."""
    ahead = np.moveaxis(labels == 1, axis, 0)
    both = np.count_nonzero(ahead[lag:] & ahead[: len(ahead) - lag])
    if periodic:
        both += np.count_nonzero(ahead[:lag] & ahead[len(ahead) - lag :])
        return both / labels.size
    return both / (labels.size / len(ahead) * (len(ahead) - lag))


@functools.lru_cache(maxsize=2)
def _embedding(
    torus: tuple[int, ...],
    covariance: AbstractCovariance,
    fraction: float | None,
    stretch: tuple[float, ...] | None,
) -> tuple[CirculantEmbedding, float]:
    """The embedding of a field's covariance, or of the one whose cut at `fraction` has it; and how far the
    latter was from feasible, relative to the variance of the indicator.
    """
    correlation, excess = covariance.value(octant_distance(torus, stretch)), 0.0
    what = f"The field with {covariance}"
    if fraction is not None:
        variance = fraction * (1 - fraction)
        correlation *= variance
        correlation, excess = level_cut.field_correlation(fraction, correlation)
        excess /= variance
        what = f"A level cut at the fraction {fraction:g} with {covariance} as covariance of its indicator"
    return embed(correlation, torus, what), excess


@final
@dataclasses.dataclass(frozen=True)
class GaussianLevelCut(AbstractGenerator):
    """Label 1 where a stationary Gaussian field exceeds a level, label 0 elsewhere.

    fraction: of label 1. covariance: the correlation of the field, lengths in voxels; with `of_indicator` it is
    the correlation (S2 - p^2) / (p - p^2) of the two-phase image itself, and the field's is found by inverting
    the level-cut formula point by point (the exponential then gives Debye's medium).
    stretch: factors on the correlation's lengths along the axes (an anisotropic medium).
    exact_fraction: cut each field at its own quantile. The fraction is then exact to the voxel, but no longer
    fluctuates from image to image as that of windows of an infinite medium does: for studies of
    representativity leave it off.

    Periodic: the correlation is met at all lags up to half the shape. Otherwise a window of a larger torus.
    Fails when: parameters are out of range, or no Gaussian field has the covariance (ImageError); not enough
    memory (ResourceError). Sources: [dietrich1997] for the field, [quiblier1984, adler1990] for the inversion.
    """

    shape: tuple[int, ...]
    fraction: float
    covariance: AbstractCovariance
    periodic: bool = True
    of_indicator: bool = False
    stretch: tuple[float | int, ...] | None = None
    exact_fraction: bool = False
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        level_cut.threshold(self.fraction)
        self.covariance.check(len(self.shape))
        if self.stretch is None:
            return
        object.__setattr__(self, "stretch", tuple(map(float, self.stretch)))
        if len(self.stretch) != len(self.shape) or not all(0 < s < math.inf for s in self.stretch):
            raise ImageError(
                f"GaussianLevelCut: stretch needs one positive factor per axis, got {self.stretch}."
            )

    def _torus(self) -> tuple[int, ...]:
        """Periodic: the shape. Otherwise long enough that no lag inside the window wraps to a shorter one."""
        if self.periodic:
            return self.shape
        sizes = []
        for axis, n in enumerate(self.shape):
            scale = 1.0 if self.stretch is None else self.stretch[axis]
            felt = np.flatnonzero(np.abs(self.covariance.value(np.arange(n) / scale)) > _NEGLIGIBLE)
            size = scipy.fft.next_fast_len(n + int(felt[-1]) + 1, real=True)
            sizes.append(size + size % 2)
        return tuple(sizes)

    def embedding(self) -> tuple[CirculantEmbedding, float]:
        """The spectral amplitudes used, and how far a prescribed indicator covariance was from feasible."""
        return _embedding(
            self._torus(), self.covariance, self.fraction if self.of_indicator else None, self.stretch
        )

    def two_point(self, distance: np.ndarray) -> np.ndarray:
        """S2 of label 1 in the infinite medium, at distances in voxels (of the unstretched covariance)."""
        correlation = self.covariance.value(np.asarray(distance, dtype=float))
        if self.of_indicator:
            return np.asarray(self.fraction**2 + self.fraction * (1 - self.fraction) * correlation)
        return level_cut.cut_two_point(self.fraction, correlation)

    def _lags(self) -> list[tuple[str, int, int, float]]:
        """(name, axis, lag, distance) where (S2 - f^2) / (f - f^2) is told: near, at the scale, beyond it."""
        found = []
        for axis, n in enumerate(self.shape):
            scale = 1.0 if self.stretch is None else self.stretch[axis]
            lags = {1, round(self.covariance.length * scale), round(2 * self.covariance.length * scale)}
            found += [
                (f"correlation at {lag} voxels along {'xyz'[axis]}", axis, lag, lag / scale)
                for lag in sorted(lags)
                if 1 <= lag <= n // 2
            ]
        return found

    def targets(self) -> dict[str, float]:
        square, variance = self.fraction**2, self.fraction * (1 - self.fraction)
        aims = {
            name: float(self.two_point(np.array(d)) - square) / variance for name, _, _, d in self._lags()
        }
        return {"fraction of label 1": self.fraction, **aims}

    def measure(self, realization: Realization) -> dict[str, float]:
        labels = realization.image.labels
        fraction = float(np.count_nonzero(labels == 1)) / labels.size
        # An image of one label alone has no variance: its correlation is told as none.
        variance = max(fraction * (1 - fraction), 1e-300)
        reached = {
            name: (coincidence(labels, axis, lag, self.periodic) - fraction**2) / variance
            for name, axis, lag, _ in self._lags()
        }
        return {"fraction of label 1": fraction, **reached}

    def estimate_bytes(self) -> int:
        return BYTES_PER_VOXEL * math.prod(self._torus()) + 2 * math.prod(self.shape)

    def realize(self, seed: int) -> Realization:
        check_fits(
            self.estimate_bytes(), f"A Gaussian field for {self.shape} voxels", "Take a smaller shape."
        )
        embedding, excess = self.embedding()
        field = embedding.sample(np.random.default_rng(seed))[tuple(slice(n) for n in self.shape)]
        if self.exact_fraction:
            labels = exceedance(field, self.fraction)
        else:
            labels = (field > level_cut.threshold(self.fraction)).astype(np.uint8)
        return self._realization(labels, seed, self._words(embedding, excess))

    def _words(self, embedding: CirculantEmbedding, excess: float) -> str:
        words = f"level cut of a Gaussian field, fraction {self.fraction:g} of label 1, {self.covariance}"
        words += " of the indicator" if self.of_indicator else ""
        if excess > 1e-9:
            words += f", {100 * excess:.2g} % of the indicator's variance moved to be feasible"
        if embedding.clipped_share > 1e-6:
            words += f", {100 * embedding.clipped_share:.2g} % of the field's variance clipped"
        return words
