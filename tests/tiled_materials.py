"""A random checkerboard and its phases: the material of the tests of representativity."""

import dataclasses
from typing import final

import numpy as np

from scalebridge import Conduction
from scalebridge.cell.boundary import KinematicUniform, Periodic, StaticUniform
from scalebridge.grid import PhaseImage, VoxelGrid
from scalebridge.homogenize.representative.apparent import Material
from scalebridge.homogenize.representative.ensemble import Workers
from scalebridge.microstructure.generators.generator import AbstractGenerator

ALONE = Workers(count=1)
LAWS = Material({0: Conduction.isotropic(k=1.0), 1: Conduction.isotropic(k=10.0)})
ALL = (Periodic(), KinematicUniform(), StaticUniform())


@final
@dataclasses.dataclass(frozen=True)
class Tiles(AbstractGenerator):
    """Independent square tiles, label 1 with probability p: a piece of an unbounded checkerboard."""

    shape: tuple[int, ...]
    tile: int = 2
    p: float = 0.5
    periodic: bool = False
    spacing: None = None

    def realize(self, seed):
        coarse = np.random.default_rng(seed).random(tuple(-(-n // self.tile) for n in self.shape)) < self.p
        labels = coarse.astype(np.uint8)
        for axis in range(labels.ndim):
            labels = labels.repeat(self.tile, axis)
        return self._realization(
            np.ascontiguousarray(labels[tuple(slice(n) for n in self.shape)]), seed, "tiles"
        )

    def targets(self):
        return {"fraction of label 1": self.p}

    def measure(self, realization):
        return {"fraction of label 1": realization.image.fractions.get(1, 0.0)}

    def estimate_bytes(self):
        return int(np.prod(self.shape))


def image_of(labels):
    return PhaseImage(np.asarray(labels, np.uint8), VoxelGrid(np.shape(labels)))


def draw(shape, seed=0, tile=2):
    return Tiles(shape, tile).realize(seed).image
