"""Is one image the same material everywhere, and is it the same material as the others?

Stationarity: block means may differ by no more than the covariance lets them. Ergodicity: the mean over one volume may
differ from the mean over realizations by no more than its integral range lets it [lantuejoul1991].
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.special

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.statistics.block_variance import block_means
from scalebridge.microstructure.statistics.detrending import Detrended, detrended_two_point, share_lost
from scalebridge.microstructure.statistics.indicator import indicator
from scalebridge.microstructure.statistics.lengths import (
    CovarianceWindow,
    covariance_window,
    smallest_blocks,
)
from scalebridge.microstructure.statistics.two_point import centred_two_point

if TYPE_CHECKING:
    from jaxtyping import Float

_LEVEL = 0.01  # a test speaks up when chance alone would do so once in a hundred images
_MOST_BLOCKS = 6  # per axis


@final
@dataclasses.dataclass(frozen=True)
class Trend:
    """Change of the volume fraction from one face of the image to the other, fitted linearly along `axis`."""

    axis: int
    change: float
    standard_error: float
    p_value: float


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Stationarity:
    """Block means against the scatter that the covariance predicts.

    means: fraction of the phase per block. predicted: standard deviation of one block mean. chi_square with
    `degrees` of freedom and its p_value; None for everything but the means when the image holds fewer than two
    blocks of three correlation lengths per axis. trends: one per axis.
    """

    means: np.ndarray
    predicted: float | None
    chi_square: float | None
    degrees: int
    p_value: float | None
    trends: tuple[Trend, ...]

    @property
    def drifts(self) -> bool | None:
        """Does the mean drift? At the level 0.01, shared by the scatter and the trends; None: cannot be told."""
        if self.p_value is None:
            return None
        tests = 1 + len(self.trends)
        return min(self.p_value, *(t.p_value for t in self.trends)) < _LEVEL / tests

    @property
    def words(self) -> str:
        """The verdict with the numbers that led to it."""
        if self.p_value is None or self.predicted is None:
            return (
                "Whether the mean drifts cannot be told: the image holds fewer than two blocks of three correlation "
                "lengths per axis. Take a larger image."
            )
        strongest = min(self.trends, key=lambda t: t.p_value)
        numbers = (
            f"the fractions of {self.means.size} blocks scatter by {self.means.std(ddof=1):.3g}, predicted "
            f"{self.predicted:.3g} (p = {self.p_value:.2g}); largest trend along {'xyz'[strongest.axis]}: "
            f"{strongest.change:+.3g}+-{strongest.standard_error:.2g} from face to face "
            f"(p = {strongest.p_value:.2g})"
        )
        if self.drifts:
            return (
                f"The mean drifts across the volume: {numbers}. One volume fraction does not describe it; treat the "
                "parts on their own, or remove the gradient."
            )
        return f"No drift across the volume is seen: {numbers}."


def stationarity(image: PhaseImage, label: int, *, periodic: bool) -> Stationarity:
    """Does the volume fraction of phase `label` drift across the image?

    Blocks of at least three e-folding lengths, at most six per axis, with the covariance matrix of their means from the
    covariance of the image. chi^2 = (m - mu)^T S^-1 (m - mu) about the weighted mean mu, and the trend along every
    axis by generalized least squares. The covariance is that of what a linear drift leaves (`detrended_two_point`),
    so that a strong drift does not pass for long correlations; a drift that bends still enters it in part.
    Fails when: the phase does not occur or fills the image (ImageError).
    """
    left = detrended_two_point(image, label, periodic=periodic)
    window = covariance_window(left.function, lambda lags: share_lost(lags, left.lost))
    shape = image.grid.shape
    reach = [_memory(left, window, axis) for axis in range(image.grid.ndim)]
    blocks = [max(s, 1 + 3 * e) for s, e in zip(smallest_blocks(window), reach, strict=True)]
    parts = [min(_MOST_BLOCKS, n // s) if n >= s else 1 for n, s in zip(shape, blocks, strict=True)]
    means = block_means(indicator(image, label), parts)
    if min(parts) < 2 or not all(window.correlation.decayed) or not window.integral > 0:
        return Stationarity(means, None, None, 0, None, ())
    edges = [n // m for n, m in zip(shape, parts, strict=True)]
    covariance = _covariance_of_means(window, edges, parts, periodic)
    precision = np.linalg.inv(covariance)
    flat = means.ravel()
    gap = flat - np.sum(precision @ flat) / precision.sum()
    chi_square = float(gap @ precision @ gap)
    # The covariance is itself measured: a relative error e of it is worth 2 / e^2 degrees of freedom. It errs together
    # with the scatter of the blocks, but not with a slope.
    known = 2.0 / max(window.noise**2 + window.tail**2, 1e-12)
    trends = []
    for axis, m in enumerate(parts):
        # Position from -1/2 to 1/2 between the faces of the image.
        place = ((np.arange(m) + 0.5) / m - 0.5) * (m * edges[axis] / shape[axis])
        x = np.broadcast_to(np.expand_dims(place, [k for k in range(len(parts)) if k != axis]), parts).ravel()
        x = x - np.sum(precision @ x) / precision.sum()
        information = float(x @ precision @ x)
        change, error = float(x @ precision @ flat) / information, 1.0 / math.sqrt(information)
        trends.append(Trend(axis, change, error, 2 * float(scipy.special.stdtr(known, -abs(change / error)))))
    degrees = flat.size - 1
    return Stationarity(
        means,
        math.sqrt(float(covariance[0, 0])),
        chi_square,
        degrees,
        float(scipy.special.gammaincc(degrees / 2, chi_square / 2)),
        tuple(trends),
    )


def _memory(left: Detrended, window: CovarianceWindow, axis: int) -> int:
    """Whole lags along `axis` at which rho still exceeds 1/e, with what the fit took from it put back.

    In small images the slopes explain so much of the fluctuation that what they leave decays too fast.
    """
    line = left.function.along(axis).values - left.function.fraction**2
    took = len(left.lost) + left.lost[axis][: len(line)]
    rho = line / window.variance + max(window.integral, 0.0) / window.volume * took
    below = np.flatnonzero(rho <= rho[0] / math.e)
    return int(below[0]) - 1 if len(below) else len(line)


def _covariance_of_means(
    window: CovarianceWindow, edges: Sequence[int], parts: Sequence[int], periodic: bool
) -> Float[np.ndarray, "blocks blocks"]:
    """(blocks, blocks): C(0) A / V_block times the block factor of their offset."""
    voxels = math.prod(edges)
    scale = window.variance * window.integral / (voxels * math.prod(window.cell_size))
    reach = [min(m - 1, lag[-1] // b + 1) for m, lag, b in zip(parts, window.lags, edges, strict=True)]
    factor = np.zeros(tuple(parts))
    for offset in itertools.product(*[range(r + 1) for r in reach]):
        factor[offset] = scale * window.block_factor(edges, offset)
    place = np.stack(np.meshgrid(*[np.arange(m) for m in parts], indexing="ij"), -1).reshape(-1, len(parts))
    apart = np.abs(place[:, None] - place[None])
    if periodic:
        apart = np.minimum(apart, np.array(parts) - apart)
    covariance = factor[tuple(np.moveaxis(apart, -1, 0))]
    # A truncated covariance need not be positive definite; the smallest eigenvalues carry no information.
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.maximum(values, 0.05 * covariance[0, 0])) @ vectors.T


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Ergodicity:
    """Spatial averages of single realizations against their ensemble average.

    means: (n,) fraction of each realization. predicted: (n,) standard error of each from its own integral range.
    z_scores: (n,) distance of each from the mean of the others, in standard errors.
    variance_ratio: variance between realizations over the predicted one, with p_larger the probability of one at
    least as large by chance (p_smaller: at least as small).
    """

    means: np.ndarray
    predicted: np.ndarray
    z_scores: np.ndarray
    variance_ratio: float
    p_larger: float
    p_smaller: float

    @property
    def agrees(self) -> bool:
        """Does one volume tell what the ensemble does? Level 0.01."""
        return self.p_larger >= _LEVEL

    @property
    def words(self) -> str:
        """The evidence with the numbers."""
        scatter = float(self.means.std(ddof=1))
        expected = math.sqrt(float(np.mean(self.predicted**2)))
        numbers = (
            f"{len(self.means)} realizations have the mean fraction {self.means.mean():.4g}; they scatter by "
            f"{scatter:.3g}, and the covariance inside single volumes predicts {expected:.3g} "
            f"(p = {self.p_larger:.2g})"
        )
        if not self.agrees:
            return (
                f"One volume does not tell what the ensemble does: {numbers}. Either the realizations are not the "
                "same material, or correlations reach farther than a volume. Averages need many realizations."
            )
        if self.p_smaller < _LEVEL:
            return (
                f"Spatial and ensemble averages agree: {numbers}. They agree better than chance allows, as where a "
                "generator prescribes the fraction."
            )
        return f"Spatial and ensemble averages agree: {numbers}."


def ergodicity(images: Iterable[PhaseImage], label: int, *, periodic: bool) -> Ergodicity:
    """Evidence for or against ergodicity from realizations, read one after the other.

    Each volume predicts the error of its own mean, sqrt(C(0) A / V). Ergodic: the realizations scatter by just that.
    (n - 1) times the variance ratio is chi-square distributed with n - 1 degrees of freedom, here with those of
    the n predictions added (F distribution).
    Fails when: there are fewer than three realizations, or the phase is missing in one or fills it (ImageError).
    """
    means, predicted, noise = [], [], []
    for image in images:
        window = covariance_window(centred_two_point(image, label, periodic=periodic))
        means.append(image.fractions[label])
        predicted.append(math.sqrt(window.variance * max(window.integral, 0.0) / window.volume))
        noise.append(math.hypot(window.noise, window.tail))
    n = len(means)
    if n < 3:
        raise ImageError(f"Evidence for ergodicity needs at least three realizations, got {n}.")
    fractions, errors = np.array(means), np.array(predicted)
    expected = float(np.mean(errors**2))
    if not expected > 0:
        raise ImageError(
            "The covariance of these images predicts no scatter at all: they are too small to tell."
        )
    ratio = float(fractions.var(ddof=1)) / expected
    # A relative error e of each predicted variance is worth 2 / e^2 degrees of freedom.
    degrees = n * 2.0 / float(np.mean(np.square(noise)))
    others = (fractions.sum() - fractions) / (n - 1)
    spread = np.sqrt(expected * (1 + 1 / (n - 1)))
    return Ergodicity(
        fractions,
        errors,
        (fractions - others) / spread,
        ratio,
        float(scipy.special.fdtrc(n - 1, degrees, ratio)),
        float(scipy.special.fdtr(n - 1, degrees, ratio)),
    )
