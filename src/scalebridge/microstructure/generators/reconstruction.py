"""Reconstruction: images with the two-point statistics of a reference image, of any size.

The two-point function does not determine an image (the reconstruction shares neither connectivity nor shapes
beyond it); it fixes the fraction, the surface, the integral range and all directional correlations.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, ClassVar, final

import numpy as np
import scipy.fft

from scalebridge.core.errors import ConvergenceError, ImageError
from scalebridge.core.memory import check_fits
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.generators import level_cut
from scalebridge.microstructure.generators.gaussian_field import exceedance
from scalebridge.microstructure.generators.generator import AbstractGenerator, Realization, checked_shape
from scalebridge.microstructure.spacing import Spacing

_WORKERS = 2
# Voxels exchanged per step: a share of the image at first; drawn from this many times as many candidates.
_FIRST_SHARE, _POOL = 0.005, 4
_NEAR = 20.0
_GROWTH, _RETREAT = 1.1, 1.5


def covariance_map(indicator: np.ndarray, periodic: bool) -> np.ndarray:
    """Centred covariance <(I(x) - f) (I(x + r) - f)> of a 0/1 array over lags r, negative lags at the end.

    Not periodic: the mean over the pairs inside the image, on an array of lags of twice its size.
    """
    centred = indicator.astype(np.float32) - np.float32(indicator.mean())
    if periodic:
        spectrum = scipy.fft.rfftn(centred, workers=_WORKERS)
        return scipy.fft.irfftn(np.abs(spectrum) ** 2, centred.shape, workers=_WORKERS) / centred.size
    double = tuple(2 * n for n in centred.shape)
    spectrum = scipy.fft.rfftn(centred, double, workers=_WORKERS)
    total = scipy.fft.irfftn(np.abs(spectrum) ** 2, double, workers=_WORKERS)
    for axis, n in enumerate(centred.shape):
        lag = np.abs(scipy.fft.fftfreq(2 * n, 1 / (2 * n)))
        pairs = np.maximum(n - lag, 1).astype(np.float32)
        total /= pairs.reshape([-1 if k == axis else 1 for k in range(total.ndim)])
    return total


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Misfit:
    """How an image misses a covariance: relative L2 error, weighted squared error and its derivative by lag."""

    error: float
    objective: float
    spectrum: np.ndarray
    pull: np.ndarray


@final
@dataclasses.dataclass(frozen=True, eq=False)
class CovarianceTarget:
    """A covariance to reach on a torus: `values` where `weight` is positive (up to a reach), nothing elsewhere."""

    values: np.ndarray
    weight: np.ndarray
    fraction: float

    @functools.cached_property
    def norm(self) -> float:
        """Sum of squares of the values aimed at."""
        return float(np.sum(self.values.astype(float) ** 2))

    def misfit(self, labels: np.ndarray) -> Misfit:
        """What the covariance of label 1 misses."""
        centred = (labels == 1).astype(np.float32) - np.float32(self.fraction)
        spectrum = scipy.fft.rfftn(centred, workers=_WORKERS)
        difference = scipy.fft.irfftn(np.abs(spectrum) ** 2, centred.shape, workers=_WORKERS)
        difference /= centred.size
        difference -= self.values
        difference *= self.weight > 0
        pull = difference * self.weight
        error = math.sqrt(float(np.sum(difference**2, dtype=float)) / self.norm)
        return Misfit(error, float(np.sum(difference * pull, dtype=float)), spectrum, pull)


def _target(
    reference: np.ndarray, reference_periodic: bool, shape: Sequence[int], reach: int
) -> CovarianceTarget:
    """The reference's covariance up to `reach`, on the lags of a torus of another shape."""
    covariance = covariance_map(reference, reference_periodic)
    lags = np.arange(-reach, reach + 1)
    values = np.zeros(tuple(shape), np.float32)
    values[np.ix_(*[lags % n for n in shape])] = covariance[np.ix_(*[lags % n for n in covariance.shape])]
    square = np.zeros(())
    for n in shape:
        square = square[..., None] + np.minimum(np.arange(n), n - np.arange(n)) ** 2
    inside = square <= reach * reach
    values *= inside
    # The nearest lags hold the surface, and are few among all: they pull harder.
    weight = (inside * (1 + _NEAR * np.exp(-np.sqrt(square)))).astype(np.float32)
    return CovarianceTarget(values, weight, float(reference.mean()))


def _start(target: CovarianceTarget, random: np.random.Generator) -> np.ndarray:
    """A level cut of the Gaussian field that would have this covariance, were it positive definite."""
    correlation, _ = level_cut.field_correlation(target.fraction, target.values)
    power = scipy.fft.rfftn(correlation.astype(np.float32), workers=_WORKERS).real
    noise = scipy.fft.rfftn(random.standard_normal(target.values.shape, dtype=np.float32), workers=_WORKERS)
    noise *= np.sqrt(np.maximum(power, 0))
    return exceedance(scipy.fft.irfftn(noise, target.values.shape, workers=_WORKERS), target.fraction)


def _descend(
    labels: np.ndarray, target: CovarianceTarget, goal: float, most_steps: int, random: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Exchanges voxels of both labels while the covariance comes closer; returns the labels and the error.

    The derivative of the squared error by each voxel is a convolution of the image with the differences by lag.
    Voxels are drawn from those where it is steepest: together, the steepest alone would overshoot.
    """
    now = target.misfit(labels)
    exchanged = _FIRST_SHARE * labels.size
    for _ in range(most_steps):
        if now.error <= goal or exchanged < 0.5:
            break
        slope = scipy.fft.irfftn(
            scipy.fft.rfftn(now.pull, workers=_WORKERS) * now.spectrum, labels.shape, workers=_WORKERS
        ).reshape(-1)
        flat = labels.reshape(-1)
        trial = flat.copy()
        places = {label: np.flatnonzero(flat == label) for label in (0, 1)}
        rarer = min(len(found) for found in places.values())
        count = max(1, min(round(exchanged), rarer // (2 * _POOL)))
        for label, sign in ((1, -1.0), (0, 1.0)):
            here, pool = places[label], min(_POOL * count, len(places[label]) - 1)
            steepest = here[np.argpartition(sign * slope[here], pool)[:pool]] if pool else here
            trial[random.choice(steepest, count, replace=False)] = 1 - label
        found = target.misfit(trial.reshape(labels.shape))
        if found.objective < now.objective:
            labels, now = trial.reshape(labels.shape), found
            exchanged *= _GROWTH
        else:
            exchanged /= _RETREAT
    return labels, now.error


@final
@dataclasses.dataclass(frozen=True)
class TwoPointReconstruction(AbstractGenerator):
    """Periodic two-phase images with the fraction and the two-point function of one label of a reference image.

    shape: of the images drawn; the same number of dimensions as the reference. label: becomes label 1, all
    others 0. reference_periodic: whether the reference wraps around. reach: lags up to so many voxels, in all
    directions, are reproduced (None: a third of the shortest edge of shape and reference; at most half of it, and
    a third of a reference that does not wrap around, which knows no more).
    tolerance: accepted L2 error of the covariance over these lags, relative to its L2 norm.

    A level cut of a Gaussian field starts; then voxels are exchanged where they bring the covariance closer, a
    batched descent on the error that [yeong1998] anneals.
    Fails when: the label is absent or alone, or reach does not fit (ImageError); the tolerance is not reached
    (ConvergenceError with the error that was).
    """

    periodic: ClassVar[bool] = True  # type: ignore[misc]

    shape: tuple[int, ...]
    reference: PhaseImage
    label: int = 1
    reference_periodic: bool = False
    reach: int | None = None
    tolerance: float = 0.05
    most_steps: int = 3000
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        if len(self.shape) != self.reference.labels.ndim:
            raise ImageError(
                f"TwoPointReconstruction: shape has {len(self.shape)} dimensions, the reference image "
                f"{self.reference.labels.ndim}."
            )
        if not 0 < self.reference.fractions.get(self.label, 0.0) < 1:
            raise ImageError(
                f"TwoPointReconstruction: label {self.label} must be one of several in the reference image, which "
                f"has {', '.join(map(str, self.reference.present))}."
            )
        share = 2 if self.reference_periodic else 3
        longest = min((min(self.shape) - 1) // 2, min(self.reference.grid.shape) // share)
        if not 1 <= self._reach() <= longest:
            raise ImageError(
                f"TwoPointReconstruction: reach must lie between 1 and {longest} voxels for a shape of "
                f"{self.shape} and a reference of {self.reference.grid.shape}, got {self.reach}."
            )
        if not 0 < self.tolerance < 1 or self.most_steps < 1:
            raise ImageError(
                "TwoPointReconstruction: tolerance must lie between 0 and 1 and most_steps be positive, got "
                f"{self.tolerance!r} and {self.most_steps!r}."
            )

    def _reach(self) -> int:
        shortest = min(*self.shape, *self.reference.grid.shape)
        return shortest // 3 if self.reach is None else self.reach

    @functools.cached_property
    def target(self) -> CovarianceTarget:
        """The covariance that the images are to have."""
        reference = self.reference.labels == self.label
        return _target(reference, self.reference_periodic, self.shape, self._reach())

    def targets(self) -> dict[str, float]:
        return {"fraction of label 1": self.target.fraction, "relative L2 error of the covariance": 0.0}

    def measure(self, realization: Realization) -> dict[str, float]:
        labels = realization.image.labels
        return {
            "fraction of label 1": float(np.count_nonzero(labels == 1)) / labels.size,
            "relative L2 error of the covariance": self.target.misfit(labels).error,
        }

    def estimate_bytes(self) -> int:
        wrap = 1 if self.reference_periodic else 2 ** len(self.shape)
        return 60 * math.prod(self.shape) + 12 * wrap * self.reference.labels.size

    def record(self) -> dict[str, Any]:
        """As for the others; the reference is told by its hash, since images are no parameters."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("shape", "reference")]
        return {
            "generator": type(self).__name__,
            "shape": list(self.shape),
            "reference": {"sha256": self.reference.sha256, "shape": list(self.reference.grid.shape)},
            **{name: getattr(self, name) for name in names},
        }

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A reconstruction of {self.shape} voxels", "Take a smaller shape.")
        random = np.random.default_rng(seed)
        labels, error = _descend(
            _start(self.target, random), self.target, self.tolerance, self.most_steps, random
        )
        if error > self.tolerance:
            raise ConvergenceError(
                f"TwoPointReconstruction: the covariance is reached to {100 * error:.2g} % only, "
                f"{100 * self.tolerance:.2g} % were asked for. Take a larger tolerance, a shorter reach, a larger "
                "shape or more steps."
            )
        words = f"reconstruction from two-point statistics, covariance within {100 * error:.2g} %"
        return self._realization(labels, seed, words)
