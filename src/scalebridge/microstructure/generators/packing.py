"""Dense packings of spheres and ellipsoids that do not overlap."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.generators.collective_rearrangement import (
    clearance,
    separate_balls,
    shake_balls,
)
from scalebridge.microstructure.generators.generator import (
    AbstractGenerator,
    Realization,
    checked_shape,
    image_bytes,
)
from scalebridge.microstructure.generators.orientation_distribution import (
    Tensor,
    checked_orientation,
    draw_axes,
    frames_along,
    match_orientation,
    tensor_statistics,
)
from scalebridge.microstructure.generators.oriented_bodies import AbstractOrientedBodies, lean, torus_of
from scalebridge.microstructure.generators.overlapping_spheres import ball_volume
from scalebridge.microstructure.generators.rigid_bodies import EllipsoidContacts, separate_rigid
from scalebridge.microstructure.generators.voxelization import AbstractBody, Ball, Ellipsoid, voxelize
from scalebridge.microstructure.spacing import Spacing

if TYPE_CHECKING:
    from jaxtyping import Float

_MARGIN = 2e-3  # of a radius, by which bodies are kept apart beyond what is asked for
_MOST_STEPS = 6000
# A whole number of bodies changes their sizes; beyond this the box is too small to speak of that size.
_SIZE_CHANGE = 0.2


@final
@dataclasses.dataclass(frozen=True)
class SpherePacking(AbstractGenerator):
    """Spheres (2-D: discs), label 1, that do not overlap, in a matrix, label 0. Up to about 0.62 (2-D: 0.82).

    fraction: of label 1. radius: in voxels, or several radii with `shares`, their parts of the spheres' volume
    (None: equal ones). gap: smallest distance of two surfaces in voxels.
    match_voxels: all radii are changed by one factor (near one; it stands in the image's history) so that the
    image's own fraction of voxels is the one asked for. Only periodic packings: a window's fraction may fluctuate.
    shaking: sweeps of random hard-sphere moves that follow.

    All spheres are thrown at random and moved apart together [bezrukov2002]. The number of spheres is the whole number
    nearest to the fraction; their radii make up for the rest. Not periodic: a window of a larger packing.
    Fails when: the fraction cannot be reached (ImageError with what was), or the shape holds too few spheres.
    """

    shape: tuple[int, ...]
    fraction: float
    radius: float | tuple[float, ...]
    shares: tuple[float, ...] | None = None
    gap: float = 0.0
    match_voxels: bool = True
    shaking: int = 300
    periodic: bool = True
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        radii = self._radii
        if not 0 < self.fraction < 1:
            raise ImageError(f"SpherePacking: fraction must lie between 0 and 1, got {self.fraction!r}.")
        if not len(radii) or not all(0.5 <= r < math.inf for r in radii):
            raise ImageError(f"SpherePacking: radius must be at least half a voxel, got {self.radius!r}.")
        if self.shares is not None and (
            len(self.shares) != len(radii) or not all(0 < s < math.inf for s in self.shares)
        ):
            raise ImageError(
                f"SpherePacking: shares must be one positive number per radius, got {self.shares} for {self.radius}."
            )
        if not 0 <= self.gap < math.inf or self.shaking < 0:
            raise ImageError(
                f"SpherePacking: gap and shaking must not be negative, got {self.gap!r} and {self.shaking!r}."
            )
        if self.periodic and 4.2 * max(radii) + 2 * self.gap > min(self.shape):
            raise ImageError(
                f"SpherePacking: radius must be less than a quarter of the shape {self.shape} when periodic (a sphere "
                f"must not meet another on two sides), got {self.radius!r}."
            )

    @property
    def _radii(self) -> tuple[float, ...]:
        return tuple(self.radius) if isinstance(self.radius, (tuple, list)) else (self.radius,)

    def _torus(self) -> tuple[int, ...]:
        return torus_of(self.shape, self.periodic, 6 * max(self._radii))

    def _sizes(self) -> np.ndarray:
        """Radii (n,) of all spheres, of which the fraction of the box is exactly the one asked for."""
        radii = np.array(self._radii, dtype=float)
        d, volume = len(self.shape), self.fraction * math.prod(self._torus())
        shares = np.ones(len(radii)) if self.shares is None else np.array(self.shares, dtype=float)
        each = np.array([ball_volume(r, d) for r in radii])
        counts = np.maximum(1, np.round(volume * shares / shares.sum() / each)).astype(int)
        factor = (volume / np.sum(counts * each)) ** (1 / d)
        if abs(factor - 1) > _SIZE_CHANGE:
            raise ImageError(
                f"SpherePacking: {int(counts.sum())} spheres of radius {self.radius} make the fraction "
                f"{self.fraction:g} of {self.shape} voxels only when their radii are multiplied by {factor:.3f}. "
                "Take a larger shape or smaller spheres."
            )
        return np.repeat(radii * factor, counts)

    def targets(self) -> dict[str, float]:
        each = np.array([ball_volume(r, len(self.shape)) for r in self._radii])
        shares = np.ones(len(each)) if self.shares is None else np.array(self.shares, dtype=float)
        mean = float(np.average(self._radii, weights=shares / each))
        return {"fraction of label 1": self.fraction, "mean radius": mean}

    def measure(self, realization: Realization) -> dict[str, float]:
        fraction = realization.image.fractions.get(1, 0.0)
        return {"fraction of label 1": fraction, "mean radius": realization.reached["mean radius"]}

    def estimate_bytes(self) -> int:
        d, box = len(self.shape), math.prod(self._torus())
        count = self.fraction * box / ball_volume(min(self._radii), d)
        patch = 60 * (2.3 * max(self._radii) + 3) ** d
        return int(max(image_bytes(self.shape, 2), 3000 * count) + patch)

    def centres(self, seed: int) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
        """Centres (n, d) and radii (n,) in voxels, before a common factor matches the fraction of voxels."""
        random, edges = np.random.default_rng(seed), np.array(self._torus(), dtype=float)
        radii = self._sizes()
        kept = radii + 0.5 * self.gap
        margin = _MARGIN * float(np.min(radii))
        points = random.random((len(radii), len(edges))) * edges
        moved = separate_balls(points, kept, edges, margin=margin, most_steps=_MOST_STEPS)
        if moved.depth > margin:
            reached = self.fraction * min(1.0, clearance(moved.state, kept, edges)) ** len(edges)
            raise ImageError(
                f"SpherePacking: the fraction {self.fraction:g} is not reached; after {moved.steps} steps spheres "
                f"still overlap, and without overlap the fraction is {reached:.3f}. Take a smaller fraction or gap, or "
                "spheres of several radii."
            )
        return shake_balls(moved.state, kept, edges, self.shaking, random), radii

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A packing of {self.shape} voxels", "Take a smaller shape.")
        centres, radii = self.centres(seed)

        def bodies() -> Iterator[AbstractBody]:
            return (Ball(centre, radius) for centre, radius in zip(centres, radii, strict=True))

        fraction = self.fraction if self.match_voxels and self.periodic else None
        drawn = voxelize(self.shape, self._torus(), bodies, fraction, type(self).__name__)
        noted = {"mean radius": float(np.mean(radii)) * drawn.scale}
        words = f"packing of {len(radii)} spheres, mean radius {noted['mean radius']:.4g} voxels"
        return self._realization(drawn.labels, seed, words, noted=noted)


@final
@dataclasses.dataclass(frozen=True)
class EllipsoidPacking(AbstractOrientedBodies):
    """Equal ellipsoids (2-D: ellipses) that do not overlap, in a matrix, label 0. Up to about 0.5.

    axes: half axes in voxels; the first is the one that `orientation` speaks of, the others turn at random around it.
    orientation: tensor <p p^T> of the first axes (None: isotropic), met by all bodies together.
    separate: one label per body, with its frame in `Realization.orientations`; otherwise all are label 1.
    match_voxels: as for SpherePacking.

    Thrown at random, then shifted and turned together until their contact functions say none overlap.
    Fails when: the fraction cannot be reached (ImageError with the overlap left), or the shape is too small.
    """

    bodies_are: ClassVar[str] = "bodies"

    shape: tuple[int, ...]
    fraction: float
    axes: tuple[float, ...]
    orientation: Tensor | None = None
    separate: bool = False
    match_voxels: bool = True
    periodic: bool = True
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        checked_orientation(type(self).__name__, self.orientation, len(self.shape))
        if not 0 < self.fraction < 1:
            raise ImageError(f"EllipsoidPacking: fraction must lie between 0 and 1, got {self.fraction!r}.")
        if len(self.axes) != len(self.shape) or not all(0.5 <= a < math.inf for a in self.axes):
            raise ImageError(
                f"EllipsoidPacking: axes must be {len(self.shape)} half axes of at least half a voxel, got {self.axes}."
            )
        if self.periodic and 4.2 * max(self.axes) > min(self.shape):
            raise ImageError(
                f"EllipsoidPacking: axes must be less than a quarter of the shape {self.shape} when periodic, got "
                f"{self.axes}."
            )

    def _torus(self) -> tuple[int, ...]:
        return torus_of(self.shape, self.periodic, 6 * max(self.axes))

    @property
    def _volume(self) -> float:
        return ball_volume(1.0, len(self.shape)) * math.prod(self.axes)

    def _axes(self) -> np.ndarray:
        d, box, each = len(self.shape), math.prod(self._torus()), self._volume
        count = max(1, round(self.fraction * box / each))
        factor = (self.fraction * box / (count * each)) ** (1 / d)
        if abs(factor - 1) > _SIZE_CHANGE:
            raise ImageError(
                f"EllipsoidPacking: {count} bodies of half axes {self.axes} make the fraction {self.fraction:g} of "
                f"{self.shape} voxels only when multiplied by {factor:.3f}. Take a larger shape or smaller axes."
            )
        return np.tile(np.array(self.axes, dtype=float) * factor, (count, 1))

    def targets(self) -> dict[str, float]:
        shape = {self._name: self.fraction, "first half axis": float(self.axes[0])}
        return {**shape, **tensor_statistics(self._tensor)}

    def estimate_bytes(self) -> int:
        count = self.fraction * math.prod(self._torus()) / self._volume
        return self._drawn_bytes(count, 20_000, max(self.axes))

    def bodies(
        self, seed: int
    ) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n d d"], Float[np.ndarray, "n d"]]:
        """Centres (n, d), frames (n, d, d) and half axes (n, d)."""
        random, edges = np.random.default_rng(seed), np.array(self._torus(), dtype=float)
        axes, tensor = self._axes(), self._tensor
        centres = random.random((len(axes), len(edges))) * edges
        frames = _spun(frames_along(match_orientation(draw_axes(len(axes), tensor, random), tensor)), random)
        margin = _MARGIN * float(np.min(axes))

        def settle(turned: np.ndarray) -> np.ndarray:
            return lean(turned, match_orientation(turned[:, :, 0], tensor, repeats=1))

        size = np.sqrt(np.mean(axes**2, axis=1))
        moved = separate_rigid(
            (centres, frames),
            EllipsoidContacts(axes, edges, margin),
            None if np.ptp(self.axes) == 0 else size,
            settle,
            margin=margin,
            most_steps=_MOST_STEPS // 2,
            longest_move=0.3 * float(np.min(axes)),
        )
        if moved.depth > margin:
            raise ImageError(
                f"EllipsoidPacking: the fraction {self.fraction:g} is not reached; after {moved.steps} steps bodies "
                f"still overlap by {moved.depth - margin:.3g} voxels. Take a smaller fraction or rounder bodies."
            )
        return (*moved.state, axes)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A packing of {self.shape} voxels", "Take a smaller shape.")
        centres, frames, axes = self.bodies(seed)

        def groups() -> Iterator[list[AbstractBody]]:
            return ([Ellipsoid(*body)] for body in zip(centres, axes, frames, strict=True))

        drawn = self._drawn(groups, frames)
        first = frames[:, :, 0]
        words = f"packing of {len(axes)} ellipsoids, half axes {np.round(axes[0] * drawn.scale, 3).tolist()} voxels"
        noted = {"first half axis": float(axes[0, 0]) * drawn.scale}
        noted |= tensor_statistics(first.T @ first / len(first))
        return self._realization(drawn.labels, seed, words, drawn.orientations, noted)


def _spun(frames: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Frames turned around their first axes by random angles (nothing to turn in 2-D)."""
    if frames.shape[1] == 2:
        return frames
    angle = 2 * np.pi * random.random(len(frames))[:, None]
    second = np.cos(angle) * frames[:, :, 1] + np.sin(angle) * frames[:, :, 2]
    return np.stack([frames[:, :, 0], second, np.cross(frames[:, :, 0], second)], axis=2)
