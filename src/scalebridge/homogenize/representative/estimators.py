r"""Means and their confidence: what N samples say about the ensemble.

Student's interval of the mean, mean +- t_{N-1} s / sqrt(N), and the scatter s of a single sample. The scalars that
are followed are the isotropic parts of the tensors: tr(k)/d, or the bulk and shear modulus of the nearest isotropic
stiffness.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.stats

from scalebridge.core.errors import InputError
from scalebridge.numerics.mandel import dimension_of_components, identity2

if TYPE_CHECKING:
    from jaxtyping import Float, Num


@final
@dataclasses.dataclass(frozen=True)
class MeanEstimate:
    """mean, deviation (of one sample, None for a single one), count and the interval of the mean (None likewise)."""

    mean: float
    deviation: float | int | None
    count: int
    low: float | None
    high: float | None
    confidence: float

    @property
    def half_width(self) -> float | None:
        """Half the interval of the mean."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2

    @property
    def relative_deviation(self) -> float | None:
        """Scatter of one sample over the mean."""
        if self.deviation is None or self.mean == 0:
            return None
        return self.deviation / abs(self.mean)

    @property
    def standard_error(self) -> float | None:
        return None if self.deviation is None else self.deviation / self.count**0.5


def mean_estimate(values: np.ndarray, confidence: float | int = 0.95) -> MeanEstimate:
    """Student's interval of the mean of independent samples (N,). Fails when there is none (InputError)."""
    values = np.asarray(values, float).reshape(-1)
    if not len(values):
        raise InputError("A mean needs at least one sample.")
    if not 0 < confidence < 1:
        raise InputError(f"A confidence lies between 0 and 1, got {confidence}.")
    mean = float(values.mean())
    if len(values) == 1:
        return MeanEstimate(mean, None, 1, None, None, confidence)
    deviation = float(values.std(ddof=1))
    reach = float(scipy.stats.t.ppf(0.5 + confidence / 2, len(values) - 1)) * deviation / len(values) ** 0.5
    return MeanEstimate(mean, deviation, len(values), mean - reach, mean + reach, confidence)


def isotropic_parts(tensors: Num[np.ndarray, "N m m"], vector: bool) -> dict[str, Float[np.ndarray, " N"]]:
    """Scalars by name, (N,) each, of conductivities (N, d, d) or Mandel stiffnesses (N, m, m).

    Conductivity tr(k)/d. Stiffness: bulk K = 1:C:1/d^2 and shear G = (tr C - d K) / (m - 1) / 2, those of the
    isotropic stiffness nearest to C in the Frobenius norm.
    """
    tensors = np.asarray(tensors, float)
    if not vector:
        return {"mean conductivity": np.trace(tensors, axis1=1, axis2=2) / tensors.shape[-1]}
    m = tensors.shape[-1]
    d = dimension_of_components(m)
    one = identity2(d)
    bulk = np.einsum("a,nab,b->n", one, tensors, one) / d**2
    shear = (np.trace(tensors, axis1=1, axis2=2) - d * bulk) / (2 * (m - 1))
    return {"bulk modulus": bulk, "shear modulus": shear}
