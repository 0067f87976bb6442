r"""From the scatter of windows of a few sizes to that of one sample of a larger volume.

Apparent tensors C_i scatter by s^2 = sum |C_i - C|^2 / (N - 1) / |C|^2 about their mean C. The law
D^2(V) = D^2 (A / V)^alpha is fitted to them (representative/scaling_law.py) and carried to the volume of the image. A
few windows know alpha badly, and a medium of finite correlation length has alpha = 1 [lantuejoul1991; kanit2003]: the
fit is combined with alpha = 1 +- 0.1 (EXPONENT). With D^2(V) known like a variance from nu samples, and the scatter
spread over h effective components, h = (tr S)^2 / tr S^2 of the covariance S of the tensors,
    P(|C(V) - E C|^2 <= F D^2(V) |C|^2) = 95 %,
F the 95 % point of the F distribution with h and nu degrees of freedom: the interval is +- sqrt(F) D(V).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats

from scalebridge.homogenize.representative.scaling_law import ScalingLaw

if TYPE_CHECKING:
    from jaxtyping import Float

CONFIDENCE = 0.95
LEAST = 0.2  # of the law: smaller corrections are no knowledge any more
EXPONENT = (1.0, 0.1)  # mean and standard deviation of the exponent before anything is measured
# The windows' own exponent counts as below 1 when it is so by this many standard errors, and below MATERIAL: windows of
# a few pieces only scatter a little less than the law, so that the exponent comes out low.
SIGNIFICANT, MATERIAL = 2.5, 0.85


@final
@dataclasses.dataclass(frozen=True)
class SampleScatter:
    """variance: of one sample of the volume asked for, relative to the squared norm of the mean tensor.

    freedom: nu, what the variance is known like; components: h, over how many components it is spread.
    """

    variance: float
    exponent: float
    exponent_deviation: float
    freedom: float
    components: float

    @property
    def half_width(self) -> float:
        """Of the interval at CONFIDENCE for the norm of the tensor's deviation, relative."""
        return math.sqrt(self.variance * float(scipy.stats.f.ppf(CONFIDENCE, self.components, self.freedom)))


def effective_components(covariances: Sequence[Float[np.ndarray, "p p"]], numbers: Sequence[int]) -> float:
    """h = (tr S)^2 / tr S^2 of the shape that all sizes share, corrected for the few samples behind it.

    With n degrees of freedom E tr S^2 = (1 + 1/n) tr Sigma^2 + (tr Sigma)^2 / n, E (tr S)^2 = (tr Sigma)^2 +
    2 tr Sigma^2 / n: solved for the two traces of the covariance Sigma itself.
    """
    held = [(c / np.trace(c), n - 1) for c, n in zip(covariances, numbers, strict=True) if np.trace(c) > 0]
    freedom = sum(n for _, n in held)
    pooled = np.sum([c * n for c, n in held], axis=0) / freedom
    square, whole = float(np.sum(pooled**2)), 1.0
    if freedom > 1:
        square = freedom**2 / ((freedom - 1) * (freedom + 2)) * (square - 1 / freedom)
        whole = 1 - 2 * square / freedom
    most = (len(pooled) + math.isqrt(len(pooled))) / 2  # different entries of a symmetric tensor
    return float(np.clip(whole / square, 1.0, most)) if square > 0 else most


def measured_exponent(law: ScalingLaw) -> tuple[float, float]:
    """Exponent and standard deviation that the windows alone say, of a law fitted with EXPONENT beside them."""
    assert law.covariance is not None
    known, held = EXPONENT[1] ** -2, 1 / float(law.covariance[1, 1])
    own = max(held - known, 1e-12)
    return (law.alpha * held - EXPONENT[0] * known) / own, own**-0.5


def slower_than_integrable(law: ScalingLaw) -> bool:
    """Whether the windows show an exponent below 1 beyond chance, at sizes where the law should hold."""
    alpha, deviation = measured_exponent(law)
    return law.asymptotic and alpha < min(MATERIAL, 1 - SIGNIFICANT * deviation)


def finite_size_corrections(
    volumes: Sequence[float], whole: float, factors: Sequence[float], whole_factor: float
) -> list[float]:
    """What the variances s^2 of windows of one image are worth, relative to the law D^2 A / V.

    A block of a few correlation lengths scatters by only f D^2 A / v (f: `factors`, `CovarianceWindow.block_factor`),
    and about the mean of its own image, which scatters too: E s^2 = (N f(v) - f(V)) / (N - 1) D^2 A / v, N = V / v.
    """
    found = []
    for volume, factor in zip(volumes, factors, strict=True):
        number = max(whole / volume, 2.0)
        found.append(max((number * factor - whole_factor) / (number - 1), LEAST))
    return found


def extrapolate(law: ScalingLaw, volume: float, components: float, borrowed: float = 0.0) -> SampleScatter:
    """The variance of one sample of `volume`. The law must carry the covariance of its fit.

    borrowed: standard deviation of ln D^2 that corrections of the variances bring along.

    nu: degrees of freedom whose ln s^2 has the variance of the estimate, psi'(nu / 2) = var; the counts the law was
    fitted with tell of the components already.
    """
    assert law.covariance is not None
    slope = np.array([1.0, -math.log(volume)])
    spread = float(slope @ law.covariance @ slope) + borrowed**2
    return SampleScatter(
        law.variance(volume),
        float(law.alpha),
        law.alpha_deviation or 0.0,
        2 * _inverse_trigamma(max(spread, 1e-6)),
        components,
    )


def _inverse_trigamma(value: float) -> float:
    """x with psi'(x) = value, for value up to 1e6."""
    return float(
        math.exp(
            scipy.optimize.brentq(
                lambda t: math.log(scipy.special.polygamma(1, math.exp(t)) / value), -8.0, 20.0
            )
        )
    )
