"""How far does a phase remember itself? Correlation lengths and the integral range.

The integral range A = (1 / C(0)) times the integral of the covariance C over all lags is the volume that counts as one
independent sample: the volume fraction seen in a volume V scatters with the variance C(0) A / V [lantuejoul1991;
kanit2003].
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import scipy.special

from scalebridge.core.errors import ImageError
from scalebridge.grid import PhaseImage
from scalebridge.microstructure.statistics.block_variance import BlockVariances, block_variances
from scalebridge.microstructure.statistics.two_point import (
    TwoPointFunction,
    centred_two_point,
    radial_average,
)

# A covariance that is still this large, relative to C(0), at half of the image has not decayed inside it.
_DECAYED = 1 / math.e
_LEAST_FACTOR = 0.05  # blocks that scatter less than this part of the law are too small to correct
_FLAT = 0.7  # of the cut-off: the window is 1 up to here and falls to 0 like a cosine


@final
@dataclasses.dataclass(frozen=True)
class CorrelationLength:
    """Lengths of the normalized covariance rho(r) = C(r) / C(0), in the unit of the cell size.

    e_folding: where rho, averaged over directions, falls to 1/e. integral_scale: integral of rho over r up to its first
    zero (a for exp(-r / a)). axes: the e-folding length along each axis. decayed: per axis, does rho fall to 1/e
    within half of the image? Where it does not, the length given is that half: a lower limit.
    """

    e_folding: float
    integral_scale: float
    axes: tuple[float, ...]
    decayed: tuple[bool, ...]


def correlation_length(function: TwoPointFunction) -> CorrelationLength:
    """Correlation lengths of one phase. Fails when: it fills the image, or two phases are given (ImageError)."""
    variance = _variance(function)
    lengths, decayed = [], []
    for axis in range(function.grid.ndim):
        line = function.along(axis)
        rho = (line.values - function.fraction**2) / variance
        length, found = _falls_to(line.distances, rho, _DECAYED)
        lengths.append(length)
        decayed.append(found)
    radial = function.radial()
    rho = (radial.values - function.fraction**2) / variance
    zero = _falls_to(radial.distances, rho, 0.0)[0]
    fine = np.linspace(0.0, zero, 400)
    scale = float(np.trapezoid(np.interp(fine, radial.distances, rho), fine))
    return CorrelationLength(
        _falls_to(radial.distances, rho, _DECAYED)[0], scale, tuple(lengths), tuple(decayed)
    )


@final
@dataclasses.dataclass(frozen=True, eq=False)
class CovarianceWindow:
    """The covariance up to the distance where it drowns in noise: rho(h) w(h) at the lags that count.

    values: normalized covariance times window, (2 m_i + 1) per axis, lag 0 in the middle. cutoff: per axis, in the unit
    of the cell size. tail: part of the integral that is expected beyond. noise: relative standard deviation of the
    integral from the finite volume. integral: of rho over all lags, tail and mean corrected; a volume.
    first_decay: s0 and beta of exp(-(s / s0)^beta), s = |h_i / e_i|, through the descent of rho to 0.3.
    """

    values: np.ndarray
    cutoff: tuple[float, ...]
    tail: float
    noise: float
    integral: float
    variance: float
    volume: float
    cell_size: tuple[float, ...]
    correlation: CorrelationLength
    first_decay: tuple[float, float]

    @property
    def lags(self) -> list[np.ndarray]:
        """Per axis, the lags of `values` in voxels."""
        return [np.arange(n) - n // 2 for n in self.values.shape]

    def block_factor(self, block: Sequence[int] | np.ndarray, offset: Sequence[int] | None = None) -> float:
        """Covariance of the means of two blocks of `block` voxels, `offset` blocks apart, over C(0) A / V_block.

        Integral of rho(h) times the overlap prod (1 - |h_i - o_i b_i| / b_i)+ of one block with the other moved by
        h, over the integral of rho. Offset 0 gives the variance: below 1, and 1 less the tail for large blocks.
        """
        offset = (0,) * self.values.ndim if offset is None else offset
        total = self.values
        for lag, b, o in zip(reversed(self.lags), reversed(list(block)), reversed(list(offset)), strict=True):
            total = total @ np.maximum(0.0, 1.0 - np.abs(lag - o * b) / b)
        return float(total) * math.prod(self.cell_size) / self.integral


def covariance_window(
    function: TwoPointFunction, share_lost: Callable[[list[np.ndarray]], np.ndarray] | None = None
) -> CovarianceWindow:
    """Where to cut the covariance, chosen from the data.

    rho is averaged over shells of |h_i / e_i|, e_i its e-folding length along axis i, and its decay fitted with
    exp(-(s / s0)^beta). That gives the part of the integral beyond any cut-off; the variance of the integral up to the
    cut-off is 2 A^2 int w^2 / V. The cut-off has the least sum of both squares, at most half of the image.
    The mean over the volume is known only from the volume itself, which lowers rho by A / V everywhere: corrected.
    share_lost: of the lags per axis, how many times A / V it is lowered by where more than the mean was taken out.
    """
    variance = _variance(function)
    grid, ndim = function.grid, function.grid.ndim
    size, shape = grid.cell_size, grid.shape
    volume, voxel = grid.size * math.prod(size), math.prod(size)
    lengths = correlation_length(function)
    # A phase thinner than a voxel, or noise: lags shorter than a voxel mean nothing.
    scale = tuple(h / max(e, 0.5 * h) for h, e in zip(size, lengths.axes, strict=True))
    curve = radial_average(function, function.values, scale)
    rho = (curve.values - function.fraction**2) / variance
    s0, beta = _decay(curve.distances, rho, 0.05)
    limit = min(function.reach(k) * scale[k] for k in range(ndim))
    unit = math.pi ** (ndim / 2) / math.gamma(ndim / 2 + 1) * voxel / math.prod(scale)  # of the ball s < 1
    candidates = np.linspace(min(max(scale) * 1.01, limit), limit, 200)
    tails = scipy.special.gammaincc(ndim / beta, (0.85 * candidates / s0) ** beta)
    noise = 2 * unit * candidates**ndim * _FLAT / volume
    cut = float(candidates[np.argmin(tails**2 + noise)])
    reach = [min(int(cut / scale[k]), function.reach(k)) for k in range(ndim)]
    part = function.values[np.ix_(*[np.arange(-m, m + 1) for m in reach])].astype(float)
    part = (part - function.fraction**2) / variance
    square = np.zeros(part.shape)
    share = np.ones(part.shape)
    for k, m in enumerate(reach):
        lag = np.expand_dims(np.arange(-m, m + 1), [i for i in range(ndim) if i != k])
        square = square + (lag * scale[k]) ** 2
        share = share * (1.0 if function.periodic else 1 - np.abs(lag) / shape[k])
    inside = np.sqrt(square) / cut
    window = np.where(inside < _FLAT, 1.0, 0.5 + 0.5 * np.cos(math.pi * (inside - _FLAT) / (1 - _FLAT)))
    window[inside >= 1] = 0.0
    lags = [np.arange(-m, m + 1) for m in reach]
    lowered = np.ones(part.shape) if share_lost is None else share_lost(lags)
    held = 1.0 - voxel * float((window * lowered).sum()) / volume
    tail = float(scipy.special.gammaincc(ndim / beta, (0.85 * cut / s0) ** beta))
    rough = voxel * float((part * window).sum())
    integral = rough / max(held - tail, 0.1)
    part += integral / volume * lowered
    return CovarianceWindow(
        part * window,
        tuple(cut / s * h for s, h in zip(scale, size, strict=True)),
        tail,
        math.sqrt(2 * voxel * float((window**2 / share).sum()) / volume),
        integral,
        variance,
        volume,
        size,
        lengths,
        _decay(curve.distances, rho, 0.3),
    )


@final
@dataclasses.dataclass(frozen=True)
class IntegralRange:
    """The integral range of a phase, got in two ways, and what it means for the volume at hand.

    value, standard_error: from the covariance, a volume (in 2-D an area) in the unit of the cell size to the power d.
    from_blocks, from_blocks_error: from the variance of block means; None where there are too few blocks.
    cutoff: per axis, where the covariance was cut. samples: how many independent samples the volume is worth, V / A.
    fraction_error: standard error of the volume fraction as an estimate for the medium, sqrt(C(0) A / V).
    """

    value: float
    standard_error: float
    from_blocks: float | None
    from_blocks_error: float | None
    cutoff: tuple[float, ...]
    samples: float
    fraction_error: float

    @property
    def agree(self) -> bool | None:
        """Do the two ways agree within three standard errors? None without blocks."""
        if self.from_blocks is None or self.from_blocks_error is None:
            return None
        gap = math.hypot(self.standard_error, self.from_blocks_error)
        return abs(self.value - self.from_blocks) <= 3 * gap


def integral_range(image: PhaseImage, label: int, *, periodic: bool) -> IntegralRange:
    """Integral range of phase `label` with its uncertainty, in two ways.

    From the covariance: its integral up to a cut-off chosen from the data (`covariance_window`), standard error from
    the finite volume and the tail beyond. From blocks: D^2(V) V / C(0) over all sizes of block, corrected for their
    finite size with the shape of the covariance. One image knows its integral range to sqrt(2 (cut-off)^d / V) at
    best: average over realizations where there are several.
    Fails when: the phase does not occur or fills the image (ImageError).
    """
    window = covariance_window(centred_two_point(image, label, periodic=periodic))
    blocks = block_variances(image, label, smallest=smallest_blocks(window))
    value, error = window.integral, abs(window.integral) * math.hypot(window.noise, window.tail)
    by_blocks = range_from_blocks(blocks, window)
    positive = max(value, 0.0)
    return IntegralRange(
        value,
        error,
        None if by_blocks is None else by_blocks[0],
        None if by_blocks is None else by_blocks[1],
        window.cutoff,
        window.volume / positive if positive > 0 else math.inf,
        math.sqrt(window.variance * positive / window.volume),
    )


def smallest_blocks(window: CovarianceWindow) -> tuple[int, ...]:
    """Edges in voxels from which on blocks are worth a look: three e-folding lengths, at least two voxels."""
    return tuple(
        max(2, math.ceil(3 * e / h)) for e, h in zip(window.correlation.axes, window.cell_size, strict=True)
    )


def range_from_blocks(blocks: BlockVariances, window: CovarianceWindow) -> tuple[float, float] | None:
    """Integral range and standard error from the variances of block means: weighted mean over the block sizes.

    The correction for the finite blocks borrows from the covariance: its error enters by as much as is corrected.
    """
    if not window.integral > 0:
        return None
    factors = np.array([window.block_factor(edges) for edges in blocks.edges])
    held = np.flatnonzero((factors > _LEAST_FACTOR) & (blocks.variances > 0))
    if len(held) == 0:
        return None
    factors = factors[held]
    volumes = blocks.voxels[held] * math.prod(window.cell_size)
    values = blocks.variances[held] * volumes / (window.variance * factors)
    borrowed = math.hypot(window.noise, window.tail) * (1.0 - factors)
    covariance = blocks.relative_covariance[np.ix_(held, held)] + np.outer(borrowed, borrowed)
    weights = np.linalg.solve(covariance, np.ones(len(values)))
    value = float(weights @ values / weights.sum())
    return value, abs(value) / math.sqrt(weights.sum())


def _variance(function: TwoPointFunction) -> float:
    if function.labels[0] != function.labels[1]:
        raise ImageError(
            "Correlation lengths are those of one phase: give the two-point function of one label."
        )
    if not function.variance > 0:
        raise ImageError(f"Phase {function.labels[0]} fills the image: it has no fluctuation to correlate.")
    return function.variance


def _falls_to(distances: np.ndarray, rho: np.ndarray, level: float) -> tuple[float, bool]:
    """First distance where rho crosses the level, by linear interpolation; the last one when it never does."""
    below = np.flatnonzero(rho <= level)
    if len(below) == 0:
        return float(distances[-1]), False
    k = int(below[0])
    if k == 0:
        return float(distances[0]), True
    step = (rho[k - 1] - level) / (rho[k - 1] - rho[k])
    return float(distances[k - 1] + step * (distances[k] - distances[k - 1])), True


def _decay(distances: np.ndarray, rho: np.ndarray, low: float) -> tuple[float, float]:
    """s0 and beta of exp(-(s / s0)^beta) through the first descent of rho from 0.75 to `low`.

    Where its lower part, below 0.3, falls more steeply (a greater beta), through that part: the covariance of a mosaic
    begins like exp(-s) and ends like exp(-s^d), and its beginning would promise a tail that it does not have.
    """
    below = np.flatnonzero(rho <= low)
    part = slice(1, int(below[0]) if len(below) else len(rho))
    s, r = distances[part], rho[part]
    best = (1.0, 0.0)
    for high in (0.75, 0.3):
        held = (r < high) & (r > low)
        if np.count_nonzero(held) < 3:
            continue
        beta = float(np.clip(np.polyfit(np.log(s[held]), np.log(-np.log(r[held])), 1)[0], 0.5, 3.5))
        if beta > best[1]:
            best = math.exp(float(np.mean(np.log(s[held]) - np.log(-np.log(r[held])) / beta))), beta
    return best if best[1] > 0 else (1.0, 1.0)
