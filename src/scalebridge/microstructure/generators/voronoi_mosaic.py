"""Two-phase Poisson-Voronoi mosaic: cells of a random tessellation, coloured independently."""

from __future__ import annotations

import dataclasses
import math
from typing import final

import numpy as np
import scipy.spatial

from scalebridge.core.errors import ImageError
from scalebridge.core.memory import check_fits
from scalebridge.microstructure.generators.generator import AbstractGenerator, Realization, checked_shape
from scalebridge.microstructure.spacing import Spacing

_CHUNK = 1 << 18
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
        return {"fraction of label 1": self.fraction}

    def measure(self, realization: Realization) -> dict[str, float]:
        return {"fraction of label 1": realization.image.fractions.get(1, 0.0)}

    def _box(self) -> np.ndarray:
        margin = 0.0 if self.periodic else _MARGIN * self.cell_volume ** (1 / len(self.shape))
        return np.array(self.shape, dtype=float) + 2 * margin

    def estimate_bytes(self) -> int:
        seeds = math.prod(self._box()) / self.cell_volume
        return int(math.prod(self.shape) + 200 * seeds + 100 * _CHUNK)

    def realize(self, seed: int) -> Realization:
        check_fits(self.estimate_bytes(), f"A mosaic of {self.shape} voxels", "Take a smaller shape.")
        random, box = np.random.default_rng(seed), self._box()
        count = max(1, int(random.poisson(math.prod(box) / self.cell_volume)))
        seeds = random.random((count, len(box))) * box
        colour = (random.random(count) < self.fraction).astype(np.uint8)
        tree = scipy.spatial.cKDTree(seeds, boxsize=box if self.periodic else None)
        corner = 0.5 + 0.5 * (box - self.shape)
        labels = np.empty(self.shape, np.uint8)
        flat = labels.reshape(-1)
        for start in range(0, flat.size, _CHUNK):
            index = np.arange(start, min(start + _CHUNK, flat.size))
            points = np.stack(np.unravel_index(index, self.shape), axis=-1) + corner
            flat[index] = colour[tree.query(points)[1]]
        words = f"Poisson-Voronoi mosaic, mean cell volume {self.cell_volume:g} voxels, fraction {self.fraction:g}"
        return self._realization(labels, seed, words)
