r"""How the scatter falls with the size of the sample: D^2(V) = D^2 (A / V)^alpha.

For a stationary ergodic medium whose covariance is integrable alpha = 1 and A is the integral range [lantuejoul1991;
kanit2003]: a volume V counts as V / A independent pieces. Slower decay, alpha < 1, is the mark of long-range
correlations. Fitted to ln s^2 of each size by weighted least squares: for N normal samples ln s^2 has the mean
ln sigma^2 + psi((N-1)/2) - ln((N-1)/2) and the variance psi'((N-1)/2), both of which are used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import final

import numpy as np
import scipy.special
import scipy.stats

from scalebridge.core.errors import InputError

ASYMPTOTIC = 0.1  # share of the point variance below which a sample counts as many independent pieces


@final
@dataclasses.dataclass(frozen=True, eq=False)
class ScalingLaw:
    """variance(V) = exp(intercept - alpha ln V); covariance (2, 2) of (intercept, alpha), None where alpha was assumed.

    point_variance: D^2, the variance of the property from point to point, where known: then A is known too.
    asymptotic: whether all sizes fitted hold many independent pieces (variance at most a tenth of D^2): below that the
    law does not hold yet, and the exponent says nothing about long-range correlations.
    """

    intercept: float | int
    alpha: float | int
    covariance: np.ndarray | None
    point_variance: float | int | None
    sizes: int
    asymptotic: bool

    def variance(self, volume: float | int) -> float:
        """Of one sample of that volume (in the units of the volumes fitted)."""
        return float(np.exp(self.intercept - self.alpha * np.log(volume)))

    def deviation(self, volume: float | int) -> float:
        return float(np.sqrt(self.variance(volume)))

    def relative_deviation_error(self, volume: float | int) -> float | None:
        """One standard deviation of ln `deviation(volume)`, from that of the fit; None where alpha was assumed."""
        if self.covariance is None:
            return None
        slope = np.array([1.0, -np.log(volume)])
        return float(np.sqrt(slope @ self.covariance @ slope)) / 2

    @property
    def foretells(self) -> bool:
        """Whether it may be carried to larger samples: fitted to two sizes at least, where it should hold already."""
        return self.covariance is not None and (self.asymptotic or not self.point_variance)

    @property
    def alpha_deviation(self) -> float | None:
        """One standard deviation of the exponent."""
        return None if self.covariance is None else float(np.sqrt(self.covariance[1, 1]))

    @property
    def integral_range(self) -> float | None:
        """A in D^2(V) = D^2 (A/V)^alpha, a volume."""
        if not self.point_variance:
            return None
        return float(np.exp((self.intercept - np.log(self.point_variance)) / self.alpha))

    @property
    def integral_range_deviation(self) -> float | None:
        """One standard deviation of A, from that of the fit (first order)."""
        if not self.point_variance or self.covariance is None:
            return None
        logarithm = (self.intercept - np.log(self.point_variance)) / self.alpha
        slope = np.array([1.0, -logarithm]) / self.alpha
        return float(np.exp(logarithm) * np.sqrt(slope @ self.covariance @ slope))

    @property
    def slower_than_integrable(self) -> bool:
        """Whether alpha lies below 1 beyond chance (one-sided, 97.5 %), at sizes where the law should hold."""
        deviation = self.alpha_deviation
        return self.asymptotic and deviation is not None and self.alpha + 1.96 * deviation < 1

    def volume_for(self, deviation: float | int) -> float:
        """The volume whose samples scatter by `deviation`. Fails when it is not positive (InputError)."""
        if not deviation > 0:
            raise InputError(f"A scatter to be reached must be positive, got {deviation}.")
        return float(np.exp((self.intercept - 2 * np.log(deviation)) / self.alpha))


def fit_scaling_law(
    volumes: Sequence[float | int],
    variances: Sequence[float | int],
    counts: Sequence[int],
    point_variance: float | int | None = None,
    exponent: tuple[float, float] | None = None,
) -> ScalingLaw | None:
    """Fit to the sample variances s^2 (of `counts` samples each) at `volumes`.

    Sizes too small for the law are left out where two or more larger ones remain. With a single usable size alpha = 1
    is assumed. exponent: what is known of alpha beforehand, mean and standard deviation; it enters like an
    observation, and the errors of the fit are then those of the counts alone.
    None when no size has two samples that differ, or when the scatter does not fall at all.
    """
    rows = [
        (np.log(v), np.log(s2), n)
        for v, s2, n in zip(volumes, variances, counts, strict=True)
        if n >= 2 and s2 > 0 and v > 0
    ]
    if not rows:
        return None
    enough = [] if not point_variance else [r for r in rows if r[1] <= np.log(ASYMPTOTIC * point_variance)]
    asymptotic = len({row[0] for row in enough}) > 1
    if asymptotic:
        rows = enough
    x, y, n = (np.array(column, float) for column in zip(*rows, strict=True))
    half = (n - 1) / 2
    y = y - (scipy.special.digamma(half) - np.log(half))
    weight = 1 / scipy.special.polygamma(1, half)
    if len(set(x)) < 2:
        return ScalingLaw(float(np.average(y + x, weights=weight)), 1.0, None, point_variance, 1, False)
    design = np.stack([np.ones_like(x), -x], axis=1)
    normal = design.T @ (design * weight[:, None])
    right = design.T @ (weight * y)
    if exponent is not None:
        normal[1, 1] += exponent[1] ** -2
        right[1] += exponent[0] * exponent[1] ** -2
    covariance = np.linalg.inv(normal)
    intercept, alpha = covariance @ right
    if alpha <= 0.05:  # the scatter does not fall: nothing can be inverted for a volume
        return None
    # If the sizes scatter about the law by more than their own errors allow, the errors are larger.
    excess = len(x) - 2
    if excess > 0 and exponent is None:
        misfit = float(np.sum(weight * (y - design @ np.array([intercept, alpha])) ** 2))
        covariance = covariance * max(1.0, misfit / excess)
    return ScalingLaw(float(intercept), float(alpha), covariance, point_variance, len(set(x)), asymptotic)
