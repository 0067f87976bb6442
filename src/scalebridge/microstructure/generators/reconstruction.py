"""Reconstruction: images with the two-point statistics of a reference image, of any size.

The two-point function does not determine an image (the reconstruction shares neither connectivity nor shapes
beyond it); it fixes the fraction, the surface, the integral range and all directional correlations.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, ClassVar, final

import numpy as np
import scipy.fft

from scalebridge.core.errors import ConvergenceError, ImageError
from scalebridge.core.memory import check_fits
from scalebridge.core.threads import thread_count
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.generators import level_cut
from scalebridge.microstructure.generators.covariance_targets import CovarianceTarget, Misfit, target_from
from scalebridge.microstructure.generators.gaussian_field import exceedance
from scalebridge.microstructure.generators.generator import AbstractGenerator, Realization, checked_shape
from scalebridge.microstructure.spacing import Spacing

# Voxels exchanged per step: a share of the image at first; drawn from this many times as many candidates.
_FIRST_SHARE, _POOL, _WIDEST_POOL = 0.005, 4, 64
_GROWTH, _RETREAT = 1.1, 1.5
_THRESHOLD, _COOLING = 0.02, 0.99


def _start(target: CovarianceTarget, random: np.random.Generator) -> np.ndarray:
    """A level cut of the Gaussian field that would have this covariance, were it positive definite."""
    correlation, _ = level_cut.field_correlation(target.fraction, target.values)
    power = scipy.fft.rfftn(target.spread(correlation), workers=thread_count()).real
    noise = scipy.fft.rfftn(random.standard_normal(target.shape, dtype=np.float32), workers=thread_count())
    noise *= np.sqrt(np.maximum(power, 0))
    del power
    return exceedance(scipy.fft.irfftn(noise, target.shape, workers=thread_count()), target.fraction)


def _steepest(slope: np.ndarray, own: np.ndarray, lowest: bool, pool: int) -> np.ndarray:
    """Places of the `pool` smallest (or largest) slopes among those that are `own`; all of them if fewer."""
    values = slope[own]
    if pool >= len(values):
        return np.flatnonzero(own)
    place = pool - 1 if lowest else len(values) - pool
    values.partition(place)
    return np.flatnonzero(own & (slope <= values[place] if lowest else slope >= values[place]))


def _slope(target: CovarianceTarget, now: Misfit) -> np.ndarray:
    """The derivative of the squared error by each voxel: the image convolved with the differences by lag."""
    spectrum = scipy.fft.rfftn(target.spread(now.pull), workers=thread_count())
    spectrum *= now.spectrum
    return scipy.fft.irfftn(spectrum, target.shape, overwrite_x=True, workers=thread_count()).reshape(-1)


def _exchange(
    flat: np.ndarray, slope: np.ndarray, count: int, pool: int, random: np.random.Generator
) -> np.ndarray:
    """Labels with `count` voxels of each kind turned into the other, drawn from the `pool` where it helps most."""
    trial = flat.copy()
    for label in (0, 1):
        steepest = _steepest(slope, flat == label, label == 0, pool)
        trial[random.choice(steepest, count, replace=False)] = 1 - label
    return trial


def _descend(
    labels: np.ndarray, target: CovarianceTarget, goal: float, most_steps: int, random: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Exchanges voxels of both labels while the covariance comes closer; returns the best labels and their error.

    Voxels are drawn from those where the error falls fastest: the steepest alone would overshoot together. Where no
    exchange helps any more, errors are let rise by a threshold that is lowered each time (few voxels: many minima).
    """
    now = target.misfit(labels)
    best = (labels, now.error)
    slope: np.ndarray | None = None
    exchanged, choice, threshold = _FIRST_SHARE * labels.size, _POOL, 0.0
    ones = int(np.count_nonzero(labels))
    rarer = min(ones, labels.size - ones)
    for _ in range(most_steps):
        if now.error <= goal:
            break
        slope = _slope(target, now) if slope is None else slope
        count = max(1, min(round(exchanged), rarer // (2 * choice)))
        trial = _exchange(labels.reshape(-1), slope, count, choice * count, random).reshape(labels.shape)
        found = target.misfit(trial)
        if found.objective < now.objective * (1 + threshold):
            if found.objective < now.objective:
                exchanged *= _GROWTH
            else:
                threshold *= _COOLING
            labels, now, slope = trial, found, None
            best = (labels, now.error) if now.error < best[1] else best
        elif exchanged > 0.5:
            exchanged /= _RETREAT
        else:
            exchanged, choice = 1.0, min(2 * choice, _WIDEST_POOL)
            threshold = threshold or _THRESHOLD
    return best


@final
@dataclasses.dataclass(frozen=True, eq=False)
class TwoPointReconstruction(AbstractGenerator):
    """Periodic two-phase images with the fraction and the two-point function of one label of a reference image.

    shape: of the images drawn; the same number of dimensions as the reference. label: becomes label 1, all
    others 0. reference_periodic: whether the reference wraps around. reach: lags up to so many voxels, in all
    directions, are reproduced (None: a third of the shortest edge of shape and reference; at most half of it, and
    a third of a reference that does not wrap around, which knows no more).
    tolerance: accepted L2 error of the covariance over these lags, relative to its L2 norm.

    A level cut of a Gaussian field starts; then voxels are exchanged where they bring the covariance closer, first a
    batched descent on the error that [yeong1998] anneals, then, if need be, with a threshold up to which it may rise.
    Fails when: the label is absent or alone, or reach does not fit (ImageError); the tolerance is not reached
    (ConvergenceError with the error that was).
    """

    periodic: ClassVar[bool] = True  # type: ignore[misc]

    shape: tuple[int, ...]
    reference: PhaseImage
    label: int = 1
    reference_periodic: bool = False
    reach: int | None = None
    tolerance: float = 0.04
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

    def _parameters(self) -> tuple[Any, ...]:
        values = [getattr(self, field.name) for field in dataclasses.fields(self)]
        return tuple(value.sha256 if isinstance(value, PhaseImage) else value for value in values)

    def __eq__(self, other: object) -> bool:
        """Images are compared by their voxels."""
        return isinstance(other, TwoPointReconstruction) and self._parameters() == other._parameters()

    def __hash__(self) -> int:
        return hash(self._parameters())

    def _reach(self) -> int:
        shortest = min(*self.shape, *self.reference.grid.shape)
        return shortest // 3 if self.reach is None else self.reach

    @functools.cached_property
    def target(self) -> CovarianceTarget:
        """The covariance that the images are to have."""
        reference = self.reference.labels == self.label
        return target_from(reference, self.reference_periodic, self.shape, self._reach())

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
        return 36 * math.prod(self.shape) + 12 * wrap * self.reference.labels.size

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
