"""Two-point functions of level cuts of Gaussian fields, in both directions.

Phase 1 is where a standard normal field X exceeds t = Phi^-1(1 - p). With the field's correlation rho between
two points, S2 = P(X > t, Y > t) = p^2 + C,

    C(rho) = 1 / (2 pi) * integral from 0 to asin(rho) of exp(-t^2 / (1 + sin a)) da

(the bivariate normal density integrated over the correlation). At p = 1/2 it is the arcsine law asin(rho) / (2 pi).
This is how correlated fields are fitted to the correlation of a porous medium [quiblier1984, adler1990].
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.special

from scalebridge.core.errors import ImageError

_NODES = 20_001


def threshold(fraction: float) -> float:
    """The level t above which a standard normal field has probability `fraction`."""
    if not 0 < fraction < 1:
        raise ImageError(f"The fraction of a level cut must lie between 0 and 1, got {fraction!r}.")
    return float(-scipy.special.ndtri(fraction))


@functools.lru_cache(maxsize=16)
def _table(fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """(angle, C) over all correlations sin(angle); C increases strictly, as its integrand is positive."""
    level = threshold(fraction)
    angle = np.linspace(-np.pi / 2, np.pi / 2, _NODES)
    step = angle[1] - angle[0]
    # Three Gauss points per interval: exact to round-off, and C(0) = 0 by construction at the middle node.
    points, weights = np.polynomial.legendre.leggauss(3)
    inside = angle[:-1, None] + 0.5 * step * (points + 1)
    pieces = np.exp(-(level**2) / (1 + np.sin(inside))) @ weights * (0.5 * step / (2 * np.pi))
    total = np.concatenate([[0.0], np.cumsum(pieces)])
    total -= total[_NODES // 2]
    for array in (angle, total):
        array.flags.writeable = False
    return angle, total


def cut_covariance(fraction: float, correlation: np.ndarray) -> np.ndarray:
    """C = S2 - p^2 of the indicator where the field's correlation is `correlation` (any shape)."""
    angle, total = _table(float(fraction))
    return np.asarray(np.interp(np.arcsin(np.clip(correlation, -1, 1)), angle, total))


def cut_two_point(fraction: float, correlation: np.ndarray) -> np.ndarray:
    """S2 = P(both points in phase 1) where the field's correlation is `correlation` (any shape)."""
    return np.asarray(fraction**2 + cut_covariance(fraction, correlation))


def field_correlation(fraction: float, covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """The field's correlation for which the cut's indicator has this covariance C = S2 - p^2.

    Returns it and how far the covariance lay outside what any two points of a level cut can have (0 when
    everything is feasible; such values are moved to the nearest feasible one).
    """
    angle, total = _table(float(fraction))
    excess = max(float(np.max(covariance)) - total[-1], total[0] - float(np.min(covariance)), 0.0)
    return np.asarray(np.sin(np.interp(covariance, total, angle))), excess
