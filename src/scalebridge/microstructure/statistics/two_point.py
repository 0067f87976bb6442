"""Two-point functions: how likely is it to meet two phases a given step apart?

S_ab(h) = P(x in a and x + h in b), the second moment of the indicator functions [torquato2002]. All lags come from one
pair of fast Fourier transforms.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.fft

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.core.threads import thread_count
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.statistics.curve import Curve
from scalebridge.microstructure.statistics.indicator import check_axis, indicator

if TYPE_CHECKING:
    from jaxtyping import Float, Integer, Shaped

# Above this many voxels the transforms work in single precision: seven digits are far more than any image has.
_DOUBLE_VOXELS = 1 << 21


@final
@dataclasses.dataclass(frozen=True, eq=False)
class TwoPointFunction:
    """S(h) = P(x in the first phase and x + h in the second), at every lag h of voxels up to the reach.

    values[h] for a lag h (one integer per axis); negative lags count from the end, as Python's own indices do.
    Shape: as the image when periodic, else 2 reach + 1 per axis. float64, or float32 for large images.
    Not periodic: the mean over the prod(n_i - |h_i|) pairs that lie in the image, free of bias.
    fractions: of the first and the second phase in the whole image.
    """

    values: np.ndarray
    grid: VoxelGrid
    periodic: bool
    labels: tuple[int, int]
    fractions: tuple[float, float]

    @property
    def fraction(self) -> float:
        """Volume fraction of the first phase; S(0) when both phases are the same."""
        return self.fractions[0]

    @property
    def covariance(self) -> Float[np.ndarray, "*lags"]:
        """S(h) minus the product of the fractions: 0 where the two ends know nothing of each other."""
        return self.values - self.fractions[0] * self.fractions[1]

    @property
    def variance(self) -> float:
        """Covariance at lag 0: f (1 - f) of one phase, -f g between two."""
        same = self.labels[0] == self.labels[1]
        return (self.fractions[0] if same else 0.0) - self.fractions[0] * self.fractions[1]

    def lags(self, axis: int) -> Integer[np.ndarray, " n"]:
        """The lag in voxels that each index along `axis` stands for (integers, negative ones at the end)."""
        n = self.values.shape[axis]
        lags = np.arange(n)
        return np.where(lags <= n // 2, lags, lags - n)

    def reach(self, axis: int) -> int:
        """The largest positive lag along `axis`, in voxels."""
        return self.values.shape[axis] // 2

    def pairs(self, axis: int) -> np.ndarray:
        """How many pairs per line along `axis` each lag was averaged over."""
        n = self.grid.shape[axis]
        return np.full(self.values.shape[axis], n) if self.periodic else n - np.abs(self.lags(axis))

    def along(self, axis: int) -> Curve:
        """S along one axis, from lag 0 to the reach."""
        if not 0 <= axis < self.grid.ndim:
            raise ImageError(f"The image has the axes 0 to {self.grid.ndim - 1}, got {axis}.")
        reach = self.reach(axis)
        line = np.moveaxis(self.values, axis, -1)[(0,) * (self.grid.ndim - 1)][: reach + 1]
        distances = np.arange(reach + 1) * self.grid.cell_size[axis]
        across = math.prod(n for k, n in enumerate(self.grid.shape) if k != axis)
        return Curve(distances, line.astype(float), across * self.pairs(axis)[: reach + 1].astype(float))

    def radial(self, *, width: float | None = None) -> Curve:
        """S averaged over all directions, in shells as wide as the smallest voxel edge (or `width`).

        Shell k holds the lags of length (k - 1/2) to (k + 1/2) widths, weighted with their numbers of pairs; its
        distance is the mean length of its lags, so that unequal voxel edges do no harm. Shells end where the
        shortest half of the image ends; empty ones are left out.
        """
        return radial_average(self, self.values, self.grid.cell_size, width)


def radial_average(
    function: TwoPointFunction,
    values: Float[np.ndarray, "*lags"],
    scale: tuple[float, ...],
    width: float | None = None,
) -> Curve:
    """`values` (at the lags of `function`) averaged in shells of |h_i scale_i|: see TwoPointFunction.radial."""
    width = min(scale) if width is None else float(width)
    if not width > 0:
        raise ImageError(f"The width of a shell must be positive, got {width}.")
    ndim = function.grid.ndim
    lengths = [function.lags(k) * scale[k] for k in range(ndim)]
    pairs = [function.pairs(k).astype(float) for k in range(ndim)]
    shells = int(min(function.reach(k) * scale[k] for k in range(ndim)) / width) + 1
    total, count, distance = np.zeros(shells), np.zeros(shells), np.zeros(shells)
    rest = [
        np.expand_dims(lengths[k] ** 2, [i for i in range(ndim - 1) if i != k - 1]) for k in range(1, ndim)
    ]
    square = sum(rest[1:], rest[0])
    weight = pairs[1] if ndim == 2 else pairs[1][:, None] * pairs[2][None, :]
    for i, plane in enumerate(values):  # plane by plane: no second array of the whole size
        length = np.sqrt(square + lengths[0][i] ** 2)
        shell = np.rint(length / width).astype(np.intp)
        inside = shell < shells
        shell, share = shell[inside], weight[inside] * pairs[0][i]
        total += np.bincount(shell, share * plane[inside], shells)
        distance += np.bincount(shell, share * length[inside], shells)
        count += np.bincount(shell, share, shells)
    held = count > 0
    return Curve(distance[held] / count[held], total[held] / count[held], count[held])


def two_point(
    image: PhaseImage,
    label: int,
    label2: int | None = None,
    *,
    periodic: bool,
    reach: int | tuple[int, ...] | None = None,
) -> TwoPointFunction:
    """Two-point function of a phase with itself, or with phase `label2` at the far end of the lag.

    periodic: the image repeats itself; else the image is padded with zeros and every lag divided by the number of
    pairs that lie inside. reach: the largest lag in voxels, one number or one per axis (default: half of the
    image; only where not periodic). Memory: about 16 bytes per padded voxel (32 below two million voxels).
    Fails when: a label does not occur or a reach does not fit (ImageError), or memory is short (ResourceError).
    """
    second = label if label2 is None else label2
    counts = image.counts
    first, other = indicator(image, label), None if second == label else indicator(image, second)
    values = correlate(first, other, 0.0, periodic, _reaches(image.grid.shape, reach, periodic))
    fractions = (counts[label] / image.grid.size, counts[second] / image.grid.size)
    return TwoPointFunction(values, image.grid, periodic, (label, second), fractions)


def centred_two_point(image: PhaseImage, label: int, *, periodic: bool) -> TwoPointFunction:
    """Two-point function of one phase whose covariance has the smaller scatter: for lengths and integrals.

    Covariance of the indicator minus its mean over the whole image, plus f^2. The same as `two_point` when periodic;
    else the pairs of a long lag, which lie near opposite borders, do not bring in the means of those regions.
    """
    mask = indicator(image, label)
    fraction = image.counts[label] / image.grid.size
    values = correlate(mask, None, fraction, periodic, _reaches(image.grid.shape, None, periodic))
    values += values.dtype.type(fraction**2)
    return TwoPointFunction(values, image.grid, periodic, (label, label), (fraction, fraction))


def correlate(
    first: Shaped[np.ndarray, "*shape"],
    second: Shaped[np.ndarray, "*shape"] | None,
    mean: float,
    periodic: bool,
    reaches: tuple[int, ...],
) -> Float[np.ndarray, "*lags"]:
    """Means over all pairs of (first - mean)(x) times (second - mean)(x + h); None: the first with itself."""
    shape = first.shape
    padded = shape
    if not periodic:
        padded = tuple(scipy.fft.next_fast_len(n + r, True) for n, r in zip(shape, reaches, strict=True))
    voxels = math.prod(padded)
    dtype = np.float64 if voxels <= _DOUBLE_VOXELS else np.float32
    check_fits(
        voxels * np.dtype(dtype).itemsize * (4 if second is None else 5),
        f"The two-point function of {' x '.join(map(str, shape))} voxels",
        "Crop or coarsen the image, or ask for a shorter reach.",
    )
    workers = thread_count()
    transform = scipy.fft.rfftn(first - dtype(mean), padded, workers=workers)
    if second is None:
        for plane in transform:  # in place, plane by plane
            plane[...] = plane.real**2 + plane.imag**2
    else:
        np.conjugate(transform, out=transform)
        transform *= scipy.fft.rfftn(second - dtype(mean), padded, workers=workers)
    sums = scipy.fft.irfftn(transform, padded, workers=workers, overwrite_x=True)
    del transform
    if periodic:
        sums /= math.prod(shape)
        return sums
    for axis, (n, r) in enumerate(zip(shape, reaches, strict=True)):
        sums = np.take(sums, np.r_[0 : r + 1, padded[axis] - r : padded[axis]], axis=axis)
        pairs = n - np.abs(np.r_[0 : r + 1, -r:0])
        sums /= np.expand_dims(pairs.astype(dtype), [k for k in range(len(shape)) if k != axis])
    return sums


def directional(image: PhaseImage, label: int, axis: int, *, periodic: bool) -> Curve:
    """S of one phase along one axis only, up to half of the image: cheap where all lags are not needed."""
    check_axis(image, axis)
    n = image.grid.shape[axis]
    lines = np.moveaxis(indicator(image, label), axis, -1).reshape(-1, n)
    padded = n if periodic else scipy.fft.next_fast_len(2 * n, True)
    power = np.zeros(padded // 2 + 1)
    rows = max(1, (1 << 22) // padded)
    for start in range(0, len(lines), rows):
        part = scipy.fft.rfft(lines[start : start + rows].astype(np.float64), padded, axis=1)
        power += np.sum(part.real**2 + part.imag**2, axis=0)
    reach = n // 2
    pairs = np.full(reach + 1, n) if periodic else n - np.arange(reach + 1)
    weights = pairs.astype(float) * len(lines)
    return Curve(
        np.arange(reach + 1) * image.grid.cell_size[axis],
        scipy.fft.irfft(power, padded)[: reach + 1] / weights,
        weights,
    )


def half_reaches(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The lags up to half of the image, per axis."""
    return tuple(n // 2 for n in shape)


def _reaches(shape: tuple[int, ...], reach: int | tuple[int, ...] | None, periodic: bool) -> tuple[int, ...]:
    if reach is None:
        return half_reaches(shape)
    if periodic:
        raise ImageError("A periodic image has all lags at once: leave the reach out.")
    reaches = (reach,) * len(shape) if isinstance(reach, int) else tuple(reach)
    if len(reaches) != len(shape) or any(not 0 <= r < n for r, n in zip(reaches, shape, strict=False)):
        raise ImageError(f"A reach of {reaches} voxels does not fit an image of {shape}.")
    return reaches
