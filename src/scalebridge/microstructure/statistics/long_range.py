"""Does the scatter of block means fall as it must, or does the image remember over its whole size?

With a finite integral range the variance of the mean over a volume V falls like 1 / V. With a covariance that decays
like r^-g, g < d, it falls like V^-(g / d): the integral range is infinite, and no volume of practical size is
representative [lantuejoul1991; kanit2003].
"""

from __future__ import annotations

import dataclasses
import math
from typing import final

import numpy as np
import scipy.optimize
import scipy.special

from scalebridge.grid import PhaseImage
from scalebridge.microstructure.statistics.block_variance import BlockVariances, block_variances
from scalebridge.microstructure.statistics.lengths import (
    CovarianceWindow,
    covariance_window,
    smallest_blocks,
)
from scalebridge.microstructure.statistics.two_point import centred_two_point

_SIGNIFICANT = 2.5  # standard errors below 1
_SHAPE_ERROR = 0.15  # of the correction for finite blocks
_MATERIAL = 0.9  # an exponent above this costs little, whatever its error
# Media of finite correlation length whose interfaces are rough (level cuts of exponential fields) are read as 0.85 to
# 0.9: beyond what the blocks say, the exponent of one image is not known better than this.
_SYSTEMATIC = 0.07
_DOUBTFUL = 0.75  # power laws of exponents down to a quarter are often read as 0.6 to 0.8 in one image


@final
@dataclasses.dataclass(frozen=True, eq=False)
class LongRange:
    """The law D^2(V) ~ V^-alpha of the variance of block means.

    exponent, standard_error: alpha and its error; None when fewer than three sizes of block fit.
    decayed: does the covariance fall to 1/e within half of the image along every axis?
    found: True: long-range correlation; False: none seen; None: the image is too small to tell.
    """

    exponent: float | None
    standard_error: float | None
    decayed: bool
    blocks: BlockVariances
    dimension: int

    @property
    def found(self) -> bool | None:
        if not self.decayed:
            return True
        if self.exponent is None or self.standard_error is None:
            return None
        error = math.hypot(self.standard_error, _SYSTEMATIC)
        if self.exponent < min(_MATERIAL, 1 - _SIGNIFICANT * error):
            return True
        return False if self.standard_error < 0.5 and self.exponent >= _DOUBTFUL else None

    @property
    def words(self) -> str:
        """The verdict with the numbers that led to it."""
        law = ""
        if self.exponent is not None and self.standard_error is not None:
            law = f"the variance of block means falls like V^-{self.exponent:.2f}+-{self.standard_error:.2f}"
        if not self.decayed:
            return (
                "No representative volume exists at this size: the covariance has not fallen to 1/e within half of "
                "the image, which shows less than a few features. Take a larger image."
            )
        if self.found is None:
            return (
                f"Whether correlations reach far cannot be told: {law or 'too few blocks of several correlation'}"
                f"{', and one image cannot tell that from 1 / V' if law else ' lengths fit'}. Take a larger image or "
                "more realizations."
            )
        if self.found:
            return (
                f"No representative volume exists at this size: correlations reach as far as the image; {law}, where "
                "1 / V is needed. A larger volume helps less than its size suggests, and the scatter of sub-volumes "
                "understates the error of the whole."
            )
        return (
            f"No long-range correlation is seen: {law}, and 1 / V is what a finite correlation length gives. Weak ones "
            "would not show in one image: compare the scatter of several sizes of sample."
        )


def long_range(image: PhaseImage, label: int, *, periodic: bool) -> LongRange:
    """Exponent of the variance of block means and the verdict on long-range correlation.

    Blocks are cut into 2, 3, 4, 6, ... parts per axis, down to three e-folding lengths. Two effects of finite sizes
    are removed: blocks of a few correlation lengths scatter less than the law (corrected as if the covariance went on
    falling as fast as it begins to), and the mean of the image is not that of the medium (fitted:
    V^-alpha - V_image^-alpha). An exponent counts as below 1 when it is so by 2.5 standard errors (0.07 of the method
    included) and below 0.9, and as undecided below 0.75; where correlations do reach far, the blocks of one image give
    an upper limit of it, and power laws are often missed. A drift across the image looks
    the same: see `stationarity`. Fails when: the phase does not occur or fills the image (ImageError).
    """
    window = covariance_window(centred_two_point(image, label, periodic=periodic))
    blocks = block_variances(image, label, smallest=smallest_blocks(window))
    exponent, error = _exponent(blocks, window)
    return LongRange(exponent, error, all(window.correlation.decayed), blocks, image.grid.ndim)


def _exponent(blocks: BlockVariances, window: CovarianceWindow) -> tuple[float | None, float | None]:
    """Generalized least squares of log variances; the errors of one image's block sizes are correlated."""
    if len(blocks.variances) < 3 or not np.all(blocks.variances > 0) or not window.integral > 0:
        return None, None
    half = 0.5 * (blocks.counts - 1.0)
    # The logarithm of a sample variance is biased low and skewed where there are few blocks.
    observed = np.log(blocks.variances) - (scipy.special.digamma(half) - np.log(half))
    spread = np.sqrt(scipy.special.polygamma(1, half) * half)
    factors = np.array([_short_range_factor(edges, window) for edges in blocks.edges])
    observed = observed - np.log(factors)
    borrowed = _SHAPE_ERROR * (1.0 - factors)
    covariance = blocks.relative_covariance * np.outer(spread, spread) + np.outer(borrowed, borrowed)
    precision = np.linalg.inv(covariance)
    size = np.log(blocks.voxels / blocks.total_voxels)
    n = blocks.counts

    def law(alpha: float) -> np.ndarray:
        return -alpha * size + np.log1p(-np.exp(alpha * size)) + np.log(n / (n - 1.0))

    def misfit(alpha: float) -> float:
        gap = observed - law(alpha)
        level = np.sum(precision @ gap) / precision.sum()
        return float((gap - level) @ precision @ (gap - level))

    best = scipy.optimize.minimize_scalar(misfit, bounds=(0.02, 2.5), method="bounded")
    alpha = float(best.x)
    step = 0.02
    slope = (law(alpha + step) - law(max(alpha - step, 1e-3))) / (alpha + step - max(alpha - step, 1e-3))
    slope = slope - np.sum(precision @ slope) / precision.sum()
    information = float(slope @ precision @ slope)
    return alpha, 1.0 / math.sqrt(information) if information > 0 else math.inf


def _short_range_factor(edges: np.ndarray, window: CovarianceWindow) -> float:
    """Variance of a block's mean over its law C(0) A / V, if the covariance went on as it begins.

    exp(-(s / s0)^beta) with the first descent's s0 and a beta of at least 1, so that no tail is explained away:
    integral over lengths and directions of rho times prod (1 - |h_i| / b_i)+, over the integral of rho.
    """
    s0, beta = window.first_decay
    beta = max(beta, 1.0)
    ndim = len(edges)
    s = (np.arange(400) + 0.5) * (10.0 * s0 / 400)
    weight = np.exp(-((s / s0) ** beta)) * s ** (ndim - 1)
    steps = [max(e, 0.5 * h) / h for e, h in zip(window.correlation.axes, window.cell_size, strict=True)]
    angle = (np.arange(32) + 0.5) * (math.pi / 64)  # one octant is enough
    if ndim == 2:
        directions = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    else:
        height = (np.arange(32) + 0.5)[:, None] / 32
        flat = np.sqrt(1 - height**2)
        parts = (flat * np.cos(angle), flat * np.sin(angle), height + 0 * angle)
        directions = np.stack(parts, axis=-1).reshape(-1, 3)
    overlap = np.ones((len(s), len(directions)))
    for k in range(ndim):
        overlap *= np.maximum(0.0, 1.0 - s[:, None] * directions[:, k] * (steps[k] / edges[k]))
    return float(weight @ overlap.mean(axis=1) / weight.sum())
