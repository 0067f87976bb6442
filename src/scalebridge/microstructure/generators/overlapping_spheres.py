"""The Boolean model of spheres: centres thrown independently, overlaps allowed."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import final

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.generators.generator import (
    AbstractGenerator,
    Realization,
    checked_shape,
    image_bytes,
)
from scalebridge.microstructure.generators.voxelization import AbstractBody, Ball, voxelize
from scalebridge.microstructure.spacing import Spacing


def ball_volume(radius: float, dimensions: int) -> float:
    """pi r^2 or 4/3 pi r^3."""
    return math.pi * radius**2 if dimensions == 2 else 4 / 3 * math.pi * radius**3


@final
@dataclasses.dataclass(frozen=True)
class OverlappingSpheres(AbstractGenerator):
    """Spheres (2-D: discs) of `radius` voxels, label 1, around the points of a Poisson process; label 0 outside.

    fraction: of the spheres' union in the infinite medium, 1 - exp(-rho v) for the intensity rho and the volume v of
    one sphere. The number of spheres fluctuates, and with it the fraction of one image.
    Not periodic: a window of an infinite medium.
    Fails when: fraction is not inside (0, 1), or (periodic) a sphere is wider than the shape (ImageError).
    """

    shape: tuple[int, ...]
    radius: float
    fraction: float
    periodic: bool = True
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        if not 0 < self.fraction < 1:
            raise ImageError(f"OverlappingSpheres: fraction must lie between 0 and 1, got {self.fraction!r}.")
        if not 0.5 <= self.radius < math.inf or (self.periodic and 2 * self.radius >= min(self.shape)):
            raise ImageError(
                f"OverlappingSpheres: radius must be at least half a voxel, and twice it less than the shape "
                f"{self.shape} when periodic, got {self.radius!r}."
            )

    def targets(self) -> dict[str, float]:
        return {"fraction of label 1": self.fraction}

    def measure(self, realization: Realization) -> dict[str, float]:
        return {"fraction of label 1": realization.image.fractions.get(1, 0.0)}

    def _box(self) -> np.ndarray:
        return np.array(self.shape, dtype=float) + (0.0 if self.periodic else 2 * self.radius)

    @property
    def intensity(self) -> float:
        """Spheres per voxel."""
        return -math.log1p(-self.fraction) / ball_volume(self.radius, len(self.shape))

    def estimate_bytes(self) -> int:
        patch = 40 * (2 * self.radius + 2) ** len(self.shape)
        return int(image_bytes(self.shape, 1) + 24 * self.intensity * math.prod(self._box()) + patch)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"Spheres in {self.shape} voxels", "Take a smaller shape.")
        random, box = np.random.default_rng(seed), self._box()
        count = int(random.poisson(self.intensity * math.prod(box)))
        centres = random.random((count, len(box))) * box - 0.5 * (box - self.shape)

        def bodies() -> Iterator[AbstractBody]:
            return (Ball(centre, self.radius) for centre in centres)

        drawn = voxelize(self.shape, self.shape if self.periodic else None, bodies, None, type(self).__name__)
        words = f"{count} overlapping spheres of radius {self.radius:g} voxels, fraction {self.fraction:g}"
        return self._realization(drawn.labels, seed, words)
