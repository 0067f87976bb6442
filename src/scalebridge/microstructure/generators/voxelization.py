"""Bodies on voxels: a voxel belongs to a body when its centre does.

Each body tells, for points in its bounding box, the factor by which it must be scaled to reach them. The smallest
factor per voxel is kept in one byte, so that one common factor can be found for which the image has a prescribed
fraction, and an image of 512^3 voxels needs 128 MiB.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterable
from typing import final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grid.image import count_labels

_STEPS = 254
_WIDEST = 0.1  # by how much bodies may be scaled to meet a fraction


class AbstractBody(abc.ABC):
    """A body around a centre (d,)."""

    centre: np.ndarray

    @property
    @abc.abstractmethod
    def half(self) -> np.ndarray:
        """Half edges (d,) of its bounding box."""

    @abc.abstractmethod
    def reach(self, offsets: list[np.ndarray]) -> np.ndarray:
        """The factor that scales the body until it touches points around the centre, at most 1 inside.

        offsets: one array per axis, to be broadcast.
        """


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Ball(AbstractBody):
    """A ball or a disc."""

    centre: np.ndarray
    radius: float

    @property
    def half(self) -> np.ndarray:
        return np.full(len(self.centre), self.radius)

    def reach(self, offsets: list[np.ndarray]) -> np.ndarray:
        return np.sqrt(sum(o * o for o in offsets)) / self.radius


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Capsule(AbstractBody):
    """All points within `radius` of the segment centre - along ... centre + along."""

    centre: np.ndarray
    along: np.ndarray
    radius: float

    @property
    def half(self) -> np.ndarray:
        return np.abs(self.along) + self.radius

    def reach(self, offsets: list[np.ndarray]) -> np.ndarray:
        square = max(float(self.along @ self.along), 1e-300)
        parts = list(zip(offsets, self.along, strict=True))
        place = np.clip(sum(o * a for o, a in parts) / square, -1, 1)
        return np.sqrt(sum((o - place * a) ** 2 for o, a in parts)) / self.radius


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Ellipsoid(AbstractBody):
    """Half axes (d,) along the columns of frame (d, d)."""

    centre: np.ndarray
    axes: np.ndarray
    frame: np.ndarray

    @property
    def half(self) -> np.ndarray:
        return np.sqrt(np.sum((self.frame * self.axes) ** 2, axis=1))

    def reach(self, offsets: list[np.ndarray]) -> np.ndarray:
        inverse = self.frame.T / self.axes[:, None]
        return np.sqrt(sum(sum(row[k] * o for k, o in enumerate(offsets)) ** 2 for row in inverse))


def _patch(
    body: AbstractBody, scale: float, shape: tuple[int, ...], torus: tuple[int, ...] | None
) -> tuple[tuple[np.ndarray, ...], list[np.ndarray]]:
    """Voxels of the image around a body, and their centres relative to it. torus: the body repeats with it."""
    indices, offsets = [], []
    for axis, n in enumerate(shape):
        low = int(np.floor(body.centre[axis] - scale * body.half[axis] - 0.5))
        high = int(np.ceil(body.centre[axis] + scale * body.half[axis] - 0.5))
        place = np.arange(low, high + 1)
        index = place if torus is None else place % torus[axis]
        if torus is not None and len(place) > torus[axis]:
            # No voxel twice: of two images of one voxel, the nearer to the centre counts.
            nearest = np.argsort(np.abs(place + 0.5 - body.centre[axis]), kind="stable")
            _, first = np.unique(index[nearest], return_index=True)
            place, index = place[nearest[first]], index[nearest[first]]
        inside = (index >= 0) & (index < n)
        indices.append(index[inside])
        offset = place[inside] + 0.5 - body.centre[axis]
        offsets.append(offset.reshape([-1 if k == axis else 1 for k in range(len(shape))]))
    return np.ix_(*indices), offsets


def _levels(
    shape: tuple[int, ...],
    torus: tuple[int, ...] | None,
    bodies: Iterable[AbstractBody],
    low: float,
    high: float,
) -> np.ndarray:
    """Per voxel the step, 0 to 254 from low to high, at which a body reaches it; 255: none does."""
    levels = np.full(shape, 255, np.uint8)
    for body in bodies:
        where, offsets = _patch(body, high, shape, torus)
        step = np.ceil((body.reach(offsets) - low) * (_STEPS / (high - low)) - 1e-9)
        found = np.clip(step, 0, 255).astype(np.uint8)
        levels[where] = np.minimum(levels[where], found)
    return levels


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Voxelized:
    """The image (1 inside a body, 0 elsewhere), and the factor on the sizes of all bodies for which it is made."""

    labels: np.ndarray
    scale: float


def voxelize(
    shape: tuple[int, ...],
    torus: tuple[int, ...] | None,
    bodies: Callable[[], Iterable[AbstractBody]],
    fraction: float | None,
    who: str,
) -> Voxelized:
    """Draws bodies; with a fraction, all scaled by the one factor for which it is met to within a few voxels.

    Fails when: no factor within 10 % of one does (ImageError).
    """
    if fraction is None:
        labels = np.zeros(shape, np.uint8)
        for body in bodies():
            where, offsets = _patch(body, 1.0, shape, torus)
            labels[where] |= body.reach(offsets) <= 1
        return Voxelized(labels, 1.0)
    low, high = 1 - _WIDEST, 1 + _WIDEST
    for last in (False, True):
        levels = _levels(shape, torus, bodies(), low, high)
        counts = np.cumsum(count_labels(levels))[:-1]
        best = int(np.argmin(np.abs(counts - fraction * levels.size)))
        scale = low + best * (high - low) / _STEPS
        if last:
            break
        if counts[0] > fraction * levels.size or counts[-1] < fraction * levels.size:
            raise ImageError(
                f"{who}: on this grid the fraction lies between {counts[0] / levels.size:.4f} and "
                f"{counts[-1] / levels.size:.4f} when all sizes are changed by up to 10 %; {fraction:g} was asked for. "
                "Take larger bodies (more voxels across) or a larger shape, or leave the fraction of voxels free."
            )
        spread = 2 * (high - low) / _STEPS
        low, high = scale - spread, scale + spread
    return Voxelized((levels <= best).view(np.uint8), scale)


def paint(
    labels: np.ndarray, torus: tuple[int, ...] | None, body: AbstractBody, scale: float, label: int
) -> None:
    """Writes one body, scaled, into an image."""
    where, offsets = _patch(body, scale, labels.shape, torus)
    patch = labels[where]
    patch[body.reach(offsets) <= scale] = label
    labels[where] = patch
