"""Local thickness: the diameter of the largest ball that fits into the phase and contains the voxel.

T(x) = max {2 r(c) : |x - c| < r(c)} with r(c) the distance of voxel centre c to the nearest centre outside the phase
[hildebrand1997]. Round features come out right to about half a voxel; a wall of n voxels gives n when n is even
and n + 1 when it is odd.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, final

import numpy as np
import scipy.ndimage

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.microstructure.statistics.indicator import indicator

if TYPE_CHECKING:
    from jaxtyping import Float

_CHUNK = 1 << 21
_PAINT = 30  # painted voxels per voxel of the image from which on a distance transform is cheaper
_BIN = 0.03


@final
@dataclasses.dataclass(frozen=True, eq=False)
class LocalThickness:
    """Thickness of one phase at its voxels, 0 elsewhere.

    values: float32, shape as the image, in the unit of the cell size. Statistics are weighted with volume.
    """

    values: np.ndarray
    grid: VoxelGrid

    @property
    def mean(self) -> float:
        return float(self._held.mean(dtype=np.float64))

    @property
    def standard_deviation(self) -> float:
        return float(self._held.std(dtype=np.float64))

    @property
    def largest(self) -> float:
        return float(self.values.max())

    def histogram(
        self, bins: int = 32
    ) -> tuple[Float[np.ndarray, " {bins}+1"], Float[np.ndarray, " {bins}"]]:
        """Volume density of thickness: edges (bins + 1,), density (bins,) with integral 1."""
        density, edges = np.histogram(self._held, bins=bins, range=(0.0, self.largest), density=True)
        return edges, density

    @property
    def _held(self) -> np.ndarray:
        return self.values[self.values > 0]


def local_thickness(image: PhaseImage, label: int, *, periodic: bool) -> LocalThickness:
    """Local thickness of phase `label` (of the pores: the pore size).

    Balls around the ridge of the distance transform are painted in ascending order. Not periodic: nothing outside the
    image stops a ball, so that features cut by the border look at most as thick as what is seen of them allows.
    Memory: about 30 bytes per voxel of the image, padded by the largest radius.
    Fails when: the phase does not occur or fills the image (ImageError), or memory is short (ResourceError).
    """
    mask = indicator(image, label)
    if len(image.present) == 1:
        raise ImageError(f"Phase {label} fills the image: its thickness has no limit.")
    size = image.grid.cell_size
    check_fits(30 * mask.size, "The local thickness", "Crop or coarsen the image.")
    radius = _radii(mask, size, periodic)
    reach = [math.ceil(float(radius.max()) / h) for h in size]
    ball = _Ball.up_to(reach, size)
    ridge = _ridge(radius, ball, size, periodic)
    padded_shape = tuple(n + 2 * r for n, r in zip(mask.shape, reach, strict=True))
    check_fits(20 * math.prod(padded_shape), "The local thickness", "Crop or coarsen the image.")
    painted = np.zeros(padded_shape, np.float32)
    _paint(painted, ridge, radius[ridge], ball, reach, size)
    inner = tuple(slice(r, r + n) for r, n in zip(reach, mask.shape, strict=True))
    values = _folded(painted, mask.shape, reach) if periodic else painted[inner]
    return LocalThickness(np.where(mask, 2 * values, np.float32(0)), image.grid)


def _radii(mask: np.ndarray, size: tuple[float, ...], periodic: bool) -> np.ndarray:
    """Distance of every voxel of the phase to the nearest voxel outside, float32."""
    if not periodic:
        return scipy.ndimage.distance_transform_edt(mask, sampling=size).astype(np.float32)
    pad = [min(n, 8) for n in mask.shape]
    while True:
        wrapped = np.pad(mask, [(p, p) for p in pad], mode="wrap")
        check_fits(24 * wrapped.size, "The distance transform", "Crop or coarsen the image.")
        distance = scipy.ndimage.distance_transform_edt(wrapped, sampling=size)
        inner = tuple(slice(p, p + n) for p, n in zip(pad, mask.shape, strict=True))
        largest = float(distance[inner].max())
        # A copy of the whole image on either side holds the nearest outside voxel of any other.
        if all(largest <= p * h or p == n for p, h, n in zip(pad, size, mask.shape, strict=True)):
            return distance[inner].astype(np.float32)
        pad = [
            min(n, max(2 * p, math.ceil(largest / h))) for p, h, n in zip(pad, size, mask.shape, strict=True)
        ]


@dataclasses.dataclass(frozen=True, eq=False)
class _Ball:
    """Lattice points around a centre by distance: a ball of radius r is the first `count(r)` of them."""

    points: np.ndarray  # (m, d) voxels
    distances: np.ndarray  # (m,) ascending, float32 as the radii

    def count(self, radii: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.distances, radii, "left")

    @staticmethod
    def up_to(reach: list[int], size: tuple[float, ...]) -> _Ball:
        points = np.stack(np.meshgrid(*[np.arange(-r, r + 1) for r in reach], indexing="ij"), -1)
        points = points.reshape(-1, len(reach)).astype(np.int32)
        distances = np.sqrt(((points * np.array(size)) ** 2).sum(axis=1)).astype(np.float32)
        order = np.argsort(distances, kind="stable")
        return _Ball(points[order], distances[order])


def _ridge(radius: np.ndarray, ball: _Ball, size: tuple[float, ...], periodic: bool) -> np.ndarray:
    """Voxels whose ball, as a set of voxels, is not inside the ball of a neighbour [remy2005]. bool."""
    ridge = radius > 0
    count = np.zeros(radius.shape, np.int32)
    count[ridge] = ball.count(radius[ridge])
    for step in np.ndindex(*(3,) * radius.ndim):
        shift = [s - 1 for s in step]
        if not any(shift):
            continue
        # The radius beyond which a ball moved by `shift` holds the first points of the ball at rest.
        apart = np.sqrt((((ball.points - np.array(shift, np.int32)) * np.array(size)) ** 2).sum(axis=1))
        need = np.append(np.float32(np.inf), np.maximum.accumulate(apart.astype(np.float32)))
        if periodic:
            ridge &= np.roll(radius, [-s for s in shift], range(radius.ndim)) <= need[count]
            continue
        here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in zip(shift, radius.shape, strict=True))
        there = tuple(slice(max(0, s), n + min(0, s)) for s, n in zip(shift, radius.shape, strict=True))
        ridge[here] &= radius[there] <= need[count[here]]
    return ridge


def _paint(
    painted: np.ndarray,
    ridge: np.ndarray,
    radii: np.ndarray,
    ball: _Ball,
    reach: list[int],
    size: tuple[float, ...],
) -> None:
    """Write the radius into every ball, small ones first, so that the largest stays."""
    centres = np.stack(np.nonzero(ridge)) + np.array(reach)[:, None]
    flat = np.ravel_multi_index(tuple(centres), painted.shape)
    order = np.argsort(radii, kind="stable")
    flat, radii = flat[order], radii[order]
    strides = np.array([math.prod(painted.shape[k + 1 :]) for k in range(painted.ndim)])
    offsets = ball.points @ strides
    target = painted.reshape(-1)
    start = 0
    while start < len(radii):
        stop = int(np.searchsorted(radii, radii[start] * (1 + _BIN), "right"))
        voxels = int(ball.count(radii[start : start + 1])[0])
        if (stop - start) * voxels > _PAINT * painted.size:
            seeds = np.ones(painted.shape, bool)
            seeds.reshape(-1)[flat[start:stop]] = False
            middle = np.float32(radii[start:stop].mean())
            painted[scipy.ndimage.distance_transform_edt(seeds, sampling=size) < middle] = middle
            start = stop
            continue
        stop = int(np.searchsorted(radii, radii[start], "right"))
        rows = max(1, _CHUNK // max(voxels, 1))
        for first in range(start, stop, rows):
            target[flat[first : min(first + rows, stop), None] + offsets[:voxels]] = radii[start]
        start = stop


def _folded(painted: np.ndarray, shape: tuple[int, ...], reach: list[int]) -> np.ndarray:
    """What lies outside the box is brought back by whole periods; the largest value stays."""
    for axis, (n, r) in enumerate(zip(shape, reach, strict=True)):
        lines = np.moveaxis(painted, axis, 0)
        folded = lines[r : r + n].copy()
        for begin in range(0, n + 2 * r):
            if r <= begin < r + n:
                continue
            place = (begin - r) % n
            np.maximum(folded[place], lines[begin], out=folded[place])
        painted = np.moveaxis(folded, 0, axis)
    return painted
