r"""The covariance of what is left when the mean and a linear drift are taken out of an image.

A drift of the mean is correlation over the whole image: left in, it would be taken for scatter that explains itself.
Taking out the mean and d slopes (orthonormal p_0 = 1, p_k = sqrt(12) x_k / n_k) by least squares also takes out part of
the fluctuation. For a medium whose correlations are short against the image, to first order in A / V,
    E[C_left(h)] = C(h) - C(0) (A / V) sum_k <p_k(x) p_k(x + h)>,
with the mean over the pairs that were used; that sum is known exactly and given back with the covariance.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import numpy as np

from scalebridge.grid import PhaseImage
from scalebridge.microstructure.statistics.indicator import indicator
from scalebridge.microstructure.statistics.two_point import TwoPointFunction, correlate, half_reaches

if TYPE_CHECKING:
    from jaxtyping import Float, Num


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Detrended:
    """function: as `centred_two_point`, of the indicator less its drift.

    lost: per axis, <p_k(x) p_k(x + h)> at the lags 0, 1, ..., half of the image. changes: fitted change of the fraction
    from face to face, per axis.
    """

    function: TwoPointFunction
    lost: tuple[np.ndarray, ...]
    changes: tuple[float, ...]


def detrended_two_point(image: PhaseImage, label: int, *, periodic: bool) -> Detrended:
    """Two-point function of one phase about its own linear drift, plus f^2.

    Memory as `two_point`, and one more array. Fails when: the phase does not occur (ImageError).
    """
    mask = indicator(image, label)
    shape, fraction = mask.shape, image.counts[label] / image.grid.size
    left: np.ndarray = mask.astype(np.float32 if mask.size > 1 << 21 else np.float64)
    np.subtract(left, fraction, out=left)
    lost, changes = [], []
    for axis, n in enumerate(shape):
        ramp = np.arange(n) - 0.5 * (n - 1)
        line = mask.mean(axis=tuple(k for k in range(mask.ndim) if k != axis))
        slope = float(ramp @ line) / float(ramp @ ramp) if n > 1 else 0.0
        drift = np.expand_dims(slope * ramp, [k for k in range(mask.ndim) if k != axis])
        np.subtract(left, drift, out=left, casting="same_kind")
        changes.append(slope * n)
        lost.append(_products(ramp, periodic))
    values = correlate(left, None, 0.0, periodic, half_reaches(shape))
    values += values.dtype.type(fraction**2)
    function = TwoPointFunction(values, image.grid, periodic, (label, label), (fraction, fraction))
    return Detrended(function, tuple(lost), tuple(changes))


def _products(ramp: Num[np.ndarray, " n"], periodic: bool) -> Float[np.ndarray, " lags"]:
    """Mean of p(x) p(x + h) over all pairs at the lags h = 0 ... n // 2, p the ramp scaled to mean square 1."""
    n = len(ramp)
    scale = math.sqrt(float(np.mean(ramp**2)))
    p = ramp / scale if scale > 0 else ramp
    if periodic:
        return np.array([float(np.mean(p * np.roll(p, -h))) for h in range(n // 2 + 1)])
    return np.array([float(np.mean(p[: n - h] * p[h:])) for h in range(n // 2 + 1)])


def share_lost(lags: Sequence[np.ndarray], lost: Sequence[np.ndarray]) -> np.ndarray:
    """1 + sum_k <p_k p_k> on the grid of `lags` (one array of voxels per axis): what the mean and the slopes took."""
    total = np.ones(tuple(len(lag) for lag in lags))
    for axis, row in enumerate(lost):
        total += np.expand_dims(row[np.abs(lags[axis])], [k for k in range(len(lags)) if k != axis])
    return total
