"""Two-phase Poisson-Voronoi mosaic: cells of a random tessellation, coloured independently."""

from __future__ import annotations

import dataclasses
import math
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
from scalebridge.microstructure.generators.power_diagram import SLAB_BYTES, Box, power_labels
from scalebridge.microstructure.spacing import Spacing

# Cells larger than this, in mean cell edges, are rarer than one in a million: a window cut from a box so much larger
# knows no periodicity.
_MARGIN = 3.0


@final
@dataclasses.dataclass(frozen=True)
class VoronoiMosaic(AbstractGenerator):
    """Voronoi cells of a Poisson process of seeds, each labelled 1 with probability `fraction` and 0 otherwise.

    cell_volume: mean volume of a cell in voxels (2-D: area in pixels). The number of cells is Poisson distributed.
    The integral range of the indicator is 1.179 (3-D) or 1.280 (2-D) mean cell volumes, since the
    covariance is p (1 - p) times the probability that two points share a cell.
    Fails when: parameters are out of range (ImageError), or there is not enough memory (ResourceError).
    """

    shape: tuple[int, ...]
    cell_volume: float
    fraction: float = 0.5
    periodic: bool = True
    spacing: Spacing = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", checked_shape(self.shape))
        if not 0 < self.fraction < 1:
            raise ImageError(f"VoronoiMosaic: fraction must lie between 0 and 1, got {self.fraction!r}.")
        if not 1 <= self.cell_volume < math.inf:
            raise ImageError(
                f"VoronoiMosaic: cell_volume must be at least one voxel, got {self.cell_volume!r}."
            )

    def targets(self) -> dict[str, float]:
        return {"fraction of label 1": self.fraction, "mean cell volume": float(self.cell_volume)}

    def measure(self, realization: Realization) -> dict[str, float]:
        fraction = realization.image.fractions.get(1, 0.0)
        return {"fraction of label 1": fraction, "mean cell volume": realization.reached["mean cell volume"]}

    def _box(self) -> np.ndarray:
        margin = 0.0 if self.periodic else _MARGIN * self.cell_volume ** (1 / len(self.shape))
        return np.array(self.shape, dtype=float) + 2 * margin

    def estimate_bytes(self) -> int:
        seeds = math.prod(self._box()) / self.cell_volume
        return int(image_bytes(self.shape, 2.5) + 200 * seeds + SLAB_BYTES)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A mosaic of {self.shape} voxels", "Take a smaller shape.")
        random, box = np.random.default_rng(seed), self._box()
        count = max(1, int(random.poisson(math.prod(box) / self.cell_volume)))
        seeds = random.random((count, len(box))) * box
        colour = (random.random(count) < self.fraction).astype(np.uint8)
        window = Box(tuple(map(float, self.shape)), self.periodic)
        labels = power_labels(self.shape, window, seeds - 0.5 * (box - self.shape), values=colour)
        words = f"Poisson-Voronoi mosaic, mean cell volume {self.cell_volume:g} voxels, fraction {self.fraction:g}"
        noted = {"mean cell volume": float(math.prod(box)) / count}
        return self._realization(labels, seed, words, noted=noted)
